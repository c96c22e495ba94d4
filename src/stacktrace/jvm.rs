//! The JVM's `printStackTrace`: Java, Kotlin, Scala, Groovy, Clojure, Android; also logback's and log4j's renderings.
//!
//! ```text
//! text   := ['Exception in thread "' name '" '] trace
//! trace  := header frame* [more] suppressed* [cause]
//! header := class [': ' message]                       may go on over lines; a custom toString() has any form
//! frame  := indent TAB 'at ' [loader '/'] [module ['@' version] '/'] class '.' method '(' place ')' [' ~[jar:version]']
//! place  := file ':' n | file | 'Native Method' | 'Unknown Source' [':' n]
//! more   := indent TAB '... ' n (' more' | ' common frames omitted')
//! cause  := indent 'Caused by: ' trace                  at the indent of the trace it belongs to
//! suppr. := indent TAB 'Suppressed: ' trace             one level deeper, with causes of its own
//! circle := 'Caused by: [CIRCULAR REFERENCE: ' toString ']'
//! ```
//!
//! "... n more" stands for the outermost n frames of the enclosing trace, and is filled in. logback's root-cause-first form
//! says `Wrapped by: ` and lists the innermost exception first. Re-indented text (blanks for tabs) is read by its own unit.
//! Format: <https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/lang/Throwable.html> (read 2026-11).

use std::borrow::Cow;

use super::jvm_frame::frame;
use super::lines::{LOG_LINES_MAX, Line, Lines, behind_class, last_segment, number, trim_line_ends};
use super::tree::{Node, Tree};
use super::{Known, Link};

const CAUSE: &str = "Caused by: ";
const SUPPRESSED: &str = "Suppressed: ";
const WRAPPED: &str = "Wrapped by: ";
/// How many wrapping exceptions are compared with the known message.
const TRIES_MAX: usize = 64;

const CIRCULAR: &str = "[CIRCULAR REFERENCE:";

/// Whether a line is a frame.
pub(super) fn signature(line: &str) -> bool {
    line.starts_with('\t') && line.trim_start().strip_prefix("at ").and_then(frame).is_some()
}

/// Reads a printed stack trace.
pub(super) fn parse<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    let start = thread_prefix(text);
    let mut reader = Reader {
        tree: Tree::default(),
        lines: Lines::new(text),
        text,
        open: Vec::new(),
        current: 0,
        header: None,
        unit: None,
        tries: 0,
    };
    reader.root(start, known);
    while let Some(line) = reader.lines.next() {
        reader.line(line, known);
    }
    reader.close_header();
    reader.tree
}

struct Reader<'a> {
    tree: Tree<'a>,
    lines: Lines<'a>,
    text: &'a str,
    /// The latest exception of each level of indentation.
    open: Vec<usize>,
    current: usize,
    /// Where the header that is being read starts and, so far, ends.
    header: Option<Header>,
    /// How many blanks one level of indentation has, if the text is indented with blanks.
    unit: Option<usize>,
    /// How often the known message was looked for.
    tries: usize,
}

#[derive(Clone, Copy)]
struct Header {
    start: usize,
    end: usize,
    /// The class and message are settled; what follows is notes.
    anchored: bool,
}

impl<'a> Reader<'a> {
    /// Reads the header of the recorded exception as far as the known message tells it.
    fn root(&mut self, start: usize, known: Known<'a>) {
        let start = self.known_class(start, known).unwrap_or(start);
        let node = self.tree.add(Node::default());
        self.open.push(node);
        self.current = node;
        let rest = &self.text[start..];
        let first_line = rest.split('\n').next().unwrap_or_default();
        let Some(message) = known.message.filter(|message| !message.is_empty()) else {
            let Some(line) = self.line_at(start) else {
                return;
            };
            self.header = Some(Header { start, end: line.end, anchored: false });
            return;
        };
        let class_end = first_line.find(": ").filter(|end| is_class(&first_line[..*end]));
        let end = match class_end {
            Some(end) if rest[end + 2..].starts_with(message) => {
                self.tree.nodes[node].class = Cow::Borrowed(&rest[..end]);
                start + end + 2 + message.len()
            }
            _ if rest.starts_with(message) => start + message.len(),
            _ => {
                let Some(line) = self.line_at(start) else {
                    return;
                };
                self.header = Some(Header { start, end: line.end, anchored: false });
                return;
            }
        };
        self.tree.nodes[node].message = Cow::Borrowed(message);
        self.header = Some(Header { start: end, end, anchored: true });
        if let Some(line) = self.line_at(end) {
            self.header = Some(Header { start: end, end: line.end, anchored: true });
        }
    }

    /// Moves behind the line in which a position stands, and returns its part from that position on.
    fn line_at(&mut self, at: usize) -> Option<Line<'a>> {
        self.lines.seek(at);
        self.lines.next()
    }

    /// Finds the line that starts with the known class, if log lines stand before it.
    fn known_class(&self, start: usize, known: Known<'_>) -> Option<usize> {
        let wanted = last_segment(known.class?);
        let mut lines = self.lines.clone();
        lines.seek(start);
        for line in lines.take(LOG_LINES_MAX) {
            let class = line.text.split(": ").next().unwrap_or_default();
            if is_class(class) && last_segment(class) == wanted {
                return Some(line.start);
            }
            if line.text.trim_start().strip_prefix("at ").and_then(frame).is_some() {
                break;
            }
        }
        None
    }

    fn line(&mut self, line: Line<'a>, known: Known<'a>) {
        let content = line.text.trim_start_matches(['\t', ' ']);
        let indent = &line.text[..line.text.len() - content.len()];
        let depth = self.depth(indent);
        if !indent.is_empty() {
            if let Some(body) = content.strip_prefix("at ")
                && let Some(frame) = frame(body)
            {
                self.unit = self.unit.or((!indent.contains('\t')).then_some(indent.len()));
                self.close_header();
                return self.tree.nodes[self.current].frames.push(frame);
            }
            if let Some(count) = more(content) {
                self.close_header();
                return self.fill(count);
            }
            if let Some(count) = left_out(content) {
                self.close_header();
                let frames = &mut self.tree.nodes[self.current].frames;
                frames.skipped = frames.skipped.saturating_add(count);
                return;
            }
            if let Some(rest) = content.strip_prefix(SUPPRESSED) {
                let depth = self.depth(indent).max(1);
                return self.open(line, rest, depth, Link::Suppressed);
            }
            if content.starts_with(CIRCULAR) {
                return self.close_header();
            }
        }
        if let Some(rest) = content.strip_prefix(CAUSE) {
            return self.open(line, rest, depth, Link::Cause);
        }
        if let Some(rest) = content.strip_prefix(WRAPPED) {
            return self.wrap(line, rest, known);
        }
        match &mut self.header {
            Some(header) => header.end = line.end,
            None if content.is_empty() || !line.closed => {}
            None => self.tree.lines_unread += 1,
        }
    }

    fn depth(&self, indent: &str) -> usize {
        match self.unit {
            Some(unit) if !indent.contains('\t') => indent.len() / unit,
            _ => indent.bytes().filter(|byte| *byte == b'\t').count(),
        }
    }

    fn open(&mut self, line: Line<'a>, rest: &'a str, depth: usize, link: Link) {
        self.close_header();
        if rest.starts_with(CIRCULAR) {
            return;
        }
        let above = if link == Link::Suppressed { depth - 1 } else { depth };
        let above = above.min(self.open.len() - 1);
        self.open.truncate(above + 1);
        let node = self.tree.add_under(self.open[above], link);
        if link == Link::Suppressed {
            self.open.push(node);
        } else {
            self.open[above] = node;
        }
        self.current = node;
        self.header = Some(Header { start: line.end - rest.len(), end: line.end, anchored: false });
    }

    /// Opens the exception that the one before it caused.
    fn wrap(&mut self, line: Line<'a>, rest: &'a str, known: Known<'a>) {
        self.close_header();
        let node = self.tree.add(Node::default());
        self.tree.nodes[self.open[0]].parent = Some((node, Link::Cause));
        self.tree.root = node;
        self.open = vec![node];
        self.current = node;
        let start = line.end - rest.len();
        self.header = Some(Header { start, end: line.end, anchored: false });
        let class = rest.split(": ").next().unwrap_or_default();
        let message = known.message.filter(|message| !message.is_empty() && is_class(class));
        if let Some(message) = message {
            let from = (start + class.len() + 2).min(line.end);
            // Each try may cost the length of the message.
            self.tries += 1;
            if self.tries <= TRIES_MAX && self.text[from..].starts_with(message) {
                self.tree.nodes[node].class = Cow::Borrowed(class);
                self.tree.nodes[node].message = Cow::Borrowed(message);
                let start = from + message.len();
                let end = self.line_at(start).map_or(start, |line| line.end);
                self.header = Some(Header { start, end, anchored: true });
            }
        }
    }

    /// Fills in the frames that the current trace shares with the one it hangs on.
    fn fill(&mut self, count: u32) {
        let (current, root) = (self.current, self.tree.root);
        let enclosing = match self.tree.nodes[current].parent {
            Some((parent, _)) => Some(parent),
            // Root cause first: the exception before this one is its cause.
            None => current.checked_sub(1).filter(|_| current == root),
        };
        match enclosing {
            Some(enclosing) => self.tree.copy_outermost(enclosing, current, count as usize),
            None => self.tree.nodes[current].frames.skipped = count,
        }
    }

    fn close_header(&mut self) {
        let Some(header) = self.header.take() else {
            return;
        };
        let text = trim_line_ends(&self.text[header.start..header.end]);
        let node = &mut self.tree.nodes[self.current];
        if header.anchored {
            let notes = text.trim();
            node.notes = Some(Cow::Borrowed(notes)).filter(|notes| !notes.is_empty());
            return;
        }
        let root = self.current == self.tree.root;
        let text = if root { behind_log_lines(text) } else { text };
        let first_line = text.split(['\n', '\r']).next().unwrap_or_default();
        let class_end = first_line.find(": ").unwrap_or_else(|| first_line.trim_end_matches(':').len());
        if is_class(&first_line[..class_end]) {
            node.class = Cow::Borrowed(&first_line[..class_end]);
            node.message = Cow::Borrowed(behind_class(text, class_end));
        } else if !root {
            node.message = Cow::Borrowed(text);
        } else {
            // A custom toString() of the recorded exception: class and message are the known ones.
            node.notes = Some(Cow::Borrowed(text)).filter(|notes| !notes.is_empty());
        }
    }
}

/// Passes over `Exception in thread "main" `.
fn thread_prefix(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("Exception in thread \"") else {
        return 0;
    };
    let line = rest.split('\n').next().unwrap_or_default();
    line.find("\" ").map_or(0, |end| text.len() - rest.len() + end + 2)
}

/// Passes over lines before the one that starts with a qualified class.
fn behind_log_lines(header: &str) -> &str {
    let qualified = |line: &Line<'_>| {
        let class = line.text.split(": ").next().unwrap_or_default();
        is_class(class) && class.contains('.')
    };
    let first = header.split(": ").next().unwrap_or_default();
    if is_class(first) {
        return header;
    }
    Lines::new(header).find(qualified).map_or(header, |line| &header[line.start..])
}

/// Reads `... 12 more`.
fn more(content: &str) -> Option<u32> {
    let (count, rest) = content.strip_prefix("... ")?.split_once(' ')?;
    let rest = rest.trim_end();
    (rest == "more" || rest == "common frames omitted").then(|| number(count))?
}

/// Reads `... 23 frames truncated` of log encoders: frames that are nowhere in the text.
fn left_out(content: &str) -> Option<u32> {
    let (count, rest) = content.strip_prefix("... ")?.split_once(' ')?;
    rest.strip_prefix("frames ")?;
    number(count)
}

fn is_class(class: &str) -> bool {
    !class.is_empty() && !class.contains(|c: char| c.is_whitespace() || "{}()[]<>=,;:\"'".contains(c))
}
