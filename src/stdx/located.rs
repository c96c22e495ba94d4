//! [`Located`]: a value and the [`Place`] in a file where it was written.
//!
//! What is checked only after reading (does this exporter exist?) can then still point at the line. A value that comes
//! from elsewhere (another format, a test, a default) has the place 0:0, which no file has.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Name by which a deserializer that knows places recognises a [`Located`].
///
/// It answers `deserialize_newtype_struct` with a sequence of three: line, column, value. Any other deserializer sees
/// an ordinary newtype around the value.
pub const LOCATED: &str = "telemetry_gateway::Located";

/// Name by which a deserializer that knows how a number was written is asked for a value of any sort.
///
/// It answers `deserialize_newtype_struct` for a number with a newtype around a map of one entry, the text as written to
/// the number it reads as, and for everything else like `deserialize_any`: as a number alone, `1.10` would be `1.1`.
pub const WRITTEN: &str = "telemetry_gateway::Written";

/// Line and column in a text file, both counted from 1; the column in characters. 0:0 is no place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

impl Place {
    /// Where nothing was written.
    pub const NONE: Self = Self { line: 0, column: 0 };
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// A value and where it was written. Two are equal, and ordered, by their values alone.
#[derive(Clone, Copy, Default)]
pub struct Located<T> {
    pub value: T,
    pub place: Place,
}

impl<T> Located<T> {
    /// Makes a value that was written nowhere, for defaults and tests.
    pub const fn nowhere(value: T) -> Self {
        Self { value, place: Place::NONE }
    }
}

impl<T: fmt::Debug> fmt::Debug for Located<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(formatter)
    }
}

impl<T: fmt::Display> fmt::Display for Located<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(formatter)
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Located<T> {}

impl<T: PartialOrd> PartialOrd for Located<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for Located<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: Hash> Hash for Located<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(LOCATED, LocatedVisitor(PhantomData))
    }
}

struct LocatedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for LocatedVisitor<T> {
    type Value = Located<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        T::deserialize(deserializer).map(Located::nowhere)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let line = parts.next_element()?;
        let column = parts.next_element()?;
        let value = parts.next_element()?;
        match (line, column, value) {
            (Some(line), Some(column), Some(value)) => Ok(Located { value, place: Place { line, column } }),
            _ => Err(A::Error::invalid_length(0, &"line, column and value")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error, SeqDeserializer, StrDeserializer};

    use super::*;

    #[test]
    fn places_do_not_count_when_values_are_compared() {
        let here = Located { value: "honeycomb", place: Place { line: 3, column: 5 } };
        assert_eq!(here, Located::nowhere("honeycomb"));
        assert!(here < Located::nowhere("xray"));
        assert_eq!(here.place.to_string(), "3:5");
    }

    #[test]
    fn a_reader_without_places_gives_the_place_of_nothing() {
        // The standard value deserializers hand a newtype's content over as it is.
        let visitor = LocatedVisitor::<String>(PhantomData);
        let read = visitor.visit_newtype_struct(StrDeserializer::<Error>::new("xray")).unwrap();
        assert_eq!((read.value.as_str(), read.place), ("xray", Place::NONE));
    }

    #[test]
    fn a_sequence_that_is_cut_short_is_an_error() {
        let parts = SeqDeserializer::<_, Error>::new([1_u32, 2].into_iter());
        assert!(LocatedVisitor::<u32>(PhantomData).visit_seq(parts).is_err());
    }
}
