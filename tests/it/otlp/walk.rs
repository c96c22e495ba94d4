//! A reader that touches everything the views offer, for bytes of any kind. The fuzz targets use it too.

use std::hint::black_box;

use telemetry_gateway::otlp::{Attributes, Item, Key, Signal, Value, groups};

/// Walks all views completely and returns how many items it saw.
pub fn walk(signal: Signal, body: &[u8]) -> usize {
    let mut items = 0;
    for group in groups(body) {
        black_box((group.schema_url, group.resource.service_name(), group.resource.dropped_attributes_count));
        walk_attributes(group.resource.attributes);
        for scope in group.scopes() {
            black_box((scope.schema_url, scope.scope.name, scope.scope.version));
            walk_attributes(scope.scope.attributes);
            for message in scope.items() {
                items += 1;
                black_box(Item::weight(signal, message));
                walk_item(Item::parse(signal, message));
            }
        }
    }
    items
}

fn walk_item(item: Item<'_>) {
    black_box(item.name());
    match item {
        Item::Span(span) => {
            black_box((span.duration_nano(), span.kind.name(), span.status.code.name(), span.exceptions().count()));
            walk_attributes(span.attributes);
            for event in span.events.iter() {
                black_box((event.name, event.time_unix_nano));
                walk_attributes(event.attributes);
            }
            for link in span.links.iter() {
                black_box((link.trace_id, link.span_id, link.trace_state));
                walk_attributes(link.attributes);
            }
        }
        Item::Log(log) => {
            black_box((log.time(), log.severity(), log.severity_number_or_text(), log.is_exception()));
            walk_value(log.body, 0);
            walk_attributes(log.attributes);
        }
        Item::Metric(metric) => {
            black_box((metric.description, metric.unit, metric.kind.name(), metric.point_count()));
            metric.point_attributes().for_each(walk_attributes);
        }
    }
}

fn walk_attributes(attributes: Attributes<'_>) {
    let mut json = String::new();
    attributes.write_json(&mut json);
    assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok(), "{json}");
    black_box(attributes.is_empty());
    for key in [Key::ServiceName, Key::UrlQuery, Key::ServerPort, Key::DbSystemName] {
        black_box(attributes.find(key).map(|value| value.to_text().len()));
    }
    for (key, value) in attributes.iter() {
        black_box((Key::of(key), attributes.get(key).is_some()));
        walk_value(value, 0);
    }
}

fn walk_value(value: Value<'_>, depth: usize) {
    black_box((value.as_str(), value.as_int(), value.as_f64(), value.as_bool(), value.to_text().len()));
    if depth == 8 {
        return; // bytes that have not passed the door may nest without end, and each level is written whole
    }
    match value {
        Value::Array(array) => array.iter().for_each(|value| walk_value(value, depth + 1)),
        Value::Map(map) => map.iter().for_each(|(_, value)| walk_value(value, depth + 1)),
        _ => {}
    }
}
