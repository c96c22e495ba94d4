//! `${NAME}` in the values of gateway.yaml, replaced from the environment.
//!
//! | written | becomes |
//! |---|---|
//! | `${NAME}`, `${env:NAME}` | the variable; a problem when it is unset or empty |
//! | `${NAME:-text}`, `${env:NAME:-text}` | the variable; `text` when it is unset or empty |
//! | `$$` | `$` |
//! | `$` before anything else | itself |
//!
//! In plain, quoted and block text alike, also inside longer text; not in keys. What is put in is never read as YAML:
//! it cannot start a list, and stays text unless a number or boolean is wanted. `text` is taken as written, without
//! `}` and without variables in it.

#[cfg(test)]
mod tests;

use crate::config::problem::Kind;
use crate::config::yaml::{Node, Origin, Value};
use crate::stdx::fault::Fault;

/// Looks a variable up: `&|name| std::env::var(name).ok()`.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Most text that all values of a file may have together once variables are replaced.
const EXPANDED_BYTES_MAX: usize = 8 * 1024 * 1024;

const REFERENCE_FORMS: &str = "write ${NAME} or ${NAME:-default}; `$$` stands for a dollar";

/// A value that could not be completed. Its text stays as it was written.
pub(in crate::config) struct Unresolved {
    pub node: usize,
    pub kind: Kind,
    pub fault: Fault,
}

/// Replaces the variables in all values of a tree, and tells which values could not be completed.
pub(in crate::config) fn interpolate(root: &mut Node, environment: Environment<'_>) -> Vec<Unresolved> {
    let mut unresolved = Vec::new();
    let mut room = EXPANDED_BYTES_MAX;
    visit(root, environment, &mut room, &mut unresolved);
    unresolved
}

fn visit(node: &mut Node, environment: Environment<'_>, room: &mut usize, unresolved: &mut Vec<Unresolved>) {
    match &mut node.value {
        Value::Null => {}
        Value::Sequence(items) => {
            for item in items {
                visit(item, environment, room, unresolved);
            }
        }
        Value::Mapping(entries) => {
            for (_, value) in entries {
                visit(value, environment, room, unresolved);
            }
        }
        Value::Scalar(scalar) => {
            let expanded = expand(&scalar.text, environment, *room);
            *room = room.saturating_sub(expanded.text.len());
            for wrong in expanded.wrong {
                let (kind, message, hint) = explain(wrong);
                unresolved.push(Unresolved { node: node.id, kind, fault: Fault::at(node.place, message).hint(hint) });
            }
            if expanded.references > 0 {
                scalar.origin = Origin::Environment;
            }
            scalar.text = expanded.text;
        }
    }
}

/// What is wrong with a reference.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    Unset(String),
    Empty(String),
    Unclosed,
    BadName,
    TooLong,
}

#[derive(Debug, Default)]
struct Expanded {
    text: String,
    /// References that were replaced or should have been.
    references: usize,
    wrong: Vec<Wrong>,
}

/// Replaces the variables in a text; ends early when it grows beyond the room there is.
fn expand(text: &str, environment: Environment<'_>, room: usize) -> Expanded {
    let mut expanded = Expanded::default();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.text.push_str(&rest[..dollar]);
        if expanded.references > 0 && expanded.text.len() > room {
            expanded.wrong.push(Wrong::TooLong);
            return expanded;
        }
        let after = &rest[dollar + 1..];
        if let Some(after) = after.strip_prefix('$') {
            expanded.text.push('$');
            rest = after;
        } else if let Some(inner) = after.strip_prefix('{') {
            expanded.references += 1;
            let Some(end) = inner.find('}') else {
                expanded.wrong.push(Wrong::Unclosed);
                expanded.text.push_str("${");
                rest = inner;
                continue;
            };
            match resolve(&inner[..end], environment) {
                Ok(value) => expanded.text.push_str(&value),
                Err(wrong) => expanded.wrong.push(wrong),
            }
            rest = &inner[end + 1..];
        } else {
            expanded.text.push('$');
            rest = after;
        }
    }
    expanded.text.push_str(rest);
    if expanded.references > 0 && expanded.text.len() > room {
        expanded.wrong.push(Wrong::TooLong);
    }
    expanded
}

/// Gives the value of what stands between `${` and `}`.
fn resolve(inner: &str, environment: Environment<'_>) -> Result<String, Wrong> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let name = name.strip_prefix("env:").unwrap_or(name);
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let goes_well = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !starts_well || !goes_well {
        return Err(Wrong::BadName);
    }
    match (environment(name), default) {
        (Some(value), _) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (Some(_), None) => Err(Wrong::Empty(name.to_owned())),
        (None, None) => Err(Wrong::Unset(name.to_owned())),
    }
}

fn explain(wrong: Wrong) -> (Kind, String, String) {
    match wrong {
        Wrong::Unset(variable) => (
            Kind::UnsetVariable { variable: variable.clone() },
            format!("environment variable `{variable}` is not set"),
            format!("set it, or write a default: ${{{variable}:-…}}"),
        ),
        Wrong::Empty(variable) => (
            Kind::UnsetVariable { variable: variable.clone() },
            format!("environment variable `{variable}` is set but empty"),
            format!("give it a value, or write a default: ${{{variable}:-…}}"),
        ),
        Wrong::Unclosed => (Kind::Reference, "`${` is not closed by `}`".to_owned(), REFERENCE_FORMS.to_owned()),
        Wrong::TooLong => (
            Kind::Limit,
            format!("values are longer than {EXPANDED_BYTES_MAX} bytes together, variables replaced"),
            "read what is long from a file of its own".to_owned(),
        ),
        // The text is not repeated: a password may well hold `${`.
        Wrong::BadName => {
            (Kind::Reference, "`${…}` holds no name of a variable".to_owned(), REFERENCE_FORMS.to_owned())
        }
    }
}
