//! Ruby's `full_message`: 2.5 to 3.4, newest call first or (to a terminal, 2.5 to 2.7) last.
//!
//! ```text
//! text   := block (NL block)*                                     outermost exception first
//! block  := place ': ' line1 ' (' class ')' NL [further lines of the message] (TAB 'from ' place NL)* [TAB ' ... ' n ' levels...']
//! place  := file [':' line] [':in ' quote label "'"]              quote: a backtick up to 3.3, an apostrophe from 3.4
//! bottom := 'Traceback (most recent call last):' NL (TAB n ': from ' place NL)* place ': ' line1 …   innermost exception first
//! ```
//!
//! The class stands after the FIRST line of the message. An empty message prints as the bare class (`unhandled exception` for
//! RuntimeError); an anonymous class prints nothing. Blocks of error_highlight and did_you_mean follow the message and are
//! notes where the message is known. Format: <https://docs.ruby-lang.org/en/3.4/Exception.html#method-i-full_message> (read 2026-11).

use std::borrow::Cow;

use super::lines::{Line, Lines, number, split_number, trim_line_ends};
use super::tree::{Node, Tree};
use super::{Frame, Known, Link};

const BOTTOM: &str = "Traceback (most recent call last):";
const FROM: &str = "\tfrom ";

/// Whether a line is a frame or a header.
pub(super) fn signature(line: &str) -> bool {
    label_start(line).is_some_and(|at| split_number(&line[..at]).is_some())
}

/// Reads a full message.
pub(super) fn parse<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    let mut reader =
        Reader { tree: Tree::default(), lines: Lines::new(text), text, current: None, header: None, known };
    if text.starts_with(BOTTOM) {
        reader.bottom();
    } else {
        reader.top();
    }
    reader.tree
}

struct Reader<'a> {
    tree: Tree<'a>,
    lines: Lines<'a>,
    text: &'a str,
    current: Option<usize>,
    header: Option<Header>,
    known: Known<'a>,
}

/// Where the header that is being read starts and, so far, ends.
#[derive(Clone, Copy)]
struct Header {
    start: usize,
    end: usize,
    /// Class and message are settled; what follows is notes.
    anchored: bool,
}

impl<'a> Reader<'a> {
    fn top(&mut self) {
        while let Some(line) = self.lines.next() {
            let Some(current) = self.current else {
                self.open(line);
                continue;
            };
            if let Some(place) = line.text.strip_prefix(FROM) {
                self.close_header();
                self.tree.nodes[current].frames.push(frame(place));
            } else if let Some(count) = levels(line.text) {
                self.close_header();
                let frames = &mut self.tree.nodes[current].frames;
                frames.skipped = frames.skipped.saturating_add(count);
            } else if let Some(header) = self.header.filter(|_| !is_header(line.text)) {
                self.header = Some(Header { end: line.end, ..header });
            } else if is_header(line.text) || line.text.ends_with(')') && line.text.contains(": ") {
                self.open(line);
            } else if !line.text.is_empty() && line.closed {
                self.tree.lines_unread += 1;
            }
        }
        self.close_header();
    }

    /// Opens the exception whose header starts with a line; from the second on, each caused the one before it.
    fn open(&mut self, line: Line<'a>) {
        self.close_header();
        let node = match self.current {
            Some(current) => self.tree.add_under(current, Link::Cause),
            None => self.tree.add(Node::default()),
        };
        self.current = Some(node);
        if node > 0 || !self.anchored(line) {
            self.header = Some(Header { start: line.start, end: line.end, anchored: false });
        }
    }

    /// Reads the header of the recorded exception if it holds the known message, as it is or as a locale without UTF-8
    /// prints it.
    fn anchored(&mut self, line: Line<'a>) -> bool {
        let Some(message) = self.known.message.filter(|message| !message.is_empty()) else {
            return false;
        };
        self.anchored_by(line, message, message)
            || !message.is_ascii() && self.anchored_by(line, message, &in_ascii(message))
    }

    fn anchored_by(&mut self, line: Line<'a>, message: &'a str, printed: &str) -> bool {
        let message_lines = trim_line_ends(printed);
        let (first, further) = message_lines.split_once('\n').unwrap_or((message_lines, ""));
        let first = first.trim_end_matches('\r');
        let Some(at) = line.text.find(&format!(": {first}")) else {
            return false;
        };
        let class = &line.text[at + 2 + first.len()..];
        let class =
            class.strip_prefix(" (").and_then(|class| class.strip_suffix(')')).or(class.is_empty().then_some(""));
        let Some(class) = class else { return false };
        let mut end = line.end;
        if !further.is_empty() {
            let behind = self.text[line.end..].trim_start_matches('\r');
            let Some(rest) = behind.strip_prefix('\n').and_then(|rest| rest.strip_prefix(further)) else {
                return false;
            };
            end = self.text.len() - rest.len();
        }
        let node = &mut self.tree.nodes[0];
        node.class = Cow::Borrowed(class);
        node.message = Cow::Borrowed(message);
        node.frames.push(frame(&line.text[..at]));
        self.lines.seek(end);
        // What is left of the message's last line.
        self.lines.next();
        self.header = Some(Header { start: end, end, anchored: true });
        true
    }

    fn close_header(&mut self) {
        let (Some(header), Some(current)) = (self.header.take(), self.current) else {
            return;
        };
        let text = trim_line_ends(&self.text[header.start..header.end]);
        let node = &mut self.tree.nodes[current];
        if header.anchored {
            let notes = text.trim_start_matches(['\n', '\r']);
            node.notes = Some(Cow::Borrowed(notes)).filter(|notes| !notes.is_empty());
            return;
        }
        if let Some(place) = read_header(node, text) {
            node.frames.push(frame(place));
        }
    }

    /// Reads the form that lists the oldest call first; the tree is in the same order as the other form's in the end.
    fn bottom(&mut self) {
        let mut older: Vec<Frame<'a>> = Vec::new();
        let mut header: Option<(usize, usize)> = None;
        let mut skipped = 0u32;
        let mut previous = None;
        loop {
            let line = self.lines.next();
            let text = line.map_or("", |line| line.text);
            let place = bottom_frame(text);
            if let Some((start, end)) = header.filter(|_| line.is_none() || text == BOTTOM || place.is_some()) {
                let node = self.tree.add(Node::default());
                let read = read_header(&mut self.tree.nodes[node], trim_line_ends(&self.text[start..end]));
                let frames = &mut self.tree.nodes[node].frames;
                for frame in read.map(frame).into_iter().chain(older.drain(..).rev()) {
                    frames.push(frame);
                }
                frames.skipped = frames.skipped.saturating_add(std::mem::take(&mut skipped));
                if let Some(cause) = previous.replace(node) {
                    self.tree.nodes[cause].parent = Some((node, Link::Cause));
                }
                self.tree.root = node;
                header = None;
            }
            let Some(line) = line else { break };
            if let Some(place) = place {
                older.push(frame(place));
            } else if let Some(count) = levels(text) {
                skipped = skipped.saturating_add(count);
            } else if text != BOTTOM && !(text.is_empty() && header.is_none()) {
                header = Some((header.map_or(line.start, |(start, _)| start), line.end));
            }
        }
    }
}

/// Writes a question mark for every byte that ASCII does not have, as Ruby does.
fn in_ascii(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii() { char::from(byte) } else { '?' }).collect()
}

/// Reads `TAB 2: from place`.
fn bottom_frame(line: &str) -> Option<&str> {
    let (index, place) = line.strip_prefix('\t')?.split_once(": from ")?;
    number(index.trim_start()).map(|_| place)
}

/// Reads ` ... 10067 levels...`.
fn levels(line: &str) -> Option<u32> {
    number(line.strip_prefix('\t')?.trim_start().strip_prefix("... ")?.strip_suffix(" levels...")?)
}

/// Whether a line can only be the first line of a block: a place with a label, and a message.
fn is_header(line: &str) -> bool {
    !line.starts_with('\t') && label_start(line).is_some_and(|at| line[at..].contains("': "))
}

/// Finds the `:in ` before a label.
fn label_start(line: &str) -> Option<usize> {
    let quoted = |at: &usize| line[at + 4..].starts_with(['`', '\'']);
    line.match_indices(":in ").map(|(at, _)| at).find(quoted)
}

/// Splits a header into place, message and class; returns the place.
fn read_header<'a>(node: &mut Node<'a>, header: &'a str) -> Option<&'a str> {
    let first_end = header.find('\n').unwrap_or(header.len());
    let first = header[..first_end].trim_end_matches('\r');
    let place_end = match label_start(first) {
        Some(label) => first[label..].find("': ").map(|at| label + at + 1),
        None => numbered_end(first).or_else(|| first.find(": ")),
    };
    let (place, first_message) = match place_end {
        Some(end) => (Some(&first[..end]), &first[end + 2..]),
        None => (None, first),
    };
    let split = first_message.strip_suffix(')').and_then(|line| line.rsplit_once(" ("));
    let further = &header[first_end..];
    let (class, line) = match split {
        Some((line, class)) => (class, line),
        None if further.is_empty() && first_message == "unhandled exception" => ("RuntimeError", ""),
        None if further.is_empty() && is_constant(first_message) => (first_message, ""),
        None => ("", first_message),
    };
    node.class = Cow::Borrowed(class);
    node.message = match further {
        "" => Cow::Borrowed(line),
        _ => Cow::Owned(format!("{line}{further}")),
    };
    place
}

/// Finds the `: ` behind the first line number: `file.rb:12: message`.
fn numbered_end(line: &str) -> Option<usize> {
    line.match_indices(": ").map(|(at, _)| at).take(64).find(|at| split_number(&line[..*at]).is_some())
}

fn is_constant(name: &str) -> bool {
    name.starts_with(|c: char| c.is_uppercase()) && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':')
}

fn frame(place: &str) -> Frame<'_> {
    let labelled = label_start(place).filter(|_| place.ends_with('\''));
    let (position, label) = match labelled {
        Some(at) => (&place[..at], place.get(at + 5..place.len() - 1)),
        None => (place, None),
    };
    let (file, line) = match split_number(position) {
        Some((file, line)) => (file, Some(line)),
        None => (position, None),
    };
    Frame { file: Some(Cow::Borrowed(file)), line, function: label.map(Cow::Borrowed), ..Frame::default() }
}
