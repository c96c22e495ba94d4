//! The role of the three vendors: answers as they would, counts what arrives, keeps nothing.
//!
//! | request | stands for | counted |
//! |---|---|---|
//! | `POST /v1/traces` | Honeycomb, or any OTLP/HTTP server | spans, by walking field tags while the body streams in |
//! | `POST /TraceSegments` | AWS X-Ray | documents; more than 50 or no signature is refused |
//! | `POST /api/1/item/` | Rollbar | items; the answer echoes the uuid |
//! | `GET /counts` | the benchmark itself | – |
//!
//! Anything else is refused and counted as refused, so that a gateway that talks to a wrong path is seen. Bodies are
//! inflated only where `content-encoding` says so.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use zstd::stream::{raw, zio};

use crate::counts::{COUNTS_PATH, Counts};
use crate::role::{self, Answer};
use crate::span_counter::SpanCounter;
use crate::wire::{CONTENT_TYPE_JSON, CONTENT_TYPE_PROTOBUF, OTLP_HTTP_PATH};

/// Above any body that a gateway with default bounds sends; the sink must not grow without end when one errs.
const BODY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// AWS refuses more with "Exceeding maximum segment count: 50".
const XRAY_DOCUMENTS_MAX: usize = 50;

type Shared = Arc<Mutex<Counts>>;

/// Serves until the parent goes away.
pub fn run() -> anyhow::Result<()> {
    let counts = Shared::default();
    role::run(role::serve(move |request| answer(request, Arc::clone(&counts))))
}

async fn answer(request: Request<Incoming>, counts: Shared) -> Answer {
    let outcome = match (request.method(), request.uri().path()) {
        (&Method::GET, COUNTS_PATH) => {
            let text = serde_json::to_vec(&*lock(&counts)).map_err(Into::into);
            text.map(|text| json(StatusCode::OK, text))
        }
        (&Method::POST, OTLP_HTTP_PATH) => take_otlp(request, &counts).await,
        (&Method::POST, "/TraceSegments") => take_xray(request, &counts).await,
        (&Method::POST, "/api/1/item/" | "/api/1/item") => take_rollbar(request, &counts).await,
        (method, path) => Err(anyhow::anyhow!("nobody serves {method} {path}")),
    };
    outcome.unwrap_or_else(|problem| {
        let problem = format!("{problem:#}");
        let text = serde_json::json!({ "err": 1, "message": problem }).to_string();
        let mut counts = lock(&counts);
        counts.refused += 1;
        counts.refused_first.get_or_insert(problem);
        json(StatusCode::BAD_REQUEST, text.into_bytes())
    })
}

async fn take_otlp(request: Request<Incoming>, counts: &Shared) -> anyhow::Result<Response<role::Body>> {
    let mut spans = Inflate::new(&request, SpanCounter::new())?;
    let bytes = pour(request.into_body(), &mut spans).await?;
    let spans = spans.finish()?.finish()?;
    let mut counts = lock(counts);
    counts.otlp_requests += 1;
    counts.otlp_bytes += bytes;
    counts.otlp_spans += spans;
    counts.latest_unix_us = unix_us();
    let mut response = Response::new(Full::default().boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_PROTOBUF));
    Ok(response)
}

#[derive(Deserialize)]
struct PutTraceSegments {
    // Elements of no size: counting them allocates nothing.
    #[serde(rename = "TraceSegmentDocuments")]
    documents: Vec<IgnoredAny>,
}

async fn take_xray(request: Request<Incoming>, counts: &Shared) -> anyhow::Result<Response<role::Body>> {
    let signature = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    anyhow::ensure!(signature.starts_with(b"AWS4-HMAC-SHA256 Credential="), "PutTraceSegments is not signed");
    let (bytes, body) = gather(request).await?;
    let put: PutTraceSegments = serde_json::from_slice(&body).context("PutTraceSegments")?;
    let documents = put.documents.len();
    anyhow::ensure!(documents <= XRAY_DOCUMENTS_MAX, "exceeding maximum segment count: {documents}");
    let mut counts = lock(counts);
    counts.xray_requests += 1;
    counts.xray_bytes += bytes;
    counts.xray_documents += documents as u64;
    counts.latest_unix_us = unix_us();
    Ok(json(StatusCode::OK, br#"{"UnprocessedTraceSegments":[]}"#.to_vec()))
}

#[derive(Deserialize)]
struct PostItem {
    data: ItemData,
}

#[derive(Deserialize)]
struct ItemData {
    uuid: Option<String>,
}

async fn take_rollbar(request: Request<Incoming>, counts: &Shared) -> anyhow::Result<Response<role::Body>> {
    let (bytes, body) = gather(request).await?;
    let item: PostItem = serde_json::from_slice(&body).context("Rollbar item")?;
    let mut counts = lock(counts);
    counts.rollbar_requests += 1;
    counts.rollbar_bytes += bytes;
    counts.rollbar_items += 1;
    counts.latest_unix_us = unix_us();
    let result = serde_json::json!({ "err": 0, "result": { "id": null, "uuid": item.data.uuid } });
    Ok(json(StatusCode::OK, result.to_string().into_bytes()))
}

/// Reads a whole body; returns its size on the wire and its inflated bytes.
async fn gather(request: Request<Incoming>) -> anyhow::Result<(u64, Vec<u8>)> {
    let mut inflated = Inflate::new(&request, Vec::new())?;
    let bytes = pour(request.into_body(), &mut inflated).await?;
    Ok((bytes, inflated.finish()?))
}

async fn pour<W: Write>(mut body: Incoming, into: &mut Inflate<W>) -> anyhow::Result<u64> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes += data.len() as u64;
            anyhow::ensure!(bytes <= BODY_BYTES_MAX, "body is longer than {BODY_BYTES_MAX} bytes");
            into.write(&data)?;
        }
    }
    Ok(bytes)
}

/// Passes on what is written to it, inflated as the request's `content-encoding` says.
enum Inflate<W: Write> {
    Identity(W),
    // Several members, because the byte mover joins gzip bodies end to end.
    Gzip(Box<flate2::write::MultiGzDecoder<W>>),
    // Not `write::Decoder`, which does not say when the last frame is cut.
    Zstd(Box<zio::Writer<W, raw::Decoder<'static>>>),
}

impl<W: Write> Inflate<W> {
    fn new(request: &Request<Incoming>, into: W) -> anyhow::Result<Self> {
        match request.headers().get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(Self::Identity(into)),
            Some(b"gzip") => Ok(Self::Gzip(Box::new(flate2::write::MultiGzDecoder::new(into)))),
            Some(b"zstd") => Ok(Self::Zstd(Box::new(zio::Writer::new(into, raw::Decoder::new()?)))),
            Some(other) => anyhow::bail!("content-encoding `{}` is unknown", other.escape_ascii()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Identity(into) => into.write_all(bytes),
            Self::Gzip(into) => into.write_all(bytes),
            Self::Zstd(into) => into.write_all(bytes),
        }
    }

    fn finish(self) -> std::io::Result<W> {
        match self {
            Self::Identity(into) => Ok(into),
            Self::Gzip(into) => into.finish(),
            Self::Zstd(mut into) => {
                into.finish()?;
                Ok(into.into_inner().0)
            }
        }
    }
}

fn json(status: StatusCode, text: Vec<u8>) -> Response<role::Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_JSON));
    response
}

fn lock(counts: &Shared) -> std::sync::MutexGuard<'_, Counts> {
    counts.lock().expect("no holder of the lock can panic")
}

fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as u64)
}
