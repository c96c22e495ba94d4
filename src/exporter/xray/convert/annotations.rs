//! Which attributes become annotations, and under which name: X-Ray indexes few, and is strict about names.
//!
//! Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-annotations>;
//! dots in names are taken by the service since 2024, whatever the published schema says.

use std::borrow::Cow;

use super::index::Index;
use super::resource::PREFIX;
use super::writer::{Writer, cut_chars, key};
use crate::otlp::Value;

/// X-Ray's limit for a name, in characters.
const NAME_CHARS_MAX: usize = 500;

/// Whole numbers beyond this are not the same once X-Ray has read them as doubles.
const EXACT_MAX: u64 = 1 << 53;

/// In the order in which they are kept where there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// The span names it in `aws.xray.annotations`.
    Listed,
    /// `gateway.yaml` names it, at this position.
    Configured(u16),
    /// Everything is indexed.
    All,
}

/// An attribute that is to be an annotation.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub claim: Claim,
    pub name: &'a str,
    pub of_resource: bool,
    pub value: Value<'a>,
    /// Whether the document shows the value in a block of its own too.
    pub is_shown: bool,
}

/// The annotations of a document, in the order of the attributes.
#[derive(Debug, Default)]
pub struct Annotations<'a>(Vec<(Cow<'a, str>, Candidate<'a>)>);

impl<'a> Annotations<'a> {
    /// Chooses among the candidates; `lose` gets each one whose value the annotations do not hold, or not in full.
    pub fn choose(
        candidates: Vec<Candidate<'a>>,
        names: [&'a Index; 2],
        max: usize,
        mut lose: impl FnMut(&Candidate<'a>),
    ) -> Self {
        let mut chosen: Vec<(Cow<'a, str>, Candidate<'a>)> = Vec::with_capacity(candidates.len().min(max));
        for candidate in candidates {
            let alias = match candidate.claim {
                Claim::Configured(rank) => names[usize::from(candidate.of_resource)].alias(rank),
                _ => None,
            };
            let name = name(alias.unwrap_or(candidate.name), candidate.of_resource && alias.is_none());
            if name.is_empty() {
                lose(&candidate);
                continue;
            }
            // Two names that become one: the first one is kept.
            if chosen.iter().any(|(taken, _)| *taken == name) {
                lose(&candidate);
                continue;
            }
            if chosen.len() == max {
                let last = chosen.iter().enumerate().max_by_key(|(at, (_, taken))| (taken.claim, *at));
                match last.map(|(at, (_, taken))| (at, taken.claim)) {
                    Some((at, claim)) if claim > candidate.claim => lose(&chosen.remove(at).1),
                    _ => {
                        lose(&candidate);
                        continue;
                    }
                }
            }
            chosen.push((name, candidate));
        }
        for (_, candidate) in &chosen {
            if matches!(candidate.value, Value::Str(text) if cut_chars(text, 1000).len() < text.len()) {
                lose(candidate);
            }
        }
        Annotations(chosen)
    }

    /// Writes the member, if there is any annotation.
    pub fn write(&self, writer: &mut Writer<'_>, chars_max: usize) {
        if self.0.is_empty() {
            return;
        }
        key!(writer, "annotations");
        writer.open();
        for (name, candidate) in &self.0 {
            writer.member_named("", name);
            match candidate.value {
                Value::Str(text) => writer.string_cut(text, chars_max),
                Value::Int(number) if number.unsigned_abs() > EXACT_MAX => writer.string(&number.to_string()),
                Value::Array(list) => {
                    let texts: Vec<Cow<'_, str>> = list.iter().take(chars_max).map(Value::to_text).collect();
                    writer.string_cut(&texts.join(","), chars_max);
                }
                value => writer.value(value),
            }
        }
        writer.close();
    }
}

/// Whether a value can be an annotation.
pub fn is_simple(value: Value<'_>) -> bool {
    matches!(value, Value::Str(_) | Value::Bool(_) | Value::Int(_) | Value::Double(_))
}

/// An annotation's name: what is no letter, digit or dot becomes `_`.
fn name(name: &str, of_resource: bool) -> Cow<'_, str> {
    let is_fit = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.');
    if !of_resource && name.len() <= NAME_CHARS_MAX && name.chars().all(is_fit) {
        return Cow::Borrowed(name);
    }
    if name.is_empty() {
        return Cow::Borrowed("");
    }
    let prefix = if of_resource { PREFIX } else { "" };
    let fit = |character| if is_fit(character) { character } else { '_' };
    Cow::Owned(prefix.chars().chain(name.chars()).map(fit).take(NAME_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_fit() {
        for (sent, expected) in [("http.route", "http.route"), ("a-b", "a_b"), ("größe", "gr__e"), ("", "")] {
            assert_eq!(name(sent, false), expected);
        }
        assert_eq!(name("service.name", true), "otel.resource.service.name");
        assert_eq!(name(&"x".repeat(600), false).len(), NAME_CHARS_MAX);
    }

    #[test]
    fn where_there_are_too_many_the_stronger_claim_stays() {
        let index = Index::of_span(&[], &[]);
        let candidate =
            |claim, name| Candidate { claim, name, of_resource: false, value: Value::Bool(true), is_shown: false };
        let candidates = vec![
            candidate(Claim::All, "a"),
            candidate(Claim::Configured(1), "b"),
            candidate(Claim::All, "c"),
            candidate(Claim::Configured(0), "d"),
            candidate(Claim::Listed, "e"),
        ];
        let mut lost = Vec::new();
        let chosen = Annotations::choose(candidates, [&index; 2], 2, |candidate| lost.push(candidate.name));
        let names: Vec<_> = chosen.0.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["d", "e"]);
        assert_eq!(lost, ["c", "a", "b"]);
    }
}
