//! A span and what hangs on it, borrowed from the batch: one pass over its bytes, no allocation.
//!
//! Source: `opentelemetry/proto/trace/v1/trace.proto` of opentelemetry-proto 1.10.

use super::ids::{SpanId, TraceId};
use super::value::Attributes;
use super::wire::{Extent, Fields, Repeated};

/// What part a span plays between services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpanKind {
    #[default]
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl SpanKind {
    /// Every kind with the name that rules and logs use.
    pub const NAMES: [(&'static str, SpanKind); 6] = [
        ("unspecified", SpanKind::Unspecified),
        ("internal", SpanKind::Internal),
        ("server", SpanKind::Server),
        ("client", SpanKind::Client),
        ("producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
    ];

    /// The kind of a number on the wire; numbers of the future read as unspecified.
    #[inline]
    pub fn from_number(number: u64) -> Self {
        match number {
            1 => SpanKind::Internal,
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => SpanKind::Unspecified,
        }
    }

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatusCode {
    #[default]
    Unset,
    Ok,
    Error,
}

impl StatusCode {
    /// Every code with the name that rules and logs use.
    pub const NAMES: [(&'static str, StatusCode); 3] =
        [("unset", StatusCode::Unset), ("ok", StatusCode::Ok), ("error", StatusCode::Error)];

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// A span's status: code and the developer's words.
#[derive(Debug, Clone, Copy, Default)]
pub struct Status<'a> {
    pub code: StatusCode,
    pub message: &'a str,
}

impl<'a> Status<'a> {
    fn parse(message: &'a [u8]) -> Self {
        let mut status = Status::default();
        for (number, wire) in Fields::new(message) {
            match number {
                2 => status.message = wire.text(),
                3 => {
                    status.code = match wire.number() {
                        1 => StatusCode::Ok,
                        2 => StatusCode::Error,
                        _ => StatusCode::Unset,
                    }
                }
                _ => {}
            }
        }
        status
    }
}

/// A span. Times are nanoseconds since 1970; ids are `None` only in bytes that have not passed the door.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span<'a> {
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    /// `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// The W3C `tracestate` header's text.
    pub trace_state: &'a str,
    /// Bits 0–7 W3C flags, bit 8 "is remote is known", bit 9 "the parent is remote".
    pub flags: u32,
    pub name: &'a str,
    pub kind: SpanKind,
    pub start_time_unix_nano: u64,
    /// 0 while the span is in progress.
    pub end_time_unix_nano: u64,
    pub attributes: Attributes<'a>,
    pub dropped_attributes_count: u32,
    pub events: Events<'a>,
    pub dropped_events_count: u32,
    pub links: Links<'a>,
    pub dropped_links_count: u32,
    pub status: Status<'a>,
}

impl<'a> Span<'a> {
    /// Reads a `Span` message; what is malformed ends the reading and leaves defaults.
    pub fn parse(message: &'a [u8]) -> Self {
        let mut span = Span::default();
        let (mut attributes, mut events, mut links) = (Extent::default(), Extent::default(), Extent::default());
        let mut fields = Fields::new(message);
        loop {
            let start = message.len() - fields.remaining();
            let Some((number, wire)) = fields.next() else { break };
            let end = message.len() - fields.remaining();
            match number {
                1 => span.trace_id = TraceId::parse(wire.bytes()),
                2 => span.span_id = SpanId::parse(wire.bytes()),
                3 => span.trace_state = wire.text(),
                4 => span.parent_span_id = SpanId::parse(wire.bytes()),
                5 => span.name = wire.text(),
                6 => span.kind = SpanKind::from_number(wire.number()),
                7 => span.start_time_unix_nano = wire.number(),
                8 => span.end_time_unix_nano = wire.number(),
                9 => attributes.note(start, end),
                10 => span.dropped_attributes_count = wire.number() as u32,
                11 => events.note(start, end),
                12 => span.dropped_events_count = wire.number() as u32,
                13 => links.note(start, end),
                14 => span.dropped_links_count = wire.number() as u32,
                15 => span.status = Status::parse(wire.bytes()),
                16 => span.flags = wire.number() as u32,
                _ => {}
            }
        }
        span.attributes = Attributes(attributes.of(message, 9));
        span.events = Events(events.of(message, 11));
        span.links = Links(links.of(message, 13));
        span
    }

    /// End minus start, 0 where the clock went backwards or the span is in progress.
    pub fn duration_nano(&self) -> u64 {
        self.end_time_unix_nano.saturating_sub(self.start_time_unix_nano)
    }

    /// The events named `exception`.
    pub fn exceptions(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        self.events.iter().filter(|event| event.name == "exception")
    }
}

/// Something that happened at one moment of a span.
#[derive(Debug, Clone, Copy, Default)]
pub struct Event<'a> {
    pub time_unix_nano: u64,
    pub name: &'a str,
    pub attributes: Attributes<'a>,
    pub dropped_attributes_count: u32,
}

impl<'a> Event<'a> {
    fn parse(message: &'a [u8]) -> Self {
        let mut event = Event { attributes: Attributes(Repeated::new(message, 3)), ..Event::default() };
        for (number, wire) in Fields::new(message) {
            match number {
                1 => event.time_unix_nano = wire.number(),
                2 => event.name = wire.text(),
                4 => event.dropped_attributes_count = wire.number() as u32,
                _ => {}
            }
        }
        event
    }
}

/// A span's events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Events<'a>(Repeated<'a>);

impl<'a> Events<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        self.0.iter().map(Event::parse)
    }
}

/// A reference to another span.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link<'a> {
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    pub trace_state: &'a str,
    pub attributes: Attributes<'a>,
    pub dropped_attributes_count: u32,
    pub flags: u32,
}

impl<'a> Link<'a> {
    fn parse(message: &'a [u8]) -> Self {
        let mut link = Link { attributes: Attributes(Repeated::new(message, 4)), ..Link::default() };
        for (number, wire) in Fields::new(message) {
            match number {
                1 => link.trace_id = TraceId::parse(wire.bytes()),
                2 => link.span_id = SpanId::parse(wire.bytes()),
                3 => link.trace_state = wire.text(),
                5 => link.dropped_attributes_count = wire.number() as u32,
                6 => link.flags = wire.number() as u32,
                _ => {}
            }
        }
        link
    }
}

/// A span's links.
#[derive(Debug, Clone, Copy, Default)]
pub struct Links<'a>(Repeated<'a>);

impl<'a> Links<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Link<'a>> + use<'a> {
        self.0.iter().map(Link::parse)
    }
}
