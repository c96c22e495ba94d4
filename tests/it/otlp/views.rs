//! Every field of every view holds what prost reads from the same bytes.

use opentelemetry_proto::tonic::common::v1::any_value::Value as PbValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord as PbLog;
use opentelemetry_proto::tonic::metrics::v1::Metric as PbMetric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource as PbResource;
use opentelemetry_proto::tonic::trace::v1::Span as PbSpan;
use proptest::prelude::*;
use telemetry_gateway::otlp::metric::MetricKind;
use telemetry_gateway::otlp::span::{SpanKind, StatusCode};
use telemetry_gateway::otlp::{
    Attributes, Item, LogRecord, Metric, Resource, Scope, Signal, Span, SpanId, TraceId, Value, groups,
};

use super::generate::{self, Values};
use super::request::{Request, points};

proptest! {
    #[test]
    fn a_request_reads_the_same_through_the_views_as_through_prost(request in generate::request(Values::All)) {
        same_request(&request.encode(), &request);
    }
}

fn same_request(body: &[u8], request: &Request) {
    let mut read = groups(body);
    match request {
        Request::Traces(request) => {
            for group in &request.resource_spans {
                let scopes = group.scope_spans.iter();
                let scopes = scopes.map(|scope| (scope.scope.as_ref(), scope.schema_url.as_str(), &scope.spans));
                same_group(Signal::Traces, read.next(), group.resource.as_ref(), &group.schema_url, scopes, same_span);
            }
        }
        Request::Logs(request) => {
            for group in &request.resource_logs {
                let scopes = group.scope_logs.iter();
                let scopes = scopes.map(|scope| (scope.scope.as_ref(), scope.schema_url.as_str(), &scope.log_records));
                same_group(Signal::Logs, read.next(), group.resource.as_ref(), &group.schema_url, scopes, same_log);
            }
        }
        Request::Metrics(request) => {
            for group in &request.resource_metrics {
                let scopes = group.scope_metrics.iter();
                let scopes = scopes.map(|scope| (scope.scope.as_ref(), scope.schema_url.as_str(), &scope.metrics));
                let resource = group.resource.as_ref();
                same_group(Signal::Metrics, read.next(), resource, &group.schema_url, scopes, same_metric);
            }
        }
    }
    assert!(read.next().is_none(), "the views see more groups");
}

fn same_group<'p, P: 'p>(
    signal: Signal,
    read: Option<telemetry_gateway::otlp::Group<'_>>,
    resource: Option<&PbResource>,
    schema_url: &str,
    scopes: impl Iterator<Item = (Option<&'p InstrumentationScope>, &'p str, &'p Vec<P>)>,
    same_item: impl Fn(Item<'_>, &P),
) {
    let read = read.expect("the views see fewer groups");
    assert_eq!(read.schema_url, schema_url);
    same_resource(&read.resource, &resource.cloned().unwrap_or_default());
    let mut read_scopes = read.scopes();
    for (scope, schema_url, items) in scopes {
        let read = read_scopes.next().expect("the views see fewer scopes");
        assert_eq!(read.schema_url, schema_url);
        same_scope(&read.scope, &scope.cloned().unwrap_or_default());
        assert_eq!(read.items().count(), items.len());
        for (message, item) in read.items().zip(items) {
            same_item(Item::parse(signal, message), item);
        }
    }
    assert!(read_scopes.next().is_none(), "the views see more scopes");
}

fn same_resource(read: &Resource<'_>, resource: &PbResource) {
    same_attributes(read.attributes, &resource.attributes);
    assert_eq!(read.dropped_attributes_count, resource.dropped_attributes_count);
    let named = resource.attributes.iter().find(|attribute| attribute.key == "service.name");
    match named.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(PbValue::StringValue(name)) => assert_eq!(read.service_name(), name),
        _ => assert_eq!(read.service_name(), ""),
    }
}

fn same_scope(read: &Scope<'_>, scope: &InstrumentationScope) {
    assert_eq!((read.name, read.version), (scope.name.as_str(), scope.version.as_str()));
    same_attributes(read.attributes, &scope.attributes);
}

fn same_span(item: Item<'_>, span: &PbSpan) {
    assert_eq!(item.name(), span.name);
    let Item::Span(read) = item else { panic!("not a span") };
    let Span { trace_id, span_id, parent_span_id, trace_state, flags, name, kind, .. } = read;
    assert_eq!((trace_id, span_id), (TraceId::parse(&span.trace_id), SpanId::parse(&span.span_id)));
    assert_eq!(parent_span_id, SpanId::parse(&span.parent_span_id));
    assert_eq!((trace_state, flags, name), (span.trace_state.as_str(), span.flags, span.name.as_str()));
    assert_eq!(kind as i32, if (0..6).contains(&span.kind) { span.kind } else { SpanKind::Unspecified as i32 });
    assert_eq!(read.start_time_unix_nano, span.start_time_unix_nano);
    assert_eq!(read.end_time_unix_nano, span.end_time_unix_nano);
    same_attributes(read.attributes, &span.attributes);
    assert_eq!(read.dropped_attributes_count, span.dropped_attributes_count);
    assert_eq!(read.dropped_events_count, span.dropped_events_count);
    assert_eq!(read.dropped_links_count, span.dropped_links_count);
    let status = span.status.clone().unwrap_or_default();
    assert_eq!(read.status.message, status.message);
    assert_eq!(
        read.status.code as i32,
        if (0..3).contains(&status.code) { status.code } else { StatusCode::Unset as i32 }
    );

    assert_eq!((read.events.is_empty(), read.events.iter().count()), (span.events.is_empty(), span.events.len()));
    for (read, event) in read.events.iter().zip(&span.events) {
        assert_eq!((read.time_unix_nano, read.name), (event.time_unix_nano, event.name.as_str()));
        same_attributes(read.attributes, &event.attributes);
        assert_eq!(read.dropped_attributes_count, event.dropped_attributes_count);
    }
    assert_eq!(read.exceptions().count(), span.events.iter().filter(|event| event.name == "exception").count());

    assert_eq!((read.links.is_empty(), read.links.iter().count()), (span.links.is_empty(), span.links.len()));
    for (read, link) in read.links.iter().zip(&span.links) {
        assert_eq!((read.trace_id, read.span_id), (TraceId::parse(&link.trace_id), SpanId::parse(&link.span_id)));
        assert_eq!((read.trace_state, read.flags), (link.trace_state.as_str(), link.flags));
        same_attributes(read.attributes, &link.attributes);
        assert_eq!(read.dropped_attributes_count, link.dropped_attributes_count);
    }
}

fn same_log(item: Item<'_>, log: &PbLog) {
    assert_eq!(item.name(), log.event_name);
    let Item::Log(read) = item else { panic!("not a log record") };
    let LogRecord { time_unix_nano, observed_time_unix_nano, severity_number, severity_text, event_name, .. } = read;
    assert_eq!(time_unix_nano, log.time_unix_nano);
    assert_eq!(observed_time_unix_nano, log.observed_time_unix_nano);
    // A number that no severity has, and that does not fit, is none.
    assert_eq!(severity_number, u8::try_from(log.severity_number).unwrap_or(0));
    assert_eq!((severity_text, event_name), (log.severity_text.as_str(), log.event_name.as_str()));
    same_value(read.body, log.body.as_ref());
    same_attributes(read.attributes, &log.attributes);
    assert_eq!((read.dropped_attributes_count, read.flags), (log.dropped_attributes_count, log.flags));
    assert_eq!((read.trace_id, read.span_id), (TraceId::parse(&log.trace_id), SpanId::parse(&log.span_id)));
}

fn same_metric(item: Item<'_>, metric: &PbMetric) {
    assert_eq!(item.name(), metric.name);
    let Item::Metric(read) = item else { panic!("not a metric") };
    let Metric { name, description, unit, kind, .. } = read;
    assert_eq!((name, description), (metric.name.as_str(), metric.description.as_str()));
    assert_eq!(unit, metric.unit);
    assert_eq!(read.point_count(), points(metric) as usize);
    let (expected, attributes): (MetricKind, Vec<&Vec<KeyValue>>) = match &metric.data {
        None => (MetricKind::Unset, Vec::new()),
        Some(Data::Gauge(data)) => {
            (MetricKind::Gauge, data.data_points.iter().map(|point| &point.attributes).collect())
        }
        Some(Data::Sum(data)) => (MetricKind::Sum, data.data_points.iter().map(|point| &point.attributes).collect()),
        Some(Data::Histogram(data)) => {
            (MetricKind::Histogram, data.data_points.iter().map(|point| &point.attributes).collect())
        }
        Some(Data::ExponentialHistogram(data)) => {
            (MetricKind::ExponentialHistogram, data.data_points.iter().map(|point| &point.attributes).collect())
        }
        Some(Data::Summary(data)) => {
            (MetricKind::Summary, data.data_points.iter().map(|point| &point.attributes).collect())
        }
    };
    assert_eq!(kind, expected);
    assert_eq!(read.point_attributes().count(), attributes.len());
    for (read, attributes) in read.point_attributes().zip(attributes) {
        same_attributes(read, attributes);
    }
}

fn same_attributes(read: Attributes<'_>, attributes: &[KeyValue]) {
    assert_eq!((read.is_empty(), read.iter().count()), (attributes.is_empty(), attributes.len()));
    for ((key, value), attribute) in read.iter().zip(attributes) {
        assert_eq!(key, attribute.key);
        same_value(value, attribute.value.as_ref());
        let first = attributes.iter().find(|other| other.key == key).unwrap();
        same_value(read.get(key).expect("a key of the list"), first.value.as_ref());
    }
    assert!(read.get("no such key").is_none());
}

fn same_value(read: Value<'_>, value: Option<&AnyValue>) {
    match (read, value.and_then(|value| value.value.as_ref())) {
        // The index into a string table belongs to profiles, which do not come here.
        (Value::Empty, None | Some(PbValue::StringValueStrindex(_))) => {}
        (Value::Str(read), Some(PbValue::StringValue(text))) => assert_eq!(read, text),
        (Value::Bool(read), Some(PbValue::BoolValue(flag))) => assert_eq!(read, *flag),
        (Value::Int(read), Some(PbValue::IntValue(number))) => assert_eq!(read, *number),
        (Value::Double(read), Some(PbValue::DoubleValue(number))) => assert_eq!(read.to_bits(), number.to_bits()),
        (Value::Bytes(read), Some(PbValue::BytesValue(bytes))) => assert_eq!(read, bytes),
        (Value::Array(read), Some(PbValue::ArrayValue(array))) => {
            assert_eq!(read.iter().count(), array.values.len());
            read.iter().zip(&array.values).for_each(|(read, value)| same_value(read, Some(value)));
        }
        (Value::Map(read), Some(PbValue::KvlistValue(map))) => same_attributes(read, &map.values),
        (read, value) => panic!("{read:?} is not {value:?}"),
    }
}
