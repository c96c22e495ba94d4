//! The yardstick: a bare hyper server that gathers request bodies and posts them on, about 6 MB at a time.
//!
//! It does what no gateway can leave out – take the bytes in, answer, send them out – and nothing else: no routing, no
//! journal, no retry. A gateway's cost is told as a multiple of this one's. It answers 200 at once. A post that fails
//! ends the process, because its bytes were acknowledged and are lost.
//!
//! Concatenated protobuf requests are one request, and concatenated gzip members one gzip body, so the joined bodies
//! are readable as they are.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::{Buf as _, Bytes};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::role::{self, Answer};
use crate::wire::{CONTENT_TYPE_GRPC, CONTENT_TYPE_PROTOBUF, Encoding, GRPC_FRAME_HEADER_BYTES, OTLP_HTTP_PATH};

const POST_BYTES: u64 = 6_000_000;
/// How long the first body of a post waits for company; only low rates notice.
const LINGER: Duration = Duration::from_millis(200);
/// Full means that the sink is slower than the senders: they wait for their answer.
const PARTS_WAITING_MAX: usize = 64;
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One request's body in the pieces in which it was read.
struct Part {
    encoding: Encoding,
    pieces: VecDeque<Bytes>,
    bytes: u64,
}

/// Serves until the parent goes away; posts to `sink`.
pub fn run(sink: SocketAddr) -> anyhow::Result<()> {
    role::run(async move {
        let (parts, waiting) = mpsc::channel(PARTS_WAITING_MAX);
        tokio::spawn(async move {
            if let Err(problem) = post_all(waiting, sink).await {
                eprintln!("byte mover: acknowledged bytes are lost: {problem:#}");
                std::process::exit(1);
            }
        });
        role::serve(move |request| answer(request, parts.clone())).await
    })
}

async fn answer(request: Request<Incoming>, parts: mpsc::Sender<Part>) -> Answer {
    receive(request, &parts).await.unwrap_or_else(|problem| {
        let mut response = Response::new(Full::from(format!("{problem:#}")).boxed());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response
    })
}

async fn receive(request: Request<Incoming>, parts: &mpsc::Sender<Part>) -> anyhow::Result<Answer> {
    let is_grpc = header(request.headers(), &CONTENT_TYPE).starts_with(CONTENT_TYPE_GRPC.as_bytes());
    let mut part = Part {
        encoding: match header(request.headers(), &CONTENT_ENCODING) {
            b"gzip" => Encoding::Gzip,
            _ => Encoding::Identity,
        },
        pieces: VecDeque::new(),
        bytes: 0,
    };
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            part.bytes += data.len() as u64;
            anyhow::ensure!(part.bytes <= BODY_BYTES_MAX, "body is longer than {BODY_BYTES_MAX} bytes");
            part.pieces.push_back(data);
        }
    }
    if is_grpc {
        strip_frame_header(&mut part)?;
    }
    parts.send(part).await.context("nobody posts any more")?;
    Ok(if is_grpc { grpc_ok() } else { http_ok() })
}

fn strip_frame_header(part: &mut Part) -> anyhow::Result<()> {
    let mut header = [0; GRPC_FRAME_HEADER_BYTES];
    for byte in &mut header {
        while part.pieces.front().is_some_and(Bytes::is_empty) {
            part.pieces.pop_front();
        }
        *byte = part.pieces.front_mut().context("body is shorter than a gRPC frame header")?.get_u8();
    }
    part.bytes -= GRPC_FRAME_HEADER_BYTES as u64;
    let [compressed, length @ ..] = header;
    anyhow::ensure!(u64::from(u32::from_be_bytes(length)) == part.bytes, "a unary call has one frame");
    if compressed == 1 {
        part.encoding = Encoding::Gzip;
    }
    Ok(())
}

fn http_ok() -> Answer {
    let mut response = Response::new(Full::default().boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_PROTOBUF));
    response
}

fn grpc_ok() -> Answer {
    let trailers =
        HeaderMap::from_iter([(hyper::header::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let message = Full::new(Bytes::from_static(&[0; GRPC_FRAME_HEADER_BYTES]));
    let mut response = Response::new(message.with_trailers(std::future::ready(Some(Ok(trailers)))).boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_GRPC));
    response
}

async fn post_all(mut waiting: mpsc::Receiver<Part>, sink: SocketAddr) -> anyhow::Result<()> {
    let stream = TcpStream::connect(sink).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut next = waiting.recv().await;
    while let Some(first) = next.take() {
        let until = Instant::now() + LINGER;
        let mut post = first;
        while post.bytes < POST_BYTES {
            match timeout_at(until, waiting.recv()).await {
                Ok(Some(part)) if part.encoding == post.encoding => {
                    post.bytes += part.bytes;
                    post.pieces.extend(part.pieces);
                }
                Ok(other) => {
                    next = other;
                    break;
                }
                Err(_) => break,
            }
        }
        send(&mut sender, post, sink).await?;
        if next.is_none() {
            next = waiting.recv().await;
        }
    }
    Ok(())
}

async fn send(sender: &mut http1::SendRequest<Pieces>, post: Part, sink: SocketAddr) -> anyhow::Result<()> {
    let mut request =
        Request::post(OTLP_HTTP_PATH).header(HOST, sink.to_string()).header(CONTENT_TYPE, CONTENT_TYPE_PROTOBUF);
    if post.encoding == Encoding::Gzip {
        request = request.header(CONTENT_ENCODING, "gzip");
    }
    sender.ready().await?;
    let response = sender.send_request(request.body(Pieces { pieces: post.pieces, bytes: post.bytes })?).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    anyhow::ensure!(status.is_success(), "the sink answered {status}: {}", body.escape_ascii());
    Ok(())
}

/// A request body sent in the pieces in which it was read; its length is known, so that nothing is chunked.
struct Pieces {
    pieces: VecDeque<Bytes>,
    bytes: u64,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        self.bytes -= piece.as_ref().map_or(0, Bytes::len) as u64;
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &hyper::header::HeaderName) -> &'a [u8] {
    headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default()
}
