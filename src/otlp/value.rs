//! Attribute values and lists of attributes, borrowed from the batch.

use std::borrow::Cow;
use std::fmt::Write;

use super::check::DEPTH_MAX;
use super::semconv::Key;
use super::wire::{Fields, Repeated, Wire, text};

/// An OTLP `AnyValue` of any kind.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// No value was set.
    Empty,
    Str(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Array(Array<'a>),
    Map(Attributes<'a>),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Reads an `AnyValue` message; where several kinds are set the last one counts, as protobuf demands.
    #[inline]
    pub fn parse(message: &'a [u8]) -> Self {
        // Nearly every value is a short text; what it is made of is read at once.
        if let [0x0a, length @ 0..0x80, bytes @ ..] = message
            && usize::from(*length) == bytes.len()
        {
            return Value::Str(text(bytes));
        }
        let mut value = Value::Empty;
        for (number, wire) in Fields::new(message) {
            value = match number {
                1 => Value::Str(wire.text()),
                2 => Value::Bool(wire.number() != 0),
                3 => Value::Int(wire.number() as i64),
                4 => Value::Double(f64::from_bits(wire.number())),
                5 => Value::Array(Array(Repeated::new(wire.bytes(), 1))),
                6 => Value::Map(Attributes(Repeated::new(wire.bytes(), 1))),
                7 => Value::Bytes(wire.bytes()),
                _ => value,
            };
        }
        value
    }

    /// The text of a string value.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number: an integer, or a double or string that holds one.
    pub fn as_int(self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(number),
            Value::Double(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => Some(number as i64),
            Value::Str(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Any number: an integer or a double, or a string that holds one.
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(number as f64),
            Value::Double(number) => Some(number),
            Value::Str(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    pub fn as_bool(self) -> Option<bool> {
        match self {
            Value::Bool(flag) => Some(flag),
            Value::Str("true") => Some(true),
            Value::Str("false") => Some(false),
            _ => None,
        }
    }

    /// The value as a person would write it: text bare, numbers in decimal, lists and maps as JSON, bytes as base64.
    pub fn to_text(self) -> Cow<'a, str> {
        match self {
            Value::Str(text) => Cow::Borrowed(text),
            Value::Empty => Cow::Borrowed(""),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Int(number) => Cow::Owned(number.to_string()),
            other => {
                let mut out = String::new();
                other.write_json(&mut out);
                if let Value::Bytes(_) | Value::Double(_) = other {
                    out.retain(|character| character != '"');
                }
                Cow::Owned(out)
            }
        }
    }

    /// Appends the value as plain JSON: what a JSON-minded reader would expect, not OTLP/JSON. Doubles that JSON cannot
    /// hold become strings (`"NaN"`), bytes become base64, an empty value becomes null. So does what nests deeper than
    /// [`DEPTH_MAX`], which the door refuses.
    pub fn write_json(self, out: &mut String) {
        self.write_nested(0, out);
    }

    fn write_nested(self, depth: usize, out: &mut String) {
        match self {
            Value::Array(_) | Value::Map(_) if depth == DEPTH_MAX => out.push_str("null"),
            Value::Empty => out.push_str("null"),
            Value::Str(text) => write_json_string(out, text),
            Value::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
            Value::Int(number) => write!(out, "{number}").expect("writing to a String cannot fail"),
            Value::Double(number) if number.is_finite() => {
                write!(out, "{number:?}").expect("writing to a String cannot fail");
            }
            Value::Double(number) if number.is_nan() => out.push_str("\"NaN\""),
            Value::Double(number) => out.push_str(if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }),
            Value::Array(array) => {
                out.push('[');
                for (index, value) in array.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    value.write_nested(depth + 1, out);
                }
                out.push(']');
            }
            Value::Map(map) => map.write_nested(depth + 1, out),
            Value::Bytes(bytes) => {
                use base64::Engine;
                out.push('"');
                base64::engine::general_purpose::STANDARD.encode_string(bytes, out);
                out.push('"');
            }
        }
    }
}

/// Appends a JSON string with its quotes.
pub fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (index, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[plain..index]);
        if escape.is_empty() {
            write!(out, "\\u{byte:04x}").expect("writing to a String cannot fail");
        } else {
            out.push_str(escape);
        }
        plain = index + 1;
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// An OTLP `ArrayValue`.
#[derive(Debug, Clone, Copy)]
pub struct Array<'a>(Repeated<'a>);

impl<'a> Array<'a> {
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        self.0.iter().map(Value::parse)
    }
}

/// A list of `KeyValue`, in the order of the wire. Looking one up is a walk: convert in one pass where many are needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a>(pub(super) Repeated<'a>);

impl<'a> Attributes<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        self.0.iter().map(|message| {
            let (key, value) = split(message);
            (text(key), Value::parse(value))
        })
    }

    /// The value under exactly this name; the first one where a sender repeats it.
    #[inline]
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.0.iter().map(split).find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| Value::parse(value))
    }

    /// The value under the key's present name, else under its old names in the order of the table.
    pub fn find(&self, key: Key) -> Option<Value<'a>> {
        let (present, mut better) = (key.name().as_bytes(), key.old_names());
        let mut found = None;
        for message in self.0.iter() {
            let (name, value) = split(message);
            if name == present {
                return Some(Value::parse(value));
            }
            if let Some(rank) = better.iter().position(|(old, _)| old.as_bytes() == name)
                && let Some(value) = better[rank].1.read(Value::parse(value))
            {
                found = Some(value);
                better = &better[..rank];
            }
        }
        found
    }

    /// The text under a key of the semantic conventions, old names included.
    pub fn find_str(&self, key: Key) -> Option<&'a str> {
        self.find(key).and_then(Value::as_str)
    }

    /// Appends the attributes as one plain JSON object.
    pub fn write_json(&self, out: &mut String) {
        self.write_nested(0, out);
    }

    fn write_nested(&self, depth: usize, out: &mut String) {
        out.push('{');
        for (index, (key, value)) in self.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_json_string(out, key);
            out.push(':');
            value.write_nested(depth, out);
        }
        out.push('}');
    }
}

/// Splits a `KeyValue` message into the bytes of its key and of its value.
#[inline]
fn split(message: &[u8]) -> (&[u8], &[u8]) {
    // As nearly every attribute is written: the key, then the value, both short.
    if let [0x0a, length @ 0..0x80, rest @ ..] = message
        && let Some((key, [0x12, length @ 0..0x80, value @ ..])) = rest.split_at_checked(usize::from(*length))
        && usize::from(*length) == value.len()
    {
        return (key, value);
    }
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    for (number, wire) in Fields::new(message) {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => key = bytes,
            (2, Wire::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    (key, value)
}
