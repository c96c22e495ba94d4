//! A log record, borrowed from the batch. Source: `opentelemetry/proto/logs/v1/logs.proto` of opentelemetry-proto 1.10.

use super::ids::{SpanId, TraceId};
use super::value::{Attributes, Value};
use super::wire::{Extent, Fields};

/// The floors of the severity ranges by name, lowest first.
/// <https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>
pub const SEVERITIES: [(&str, u8); 6] =
    [("trace", 1), ("debug", 5), ("info", 9), ("warn", 13), ("error", 17), ("fatal", 21)];

/// A log record. Times are nanoseconds since 1970, 0 where unknown.
#[derive(Debug, Clone, Copy)]
pub struct LogRecord<'a> {
    pub time_unix_nano: u64,
    pub observed_time_unix_nano: u64,
    /// 1 to 24, 0 where the sender set none.
    pub severity_number: u8,
    pub severity_text: &'a str,
    pub body: Value<'a>,
    pub attributes: Attributes<'a>,
    pub dropped_attributes_count: u32,
    pub flags: u32,
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    pub event_name: &'a str,
}

impl<'a> LogRecord<'a> {
    /// Reads a `LogRecord` message; what is malformed ends the reading and leaves defaults.
    pub fn parse(message: &'a [u8]) -> Self {
        let mut log = LogRecord {
            time_unix_nano: 0,
            observed_time_unix_nano: 0,
            severity_number: 0,
            severity_text: "",
            body: Value::Empty,
            attributes: Attributes::default(),
            dropped_attributes_count: 0,
            flags: 0,
            trace_id: None,
            span_id: None,
            event_name: "",
        };
        let mut attributes = Extent::default();
        let mut fields = Fields::new(message);
        loop {
            let start = message.len() - fields.remaining();
            let Some((number, wire)) = fields.next() else { break };
            match number {
                1 => log.time_unix_nano = wire.number(),
                2 => log.severity_number = u8::try_from(wire.number()).unwrap_or(0),
                3 => log.severity_text = wire.text(),
                5 => log.body = Value::parse(wire.bytes()),
                6 => attributes.note(start, message.len() - fields.remaining()),
                7 => log.dropped_attributes_count = wire.number() as u32,
                8 => log.flags = wire.number() as u32,
                9 => log.trace_id = TraceId::parse(wire.bytes()),
                10 => log.span_id = SpanId::parse(wire.bytes()),
                11 => log.observed_time_unix_nano = wire.number(),
                12 => log.event_name = wire.text(),
                _ => {}
            }
        }
        log.attributes = Attributes(attributes.of(message, 6));
        log
    }

    /// When it happened, else when it was seen.
    pub fn time(&self) -> u64 {
        if self.time_unix_nano == 0 { self.observed_time_unix_nano } else { self.time_unix_nano }
    }

    /// Whether it tells of an exception: the convention that replaces exception span events.
    pub fn is_exception(&self) -> bool {
        self.event_name == "exception"
            || self.attributes.get("exception.type").is_some()
            || self.attributes.get("exception.stacktrace").is_some()
    }

    /// The severity as one of the six range names; from the text where the number is unset.
    pub fn severity(&self) -> Option<&'static str> {
        let number =
            if self.severity_number == 0 { severity_of_text(self.severity_text)? } else { self.severity_number };
        SEVERITIES.iter().rev().find(|(_, floor)| number >= *floor).map(|(name, _)| *name)
    }

    /// The severity number, derived from the text where the sender set only that; 0 where neither says anything.
    pub fn severity_number_or_text(&self) -> u8 {
        if self.severity_number == 0 { severity_of_text(self.severity_text).unwrap_or(0) } else { self.severity_number }
    }
}

/// The floor of the range that a logging library's level name belongs to.
fn severity_of_text(text: &str) -> Option<u8> {
    const WORDS: [(&str, u8); 14] = [
        ("trace", 1),
        ("verbose", 1),
        ("debug", 5),
        ("info", 9),
        ("information", 9),
        ("notice", 9),
        ("warn", 13),
        ("warning", 13),
        ("error", 17),
        ("err", 17),
        ("critical", 21),
        ("fatal", 21),
        ("emergency", 21),
        ("panic", 21),
    ];
    WORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, number)| *number)
}
