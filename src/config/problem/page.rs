//! [`Page`]: the text of the file as it may be shown, with everything secret in it covered.
//!
//! What is covered is known by byte ranges of the text: values below secret names, values of unknown keys (a misspelt
//! `apikey` holds a key as well), texts that look like keys. Comments are not shown at all; an old key may be in one.
//! When the text is no YAML, nothing is known of it: then only the shape of a line is shown.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::stdx::located::Place;
use crate::stdx::secret::MASK;

/// Longest piece of a line that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 120;

/// How much of it may stand to the left of the place when a line has to be cut.
const SHOWN_CHARS_BEFORE: usize = 60;

/// A file's name and text, and what of it is covered.
#[derive(Clone)]
pub struct Page {
    file: String,
    text: String,
    /// Start and end of what is covered. A set, because an alias can bring one text in a thousand times.
    hidden: BTreeSet<(usize, usize)>,
    /// Keys and values, to tell a `#` in one of them from the start of a comment. Empty while the text is no YAML.
    scalars: Vec<Range<usize>>,
    understood: bool,
}

/// A line to show, and the column (from 0, in characters) under which the caret goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub text: String,
    pub caret: usize,
}

/// Shows the name only: the text holds secrets.
impl std::fmt::Debug for Page {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Page({})", self.file)
    }
}

impl Page {
    /// Makes a page of which nothing is understood yet.
    pub fn new(file: String, text: String) -> Self {
        Self { file, text, hidden: BTreeSet::new(), scalars: Vec::new(), understood: false }
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    /// Gives the written form of a value, quotes included.
    pub fn written(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or("")
    }

    /// Takes note that the text is YAML, and where its keys and values stand.
    pub fn understand(&mut self, scalars: Vec<Range<usize>>) {
        self.scalars = scalars;
        self.understood = true;
    }

    /// Covers a piece of the text.
    pub fn hide(&mut self, span: &Range<usize>) {
        if !span.is_empty() {
            self.hidden.insert((span.start, span.end));
        }
    }

    /// Gives the line of a place as it may be shown; `None` when there is nothing to see on it.
    pub fn show(&self, place: Place) -> Option<Shown> {
        let line = self.line(place.line)?;
        let column = (place.column as usize).saturating_sub(1);
        let (text, caret) = if self.understood { self.covered(line, column) } else { shape(&self.text[line], column) };
        let text = text.trim_end();
        (!text.trim().is_empty()).then(|| crop(text, caret))
    }

    /// Gives the byte range of a line, without its end.
    fn line(&self, number: u32) -> Option<Range<usize>> {
        let mut start = 0;
        for (index, line) in self.text.split('\n').enumerate() {
            if index + 1 == number as usize {
                let length = line.strip_suffix('\r').unwrap_or(line).len();
                return Some(start..start + length);
            }
            start += line.len() + 1;
        }
        None
    }

    /// Gives the line without comment and with the hidden pieces covered, and the column moved along.
    fn covered(&self, line: Range<usize>, column: usize) -> (String, usize) {
        let hidden = marks(&line, self.hidden.iter().map(|&(start, end)| start..end));
        let scalar = marks(&line, self.scalars.iter().cloned());
        let mut out = String::new();
        let mut caret = None;
        let mut before = ' ';
        let mut covering = false;
        for (index, (offset, letter)) in self.text[line].char_indices().enumerate() {
            if index == column {
                caret = Some(out.chars().count());
            }
            if letter == '#' && before.is_whitespace() && !scalar[offset] {
                break;
            }
            before = letter;
            if !hidden[offset] {
                covering = false;
                out.push(printable(letter));
            } else if covering {
                // One mask for the whole run.
            } else if letter == ' ' {
                // The indentation of a line in the midst of a hidden text.
                out.push(' ');
            } else {
                covering = true;
                out.push_str(MASK);
            }
        }
        let end = out.trim_end().chars().count();
        (out, caret.unwrap_or(end))
    }
}

/// Tells for each byte of a line whether it lies in one of the spans.
fn marks(line: &Range<usize>, spans: impl Iterator<Item = Range<usize>>) -> Vec<bool> {
    let mut marks = vec![false; line.len()];
    for span in spans {
        let start = span.start.clamp(line.start, line.end) - line.start;
        let end = span.end.clamp(line.start, line.end) - line.start;
        if start < end {
            marks[start..end].fill(true);
        }
    }
    marks
}

/// Gives the shape of a line that is no YAML: indentation, dashes, a first key, brackets; `***` for all else.
fn shape(line: &str, column: usize) -> (String, usize) {
    let kept = kept_front(line);
    let mut out = String::new();
    let mut caret = None;
    let mut covering = false;
    let mut before = ' ';
    for (index, (offset, letter)) in line.char_indices().enumerate() {
        if index == column {
            caret = Some(out.chars().count());
        }
        if letter == '#' && before.is_whitespace() {
            break;
        }
        before = letter;
        if offset < kept || "[]{},\"' \t|>&*".contains(letter) {
            covering = false;
            out.push(printable(letter));
        } else if !covering {
            covering = true;
            out.push_str(MASK);
        }
    }
    let end = out.trim_end().chars().count();
    (out, caret.unwrap_or(end))
}

/// Gives how many bytes of a line are indentation, dashes and a key of ordinary letters with its colon.
fn kept_front(line: &str) -> usize {
    let content = line.trim_start_matches([' ', '\t', '-']);
    let front = line.len() - content.len();
    let Some(colon) = content.find(':') else {
        return front;
    };
    let key = &content[..colon];
    let ordinary = key.len() <= 40
        && key.starts_with(|letter: char| letter.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_/.-".contains(&byte));
    let ends = content[colon + 1..].chars().next().is_none_or(char::is_whitespace);
    if ordinary && ends { front + colon + 1 } else { front }
}

/// A control character in a file must not steer the terminal of the person who reads the message.
fn printable(letter: char) -> char {
    match letter {
        '\t' => ' ',
        letter if letter.is_control() => '\u{fffd}',
        letter => letter,
    }
}

/// Cuts a long line to the part around the place.
fn crop(text: &str, caret: usize) -> Shown {
    let length = text.chars().count();
    let caret = caret.min(length);
    if length <= SHOWN_CHARS_MAX {
        return Shown { text: text.to_owned(), caret };
    }
    let start = caret.saturating_sub(SHOWN_CHARS_BEFORE);
    let mut cut: String = text.chars().skip(start).take(SHOWN_CHARS_MAX).collect();
    let mut caret = caret - start;
    if start > 0 {
        cut.insert(0, '…');
        caret += 1;
    }
    if start + SHOWN_CHARS_MAX < length {
        cut.push('…');
    }
    Shown { text: cut, caret }
}
