//! One accepted request: its protobuf bytes and how it came.

use std::time::SystemTime;

use bytes::Bytes;

use super::Signal;

/// A compression that a request may have on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    Gzip,
    Zstd,
    Deflate,
}

impl Encoding {
    /// The token in `Content-Encoding` and `grpc-encoding`.
    pub fn token(self) -> &'static str {
        match self {
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
            Encoding::Deflate => "deflate",
        }
    }
}

/// The compressed bytes as the client sent them: they can go on untouched when the whole request goes on.
#[derive(Debug, Clone)]
pub struct Original {
    pub encoding: Encoding,
    pub bytes: Bytes,
}

/// One signal's OTLP request in protobuf, checked at the door.
#[derive(Debug, Clone)]
pub struct Batch {
    pub signal: Signal,
    /// An `Export…ServiceRequest` message.
    pub body: Bytes,
    /// What `body` was inflated from; `None` where it came plain, as JSON, or with items that were refused.
    pub original: Option<Original>,
    /// How many items it has: spans, log records or metrics.
    pub items: u32,
    /// What the items count for: spans, log records or data points.
    pub weight: u32,
    pub received_at: SystemTime,
}

impl Batch {
    /// The memory it holds on to, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.body.len() + self.original.as_ref().map_or(0, |original| original.bytes.len())
    }
}
