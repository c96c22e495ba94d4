//! The protobuf wire format, read in place: tags, varints and length-delimited ranges, nothing about OTLP.
//!
//! Reading never allocates and never panics, whatever the bytes. [`Fields::try_next`] reports what is malformed and is
//! for the door; the [`Iterator`] ends quietly at the first malformed byte and is for views over bytes that have passed
//! the door. Source: <https://protobuf.dev/programming-guides/encoding/> (read 2026-11).

#![expect(clippy::inline_always, reason = "left to itself the compiler calls these, and a view costs twice as much")]

use thiserror::Error;

/// Why bytes are no protobuf message, with the offset from the start of the message that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("ends inside a field")]
    Truncated,
    #[error("has a varint of more than 10 bytes")]
    Varint,
    #[error("has wire type {0}, which OTLP does not use")]
    WireType(u8),
    #[error("has field number 0")]
    FieldNumber,
    #[error("has the wrong wire type in field {0}")]
    FieldType(&'static str),
    #[error("has more than {0} items, data points or groups")]
    Items(u32),
    #[error("nests values deeper than {0} levels")]
    Depth(usize),
    #[error("has a group without items whose {0} is not UTF-8")]
    Hollow(&'static str),
    #[error("has more than {0} items that cannot pass")]
    Flaws(usize),
}

/// One field's value as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Wire<'a> {
    /// The payload of a length-delimited field, empty for any other wire type.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Wire::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// The payload as text; a payload that is not UTF-8 is cut at its first bad byte.
    #[inline]
    pub fn text(self) -> &'a str {
        text(self.bytes())
    }

    /// The number of a varint or fixed field, 0 for a length-delimited one.
    #[inline]
    pub fn number(self) -> u64 {
        match self {
            Wire::Varint(number) | Wire::Fixed64(number) => number,
            Wire::Fixed32(number) => u64::from(number),
            Wire::Bytes(_) => 0,
        }
    }
}

/// Reads bytes as text up to the first byte that is not UTF-8.
#[inline]
pub fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// The fields of one message, in the order of the wire.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline]
    pub fn new(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }

    /// Bytes of the message that have not been read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The byte that the next field begins with.
    #[inline]
    pub fn first_byte(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Passes over some bytes.
    #[inline]
    pub fn pass(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.take(bytes).map(drop)
    }

    /// Reads the length and the payload of a length-delimited field whose tag has been read.
    #[inline(always)]
    pub fn payload(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
        self.take(length)
    }

    /// Reads the next field; `None` at the end of the message.
    #[inline(always)]
    pub fn try_next(&mut self) -> Result<Option<(u32, Wire<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Malformed::FieldNumber)?;
        if number == 0 || number > (1 << 29) - 1 {
            return Err(Malformed::FieldNumber);
        }
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Wire::Bytes(self.payload()?),
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(Malformed::WireType(other as u8)),
        };
        Ok(Some((number, wire)))
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Reads a bare varint, as they stand in a packed field.
    #[inline(always)]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            // The tenth byte holds one bit; what lies above 64 bits is no number.
            if index == 9 && byte > 1 {
                return Err(Malformed::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { Malformed::Truncated } else { Malformed::Varint })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Wire<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.try_next() {
            Ok(field) => field,
            Err(_) => {
                self.rest = &[];
                None
            }
        }
    }
}

/// The occurrences of one length-delimited field in a range of a message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Repeated<'a> {
    bytes: &'a [u8],
    number: u32,
}

impl<'a> Repeated<'a> {
    /// All of `number` in `bytes`, which is a whole message or a run of whole fields of it.
    #[inline]
    pub fn new(bytes: &'a [u8], number: u32) -> Self {
        Repeated { bytes, number }
    }

    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let wanted = self.number;
        Fields::new(self.bytes).filter_map(move |(number, wire)| match wire {
            Wire::Bytes(bytes) if number == wanted => Some(bytes),
            _ => None,
        })
    }
}

/// Notes where the occurrences of one repeated field lie while a message is read once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extent {
    start: usize,
    end: usize,
}

impl Extent {
    /// Notes one occurrence, which lay at `start..end` of the message.
    #[inline]
    pub fn note(&mut self, start: usize, end: usize) {
        if self.end == 0 {
            self.start = start;
        }
        self.end = end;
    }

    /// The occurrences of `number`, to be read again from the part of the message where they lie.
    #[inline]
    pub fn of<'a>(&self, message: &'a [u8], number: u32) -> Repeated<'a> {
        Repeated::new(message.get(self.start..self.end).unwrap_or_default(), number)
    }
}

/// Appends a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The length of a varint in bytes, 1 to 10.
#[inline]
pub fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_survives_writing_and_reading() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = vec![0x08];
            put_varint(&mut out, value);
            assert_eq!(out.len() - 1, varint_bytes(value));
            assert_eq!(Fields::new(&out).try_next(), Ok(Some((1, Wire::Varint(value)))));
        }
    }

    #[test]
    fn what_is_no_message_is_named() {
        let cases: [(&[u8], Malformed); 7] = [
            (&[0x08], Malformed::Truncated),
            (&[0x0a, 5, 1], Malformed::Truncated),
            (&[0x09, 1, 2], Malformed::Truncated),
            (&[0x0b], Malformed::WireType(3)),
            (&[0x02, 0], Malformed::FieldNumber),
            (&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2], Malformed::Varint),
            (&[0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], Malformed::Truncated),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Fields::new(bytes).try_next(), Err(expected), "{bytes:?}");
            assert_eq!(Fields::new(bytes).next(), None);
        }
    }

    #[test]
    fn text_ends_at_the_first_byte_that_is_no_text() {
        assert_eq!(text(b"caf\xc3\xa9"), "café");
        assert_eq!(text(b"ab\xffcd"), "ab");
        assert_eq!(text(b"\xff"), "");
    }
}
