//! The stacks of SpiderMonkey (Firefox) and JavaScriptCore (Safari): a frame a line, no header.
//!
//! ```text
//! frame := [scheduler '*'] [function] '@' file ':' line ':' column        SpiderMonkey
//!        | [function] '@' [file ':' line ':' column | '[native code]']     JavaScriptCore
//!        | '[native code]'
//! ```
//!
//! A file may hold `@` (`https://host/a@b.js`) and code of its own (`page.js line 12 > eval`). Class and message are only known
//! from the telemetry. Format: <https://developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/Error/stack> (read 2026-11).

use std::borrow::Cow;

use super::javascript::position;
use super::lines::{Lines, split_number};
use super::tree::{Node, Tree};
use super::{Frame, FrameKind};

const NATIVE: &str = "[native code]";

/// Whether a line is a frame.
pub(super) fn signature(line: &str) -> bool {
    line.split_once('@').is_some_and(|(_, place)| place == NATIVE || split_number(place).is_some())
}

/// Reads a stack.
pub(super) fn parse(text: &str) -> Tree<'_> {
    let mut tree = Tree::default();
    let node = tree.add(Node::default());
    for line in Lines::new(text) {
        match frame(line.text) {
            Some(frame) => tree.nodes[node].frames.push(frame),
            // A bridge may have put a header before the stack.
            None => {
                tree.lines_unread += u32::from(!line.text.is_empty() && !tree.nodes[node].frames.is_empty());
            }
        }
    }
    tree
}

fn frame(line: &str) -> Option<Frame<'_>> {
    let mut frame = Frame::default();
    if line == NATIVE {
        frame.file = Some(Cow::Borrowed(NATIVE));
        frame.kind = FrameKind::Native;
        return Some(frame);
    }
    let (function, place) = split(line)?;
    let (scheduler, function) = match function.rsplit_once('*') {
        Some((scheduler, function)) => (Some(scheduler), function),
        None => (None, function),
    };
    if scheduler.is_some() {
        frame.kind = FrameKind::Async;
    }
    let function = match function.strip_prefix("async ") {
        Some(function) => {
            frame.kind = FrameKind::Async;
            function
        }
        None => function,
    };
    if place == NATIVE {
        frame.kind = FrameKind::Native;
    }
    frame.origin = scheduler.map(Cow::Borrowed);
    frame.function = Some(Cow::Borrowed(function)).filter(|function| !function.is_empty());
    position(&mut frame, place);
    Some(frame)
}

/// Splits at the first `@` behind which a location starts, else at the last one.
fn split(line: &str) -> Option<(&str, &str)> {
    let first = line.find('@')?;
    let place = &line[first + 1..];
    let scheme = place
        .find("://")
        .is_some_and(|at| place[..at].bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)));
    if scheme || place.starts_with(['/', '[']) || !place.contains('@') {
        return Some((&line[..first], place));
    }
    line.rsplit_once('@')
}
