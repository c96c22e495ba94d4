//! .NET's `Exception.ToString()`: .NET and .NET Core, .NET Framework in any language, mono.
//!
//! ```text
//! text   := header inner* frame* member*
//! header := class [' (' code ')'] [': ' message]
//! inner  := NL ' ---> ' text NL '   --- End of inner exception stack trace ---'     .NET Framework, mono: on the header's line
//! frame  := '   at ' type '.' method '(' parameters ')' [' in ' file ':line ' n]
//! mono   := '  at ' type '.' method ' (' parameters ') [0x' offset '] in ' (file | '<' hash '>') ':' n
//! sep    := '--- End of stack trace from previous location ---'
//! member := NL ' ---> (Inner Exception #' n ') ' text '<---'
//! ```
//!
//! The frames of an inner exception stand before those of its outer one, so a stack of open exceptions tells whose frame a
//! line is. .NET Framework translates `at`, `in`, `line` and the sentences: they are read by their shape. The first member of
//! an aggregate is also its inner exception; where both are printed the second print is left out. Format:
//! <https://learn.microsoft.com/dotnet/api/system.exception.tostring> (read 2026-11).

use std::borrow::Cow;

use super::dotnet_frame::frame;
use super::lines::{LOG_LINES_MAX, Line, Lines, behind_class, last_segment, number, trim_line_ends};
use super::tree::{Node, Tree};
use super::{Known, Link};

const ARROW: &str = "---> ";
const INNER: &str = " ---> ";
const MEMBER: &str = "(Inner Exception #";
const MEMBER_END: &str = "<---";

/// Lines that some exceptions print after their message.
const DETAILS: &[&str] = &["File name: '", "Fusion log "];

/// Whether a line is a frame.
pub(super) fn signature(line: &str) -> bool {
    let content = line.trim_start_matches(' ');
    matches!(line.len() - content.len(), 2 | 3) && frame(content).is_some()
}

/// Reads the text of an exception.
pub(super) fn parse<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    let mut reader =
        Reader { tree: Tree::default(), lines: Lines::new(text), text, open: Vec::new(), header: None, members: 0 };
    reader.root(known);
    while let Some(line) = reader.lines.next() {
        reader.line(line);
    }
    reader.close_header();
    reader.tree
}

struct Reader<'a> {
    tree: Tree<'a>,
    lines: Lines<'a>,
    text: &'a str,
    /// The exceptions whose text goes on; never empty after the root.
    open: Vec<Open>,
    header: Option<Header>,
    /// How many members of aggregates are open.
    members: usize,
}

struct Open {
    node: usize,
    /// Whether it is a member of an aggregate, which ends with `<---`.
    member: bool,
    has_cause: bool,
}

#[derive(Clone, Copy)]
struct Header {
    start: usize,
    end: usize,
    /// Class and message are settled; what follows is notes.
    anchored: bool,
}

impl<'a> Reader<'a> {
    /// Reads the header of the recorded exception as far as the known message tells it.
    fn root(&mut self, known: Known<'a>) {
        let start = self.known_class(known);
        let node = self.tree.add(Node::default());
        self.open.push(Open { node, member: false, has_cause: false });
        let rest = &self.text[start..];
        let first_line = rest.split('\n').next().unwrap_or_default();
        if let Some(message) = known.message.filter(|message| !message.is_empty()) {
            let colon = first_line.find(": ").filter(|colon| class_of(&first_line[..*colon]).is_some());
            let end = match colon {
                Some(colon) if rest[colon + 2..].starts_with(message) => {
                    self.tree.nodes[node].class = Cow::Borrowed(class_of(&rest[..colon]).unwrap_or_default());
                    Some(start + colon + 2 + message.len())
                }
                _ if rest.starts_with(message) => Some(start + message.len()),
                _ => None,
            };
            if let Some(end) = end {
                self.tree.nodes[node].message = Cow::Borrowed(message);
                self.header = Some(Header { start: end, end, anchored: true });
                self.lines.seek(end);
                if let Some(line) = self.lines.next() {
                    self.header_line(line);
                }
                return;
            }
        }
        self.lines.seek(start);
        if let Some(line) = self.lines.next() {
            self.header = Some(Header { start: line.start, end: line.start, anchored: false });
            self.header_line(line);
        }
    }

    /// Finds the line that starts with the known class, if log lines stand before it.
    fn known_class(&self, known: Known<'_>) -> usize {
        let Some(wanted) = known.class.map(last_segment) else {
            return 0;
        };
        for line in self.lines.clone().take(LOG_LINES_MAX) {
            let head = line.text.split(": ").next().unwrap_or_default();
            if class_of(head).is_some_and(|class| last_segment(class) == wanted) {
                return line.start;
            }
            if signature(line.text) {
                break;
            }
        }
        0
    }

    fn line(&mut self, line: Line<'a>) {
        let (text, ends_member) = match line.text.trim_end().strip_suffix(MEMBER_END) {
            Some(text) if self.members > 0 || text.trim_start().starts_with("---> (Inner Exception #") => (text, true),
            _ => (line.text, false),
        };
        let line = Line { text, end: line.start + text.len(), ..line };
        self.part(line);
        if ends_member {
            self.close_header();
            while let Some(open) = self.open.pop_if(|open| open.node != 0) {
                if open.member {
                    self.members -= 1;
                    break;
                }
            }
        }
    }

    fn part(&mut self, line: Line<'a>) {
        let content = line.text.trim_start_matches(' ');
        if content.is_empty() {
            return self.extend_header(line.end);
        }
        let indent = line.text.len() - content.len();
        if let Some(rest) = content.strip_prefix(ARROW).filter(|_| indent <= 1) {
            if let Some((index, rest)) = rest.strip_prefix(MEMBER).and_then(|rest| rest.split_once(") "))
                && let Some(index) = number(index)
            {
                return self.member(line, rest, index);
            }
            if self.tree.nodes[self.current()].frames.is_empty() {
                return self.inner(line.end - rest.len(), line);
            }
        }
        let ruled = content.trim_end();
        if ruled.len() > 8 && ruled.starts_with("--- ") && ruled.ends_with(" ---") {
            self.close_header();
            if indent >= 2 {
                self.open.pop_if(|open| !open.member && open.node != 0);
            }
            return;
        }
        if indent >= 2
            && let Some(frame) = frame(content)
        {
            self.close_header();
            let current = self.current();
            return self.tree.nodes[current].frames.push(frame);
        }
        if self.header.is_some() {
            self.header_line(line);
        } else if !content.is_empty() && line.closed {
            self.tree.lines_unread += 1;
        }
    }

    /// Takes a line into the open header, up to an inner exception on the same line.
    fn header_line(&mut self, line: Line<'a>) {
        match line.text.find(INNER) {
            Some(at) => {
                self.extend_header(line.start + at);
                self.inner(line.start + at + INNER.len(), line);
            }
            None => self.extend_header(line.end),
        }
    }

    fn extend_header(&mut self, end: usize) {
        if let Some(header) = &mut self.header {
            header.end = end;
        }
    }

    /// Opens the inner exceptions whose headers stand on one line, from a position on.
    fn inner(&mut self, mut start: usize, line: Line<'a>) {
        loop {
            self.close_header();
            let outer = self.current();
            if let Some(open) = self.open.last_mut() {
                open.has_cause = true;
            }
            let node = self.tree.add_under(outer, Link::Cause);
            self.open.push(Open { node, member: false, has_cause: false });
            let next = self.text[start..line.end].find(INNER).map(|at| start + at);
            self.header = Some(Header { start, end: next.unwrap_or(line.end), anchored: false });
            let Some(next) = next else { break };
            start = next + INNER.len();
        }
    }

    fn member(&mut self, line: Line<'a>, rest: &'a str, index: u32) {
        self.close_header();
        let aggregate = self.current();
        let has_cause = self.open.last().is_some_and(|open| open.has_cause);
        let node = match index {
            0 if has_cause => self.tree.add(Node::default()),
            0 => self.tree.add_under(aggregate, Link::Cause),
            _ => self.tree.add_under(aggregate, Link::Group),
        };
        self.open.push(Open { node, member: true, has_cause: false });
        self.members += 1;
        let start = line.end - rest.len();
        self.header = Some(Header { start, end: start, anchored: false });
        self.header_line(Line { text: rest, start, ..line });
    }

    fn close_header(&mut self) {
        let Some(header) = self.header.take() else {
            return;
        };
        let text = trim_line_ends(&self.text[header.start..header.end]);
        let current = self.current();
        let is_root = current == self.tree.root;
        let node = &mut self.tree.nodes[current];
        if header.anchored {
            node.notes = Some(Cow::Borrowed(text.trim())).filter(|notes| !notes.is_empty());
            return;
        }
        let first_line = text.split(['\n', '\r']).next().unwrap_or_default();
        let colon = first_line.find(": ").unwrap_or(first_line.len());
        match class_of(&first_line[..colon]) {
            Some(class) => {
                node.class = Cow::Borrowed(class);
                let (message, notes) = split_details(behind_class(text, colon));
                node.message = Cow::Borrowed(message);
                node.notes = notes.map(Cow::Borrowed);
            }
            // A ToString() of its own: class and message of the recorded exception are the known ones.
            None if is_root => {
                node.notes = Some(Cow::Borrowed(text)).filter(|notes| !notes.is_empty());
            }
            None => node.message = Cow::Borrowed(text),
        }
    }

    fn current(&self) -> usize {
        self.open.last().map_or(0, |open| open.node)
    }
}

/// Reads the class before a colon; a code may follow it: `SocketException (111)`, `Win32Exception (0x80004005)`.
fn class_of(head: &str) -> Option<&str> {
    let class = match head.strip_suffix(')').and_then(|head| head.rsplit_once(" (")) {
        Some((class, code)) if code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => class,
        _ => head,
    };
    let odd = |c: char| c.is_whitespace() || "{}()<>;:\"'".contains(c);
    (!class.is_empty() && !class.contains(odd)).then_some(class)
}

fn split_details(message: &str) -> (&str, Option<&str>) {
    let found = DETAILS.iter().filter_map(|detail| {
        let at = message.find(detail)?;
        (at == 0 || message[..at].ends_with('\n')).then_some(at)
    });
    match found.min() {
        Some(at) => (trim_line_ends(&message[..at]), Some(&message[at..])),
        None => (message, None),
    }
}
