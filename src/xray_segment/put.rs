//! Writes OTLP's protobuf: just the messages that a segment document becomes.

use super::json::Json;
use crate::otlp::wire::{put_bytes, put_varint};

/// Values nested deeper are left out: the door takes no deeper ones either.
const DEPTH_MAX: usize = 64;

/// Appends a message whose length is known only once it is written.
pub fn put_message(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    put_varint(out, u64::from(number << 3 | 2));
    let start = out.len();
    write(out);
    let end = out.len();
    put_varint(out, (end - start) as u64);
    let length_bytes = out.len() - end;
    out[start..].rotate_right(length_bytes);
}

/// Appends a field of varint type.
pub fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(out, u64::from(number << 3));
    put_varint(out, value);
}

/// Appends a field of type fixed64.
pub fn put_fixed64(out: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(out, u64::from(number << 3 | 1));
    out.extend_from_slice(&value.to_le_bytes());
}

/// The attributes of one message, each written as a field of one number.
pub struct Attributes<'o> {
    pub out: &'o mut Vec<u8>,
    pub number: u32,
}

impl Attributes<'_> {
    pub fn text(&mut self, name: &str, text: &str) {
        self.put(name, |out| put_bytes(out, 1, text.as_bytes()));
    }

    pub fn bool(&mut self, name: &str, flag: bool) {
        self.put(name, |out| put_number(out, 2, flag.into()));
    }

    pub fn int(&mut self, name: &str, number: i64) {
        self.put(name, |out| put_number(out, 3, number as u64));
    }

    /// A text that is there.
    pub fn text_of(&mut self, name: &str, from: &Json<'_>, member: &str) {
        if let Some(text) = from.text(member) {
            self.text(name, text);
        }
    }

    /// A list of texts.
    pub fn texts<'t>(&mut self, name: &str, texts: impl IntoIterator<Item = &'t str>) {
        self.put(name, |out| {
            put_message(out, 5, |out| {
                for text in texts {
                    put_message(out, 1, |out| put_bytes(out, 1, text.as_bytes()));
                }
            });
        });
    }

    /// Any value.
    pub fn json(&mut self, name: &str, value: &Json<'_>) {
        self.put(name, |out| put_value(out, value, 0));
    }

    fn put(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        put_message(self.out, self.number, |out| {
            put_bytes(out, 1, name.as_bytes());
            put_message(out, 2, write);
        });
    }
}

/// Writes the one field of an `AnyValue`.
fn put_value(out: &mut Vec<u8>, value: &Json<'_>, depth: usize) {
    match value {
        Json::Null => {}
        Json::Bool(flag) => put_number(out, 2, (*flag).into()),
        Json::Int(number) => put_number(out, 3, *number as u64),
        Json::Uint(number) => put_fixed64(out, 4, (*number as f64).to_bits()),
        Json::Double(number) => put_fixed64(out, 4, number.to_bits()),
        Json::Str(text) => put_bytes(out, 1, text.as_bytes()),
        Json::List(_) | Json::Object(_) if depth >= DEPTH_MAX => {}
        Json::List(elements) => put_message(out, 5, |out| {
            for element in elements {
                put_message(out, 1, |out| put_value(out, element, depth + 1));
            }
        }),
        Json::Object(members) => put_message(out, 6, |out| {
            for (name, value) in members {
                put_message(out, 1, |out| {
                    put_bytes(out, 1, name.as_bytes());
                    put_message(out, 2, |out| put_value(out, value, depth + 1));
                });
            }
        }),
    }
}
