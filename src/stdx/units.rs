//! Sizes and spans of time as people write them: [`ByteSize`] (`256MiB`) and [`Interval`] (`1h30m`).
//!
//! Both print in the form they read, and reading what was printed gives the same value.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Units of size, largest first. A bare letter (`64K`) is refused: readers disagree whether it means 1000 or 1024.
const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// Units of time in nanoseconds, largest first.
const TIMES: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const SIZE_EXPECTED: &str = "a size such as 256MiB, 64KB or a number of bytes";
const INTERVAL_EXPECTED: &str = "a duration such as 30s, 200ms or 1h30m";

/// A number of bytes, up to 2^64 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// A span of time in whole nanoseconds, up to about 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(Duration);

/// A text that is no [`ByteSize`] or no [`Interval`]. Says what was expected and does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct UnitError {
    expected: &'static str,
}

impl ByteSize {
    /// Makes a size of so many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Makes a size of so many MiB; stops at the largest size there is.
    pub const fn mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes.saturating_mul(1 << 20))
    }

    /// Gives the number of bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Gives the number of bytes for use as a length in memory; stops at the largest length there is.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Interval {
    /// Makes an interval of so many seconds.
    pub const fn seconds(seconds: u32) -> Self {
        Self(Duration::from_secs(seconds as u64))
    }

    /// Makes an interval of so many milliseconds.
    pub const fn millis(millis: u32) -> Self {
        Self(Duration::from_millis(millis as u64))
    }

    /// Gives the interval in the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refused = UnitError { expected: SIZE_EXPECTED };
        let (number, unit) = split(text).ok_or(refused)?;
        let unit = unit.trim_start_matches(' ');
        let scale = if unit.is_empty() { 1 } else { scale_of(&SIZES, unit).ok_or(refused)? };
        number.checked_mul(scale).map(Self).ok_or(refused)
    }
}

impl FromStr for Interval {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refused = UnitError { expected: INTERVAL_EXPECTED };
        if text == "0" {
            return Ok(Self::default());
        }
        let mut nanos: u64 = 0;
        let mut scale_before = u64::MAX;
        let mut rest = text;
        loop {
            let (number, after) = split(rest).ok_or(refused)?;
            let end = after.find(|letter: char| letter.is_ascii_digit()).unwrap_or(after.len());
            let scale = scale_of(&TIMES, &after[..end]).ok_or(refused)?;
            // `30m1h` and `1s1s` are slips rather than sums.
            if scale >= scale_before {
                return Err(refused);
            }
            scale_before = scale;
            nanos = number.checked_mul(scale).and_then(|part| nanos.checked_add(part)).ok_or(refused)?;
            rest = &after[end..];
            if rest.is_empty() {
                return Ok(Self(Duration::from_nanos(nanos)));
            }
        }
    }
}

/// Takes the decimal number off the front of a text; `None` without one, or when it exceeds 64 bits.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    digits.parse().ok().map(|number| (number, rest))
}

fn scale_of(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale)
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, scale) =
            SIZES.into_iter().find(|(_, scale)| self.0 >= *scale && self.0.is_multiple_of(*scale)).unwrap_or(("B", 1));
        write!(formatter, "{}{unit}", self.0 / scale)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return formatter.write_str("0s");
        }
        let mut rest = self.0.as_nanos();
        for (unit, scale) in TIMES {
            let count = rest / u128::from(scale);
            rest %= u128::from(scale);
            if count > 0 {
                write!(formatter, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ByteSizeVisitor)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(IntervalVisitor)
    }
}

struct ByteSizeVisitor;

impl Visitor<'_> for ByteSizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(SIZE_EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize(bytes))
    }
}

struct IntervalVisitor;

impl Visitor<'_> for IntervalVisitor {
    type Value = Interval;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(INTERVAL_EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Interval, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_printed_alike() {
        for (text, bytes, printed) in [
            ("0", 0, "0B"),
            ("65536", 65_536, "64KiB"),
            ("64KB", 64_000, "64KB"),
            ("256MiB", 256 << 20, "256MiB"),
            ("256 MiB", 256 << 20, "256MiB"),
            ("1000001B", 1_000_001, "1000001B"),
            ("18446744073709551615", u64::MAX, "18446744073709551615B"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.as_u64(), size.to_string().as_str()), (bytes, printed));
            assert_eq!(printed.parse(), Ok(size));
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "MiB", "-1", "1.5MiB", "64K", "64kb", "1 2", "16777216TiB", "99999999999999999999"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn intervals_are_read_and_printed_alike() {
        for (text, millis, printed) in [
            ("0", 0, "0s"),
            ("30s", 30_000, "30s"),
            ("200ms", 200, "200ms"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90m", 5_400_000, "1h30m"),
            ("1d1ms", 86_400_001, "1d1ms"),
        ] {
            let interval: Interval = text.parse().unwrap();
            assert_eq!(interval.duration(), Duration::from_millis(millis));
            assert_eq!(interval.to_string(), printed);
            assert_eq!(printed.parse(), Ok(interval));
        }
    }

    #[test]
    fn what_is_no_interval_is_refused() {
        for text in ["", "30", "s", "-1s", "1.5s", "30 s", "30m1h", "1s1s", "1y", "1hm", "99999999999d", "1ß"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }
}
