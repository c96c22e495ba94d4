//! Spans into segment documents, the pure part of the exporter: no clock, no chance, no network; the same span always gives
//! the same bytes.
//!
//! A document is written once, straight from the views, in the form in which it goes into the request body: as the inside
//! of a JSON string ([`writer`]). No span fails: what X-Ray would refuse is cleaned, what is too large is shortened
//! ([`ladder`]), and the document says so.
//!
//! ```text
//! attributes ─▶ index ─┬▶ slots ─▶ name · shape · http · aws · sql · status · times
//!                      ├▶ candidates ─▶ annotations
//!                      └▶ metadata.default ◀─ what none of these took
//! events     ─▶ cause (through stacktrace), metadata.otel
//! resource   ─▶ origin · aws · service · metadata.default, once a resource
//! ```
//!
//! Segments show where the code runs (`origin`, `aws.ec2`, `service`, `user`, the resource as metadata); subsegments show
//! what was called. What has no member in the one stays in its metadata.
//! Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html> (read 2026-11).

mod annotations;
mod aws;
mod cause;
mod charset;
mod document;
mod facts;
mod http;
mod ids;
mod index;
mod ladder;
mod links;
mod metadata;
mod name;
mod own;
mod pass;
mod place;
mod resource;
mod shape;
mod slots;
mod sql;
mod status;
mod times;
mod url;
mod writer;

use std::ops::Range;

use super::config::{Config, DOCUMENT_BYTES_MAX, DOCUMENT_BYTES_MIN};
pub use facts::Facts;
pub use resource::ResourceFacts;

use crate::otlp::{Scope, Span, SpanId};
use document::Source;
use index::Index;
use ladder::LEVELS;
use shape::Shape;
use writer::{Writer, plain_bytes, plain_len};

/// Where one document lies, and the id that X-Ray names it by in its answer (shown as 16 hex digits).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub range: Range<usize>,
    pub id: SpanId,
    /// Whether it is its span's first, which settles the span. The second one of a span that is split settles nothing more.
    pub is_first: bool,
}

/// Turns spans into segment documents.
#[derive(Debug, Clone)]
pub struct Converter {
    config: Config,
    index: Index,
    resource_index: Index,
    /// Whether any attribute of a span, of the resource, may become an annotation without the span asking for it.
    indexes: bool,
    indexes_resource: bool,
    bytes_max: usize,
}

impl Converter {
    pub fn new(config: &Config) -> Self {
        let index = Index::of_span(&config.user_attributes, &config.index.attributes);
        let resource_index = Index::of_resource(resource::PREFIX, &config.index.attributes);
        Converter {
            indexes: config.index.all || index.indexes_any(),
            indexes_resource: config.index.all || resource_index.indexes_any(),
            index,
            resource_index,
            bytes_max: config.limits.document_bytes.clamp(DOCUMENT_BYTES_MIN, DOCUMENT_BYTES_MAX),
            config: config.clone(),
        }
    }

    /// Why X-Ray can show nothing of a span; `None` where [`Converter::span`] makes a document of it.
    pub fn refusal(span: &Span<'_>) -> Option<&'static str> {
        if span.trace_id.is_none() {
            Some("invalid_trace_id")
        } else if span.span_id.is_none() {
            Some("invalid_span_id")
        } else if span.start_time_unix_nano == 0 && span.end_time_unix_nano == 0 {
            Some("invalid_time")
        } else {
            None
        }
    }

    /// Appends each document of the span, escaped as the inside of a JSON string, and reports it: one, or two for a span
    /// that is split into call and service. None for a span with a [`Converter::refusal`]. `facts` is room for what is found
    /// out about a span: too much of it to be made anew for each.
    pub fn span<'a>(
        &self,
        resource: &ResourceFacts<'a>,
        scope: &Scope<'a>,
        span: &Span<'a>,
        facts: &mut Facts<'a>,
        out: &mut Vec<u8>,
        documents: &mut Vec<Document>,
    ) {
        let (Some(trace_id), Some(span_id), None) = (span.trace_id, span.span_id, Self::refusal(span)) else { return };
        let source = Source { converter: self, resource, scope: *scope, span, trace_id, span_id };
        let mut causes = None;
        let mut service: Option<Shape> = None;
        loop {
            let start = out.len();
            let mut next = None;
            for level in LEVELS {
                out.truncate(start);
                let mut writer = Writer::new(out, self.bytes_max);
                let written = source.write(&mut writer, service, level, facts, &mut causes);
                let is_over = writer.is_over();
                if let Some((whole, second)) = written {
                    next = Some((service.unwrap_or(whole), second.filter(|_| service.is_none())));
                    if !is_over && self.fits(&out[start..]) {
                        break;
                    }
                }
            }
            let Some((shape, second)) = next else { return };
            documents.push(Document { range: start..out.len(), id: shape.id, is_first: service.is_none() });
            let Some(second) = second else { return };
            service = Some(second);
        }
    }

    /// Counts exactly only where it is close: the written form is never shorter than the document.
    #[inline]
    fn fits(&self, written: &[u8]) -> bool {
        written.len() <= self.bytes_max || plain_len(written) <= self.bytes_max
    }
}

/// A document as JSON for people. What is no document, because it was cut or never was one, is shown as text.
pub fn plain(document: &[u8]) -> serde_json::Value {
    let plain = plain_bytes(document);
    serde_json::from_slice(&plain).unwrap_or_else(|_| String::from_utf8_lossy(&plain).into())
}
