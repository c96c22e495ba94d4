//! Requests of every shape that OTLP allows. Span ids are valid, for [`super::check`] puts the flaws in itself.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::request::Request;

/// Which values to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// All that OTLP can hold.
    All,
    /// What `with-serde` of `opentelemetry-proto` can read: numbers that JSON has, no index into a string table, and no
    /// empty field of the messages `KeyValue`, `ArrayValue`, `KeyValueList` and `EntityRef`, whose absence it refuses.
    Plain,
}

pub fn request(values: Values) -> BoxedStrategy<Request> {
    prop_oneof![traces(values), metrics(values), logs(values)].boxed()
}

pub fn traces(values: Values) -> BoxedStrategy<Request> {
    let scope = (option::of(scope(values)), vec(span(values), 0..4), text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let group = (option::of(resource(values)), vec(scope, 0..3), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(group, 0..3).prop_map(|resource_spans| Request::Traces(ExportTraceServiceRequest { resource_spans })).boxed()
}

pub fn logs(values: Values) -> BoxedStrategy<Request> {
    let scope = (option::of(scope(values)), vec(log_record(values), 0..4), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let group = (option::of(resource(values)), vec(scope, 0..3), text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(group, 0..3).prop_map(|resource_logs| Request::Logs(ExportLogsServiceRequest { resource_logs })).boxed()
}

pub fn metrics(values: Values) -> BoxedStrategy<Request> {
    let scope = (option::of(scope(values)), vec(metric(values), 0..4), text())
        .prop_map(|(scope, metrics, schema_url)| ScopeMetrics { scope, metrics, schema_url });
    let group = (option::of(resource(values)), vec(scope, 0..3), text())
        .prop_map(|(resource, scope_metrics, schema_url)| ResourceMetrics { resource, scope_metrics, schema_url });
    vec(group, 0..3)
        .prop_map(|resource_metrics| Request::Metrics(ExportMetricsServiceRequest { resource_metrics }))
        .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        2 => Just(String::new()),
        4 => "[a-z._]{1,12}",
        1 => Just("exception".to_owned()),
        1 => any::<String>().prop_map(|text| text.chars().take(12).collect()),
        1 => "[\u{0}-\u{1f}\"\\\\/\u{7f}\u{2028}é🦀]{0,8}",
    ]
    .boxed()
}

/// Text where `with-serde` demands the key.
fn demanded_text(values: Values) -> BoxedStrategy<String> {
    match values {
        Values::All => text(),
        Values::Plain => text().prop_map(|text| if text.is_empty() { "key".to_owned() } else { text }).boxed(),
    }
}

/// Lengths of lists where `with-serde` demands the key.
fn demanded_length(values: Values) -> std::ops::Range<usize> {
    usize::from(values == Values::Plain)..4
}

fn double(values: Values) -> BoxedStrategy<f64> {
    let finite = prop_oneof![
        any::<f64>().prop_filter("finite", |number| number.is_finite()),
        proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL,
        Just(0.0),
        Just(-0.0),
        Just(1e21),
        Just(f64::MAX),
    ];
    match values {
        Values::Plain => finite.boxed(),
        Values::All => {
            prop_oneof![4 => finite, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(f64::NEG_INFINITY)]
                .boxed()
        }
    }
}

fn whole() -> BoxedStrategy<i64> {
    prop_oneof![any::<i64>(), -300..300_i64, Just(i64::MIN), Just(i64::MAX), Just((1 << 53) + 1)].boxed()
}

fn unsigned() -> BoxedStrategy<u64> {
    prop_oneof![any::<u64>(), 0..300_u64, Just(u64::MAX), Just(1_763_800_000_123_456_789)].boxed()
}

fn small() -> BoxedStrategy<u32> {
    prop_oneof![3 => Just(0), 2 => 0..300_u32, 1 => any::<u32>()].boxed()
}

/// The number of an enum: those that have names, those that do not, and negative ones.
fn enumerator() -> BoxedStrategy<i32> {
    prop_oneof![4 => 0..26_i32, 1 => any::<i32>()].boxed()
}

fn id(bytes: usize) -> BoxedStrategy<Vec<u8>> {
    vec(any::<u8>(), bytes).prop_filter("not all zero", |id| id.iter().any(|byte| *byte != 0)).boxed()
}

fn optional_id(bytes: usize) -> BoxedStrategy<Vec<u8>> {
    prop_oneof![4 => id(bytes), 2 => Just(Vec::new()), 1 => Just(vec![0; bytes])].boxed()
}

fn any_value(values: Values) -> BoxedStrategy<AnyValue> {
    let strindex = u32::from(values == Values::All);
    let leaf = prop_oneof![
        4 => Just(None),
        8 => text().prop_map(|text| Some(Value::StringValue(text))),
        4 => any::<bool>().prop_map(|flag| Some(Value::BoolValue(flag))),
        4 => whole().prop_map(|number| Some(Value::IntValue(number))),
        4 => double(values).prop_map(|number| Some(Value::DoubleValue(number))),
        4 => vec(any::<u8>(), 0..20).prop_map(|bytes| Some(Value::BytesValue(bytes))),
        strindex => any::<i32>().prop_map(|index| Some(Value::StringValueStrindex(index))),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 12, 3, move |inner| {
        prop_oneof![
            vec(inner.clone(), demanded_length(values)).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(key_value(values, inner.boxed()), demanded_length(values))
                .prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
    .boxed()
}

fn key_value(values: Values, value: BoxedStrategy<AnyValue>) -> BoxedStrategy<KeyValue> {
    let key_strindex = if values == Values::All { small() } else { Just(0).boxed() };
    (demanded_text(values), option::weighted(0.9, value), key_strindex)
        .prop_map(|(key, value, index)| KeyValue { key, value, key_strindex: index.cast_signed() })
        .boxed()
}

fn attributes(values: Values) -> BoxedStrategy<Vec<KeyValue>> {
    vec(key_value(values, any_value(values)), 0..3).boxed()
}

fn resource(values: Values) -> BoxedStrategy<Resource> {
    let list = || vec(text(), demanded_length(values));
    let entity = (demanded_text(values), demanded_text(values), list(), list()).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef { schema_url, r#type, id_keys, description_keys },
    );
    (attributes(values), small(), vec(entity, 0..2))
        .prop_map(|(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        })
        .boxed()
}

fn scope(values: Values) -> BoxedStrategy<InstrumentationScope> {
    (text(), text(), attributes(values), small())
        .prop_map(|(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        })
        .boxed()
}

fn span(values: Values) -> BoxedStrategy<Span> {
    let event = (unsigned(), text(), attributes(values), small()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    );
    let link = (optional_id(16), optional_id(8), text(), attributes(values), small(), small()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    );
    let status = option::of((text(), enumerator()).prop_map(|(message, code)| Status { message, code }));
    let ids = (id(16), id(8), optional_id(8), text(), text());
    let numbers = (enumerator(), unsigned(), unsigned(), small(), small(), small(), small());
    (ids, numbers, attributes(values), vec(event, 0..3), vec(link, 0..3), status)
        .prop_map(|(ids, numbers, attributes, events, links, status)| Span {
            trace_id: ids.0,
            span_id: ids.1,
            parent_span_id: ids.2,
            trace_state: ids.3,
            name: ids.4,
            kind: numbers.0,
            start_time_unix_nano: numbers.1,
            end_time_unix_nano: numbers.2,
            flags: numbers.3,
            dropped_attributes_count: numbers.4,
            dropped_events_count: numbers.5,
            dropped_links_count: numbers.6,
            attributes,
            events,
            links,
            status,
        })
        .boxed()
}

fn log_record(values: Values) -> BoxedStrategy<LogRecord> {
    let texts = (text(), text(), optional_id(16), optional_id(8));
    let numbers = (unsigned(), unsigned(), enumerator(), small(), small());
    (texts, numbers, option::of(any_value(values)), attributes(values))
        .prop_map(|(texts, numbers, body, attributes)| LogRecord {
            severity_text: texts.0,
            event_name: texts.1,
            trace_id: texts.2,
            span_id: texts.3,
            time_unix_nano: numbers.0,
            observed_time_unix_nano: numbers.1,
            severity_number: numbers.2,
            dropped_attributes_count: numbers.3,
            flags: numbers.4,
            body,
            attributes,
        })
        .boxed()
}

fn metric(values: Values) -> BoxedStrategy<Metric> {
    let data = prop_oneof![
        vec(number_point(values), 0..3).prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (vec(number_point(values), 0..3), enumerator(), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic
            })
        ),
        (vec(histogram_point(values), 0..3), enumerator()).prop_map(|(data_points, aggregation_temporality)| {
            Data::Histogram(Histogram { data_points, aggregation_temporality })
        }),
        (vec(exponential_point(values), 0..3), enumerator()).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        }),
        vec(summary_point(values), 0..3).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ];
    (text(), text(), text(), attributes(values), option::weighted(0.9, data))
        .prop_map(|(name, description, unit, metadata, data)| Metric { name, description, unit, metadata, data })
        .boxed()
}

fn exemplars(values: Values) -> BoxedStrategy<Vec<Exemplar>> {
    let value =
        prop_oneof![double(values).prop_map(exemplar::Value::AsDouble), whole().prop_map(exemplar::Value::AsInt)];
    let exemplar = (attributes(values), unsigned(), optional_id(8), optional_id(16), option::of(value)).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    );
    vec(exemplar, 0..2).boxed()
}

fn number_point(values: Values) -> BoxedStrategy<NumberDataPoint> {
    let value = prop_oneof![
        double(values).prop_map(number_data_point::Value::AsDouble),
        whole().prop_map(number_data_point::Value::AsInt)
    ];
    (attributes(values), unsigned(), unsigned(), exemplars(values), small(), option::of(value))
        .prop_map(|(attributes, start_time_unix_nano, time_unix_nano, exemplars, flags, value)| NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            exemplars,
            flags,
            value,
        })
        .boxed()
}

fn histogram_point(values: Values) -> BoxedStrategy<HistogramDataPoint> {
    let numbers = (unsigned(), unsigned(), unsigned(), small());
    let optional = (option::of(double(values)), option::of(double(values)), option::of(double(values)));
    (attributes(values), numbers, optional, vec(unsigned(), 0..5), vec(double(values), 0..5), exemplars(values))
        .prop_map(|(attributes, numbers, optional, bucket_counts, explicit_bounds, exemplars)| HistogramDataPoint {
            attributes,
            start_time_unix_nano: numbers.0,
            time_unix_nano: numbers.1,
            count: numbers.2,
            flags: numbers.3,
            sum: optional.0,
            min: optional.1,
            max: optional.2,
            bucket_counts,
            explicit_bounds,
            exemplars,
        })
        .boxed()
}

fn exponential_point(values: Values) -> BoxedStrategy<ExponentialHistogramDataPoint> {
    let buckets = || {
        option::of(
            (any::<i32>(), vec(unsigned(), 0..5)).prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts }),
        )
    };
    let numbers = (unsigned(), unsigned(), unsigned(), unsigned(), small(), any::<i32>(), double(values));
    let optional = (option::of(double(values)), option::of(double(values)), option::of(double(values)));
    (attributes(values), numbers, optional, buckets(), buckets(), exemplars(values))
        .prop_map(|(attributes, numbers, optional, positive, negative, exemplars)| ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: numbers.0,
            time_unix_nano: numbers.1,
            count: numbers.2,
            zero_count: numbers.3,
            flags: numbers.4,
            scale: numbers.5,
            zero_threshold: numbers.6,
            sum: optional.0,
            min: optional.1,
            max: optional.2,
            positive,
            negative,
            exemplars,
        })
        .boxed()
}

fn summary_point(values: Values) -> BoxedStrategy<SummaryDataPoint> {
    let quantile = (double(values), double(values)).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    (attributes(values), unsigned(), unsigned(), unsigned(), double(values), vec(quantile, 0..3), small())
        .prop_map(|(attributes, start_time_unix_nano, time_unix_nano, count, sum, quantile_values, flags)| {
            SummaryDataPoint { attributes, start_time_unix_nano, time_unix_nano, count, sum, quantile_values, flags }
        })
        .boxed()
}
