//! Go's goroutine dumps (`debug.Stack`, crashes), and the `%+v` of `github.com/pkg/errors`.
//!
//! ```text
//! text      := [panic] goroutine+
//! panic     := ('panic: ' message [' [recovered]'] | 'fatal error: ' message) NL ['[signal …]' NL] NL
//! goroutine := 'goroutine ' n [' gp=… m=…'] ' [' state ']:' NL (call NL place)* ['created by ' symbol [' in goroutine ' n] NL place]
//! call      := symbol '(' arguments ')'                  the LAST balanced parentheses; '(...)' was inlined
//! place     := TAB file ':' line [' +0x' hex]
//! wrapped   := message NL (symbol NL TAB file ':' line)*  repeated for each wrap, innermost FIRST
//! ```
//!
//! The first goroutine is the one that records or crashes; the others are left out. The OpenTelemetry SDK dumps into a buffer
//! of 2,048 bytes, so the last pair may be cut: it is dropped when it cannot be whole. Format:
//! <https://pkg.go.dev/runtime/debug#Stack>, <https://pkg.go.dev/github.com/pkg/errors#hdr-Formatted_printing_of_errors> (read 2026-11).

use std::borrow::Cow;

use super::lines::{Line, Lines, number, open_of_last, trim_line_ends};
use super::tree::{Node, Tree};
use super::{Frame, FrameKind, Known, Link};

/// The buffer into which the OpenTelemetry SDK dumps a stack
/// (<https://github.com/open-telemetry/opentelemetry-go/blob/main/sdk/trace/span.go>, read 2026-11).
const DUMP_BYTES_MAX: usize = 2048;

/// Whether a line is the head of a goroutine or a place.
pub(super) fn signature(line: &str) -> bool {
    is_head(line) || place(line).is_some_and(|place| place.file.rsplit('.').next() == Some("go"))
}

fn is_head(line: &str) -> bool {
    line.strip_prefix("goroutine ").is_some_and(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0 && rest[digits..].starts_with(' ') && rest.ends_with("]:") && rest.contains('[')
    })
}

/// Reads a goroutine dump or a wrapped error.
pub(super) fn parse<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    let mut lines = Lines::new(text);
    while let Some(line) = lines.next() {
        if is_head(line.text) {
            let mut tree = Tree::default();
            let mut node = Node::default();
            (node.class, node.message) = panic_header(trim_line_ends(&text[..line.start]));
            tree.add(node);
            goroutine(&mut tree, text, lines);
            // The text says what was printed; the telemetry says what was recorded.
            tree.nodes[0].class = known.class.map_or_else(|| std::mem::take(&mut tree.nodes[0].class), Cow::Borrowed);
            tree.nodes[0].message =
                known.message.map_or_else(|| std::mem::take(&mut tree.nodes[0].message), Cow::Borrowed);
            return tree;
        }
    }
    wrapped(text, known)
}

fn panic_header(head: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    // Of several panics the last one is what the program died of.
    for (prefix, class) in [("panic: ", "panic"), ("fatal error: ", "fatal error")] {
        let at = if head.starts_with(prefix) { Some(0) } else { None };
        let later = head.rfind(&format!("\n\t{prefix}")).map(|at| at + 2);
        if let Some(at) = later.or(at) {
            let message = &head[at + prefix.len()..];
            let message = message.split("\n[signal ").next().unwrap_or_default();
            let message = message.strip_suffix(" [recovered, repanicked]").unwrap_or(message);
            return (Cow::Borrowed(class), Cow::Borrowed(message.strip_suffix(" [recovered]").unwrap_or(message)));
        }
    }
    (Cow::Borrowed(""), Cow::Borrowed(""))
}

fn goroutine<'a>(tree: &mut Tree<'a>, text: &'a str, lines: Lines<'a>) {
    let mut call: Option<(&str, FrameKind, bool)> = None;
    for line in lines {
        if line.text.is_empty() || is_head(line.text) {
            break;
        }
        if line.text.starts_with('\t') {
            let Some((symbol, kind, inlined)) = call.take() else {
                tree.lines_unread += 1;
                continue;
            };
            match place(line.text) {
                Some(place) if is_whole(line, place.offset, inlined, text) => {
                    tree.nodes[0].frames.push(Frame {
                        file: Some(Cow::Borrowed(place.file)),
                        line: Some(place.line),
                        kind,
                        ..named(symbol)
                    });
                }
                _ => tree.lines_unread += u32::from(line.closed),
            }
            continue;
        }
        call = match line.text.strip_prefix("created by ") {
            Some(symbol) => {
                let symbol = symbol.split_once(" in goroutine ").map_or(symbol, |(symbol, _)| symbol);
                Some((symbol, FrameKind::CreatedBy, false))
            }
            None => {
                open_of_last(line.text).map(|open| (&line.text[..open], FrameKind::Call, &line.text[open..] == "(...)"))
            }
        };
        if call.is_none() {
            let elided = elided(line.text);
            let node = &mut tree.nodes[0];
            node.frames.skipped = node.frames.skipped.saturating_add(elided.unwrap_or_default());
            tree.lines_unread += u32::from(elided.is_none() && line.closed);
        }
    }
}

/// Reads `...4 frames elided...` and `...additional frames elided...`.
fn elided(line: &str) -> Option<u32> {
    let count = line.strip_prefix("...")?.strip_suffix(" frames elided...")?;
    Some(number(count).unwrap_or(1))
}

/// Whether the digits of a place are all there. A place that ends with its line end is; so is one with an offset behind it.
fn is_whole(line: Line<'_>, offset: bool, inlined: bool, text: &str) -> bool {
    line.closed || offset || (inlined && text.len() != DUMP_BYTES_MAX)
}

struct Place<'a> {
    file: &'a str,
    line: u32,
    offset: bool,
}

fn place(line: &str) -> Option<Place<'_>> {
    let (file, rest) = line.strip_prefix('\t')?.rsplit_once(':')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let offset = &rest[digits..];
    let whole = offset.is_empty() || offset.starts_with(" +") || offset.starts_with(" fp=") || offset.starts_with(' ');
    whole.then_some(Place { file, line: number(&rest[..digits])?, offset: !offset.is_empty() })
}

/// Splits a symbol into the package and the name: the package ends at the first dot after the last slash of its path.
fn named(symbol: &str) -> Frame<'_> {
    // Type arguments may hold paths of their own.
    let path = symbol.split('[').next().unwrap_or_default();
    let slash = path.rfind('/').map_or(0, |at| at + 1);
    match symbol[slash..].find('.') {
        Some(dot) => Frame {
            module: Some(Cow::Borrowed(&symbol[..slash + dot])),
            function: Some(Cow::Borrowed(&symbol[slash + dot + 1..])),
            ..Frame::default()
        },
        None => Frame { function: Some(Cow::Borrowed(symbol)), ..Frame::default() },
    }
}

/// Reads `%+v` of pkg/errors: blocks of a message and frames, innermost first.
fn wrapped<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    let mut tree = Tree::default();
    let mut lines = Lines::new(text);
    let mut current = tree.add(Node::default());
    let mut message: Option<(usize, usize)> = None;
    while let Some(line) = lines.next() {
        let place = lines.peek().filter(|next| next.closed || next.text.len() > 1).and_then(|next| place(next.text));
        let symbol = !line.text.is_empty() && !line.text.contains(char::is_whitespace);
        if symbol && let Some(place) = place {
            if let Some((start, end)) = message.take() {
                current = say(&mut tree, current, &text[start..end]);
            }
            lines.next();
            let frame = Frame { file: Some(Cow::Borrowed(place.file)), line: Some(place.line), ..named(line.text) };
            tree.nodes[current].frames.push(frame);
        } else {
            let start = message.map_or(line.start, |(start, _)| start);
            message = Some((start, line.end));
        }
    }
    if let Some((start, end)) = message {
        let rest = trim_line_ends(&text[start..end]);
        // Without frames this is no stack; with them it is what a wrap without a stack says.
        if !rest.is_empty() && !tree.nodes[current].frames.is_empty() {
            current = say(&mut tree, current, rest);
        }
    }
    tree.root = current;
    tree.nodes[current].class = Cow::Borrowed(known.class.unwrap_or_default());
    if let Some(message) = known.message {
        tree.nodes[current].message = Cow::Borrowed(message);
    }
    tree
}

/// Gives the current error its message, or opens the one that wraps it.
fn say<'a>(tree: &mut Tree<'a>, current: usize, message: &'a str) -> usize {
    let fresh = tree.nodes[current].frames.is_empty() && tree.nodes[current].message.is_empty();
    let node = if fresh { current } else { tree.add(Node::default()) };
    if !fresh {
        tree.nodes[current].parent = Some((node, Link::Cause));
    }
    tree.nodes[node].message = Cow::Borrowed(message);
    node
}
