//! One OTLP client connection: a request out, the server's verdict back.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, TE};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use tokio::net::TcpStream;

use crate::wire::{
    CONTENT_TYPE_GRPC, CONTENT_TYPE_PROTOBUF, Encoding, GRPC_FRAME_HEADER_BYTES, OTLP_GRPC_PATH, OTLP_HTTP_PATH,
    Protocol,
};

/// HTTP statuses by which a server says "later": <https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes>.
const HTTP_LATER: [u16; 4] = [429, 502, 503, 504];
/// gRPC statuses of the same meaning that a gateway under load may give: RESOURCE_EXHAUSTED and UNAVAILABLE.
const GRPC_LATER: [&str; 2] = ["8", "14"];

/// What the server said about one request.
pub enum Verdict {
    /// Acknowledged, all but `rejected` spans.
    Accepted { rejected: u64 },
    /// Not acknowledged, to be sent again later.
    Later(String),
    /// Not acknowledged for another reason.
    Failed(String),
}

enum Sender {
    Http(http1::SendRequest<Full<Bytes>>),
    Grpc(http2::SendRequest<Full<Bytes>>),
}

/// An open connection; requests go one after the other.
pub struct Client {
    sender: Sender,
    address: SocketAddr,
    encoding: Encoding,
}

impl Client {
    pub async fn connect(address: SocketAddr, protocol: Protocol, encoding: Encoding) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(stream);
        let sender = match protocol {
            Protocol::Http => {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                Sender::Http(sender)
            }
            Protocol::Grpc => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                tokio::spawn(connection);
                Sender::Grpc(sender)
            }
        };
        Ok(Self { sender, address, encoding })
    }

    /// Sends one prepared body. An error means that the connection broke and the request's fate is unknown.
    pub async fn export(&mut self, body: Bytes) -> anyhow::Result<Verdict> {
        match &mut self.sender {
            Sender::Http(sender) => {
                let mut request = Request::post(OTLP_HTTP_PATH)
                    .header(HOST, self.address.to_string())
                    .header(CONTENT_TYPE, CONTENT_TYPE_PROTOBUF);
                if self.encoding == Encoding::Gzip {
                    request = request.header(CONTENT_ENCODING, "gzip");
                }
                sender.ready().await?;
                http_verdict(sender.send_request(request.body(Full::new(body))?).await?).await
            }
            Sender::Grpc(sender) => {
                let mut request = Request::post(format!("http://{}{OTLP_GRPC_PATH}", self.address))
                    .header(CONTENT_TYPE, CONTENT_TYPE_GRPC)
                    .header(TE, "trailers");
                if self.encoding == Encoding::Gzip {
                    request = request.header("grpc-encoding", "gzip");
                }
                sender.ready().await?;
                grpc_verdict(sender.send_request(request.body(Full::new(body))?).await?).await
            }
        }
    }
}

async fn http_verdict(response: Response<Incoming>) -> anyhow::Result<Verdict> {
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status.as_u16() == 200 {
        return accepted(&body);
    }
    let text = format!("HTTP {status}: {}", body.escape_ascii());
    Ok(if HTTP_LATER.contains(&status.as_u16()) { Verdict::Later(text) } else { Verdict::Failed(text) })
}

async fn grpc_verdict(response: Response<Incoming>) -> anyhow::Result<Verdict> {
    let (head, body) = response.into_parts();
    if head.status.as_u16() != 200 {
        return Ok(Verdict::Failed(format!("HTTP {} to a gRPC call", head.status)));
    }
    let body = body.collect().await?;
    // An answer without a message carries its status in the headers.
    let from = body.trailers().filter(|trailers| trailers.contains_key("grpc-status")).unwrap_or(&head.headers);
    let status = grpc_header(from, "grpc-status");
    if status == "0" {
        let message = body.to_bytes();
        return accepted(message.get(GRPC_FRAME_HEADER_BYTES..).context("an answer without a gRPC frame")?);
    }
    let text = format!("grpc-status {status}: {}", grpc_header(from, "grpc-message"));
    Ok(if GRPC_LATER.contains(&status.as_str()) { Verdict::Later(text) } else { Verdict::Failed(text) })
}

fn accepted(message: &[u8]) -> anyhow::Result<Verdict> {
    let rejected = match ExportTraceServiceResponse::decode(message)?.partial_success {
        Some(partial) => u64::try_from(partial.rejected_spans)?,
        None => 0,
    };
    Ok(Verdict::Accepted { rejected })
}

fn grpc_header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map_or_else(|| "missing".to_owned(), |value| value.as_bytes().escape_ascii().to_string())
}
