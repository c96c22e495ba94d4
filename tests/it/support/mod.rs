//! What the tests share: telemetry made by hand, a gateway on free ports, and stand-ins for the vendors.

pub mod process;
pub mod scripted;
pub mod stage;
pub mod vendor;

use std::time::SystemTime;

use bytes::Bytes;
use telemetry_gateway::otlp::check::check;
use telemetry_gateway::otlp::{Batch, Signal, json};

/// A batch of OTLP/JSON.
pub fn batch(signal: Signal, text: &str) -> Batch {
    let body: Bytes = json::read(signal, text.as_bytes()).unwrap().body.into();
    let census = check(signal, &body).unwrap();
    assert!(census.rejected.is_empty(), "{:?}", census.rejected);
    let (items, weight) = (census.items, census.weight);
    Batch { signal, body, original: None, items, weight, received_at: SystemTime::UNIX_EPOCH }
}

/// A request of spans of one service, each given as the inside of a JSON object; ids are filled in.
pub fn traces_json(service: &str, spans: &[&str]) -> String {
    let spans: Vec<String> = spans
        .iter()
        .enumerate()
        .map(|(index, span)| {
            let separator = if span.is_empty() { "" } else { "," };
            format!(
                r#"{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"{:016x}"{separator}{span}}}"#,
                index + 1
            )
        })
        .collect();
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},
            "scopeSpans":[{{"scope":{{"name":"test"}},"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    )
}

/// A batch of spans of one service.
pub fn traces(service: &str, spans: &[&str]) -> Batch {
    batch(Signal::Traces, &traces_json(service, spans))
}

/// The names of the spans in a request, in order.
pub fn span_names(body: &[u8]) -> Vec<String> {
    use prost::Message;
    let request =
        opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest::decode(body).expect("a request");
    let spans = request.resource_spans.into_iter().flat_map(|group| group.scope_spans).flat_map(|group| group.spans);
    spans.map(|span| span.name).collect()
}
