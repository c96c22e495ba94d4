//! Telemetry as bytes: OTLP's protobuf messages read in place, cut, joined and turned into and out of JSON.
//!
//! A [`Batch`] holds one request's protobuf bytes. Views ([`Span`], [`LogRecord`], [`Metric`]) borrow from it: one pass,
//! no allocation. Three facts carry the design:
//!
//! - `repeated ResourceSpans = 1` makes the concatenation of two requests' bytes their merger.
//! - A part of a batch is a splice: copied headers and the kept items ([`select`]).
//! - The three signals nest alike, so one walk ([`groups`]) serves them all:
//!
//! ```text
//! request ─ 1: group ─┬─ 1: resource
//!                     ├─ 2: scope group ─┬─ 1: scope
//!                     │                  ├─ 2: item   a span, a log record, or a metric
//!                     │                  └─ 3: schema URL
//!                     └─ 3: schema URL
//! ```
//!
//! Not here: sockets, compression, vendors. `opentelemetry-proto` is the oracle that the tests compare with.

pub mod batch;
pub mod check;
pub mod group;
pub mod ids;
pub mod json;
pub mod log;
pub mod metric;
pub mod part;
pub mod schema;
pub mod select;
pub mod semconv;
pub mod span;
pub mod value;
pub mod wire;

use std::fmt;

pub use batch::Batch;
pub use group::{Group, Resource, Scope, ScopeGroup, groups};
pub use ids::{SpanId, TraceId};
pub use log::LogRecord;
pub use metric::Metric;
pub use part::{Kept, Part};
pub use select::select;
pub use semconv::Key;
pub use span::Span;
pub use value::{Attributes, Value};

/// One of the three kinds of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    /// The name in paths (`/v1/traces`), rules and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }

    /// What one item is called in the singular. Metrics are counted by their data points.
    pub fn item_name(self) -> &'static str {
        match self {
            Signal::Traces => "span",
            Signal::Metrics => "data point",
            Signal::Logs => "log record",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// One routable thing of a batch.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    Span(Span<'a>),
    Log(LogRecord<'a>),
    Metric(Metric<'a>),
}

impl<'a> Item<'a> {
    /// Reads an item's message as what its signal says it is.
    #[inline]
    pub fn parse(signal: Signal, message: &'a [u8]) -> Self {
        match signal {
            Signal::Traces => Item::Span(Span::parse(message)),
            Signal::Logs => Item::Log(LogRecord::parse(message)),
            Signal::Metrics => Item::Metric(Metric::parse(message)),
        }
    }

    /// How much it counts for in every figure: a span or log record 1, a metric its data points.
    #[inline]
    pub fn weight(signal: Signal, message: &[u8]) -> u32 {
        match signal {
            Signal::Traces | Signal::Logs => 1,
            Signal::Metrics => Metric::parse(message).point_count() as u32,
        }
    }

    /// The name that a rule's `name` looks at: of the span, the metric, or the log's event.
    pub fn name(&self) -> &'a str {
        match self {
            Item::Span(span) => span.name,
            Item::Log(log) => log.event_name,
            Item::Metric(metric) => metric.name,
        }
    }
}
