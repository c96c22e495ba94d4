//! `metadata.default`: every attribute that has no other place, under the name it came with.

use super::ladder::Level;
use super::writer::{Writer, cut_bytes};
use crate::exporter::xray::config::DOCUMENT_BYTES_MAX;
use crate::otlp::Value;

/// In front of a namespace's name, in attributes whose text is that namespace.
pub const NAMESPACE_PREFIX: &str = "aws.xray.metadata.";

/// The namespace that the conversion itself writes.
pub const OWN_NAMESPACE: &str = "otel";

/// How deep a namespace's JSON may nest; serde_json reads no deeper than 128 levels, and two are ours.
const DEPTH_MAX: usize = 100;

/// Writes one member.
#[inline]
pub fn write(
    writer: &mut Writer<'_>,
    prefix: &'static str,
    name: &str,
    value: Value<'_>,
    level: &Level,
    bytes_max: usize,
) {
    writer.member_named(prefix, cut_bytes(name, level.string_bytes_max));
    let start = writer.mark();
    writer.value_within(value, level.string_bytes_max, 0);
    drop_if_larger(writer, start, bytes_max);
}

/// Replaces what was written since `start` by its size.
#[inline]
pub fn drop_if_larger(writer: &mut Writer<'_>, start: usize, bytes_max: usize) {
    let bytes = writer.len_since(start);
    if bytes > bytes_max {
        writer.back_to(start);
        writer.raw("\\\"[dropped ");
        writer.uint(bytes as u64);
        writer.raw(" bytes]\\\"");
    }
}

/// Reads the JSON object that is to be a namespace; `None` for any other text, and for one too long or nested too deep.
pub fn namespace(text: &str, bytes_max: usize) -> Option<serde_json::Map<String, serde_json::Value>> {
    if text.len() > bytes_max.min(DOCUMENT_BYTES_MAX) {
        return None;
    }
    let map = serde_json::from_str(text).ok()?;
    let is_flat = |value: &serde_json::Value| depth(value) <= DEPTH_MAX;
    Some(map).filter(|map: &serde_json::Map<String, serde_json::Value>| map.values().all(is_flat))
}

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or_default(),
        serde_json::Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Writes one member of a namespace.
pub fn write_json_member(writer: &mut Writer<'_>, name: &str, value: &serde_json::Value, level: &Level) {
    writer.member_named("", cut_bytes(name, level.string_bytes_max));
    let start = writer.mark();
    write_json(writer, value, level);
    drop_if_larger(writer, start, level.value_bytes_max);
}

fn write_json(writer: &mut Writer<'_>, value: &serde_json::Value, level: &Level) {
    match value {
        serde_json::Value::String(text) => writer.value_within(Value::Str(text), level.string_bytes_max, 0),
        serde_json::Value::Array(list) => {
            writer.open_list();
            for value in list {
                writer.comma();
                write_json(writer, value, level);
            }
            writer.close_list();
        }
        serde_json::Value::Object(map) => {
            writer.open();
            for (name, value) in map {
                writer.member_named("", name);
                write_json(writer, value, level);
            }
            writer.close();
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
            writer.raw(&value.to_string());
        }
    }
}
