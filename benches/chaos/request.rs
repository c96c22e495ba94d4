//! What a client sends: spans by their keys, as an OTLP request in one of three forms.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status, span::Event, span::SpanKind, status::StatusCode,
};
use prost::Message as _;

use crate::draw::Draw;
use crate::key::Key;

/// The attribute that holds [`Key::pad`].
pub const PAD_ATTRIBUTE: &str = "chaos.pad";

const SPANS_PER_TRACE: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Protobuf,
    Gzip,
    Json,
}

impl Form {
    pub const ALL: [Self; 3] = [Self::Protobuf, Self::Gzip, Self::Json];

    pub fn content_type(self) -> &'static str {
        if self == Self::Json { "application/json" } else { "application/x-protobuf" }
    }
}

/// Writes a request of these spans.
pub fn body(keys: &[Key], form: Form, draw: &mut Draw) -> anyhow::Result<Bytes> {
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
    let mut spans = Vec::with_capacity(keys.len());
    for trace in keys.chunks(SPANS_PER_TRACE) {
        let mut trace_id = draw.bytes(16);
        trace_id[..4].copy_from_slice(&((now_ns / 1_000_000_000) as u32).to_be_bytes());
        spans.extend(trace.iter().map(|key| span(*key, trace[0], &trace_id, now_ns)));
    }
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes: vec![text("service.name", "chaos")], ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    };
    Ok(match form {
        Form::Protobuf => request.encode_to_vec().into(),
        Form::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&request.encode_to_vec())?;
            encoder.finish()?.into()
        }
        Form::Json => serde_json::to_vec(&request)?.into(),
    })
}

fn span(key: Key, root: Key, trace_id: &[u8], now_ns: u64) -> Span {
    let mut span = Span {
        trace_id: trace_id.to_vec(),
        span_id: key.bytes().to_vec(),
        parent_span_id: if key == root { Vec::new() } else { root.bytes().to_vec() },
        name: key.name(),
        kind: if key == root { SpanKind::Server } else { SpanKind::Internal } as i32,
        start_time_unix_nano: now_ns - 2_000_000,
        end_time_unix_nano: now_ns,
        attributes: vec![text(PAD_ATTRIBUTE, &key.pad())],
        ..Span::default()
    };
    if key.is_error() {
        // A message of its own, so that no two errors of a trace are taken for one.
        let message = format!("{} has failed", key.name());
        span.status = Some(Status { code: StatusCode::Error as i32, message: message.clone() });
        span.events.push(Event {
            time_unix_nano: now_ns - 1_000_000,
            name: "exception".to_owned(),
            attributes: vec![text("exception.type", "ChaosError"), text("exception.message", &message)],
            ..Event::default()
        });
    }
    span
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}
