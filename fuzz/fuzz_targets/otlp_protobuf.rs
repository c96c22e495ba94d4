//! Requests in protobuf: the check at the door, the views behind it, select and the JSON writer.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use telemetry_gateway::otlp::check::check;
use telemetry_gateway::otlp::{Signal, json, select};

mod signal;
#[path = "../../tests/it/otlp/walk.rs"]
mod walk;

fuzz_target!(|input: &[u8]| {
    let Some((signal, bytes)) = signal::split(input) else { return };
    let items = walk::walk(signal, bytes);
    let body = Bytes::copy_from_slice(bytes);
    let half = select(&body, |index| index % 2 == 0);
    assert!(half.len() <= body.len() + 16);
    let mut text = String::new();
    json::write(signal, &body, &mut text);
    assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());

    let Ok(census) = check(signal, &body) else { return };
    assert_eq!(census.items as usize, items);
    let mut rejected = census.rejected.iter().map(|rejected| rejected.index).peekable();
    let passed = select(&body, |index| rejected.next_if_eq(&index).is_none());
    // Prost gives up at a hundred messages, half of what the door lets through.
    let refused = |error: &prost::DecodeError| !error.to_string().contains("recursion limit");
    let decoded = match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(&passed[..]).map(drop),
        Signal::Metrics => ExportMetricsServiceRequest::decode(&passed[..]).map(drop),
        Signal::Logs => ExportLogsServiceRequest::decode(&passed[..]).map(drop),
    };
    if let Some(error) = decoded.err().filter(refused) {
        panic!("passed the door, but {error}");
    }
    assert!(check(signal, &passed).expect("a part of a sound request is sound").rejected.is_empty());
});
