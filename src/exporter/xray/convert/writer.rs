//! JSON that is written as the inside of a JSON string: every quote of the document is `\"` from the start, so that a
//! request's `TraceSegmentDocuments` is a plain copy of what is written here.
//!
//! ```text
//! document     {"name":"say \"hi\""}
//! written      {\"name\":\"say \\\"hi\\\"\"}
//! ```
//!
//! Only two outer escapes occur, `\"` and `\\`: undoing them is one replacement ([`plain_bytes`]).

use std::io::Write;

use base64::Engine;

use crate::otlp::Value;

/// How deep values may nest; what lies deeper is named, not written. Readers of JSON commonly stop at 128 levels.
const DEPTH_MAX: usize = 100;

/// A document being written at the end of a buffer.
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    /// Written bytes beyond which the document is too large however it is counted.
    written_max: usize,
    over: bool,
}

/// Begins a member: the comma where one is needed, the name, the colon.
macro_rules! key {
    ($writer:expr, $name:literal) => {
        $writer.member(concat!("\\\"", $name, "\\\":"))
    };
}
pub(super) use key;

impl<'o> Writer<'o> {
    /// Writes behind what `out` holds; a document of more than `bytes_max` bytes need not be finished.
    pub fn new(out: &'o mut Vec<u8>, bytes_max: usize) -> Self {
        let start = out.len();
        Writer { out, start, written_max: bytes_max.saturating_mul(2), over: false }
    }

    /// Whether the document is too large already. What is written from then on does not count.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.over || self.out.len() - self.start > self.written_max
    }

    /// Where the next byte goes; for [`Writer::back_to`] and [`Writer::len_since`].
    #[inline]
    pub fn mark(&self) -> usize {
        self.out.len()
    }

    #[inline]
    pub fn back_to(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    #[inline]
    pub fn len_since(&self, mark: usize) -> usize {
        self.out.len() - mark
    }

    /// Copies text that is escaped already.
    #[inline]
    pub fn raw(&mut self, escaped: &str) {
        self.out.extend_from_slice(escaped.as_bytes());
    }

    /// Copies bytes that another writer made.
    #[inline]
    pub fn raw_bytes(&mut self, escaped: &[u8]) {
        self.out.extend_from_slice(escaped);
    }

    /// A comma, but for the first in its object or list.
    #[inline]
    pub fn comma(&mut self) {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    /// Begins a member by its escaped `\"name\":`; see [`key!`].
    #[inline]
    pub fn member(&mut self, escaped: &'static str) {
        self.comma();
        self.raw(escaped);
    }

    /// Begins a member of any name.
    pub fn member_named(&mut self, prefix: &'static str, name: &str) {
        self.comma();
        self.raw("\\\"");
        self.raw(prefix);
        self.text(name);
        self.raw("\\\":");
    }

    /// Opens an object.
    #[inline]
    pub fn open(&mut self) {
        self.out.push(b'{');
    }

    #[inline]
    pub fn close(&mut self) {
        self.out.push(b'}');
    }

    #[inline]
    pub fn open_list(&mut self) {
        self.out.push(b'[');
    }

    #[inline]
    pub fn close_list(&mut self) {
        self.out.push(b']');
    }

    /// Closes an object, or takes back all since `mark` where it is empty.
    pub fn close_or_drop(&mut self, mark: usize) {
        if self.out.last() == Some(&b'{') {
            self.out.truncate(mark);
        } else {
            self.close();
        }
    }

    /// A string with its quotes.
    #[inline]
    pub fn string(&mut self, text: &str) {
        self.raw("\\\"");
        self.text(text);
        self.raw("\\\"");
    }

    /// A string cut at so many characters.
    #[inline]
    pub fn string_cut(&mut self, text: &str, chars_max: usize) {
        self.string(cut_chars(text, chars_max));
    }

    /// The inside of a string.
    #[inline(never)]
    pub fn text(&mut self, text: &str) {
        if text.len() > self.written_max {
            self.over = true; // no document has room for it: the ladder comes back with a shorter one
        } else if is_plain(text.as_bytes()) {
            self.raw(text);
        } else {
            self.escape(text);
        }
    }

    #[cold]
    #[inline(never)]
    fn escape(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut plain = 0;
        for (index, byte) in text.bytes().enumerate() {
            let escaped: &[u8] = match byte {
                b'"' => br#"\\\""#,
                b'\\' => br"\\\\",
                b'\n' => br"\\n",
                b'\r' => br"\\r",
                b'\t' => br"\\t",
                0..0x20 => &[b'\\', b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]],
                _ => continue,
            };
            self.out.extend_from_slice(&text.as_bytes()[plain..index]);
            self.out.extend_from_slice(escaped);
            plain = index + 1;
        }
        self.out.extend_from_slice(&text.as_bytes()[plain..]);
    }

    #[inline]
    pub fn bool(&mut self, flag: bool) {
        self.raw(if flag { "true" } else { "false" });
    }

    pub fn uint(&mut self, number: u64) {
        let mut digits = [0; 20];
        let start = decimal(number, &mut digits);
        self.out.extend_from_slice(&digits[start..]);
    }

    #[inline]
    pub fn int(&mut self, number: i64) {
        if number < 0 {
            self.out.push(b'-');
        }
        self.uint(number.unsigned_abs());
    }

    /// A double; what JSON has no number for becomes a string.
    pub fn double(&mut self, number: f64) {
        if number.is_finite() {
            write!(self.out, "{number:?}").expect("writing to a Vec cannot fail");
        } else if number.is_nan() {
            self.string("NaN");
        } else {
            self.string(if number > 0.0 { "Infinity" } else { "-Infinity" });
        }
    }

    /// Nanoseconds as seconds with 6 digits behind the point, 9 where there are nanoseconds: exact, whatever a double
    /// makes of it.
    pub fn seconds(&mut self, nanoseconds: u64) {
        const BILLION: u64 = 1_000_000_000;
        self.uint(nanoseconds / BILLION);
        // A leading 1 keeps the zeros behind the point.
        let mut digits = [0; 20];
        let start = decimal(BILLION + nanoseconds % BILLION, &mut digits);
        digits[start] = b'.';
        let end = if digits.ends_with(b"000") { digits.len() - 3 } else { digits.len() };
        self.out.extend_from_slice(&digits[start..end]);
    }

    /// Any value as plain JSON: bytes as base64, nothing as null.
    #[inline]
    pub fn value(&mut self, value: Value<'_>) {
        self.value_within(value, usize::MAX, 0);
    }

    /// A value whose strings of more than `string_bytes_max` bytes are cut to a quarter of that.
    pub fn value_within(&mut self, value: Value<'_>, string_bytes_max: usize, depth: usize) {
        match value {
            Value::Empty => self.raw("null"),
            Value::Str(text) if text.len() > string_bytes_max => self.shortened(text, string_bytes_max / 4),
            Value::Str(text) => self.string(text),
            Value::Bool(flag) => self.bool(flag),
            Value::Int(number) => self.int(number),
            Value::Double(number) => self.double(number),
            Value::Bytes(bytes) => {
                // A multiple of three has a whole number of base64 quads.
                let most = if bytes.len() > string_bytes_max { string_bytes_max / 12 * 3 } else { bytes.len() };
                if most > self.written_max {
                    self.over = true;
                } else {
                    self.string(&base64::engine::general_purpose::STANDARD.encode(&bytes[..most]));
                }
            }
            Value::Array(_) | Value::Map(_) if depth >= DEPTH_MAX => self.string("[nested too deep]"),
            Value::Array(array) => {
                self.open_list();
                for value in array.iter() {
                    if self.is_over() {
                        break;
                    }
                    self.comma();
                    self.value_within(value, string_bytes_max, depth + 1);
                }
                self.close_list();
            }
            Value::Map(map) => {
                self.open();
                for (name, value) in map.iter() {
                    if self.is_over() {
                        break;
                    }
                    self.member_named("", cut_bytes(name, string_bytes_max));
                    self.value_within(value, string_bytes_max, depth + 1);
                }
                self.close();
            }
        }
    }

    /// A string of its first bytes, and how many are missing.
    pub fn shortened(&mut self, text: &str, bytes_max: usize) {
        let kept = cut_bytes(text, bytes_max);
        self.raw("\\\"");
        self.text(kept);
        self.raw("…(+");
        self.uint((text.len() - kept.len()) as u64);
        self.raw(" bytes)\\\"");
    }
}

/// The first characters of a text.
#[inline]
pub fn cut_chars(text: &str, chars_max: usize) -> &str {
    if text.len() <= chars_max {
        return text;
    }
    text.char_indices().nth(chars_max).map_or(text, |(end, _)| &text[..end])
}

/// The first bytes of a text, no character cut in two.
#[inline]
pub fn cut_bytes(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Undoes the outer escaping.
pub fn plain_bytes(document: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(document.len());
    let mut bytes = document.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => *bytes.next().unwrap_or(byte),
            other => *other,
        });
    }
    plain
}

/// The length of a document once the outer escaping is undone.
pub fn plain_len(document: &[u8]) -> usize {
    let mut length = 0;
    let mut bytes = document.iter();
    while let Some(byte) = bytes.next() {
        length += 1;
        if *byte == b'\\' {
            bytes.next();
        }
    }
    length
}

/// Whether no byte needs an escape. Sixteen, eight or four bytes are looked at in one step: nearly all texts are plain.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    if let Some(tail) = bytes.last_chunk::<16>() {
        let (chunks, _) = bytes.as_chunks::<16>();
        return !chunks.iter().fold(has_special(tail), |any, chunk| any | has_special(chunk));
    }
    if let (Some(head), Some(tail)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return special(u64::from_le_bytes(*head)) | special(u64::from_le_bytes(*tail)) == 0;
    }
    if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (head, tail) = (u64::from(u32::from_le_bytes(*head)), u64::from(u32::from_le_bytes(*tail)));
        return special(head << 32 | tail) == 0;
    }
    !bytes.iter().any(|byte| is_special(*byte))
}

#[inline]
fn is_special(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\')
}

/// Without a branch between the bytes, so that it becomes a few vector instructions.
#[inline]
fn has_special(bytes: &[u8; 16]) -> bool {
    let mark = |byte: u8| u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    bytes.iter().fold(0, |any, byte| any | mark(*byte)) != 0
}

/// Not zero where one of eight bytes is a quote, a backslash or below a space.
/// <https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64)) | control) & HIGHS
}

/// The digits of 0 to 99, two each: half the divisions, which are what a number costs.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    pairs
};

/// Writes digits at the end of the array and says where they start.
#[inline]
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> usize {
    let mut at = digits.len();
    while number >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    if number > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + number as u8;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out, 1000));
        String::from_utf8(plain_bytes(&out)).unwrap()
    }

    #[test]
    fn every_character_survives_both_escapings() {
        let hostile: String = (0..0x250).filter_map(char::from_u32).chain("\u{2028}😀\\\"\\".chars()).collect();
        for text in [
            hostile.as_str(),
            "",
            "a",
            "\"",
            "0123456789abcdef\"",
            "\"0123456789abcdef",
            "01234567\"9abcdef01\n",
            "12345678\"",
            "\"12345678",
            "1234\n5678",
            "123\"",
            "\"234567",
            "1\t3",
            "\\\\\\\\",
        ] {
            let plain = written(|writer| writer.string(text));
            assert_eq!(serde_json::from_str::<String>(&plain).unwrap(), text);
        }
    }

    #[test]
    fn the_length_is_that_of_the_plain_document() {
        let mut out = Vec::new();
        Writer::new(&mut out, 1000).string("a \"quoted\" \\ text\n");
        assert_eq!(plain_len(&out), plain_bytes(&out).len());
    }

    #[test]
    fn seconds_are_exact() {
        let cases = [
            (0, "0.000000"),
            (1, "0.000000001"),
            (1_700_000_000_000_000_000, "1700000000.000000"),
            (1_700_000_000_123_456_000, "1700000000.123456"),
            (1_700_000_000_123_456_789, "1700000000.123456789"),
            (u64::MAX, "18446744073.709551615"),
        ];
        for (nanoseconds, expected) in cases {
            assert_eq!(written(|writer| writer.seconds(nanoseconds)), expected);
        }
    }

    #[test]
    fn numbers_that_json_has_no_word_for_are_strings() {
        assert_eq!(written(|writer| writer.double(f64::NAN)), "\"NaN\"");
        assert_eq!(written(|writer| writer.double(f64::NEG_INFINITY)), "\"-Infinity\"");
        assert_eq!(written(|writer| writer.double(1.5)), "1.5");
        assert_eq!(written(|writer| writer.int(i64::MIN)), "-9223372036854775808");
    }

    #[test]
    fn a_shortened_text_says_how_much_is_missing() {
        assert_eq!(written(|writer| writer.shortened("caféteria", 4)), "\"caf…(+7 bytes)\"");
    }

    #[test]
    fn a_text_that_no_document_can_hold_is_not_written() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, 10);
        writer.text(&"x".repeat(21));
        assert!(writer.is_over());
        assert!(out.is_empty());
    }
}
