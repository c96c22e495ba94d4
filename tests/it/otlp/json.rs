//! OTLP/JSON both ways, against the `with-serde` types of `opentelemetry-proto` and against ourselves.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::from_str;
use telemetry_gateway::otlp::check::check;
use telemetry_gateway::otlp::json::{Leniency, read, write};
use telemetry_gateway::otlp::{Signal, json};

use super::generate::{self, Values};
use super::request::Request;

proptest! {
    /// Plain values only: in an `AnyValue` `with-serde` reads no `"NaN"`, and it stumbles over an index into a string
    /// table because it does not skip the values of keys that it does not know.
    #[test]
    fn what_is_written_is_what_opentelemetry_proto_reads(request in generate::request(Values::Plain)) {
        let body = request.encode();
        let text = written(request.signal(), &body);
        let read = match request.signal() {
            Signal::Traces => from_str(&text).map(Request::Traces),
            Signal::Metrics => from_str(&text).map(Request::Metrics),
            Signal::Logs => from_str(&text).map(Request::Logs),
        };
        let read = read.unwrap_or_else(|error| panic!("{error}: {text}"));
        prop_assert_eq!(read.encode(), body, "{}", text);
    }

    #[test]
    fn what_opentelemetry_proto_writes_is_read_as_the_same_request(request in generate::request(Values::Plain)) {
        let text = match &request {
            Request::Traces(request) => serde_json::to_vec(request),
            Request::Metrics(request) => serde_json::to_vec(request),
            Request::Logs(request) => serde_json::to_vec(request),
        };
        let read = json::read(request.signal(), &text.unwrap()).unwrap();
        prop_assert_eq!(recoded(request.signal(), &read.body), request.encode());
    }

    #[test]
    fn a_request_written_and_read_again_has_the_same_bytes(request in generate::request(Values::All)) {
        let body = request.encode();
        let read = json::read(request.signal(), written(request.signal(), &body).as_bytes()).unwrap();
        prop_assert_eq!(read.leniency, Leniency::default());
        // Prost puts a oneof where its first member would stand, so that `asInt` comes before fields of lower numbers.
        prop_assert_eq!(recoded(request.signal(), &read.body), &body[..]);
        if request.signal() != Signal::Metrics {
            prop_assert_eq!(read.body, body);
        }
    }
}

#[test]
fn a_fixture_reads_as_the_bytes_beside_it() {
    for (signal, name) in [(Signal::Traces, "traces"), (Signal::Metrics, "metrics"), (Signal::Logs, "logs")] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/otlp");
        let text = fs::read(folder.join(format!("{name}.json"))).unwrap();
        let expected = fs::read_to_string(folder.join(format!("{name}.hex"))).unwrap();
        let request = json::read(signal, &text).unwrap();
        assert_eq!(request.leniency, Leniency::default());
        assert_eq!(hex_lines(&request.body), expected, "{name}");
        assert!(check(signal, &request.body).unwrap().rejected.is_empty());
        let line = fs::read_to_string(folder.join(format!("{name}.line.json"))).unwrap();
        assert_eq!(written(signal, &request.body), line.trim_end(), "{name}");
    }
}

#[test]
fn the_official_examples_read_as_opentelemetry_proto_reads_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/otlp/otlp-examples");
    if !folder.exists() {
        println!("skipped: the examples of opentelemetry-proto are absent");
        return;
    }
    let examples = [
        ("trace.json", Signal::Traces),
        ("metrics.json", Signal::Metrics),
        ("logs.json", Signal::Logs),
        ("events.json", Signal::Logs),
    ];
    for (name, signal) in examples {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let request = read(signal, text.as_bytes()).unwrap();
        let expected = match signal {
            Signal::Traces => from_str(&text).map(Request::Traces),
            Signal::Metrics => from_str(&text).map(Request::Metrics),
            Signal::Logs => from_str(&text).map(Request::Logs),
        };
        let expected = expected.unwrap();
        assert_eq!(recoded(signal, &request.body), expected.encode(), "{name}");
        let census = check(signal, &request.body).unwrap();
        assert_eq!(census.weight, expected.weights().iter().sum::<u32>(), "{name}");
        assert!(census.weight > 0 && census.rejected.is_empty(), "{name}");
    }
}

fn written(signal: Signal, body: &[u8]) -> String {
    let mut text = String::new();
    write(signal, body, &mut text);
    text
}

/// The bytes as prost writes them: fields in its order, an explicit zero left out.
fn recoded(signal: Signal, body: &[u8]) -> Vec<u8> {
    Request::decode(signal, body).unwrap().encode()
}

fn hex_lines(bytes: &[u8]) -> String {
    let mut out = String::new();
    for line in bytes.chunks(32) {
        for byte in line {
            write!(out, "{byte:02x}").unwrap();
        }
        out.push('\n');
    }
    out
}
