//! PHP's stack texts: `getTraceAsString()`, `(string) $e`, and the one that the OpenTelemetry SDK writes.
//!
//! ```text
//! trace  := ('#' n ' ' (file '(' line ')' | '[internal function]') ': ' call '(' arguments ')')* '#' n ' {main}'
//! string := block ('\n\nNext ' block)*                       innermost cause FIRST
//! block  := class [': ' message] ' in ' file ':' line NL 'Stack trace:' NL trace
//! otel   := header (TAB 'at ' function '(' (file ':' line | 'Unknown Source') ')')* [TAB '... ' n ' more'] ['Caused by: ' otel]
//! ```
//!
//! PHP names the function that is CALLED at a line ([`super::Naming::Called`]): the innermost frame, where the exception was
//! created, has none. The OpenTelemetry text names the enclosing function, Java's way, and writes dots for `\` and `::`; it
//! is shifted and renamed back. Which of its dots was a `::` cannot be known: an owner with a capital is taken for a class.
//! Arguments can be secrets and are dropped. Format: <https://www.php.net/manual/en/exception.gettraceasstring.php> (read 2026-11).

use std::borrow::Cow;

use super::lines::{Lines, number, split_number};
use super::php_otel::{otel, otel_frame};
use super::tree::{Node, Tree};
use super::{Frame, FrameKind, Known, Link};

const TRACE_HEAD: &str = "\nStack trace:\n";
const NEXT: &str = "\n\nNext ";

/// What the command line puts before an exception that nobody caught.
const UNCAUGHT: &[&str] = &["PHP Fatal error:  Uncaught ", "Fatal error: Uncaught ", "\nFatal error: Uncaught "];

/// Whether a line is a frame.
pub(super) fn signature(line: &str) -> bool {
    if line.starts_with('#') {
        return matches!(entry(line), Some(Entry::Frame(frame)) if frame.line.is_some() || frame.kind == FrameKind::Native)
            || matches!(entry(line), Some(Entry::Main));
    }
    let Some((function, file, _)) = otel_frame(line) else {
        return false;
    };
    function == "{main}" || file.is_some_and(|file| file.rsplit('.').next() == Some("php"))
}

/// Reads any of the three texts.
pub(super) fn parse<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    if text.starts_with("#0 ") {
        let mut tree = Tree::default();
        let node = tree.add(Node::default());
        trace(&mut tree, node, Lines::new(text));
        return tree;
    }
    if text.contains(TRACE_HEAD) { string(text, known) } else { otel(text, known) }
}

fn string<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    let text = UNCAUGHT.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    let mut tree = Tree::default();
    let anchored = anchor(text, known);
    let causes = anchored.as_ref().map_or(text, |outermost| &text[..outermost.block_start]);
    let mut newest = None;
    let mut at = 0;
    while let Some(length) = causes[at..].find(TRACE_HEAD) {
        let node = tree.add(Node::default());
        header(&mut tree.nodes[node], &causes[at..at + length]);
        hang(&mut tree, newest.replace(node), node);
        let end = trace(&mut tree, node, lines_from(causes, at + length + TRACE_HEAD.len()));
        // The last line end before "Next" was read with the trace.
        let after = causes.get(end.saturating_sub(1)..).unwrap_or_default();
        let Some(next) = after.strip_prefix(NEXT) else {
            break;
        };
        at = causes.len() - next.len();
    }
    if let Some(outermost) = anchored {
        let node = tree.add(Node::default());
        let throw_site =
            Frame { file: Some(Cow::Borrowed(outermost.file)), line: Some(outermost.line), ..Frame::default() };
        tree.nodes[node].class = Cow::Borrowed(outermost.class);
        tree.nodes[node].message = Cow::Borrowed(known.message.unwrap_or_default());
        tree.nodes[node].frames.push(throw_site);
        hang(&mut tree, newest.replace(node), node);
        trace(&mut tree, node, lines_from(text, outermost.trace_start));
    }
    tree.root = newest.unwrap_or_default();
    tree
}

struct Outermost<'a> {
    block_start: usize,
    class: &'a str,
    file: &'a str,
    line: u32,
    trace_start: usize,
}

/// Finds the last block by its known class and message.
fn anchor<'a>(text: &'a str, known: Known<'a>) -> Option<Outermost<'a>> {
    let (class, message) = (known.class?, known.message?);
    let needle = if message.is_empty() { format!("{class} in ") } else { format!("{class}: {message}") };
    let start = text.rfind(&needle)?;
    let block_start = match text[..start].strip_suffix(NEXT) {
        Some(before) => before.len(),
        None if start == 0 => 0,
        None => return None,
    };
    let after = start + needle.len() - if message.is_empty() { " in ".len() } else { 0 };
    let rest = &text[after..];
    let rest = rest.strip_prefix(" and defined").unwrap_or(rest).strip_prefix(" in ")?;
    let place_end = rest.find(TRACE_HEAD)?;
    let (file, line) = split_number(&rest[..place_end])?;
    let trace_start = text.len() - rest.len() + place_end + TRACE_HEAD.len();
    Some(Outermost { block_start, class: &text[start..start + class.len()], file, line, trace_start })
}

fn lines_from(text: &str, at: usize) -> Lines<'_> {
    let mut lines = Lines::new(text);
    lines.seek(at);
    lines
}

/// Hangs an exception on the one that was thrown after it.
fn hang(tree: &mut Tree<'_>, cause: Option<usize>, node: usize) {
    if let Some(cause) = cause {
        tree.nodes[cause].parent = Some((node, Link::Cause));
    }
}

/// Reads `Class: message in /path/file.php:12`.
fn header<'a>(node: &mut Node<'a>, header: &'a str) {
    let (head, place) = match header.rsplit_once(" in ") {
        Some((head, place)) => (head, split_number(place)),
        None => (header, None),
    };
    let head = if place.is_some() { head } else { header };
    if let Some((file, line)) = place {
        node.frames.push(Frame { file: Some(Cow::Borrowed(file)), line: Some(line), ..Frame::default() });
    }
    let (class, message) = split_class(head.strip_suffix(" and defined").unwrap_or(head));
    node.class = Cow::Borrowed(class);
    node.message = Cow::Borrowed(message);
}

pub(super) fn split_class(head: &str) -> (&str, &str) {
    // PHP 5: "exception 'Acme\Boom' with message 'it broke'".
    if let Some(rest) = head.strip_prefix("exception '") {
        let (class, message) = rest.split_once("' with message '").unwrap_or((rest, ""));
        return (class.trim_end_matches('\''), message.strip_suffix('\'').unwrap_or(message));
    }
    // An anonymous class is followed by a NUL and the path of its file.
    let (class, message) = head.split_once(": ").unwrap_or((head, ""));
    let named = class.split('\0').next().unwrap_or_default();
    if named.is_empty() || named.contains(char::is_whitespace) {
        return ("", head);
    }
    (named, message)
}

enum Entry<'a> {
    Frame(Frame<'a>),
    Main,
}

/// Reads the lines of a trace; returns where it ends.
fn trace<'a>(tree: &mut Tree<'a>, node: usize, mut lines: Lines<'a>) -> usize {
    let mut end = lines.peek().map_or(0, |line| line.start);
    while let Some(line) = lines.peek() {
        let Some(entry) = entry(line.text) else {
            tree.lines_unread += u32::from(line.text.starts_with('#') && line.closed);
            if !line.text.starts_with('#') {
                break;
            }
            lines.next();
            continue;
        };
        lines.next();
        end = line.end + usize::from(line.closed);
        match entry {
            Entry::Frame(frame) => tree.nodes[node].frames.push(frame),
            Entry::Main => break,
        }
    }
    end
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let (index, rest) = line.strip_prefix('#')?.split_once(' ')?;
    number(index)?;
    if rest == "{main}" {
        return Some(Entry::Main);
    }
    if let Some(call) = rest.strip_prefix("[internal function]: ") {
        let (module, function) = call_name(call);
        return Some(Entry::Frame(Frame { module, function, kind: FrameKind::Native, ..Frame::default() }));
    }
    // The file may hold anything, even "(3) : eval()'d code": its end is the first number in parentheses before ": ".
    let (file, line, call) = rest.match_indices("): ").find_map(|(at, _)| {
        let digits = rest[..at].bytes().rev().take_while(u8::is_ascii_digit).count();
        let line = number(&rest[at - digits..at])?;
        Some((rest[..at - digits].strip_suffix('(')?, line, &rest[at + 3..]))
    })?;
    let (module, function) = call_name(call);
    Some(Entry::Frame(Frame {
        file: Some(Cow::Borrowed(file)),
        line: Some(line),
        module,
        function,
        ..Frame::default()
    }))
}

pub(super) type Name<'a> = Option<Cow<'a, str>>;

/// Splits `Acme\Cart->add('...')` into the owner and the function, without the arguments.
fn call_name(call: &str) -> (Name<'_>, Name<'_>) {
    // "{closure:Acme\Cart::add():12}" (PHP 8.4) holds what would end a name.
    let braces = call.find('{').filter(|at| call.find('(').is_none_or(|open| *at < open));
    let from = braces.map_or(0, |at| call[at..].find('}').map_or(at, |length| at + length));
    let end = call[from..].find('(').map_or(call.len(), |length| from + length);
    let name = &call[..end];
    let owner_end = braces.unwrap_or(end);
    let split = name[..owner_end].find("->").or_else(|| name[..owner_end].find("::"));
    match split {
        Some(at) => {
            let class = name[..at].split('\0').next().unwrap_or_default();
            (Some(Cow::Borrowed(class)), Some(Cow::Borrowed(&name[at + 2..])))
        }
        None => (None, Some(Cow::Borrowed(name))),
    }
}
