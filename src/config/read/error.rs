//! [`ReadError`]: serde's errors kept as facts, so that nothing has to be read out of a message.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::config::read::describe;
use crate::stdx::fault::Fault;
use crate::stdx::located::Place;

/// An error on its way from where it arose to the loop that notes it.
#[derive(Debug)]
pub struct ReadError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    cause: Cause,
    target: Option<Target>,
}

/// What an error is about: the innermost node that was being read when it arose.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Number of the node.
    pub node: usize,
    /// Where to point: the node, or its key.
    pub place: Place,
}

#[derive(Debug)]
pub enum Cause {
    /// A [`Fault`] with a place and hint of its own.
    Raised(Fault),
    /// Any other message of a type or visitor.
    Said(String),
    /// A value of the wrong type or form: what was found, without and with its text, and what was expected.
    Value {
        found: String,
        text: Option<String>,
        expected: String,
    },
    UnknownName {
        name: String,
        known: &'static [&'static str],
    },
    MissingKey(&'static str),
    /// A stand-in for a missing key was not accepted; nothing to tell.
    StandIn,
}

impl ReadError {
    pub fn new(cause: Cause) -> Self {
        Self(Box::new(Inner { cause, target: None }))
    }

    /// Says what the error is about, unless that is known.
    pub fn about(mut self, node: usize, place: Place) -> Self {
        self.0.target.get_or_insert(Target { node, place });
        self
    }

    pub fn into_parts(self) -> (Cause, Option<Target>) {
        (self.0.cause, self.0.target)
    }
}

impl serde::de::Error for ReadError {
    fn custom<M: fmt::Display>(message: M) -> Self {
        Self::new(match Fault::raised() {
            Some(fault) => Cause::Raised(fault),
            None => Cause::Said(message.to_string()),
        })
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (found, text) = describe::found(found);
        Self::new(Cause::Value { found, text, expected: describe::expected(&expected.to_string()) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let expected = describe::expected(&expected.to_string());
        Self::new(Cause::Said(format!("expected {expected}, found {length} elements")))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(Cause::UnknownName { name: variant.to_owned(), known })
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::unknown_variant(field, known)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Cause::MissingKey(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        // Only by two spellings of one field: the tree has no key twice.
        Self::new(Cause::Said(format!("key `{field}` is written twice, once by another name")))
    }
}

/// For visitors that print an error instead of passing it on. No value of the file is in it.
impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.cause {
            Cause::Raised(fault) => fault.fmt(formatter),
            Cause::Said(message) => formatter.write_str(message),
            Cause::Value { found, expected, .. } => write!(formatter, "expected {expected}, found {found}"),
            Cause::UnknownName { .. } => formatter.write_str("unknown name"),
            Cause::MissingKey(key) => write!(formatter, "missing key `{key}`"),
            Cause::StandIn => formatter.write_str("missing key"),
        }
    }
}

impl std::error::Error for ReadError {}
