//! OTLP/JSON into protobuf: one pass over the text, no tree in between.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

use crate::otlp::Signal;
use crate::otlp::check::DEPTH_MAX;
use crate::otlp::ids::unhex;
use crate::otlp::schema::{Field, Kind, Message, Rule, Spelling, request};
use crate::otlp::wire::put_varint;

/// Why a text was not read.
#[derive(Debug, Error)]
pub enum JsonError {
    /// It is no OTLP/JSON request; the error tells the place in the text.
    #[error("{0}")]
    Invalid(serde_json::Error),
    /// The caller gave no more room.
    #[error("it grows beyond what it may have as protobuf")]
    NoRoom,
}

/// Asks for so many bytes more than were had so far, and says whether they may be had.
pub type MoreRoom<'r> = &'r mut dyn FnMut(usize) -> bool;

/// A request read from JSON.
#[derive(Debug)]
pub struct Transcoded {
    /// The request in protobuf, fields in the order of their numbers.
    pub body: Vec<u8>,
    pub leniency: Leniency,
}

/// How often a reading rule had to be stretched, by kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Leniency {
    pub keys: u32,
    pub ids: u32,
    pub enums: u32,
    pub numbers: u32,
}

/// Reads a signal's request from OTLP/JSON; a UTF-8 byte order mark is skipped.
pub fn read(signal: Signal, text: &[u8]) -> Result<Transcoded, JsonError> {
    read_within(signal, text, &mut |_| true)
}

/// Reads like [`read`], and asks for room before the protobuf outgrows the text. It does so where numbers of one digit
/// become eight bytes.
pub fn read_within(signal: Signal, text: &[u8], more_room: MoreRoom<'_>) -> Result<Transcoded, JsonError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = &*mend_surrogates(text);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    // Depth is bounded by our own count: values may nest deeper than serde_json's 128 levels of JSON allow.
    deserializer.disable_recursion_limit();
    let mut writer = Writer {
        out: Vec::with_capacity(text.len() / 2),
        leniency: Leniency::default(),
        room: text.len(),
        more_room,
        is_full: false,
    };
    let read = MessageSeed { message: request(signal), writer: &mut writer, depth: 0 }.deserialize(&mut deserializer);
    match read.and_then(|()| deserializer.end()) {
        Ok(()) => Ok(Transcoded { body: writer.out, leniency: writer.leniency }),
        Err(_) if writer.is_full => Err(JsonError::NoRoom),
        Err(error) => Err(JsonError::Invalid(error)),
    }
}

/// Puts U+FFFD for each `\uD800` to `\uDFFF` without its other half, in as many bytes: JavaScript writes a string that it
/// has cut between the two like that, and one such string must not cost the whole request.
fn mend_surrogates(text: &[u8]) -> Cow<'_, [u8]> {
    let mut mended = Cow::Borrowed(text);
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        at += match (surrogate(&text[at..]), surrogate(text.get(at + 6..).unwrap_or_default())) {
            (Some(Half::First), Some(Half::Second)) => 12,
            (Some(_), _) => {
                mended.to_mut()[at + 2..at + 6].copy_from_slice(b"fffd");
                6
            }
            // An escaped backslash starts no escape of its own.
            (None, _) => 2.min(text.len() - at),
        };
    }
    mended
}

/// A half of a pair that stands for one character beyond U+FFFF.
enum Half {
    First,
    Second,
}

/// Reads an escape that is half a character.
fn surrogate(text: &[u8]) -> Option<Half> {
    let [b'\\', b'u', b'd' | b'D', second, third, fourth, ..] = text else { return None };
    if !third.is_ascii_hexdigit() || !fourth.is_ascii_hexdigit() {
        return None;
    }
    match second.to_ascii_lowercase() {
        b'8' | b'9' | b'a' | b'b' => Some(Half::First),
        b'c'..=b'f' => Some(Half::Second),
        _ => None,
    }
}

/// The least that is asked for at a time.
const ROOM_BYTES_MIN: usize = 4 * 1024;

struct Writer<'r> {
    out: Vec<u8>,
    leniency: Leniency,
    /// Bytes that `out` may have.
    room: usize,
    more_room: MoreRoom<'r>,
    /// Whether more room was refused.
    is_full: bool,
}

impl Writer<'_> {
    /// Asks for more room where what was written has outgrown it. Called behind each value: one alone is no longer than
    /// its text, but for some bytes.
    fn keep_room<E: Error>(&mut self) -> Result<(), E> {
        while self.out.len() > self.room {
            let more = self.room.max(ROOM_BYTES_MIN);
            if !(self.more_room)(more) {
                self.is_full = true;
                return Err(E::custom("no room"));
            }
            self.room += more;
        }
        Ok(())
    }

    fn tag(&mut self, number: u32, wire_type: u32) {
        put_varint(&mut self.out, u64::from(number << 3 | wire_type));
    }

    /// Puts the length of what was written since `start` in front of it.
    fn close(&mut self, start: usize) {
        let end = self.out.len();
        put_varint(&mut self.out, (end - start) as u64);
        let length_bytes = self.out.len() - end;
        self.out[start..].rotate_right(length_bytes);
    }

    /// Brings the fields written since `start` into the order of their numbers. Where a key, or a member of a oneof,
    /// stands more than once the last one counts.
    fn settle(&mut self, start: usize, fields: &[(&'static Field, usize)]) {
        let choices = fields.iter().filter(|(field, _)| field.rule == Rule::OneOf).count();
        if choices < 2 && fields.is_sorted_by(|(left, _), (right, _)| left.number < right.number) {
            return;
        }
        let written = self.out.split_off(start);
        let ends = fields.iter().skip(1).map(|(_, at)| at - start).chain([written.len()]);
        let mut pieces: Vec<(&Field, &[u8])> =
            fields.iter().zip(ends).map(|((field, at), end)| (*field, &written[at - start..end])).collect();
        // A null wrote nothing and hence chooses nothing.
        let chosen = pieces.iter().rev().find(|(field, piece)| field.rule == Rule::OneOf && !piece.is_empty());
        let chosen = chosen.map_or(0, |(field, _)| field.number);
        pieces.sort_by_key(|(field, _)| field.number);
        for (index, (field, piece)) in pieces.iter().enumerate() {
            let replaced = pieces.get(index + 1).is_some_and(|(next, _)| next.number == field.number);
            if !replaced && (field.rule != Rule::OneOf || field.number == chosen) {
                self.out.extend_from_slice(piece);
            }
        }
    }
}

/// Reads an object into a message; null leaves it empty.
struct MessageSeed<'w, 'r> {
    message: &'static Message,
    writer: &'w mut Writer<'r>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "an object ({})", self.message.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = self.depth + usize::from(self.message.nests());
        if depth > DEPTH_MAX {
            return Err(A::Error::custom(format_args!("values nest deeper than {DEPTH_MAX}")));
        }
        let start = self.writer.out.len();
        let mut fields = Vec::with_capacity(self.message.fields.len());
        while let Some(key) = map.next_key_seed(KeySeed(self.message))? {
            let Some((field, spelling)) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.writer.leniency.keys += u32::from(spelling == Spelling::Lenient);
            fields.push((field, self.writer.out.len()));
            map.next_value_seed(FieldSeed { field, writer: self.writer, depth, element: false })?;
            self.writer.keep_room()?;
        }
        self.writer.settle(start, &fields);
        Ok(())
    }
}

/// Looks a key up in a message; `None` for an unknown one.
struct KeySeed(&'static Message);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<(&'static Field, Spelling)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<(&'static Field, Spelling)>;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.field_of_key(key))
    }
}

/// Reads a value, or a list of them, into a field; null writes nothing.
struct FieldSeed<'w, 'r> {
    field: &'static Field,
    writer: &'w mut Writer<'r>,
    depth: usize,
    /// Whether it stands in a list.
    element: bool,
}

impl FieldSeed<'_, '_> {
    fn refuse<E: Error, T>(&self, found: impl fmt::Display) -> Result<T, E> {
        Err(E::custom(format_args!("{}: {found} does not fit", self.field.json)))
    }

    /// Whether a zero must be written: where it says something, and in lists.
    fn writes_zero(&self) -> bool {
        self.element || self.field.rule != Rule::One
    }

    fn is_list(&self) -> bool {
        self.field.rule == Rule::Many && !self.element
    }

    fn packs(&self) -> bool {
        self.field.rule == Rule::Many
            && !matches!(self.field.kind, Kind::Message(_) | Kind::String | Kind::Bytes | Kind::Id(_))
    }

    fn varint(self, value: u64) {
        if value != 0 || self.writes_zero() {
            if !self.packs() {
                self.writer.tag(self.field.number, 0);
            }
            put_varint(&mut self.writer.out, value);
        }
    }

    fn fixed(self, bytes: &[u8]) {
        if self.writes_zero() || bytes.iter().any(|byte| *byte != 0) {
            if !self.packs() {
                self.writer.tag(self.field.number, if bytes.len() == 8 { 1 } else { 5 });
            }
            self.writer.out.extend_from_slice(bytes);
        }
    }

    fn bytes(self, bytes: &[u8]) {
        if self.writes_zero() || !bytes.is_empty() {
            self.writer.tag(self.field.number, 2);
            put_varint(&mut self.writer.out, bytes.len() as u64);
            self.writer.out.extend_from_slice(bytes);
        }
    }

    /// Takes a whole number of any width; `number` keeps the sign.
    fn integer<E: Error>(self, number: i128) -> Result<(), E> {
        let fits = match self.field.kind {
            Kind::Fixed64 | Kind::Uint64 => u64::try_from(number).is_ok(),
            Kind::Sfixed64 | Kind::Int64 => i64::try_from(number).is_ok(),
            Kind::Fixed32 | Kind::Uint32 => u32::try_from(number).is_ok(),
            Kind::Int32 | Kind::Sint32 | Kind::Enum(_) => i32::try_from(number).is_ok(),
            Kind::Double => true,
            _ => false,
        };
        if !fits {
            return self.refuse(number);
        }
        match self.field.kind {
            Kind::Fixed64 | Kind::Sfixed64 => self.fixed(&(number as u64).to_le_bytes()),
            Kind::Fixed32 => self.fixed(&(number as u32).to_le_bytes()),
            Kind::Double => self.fixed(&(number as f64).to_le_bytes()),
            Kind::Sint32 => {
                let number = number as i32;
                self.varint(u64::from((number << 1 ^ number >> 31) as u32));
            }
            _ => self.varint(number as i64 as u64),
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "a value for {}", self.field.json)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        // A null in a list of values is an empty value; everywhere else it is absence.
        if self.element && matches!(self.field.kind, Kind::Message(_)) {
            self.bytes(&[]);
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        match self.field.kind {
            Kind::Bool => {
                self.varint(u64::from(flag));
                Ok(())
            }
            _ => self.refuse(flag),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        if self.is_list() { self.refuse(number) } else { self.integer(i128::from(number)) }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        if self.is_list() { self.refuse(number) } else { self.integer(i128::from(number)) }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        match self.field.kind {
            _ if self.is_list() => self.refuse(number),
            Kind::Double => {
                self.fixed(&number.to_le_bytes());
                Ok(())
            }
            _ if number.fract() == 0.0 && number.abs() < 1e20 => {
                self.writer.leniency.numbers += 1;
                self.integer(number as i128)
            }
            _ => self.refuse(number),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.field.kind {
            _ if self.is_list() => return self.refuse("a string"),
            Kind::String => self.bytes(text.as_bytes()),
            Kind::Bytes => match BASE64.decode(text).or_else(|_| BASE64_URL.decode(text)) {
                Ok(bytes) => self.bytes(&bytes),
                Err(_) => return self.refuse("text that is not base64"),
            },
            Kind::Id(length) => {
                let (id, lenient) = id_of_text(text, length);
                self.writer.leniency.ids += u32::from(lenient);
                self.bytes(&id);
            }
            Kind::Enum(names) => {
                self.writer.leniency.enums += 1;
                let number = names.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
                return match number.or_else(|| text.parse().ok()) {
                    Some(number) => self.integer(i128::from(number)),
                    None => self.refuse(format_args!("`{}`", text.escape_debug())),
                };
            }
            Kind::Double => {
                let number = match text {
                    "NaN" => f64::NAN,
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    other => {
                        self.writer.leniency.numbers += 1;
                        match other.parse::<f64>() {
                            Ok(number) if number.is_finite() => number,
                            _ => return self.refuse("text that is not a number"),
                        }
                    }
                };
                self.fixed(&number.to_le_bytes());
            }
            Kind::Bool => {
                self.writer.leniency.numbers += 1;
                match text {
                    "true" => self.varint(1),
                    "false" => self.varint(0),
                    _ => return self.refuse("text that is neither true nor false"),
                }
            }
            Kind::Message(_) => return self.refuse("a string"),
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Int64 | Kind::Uint64 => return self.integer_text(text),
            Kind::Fixed32 | Kind::Uint32 | Kind::Int32 | Kind::Sint32 => {
                self.writer.leniency.numbers += 1;
                return self.integer_text(text);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if let (Kind::Id(length), false) = (self.field.kind, self.is_list()) {
            let mut id = Vec::with_capacity(length);
            while let Some(byte) = list.next_element::<u8>()? {
                // One byte more than an id shows that it is too long; the rest would only cost memory.
                if id.len() <= length {
                    id.push(byte);
                }
            }
            self.writer.leniency.ids += 1;
            self.bytes(&id);
            return Ok(());
        }
        if !self.is_list() {
            return self.refuse("a list");
        }
        let FieldSeed { field, writer, depth, .. } = self;
        let packs = FieldSeed { field, writer, depth, element: false }.packs();
        let before = writer.out.len();
        if packs {
            writer.tag(field.number, 2);
        }
        let start = writer.out.len();
        while list.next_element_seed(FieldSeed { field, writer, depth, element: true })?.is_some() {
            writer.keep_room()?;
        }
        if packs && writer.out.len() == start {
            writer.out.truncate(before);
        } else if packs {
            writer.close(start);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Kind::Message(message) = self.field.kind else { return self.refuse("an object") };
        if self.is_list() {
            return self.refuse("an object");
        }
        self.writer.tag(self.field.number, 2);
        let start = self.writer.out.len();
        MessageSeed { message, writer: self.writer, depth: self.depth }.visit_map(map)?;
        self.writer.close(start);
        Ok(())
    }
}

impl FieldSeed<'_, '_> {
    fn integer_text<E: Error>(self, text: &str) -> Result<(), E> {
        if let Ok(number) = text.parse::<i128>() {
            return self.integer(number);
        }
        self.writer.leniency.numbers += 1;
        match whole_number(text) {
            Some(number) => self.integer(number),
            None => self.refuse("text that is not a whole number"),
        }
    }
}

/// Reads a decimal number with a point or an exponent, where it is whole: `1.5e3`. Digit by digit, because a time in
/// nanoseconds has more digits than a double.
fn whole_number(text: &str) -> Option<i128> {
    const DIGITS_MAX: usize = 38; // of an i128
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let digits = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    let mut zeros = i64::from(exponent) - fraction.len() as i64;
    let significant = digits.trim_end_matches('0');
    zeros += (digits.len() - significant.len()) as i64;
    if significant.is_empty() {
        return Some(0);
    }
    let zeros = usize::try_from(zeros).ok().filter(|zeros| zeros + significant.len() <= DIGITS_MAX)?;
    Some(sign * significant.parse::<i128>().ok()? * 10i128.pow(zeros as u32))
}

const LENIENT_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT_PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT_PADDING);

/// The bytes of an id, and whether they came otherwise than as hex. What is no id comes back with a wrong length.
fn id_of_text(text: &str, length: usize) -> (Vec<u8>, bool) {
    if text.is_empty() {
        return (Vec::new(), false);
    }
    if let Some(id) = unhex(text) {
        return (id, false);
    }
    match BASE64.decode(text).or_else(|_| BASE64_URL.decode(text)) {
        Ok(id) if id.len() == length => (id, true),
        _ => (vec![0; text.len().div_ceil(2).min(length - 1)], false),
    }
}
