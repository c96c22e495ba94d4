//! One destination that speaks OTLP/HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};

use super::body::{Body, Compression, Originals};
use super::{encode, halve, verdict};
use crate::exporter::contract::{BoxFuture, Encoded, Exporter, Limits, Outcome, Piece, Request};
use crate::exporter::http::{AnswerDeadline, LazyClient, no_answer};
use crate::otlp::{Part, Signal, json};

/// Where requests go, and what every one of them carries.
#[derive(Debug)]
pub struct Destination {
    urls: [String; 3],
    headers: HeaderMap,
    /// The header that a piece's key is sent in.
    key_header: Option<HeaderName>,
}

impl Destination {
    pub fn new(endpoint: &str, headers: HeaderMap, key_header: Option<HeaderName>) -> Self {
        let base = endpoint.trim_end_matches('/');
        Destination { urls: Signal::ALL.map(|signal| format!("{base}/v1/{signal}")), headers, key_header }
    }

    fn url(&self, signal: Signal) -> &str {
        &self.urls[Signal::ALL.iter().position(|known| *known == signal).unwrap_or_default()]
    }
}

/// An exporter to one OTLP/HTTP receiver.
#[derive(Debug)]
pub struct OtlpExporter {
    destination: Destination,
    client: LazyClient,
    compression: Compression,
    originals: Originals,
    request_bytes_max: usize,
    timeout: Duration,
}

/// For one attempt, where the configuration does not say otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

impl OtlpExporter {
    pub fn new(
        destination: Destination,
        compression: Compression,
        request_bytes_max: usize,
        connections_max: usize,
    ) -> Self {
        let client = LazyClient::new(connections_max);
        let (originals, timeout) = (Originals::Single, TIMEOUT_DEFAULT);
        OtlpExporter { destination, client, compression, originals, request_bytes_max, timeout }
    }

    /// For attempts that are given up after `timeout`: an accepted request is then known to be accepted by that time, even
    /// where the answer's body never ends.
    #[must_use]
    pub fn answering_within(self, timeout: Duration) -> Self {
        OtlpExporter { timeout, ..self }
    }

    /// For a receiver known to read several gzip members or zstd frames.
    #[must_use]
    pub fn joining_originals(self) -> Self {
        OtlpExporter { originals: Originals::Joined, ..self }
    }

    async fn post(&self, request: Request<'_>) -> Outcome {
        let deadline = AnswerDeadline::new(self.timeout);
        let body = Body::of(request.pieces, self.compression, self.originals).await;
        let client = match self.client.get().await {
            Ok(client) => client,
            Err(outcome) => return outcome,
        };
        let mut post = client
            .post(self.destination.url(request.signal))
            .headers(self.destination.headers.clone())
            .header(CONTENT_TYPE, "application/x-protobuf");
        if let Some(encoding) = body.encoding {
            post = post.header(CONTENT_ENCODING, encoding.token());
        }
        let key = request.pieces.first().and_then(|piece| piece.key.as_deref());
        if let (Some(header), Some(key)) = (&self.destination.key_header, key) {
            post = post.header(header, key);
        }
        match post.body(reqwest::Body::wrap(body.chunks)).send().await {
            Ok(response) => {
                let (status, headers) = (response.status(), response.headers().clone());
                let answer =
                    if response.content_length() == Some(0) { Bytes::new() } else { deadline.read(response).await };
                verdict::read(status, &headers, &answer)
            }
            Err(error) => no_answer(error),
        }
    }
}

impl Exporter for OtlpExporter {
    fn limits(&self) -> Limits {
        Limits { pieces_max: usize::MAX, bytes_max: self.request_bytes_max, items_max: usize::MAX }
    }

    fn takes(&self, _signal: Signal) -> bool {
        true
    }

    fn encode(&self, part: &Part) -> Encoded {
        encode(part, None)
    }

    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.post(request))
    }

    fn halve(&self, signal: Signal, piece: &Piece) -> Option<(Piece, Piece)> {
        halve(signal, piece)
    }

    fn show(&self, signal: Signal, piece: &Piece) -> serde_json::Value {
        let mut text = String::new();
        json::write(signal, &piece.bytes, &mut text);
        serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text))
    }
}
