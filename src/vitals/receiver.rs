//! What happened at the door, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::otlp::Signal;

/// A protocol that requests come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    HttpProtobuf,
    HttpJson,
    Grpc,
}

impl Protocol {
    /// Every protocol with the name that OTEL_EXPORTER_OTLP_PROTOCOL uses.
    pub const NAMES: [(&'static str, Protocol); 3] =
        [("http/protobuf", Protocol::HttpProtobuf), ("http/json", Protocol::HttpJson), ("grpc", Protocol::Grpc)];
}

/// Stretched rules of OTLP/JSON, by kind.
pub const LENIENT_KINDS: [&str; 4] = ["key", "id", "enum", "number"];

/// The door's counters since the start.
#[derive(Debug, Default)]
pub struct ReceiverVitals {
    /// Requests answered with success, by protocol.
    pub requests_accepted: [Counter; 3],
    /// Requests refused, by protocol; unknown content types count as HTTP/protobuf.
    pub requests_refused: [Counter; 3],
    /// Spans, data points, log records, in the order of [`Signal::ALL`].
    pub items_accepted: [Counter; 3],
    /// Items refused alone, with partial_success.
    pub items_rejected: [Counter; 3],
    /// Bytes of requests as they came.
    pub bytes_received: Counter,
    /// Rules of OTLP/JSON that were stretched, in the order of [`LENIENT_KINDS`].
    pub json_lenient: [Counter; 4],
    /// Connections accepted.
    pub connections: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub fn add(&self, amount: u64) {
        if amount > 0 {
            self.0.fetch_add(amount, Ordering::Relaxed);
        }
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The position of a signal in the counters.
pub fn signal_index(signal: Signal) -> usize {
    match signal {
        Signal::Traces => 0,
        Signal::Metrics => 1,
        Signal::Logs => 2,
    }
}
