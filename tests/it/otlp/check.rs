//! The check at the door finds the flaws that were put in, and none else.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Gauge, Metric, NumberDataPoint};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use telemetry_gateway::otlp::Signal;
use telemetry_gateway::otlp::check::{Census, DEPTH_MAX, Flaw, ITEMS_MAX, REJECTED_MAX, Rejected, check};
use telemetry_gateway::otlp::wire::{Malformed, put_bytes};

use super::generate::{self, Values};
use super::request::Request;

/// Text that becomes invalid UTF-8 of the same length once the request is encoded: prost itself cannot hold any.
const MARK: &str = "@@text@@";
const SPOILT: &[u8; 8] = b"@@t\xff\xfet@@";

fn mark() -> String {
    format!("ab{MARK}")
}

fn marked_attribute() -> KeyValue {
    let text = AnyValue { value: Some(Value::StringValue(mark())) };
    let array = ArrayValue { values: vec![AnyValue { value: None }, text] };
    KeyValue { key: "k".to_owned(), value: Some(AnyValue { value: Some(Value::ArrayValue(array)) }), key_strindex: 0 }
}

fn length(message: &'static str, field: &'static str, expected: usize, bytes: usize) -> Flaw {
    Flaw::IdLength { message, field, expected, bytes }
}

fn text(message: &'static str, field: &'static str) -> Flaw {
    Flaw::NotUtf8 { message, field }
}

/// Spoils an item, and says what the check must find.
type Spoil<T> = fn(&mut T) -> Flaw;

const SPANS: &[Spoil<Span>] = &[
    |span| {
        span.trace_id.pop();
        length("Span", "traceId", 16, 15)
    },
    |span| {
        span.span_id.push(1);
        length("Span", "spanId", 8, 9)
    },
    |span| {
        span.parent_span_id = vec![1; 16];
        length("Span", "parentSpanId", 8, 16)
    },
    |span| {
        span.trace_id = vec![0; 16];
        Flaw::IdMissing { field: "traceId" }
    },
    |span| {
        span.trace_id.clear();
        Flaw::IdMissing { field: "traceId" }
    },
    |span| {
        span.span_id = vec![0; 8];
        Flaw::IdMissing { field: "spanId" }
    },
    |span| {
        span.span_id.clear();
        Flaw::IdMissing { field: "spanId" }
    },
    |span| {
        span.name = mark();
        text("Span", "name")
    },
    |span| {
        span.trace_state = mark();
        text("Span", "traceState")
    },
    |span| {
        span.attributes.push(KeyValue { key: mark(), ..KeyValue::default() });
        text("KeyValue", "key")
    },
    |span| {
        span.attributes.push(marked_attribute());
        text("AnyValue", "stringValue")
    },
    |span| {
        span.events.push(Event { name: mark(), ..Event::default() });
        text("Span.Event", "name")
    },
    |span| {
        span.events.push(Event { attributes: vec![marked_attribute()], ..Event::default() });
        text("AnyValue", "stringValue")
    },
    |span| {
        span.links.push(Link { trace_id: vec![1; 3], ..Link::default() });
        length("Span.Link", "traceId", 16, 3)
    },
    |span| {
        span.links.push(Link { span_id: vec![1; 3], ..Link::default() });
        length("Span.Link", "spanId", 8, 3)
    },
    |span| {
        span.status = Some(Status { message: mark(), code: 2 });
        text("Status", "message")
    },
];

const LOGS: &[Spoil<LogRecord>] = &[
    |log| {
        log.trace_id = vec![1; 15];
        length("LogRecord", "traceId", 16, 15)
    },
    |log| {
        log.span_id = vec![1; 1];
        length("LogRecord", "spanId", 8, 1)
    },
    |log| {
        log.severity_text = mark();
        text("LogRecord", "severityText")
    },
    |log| {
        log.event_name = mark();
        text("LogRecord", "eventName")
    },
    |log| {
        log.body = marked_attribute().value;
        text("AnyValue", "stringValue")
    },
    |log| {
        log.attributes.push(marked_attribute());
        text("AnyValue", "stringValue")
    },
];

const METRICS: &[Spoil<Metric>] = &[
    |metric| {
        metric.name = mark();
        text("Metric", "name")
    },
    |metric| {
        metric.unit = mark();
        text("Metric", "unit")
    },
    |metric| {
        metric.metadata.push(marked_attribute());
        text("AnyValue", "stringValue")
    },
    |metric| {
        let point = NumberDataPoint { attributes: vec![marked_attribute()], ..NumberDataPoint::default() };
        metric.data = Some(Data::Gauge(Gauge { data_points: vec![point] }));
        text("AnyValue", "stringValue")
    },
    |metric| {
        let exemplar = Exemplar { span_id: vec![1; 9], ..Exemplar::default() };
        let point = NumberDataPoint { exemplars: vec![exemplar], ..NumberDataPoint::default() };
        metric.data = Some(Data::Gauge(Gauge { data_points: vec![point.clone(), point] }));
        length("Exemplar", "spanId", 8, 9)
    },
];

proptest! {
    #[test]
    fn a_sound_request_has_no_flaw_and_is_counted(request in generate::request(Values::All)) {
        let weights = request.weights();
        let census = check(request.signal(), &request.encode()).unwrap();
        let expected = Census { items: weights.len() as u32, weight: weights.iter().sum(), rejected: Vec::new() };
        prop_assert_eq!(census, expected);
    }

    #[test]
    fn exactly_the_flaws_put_in_are_found(
        mut request in generate::request(Values::All),
        spoilt in vec((any::<Index>(), any::<Index>()), 0..4),
    ) {
        let items = request.weights().len();
        prop_assume!(items > 0);
        let mut expected: Vec<Option<Flaw>> = vec![None; items];
        for (item, kind) in spoilt {
            let item = item.index(items);
            if expected[item].is_none() {
                expected[item] = Some(spoil(&mut request, item, kind));
            }
        }
        let weights = request.weights();
        let rejected = expected.into_iter().enumerate();
        let rejected: Vec<Rejected> = rejected
            .filter_map(|(index, flaw)| Some(Rejected { index, weight: weights[index], flaw: flaw? }))
            .collect();
        let census = check(request.signal(), &spoil_marks(request.encode())).unwrap();
        prop_assert_eq!(census.rejected, rejected);
        prop_assert_eq!((census.items as usize, census.weight), (items, weights.iter().sum()));
    }

    #[test]
    fn a_flaw_of_an_envelope_condemns_its_items_and_no_others(
        request in generate::traces(Values::All),
        (group, scope, place) in (any::<Index>(), any::<Index>(), 0..6),
    ) {
        let Request::Traces(mut request) = request else { unreachable!() };
        prop_assume!(!request.resource_spans.is_empty());
        let group = group.index(request.resource_spans.len());
        let scopes = request.resource_spans[group].scope_spans.len();
        prop_assume!(scopes > 0);
        let scope = scope.index(scopes);
        let envelope = &mut request.resource_spans[group];
        let (whole_group, flaw) = match place {
            0 => {
                envelope.schema_url = mark();
                (true, text("ResourceSpans", "schemaUrl"))
            }
            1 => {
                envelope.resource.get_or_insert_default().attributes.push(marked_attribute());
                (true, text("AnyValue", "stringValue"))
            }
            2 => {
                envelope.scope_spans[scope].schema_url = mark();
                (false, text("ScopeSpans", "schemaUrl"))
            }
            3 => {
                envelope.scope_spans[scope].scope.get_or_insert_default().name = mark();
                (false, text("InstrumentationScope", "name"))
            }
            4 => {
                envelope.scope_spans[scope].scope.get_or_insert_default().version = mark();
                (false, text("InstrumentationScope", "version"))
            }
            _ => {
                envelope.scope_spans[scope].scope.get_or_insert_default().attributes.push(marked_attribute());
                (false, text("AnyValue", "stringValue"))
            }
        };
        let mut expected = Vec::new();
        let mut index = 0;
        for (group_at, group_spans) in request.resource_spans.iter().enumerate() {
            for (scope_at, scope_spans) in group_spans.scope_spans.iter().enumerate() {
                let condemned = group_at == group && (whole_group || scope_at == scope);
                for _ in &scope_spans.spans {
                    if condemned {
                        expected.push(Rejected { index, weight: 1, flaw });
                    }
                    index += 1;
                }
            }
        }
        let checked = check(Signal::Traces, &spoil_marks(Request::Traces(request).encode()));
        if expected.is_empty() {
            // No item carries the flaw away, so it would poison whatever it travels with.
            let Flaw::NotUtf8 { field, .. } = flaw else { unreachable!() };
            prop_assert_eq!(checked, Err(Malformed::Hollow(field)));
        } else {
            prop_assert_eq!(checked.unwrap().rejected, expected);
        }
    }
}

#[test]
fn values_may_nest_a_hundred_deep_and_no_deeper() {
    assert!(check(Signal::Logs, &nested_log(DEPTH_MAX)).unwrap().rejected.is_empty());
    assert_eq!(check(Signal::Logs, &nested_log(DEPTH_MAX + 1)), Err(Malformed::Depth(DEPTH_MAX)));
    let small_stack = std::thread::Builder::new().stack_size(2 << 20);
    let deep = small_stack.spawn(|| check(Signal::Logs, &nested_log(10_000))).unwrap().join().unwrap();
    assert_eq!(deep, Err(Malformed::Depth(DEPTH_MAX)));
}

#[test]
fn a_field_of_the_wrong_type_condemns_the_request() {
    let cases: [(Signal, &[u8]); 7] = [
        (Signal::Traces, &[0x08, 1]),                            // resourceSpans as a number
        (Signal::Traces, &[0x0a, 2, 0x10, 1]),                   // scopeSpans as a number
        (Signal::Traces, &[0x0a, 2, 0x18, 1]),                   // schemaUrl as a number
        (Signal::Traces, &[0x0a, 6, 0x12, 4, 0x12, 2, 0x08, 1]), // traceId as a number
        (Signal::Traces, &[0x0a, 6, 0x12, 4, 0x12, 2, 0x38, 1]), // startTimeUnixNano as a varint
        (Signal::Logs, &[0x0a, 6, 0x12, 4, 0x12, 2, 0x2a, 1]),   // body longer than its record
        (Signal::Metrics, &[0x0a, 8, 0x12, 6, 0x12, 4, 0x4a, 2, 0x0a, 9]), // data point longer than its histogram
    ];
    for (signal, body) in cases {
        assert!(Request::decode(signal, body).is_err(), "{body:?}");
        assert!(check(signal, body).is_err(), "{body:?}");
    }
}

#[test]
fn packed_numbers_are_checked_one_by_one() {
    let request = |packed: &[u8]| {
        let mut body = packed.to_vec();
        // Buckets.bucketCounts, positive, dataPoints, exponentialHistogram, metrics, scopeMetrics, resourceMetrics
        for number in [2, 8, 1, 10, 2, 2, 1] {
            let inner = std::mem::take(&mut body);
            put_bytes(&mut body, number, &inner);
        }
        body
    };
    let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
    let cases: [(&[u8], Result<(), Malformed>); 5] = [
        (&[], Ok(())),
        (&[0, 0x80, 1, 5], Ok(())),
        (&longest, Ok(())),
        (&too_large, Err(Malformed::Varint)),
        (&[1, 0x80], Err(Malformed::Truncated)),
    ];
    for (packed, expected) in cases {
        assert_eq!(check(Signal::Metrics, &request(packed)).map(|_| ()), expected, "{packed:?}");
        assert_eq!(Request::decode(Signal::Metrics, &request(packed)).is_ok(), expected.is_ok(), "{packed:?}");
    }
}

#[test]
fn findings_are_bounded() {
    let request = |spans: usize| {
        let mut group = Vec::new();
        put_bytes(&mut group, 2, &[0x12, 0].repeat(spans));
        let mut request = Vec::new();
        put_bytes(&mut request, 1, &group);
        request
    };
    assert_eq!(check(Signal::Traces, &request(REJECTED_MAX)).unwrap().rejected.len(), REJECTED_MAX);
    assert_eq!(check(Signal::Traces, &request(REJECTED_MAX + 1)), Err(Malformed::Flaws(REJECTED_MAX)));
}

#[test]
fn items_data_points_and_groups_are_bounded() {
    let request = |scope: &[u8]| {
        let (mut group, mut request) = (Vec::new(), Vec::new());
        put_bytes(&mut group, 2, scope);
        put_bytes(&mut request, 1, &group);
        request
    };
    let logs = |records: u32| check(Signal::Logs, &request(&[0x12, 0].repeat(records as usize)));
    assert_eq!(logs(ITEMS_MAX).unwrap().items, ITEMS_MAX);
    assert_eq!(logs(ITEMS_MAX + 1), Err(Malformed::Items(ITEMS_MAX)));
    let points = |points: u32| {
        let (mut metric, mut scope) = (Vec::new(), Vec::new());
        put_bytes(&mut metric, 5, &[0x0a, 0].repeat(points as usize));
        put_bytes(&mut scope, 2, &metric);
        check(Signal::Metrics, &request(&scope))
    };
    assert_eq!(points(ITEMS_MAX).unwrap().weight, ITEMS_MAX);
    assert_eq!(points(ITEMS_MAX + 1), Err(Malformed::Items(ITEMS_MAX)));
    // ResourceLogs {} … and ScopeLogs {} …
    let groups = |groups: u32| check(Signal::Logs, &[0x0a, 0].repeat(groups as usize));
    assert_eq!(groups(ITEMS_MAX).unwrap().items, 0);
    assert_eq!(groups(ITEMS_MAX + 1), Err(Malformed::Items(ITEMS_MAX)));
    let mut scopes = Vec::new();
    put_bytes(&mut scopes, 1, &[0x12, 0].repeat(ITEMS_MAX as usize));
    assert_eq!(check(Signal::Logs, &scopes), Err(Malformed::Items(ITEMS_MAX)), "one group and its scopes");
}

#[test]
fn a_flaw_tells_the_field_and_the_length() {
    let told = |flaw: Flaw| flaw.to_string();
    assert_eq!(told(length("Span", "traceId", 16, 15)), "Span.trace_id has 15 bytes, not 16");
    assert_eq!(told(Flaw::IdMissing { field: "spanId" }), "Span.span_id is missing or all zero");
    assert_eq!(told(text("KeyValue", "key")), "KeyValue.key is not UTF-8");
}

fn spoil(request: &mut Request, item: usize, kind: Index) -> Flaw {
    match request {
        Request::Traces(request) => {
            let scopes = request.resource_spans.iter_mut().flat_map(|group| &mut group.scope_spans);
            let span = scopes.flat_map(|scope| &mut scope.spans).nth(item).unwrap();
            SPANS[kind.index(SPANS.len())](span)
        }
        Request::Logs(request) => {
            let scopes = request.resource_logs.iter_mut().flat_map(|group| &mut group.scope_logs);
            let log = scopes.flat_map(|scope| &mut scope.log_records).nth(item).unwrap();
            LOGS[kind.index(LOGS.len())](log)
        }
        Request::Metrics(request) => {
            let scopes = request.resource_metrics.iter_mut().flat_map(|group| &mut group.scope_metrics);
            let metric = scopes.flat_map(|scope| &mut scope.metrics).nth(item).unwrap();
            METRICS[kind.index(METRICS.len())](metric)
        }
    }
}

fn spoil_marks(mut body: Vec<u8>) -> Vec<u8> {
    for at in 0..body.len().saturating_sub(MARK.len() - 1) {
        if body[at..].starts_with(MARK.as_bytes()) {
            body[at..at + MARK.len()].copy_from_slice(SPOILT);
        }
    }
    body
}

/// A log record whose body is lists in lists, with a text in the innermost.
pub fn nested_log(depth: usize) -> Vec<u8> {
    let mut value = b"\x0a\x01x".to_vec();
    for _ in 0..depth {
        for number in [1, 5] {
            let inner = std::mem::take(&mut value);
            put_bytes(&mut value, number, &inner);
        }
    }
    for number in [5, 2, 2, 1] {
        let inner = std::mem::take(&mut value);
        put_bytes(&mut value, number, &inner);
    }
    value
}
