//! The stack text of the OpenTelemetry SDK for PHP, which looks like Java's, turned back into what PHP itself reports. See `php`
//! for its grammar.

use std::borrow::Cow;

use super::lines::{Lines, number, open_of_last, split_number, trim_line_ends};
use super::php::{Name, split_class};
use super::tree::{Node, Tree};
use super::{Frame, FrameKind, Known, Link};

pub(super) fn otel<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    let mut tree = Tree::default();
    let mut lines = Lines::new(text);
    let mut current = tree.add(Node::default());
    let mut header = Some((0, lines.peek().map_or(0, |line| line.end)));
    if let Some(message) = known.message.filter(|message| !message.is_empty()) {
        let first_line = text.split('\n').next().unwrap_or_default();
        let colon = first_line.find(": ").filter(|colon| text[colon + 2..].starts_with(message));
        if let Some(colon) = colon {
            tree.nodes[current].class = class_name(&text[..colon]);
            tree.nodes[current].message = Cow::Borrowed(message);
            lines.seek(colon + 2 + message.len());
            header = None;
        }
    }
    lines.next();
    for line in lines {
        if let Some((function, file, number)) = otel_frame(line.text) {
            close_otel_header(&mut tree.nodes[current], text, header.take());
            tree.nodes[current].frames.push(Frame {
                file: file.map(Cow::Borrowed),
                line: number,
                function: Some(Cow::Borrowed(function)),
                kind: if file.is_none() { FrameKind::Native } else { FrameKind::Call },
                ..Frame::default()
            });
        } else if let Some(count) = more(line.text) {
            close_otel_header(&mut tree.nodes[current], text, header.take());
            if let Some((parent, _)) = tree.nodes[current].parent {
                tree.copy_outermost(parent, current, count as usize);
            }
        } else if let Some(rest) = line.text.strip_prefix("Caused by: ").filter(|_| header.is_none()) {
            current = tree.add_under(current, Link::Cause);
            header = Some((line.end - rest.len(), line.end));
        } else if let Some((_, end)) = &mut header {
            *end = line.end;
        } else if line.closed && !line.text.is_empty() {
            tree.lines_unread += 1;
        }
    }
    close_otel_header(&mut tree.nodes[current], text, header);
    for node in &mut tree.nodes {
        call_instead_of_enclose(node);
    }
    tree
}

pub(super) fn close_otel_header<'a>(node: &mut Node<'a>, text: &'a str, header: Option<(usize, usize)>) {
    let Some((start, end)) = header else { return };
    let (class, message) = split_class(trim_line_ends(&text[start..end]));
    node.class = class_name(class);
    node.message = Cow::Borrowed(message);
}

pub(super) fn otel_frame(line: &str) -> Option<(&str, Option<&str>, Option<u32>)> {
    let body = line.strip_prefix("\tat ")?;
    let open = open_of_last(body)?;
    let (function, place) = (&body[..open], &body[open + 1..body.len() - 1]);
    Some(match split_number(place) {
        Some((file, line)) => (function, Some(file), Some(line)),
        None if place == "Unknown Source" => (function, None, None),
        None => (function, Some(place), None),
    })
}

pub(super) fn more(line: &str) -> Option<u32> {
    number(line.strip_prefix("\t... ")?.strip_suffix(" more")?)
}

/// Moves every function one frame outwards, to the line that calls it; `{main}` is called by nobody.
pub(super) fn call_instead_of_enclose(node: &mut Node<'_>) {
    let mut called = (None, None);
    let frames = std::mem::take(&mut node.frames);
    node.frames.skipped = frames.skipped;
    for mut frame in frames.into_vec() {
        let enclosing = frame.function.take().map_or((None, None), otel_name);
        (frame.module, frame.function) = std::mem::replace(&mut called, enclosing);
        node.frames.push(frame);
    }
}

pub(super) fn class_name(dotted: &str) -> Cow<'_, str> {
    let class = dotted.split('\0').next().unwrap_or_default();
    if class.contains('.') { Cow::Owned(class.replace('.', "\\")) } else { Cow::Borrowed(class) }
}

/// Turns `Acme.Cart.add` back into `Acme\Cart` and `add`.
pub(super) fn otel_name(dotted: Cow<'_, str>) -> (Name<'_>, Name<'_>) {
    let Cow::Borrowed(dotted) = dotted else {
        return (None, Some(dotted));
    };
    let from = dotted.find('{').unwrap_or(dotted.len());
    // The path behind the NUL of an anonymous class may hold dots.
    let after_path = dotted.rfind(['\0', '/', '$']).unwrap_or(0);
    let Some(dot) = dotted[..from].rfind('.').filter(|dot| *dot >= after_path) else {
        return (None, Some(class_name(dotted)));
    };
    let owner = dotted[..dot].split('\0').next().unwrap_or_default();
    let last = owner.rsplit('.').next().unwrap_or_default();
    let is_class = owner.contains('@') || last.starts_with(char::is_uppercase) && from == dotted.len();
    if is_class {
        (Some(class_name(owner)), Some(Cow::Borrowed(&dotted[dot + 1..])))
    } else {
        (None, Some(class_name(dotted)))
    }
}
