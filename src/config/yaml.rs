//! gateway.yaml as a tree of [`Node`]s that know their places. What the values mean is not decided here.
//!
//! The project reads YAML through the crate it calls `serde_yaml`; this file and its builder use the event parser that
//! the crate re-exports, because its serde side stops at the first error and keeps neither quoting nor raw text.
//!
//! Taken: one document of mappings with text keys, lists and scalars; anchors, aliases and merge keys (`<<`), expanded
//! here; the tags of the YAML core schema. Problems: a second document, other tags, duplicate keys, lists or mappings
//! as keys. Every bound below ends reading with a problem, so an alias bomb is a message and not an outage.

mod build;
mod measure;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::config::problem::Problem;
use crate::stdx::located::Place;

pub(in crate::config) use build::parse;

/// Largest file that is read. A gateway.yaml of a hundred exporters has 50 KiB.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// Most keys and values after aliases are expanded; copies of long texts count once more for every 64 bytes.
pub const NODES_MAX: usize = 50_000;

/// Most levels of mappings and lists in each other, after aliases are expanded.
pub const DEPTH_MAX: usize = 64;

/// A file to read: the name that messages show, and its text.
#[derive(Clone)]
pub struct Source {
    pub name: String,
    pub text: String,
}

impl Source {
    /// Makes a source, without the byte-order mark some editors write.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            name: name.into(),
            text: match text.strip_prefix('\u{feff}') {
                Some(rest) => rest.to_owned(),
                None => text,
            },
        }
    }
}

/// A value and where it was written. What came by an alias has the place of its anchor.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    pub place: Place,
    pub value: Value,
    /// Number of the node in reading order, the root being 0; its descendants follow without gap.
    pub(in crate::config) id: usize,
    /// Bytes of the source it was written in; for mappings and lists only their start.
    pub(in crate::config) span: Range<usize>,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing written, `~` or `null`.
    Null,
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// In the order written; no key twice.
    Mapping(Vec<(Key, Node)>),
}

/// The key of a mapping. Variables are not replaced in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    pub text: String,
    pub place: Place,
    pub(in crate::config) span: Range<usize>,
}

/// Text and how it was written, from which a reader decides what it may be: a plain `5` is a number, `"5"` is not.
#[derive(Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text after YAML's escapes and folding, not otherwise interpreted: `0123` and `1.10` stay as they are.
    pub text: String,
    pub style: Style,
    pub origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    /// In single or double quotes, or tagged `!!str`.
    Quoted,
    /// After `|` or `>`.
    Block,
}

/// Where the text of a scalar comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    File,
    /// At least one `${…}` was replaced in it. Not shown in messages, and text unless a number or boolean is wanted.
    Environment,
}

/// What was made of a text.
pub(in crate::config) struct Parsed {
    /// The tree; `None` when the text is no YAML or exceeds a bound.
    pub root: Option<Node>,
    pub problems: Vec<Problem>,
    /// Where all keys and values stand, also those that did not get into the tree.
    pub scalars: Vec<Range<usize>>,
    /// Where those stand that did not get into the tree, and could be anything.
    pub left_out: Vec<Range<usize>>,
}

impl Node {
    /// Gives what stands below a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(known, _)| known.text == key).map(|(_, node)| node)
    }

    /// Follows keys from here: `tree.at(&["exporters", "honeycomb", "preview"])`.
    pub fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Gives the entries of a mapping; of anything else none.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// Gives the elements of a list; of anything else none.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// Gives the text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// Says whether this is a `true` that a boolean field would take.
    pub fn is_true(&self) -> bool {
        match &self.value {
            Value::Scalar(scalar) => scalar.boolean() == Some(true),
            _ => false,
        }
    }
}

impl Scalar {
    /// Says whether numbers and booleans may be read from it: written without quotes, or from a variable.
    pub fn is_open(&self) -> bool {
        self.style == Style::Plain || self.origin == Origin::Environment
    }

    /// Reads a boolean of the YAML core schema (<https://yaml.org/spec/1.2.2/#1032-tag-resolution>).
    pub fn boolean(&self) -> Option<bool> {
        match self.text.as_str() {
            _ if !self.is_open() => None,
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// Reads a whole number of the core schema: decimal, `0o` octal or `0x` hexadecimal, of at most 127 bits.
    pub fn integer(&self) -> Option<i128> {
        if !self.is_open() {
            return None;
        }
        let digits = |text: &str, radix: u32| -> Option<i128> {
            // The standard parser takes a sign anywhere a number starts; the schema does not after a prefix.
            text.bytes().next().filter(u8::is_ascii_alphanumeric)?;
            i128::from_str_radix(text, radix).ok()
        };
        if let Some(octal) = self.text.strip_prefix("0o") {
            digits(octal, 8)
        } else if let Some(hexadecimal) = self.text.strip_prefix("0x") {
            digits(hexadecimal, 16)
        } else if let Some(negative) = self.text.strip_prefix('-') {
            digits(negative, 10).map(|number| -number)
        } else {
            digits(self.text.strip_prefix('+').unwrap_or(&self.text), 10)
        }
    }

    /// Reads a number of the core schema, whole or not, `.inf` and `.nan` included.
    pub fn float(&self) -> Option<f64> {
        if !self.is_open() {
            return None;
        }
        let unsigned = self.text.trim_start_matches(['-', '+']);
        if self.text.len() - unsigned.len() > 1 {
            return None;
        }
        let sign = if self.text.starts_with('-') { -1.0 } else { 1.0 };
        match unsigned {
            ".inf" | ".Inf" | ".INF" => Some(sign * f64::INFINITY),
            ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
            // The standard parser also takes `inf` and `nan` as words; the schema's numbers have a digit in front
            // or behind a point, and letters only for the exponent.
            _ if unsigned.bytes().all(|byte| b"0123456789.eE+-".contains(&byte))
                && unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') =>
            {
                self.text.parse().ok()
            }
            _ => self.integer().map(|number| number as f64),
        }
    }
}
