//! AWS X-Ray: spans as segment documents, by PutTraceSegments.

mod client;
pub mod config;
pub mod convert;
mod unprocessed;
mod verdict;

use bytes::Bytes;

pub use config::Config;

use super::contract::{BoxFuture, Encoded, Exporter, Limits, Outcome, Piece, Refused, Request};
use crate::otlp::{Part, Signal, Span};
use client::Client;
use convert::{Converter, Document, Facts, ResourceFacts, plain};

/// How many documents a request may hold. <https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html>;
/// the number is in the service's answer to more.
const DOCUMENTS_MAX: usize = 50;

/// Bytes of documents in a request. AWS documents none; 50 of the largest would be 3.2 MB.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// The exporter to X-Ray in one region.
#[derive(Debug)]
pub struct Xray {
    converter: Converter,
    client: Client,
}

impl Xray {
    pub async fn new(config: &Config) -> anyhow::Result<Self> {
        Ok(Xray { converter: Converter::new(config), client: Client::new(config).await })
    }
}

impl Exporter for Xray {
    fn limits(&self) -> Limits {
        Limits {
            pieces_max: DOCUMENTS_MAX,
            bytes_max: REQUEST_BYTES_MAX,
            items_max: crate::exporter::contract::ITEMS_MAX,
        }
    }

    fn takes(&self, signal: Signal) -> bool {
        signal == Signal::Traces
    }

    fn has_credentials(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.client.has_credentials())
    }

    fn encode(&self, part: &Part) -> Encoded {
        if part.batch.signal != Signal::Traces {
            return Encoded {
                pieces: Vec::new(),
                refused: vec![Refused { weight: part.weight(), reason: "unsupported_signal" }],
            };
        }
        let mut out = Vec::with_capacity(part.batch.body.len() * 2);
        let mut documents: Vec<Document> = Vec::with_capacity(part.batch.items as usize);
        let mut refused = Vec::new();
        let mut span_facts = Facts::default();
        let mut group: Option<(usize, ResourceFacts)> = None;
        part.walk(|visit| {
            let facts = match &mut group {
                Some((index, facts)) if *index == visit.group_index => facts,
                stale => &stale.insert((visit.group_index, ResourceFacts::new(&visit.group.resource))).1,
            };
            let span = Span::parse(visit.message);
            if let Some(reason) = Converter::refusal(&span) {
                refused.push(Refused { weight: 1, reason });
                return;
            }
            self.converter.span(facts, &visit.scope.scope, &span, &mut span_facts, &mut out, &mut documents);
        });
        let body = Bytes::from(out);
        let pieces = documents.into_iter().map(|document| Piece {
            weight: u32::from(document.is_first),
            bytes: body.slice(document.range),
            original: None,
            key: None,
        });
        Encoded { pieces: pieces.collect(), refused }
    }

    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.client.put(request))
    }

    fn show(&self, _signal: Signal, piece: &Piece) -> serde_json::Value {
        plain(&piece.bytes)
    }
}
