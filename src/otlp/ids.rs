//! Trace and span ids: parsed once, compared as numbers of bytes, shown as lower-case hex.

use std::fmt;

/// A trace's id, 16 bytes, never all zero. <https://www.w3.org/TR/trace-context/#trace-id>
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// A span's id within its trace, 8 bytes, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

impl TraceId {
    /// Takes exactly 16 bytes that are not all zero.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        <[u8; 16]>::try_from(bytes).ok().filter(|id| *id != [0; 16]).map(TraceId)
    }

    /// The 32 lower-case hex digits.
    pub fn hex(&self) -> [u8; 32] {
        hex(&self.0)
    }
}

impl SpanId {
    /// Takes exactly 8 bytes that are not all zero.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        <[u8; 8]>::try_from(bytes).ok().filter(|id| *id != [0; 8]).map(SpanId)
    }

    /// The 16 lower-case hex digits.
    pub fn hex(&self) -> [u8; 16] {
        hex(&self.0)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Writes each byte as two lower-case hex digits; `M` is twice `N`.
pub fn hex<const N: usize, const M: usize>(bytes: &[u8; N]) -> [u8; M] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    const { assert!(M == 2 * N, "two digits a byte") };
    let mut out = [0; M];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    out
}

/// Reads pairs of hex digits of either case.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            Some((high << 4 | low) as u8)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_shows_as_the_hex_it_was_read_from() {
        let text = "5b8efff798038103d269b633813fc60c";
        let id = TraceId::parse(&unhex(text).unwrap()).unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(unhex(&text.to_uppercase()).unwrap(), id.0);
    }

    #[test]
    fn ids_of_the_wrong_length_or_all_zero_are_none() {
        assert_eq!(TraceId::parse(&[1; 15]), None);
        assert_eq!(TraceId::parse(&[0; 16]), None);
        assert_eq!(SpanId::parse(&[]), None);
        assert_eq!(SpanId::parse(&[0; 8]), None);
        assert_eq!(unhex("abc"), None);
        assert_eq!(unhex("zz"), None);
    }
}
