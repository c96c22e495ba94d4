//! Python's traceback: CPython 2.7 to 3.14, with chains, groups, notes, carets and folded repeats.
//!
//! ```text
//! text   := block (sep block)*                                    oldest cause FIRST
//! block  := ['Traceback (most recent call last):' entry*] header
//! entry  := '  File "' path '", line ' n ', in ' name NL [4 blanks source] (4 blanks carets or more source)*
//!         | '  [Previous line repeated ' n ' more times]'
//!         | '  File "' path '", line ' n NL (4 blanks …)*          place of a SyntaxError: not a frame
//! header := class [': ' message]                                  the message may go on over lines; notes follow it
//! sep    := NL sentence NL                                        'direct cause' or 'during handling'
//! group  := '  + Exception Group Traceback …' NL ('  | ' line)* '  +-+---- 1 ----' child '    +---- 2 ----' child … '    +-----'
//! ```
//!
//! The margin of a child of a group grows by two blanks a level, and a group's own lines stand at the margin of its level,
//! so one stack of levels reads any nesting. Format: <https://docs.python.org/3/library/traceback.html> (read 2026-11).

use std::borrow::Cow;

use super::lines::{Line, Lines, last_segment, trim_line_ends};
use super::python_lines::{
    SENTENCES, SUGGESTIONS, append_line, child_separator, group_end, is_class, left_out, margin, place, repeats,
    split_header, trim, with_place,
};
use super::tree::{Node, Tree};
use super::{Frame, Known, Link};

const TRACEBACK: &str = "Traceback (most recent call last):";
const GROUP_TRACEBACK: &str = "Exception Group Traceback (most recent call last):";
const ROOT_GROUP_TRACEBACK: &str = "  + Exception Group Traceback (most recent call last):";

/// How far back from a message its class may start. Longer class names are not looked for.
const CLASS_BYTES_MAX: usize = 512;

/// How many places that look like the known message are examined, from the end of the text.
const ANCHORS_MAX: usize = 256;

/// Whether a line is a frame or the head of a group.
pub(super) fn signature(line: &str) -> bool {
    if line == ROOT_GROUP_TRACEBACK {
        return true;
    }
    let content = margin(line).map_or(line, |(_, content)| content);
    matches!(place(content), Some((_, _, Some(_))))
}

/// Reads a traceback.
pub(super) fn parse<'a>(text: &'a str, known: Known<'a>) -> Tree<'a> {
    let mut reader = Reader {
        tree: Tree::oldest_first(),
        levels: vec![Level::default()],
        lines: Lines::new(text),
        anchor: Anchor::find(text, known),
        known,
        text,
    };
    while let Some(line) = reader.lines.next() {
        reader.line(line);
    }
    while !reader.levels.is_empty() {
        reader.close_level();
    }
    reader.tree
}

/// Where the header of the recorded exception stands.
struct Anchor<'a> {
    class_start: usize,
    class: &'a str,
    message: &'a str,
    message_end: usize,
}

impl<'a> Anchor<'a> {
    /// Finds the last `class: message` whose class and message are the known ones.
    fn find(text: &'a str, known: Known<'a>) -> Option<Self> {
        let message = known.message.filter(|message| !message.is_empty())?;
        let needle = format!(": {message}");
        text.rmatch_indices(&needle).take(ANCHORS_MAX).find_map(|(colon, _)| {
            let near = text.floor_char_boundary(colon.saturating_sub(CLASS_BYTES_MAX));
            let line_start = match text[near..colon].rfind('\n') {
                Some(at) => near + at + 1,
                None if near == 0 => 0,
                None => return None,
            };
            let head = &text[line_start..colon];
            let class = margin(head).map_or(head, |(_, content)| content);
            let wanted = known.class.is_none_or(|known| last_segment(known) == last_segment(class));
            (wanted && is_class(class)).then_some(Self {
                class_start: colon - class.len(),
                class,
                message,
                message_end: colon + needle.len(),
            })
        })
    }
}

/// One chain of blocks: the text's own, or that of a member of a group.
#[derive(Default)]
struct Level<'a> {
    /// Lines of this level start with twice as many blanks and `| `. The root takes 0, and 1 while it reads a group.
    depth: usize,
    state: State,
    /// Whether the root's current block is a group, whose lines have a margin.
    in_group: bool,
    current: Option<usize>,
    /// The older exception that waits for the block it hangs on.
    waiting: Option<(usize, Link)>,
    /// The group that this level is a member of.
    owner: Option<usize>,
    header: Header<'a>,
    /// File name and line of the last place without a function.
    syntax_place: Option<(&'a str, u32)>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Before,
    Frames,
    Header,
}

#[derive(Default)]
enum Header<'a> {
    #[default]
    None,
    /// Class and message come from the anchor; what follows is notes.
    Anchored(Cow<'a, str>),
    /// The lines so far. The position is where they start in the text, as long as they are one piece of it.
    Lines(Cow<'a, str>, Option<usize>),
}

struct Reader<'a> {
    tree: Tree<'a>,
    levels: Vec<Level<'a>>,
    lines: Lines<'a>,
    anchor: Option<Anchor<'a>>,
    known: Known<'a>,
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: Line<'a>) {
        let inside = self.levels.len() > 1 || self.top().in_group;
        if inside && let Some(depth) = child_separator(line.text) {
            return self.open_child(depth);
        }
        if inside && let Some(depth) = group_end(line.text) {
            while self.levels.len() > 1 && self.top().depth >= depth {
                self.close_level();
            }
            return;
        }
        let (depth, content) = margin(line.text).unwrap_or((0, line.text));
        while self.levels.len() > 1 && self.top().depth > depth.max(1) {
            self.close_level();
        }
        let root = &self.levels[0];
        if self.levels.len() == 1 {
            let margin_counts = depth == 1 && (root.in_group || root.state == State::Before);
            if depth == 0 || margin_counts {
                self.levels[0].in_group |= margin_counts;
                return self.content(content, line.end);
            }
            return self.content(line.text, line.end);
        }
        if depth == self.top().depth {
            self.content(content, line.end);
        } else {
            self.tree.lines_unread += 1;
        }
    }

    /// Reads one line of the current level, without its margin. `end` is where it ends in the text.
    fn content(&mut self, content: &'a str, end: usize) {
        let start = end - content.len();
        if self.anchor.as_ref().is_some_and(|anchor| anchor.class_start == start) && self.levels.len() == 1 {
            return self.anchored();
        }
        let group = content == ROOT_GROUP_TRACEBACK && self.levels.len() == 1;
        let heads = group || content == TRACEBACK || content == GROUP_TRACEBACK;
        match self.state() {
            State::Before if heads => {
                self.open_block();
                self.top().state = State::Frames;
                self.top().in_group = group;
            }
            State::Before if content.is_empty() => {}
            State::Before => {
                self.open_block();
                self.open_header(content, start);
            }
            State::Frames => self.entry(content, start),
            State::Header if heads && self.is_noise() => {
                let level = self.top();
                level.header = Header::None;
                level.state = State::Frames;
                level.in_group = group;
            }
            State::Header => self.go_on(content, start),
        }
    }

    fn entry(&mut self, content: &'a str, start: usize) {
        let Some(node) = self.top().current else {
            return;
        };
        if let Some((file, line, function)) = place(content) {
            let Some(function) = function else {
                self.top().syntax_place = Some((file, line));
                self.skip_source();
                return;
            };
            let code = self.skip_source();
            self.tree.nodes[node].frames.push(Frame {
                file: Some(Cow::Borrowed(file)),
                function: Some(Cow::Borrowed(function)),
                line: Some(line),
                code: code.map(Cow::Borrowed),
                ..Frame::default()
            });
        } else if let Some(count) = repeats(content) {
            self.repeat(node, count);
        } else if content.starts_with("    ") && !self.tree.nodes[node].frames.is_empty() {
            // More source or carets after a repeat line.
        } else {
            self.open_header(content, start);
        }
    }

    fn repeat(&mut self, node: usize, count: u32) {
        let allowed = self.tree.allow_copies(count as usize);
        let frames = &mut self.tree.nodes[node].frames;
        let Some(last) = frames.last_mut().map(|last| last.implied()) else {
            return;
        };
        for _ in 0..allowed {
            frames.push(last.clone());
        }
        frames.skipped = frames.skipped.saturating_add(count - allowed as u32);
    }

    /// Passes over the lines indented by four blanks that follow a place; the first is the source line.
    fn skip_source(&mut self) -> Option<&'a str> {
        let mut code = None;
        while let Some(line) = self.lines.peek() {
            let Some(source) = self.of_level(line.text).and_then(|content| content.strip_prefix("    ")) else {
                break;
            };
            code.get_or_insert(source.trim());
            self.lines.next();
        }
        code.filter(|code| !code.is_empty())
    }

    /// Returns the content of a line if it belongs to the current level.
    fn of_level(&mut self, line: &'a str) -> Option<&'a str> {
        let level = self.top();
        let wanted = level.depth.max(usize::from(level.in_group));
        if wanted == 0 {
            return Some(line);
        }
        margin(line).filter(|(depth, _)| *depth == wanted).map(|(_, content)| content)
    }

    fn open_header(&mut self, content: &'a str, start: usize) {
        let level = self.top();
        level.header = Header::Lines(Cow::Borrowed(content), Some(start));
        level.state = State::Header;
    }

    /// Takes the header of the recorded exception, and moves behind its message.
    fn anchored(&mut self) {
        let Some(anchor) = self.anchor.take() else {
            return;
        };
        if self.top().state == State::Before {
            self.open_block();
        }
        let rest = &self.text[anchor.message_end..];
        let rest = trim_line_ends(rest.split('\n').next().unwrap_or_default());
        let suggestion = SUGGESTIONS.iter().any(|start| rest.starts_with(start));
        let end = anchor.message_end + rest.len();
        let (message, notes) = if rest.is_empty() || suggestion {
            (anchor.message, rest.trim_start_matches(['.', '?', ',', ';', ' ']))
        } else {
            // The attribute is shorter than the line: the log handler keeps one argument only.
            (&self.text[end - rest.len() - anchor.message.len()..end], "")
        };
        if let Some(node) = self.top().current {
            self.tree.nodes[node].class = Cow::Borrowed(anchor.class);
            self.tree.nodes[node].message = Cow::Borrowed(message);
        }
        let level = self.top();
        level.header = Header::Anchored(Cow::Borrowed(notes));
        level.state = State::Header;
        self.lines.seek(end);
        // What is left of the line is its line end only.
        self.lines.next();
    }

    /// A further line of a header, or the sentence that ends the block.
    fn go_on(&mut self, content: &'a str, start: usize) {
        if content.is_empty()
            && let Some(link) = self.sentence()
        {
            self.close_block();
            let level = self.top();
            level.waiting = level.current.take().map(|node| (node, link));
            level.state = State::Before;
            level.in_group = false;
            return;
        }
        let text = self.text;
        match &mut self.top().header {
            Header::None => {}
            Header::Lines(lines, from) if lines.is_empty() => {
                *lines = Cow::Borrowed(content);
                *from = Some(start);
            }
            Header::Lines(lines, Some(from)) if matches!(&text[*from + lines.len()..start], "\n" | "\r\n") => {
                *lines = Cow::Borrowed(&text[*from..start + content.len()]);
            }
            Header::Lines(lines, from) => {
                *from = None;
                append_line(lines, content);
            }
            Header::Anchored(notes) => append_line(notes, content),
        }
    }

    /// Passes over a sentence and the blank line behind it, if they come next.
    fn sentence(&mut self) -> Option<Link> {
        let mut ahead = self.lines.clone();
        let sentence = ahead.next().and_then(|line| self.of_level_or_root(line.text))?;
        let link = SENTENCES.iter().find(|(words, _)| *words == sentence).map(|(_, link)| *link)?;
        if let Some(blank) = ahead.next() {
            self.of_level_or_root(blank.text).filter(|content| content.is_empty())?;
        }
        self.lines = ahead;
        Some(link)
    }

    /// Between two blocks of the root there is no margin, even after a group.
    fn of_level_or_root(&mut self, line: &'a str) -> Option<&'a str> {
        if self.levels.len() == 1 { Some(line) } else { self.of_level(line) }
    }

    /// Whether what was read so far stands before the first block: a log line, or "Exception in thread …".
    fn is_noise(&mut self) -> bool {
        let level = self.top();
        if level.waiting.is_some() || !matches!(level.header, Header::Lines(..)) {
            return false;
        }
        let current = level.current;
        self.levels.len() == 1
            && self.tree.nodes.len() == 1
            && current.is_some_and(|node| self.tree.nodes[node].frames.is_empty())
    }

    fn open_block(&mut self) {
        let node = self.tree.add(Node::default());
        if let Some((older, link)) = self.top().waiting.take() {
            self.tree.nodes[older].parent = Some((node, link));
        }
        let level = self.top();
        level.current = Some(node);
        level.header = Header::None;
        level.syntax_place = None;
    }

    fn close_block(&mut self) {
        let level = self.top();
        let (header, syntax_place) = (std::mem::take(&mut level.header), level.syntax_place.take());
        let Some(node) = level.current else { return };
        let known = self.known;
        let node = &mut self.tree.nodes[node];
        match header {
            Header::None => {}
            Header::Anchored(notes) => {
                let notes = trim(notes);
                node.notes = Some(notes).filter(|notes| !notes.is_empty());
            }
            Header::Lines(lines, _) => {
                let (class, message) = split_header(trim(lines));
                node.message = with_place(&class, message, syntax_place, known);
                node.class = class;
            }
        }
    }

    fn open_child(&mut self, depth: usize) {
        while self.levels.len() > 1 && self.top().depth >= depth {
            self.close_level();
        }
        let owner = self.top().current;
        self.levels.push(Level { depth, owner, ..Level::default() });
    }

    fn close_level(&mut self) {
        self.close_block();
        let Some(level) = self.levels.pop() else {
            return;
        };
        let Some(node) = level.current else {
            // The text was cut after a sentence: the older exception is all there is.
            if let Some((node, _)) = level.waiting {
                self.adopt(node, level.owner);
            }
            return;
        };
        let more = level.owner.and(left_out(&self.tree.nodes[node]));
        match more {
            Some(count) => self.tree.skipped = self.tree.skipped.saturating_add(count),
            None => self.adopt(node, level.owner),
        }
    }

    fn adopt(&mut self, node: usize, owner: Option<usize>) {
        match owner {
            Some(owner) => self.tree.nodes[node].parent = Some((owner, Link::Group)),
            None => self.tree.root = node,
        }
    }

    fn state(&mut self) -> State {
        self.top().state
    }

    fn top(&mut self) -> &mut Level<'a> {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }
}
