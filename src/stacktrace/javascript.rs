//! JavaScript engines: which of the two families a text is of, and V8's frame.
//!
//! ```text
//! frame    := '    at ' ['async '] ( call ' (' location ')' | location | 'Promise.' combinator ' (index ' n ')' )
//! call     := ['new '] name [' [as ' alias ']']
//! location := file ':' line ':' column | 'native' | '<anonymous>' | 'index ' n
//!           | 'eval at ' call ' (' location '), ' file ':' line ':' column
//!           | 'wasm://' … ':wasm-function[' n ']:0x' offset
//! ```
//!
//! V8 (Node, Chrome, Deno, Edge) and Hermes print a header and such frames: see `node_inspect` for what surrounds them.
//! SpiderMonkey and JavaScriptCore print `function@file:line:column`: see `at_sign`. Format: <https://v8.dev/docs/stack-trace-api>
//! (read 2026-11).

use std::borrow::Cow;

use super::lines::{Lines, number, split_number};
use super::tree::Tree;
use super::{Frame, FrameKind, Known, at_sign, node_inspect};

/// Whether a line is a frame of any engine.
pub(super) fn signature(line: &str) -> bool {
    v8_line(line) || at_sign::signature(line)
}

/// Reads the stack of any engine.
pub(super) fn parse<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    let of_v8 = Lines::new(text).any(|line| v8_line(line.text));
    if !of_v8 && Lines::new(text).any(|line| at_sign::signature(line.text)) {
        return at_sign::parse(text);
    }
    node_inspect::parse(text, known)
}

fn v8_line(line: &str) -> bool {
    let Some(body) = line.strip_prefix("    at ") else {
        return false;
    };
    let frame = frame(body);
    frame.line.is_some() || body.ends_with(')') && body.contains(" (")
}

/// Reads what stands behind `at `.
///
/// The function ends at the FIRST ` (`, so that a path may hold blanks and parentheses.
pub(super) fn frame(body: &str) -> Frame<'_> {
    let mut frame = Frame::default();
    let rest = match body.strip_prefix("async ") {
        Some(rest) => {
            frame.kind = FrameKind::Async;
            rest
        }
        None => body,
    };
    let call = rest.strip_suffix(')').and_then(|rest| rest.split_once(" ("));
    match call {
        Some((_, place)) if place.strip_prefix("index ").and_then(number).is_some() => {
            frame.function = Some(Cow::Borrowed(rest));
        }
        Some((function, place)) if !function.starts_with("eval at ") => {
            frame.function = Some(Cow::Borrowed(function));
            location(&mut frame, place);
        }
        _ => location(&mut frame, rest),
    }
    frame
}

fn location<'a>(frame: &mut Frame<'a>, place: &'a str) {
    // Hermes: bytecode has no lines, only an offset.
    let place = place.strip_prefix("address at ").unwrap_or(place);
    if place.starts_with("eval at ")
        && let Some((origin, inner)) = place.rsplit_once(", ")
    {
        frame.origin = Some(Cow::Borrowed(origin));
        return position(frame, inner);
    }
    if let Some((file, function)) = place.split_once(":wasm-function[") {
        frame.file = Some(Cow::Borrowed(file));
        // V8 itself reports a byte offset as a column of line 1, counted from 1.
        let offset = function.split_once("]:0x").and_then(|(_, hex)| u32::from_str_radix(hex, 16).ok());
        frame.line = offset.map(|_| 1);
        frame.column = offset.and_then(|offset| offset.checked_add(1));
        return;
    }
    if place == "native" && frame.kind == FrameKind::Call {
        frame.kind = FrameKind::Native;
    }
    position(frame, place);
}

/// Reads `file:line:column` or `file:line`; anything else is a file.
pub(super) fn position<'a>(frame: &mut Frame<'a>, place: &'a str) {
    let mut file = place;
    if let Some((head, last)) = split_number(place) {
        (file, frame.line) = (head, Some(last));
        if let Some((head, line)) = split_number(head) {
            (file, frame.line, frame.column) = (head, Some(line), Some(last));
        }
    }
    frame.file = Some(Cow::Borrowed(file)).filter(|file| !file.is_empty());
}
