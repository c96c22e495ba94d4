//! Foreign values as JSON: scrubbed, and bounded in depth, number and length.

use std::borrow::Cow;

use super::node::{Map, Node, cut_chars};
use crate::exporter::rollbar::scrub::{MASK, Scrubber};
use crate::otlp::{Attributes, Value};

/// Deeper values are told by their kind only. The wire allows any depth, a stack does not.
const DEPTH_MAX: usize = 8;
/// Entries of one list or map.
pub const ENTRIES_MAX: usize = 64;
/// Characters of a key.
const KEY_CHARS_MAX: usize = 128;
/// Characters of one text.
pub const TEXT_CHARS_MAX: usize = 4096;

/// A value under a key, which decides whether it is secret as a whole.
pub fn node<'a>(scrubber: &Scrubber, key: &str, value: Value<'a>) -> Node<'a> {
    if scrubber.is_secret(key) && !matches!(value, Value::Empty) {
        return Node::text(MASK);
    }
    bare(scrubber, value, 0)
}

/// A value without a key.
pub fn bare<'a>(scrubber: &Scrubber, value: Value<'a>, depth: usize) -> Node<'a> {
    match value {
        Value::Empty => Node::Null,
        Value::Str(text) => Node::Text(cut_chars(scrubber.text(text), TEXT_CHARS_MAX)),
        Value::Bool(flag) => Node::Bool(flag),
        Value::Int(number) => Node::Int(number),
        Value::Double(number) if number.is_finite() => Node::Double(number),
        Value::Double(number) => Node::text(number.to_string()),
        Value::Bytes(bytes) => Node::text(format!("({} bytes)", bytes.len())),
        Value::Array(_) | Value::Map(_) if depth >= DEPTH_MAX => Node::text("(deeper)"),
        Value::Array(array) => {
            Node::List(array.iter().take(ENTRIES_MAX).map(|value| bare(scrubber, value, depth + 1)).collect())
        }
        Value::Map(attributes) => Node::Map(map(scrubber, attributes, depth)),
    }
}

/// A map of values; of a repeated name the first counts.
pub fn map<'a>(scrubber: &Scrubber, attributes: Attributes<'a>, depth: usize) -> Map<'a> {
    let mut map = Map::default();
    for (key, value) in attributes.iter().take(ENTRIES_MAX) {
        let name = cut_chars(scrubber.text(key), KEY_CHARS_MAX);
        if !map.has(&name) {
            let node = if scrubber.is_secret(key) { Node::text(MASK) } else { bare(scrubber, value, depth + 1) };
            map.put(name, node);
        }
    }
    map
}

/// Attributes as an object; of a repeated name the first counts.
pub fn object<'a>(scrubber: &Scrubber, attributes: impl Iterator<Item = (&'a str, Value<'a>)>) -> Map<'a> {
    let mut map = Map::default();
    for (key, value) in attributes {
        if map.len() == ENTRIES_MAX {
            break;
        }
        let name = cut_chars(scrubber.text(key), KEY_CHARS_MAX);
        if !map.has(&name) {
            map.put(name, small(node(scrubber, key, value)));
        }
    }
    map
}

/// A structure as it is, or the beginning of its JSON where that is longer than a text may be.
fn small(node: Node<'_>) -> Node<'_> {
    if let Node::List(_) | Node::Map(_) = node {
        let mut json = String::new();
        node.write(&mut json);
        if json.len() > TEXT_CHARS_MAX {
            return Node::Text(cut_chars(json, TEXT_CHARS_MAX));
        }
    }
    node
}

/// A value as text for a field that takes text only; lists are joined by `, `.
pub fn text(value: Value<'_>) -> Cow<'_, str> {
    match value {
        Value::Array(array) => {
            let parts: Vec<_> = array.iter().take(ENTRIES_MAX).map(scalar).collect();
            Cow::Owned(parts.join(", "))
        }
        other => scalar(other),
    }
}

fn scalar(value: Value<'_>) -> Cow<'_, str> {
    match value {
        // Its JSON would be as deep as the wire allows.
        Value::Array(_) | Value::Map(_) => Cow::Borrowed(""),
        other => other.to_text(),
    }
}
