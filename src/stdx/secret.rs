//! [`Secret`]: text that prints as `***` wherever it goes.
//!
//! The promise: no `Debug`, `Display`, serialised form or reading error of a `Secret` holds its text. The one way to
//! the text is [`Secret::expose`], so a search for that name lists every place where a secret leaves.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is printed where a secret stands.
pub const MASK: &str = "***";

/// Text that must not be shown, such as an API key.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives the text itself, to be sent and never to be printed.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Says whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_string(SecretVisitor)
    }
}

/// Takes text only. serde's own refusal of a number or boolean quotes it, hence the methods that refuse without.
struct SecretVisitor;

fn refuse<E: Error>() -> Result<Secret, E> {
    Err(E::custom("expected text (write it in quotes)"))
}

impl Visitor<'_> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
        refuse()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
        refuse()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
        refuse()
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Secret, E> {
        refuse()
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Secret, E> {
        refuse()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
        refuse()
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error, F64Deserializer, StrDeserializer, U64Deserializer};

    use super::*;

    #[test]
    fn a_secret_never_prints_its_text() {
        let secret = Secret::deserialize(StrDeserializer::<Error>::new("hunter2")).unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
    }

    #[test]
    fn a_refused_value_is_not_quoted() {
        let number = Secret::deserialize(U64Deserializer::<Error>::new(4711)).unwrap_err();
        let fraction = Secret::deserialize(F64Deserializer::<Error>::new(47.25)).unwrap_err();
        assert!(!number.to_string().contains("4711"), "{number}");
        assert!(!fraction.to_string().contains("47"), "{fraction}");
    }
}
