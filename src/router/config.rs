//! `routes` and `default` of `gateway.yaml`, as written.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::stdx::fault::Fault;
use crate::stdx::located::Located;
use crate::stdx::nearest::nearest;

/// The rules as written.
#[derive(Debug, Default)]
pub struct RouterConfig {
    pub routes: Vec<RouteConfig>,
    pub default: Vec<Located<String>>,
}

/// One rule as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    pub name: Located<String>,
    /// Absent: everything matches.
    #[serde(default)]
    pub when: Option<Condition>,
    /// Empty: what matches goes nowhere, on purpose.
    pub to: Vec<Located<String>>,
    /// Whether the rules below are asked as well.
    #[serde(default, rename = "continue")]
    pub continues: bool,
}

/// What must hold; all keys together.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Condition {
    /// `traces`, `metrics`, `logs`.
    pub signal: Option<Located<Match>>,
    /// `service.name` of the resource.
    pub service: Option<Located<Match>>,
    /// The span's or metric's name, or the log's event name.
    pub name: Option<Located<Match>>,
    /// Of a span: `server`, `client`, …; of a metric: `gauge`, `sum`, ….
    pub kind: Option<Located<Match>>,
    /// Of a span: `unset`, `ok`, `error`.
    pub status: Option<Located<Match>>,
    /// Of a log record: `trace` to `fatal`, or a number from 1 to 24.
    pub severity: Option<Located<Match>>,
    /// Whether it tells of an exception.
    pub exception: Option<bool>,
    /// Of a span, as `500ms`.
    pub duration: Option<Located<Match>>,
    /// Of the span, the log record, or every data point of the metric.
    pub attributes: Option<Matches>,
    /// Of the resource.
    pub resource: Option<Matches>,
    pub all: Option<Vec<Condition>>,
    pub any: Option<Vec<Condition>>,
    pub not: Option<Box<Condition>>,
}

/// Attribute names, each with what its value must be.
#[derive(Debug)]
pub struct Matches(pub Vec<(String, Located<Match>)>);

/// What a value must be.
#[derive(Debug)]
pub enum Match {
    /// Equal to one of these.
    OneOf(Vec<Located<Scalar>>),
    /// All operators that are given must hold.
    Operators(Vec<(Operator, Located<Match>)>),
}

/// How a value is compared with the operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equals,
    AnyOf,
    /// `*` is any run of characters, `?` is one.
    Glob,
    /// Found anywhere in the value; anchor with `^` and `$`.
    Regex,
    AtLeast,
    Above,
    AtMost,
    Below,
    Exists,
    Not,
}

impl Operator {
    /// Every operator with its key.
    pub const NAMES: [(&'static str, Operator); 10] = [
        ("equals", Operator::Equals),
        ("any_of", Operator::AnyOf),
        ("glob", Operator::Glob),
        ("regex", Operator::Regex),
        ("at_least", Operator::AtLeast),
        ("above", Operator::Above),
        ("at_most", Operator::AtMost),
        ("below", Operator::Below),
        ("exists", Operator::Exists),
        ("not", Operator::Not),
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// One word, number or flag.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    pub text: String,
    /// The number, where it was written as one.
    pub number: Option<f64>,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a word, a number, true or false")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Scalar, E> {
                self.visit_str(if flag { "true" } else { "false" })
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar { text: number.to_string(), number: Some(number as f64) })
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar { text: number.to_string(), number: Some(number as f64) })
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar { text: number.to_string(), number: Some(number) })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar { text: text.to_owned(), number: None })
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl<'de> Deserialize<'de> for Match {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MatchVisitor;

        fn equal<E>(text: impl Into<String>, number: Option<f64>) -> Result<Match, E> {
            Ok(Match::OneOf(vec![Located::nowhere(Scalar { text: text.into(), number })]))
        }

        impl<'de> Visitor<'de> for MatchVisitor {
            type Value = Match;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a value, a list of values, or a map of operators such as `glob`, `regex`, `at_least`")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Match, E> {
                equal(if flag { "true" } else { "false" }, None)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Match, E> {
                equal(number.to_string(), Some(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Match, E> {
                equal(number.to_string(), Some(number as f64))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Match, E> {
                equal(number.to_string(), Some(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Match, E> {
                equal(text, None)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Match, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = list.next_element()? {
                    words.push(word);
                }
                Ok(Match::OneOf(words))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Match, A::Error> {
                let mut operators = Vec::new();
                while let Some(key) = map.next_key::<Located<String>>()? {
                    let Some((_, operator)) = Operator::NAMES.iter().find(|(name, _)| *name == key.value) else {
                        let names = || Operator::NAMES.iter().map(|(name, _)| *name);
                        return Err(Fault::at(key.place, format!("`{}` is no operator", key.value))
                            .hint(format!("operators: {}", names().collect::<Vec<_>>().join(", ")))
                            .did_you_mean(nearest(&key.value, names()))
                            .raise());
                    };
                    operators.push((*operator, map.next_value()?));
                }
                Ok(Match::Operators(operators))
            }
        }

        deserializer.deserialize_any(MatchVisitor)
    }
}

impl<'de> Deserialize<'de> for Matches {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MatchesVisitor;

        impl<'de> Visitor<'de> for MatchesVisitor {
            type Value = Matches;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a map of attribute names to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Matches, A::Error> {
                let mut matches = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    matches.push(entry);
                }
                Ok(Matches(matches))
            }
        }

        deserializer.deserialize_map(MatchesVisitor)
    }
}
