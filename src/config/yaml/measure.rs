//! Whole trees at once: numbered, measured, merged. Recursion is bounded by `DEPTH_MAX`, which the builder keeps.

use std::collections::HashMap;

use crate::config::yaml::{Key, Node, Value};

/// So much text weighs as much as a node: an alias must not multiply a long text unseen.
const NODE_TEXT_BYTES: usize = 64;

/// Numbers the nodes in reading order..
pub fn number(node: &mut Node, next: &mut usize) {
    node.id = *next;
    *next += 1;
    match &mut node.value {
        Value::Sequence(items) => items.iter_mut().for_each(|item| number(item, next)),
        Value::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| number(value, next)),
        Value::Null | Value::Scalar(_) => {}
    }
}

/// Adds the entries whose keys are not there yet.
pub fn merge(entries: &mut Vec<(Key, Node)>, lines: &mut HashMap<String, u32>, merged: Node) {
    if let Value::Mapping(others) = merged.value {
        for (key, value) in others {
            if !lines.contains_key(&key.text) {
                lines.insert(key.text.clone(), key.place.line);
                entries.push((key, value));
            }
        }
    }
}

/// Weighs a node and all below it, as [`NODES_MAX`](crate::config::yaml::NODES_MAX) counts them.
pub fn weight(node: &Node) -> usize {
    match &node.value {
        Value::Null => 1,
        Value::Scalar(scalar) => 1 + scalar.text.len() / NODE_TEXT_BYTES,
        Value::Sequence(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Mapping(entries) => {
            let pair = |(key, value): &(Key, Node)| key.text.len() / NODE_TEXT_BYTES + weight(value);
            1 + entries.iter().map(pair).sum::<usize>()
        }
    }
}

/// Gives how many levels of lists and mappings a node has.
pub fn depth(node: &Node) -> usize {
    match &node.value {
        Value::Sequence(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Mapping(entries) => 1 + entries.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        Value::Null | Value::Scalar(_) => 0,
    }
}
