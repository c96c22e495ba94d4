//! [`Fault`]: what is wrong at a [`Place`] of the configuration, said by whoever found it.
//!
//! Two uses. A check after reading returns faults, and `config` turns them into problems with path and source line.
//! A hand-written serde visitor raises one while reading, to point at a key instead of at the whole mapping:
//!
//! ```
//! use serde::de::MapAccess;
//! use telemetry_gateway::stdx::{fault::Fault, located::Located};
//!
//! fn first_key<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Option<String>, A::Error> {
//!     match entries.next_key::<Located<String>>()? {
//!         Some(key) if key.value == "datadog" => Err(Fault::at(key.place, "unknown exporter kind `datadog`")
//!             .hint("known kinds: honeycomb, rollbar, xray")
//!             .raise()),
//!         key => Ok(key.map(|key| key.value)),
//!     }
//! }
//! ```
//!
//! serde's errors are made from text alone, so the place and hint travel beside it: [`Fault::raise`] lays the fault
//! into a slot of its thread for exactly the one call that makes the error. A reader that knows faults takes it from
//! there ([`Fault::raised`]); any other sees the message as usual.

use std::cell::RefCell;
use std::fmt;

use crate::stdx::located::Place;

thread_local! {
    static RAISED: RefCell<Option<Fault>> = const { RefCell::new(None) };
}

/// A complaint about one place of a file: what is wrong, and how to mend it. Displays as the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    pub message: String,
    pub hint: Option<String>,
}

impl Fault {
    /// Makes a fault without a hint. The message is lowercase, without a full stop, and names the value.
    pub fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), hint: None }
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds `did you mean …?` where there is a nearest name, and nothing where there is none.
    #[must_use]
    pub fn did_you_mean(mut self, nearest: Option<&str>) -> Self {
        if let Some(name) = nearest {
            self.hint = Some(format!("did you mean `{name}`?"));
        }
        self
    }

    /// Turns the fault into the error type of any deserializer.
    pub fn raise<E: serde::de::Error>(self) -> E {
        let message = self.message.clone();
        RAISED.set(Some(self));
        let error = E::custom(message);
        RAISED.set(None);
        error
    }

    /// Takes the fault that is being raised, if the error being made comes from one. For a reader's error type.
    pub fn raised() -> Option<Self> {
        RAISED.take()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_type_that_does_not_know_faults_gets_the_message() {
        let error: serde::de::value::Error =
            Fault::at(Place { line: 2, column: 3 }, "no such thing").hint("try another").raise();
        assert_eq!(error.to_string(), "no such thing");
        assert_eq!(Fault::raised(), None, "nothing stays behind");
    }
}
