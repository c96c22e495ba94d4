//! `routes` and `default` of `gateway.yaml`, as written.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::stdx::fault::Fault;
use crate::stdx::located::{Located, WRITTEN};
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

impl RouteConfig {
    /// Whether it takes for good all that a later route would match. Recognised where the later conditions are the same
    /// or narrower by their form; a `false` proves nothing.
    pub(super) fn shadows(&self, later: &RouteConfig) -> bool {
        let everything = Condition::default();
        let (wide, narrow) = (self.when.as_ref(), later.when.as_ref());
        !self.continues && wide.unwrap_or(&everything).covers(narrow.unwrap_or(&everything))
    }
}

/// What must hold; all keys together.
#[derive(Debug, Default, PartialEq, Deserialize)]
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

impl Condition {
    /// Whether it holds wherever the other one does.
    fn covers(&self, narrow: &Condition) -> bool {
        let Condition { signal, service, name, kind, status, severity, exception, duration, .. } = self;
        let fields = [
            (signal, &narrow.signal),
            (service, &narrow.service),
            (name, &narrow.name),
            (kind, &narrow.kind),
            (status, &narrow.status),
            (severity, &narrow.severity),
            (duration, &narrow.duration),
        ];
        let field_covers = |(wide, narrow): (&Option<Located<Match>>, &Option<Located<Match>>)| match (wide, narrow) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wide), Some(narrow)) => wide.value.covers(&narrow.value),
        };
        let by_name = |wide: &Option<Matches>, narrow: &Option<Matches>| {
            let narrow = narrow.as_ref().map_or(&[][..], |Matches(list)| list);
            wide.iter().flat_map(|Matches(list)| list).all(|(name, wide)| {
                narrow.iter().any(|(other, narrow)| name == other && wide.value.covers(&narrow.value))
            })
        };
        fields.into_iter().all(field_covers)
            && exception.is_none_or(|wanted| narrow.exception == Some(wanted))
            && by_name(&self.attributes, &narrow.attributes)
            && by_name(&self.resource, &narrow.resource)
            && self.all.iter().flatten().all(|wide| wide.covers(narrow))
            && self.any.as_ref().is_none_or(|wide| {
                let covered = |narrow: &Condition| wide.iter().any(|wide| wide.covers(narrow));
                covered(narrow) || narrow.any.as_ref().is_some_and(|narrow| narrow.iter().all(covered))
            })
            && self.not.as_ref().is_none_or(|wide| narrow.not.as_ref().is_some_and(|narrow| narrow.covers(wide)))
    }
}

/// Attribute names, each with what its value must be.
#[derive(Debug, PartialEq)]
pub struct Matches(pub Vec<(String, Located<Match>)>);

/// What a value must be.
#[derive(Debug, PartialEq)]
pub enum Match {
    /// Equal to one of these.
    OneOf(Vec<Located<Scalar>>),
    /// All operators that are given must hold.
    Operators(Vec<(Operator, Located<Match>)>),
}

impl Match {
    /// Whether every value that is what the other one wants is what this one wants.
    fn covers(&self, narrow: &Match) -> bool {
        match (self, narrow) {
            (Match::OneOf(wide), Match::OneOf(narrow)) => narrow.iter().all(|value| wide.contains(value)),
            (Match::Operators(wide), Match::Operators(narrow)) => wide.iter().all(|one| narrow.contains(one)),
            _ => false,
        }
    }
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

impl Scalar {
    fn word(text: &str) -> Self {
        Scalar { text: text.to_owned(), number: None }
    }

    fn flag(flag: bool) -> Self {
        Scalar::word(if flag { "true" } else { "false" })
    }
}

/// A number as it is written and as it reads.
struct Number;

impl<'de> Visitor<'de> for Number {
    type Value = Scalar;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a number as it is written")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        match map.next_entry::<String, f64>()? {
            Some((text, number)) => Ok(Scalar { text, number: Some(number) }),
            None => Err(A::Error::invalid_length(0, &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl<'de> Visitor<'de> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a word, a number, true or false")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, number: D) -> Result<Scalar, D::Error> {
                number.deserialize_map(Number)
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar::flag(flag))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::word(text))
            }
        }

        deserializer.deserialize_newtype_struct(WRITTEN, ScalarVisitor)
    }
}

impl<'de> Deserialize<'de> for Match {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MatchVisitor;

        fn equal(scalar: Scalar) -> Match {
            Match::OneOf(vec![Located::nowhere(scalar)])
        }

        impl<'de> Visitor<'de> for MatchVisitor {
            type Value = Match;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a value, a list of values, or a map of operators such as `glob`, `regex`, `at_least`")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, number: D) -> Result<Match, D::Error> {
                number.deserialize_map(Number).map(equal)
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Match, E> {
                Ok(equal(Scalar::flag(flag)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Match, E> {
                Ok(equal(Scalar::word(text)))
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

        deserializer.deserialize_newtype_struct(WRITTEN, MatchVisitor)
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
