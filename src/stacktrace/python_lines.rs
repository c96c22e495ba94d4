//! The lines of a Python traceback, one at a time: margins, rules, places, headers. See `python` for how they follow each other.

use std::borrow::Cow;

use super::lines::{last_segment, number, trim_line_ends};
use super::tree::Node;
use super::{Known, Link};

/// The sentences between two blocks, and how the older exception hangs on the newer one.
pub(super) const SENTENCES: &[(&str, Link)] = &[
    ("The above exception was the direct cause of the following exception:", Link::Cause),
    ("During handling of the above exception, another exception occurred:", Link::Context),
];

/// What the interpreter itself appends to the first line of a message; `str(e)` does not have it.
pub(super) const SUGGESTIONS: &[&str] =
    &[". Did you ", "? Did you ", " Did you ", ", Did you ", "; Did you ", ". Or did you ", " Or did you "];

/// Classes whose `str(e)` ends with the place, which the traceback prints as lines of its own.
pub(super) const SYNTAX_ERRORS: &[&str] = &["SyntaxError", "IndentationError", "TabError"];

/// Reads `and 5 more exceptions`, which stands in the place of a member.
pub(super) fn left_out(node: &Node<'_>) -> Option<u32> {
    let line = if node.message.is_empty() { &node.class } else { &node.message };
    let (count, rest) = line.strip_prefix("and ")?.split_once(' ')?;
    rest.starts_with("more exception").then(|| number(count))?
}

/// Splits a margin of blanks and a bar from a line: the number of levels, and the content.
pub(super) fn margin(line: &str) -> Option<(usize, &str)> {
    let content = line.trim_start_matches(' ');
    let blanks = line.len() - content.len();
    let content = content.strip_prefix('|')?;
    let content = content.strip_prefix(' ').or_else(|| content.is_empty().then_some(""))?;
    (blanks >= 2 && blanks.is_multiple_of(2)).then_some((blanks / 2, content))
}

/// Reads `  +-+---------------- 1 ----------------` or its later form; returns the level of the member it opens.
pub(super) fn child_separator(line: &str) -> Option<usize> {
    let rest = line.trim_start_matches(' ');
    let blanks = line.len() - rest.len();
    let rest = rest.strip_prefix("+-")?;
    let first = rest.starts_with('+');
    let (dashes, label) = rest.trim_start_matches('+').split_once(' ')?;
    let (label, tail) = label.split_once(' ')?;
    let ruled = |rule: &str| rule.len() >= 10 && rule.bytes().all(|byte| byte == b'-');
    let named = label == "..." || number(label).is_some();
    (ruled(dashes) && ruled(tail) && named && blanks >= 2 && blanks.is_multiple_of(2))
        .then_some(blanks / 2 + usize::from(first))
}

/// Reads the rule under the last member; returns the level that it ends.
pub(super) fn group_end(line: &str) -> Option<usize> {
    let rest = line.trim_start_matches(' ');
    let dashes = rest.strip_prefix('+')?;
    (dashes.len() >= 20 && dashes.bytes().all(|byte| byte == b'-')).then_some((line.len() - rest.len()) / 2)
}

/// Reads `  File "path", line 12, in name`; the name is missing in the place of a SyntaxError.
pub(super) fn place(content: &str) -> Option<(&str, u32, Option<&str>)> {
    let rest = content.strip_prefix("  File \"")?;
    let (file, rest) = rest.rsplit_once("\", line ")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let line = number(&rest[..digits])?;
    match &rest[digits..] {
        "" => Some((file, line, None)),
        rest => Some((file, line, Some(rest.strip_prefix(", in ")?))),
    }
}

pub(super) fn repeats(content: &str) -> Option<u32> {
    let (count, rest) = content.strip_prefix("  [Previous line repeated ")?.split_once(' ')?;
    matches!(rest, "more times]" | "more time]").then(|| number(count))?
}

pub(super) fn is_class(class: &str) -> bool {
    !class.is_empty() && !class.contains(|c: char| c.is_whitespace() || c == ':' || c == '(' || c == '"')
}

/// Splits a header; one whose start cannot be a class is all message.
pub(super) fn split_header(header: Cow<'_, str>) -> (Cow<'_, str>, Cow<'_, str>) {
    let line_end = header.find('\n').unwrap_or(header.len());
    let (class_end, message_start) = match header[..line_end].find(':') {
        Some(colon) if header[colon..line_end].starts_with(": ") => (colon, colon + 2),
        Some(colon) if colon + 1 == line_end => (colon, colon + 1),
        Some(_) => (0, 0),
        None => (line_end, (line_end + 1).min(header.len())),
    };
    if !is_class(&header[..class_end]) {
        return (Cow::Borrowed(""), header);
    }
    match header {
        Cow::Borrowed(header) => (Cow::Borrowed(&header[..class_end]), Cow::Borrowed(&header[message_start..])),
        Cow::Owned(header) => (header[..class_end].to_owned().into(), header[message_start..].to_owned().into()),
    }
}

/// Completes the message of a SyntaxError as `str(e)` has it: `invalid syntax (settings.py, line 1)`.
pub(super) fn with_place<'a>(
    class: &str,
    message: Cow<'a, str>,
    place: Option<(&str, u32)>,
    known: Known<'a>,
) -> Cow<'a, str> {
    let Some((file, line)) = place.filter(|_| SYNTAX_ERRORS.contains(&last_segment(class))) else {
        return message;
    };
    let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let full = format!("{message} ({base}, line {line})");
    match known.message {
        _ if message.ends_with(&full[message.len()..]) => message,
        Some(known) if known == full => Cow::Borrowed(known),
        _ => Cow::Owned(full),
    }
}

pub(super) fn append_line<'a>(lines: &mut Cow<'a, str>, content: &'a str) {
    if lines.is_empty() {
        *lines = Cow::Borrowed(content);
        return;
    }
    let owned = lines.to_mut();
    owned.push('\n');
    owned.push_str(content);
}

pub(super) fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim_line_ends(text)),
        Cow::Owned(mut text) => {
            text.truncate(trim_line_ends(&text).len());
            Cow::Owned(text)
        }
    }
}
