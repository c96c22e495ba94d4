//! Protobuf into OTLP/JSON, by the specification to the letter. For people and files, not for the hot path.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::otlp::Signal;
use crate::otlp::check::DEPTH_MAX;
use crate::otlp::schema::{Field, Kind, Message, Rule, request};
use crate::otlp::value::write_json_string;
use crate::otlp::wire::{Fields, Wire, text};

/// Appends a signal's request as one line of OTLP/JSON. Fields of the future are left out: they have no names yet.
pub fn write(signal: Signal, body: &[u8], out: &mut String) {
    write_message(request(signal), body, out);
}

/// Appends one message as OTLP/JSON. Values nested deeper than [`DEPTH_MAX`], which the door refuses, are left empty.
pub fn write_message(message: &'static Message, bytes: &[u8], out: &mut String) {
    write_nested(message, bytes, 0, out);
}

fn write_nested(message: &'static Message, bytes: &[u8], depth: usize, out: &mut String) {
    let depth = depth + usize::from(message.nests());
    if depth > DEPTH_MAX {
        out.push_str("{}");
        return;
    }
    let mut fields: Vec<(&'static Field, Wire<'_>)> =
        Fields::new(bytes).filter_map(|(number, wire)| Some((message.field(number)?, wire))).collect();
    if let Some((chosen, _)) = fields.iter().rev().find(|(field, _)| field.rule == Rule::OneOf) {
        let chosen = chosen.number;
        fields.retain(|(field, _)| field.rule != Rule::OneOf || field.number == chosen);
    }
    fields.sort_by_key(|(field, _)| field.number);
    out.push('{');
    let mut first = true;
    for run in fields.chunk_by(|(left, _), (right, _)| left.number == right.number) {
        let (field, last) = run[run.len() - 1];
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        write_json_string(out, field.json);
        out.push(':');
        if field.rule == Rule::Many {
            out.push('[');
            let mut separator = "";
            for (_, wire) in run {
                write_elements(field, *wire, depth, &mut separator, out);
            }
            out.push(']');
        } else {
            write_value(field.kind, last, depth, out);
        }
    }
    out.push('}');
}

/// One occurrence of a repeated field: one element, or the many of a packed one.
fn write_elements(field: &Field, wire: Wire<'_>, depth: usize, separator: &mut &'static str, out: &mut String) {
    let mut element = |wire: Wire<'_>| {
        out.push_str(separator);
        *separator = ",";
        write_value(field.kind, wire, depth, out);
    };
    match (field.kind, wire) {
        (Kind::Double | Kind::Fixed64 | Kind::Sfixed64, Wire::Bytes(packed)) => {
            for chunk in packed.chunks_exact(8) {
                element(Wire::Fixed64(u64::from_le_bytes(chunk.try_into().expect("chunks of 8"))));
            }
        }
        (Kind::Uint64, Wire::Bytes(packed)) => {
            let mut numbers = Fields::new(packed);
            while numbers.remaining() > 0 {
                let Ok(number) = numbers.varint() else { break };
                element(Wire::Varint(number));
            }
        }
        (_, wire) => element(wire),
    }
}

fn write_value(kind: Kind, wire: Wire<'_>, depth: usize, out: &mut String) {
    let number = wire.number();
    match kind {
        Kind::Message(message) => write_nested(message, wire.bytes(), depth, out),
        Kind::String => write_json_string(out, text(wire.bytes())),
        Kind::Bytes => {
            out.push('"');
            STANDARD.encode_string(wire.bytes(), out);
            out.push('"');
        }
        Kind::Id(_) => {
            out.push('"');
            for byte in wire.bytes() {
                put(out, format_args!("{byte:02x}"));
            }
            out.push('"');
        }
        Kind::Bool => out.push_str(if number == 0 { "false" } else { "true" }),
        Kind::Fixed64 | Kind::Uint64 => put(out, format_args!("\"{number}\"")),
        Kind::Sfixed64 | Kind::Int64 => put(out, format_args!("\"{}\"", number as i64)),
        Kind::Fixed32 | Kind::Uint32 => put(out, format_args!("{}", number as u32)),
        Kind::Int32 | Kind::Enum(_) => put(out, format_args!("{}", number as i32)),
        Kind::Sint32 => put(out, format_args!("{}", (number as u32 >> 1) as i32 ^ -((number & 1) as i32))),
        Kind::Double => match f64::from_bits(number) {
            number if number.is_nan() => out.push_str("\"NaN\""),
            f64::INFINITY => out.push_str("\"Infinity\""),
            f64::NEG_INFINITY => out.push_str("\"-Infinity\""),
            number => put(out, format_args!("{number:?}")),
        },
    }
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to a String cannot fail");
}
