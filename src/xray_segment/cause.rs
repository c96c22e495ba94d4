//! The `cause` of a segment as events named `exception`, each with a stack text that our own reader and every backend's can
//! read: Python's traceback, which puts file, line and any name of a function on a line of its own.

use super::fields::nanoseconds;
use super::json::Json;
use super::put::{Attributes, put_fixed64, put_message};
use crate::otlp::wire::put_bytes;

/// Appends the events of a span.
pub fn put_events(out: &mut Vec<u8>, entity: &Json<'_>) {
    let Some(cause) = entity.get("cause") else { return };
    let time = ["end_time", "start_time"].iter().find_map(|name| entity.get(name).and_then(nanoseconds));
    for exception in cause.get("exceptions").map(Json::elements).unwrap_or_default() {
        put_message(out, 11, |out| {
            put_fixed64(out, 1, time.unwrap_or_default());
            put_bytes(out, 2, b"exception");
            put_attributes(&mut Attributes { out, number: 3 }, exception);
        });
    }
}

fn put_attributes(attributes: &mut Attributes<'_>, exception: &Json<'_>) {
    attributes.text_of("exception.type", exception, "type");
    attributes.text_of("exception.message", exception, "message");
    let stack = stack_text(exception);
    if !stack.is_empty() {
        attributes.text("exception.stacktrace", &stack);
    }
    for (member, name) in [("id", "aws.xray.exception.id"), ("cause", "aws.xray.exception.cause")] {
        if let Some(id) = exception.text(member) {
            attributes.text(name, &id.to_ascii_lowercase());
        }
    }
    attributes.bool("aws.xray.exception.remote", exception.bool("remote").unwrap_or_default());
    for (member, name) in [("truncated", "aws.xray.exception.truncated"), ("skipped", "aws.xray.exception.skipped")] {
        if let Some(count) = exception.int(member).filter(|count| *count > 0) {
            attributes.int(name, count);
        }
    }
}

/// The frames, outermost first as Python prints them, and the exception's own line.
fn stack_text(exception: &Json<'_>) -> String {
    let frames = exception.get("stack").map(Json::elements).unwrap_or_default();
    if frames.is_empty() {
        return String::new();
    }
    let mut text = "Traceback (most recent call last):\n".to_owned();
    let mut put = |piece: &str| text.extend(piece.chars().map(|letter| if letter.is_control() { ' ' } else { letter }));
    for frame in frames.iter().rev() {
        let line = frame.int("line").unwrap_or_default().clamp(0, u32::MAX.into());
        put("  File \"");
        put(frame.text("path").unwrap_or("?"));
        put("\", line ");
        put(&line.to_string());
        put(", in ");
        put(frame.text("label").unwrap_or("?"));
        put("\n");
    }
    // The line ends above are control characters as well.
    text = text.replace(" \u{20}\u{20}File \"", "\n  File \"");
    text
}
