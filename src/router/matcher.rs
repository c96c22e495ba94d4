//! What one value must be, compiled: equality, patterns, ranges.
//!
//! A value of another type is no match, never an error: a rule cannot drop anything. Numbers compare by value whether
//! the sender wrote an integer or a double; a word in the rule that looks like a number also equals the text of it.

use std::fmt;
use std::ops::RangeInclusive;

use regex::Regex;

use super::config::{Match, Operator, Scalar};
use crate::otlp::Value;
use crate::stdx::fault::Fault;
use crate::stdx::located::{Located, Place};

/// What one value must be.
#[derive(Debug)]
pub(super) enum Matcher {
    OneOf(Vec<Scalar>),
    /// Numbers from the first to the last.
    Within(RangeInclusive<f64>, String),
    Any(Vec<Matcher>),
    Pattern {
        regex: Regex,
        written: String,
    },
    Range {
        operator: Operator,
        bound: f64,
        written: String,
    },
    Exists(bool),
    Not(Box<Matcher>),
    All(Vec<Matcher>),
}

/// What an operand means: a value, or the numbers that a word stands for.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Value(Scalar),
    Numbers(RangeInclusive<f64>, String),
    /// A word, and the one that it replaced in the conventions.
    Words([Scalar; 2]),
}

impl Operand {
    /// What equality with it means.
    fn equal(self) -> Matcher {
        match self {
            Operand::Value(scalar) => Matcher::OneOf(vec![scalar]),
            Operand::Numbers(range, word) => Matcher::Within(range, word),
            Operand::Words(scalars) => Matcher::OneOf(scalars.into()),
        }
    }

    /// The bound that an operator takes from it.
    fn bound(&self, operator: Operator) -> Option<f64> {
        match self {
            Operand::Value(scalar) | Operand::Words([scalar, _]) => {
                scalar.number.or_else(|| scalar.text.parse().ok()).filter(|bound| !bound.is_nan())
            }
            Operand::Numbers(range, _) if matches!(operator, Operator::AtLeast | Operator::Below) => {
                Some(*range.start())
            }
            Operand::Numbers(range, _) => Some(*range.end()),
        }
    }

    fn text(&self) -> &str {
        match self {
            Operand::Value(scalar) | Operand::Words([scalar, _]) => &scalar.text,
            Operand::Numbers(_, word) => word,
        }
    }
}

/// How the operands of a field are read: as plain values, or in a field's own words (severities, durations).
/// A fault comes without its place.
pub(super) type ReadOperand<'a> = &'a dyn Fn(&Scalar) -> Result<Operand, Fault>;

/// Operands as they are.
pub(super) fn plain(scalar: &Scalar) -> Result<Operand, Fault> {
    Ok(Operand::Value(scalar.clone()))
}

impl Matcher {
    pub(super) fn compile(wanted: &Located<Match>, read: ReadOperand<'_>, faults: &mut Vec<Fault>) -> Matcher {
        let operand = |scalar: &Located<Scalar>, faults: &mut Vec<Fault>| {
            let place = if scalar.place == Place::NONE { wanted.place } else { scalar.place };
            read(&scalar.value).unwrap_or_else(|fault| {
                faults.push(Fault { place, ..fault });
                Operand::Value(scalar.value.clone())
            })
        };
        let operators = match &wanted.value {
            Match::OneOf(scalars) => {
                if scalars.is_empty() {
                    let fault = Fault::at(wanted.place, "an empty list matches nothing");
                    faults.push(fault.hint("list the values that are wanted, or leave the condition out"));
                }
                return Matcher::any(scalars.iter().map(|scalar| operand(scalar, faults)));
            }
            Match::Operators(operators) => operators,
        };
        if operators.is_empty() {
            let fault = Fault::at(wanted.place, "no operator: this says nothing");
            faults.push(fault.hint("say what is wanted, such as `{ exists: true }`, or leave the condition out"));
        }
        let mut all: Vec<Matcher> =
            operators.iter().filter_map(|(operator, value)| compile_operator(*operator, value, read, faults)).collect();
        if all.len() == 1 { all.remove(0) } else { Matcher::All(all) }
    }

    /// Equal to one of these.
    fn any(operands: impl Iterator<Item = Operand>) -> Matcher {
        let (mut values, mut others) = (Vec::new(), Vec::new());
        for operand in operands {
            match operand.equal() {
                Matcher::OneOf(value) => values.extend(value),
                other => others.push(other),
            }
        }
        if others.is_empty() {
            return Matcher::OneOf(values);
        }
        if !values.is_empty() {
            others.push(Matcher::OneOf(values));
        }
        if others.len() == 1 { others.remove(0) } else { Matcher::Any(others) }
    }

    /// Whether a value is what is wanted. None is absence; of several, which are forms of the same, one has to be it.
    pub(super) fn holds(&self, forms: &[Value<'_>]) -> bool {
        let any = |holds: &dyn Fn(Value<'_>) -> bool| forms.iter().any(|form| any_element(*form, holds));
        match self {
            Matcher::OneOf(scalars) => any(&|value| scalars.iter().any(|scalar| equals(scalar, value))),
            Matcher::Within(range, _) => any(&|value| value.as_f64().is_some_and(|number| range.contains(&number))),
            Matcher::Any(matchers) => matchers.iter().any(|matcher| matcher.holds(forms)),
            Matcher::Pattern { regex, .. } => any(&|value| regex.is_match(&value.to_text())),
            Matcher::Range { operator, bound, .. } => any(&|value| {
                value.as_f64().is_some_and(|number| match operator {
                    Operator::AtLeast => number >= *bound,
                    Operator::Above => number > *bound,
                    Operator::AtMost => number <= *bound,
                    _ => number < *bound,
                })
            }),
            Matcher::Exists(wanted) => forms.is_empty() != *wanted,
            Matcher::Not(matcher) => !matcher.holds(forms),
            Matcher::All(matchers) => matchers.iter().all(|matcher| matcher.holds(forms)),
        }
    }
}

fn compile_operator(
    operator: Operator,
    value: &Located<Match>,
    read: ReadOperand<'_>,
    faults: &mut Vec<Fault>,
) -> Option<Matcher> {
    let mut single = || match &value.value {
        Match::OneOf(scalars) if scalars.len() == 1 => Some(&scalars[0].value),
        _ => {
            faults.push(Fault::at(value.place, format!("`{}` takes one value", operator.name())));
            None
        }
    };
    Some(match operator {
        Operator::Equals | Operator::AnyOf => Matcher::compile(value, read, faults),
        Operator::Not => Matcher::Not(Box::new(Matcher::compile(value, read, faults))),
        Operator::Exists => match single()?.text.as_str() {
            "true" => Matcher::Exists(true),
            "false" => Matcher::Exists(false),
            _ => {
                faults.push(Fault::at(value.place, "`exists` takes true or false"));
                return None;
            }
        },
        Operator::Glob | Operator::Regex => {
            let written = single()?.text.clone();
            let pattern = if operator == Operator::Glob { regex_of_glob(&written) } else { written.clone() };
            match Regex::new(&pattern) {
                Ok(regex) => Matcher::Pattern { regex, written },
                Err(error) => {
                    // The last line of a regex error says what is wrong; the others draw a picture of the pattern.
                    let error = error.to_string();
                    let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    let fault = Fault::at(value.place, format!("`{written}` is no regular expression: {reason}"));
                    faults.push(fault.hint("for `*` and `?` as in file names there is `glob`"));
                    return None;
                }
            }
        }
        Operator::AtLeast | Operator::Above | Operator::AtMost | Operator::Below => {
            let operand = match read(single()?) {
                Ok(operand) => operand,
                Err(fault) => {
                    faults.push(Fault { place: value.place, ..fault });
                    return None;
                }
            };
            let Some(bound) = operand.bound(operator) else {
                let message = format!("`{}` takes a number, not `{}`", operator.name(), operand.text());
                faults.push(Fault::at(value.place, message));
                return None;
            };
            Matcher::Range { operator, bound, written: operand.text().to_owned() }
        }
    })
}

fn regex_of_glob(glob: &str) -> String {
    let mut regex = String::from("(?s)^");
    let mut buffer = [0; 4];
    for character in glob.chars() {
        match character {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut buffer))),
        }
    }
    regex.push('$');
    regex
}

/// A list matches where one of its elements does.
fn any_element(value: Value<'_>, holds: &dyn Fn(Value<'_>) -> bool) -> bool {
    match value {
        Value::Array(array) => array.iter().any(holds),
        value => holds(value),
    }
}

fn equals(scalar: &Scalar, value: Value<'_>) -> bool {
    match value {
        Value::Str(text) => text == scalar.text,
        Value::Bool(flag) => scalar.text == if flag { "true" } else { "false" },
        // As text where it can be told exactly: beyond 2^53 two integers can be one double.
        Value::Int(number) => scalar.number.is_some_and(|wanted| {
            scalar.text.parse::<i64>().map_or_else(|_| wanted == number as f64, |wanted| wanted == number)
        }),
        Value::Double(number) => scalar.number == Some(number),
        _ => false,
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Matcher::OneOf(scalars) if scalars.len() == 1 => write!(out, "is `{}`", scalars[0].text),
            Matcher::OneOf(scalars) => {
                let words: Vec<&str> = scalars.iter().map(|scalar| scalar.text.as_str()).collect();
                write!(out, "is one of `{}`", words.join("`, `"))
            }
            Matcher::Within(_, word) => write!(out, "is `{word}`"),
            Matcher::Any(matchers) => {
                for (index, matcher) in matchers.iter().enumerate() {
                    out.write_str(if index > 0 { " or " } else { "" })?;
                    matcher.fmt(out)?;
                }
                Ok(())
            }
            Matcher::Pattern { written, .. } => write!(out, "matches `{written}`"),
            Matcher::Range { operator, written, .. } => {
                write!(out, "is {} {written}", operator.name().replace('_', " "))
            }
            Matcher::Exists(true) => out.write_str("exists"),
            Matcher::Exists(false) => out.write_str("does not exist"),
            Matcher::Not(matcher) => write!(out, "not: {matcher}"),
            Matcher::All(matchers) => {
                for (index, matcher) in matchers.iter().enumerate() {
                    if index > 0 {
                        out.write_str(" and ")?;
                    }
                    matcher.fmt(out)?;
                }
                Ok(())
            }
        }
    }
}
