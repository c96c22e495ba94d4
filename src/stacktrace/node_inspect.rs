//! What surrounds V8's frames: the header of `error.stack`, and the nesting of Node's `util.inspect`.
//!
//! ```text
//! error  := header (NL '    at ' frame)* [' {' NL property* '}']
//! header := [file ':' line NL source NL carets NL NL] ['Uncaught '] name [' [' (code | name) ']'] [': ' message]
//!         | '[' header ']'                                              an error without frames
//! property := '  [cause]: ' error                                       indented by two more blanks
//!           | '  [errors]: [' (NL '    ' error)* NL '  ]'
//!           | anything else
//! elided := '    ... ' n ' lines matching cause stack trace ...'        frames that the cause has too
//! ```
//!
//! Elided frames are filled in from the cause: they are those that stand as far from the end of its trace. `Error [Late]` is
//! an error whose name was set after its stack was made: the name is `Late`. Capitals are a code (`TypeError [ERR_X]`).
//! Format: <https://nodejs.org/api/util.html#utilinspectobject-options> (read 2026-11).

use std::borrow::Cow;

use super::javascript::frame;
use super::lines::{Line, Lines, behind_class, number, trim_line_ends};
use super::tree::{Node, Tree};
use super::{Frame, Known, Link};

/// How deep causes may nest in causes; `util.inspect` itself stops at a few levels.
const DEPTH_MAX: usize = 64;

/// How far back from a message its class may start.
const CLASS_BYTES_MAX: usize = 512;

/// How many places that look like the known message are examined.
const ANCHORS_MAX: usize = 64;

/// Reads a stack or an inspected error.
pub(super) fn parse<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    let mut reader = Reader { tree: Tree::default(), lines: Lines::new(text), text };
    let node = reader.tree.add(Node::default());
    let anchored = reader.anchor(node, known);
    reader.error(node, 0, 0, anchored);
    let unread = reader.lines.filter(|line| !line.text.is_empty() && line.closed).count();
    reader.tree.lines_unread += unread as u32;
    reader.tree
}

struct Reader<'a> {
    tree: Tree<'a>,
    lines: Lines<'a>,
    text: &'a str,
}

/// Frames left out in the middle of a trace: where, and how many.
struct Gap {
    index: usize,
    count: u32,
}

impl<'a> Reader<'a> {
    /// Finds the known message behind a header of the recorded error, and moves behind it.
    fn anchor(&mut self, node: usize, known: Known<'a>) -> bool {
        let text = self.text;
        let Some(message) = known.message.filter(|message| !message.is_empty()) else {
            return false;
        };
        let needle = format!(": {message}");
        let found = text.match_indices(&needle).take(ANCHORS_MAX).find_map(|(colon, _)| {
            let near = text.floor_char_boundary(colon.saturating_sub(CLASS_BYTES_MAX));
            let start = text[near..colon].rfind('\n').map_or(near, |at| near + at + 1);
            Some((name(&text[start..colon])?, colon + needle.len()))
        });
        let (class, end) = match found {
            Some((class, end)) => (class, end),
            None if text.starts_with(message) => ("", message.len()),
            None => return false,
        };
        self.tree.nodes[node].class = Cow::Borrowed(class);
        self.tree.nodes[node].message = Cow::Borrowed(message);
        self.lines.seek(end);
        true
    }

    /// Reads an error from the current position on; its lines are indented by `indent` blanks.
    fn error(&mut self, node: usize, indent: usize, depth: usize, anchored: bool) {
        let mut header: Option<(usize, usize)> = None;
        let mut gap = None;
        let mut cause = None;
        let mut first = true;
        while let Some(line) = self.lines.peek() {
            // The first line starts in the middle: behind "[cause]: " or behind the known message.
            let content = if first { line.text } else { inner(line.text, indent) };
            let ended = !first && content.is_empty() && !line.text.trim().is_empty();
            if ended || (!first && content.starts_with(['}', ']']) && header.is_none_or(|_| indent > 0)) {
                break;
            }
            let (body, opens) = match content.strip_suffix(" {") {
                Some(body) => (body, true),
                None => (content, false),
            };
            let (body, last) = match body.strip_suffix(',').filter(|_| indent > 0) {
                Some(body) => (body, true),
                None => (body, false),
            };
            let in_frames = !self.tree.nodes[node].frames.is_empty() || gap.is_some();
            if let Some(body) = body.strip_prefix("    at ").filter(|_| !first) {
                self.tree.nodes[node].frames.push(frame(body));
            } else if let Some(count) = elided(body) {
                gap = Some(Gap { index: self.tree.nodes[node].frames.len(), count });
            } else if in_frames {
                break;
            } else {
                let start = header.map_or(line.start, |(start, _)| start);
                header = Some((start, line.end));
                let bracketed = self.text[start..].starts_with('[') || anchored && body.starts_with(']');
                if !(bracketed && body.ends_with(']')) {
                    self.lines.next();
                    first = false;
                    continue;
                }
                // A bracketed error has no frames: it ends here, or with its properties.
                self.lines.next();
                if opens {
                    header = Some((start, line.end - " {".len()));
                    cause = self.properties(node, indent, depth);
                }
                break;
            }
            self.lines.next();
            first = false;
            if opens {
                cause = self.properties(node, indent, depth);
                break;
            }
            if last {
                break;
            }
        }
        self.finish_header(node, header, anchored, indent);
        if let Some((gap, cause)) = gap.zip(cause) {
            self.fill(node, cause, &gap);
        }
    }

    fn finish_header(&mut self, node: usize, header: Option<(usize, usize)>, anchored: bool, indent: usize) {
        let Some((start, end)) = header else { return };
        let text = trim_line_ends(&self.text[start..end]);
        let node = &mut self.tree.nodes[node];
        if anchored {
            let notes = text.trim_start_matches(']').trim();
            node.notes = Some(Cow::Borrowed(notes)).filter(|notes| !notes.is_empty());
            return;
        }
        let text = text.strip_suffix(',').filter(|text| text.ends_with(']')).unwrap_or(text);
        let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let text = behind_source(text);
        let first_line = text.split(['\n', '\r']).next().unwrap_or_default();
        let colon = first_line.find(": ").unwrap_or(first_line.len());
        match name(&first_line[..colon]) {
            Some(class) => {
                node.class = Cow::Borrowed(class);
                node.message = unindented(behind_class(text, colon), indent);
            }
            None => node.message = unindented(text, indent),
        }
    }

    /// Reads the properties of an inspected error up to its closing brace; returns the cause.
    fn properties(&mut self, node: usize, indent: usize, depth: usize) -> Option<usize> {
        let mut cause = None;
        while let Some(line) = self.lines.next() {
            let content = inner(line.text, indent);
            if content.starts_with('}') {
                break;
            }
            if depth >= DEPTH_MAX {
                continue;
            }
            if let Some(rest) = content.strip_prefix("  [cause]: ") {
                if is_error(rest, self.lines.peek()) {
                    let child = self.tree.add_under(node, Link::Cause);
                    self.lines.seek(line.end - rest.len());
                    self.error(child, indent + 2, depth + 1, false);
                    cause = Some(child);
                }
            } else if let Some(rest) = content.strip_prefix("  [errors]: [") {
                self.members(node, line, rest, indent, depth);
            }
        }
        cause
    }

    fn members(&mut self, node: usize, line: Line<'a>, rest: &'a str, indent: usize, depth: usize) {
        if let Some(list) = rest.trim_end_matches(',').strip_suffix(']') {
            // All on one line: "[ [Error: a], [Error: b] ]".
            let mut at = line.end - rest.len();
            for piece in list.split("], ") {
                let start = at + (piece.len() - piece.trim_start().len());
                let end = at + piece.trim_end().trim_end_matches(']').len();
                at += piece.len() + "], ".len();
                if start < end && is_error(&self.text[start..end], None) {
                    let child = self.tree.add_under(node, Link::Group);
                    self.finish_header(child, Some((start + 1, end)), false, 0);
                }
            }
            return;
        }
        while let Some(line) = self.lines.peek() {
            let content = inner(line.text, indent + 4);
            if content.is_empty() {
                // The closing bracket is indented less.
                if inner(line.text, indent + 2).starts_with(']') {
                    self.lines.next();
                    break;
                }
                if !line.text.starts_with(' ') {
                    break;
                }
            }
            let mut ahead = self.lines.clone();
            ahead.next();
            if is_error(content, ahead.peek()) {
                let child = self.tree.add_under(node, Link::Group);
                self.lines.seek(line.end - content.len());
                self.error(child, indent + 4, depth + 1, false);
            } else {
                self.lines.next();
            }
        }
    }

    /// Puts the frames that the cause has too into the gap.
    fn fill(&mut self, node: usize, cause: usize, gap: &Gap) {
        let after = self.tree.nodes[node].frames.len() - gap.index;
        let end = self.tree.nodes[cause].frames.len().saturating_sub(after);
        let wanted = (gap.count as usize).min(end);
        let allowed = self.tree.allow_copies(wanted);
        let source = &self.tree.nodes[cause].frames;
        let copies =
            (end - wanted..end).take(allowed).filter_map(|index| source.get(index).map(Frame::implied)).collect();
        let frames = &mut self.tree.nodes[node].frames;
        frames.insert(gap.index, copies);
        frames.skipped = frames.skipped.saturating_add(gap.count - allowed as u32);
    }
}

/// Returns a line without `indent` blanks; empty if it has fewer.
fn inner(line: &str, indent: usize) -> &str {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    if blanks < indent { "" } else { &line[indent..] }
}

/// Removes the indentation that nesting adds to every further line of a message.
fn unindented(message: &str, indent: usize) -> Cow<'_, str> {
    if indent == 0 || !message.contains('\n') {
        return Cow::Borrowed(message);
    }
    let margin = " ".repeat(indent.min(DEPTH_MAX * 8));
    let lines: Vec<_> = message.split('\n').map(|line| line.strip_prefix(&*margin).unwrap_or(line)).collect();
    Cow::Owned(lines.join("\n"))
}

fn elided(body: &str) -> Option<u32> {
    let (count, rest) = body.strip_prefix("    ... ")?.split_once(' ')?;
    (rest == "lines matching cause stack trace ...").then(|| number(count))?
}

/// What `util.inspect` prints in brackets that is no error: `[Object]` at its depth limit, `[Function: f]`.
const OTHER_VALUES: &[&str] = &[
    "Array",
    "AsyncFunction",
    "AsyncGeneratorFunction",
    "Date",
    "Function",
    "GeneratorFunction",
    "Getter",
    "Number",
    "Object",
    "Setter",
    "String",
    "Symbol",
];

/// Whether a property's value starts like an error and not like any other value; `next` is the line behind it.
fn is_error(value: &str, next: Option<Line<'_>>) -> bool {
    let head = value.split(": ").next().unwrap_or_default();
    let capital = |class: &str| class.starts_with(|c: char| c.is_uppercase() || c == '_' || c == '$');
    if let Some(head) = head.strip_prefix('[') {
        let head = head.trim_end_matches([',', '{', ' ']);
        let head = head.strip_suffix(']').filter(|head| !head.contains('[')).unwrap_or(head);
        return name(head).is_some_and(|class| capital(class) && !OTHER_VALUES.contains(&class));
    }
    // Without a message only the frames tell an error from a name like NaN.
    let framed = next.is_some_and(|line| line.text.trim_start().starts_with("at "));
    (framed || head.len() < value.len()) && name(head).is_some_and(capital)
}

/// Reads the name of an error before its colon.
fn name(head: &str) -> Option<&str> {
    let head = head.strip_prefix('[').unwrap_or(head);
    let head = head.strip_prefix("Uncaught ").unwrap_or(head);
    let (head, bracket) = match head.strip_suffix(']').and_then(|head| head.split_once(" [")) {
        Some((head, bracket)) => (head, Some(bracket)),
        None => (head, None),
    };
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$')
            && name.chars().all(|c| c.is_alphanumeric() || "_$.-".contains(c))
    };
    let is_code = |text: &str| !text.contains(|c: char| c.is_lowercase());
    let class = bracket.filter(|bracket| !is_code(bracket)).unwrap_or(head);
    is_name(head).then_some(class)
}

/// Passes over the place, the source line and the carets that Node prints before an error of the parser.
fn behind_source(header: &str) -> &str {
    let mut lines = Lines::new(header);
    let Some(first) = lines.next() else {
        return header;
    };
    if super::lines::split_number(first.text).is_none() {
        return header;
    }
    while let Some(line) = lines.next() {
        let carets = line.text.trim();
        if !carets.is_empty() && carets.bytes().all(|byte| byte == b'^' || byte == b'~') {
            return lines.find(|line| !line.text.is_empty()).map_or(header, |line| &header[line.start..]);
        }
    }
    header
}
