//! When a document starts and ends, whatever clocks and senders made of it.

use super::facts::Facts;
use super::slots::Slot;
use super::writer::{Writer, key};
use crate::exporter::xray::config::PartialSpans;
use crate::otlp::Span;

/// The times of a document, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    start: u64,
    /// `None` while the span is in progress; never before the start.
    end: Option<u64>,
    start_was_missing: bool,
    end_was_missing: bool,
    /// By how much the end came before the start.
    clock_skew: u64,
}

impl Times {
    pub fn of(span: &Span<'_>, facts: &Facts<'_>, partial: PartialSpans) -> Self {
        let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
        let is_open = facts.value(Slot::XrayInProgress).as_bool() == Some(true)
            || end == 0 && partial == PartialSpans::InProgress;
        let from = if start == 0 { end } else { start };
        Times {
            start: from,
            end: (!is_open).then_some(end.max(from)),
            start_was_missing: start == 0,
            end_was_missing: end == 0 && !is_open,
            clock_skew: if end == 0 || is_open { 0 } else { start.saturating_sub(end) },
        }
    }

    /// Writes `start_time` and `end_time`, or `in_progress` for the latter.
    #[inline]
    pub fn write(self, writer: &mut Writer<'_>) {
        key!(writer, "start_time");
        writer.seconds(self.start);
        if let Some(end) = self.end {
            key!(writer, "end_time");
            writer.seconds(end);
        } else {
            key!(writer, "in_progress");
            writer.bool(true);
        }
    }

    /// Writes what is odd about them as members of the own namespace.
    #[inline]
    pub fn write_notes(self, writer: &mut Writer<'_>) {
        if self.start_was_missing {
            key!(writer, "start_time_missing");
            writer.bool(true);
        }
        if self.end_was_missing {
            key!(writer, "end_time_missing");
            writer.bool(true);
        }
        if self.clock_skew > 0 {
            key!(writer, "clock_skew_ns");
            writer.uint(self.clock_skew);
        }
    }
}
