//! A cursor over the lines of a text, and the small readings that several grammars share.

/// How many log lines before a stack are passed over in search of its header.
pub(super) const LOG_LINES_MAX: usize = 64;

/// A position in a text, moving line by line. It is a clone away from looking ahead.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    text: &'a str,
    at: usize,
}

/// One line, without its line end (LF or CR LF).
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub text: &'a str,
    /// Where it starts, in bytes from the start of the text.
    pub start: usize,
    /// Where it ends, before its line end.
    pub end: usize,
    /// Whether a line end follows; a text may be cut within its last line.
    pub closed: bool,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Moves to a byte position, which must be a character boundary.
    pub fn seek(&mut self, at: usize) {
        self.at = at;
    }

    pub fn peek(&self) -> Option<Line<'a>> {
        self.clone().next()
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let (raw, closed) = match rest.find('\n') {
            Some(length) => (&rest[..length], true),
            None => (rest, false),
        };
        let text = raw.strip_suffix('\r').unwrap_or(raw);
        let line = Line { text, start: self.at, end: self.at + text.len(), closed };
        self.at += raw.len() + usize::from(closed);
        Some(line)
    }
}

/// Reads a whole string of decimal digits; `None` if there are none, other characters, or too many.
pub(super) fn number(digits: &str) -> Option<u32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Splits `file:12` at its last colon; the part behind it must be a number.
pub(super) fn split_number(text: &str) -> Option<(&str, u32)> {
    let (head, digits) = text.rsplit_once(':')?;
    Some((head, number(digits)?))
}

/// Finds the `(` that matches the `)` at the end of the text.
pub(super) fn open_of_last(text: &str) -> Option<usize> {
    if !text.ends_with(')') {
        return None;
    }
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Returns the last name of a qualified class: `C` of `a.b.C`, `a.B$C`, `a.B+C`, `A\B\C`, `A::C`.
pub(super) fn last_segment(class: &str) -> &str {
    class.rsplit(['.', '$', '+', '\\', ':']).next().unwrap_or(class)
}

/// Returns what stands behind a class that ends at `end`: the message, or further lines.
pub(super) fn behind_class(header: &str, end: usize) -> &str {
    let rest = header.get(end..).unwrap_or_default();
    rest.strip_prefix(": ").unwrap_or_else(|| rest.trim_start_matches([':', '\r', '\n']))
}

/// Removes line ends at the end.
pub(super) fn trim_line_ends(text: &str) -> &str {
    text.trim_end_matches(['\n', '\r'])
}
