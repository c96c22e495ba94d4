//! OTLP's messages as tables: what the wire does not say of itself.
//!
//! One table serves the check at the door, reading OTLP/JSON and writing it. Rows stand in the order of field numbers.
//! Source: opentelemetry-proto 1.10, <https://github.com/open-telemetry/opentelemetry-proto> (read 2026-11).

use super::Signal;

/// A message type.
pub struct Message {
    /// The name in the `.proto` file.
    pub name: &'static str,
    pub fields: &'static [Field],
    /// Position in `fields` plus one, by field number; 0 where there is no such field.
    by_number: [u8; NUMBERS],
    /// The same by the one byte that such a field begins with, where it is one byte and no list of numbers follows.
    by_tag: [u8; 128],
}

const NUMBERS: usize = 20; // one more than the largest field number in use, rounded up

impl Message {
    const fn new(name: &'static str, fields: &'static [Field]) -> Self {
        let (mut by_number, mut by_tag) = ([0; NUMBERS], [0; 128]);
        let mut index = 0;
        while index < fields.len() {
            let field = &fields[index];
            by_number[field.number as usize] = index as u8 + 1;
            let wire_type = field.kind.wire_type();
            if field.number < 16 && (wire_type == 2 || !matches!(field.rule, Rule::Many)) {
                by_tag[(field.number << 3 | wire_type) as usize] = index as u8 + 1;
            }
            index += 1;
        }
        Message { name, fields, by_number, by_tag }
    }

    /// The field of a number on the wire.
    #[inline]
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        let position = *self.by_number.get(number as usize)?;
        self.fields.get(usize::from(position).wrapping_sub(1))
    }

    /// The field that begins with this byte and has the wire type of its kind; `None` for any other, which may be sound
    /// all the same.
    #[inline]
    pub fn field_of_tag(&self, tag: u8) -> Option<&'static Field> {
        let position = *self.by_tag.get(usize::from(tag))?;
        self.fields.get(usize::from(position).wrapping_sub(1))
    }

    /// Whether it holds values within a value: the levels that [`super::check::DEPTH_MAX`] counts.
    #[inline]
    pub fn nests(&'static self) -> bool {
        std::ptr::eq(self, &raw const ARRAY_VALUE) || std::ptr::eq(self, &raw const KEY_VALUE_LIST)
    }

    /// The field of a JSON key: lowerCamelCase as the specification demands, the proto's own spelling, or a name of old.
    pub fn field_of_key(&self, key: &str) -> Option<(&'static Field, Spelling)> {
        if let Some(field) = self.fields.iter().find(|field| field.json == key) {
            return Some((field, Spelling::Camel));
        }
        let (_, name) = LEGACY_KEYS.iter().find(|(old, _)| *old == key).unwrap_or(&("", ""));
        self.fields
            .iter()
            .find(|field| field.json == *name || is_snake_of(key, field.json))
            .map(|field| (field, Spelling::Lenient))
    }
}

/// Whether a JSON key was spelt as the specification demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    Camel,
    Lenient,
}

/// Keys of OTLP/JSON before 0.15, with what they are called now.
const LEGACY_KEYS: [(&str, &str); 4] = [
    ("instrumentationLibrarySpans", "scopeSpans"),
    ("instrumentationLibraryMetrics", "scopeMetrics"),
    ("instrumentationLibraryLogs", "scopeLogs"),
    ("instrumentationLibrary", "scope"),
];

/// A field of a message.
pub struct Field {
    pub number: u32,
    /// The lowerCamelCase key in JSON.
    pub json: &'static str,
    pub kind: Kind,
    pub rule: Rule,
}

/// How often a field may stand in a message, and whether its zero says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Once; its zero is the same as its absence.
    One,
    /// Once; its zero says something: `optional` fields.
    Explicit,
    /// One of a message's alternatives, zero or not: where several stand, the last one counts. No message has two oneofs.
    OneOf,
    /// Any number of times.
    Many,
}

/// What a field holds, and with it its wire type and its form in JSON.
#[derive(Clone, Copy)]
pub enum Kind {
    Double,
    Fixed64,
    Sfixed64,
    Fixed32,
    Int64,
    Uint64,
    Uint32,
    Int32,
    Sint32,
    Bool,
    String,
    Bytes,
    /// An id of so many bytes, or none: hex in JSON.
    Id(usize),
    /// Names with their numbers.
    Enum(&'static [(&'static str, i32)]),
    Message(&'static Message),
}

impl Kind {
    /// The wire type of one such value.
    const fn wire_type(self) -> u32 {
        match self {
            Kind::Int64 | Kind::Uint64 | Kind::Uint32 | Kind::Int32 | Kind::Sint32 | Kind::Bool | Kind::Enum(_) => 0,
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 1,
            Kind::String | Kind::Bytes | Kind::Id(_) | Kind::Message(_) => 2,
            Kind::Fixed32 => 5,
        }
    }
}

const fn one(number: u32, json: &'static str, kind: Kind) -> Field {
    Field { number, json, kind, rule: Rule::One }
}

const fn explicit(number: u32, json: &'static str, kind: Kind) -> Field {
    Field { number, json, kind, rule: Rule::Explicit }
}

const fn choice(number: u32, json: &'static str, kind: Kind) -> Field {
    Field { number, json, kind, rule: Rule::OneOf }
}

const fn many(number: u32, json: &'static str, kind: Kind) -> Field {
    Field { number, json, kind, rule: Rule::Many }
}

/// Whether `key` is the snake_case spelling of the lowerCamelCase `json`.
fn is_snake_of(key: &str, json: &str) -> bool {
    let mut key = key.bytes();
    json.bytes().all(|letter| {
        if letter.is_ascii_uppercase() {
            key.next() == Some(b'_') && key.next() == Some(letter.to_ascii_lowercase())
        } else {
            key.next() == Some(letter)
        }
    }) && key.next().is_none()
}

/// The name in the `.proto` file of a field with this JSON key.
pub fn proto_name(json: &str) -> std::string::String {
    let mut name = std::string::String::with_capacity(json.len() + 4);
    for letter in json.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// The request message of a signal.
pub fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES,
        Signal::Metrics => &METRICS,
        Signal::Logs => &LOGS,
    }
}

use Kind::{Bool, Bytes, Double, Enum, Fixed32, Fixed64, Id, Int32, Int64, Sfixed64, Sint32, String, Uint32, Uint64};

pub static TRACES: Message =
    Message::new("ExportTraceServiceRequest", &[many(1, "resourceSpans", Kind::Message(&RESOURCE_SPANS))]);
static RESOURCE_SPANS: Message = Message::new(
    "ResourceSpans",
    &[
        one(1, "resource", Kind::Message(&RESOURCE)),
        many(2, "scopeSpans", Kind::Message(&SCOPE_SPANS)),
        one(3, "schemaUrl", String),
    ],
);
static SCOPE_SPANS: Message = Message::new(
    "ScopeSpans",
    &[one(1, "scope", Kind::Message(&SCOPE)), many(2, "spans", Kind::Message(&SPAN)), one(3, "schemaUrl", String)],
);
pub static SPAN: Message = Message::new(
    "Span",
    &[
        one(1, "traceId", Id(16)),
        one(2, "spanId", Id(8)),
        one(3, "traceState", String),
        one(4, "parentSpanId", Id(8)),
        one(5, "name", String),
        one(6, "kind", Enum(SPAN_KINDS)),
        one(7, "startTimeUnixNano", Fixed64),
        one(8, "endTimeUnixNano", Fixed64),
        many(9, "attributes", Kind::Message(&KEY_VALUE)),
        one(10, "droppedAttributesCount", Uint32),
        many(11, "events", Kind::Message(&EVENT)),
        one(12, "droppedEventsCount", Uint32),
        many(13, "links", Kind::Message(&LINK)),
        one(14, "droppedLinksCount", Uint32),
        one(15, "status", Kind::Message(&STATUS)),
        one(16, "flags", Fixed32),
    ],
);
static EVENT: Message = Message::new(
    "Span.Event",
    &[
        one(1, "timeUnixNano", Fixed64),
        one(2, "name", String),
        many(3, "attributes", Kind::Message(&KEY_VALUE)),
        one(4, "droppedAttributesCount", Uint32),
    ],
);
static LINK: Message = Message::new(
    "Span.Link",
    &[
        one(1, "traceId", Id(16)),
        one(2, "spanId", Id(8)),
        one(3, "traceState", String),
        many(4, "attributes", Kind::Message(&KEY_VALUE)),
        one(5, "droppedAttributesCount", Uint32),
        one(6, "flags", Fixed32),
    ],
);
static STATUS: Message = Message::new("Status", &[one(2, "message", String), one(3, "code", Enum(STATUS_CODES))]);

pub static LOGS: Message =
    Message::new("ExportLogsServiceRequest", &[many(1, "resourceLogs", Kind::Message(&RESOURCE_LOGS))]);
static RESOURCE_LOGS: Message = Message::new(
    "ResourceLogs",
    &[
        one(1, "resource", Kind::Message(&RESOURCE)),
        many(2, "scopeLogs", Kind::Message(&SCOPE_LOGS)),
        one(3, "schemaUrl", String),
    ],
);
static SCOPE_LOGS: Message = Message::new(
    "ScopeLogs",
    &[
        one(1, "scope", Kind::Message(&SCOPE)),
        many(2, "logRecords", Kind::Message(&LOG_RECORD)),
        one(3, "schemaUrl", String),
    ],
);
pub static LOG_RECORD: Message = Message::new(
    "LogRecord",
    &[
        one(1, "timeUnixNano", Fixed64),
        one(2, "severityNumber", Enum(SEVERITIES)),
        one(3, "severityText", String),
        one(5, "body", Kind::Message(&ANY_VALUE)),
        many(6, "attributes", Kind::Message(&KEY_VALUE)),
        one(7, "droppedAttributesCount", Uint32),
        one(8, "flags", Fixed32),
        one(9, "traceId", Id(16)),
        one(10, "spanId", Id(8)),
        one(11, "observedTimeUnixNano", Fixed64),
        one(12, "eventName", String),
    ],
);

pub static METRICS: Message =
    Message::new("ExportMetricsServiceRequest", &[many(1, "resourceMetrics", Kind::Message(&RESOURCE_METRICS))]);
static RESOURCE_METRICS: Message = Message::new(
    "ResourceMetrics",
    &[
        one(1, "resource", Kind::Message(&RESOURCE)),
        many(2, "scopeMetrics", Kind::Message(&SCOPE_METRICS)),
        one(3, "schemaUrl", String),
    ],
);
static SCOPE_METRICS: Message = Message::new(
    "ScopeMetrics",
    &[one(1, "scope", Kind::Message(&SCOPE)), many(2, "metrics", Kind::Message(&METRIC)), one(3, "schemaUrl", String)],
);
pub static METRIC: Message = Message::new(
    "Metric",
    &[
        one(1, "name", String),
        one(2, "description", String),
        one(3, "unit", String),
        choice(5, "gauge", Kind::Message(&GAUGE)),
        choice(7, "sum", Kind::Message(&SUM)),
        choice(9, "histogram", Kind::Message(&HISTOGRAM)),
        choice(10, "exponentialHistogram", Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        choice(11, "summary", Kind::Message(&SUMMARY)),
        many(12, "metadata", Kind::Message(&KEY_VALUE)),
    ],
);
static GAUGE: Message = Message::new("Gauge", &[many(1, "dataPoints", Kind::Message(&NUMBER_DATA_POINT))]);
static SUM: Message = Message::new(
    "Sum",
    &[
        many(1, "dataPoints", Kind::Message(&NUMBER_DATA_POINT)),
        one(2, "aggregationTemporality", Enum(TEMPORALITIES)),
        one(3, "isMonotonic", Bool),
    ],
);
static HISTOGRAM: Message = Message::new(
    "Histogram",
    &[
        many(1, "dataPoints", Kind::Message(&HISTOGRAM_DATA_POINT)),
        one(2, "aggregationTemporality", Enum(TEMPORALITIES)),
    ],
);
static EXPONENTIAL_HISTOGRAM: Message = Message::new(
    "ExponentialHistogram",
    &[
        many(1, "dataPoints", Kind::Message(&EXPONENTIAL_HISTOGRAM_DATA_POINT)),
        one(2, "aggregationTemporality", Enum(TEMPORALITIES)),
    ],
);
static SUMMARY: Message = Message::new("Summary", &[many(1, "dataPoints", Kind::Message(&SUMMARY_DATA_POINT))]);
static NUMBER_DATA_POINT: Message = Message::new(
    "NumberDataPoint",
    &[
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        choice(4, "asDouble", Double),
        many(5, "exemplars", Kind::Message(&EXEMPLAR)),
        choice(6, "asInt", Sfixed64),
        many(7, "attributes", Kind::Message(&KEY_VALUE)),
        one(8, "flags", Uint32),
    ],
);
static HISTOGRAM_DATA_POINT: Message = Message::new(
    "HistogramDataPoint",
    &[
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        explicit(5, "sum", Double),
        many(6, "bucketCounts", Fixed64),
        many(7, "explicitBounds", Double),
        many(8, "exemplars", Kind::Message(&EXEMPLAR)),
        many(9, "attributes", Kind::Message(&KEY_VALUE)),
        one(10, "flags", Uint32),
        explicit(11, "min", Double),
        explicit(12, "max", Double),
    ],
);
static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = Message::new(
    "ExponentialHistogramDataPoint",
    &[
        many(1, "attributes", Kind::Message(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        explicit(5, "sum", Double),
        one(6, "scale", Sint32),
        one(7, "zeroCount", Fixed64),
        one(8, "positive", Kind::Message(&BUCKETS)),
        one(9, "negative", Kind::Message(&BUCKETS)),
        one(10, "flags", Uint32),
        many(11, "exemplars", Kind::Message(&EXEMPLAR)),
        explicit(12, "min", Double),
        explicit(13, "max", Double),
        one(14, "zeroThreshold", Double),
    ],
);
static BUCKETS: Message =
    Message::new("ExponentialHistogramDataPoint.Buckets", &[one(1, "offset", Sint32), many(2, "bucketCounts", Uint64)]);
static SUMMARY_DATA_POINT: Message = Message::new(
    "SummaryDataPoint",
    &[
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        many(6, "quantileValues", Kind::Message(&VALUE_AT_QUANTILE)),
        many(7, "attributes", Kind::Message(&KEY_VALUE)),
        one(8, "flags", Uint32),
    ],
);
static VALUE_AT_QUANTILE: Message =
    Message::new("SummaryDataPoint.ValueAtQuantile", &[one(1, "quantile", Double), one(2, "value", Double)]);
static EXEMPLAR: Message = Message::new(
    "Exemplar",
    &[
        one(2, "timeUnixNano", Fixed64),
        choice(3, "asDouble", Double),
        one(4, "spanId", Id(8)),
        one(5, "traceId", Id(16)),
        choice(6, "asInt", Sfixed64),
        many(7, "filteredAttributes", Kind::Message(&KEY_VALUE)),
    ],
);

static RESOURCE: Message = Message::new(
    "Resource",
    &[
        many(1, "attributes", Kind::Message(&KEY_VALUE)),
        one(2, "droppedAttributesCount", Uint32),
        many(3, "entityRefs", Kind::Message(&ENTITY_REF)),
    ],
);
static ENTITY_REF: Message = Message::new(
    "EntityRef",
    &[
        one(1, "schemaUrl", String),
        one(2, "type", String),
        many(3, "idKeys", String),
        many(4, "descriptionKeys", String),
    ],
);
static SCOPE: Message = Message::new(
    "InstrumentationScope",
    &[
        one(1, "name", String),
        one(2, "version", String),
        many(3, "attributes", Kind::Message(&KEY_VALUE)),
        one(4, "droppedAttributesCount", Uint32),
    ],
);
pub static KEY_VALUE: Message = Message::new(
    "KeyValue",
    &[one(1, "key", String), one(2, "value", Kind::Message(&ANY_VALUE)), one(3, "keyStrindex", Int32)],
);
pub static ANY_VALUE: Message = Message::new(
    "AnyValue",
    &[
        choice(1, "stringValue", String),
        choice(2, "boolValue", Bool),
        choice(3, "intValue", Int64),
        choice(4, "doubleValue", Double),
        choice(5, "arrayValue", Kind::Message(&ARRAY_VALUE)),
        choice(6, "kvlistValue", Kind::Message(&KEY_VALUE_LIST)),
        choice(7, "bytesValue", Bytes),
        choice(8, "stringValueStrindex", Int32),
    ],
);
static ARRAY_VALUE: Message = Message::new("ArrayValue", &[many(1, "values", Kind::Message(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = Message::new("KeyValueList", &[many(1, "values", Kind::Message(&KEY_VALUE))]);

const SPAN_KINDS: &[(&str, i32)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];
const STATUS_CODES: &[(&str, i32)] = &[("STATUS_CODE_UNSET", 0), ("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)];
const TEMPORALITIES: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];
const SEVERITIES: &[(&str, i32)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];
