//! serde's words for types in the words of a person who writes YAML.

use serde::de::Unexpected;

/// serde's standard expectations, by their whole text.
const EXPECTED: [(&str, &str); 20] = [
    ("a boolean", "true or false"),
    ("a string", "text"),
    ("a character", "one letter"),
    ("a borrowed string", "text"),
    ("a sequence", LIST),
    ("a map", MAPPING),
    ("unit", "nothing"),
    ("i8", "a whole number from -128 to 127"),
    ("i16", "a whole number from -32768 to 32767"),
    ("i32", "a whole number from -2147483648 to 2147483647"),
    ("i64", "a whole number"),
    ("isize", "a whole number"),
    ("i128", "a whole number"),
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number, 0 or more"),
    ("usize", "a whole number, 0 or more"),
    ("f32", "a number"),
    ("f64", "a number"),
];

/// serde's expectations that go on with the name of a Rust type.
const EXPECTED_STARTS: [(&str, &str); 8] = [
    ("struct variant ", "a mapping"),
    ("tuple variant ", LIST),
    ("tuple struct ", LIST),
    ("unit variant ", "a name alone"),
    ("newtype variant ", "a name with a value"),
    ("struct ", "a mapping"),
    ("enum ", "a name"),
    ("a tuple of ", LIST),
];

/// What a mapping is called; a text in its place could be anything, also a key.
pub const MAPPING: &str = "a mapping";

/// What an absent value is called.
pub const NOTHING: &str = "nothing";

/// What a list is called.
pub const LIST: &str = "a list";

/// Translates what a type expects.
pub fn expected(theirs: &str) -> String {
    let whole = EXPECTED.iter().find(|(name, _)| *name == theirs);
    let start = EXPECTED_STARTS.iter().find(|(start, _)| theirs.starts_with(start));
    whole.or(start).map_or(theirs, |(_, ours)| *ours).to_owned()
}

/// Describes what was found: its sort, and its text where it has one.
pub fn found(unexpected: Unexpected<'_>) -> (String, Option<String>) {
    let (sort, text) = match unexpected {
        Unexpected::Bool(value) => ("", Some(value.to_string())),
        Unexpected::Unsigned(number) => ("number", Some(number.to_string())),
        Unexpected::Signed(number) => ("number", Some(number.to_string())),
        Unexpected::Float(number) => ("number", Some(number.to_string())),
        Unexpected::Char(letter) => ("text", Some(letter.to_string())),
        Unexpected::Str("") => ("empty text", None),
        Unexpected::Str(text) => ("text", Some(text.to_owned())),
        Unexpected::Unit | Unexpected::Option => (NOTHING, None),
        Unexpected::Seq => (LIST, None),
        Unexpected::Map => (MAPPING, None),
        Unexpected::UnitVariant => ("a name alone", None),
        Unexpected::NewtypeVariant | Unexpected::TupleVariant | Unexpected::StructVariant => {
            ("a name with a value", None)
        }
        Unexpected::Other(other) => (other, None),
        Unexpected::Bytes(_) | Unexpected::NewtypeStruct | Unexpected::Enum => ("another value", None),
    };
    (sort.to_owned(), text)
}
