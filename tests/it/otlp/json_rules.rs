//! The reading rules of OTLP/JSON, one by one: what is taken, what is counted as lenient, what is refused.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use telemetry_gateway::otlp::Signal;
use telemetry_gateway::otlp::check::{DEPTH_MAX, Flaw, check};
use telemetry_gateway::otlp::json::{JsonError, Leniency, Transcoded, read, read_within};

use super::request::Request;

const TRACE_ID: [u8; 16] = *b"\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c";
const SPAN_ID: [u8; 8] = *b"\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74";
const STRICT: Leniency = Leniency { keys: 0, ids: 0, enums: 0, numbers: 0 };

/// Reads one span, given as the inside of its object.
fn span(fields: &str) -> Result<(Span, Leniency), String> {
    let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#);
    let Transcoded { body, leniency } = read(Signal::Traces, text.as_bytes()).map_err(|error| error.to_string())?;
    let Request::Traces(mut request) = Request::decode(Signal::Traces, &body).unwrap() else { unreachable!() };
    Ok((request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0), leniency))
}

/// Reads one log record.
fn log(fields: &str) -> Result<(LogRecord, Leniency), String> {
    let text = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{fields}}}]}}]}}]}}"#);
    let Transcoded { body, leniency } = read(Signal::Logs, text.as_bytes()).map_err(|error| error.to_string())?;
    let Request::Logs(mut request) = Request::decode(Signal::Logs, &body).unwrap() else { unreachable!() };
    Ok((request.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0), leniency))
}

/// Reads one metric.
fn metric(fields: &str) -> Result<(Metric, Leniency), String> {
    let text = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{{fields}}}]}}]}}]}}"#);
    let Transcoded { body, leniency } = read(Signal::Metrics, text.as_bytes()).map_err(|error| error.to_string())?;
    let Request::Metrics(mut request) = Request::decode(Signal::Metrics, &body).unwrap() else { unreachable!() };
    Ok((request.resource_metrics.remove(0).scope_metrics.remove(0).metrics.remove(0), leniency))
}

/// Reads the inside of a value.
fn value(fields: &str) -> Result<(Option<Value>, Leniency), String> {
    log(&format!(r#""body":{{{fields}}}"#)).map(|(log, leniency)| (log.body.unwrap().value, leniency))
}

fn flaws(text: &str) -> Vec<Flaw> {
    let body = read(Signal::Traces, text.as_bytes()).unwrap().body;
    check(Signal::Traces, &body).unwrap().rejected.iter().map(|rejected| rejected.flaw).collect()
}

#[test]
fn ids_are_hex_of_either_case() {
    for (trace_id, span_id) in [
        ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"),
        ("5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174"),
    ] {
        let (span, leniency) = span(&format!(
            r#""traceId":"{trace_id}","spanId":"{span_id}","parentSpanId":"","links":[{{"traceId":"{trace_id}","spanId":"{span_id}"}}]"#
        ))
        .unwrap();
        assert_eq!((&span.trace_id[..], &span.span_id[..]), (&TRACE_ID[..], &SPAN_ID[..]));
        assert!(span.parent_span_id.is_empty());
        assert_eq!((&span.links[0].trace_id[..], &span.links[0].span_id[..]), (&TRACE_ID[..], &SPAN_ID[..]));
        assert_eq!(leniency, STRICT);
    }
}

#[test]
fn ids_in_base64_and_as_lists_of_bytes_are_counted_as_lenient() {
    let fields = r#""traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"7uGbfsPBsXQ=","parentSpanId":[238,225,155,126,195,193,177,116]"#;
    let (read, leniency) = span(fields).unwrap();
    assert_eq!((&read.trace_id[..], &read.span_id[..]), (&TRACE_ID[..], &SPAN_ID[..]));
    assert_eq!(read.parent_span_id, SPAN_ID);
    assert_eq!(leniency, Leniency { ids: 3, ..STRICT });
    for trace_id in ["W47/95gDgQPSabYzgT/GDA", "W47_95gDgQPSabYzgT_GDA", "W47_95gDgQPSabYzgT_GDA=="] {
        let (read, leniency) = span(&format!(r#""traceId":"{trace_id}","spanId":"7uGbfsPBsXQ""#)).unwrap();
        assert_eq!((&read.trace_id[..], &read.span_id[..]), (&TRACE_ID[..], &SPAN_ID[..]));
        assert_eq!(leniency, Leniency { ids: 2, ..STRICT });
    }
}

#[test]
fn what_is_no_id_condemns_its_span_alone() {
    let good = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}"#;
    for id in [
        r#""5b8efff798038103d269b633813fc60""#,    // 31 digits
        r#""5b8efff798038103d269b633813fc60c00""#, // 34 digits
        r#""5b8efff798038103d269b633813fc60g""#,   // no digit at the end
        r#""x""#,
        "[1,2,3]",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]",
    ] {
        let text = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{good},{{"traceId":{id},"spanId":"eee19b7ec3c1b174"}},{good}]}}]}}]}}"#
        );
        let found = flaws(&text);
        assert!(matches!(found[..], [Flaw::IdLength { field: "traceId", expected: 16, .. }]), "{id}: {found:?}");
    }
    let zero = r#"{"traceId":"00000000000000000000000000000000","spanId":"eee19b7ec3c1b174"}"#;
    let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{good},{zero}]}}]}}]}}"#);
    assert_eq!(flaws(&text), [Flaw::IdMissing { field: "traceId" }]);
}

#[test]
fn an_enum_is_an_integer_and_a_name_is_counted_as_lenient() {
    let lenient = Leniency { enums: 1, ..STRICT };
    let kinds = [
        ("3", 3, STRICT),
        ("99", 99, STRICT),
        ("-1", -1, STRICT),
        (r#""SPAN_KIND_CLIENT""#, 3, lenient),
        (r#""3""#, 3, lenient),
    ];
    for (text, kind, leniency) in kinds {
        let (span, counted) = span(&format!(r#""kind":{text}"#)).unwrap();
        assert_eq!((span.kind, counted), (kind, leniency), "{text}");
    }
    let (read, counted) = span(r#""status":{"code":"STATUS_CODE_ERROR","message":"m"}"#).unwrap();
    assert_eq!((read.status.unwrap().code, counted), (2, lenient));
    let (read, counted) = log(r#""severityNumber":"SEVERITY_NUMBER_FATAL4""#).unwrap();
    assert_eq!((read.severity_number, counted), (24, lenient));
    let (read, counted) = metric(r#""sum":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA"}"#).unwrap();
    let Some(Data::Sum(sum)) = read.data else { panic!("{:?}", read.data) };
    assert_eq!((sum.aggregation_temporality, counted), (1, lenient));
    for text in [r#""SPAN_KIND_NONE""#, "1.5", "true", "[1]", "{}", "99999999999"] {
        let error = span(&format!(r#""kind":{text}"#)).unwrap_err();
        assert!(error.contains("kind") && error.contains("line 1 column"), "{text}: {error}");
    }
}

#[test]
fn times_are_exact_as_text_and_as_numbers() {
    for text in [r#""1763800000123456789""#, "1763800000123456789"] {
        let (span, leniency) = span(&format!(r#""startTimeUnixNano":{text},"endTimeUnixNano":{text}"#)).unwrap();
        assert_eq!(span.start_time_unix_nano, 1_763_800_000_123_456_789, "{text}");
        assert_eq!(span.end_time_unix_nano, 1_763_800_000_123_456_789, "{text}");
        assert_eq!(leniency, STRICT, "both forms are usual");
    }
    assert_eq!(span(r#""startTimeUnixNano":"18446744073709551615""#).unwrap().0.start_time_unix_nano, u64::MAX);
    for text in
        [r#""-1""#, "-1", "1.5", r#""1.5""#, r#""18446744073709551616""#, "18446744073709551616", r#""soon""#, r#""""#]
    {
        assert!(span(&format!(r#""startTimeUnixNano":{text}"#)).is_err(), "{text}");
    }
}

#[test]
fn whole_numbers_are_exact_to_the_last_digit() {
    let cases = [
        (r#""9223372036854775807""#, i64::MAX, 0),
        ("9223372036854775807", i64::MAX, 0),
        (r#""-9223372036854775808""#, i64::MIN, 0),
        ("-9223372036854775808", i64::MIN, 0),
        ("9007199254740993", (1 << 53) + 1, 0),
        (r#""9007199254740993""#, (1 << 53) + 1, 0),
        ("-5", -5, 0),
        ("0", 0, 0),
        ("1.5e3", 1500, 1),
        (r#""1.5e3""#, 1500, 1),
        (r#""9223372036854775807.0""#, i64::MAX, 1),
        (r#""-9.223372036854775808e18""#, i64::MIN, 1),
        (r#""1700000000123456789.00""#, 1_700_000_000_123_456_789, 1),
        (r#""1200e-2""#, 12, 1),
        (r#""0.0e9""#, 0, 1),
        ("-0", 0, 1),
        ("7.0", 7, 1),
    ];
    for (text, number, numbers) in cases {
        let expected = (Some(Value::IntValue(number)), Leniency { numbers, ..STRICT });
        assert_eq!(value(&format!(r#""intValue":{text}"#)), Ok(expected), "{text}");
    }
    for text in [
        "1.5",
        r#""1.5""#,
        "9223372036854775808",
        r#""9223372036854775808""#,
        "1e30",
        "true",
        r#""NaN""#,
        r#""seven""#,
        "[]",
    ] {
        assert!(value(&format!(r#""intValue":{text}"#)).is_err(), "{text}");
    }
    let (read, leniency) = span(r#""droppedAttributesCount":"7","flags":"257""#).unwrap();
    assert_eq!((read.dropped_attributes_count, read.flags), (7, 257));
    assert_eq!(leniency, Leniency { numbers: 2, ..STRICT });
    assert!(span(r#""droppedAttributesCount":4294967296"#).is_err());
}

#[test]
fn doubles_are_numbers_and_three_words() {
    let double = |text: &str| match value(&format!(r#""doubleValue":{text}"#)) {
        Ok((Some(Value::DoubleValue(number)), leniency)) => Some((number, leniency.numbers)),
        _ => None,
    };
    assert!(double(r#""NaN""#).is_some_and(|(number, lenient)| number.is_nan() && lenient == 0));
    assert_eq!(double(r#""Infinity""#), Some((f64::INFINITY, 0)));
    assert_eq!(double(r#""-Infinity""#), Some((f64::NEG_INFINITY, 0)));
    assert_eq!(double("-0.0").map(|(number, _)| number.to_bits()), Some((-0.0_f64).to_bits()));
    assert_eq!(double("0.1"), Some((0.1, 0)));
    assert_eq!(double("3"), Some((3.0, 0)));
    assert_eq!(double("1.7976931348623157e308"), Some((f64::MAX, 0)));
    // The nearest double, which an approximate parser misses by one in the last place.
    assert_eq!(double("2.2250738585072011e-308"), Some((2.225_073_858_507_201_e-308, 0)));
    assert_eq!(double(r#""0.1""#), Some((0.1, 1)));
    for text in [r#""inf""#, r#""nan""#, r#""1e999""#, r#""many""#, "true", "[1]", "{}"] {
        assert_eq!(double(text), None, "{text}");
    }
    let (read, _) =
        metric(r#""gauge":{"dataPoints":[{"asDouble":"-Infinity"},{"asInt":"-3"},{"asInt":4},{"asDouble":0}]}"#)
            .unwrap();
    let Some(Data::Gauge(gauge)) = read.data else { panic!("{:?}", read.data) };
    let values: Vec<_> = gauge.data_points.iter().filter_map(|point| point.value).collect();
    use number_data_point::Value::{AsDouble, AsInt};
    assert_eq!(values, [AsDouble(f64::NEG_INFINITY), AsInt(-3), AsInt(4), AsDouble(0.0)]);
}

#[test]
fn bytes_are_base64_of_either_alphabet_with_and_without_padding() {
    for text in ["+/8A/w==", "+/8A/w", "-_8A_w==", "-_8A_w"] {
        let expected = Some(Value::BytesValue(vec![0xfb, 0xff, 0, 0xff]));
        assert_eq!(value(&format!(r#""bytesValue":"{text}""#)).unwrap().0, expected, "{text}");
    }
    assert_eq!(value(r#""bytesValue":"""#).unwrap().0, Some(Value::BytesValue(Vec::new())));
    assert!(value(r#""bytesValue":"a$b""#).is_err());
}

#[test]
fn a_bool_may_be_a_word() {
    assert_eq!(value(r#""boolValue":false"#), Ok((Some(Value::BoolValue(false)), STRICT)));
    let lenient = Leniency { numbers: 1, ..STRICT };
    assert_eq!(value(r#""boolValue":"true""#), Ok((Some(Value::BoolValue(true)), lenient)));
    assert_eq!(value(r#""boolValue":"false""#), Ok((Some(Value::BoolValue(false)), lenient)));
    assert!(value(r#""boolValue":"yes""#).is_err());
    assert!(value(r#""boolValue":1"#).is_err());
}

#[test]
fn null_is_absence() {
    let all = r#""traceId":null,"spanId":null,"name":null,"kind":null,"startTimeUnixNano":null,"attributes":null,
        "events":null,"links":null,"status":null,"droppedLinksCount":null"#;
    assert_eq!(span(all), Ok((Span::default(), STRICT)));
    for field in ["stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue"] {
        assert_eq!(value(&format!(r#""{field}":null"#)), Ok((None, STRICT)), "{field}");
    }
    for text in [r#"{"resourceSpans":null}"#, "{}", r#"{"resourceSpans":[]}"#] {
        assert!(read(Signal::Traces, text.as_bytes()).unwrap().body.is_empty(), "{text}");
    }
}

#[test]
fn the_last_of_several_counts() {
    assert_eq!(span(r#""name":"a","name":"b""#).unwrap().0.name, "b");
    assert_eq!(span(r#""traceState":"a","trace_state":"b""#).unwrap().0.trace_state, "b");
    assert_eq!(span(r#""events":[{},{}],"name":"n","events":[{"name":"e"}]"#).unwrap().0.events.len(), 1);
    let (read, _) = span(r#""status":{"message":"m"},"status":{"code":2}"#).unwrap();
    assert_eq!(read.status.unwrap().message, "");
    // A oneof holds what was set last, whatever the number of its field.
    let string = Some(Value::StringValue("x".to_owned()));
    assert_eq!(value(r#""intValue":"1","stringValue":"x""#).unwrap().0, string);
    assert_eq!(value(r#""stringValue":"x","intValue":"1""#).unwrap().0, Some(Value::IntValue(1)));
    assert_eq!(value(r#""stringValue":"x","intValue":null"#).unwrap().0, string);
    assert_eq!(value(r#""stringValue":"x","boolValue":false"#).unwrap().0, Some(Value::BoolValue(false)));
    assert!(matches!(metric(r#""summary":{},"gauge":{}"#).unwrap().0.data, Some(Data::Gauge(_))));
}

#[test]
fn unknown_keys_are_ignored_at_every_depth() {
    let plain = everything(str::to_owned);
    let future =
        everything(|fields| format!(r#""future":{{"a":[1,{{"b":null}}]}},{fields},"futures":[[[]]],"newest":"x""#));
    let (plain, future) =
        (read(Signal::Traces, plain.as_bytes()).unwrap(), read(Signal::Traces, future.as_bytes()).unwrap());
    assert_eq!(future.body, plain.body);
    assert_eq!(future.leniency, STRICT);
    assert_eq!(ExportTraceServiceRequest::decode(&plain.body[..]).unwrap().resource_spans.len(), 1);
}

#[test]
fn snake_case_keys_read_alike_and_are_counted() {
    let camel = everything(str::to_owned);
    let (snake, keys) = snake_keys(&camel);
    assert!(keys > 30, "{keys}");
    let (camel, snake) =
        (read(Signal::Traces, camel.as_bytes()).unwrap(), read(Signal::Traces, snake.as_bytes()).unwrap());
    assert_eq!(snake.body, camel.body);
    assert_eq!((camel.leniency, snake.leniency), (STRICT, Leniency { keys, ..STRICT }));
}

#[test]
fn keys_of_old_read_as_the_present_ones() {
    let cases = [
        (
            Signal::Traces,
            r#"{"resourceSpans":[{"instrumentationLibrarySpans":[{"instrumentationLibrary":{"name":"n"},"spans":[{"name":"s"}]}]}]}"#,
            r#"{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"n"},"spans":[{"name":"s"}]}]}]}"#,
        ),
        (
            Signal::Logs,
            r#"{"resourceLogs":[{"instrumentationLibraryLogs":[{"instrumentationLibrary":{"name":"n"},"logRecords":[{}]}]}]}"#,
            r#"{"resourceLogs":[{"scopeLogs":[{"scope":{"name":"n"},"logRecords":[{}]}]}]}"#,
        ),
        (
            Signal::Metrics,
            r#"{"resourceMetrics":[{"instrumentationLibraryMetrics":[{"instrumentationLibrary":{"name":"n"},"metrics":[{}]}]}]}"#,
            r#"{"resourceMetrics":[{"scopeMetrics":[{"scope":{"name":"n"},"metrics":[{}]}]}]}"#,
        ),
    ];
    for (signal, old, present) in cases {
        let (old, present) = (read(signal, old.as_bytes()).unwrap(), read(signal, present.as_bytes()).unwrap());
        assert_eq!(old.body, present.body);
        assert_eq!((old.leniency, present.leniency), (Leniency { keys: 2, ..STRICT }, STRICT));
    }
}

#[test]
fn values_of_every_kind_nest_in_lists_and_maps() {
    let (read, _) = value(
        r#""kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"stringValue":""},{},{"bytesValue":"AA=="}]}}},{"key":"b"}]}"#,
    )
    .unwrap();
    let Some(Value::KvlistValue(map)) = read else { panic!("{read:?}") };
    let Some(Value::ArrayValue(array)) = map.values[0].value.clone().unwrap().value else { panic!("{map:?}") };
    let expected = [Some(Value::StringValue(String::new())), None, Some(Value::BytesValue(vec![0]))];
    assert_eq!(array.values, expected.map(|value| AnyValue { value }));
    assert_eq!(map.values[1], KeyValue { key: "b".to_owned(), ..KeyValue::default() });
}

#[test]
fn values_may_nest_a_hundred_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let text = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{}{{"stringValue":"x"}}{}}}]}}]}}]}}"#,
            r#"{"arrayValue":{"values":["#.repeat(depth),
            "]}}".repeat(depth)
        );
        // Test threads and the runtime's workers have 2 MiB.
        let small_stack = std::thread::Builder::new().stack_size(2 << 20);
        small_stack.spawn(move || read(Signal::Logs, text.as_bytes())).unwrap().join().unwrap()
    };
    let deepest = nested(DEPTH_MAX).unwrap();
    assert_eq!(deepest.body, super::check::nested_log(DEPTH_MAX));
    assert!(check(Signal::Logs, &deepest.body).unwrap().rejected.is_empty());
    for depth in [DEPTH_MAX + 1, 10_000] {
        let error = nested(depth).unwrap_err().to_string();
        assert!(error.starts_with("values nest deeper than 100 at line 1 column"), "{error}");
    }
    // Under a key that nobody knows any depth is skipped.
    let ignored = format!(r#"{{"future":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(read(Signal::Logs, ignored.as_bytes()).unwrap().body.is_empty());
    for opening in ["[", "{\"a\":", "{\"resourceLogs\":[", "[{\"resourceLogs\":"] {
        assert!(read(Signal::Logs, opening.repeat(100_000).as_bytes()).is_err(), "{opening}");
    }
}

#[test]
fn what_is_no_request_is_refused_with_its_place() {
    let cases = [
        ("", "line 1 column 0"),
        ("  ", "line 1 column 2"),
        ("[]", "line 1 column"),
        ("\"x\"", "line 1 column 3"),
        ("null", "line 1 column 4"),
        ("7", "line 1 column 1"),
        ("{} x", "trailing characters at line 1 column 4"),
        ("{}{}", "trailing characters at line 1 column 3"),
        ("{\n\"resourceSpans\": [", "line 2 column 18"),
        ("{\"resourceSpans\":{}}", "resourceSpans: an object does not fit at line 1 column"),
        ("{\"resourceSpans\":\"x\"}", "resourceSpans: a string does not fit at line 1 column"),
        ("{\"resourceSpans\":[[]]}", "resourceSpans: a list does not fit at line 1 column"),
        ("{\"resourceSpans\":[7]}", "resourceSpans: 7 does not fit at line 1 column"),
        ("{\"resourceSpans\":[{\"schemaUrl\":\"\\ud8\"}]}", "line 1 column"),
        ("{'resourceSpans':[]}", "line 1 column 2"),
    ];
    for (text, message) in cases {
        let error = read(Signal::Traces, text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(message), "{text:?}: {error}");
    }
    assert!(read(Signal::Traces, b"{\"resourceSpans\":[{\"schemaUrl\":\"\xff\"}]}").is_err(), "not UTF-8");
    assert!(read(Signal::Traces, b"\xff\xfe{\0}\0").is_err(), "UTF-16");
}

#[test]
fn a_byte_order_mark_and_white_space_are_skipped() {
    let read = read(Signal::Traces, "\u{feff} \r\n\t{ \"resourceSpans\" : [ { } ] } \n".as_bytes()).unwrap();
    assert_eq!(read.body, [0x0a, 0]);
}

#[test]
fn half_a_character_is_replaced_and_costs_nothing_else() {
    for (written, read) in [
        (r"a\ud800b", "a\u{fffd}b"),
        (r"a\uDFFFb", "a\u{fffd}b"),
        (r"\udbff", "\u{fffd}"),
        (r"\ud800\ud83d\ude00", "\u{fffd}😀"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ud83d\ude00", "😀"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\u{fffd}"),
        (r"\ud800\n", "\u{fffd}\n"),
    ] {
        assert_eq!(
            span(&format!(r#""name":"{written}""#)).map(|(span, _)| span.name),
            Ok(read.to_owned()),
            "{written}"
        );
    }
    for wrong in [r"\ud8", r"\ud8zz", r"\"] {
        assert!(span(&format!(r#""name":"{wrong}""#)).is_err(), "{wrong}");
    }
    assert!(read(Signal::Traces, br"{\").is_err());
}

#[test]
fn room_is_asked_for_before_numbers_of_one_digit_outgrow_their_text() {
    let text = |counts: usize| {
        let counts = "1,".repeat(counts);
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{counts}1]}}]}}}}]}}]}}]}}"#
        )
    };
    let mut asked = 0;
    let read = read_within(Signal::Metrics, text(10_000).as_bytes(), &mut |more| {
        asked += more;
        true
    });
    let body = read.unwrap().body.len();
    assert!((80_000..80_100).contains(&body), "{body}");
    assert!(asked + text(10_000).len() >= body, "{asked}");
    let none = read_within(Signal::Metrics, text(10_000).as_bytes(), &mut |_| false);
    assert!(matches!(none, Err(JsonError::NoRoom)), "{none:?}");
    assert!(read_within(Signal::Metrics, text(1).as_bytes(), &mut |_| false).is_ok());
}

#[test]
fn a_key_repeated_a_hundred_thousand_times_costs_no_more_than_its_text() {
    let many = format!(r#"{{"resourceSpans":[{{{}"schemaUrl":"last"}}]}}"#, r#""schemaUrl":"x","#.repeat(100_000));
    assert_eq!(read(Signal::Traces, many.as_bytes()).unwrap().body, b"\x0a\x06\x1a\x04last");
}

/// A request with a field of each message on the way to a span's values; `dress` may add to the inside of every object.
fn everything(dress: impl Fn(&str) -> String) -> String {
    let object = |fields: &str| format!("{{{}}}", dress(fields));
    let texts = [object(r#""stringValue":"x""#), object(r#""intValue":"7""#)].join(",");
    let array = object(&format!(r#""arrayValue":{}"#, object(&format!(r#""values":[{texts}]"#))));
    let entry = object(&format!(r#""key":"k","value":{array}"#));
    let map = object(&format!(r#""kvlistValue":{}"#, object(&format!(r#""values":[{entry}]"#))));
    let attribute = object(&format!(r#""key":"a","value":{map}"#));
    let event =
        object(&format!(r#""timeUnixNano":"1","name":"e","attributes":[{attribute}],"droppedAttributesCount":1"#));
    let link = object(
        r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"a=b","flags":1"#,
    );
    let status = object(r#""message":"m","code":2"#);
    let span = object(&format!(
        r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"s","parentSpanId":"eee19b7ec3c1b174","name":"n","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[{attribute}],"droppedAttributesCount":1,"events":[{event}],"droppedEventsCount":2,"links":[{link}],"droppedLinksCount":3,"status":{status},"flags":257"#
    ));
    let scope = object(&format!(r#""name":"l","version":"1","attributes":[{attribute}]"#));
    let scope_spans = object(&format!(r#""scope":{scope},"spans":[{span}],"schemaUrl":"u""#));
    let resource = object(&format!(r#""attributes":[{attribute}],"droppedAttributesCount":4"#));
    let group = object(&format!(r#""resource":{resource},"scopeSpans":[{scope_spans}],"schemaUrl":"v""#));
    object(&format!(r#""resourceSpans":[{group}]"#))
}

/// Respells keys with underscores, and says how many that changed.
fn snake_keys(text: &str) -> (String, u32) {
    let (mut out, mut changed) = (String::new(), 0);
    let parts: Vec<&str> = text.split('"').collect();
    for (index, part) in parts.iter().enumerate() {
        let key = index % 2 == 1 && parts[index + 1].starts_with(':');
        changed += u32::from(key && part.contains(|letter: char| letter.is_ascii_uppercase()));
        for letter in part.chars() {
            if key && letter.is_ascii_uppercase() {
                out.push('_');
                out.push(letter.to_ascii_lowercase());
            } else {
                out.push(letter);
            }
        }
        if index + 1 < parts.len() {
            out.push('"');
        }
    }
    (out, changed)
}
