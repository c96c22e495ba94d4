//! The one pass over a span's attributes: each goes to its slot, to the annotations, or straight into the metadata.

use std::collections::BTreeSet;

use super::annotations::{Candidate, Claim, is_simple};
use super::document::Source;
use super::facts::Facts;
use super::index::{Hash, Seen};
use super::ladder::Level;
use super::metadata::{self, NAMESPACE_PREFIX, OWN_NAMESPACE};
use super::writer::Writer;
use crate::otlp::Value;

/// Up to here repeated names are found by walking, which costs nothing where there are none.
const WALKED_MAX: usize = 64;

/// How many attributes may ask to be annotations, and to be namespaces; X-Ray takes far fewer, and more are metadata.
const CANDIDATES_MAX: usize = 4096;
const NAMESPACES_MAX: usize = 64;

/// What the pass over the attributes leaves behind beside the facts.
#[derive(Default)]
pub(super) struct Pass<'a> {
    pub candidates: Vec<Candidate<'a>>,
    /// Texts that are to be namespaces, by the attributes' names.
    pub namespaces: Vec<(&'a str, &'a str)>,
    /// What the span itself asks to be indexed.
    pub listed: BTreeSet<&'a str>,
}

impl<'a> Source<'_, 'a> {
    /// Goes over the attributes once: what has a slot is noted, what is to be indexed is a candidate, what has no place of
    /// its own is written where `shows` is set.
    pub(super) fn pass(
        &self,
        writer: &mut Writer<'_>,
        shows: bool,
        level: &Level,
        listed: BTreeSet<&'a str>,
        facts: &mut Facts<'a>,
    ) -> Pass<'a> {
        let index = &self.converter.index;
        let indexes = !level.minimal && (self.converter.indexes || !listed.is_empty());
        let mut pass = Pass { listed, ..Pass::default() };
        facts.clear();
        let mut seen = Seen::new();
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for (position, (name, value)) in self.span.attributes.iter().enumerate() {
            let hash = Hash::of(name);
            if !shows {
                // Nothing is written, and of slots the first value counts anyway.
            } else if position < WALKED_MAX {
                let earlier = || self.span.attributes.iter().take(position);
                if seen.note(hash) && earlier().any(|(before, _)| before == name) {
                    continue;
                }
            } else {
                if position == WALKED_MAX {
                    names.extend(self.span.attributes.iter().take(WALKED_MAX).map(|(name, _)| name));
                }
                if !names.insert(name) {
                    continue;
                }
            }
            let entry = index.find(name, hash);
            let slot = entry.and_then(|entry| entry.slot);
            let mut is_placed = false;
            if let Some(slot) = slot {
                facts.put(slot, value);
                is_placed = true;
            }
            if let Some(rank) = entry.and_then(|entry| entry.user) {
                match facts.user {
                    _ if value.to_text().is_empty() => {}
                    Some((best, ..)) if best <= rank => {}
                    before => {
                        if let Some((_, name, value)) = before.filter(|_| shows) {
                            metadata::write(writer, "", name, value, level, level.value_bytes_max);
                        }
                        facts.user = Some((rank, name, value));
                        is_placed = true;
                    }
                }
            }
            if indexes && pass.candidates.len() < CANDIDATES_MAX {
                let claim = match index.rank(entry, name) {
                    _ if pass.listed.contains(name) => Some(Claim::Listed),
                    Some(rank) => Some(Claim::Configured(rank)),
                    // What has a slot is indexed with the rest where no block shows it.
                    None => (self.converter.config.index.all && !is_placed).then_some(Claim::All),
                };
                if let Some(claim) = claim.filter(|claim| self.can_be_annotation(*claim, value)) {
                    let is_shown = is_placed;
                    pass.candidates.push(Candidate { claim, name, of_resource: false, value, is_shown });
                    continue;
                }
            }
            if is_placed || !shows {
                continue;
            }
            let may_be_namespace = pass.namespaces.len() < NAMESPACES_MAX && is_namespace(name);
            if let Some(text) = value.as_str().filter(|_| may_be_namespace) {
                pass.namespaces.push((name, text));
                continue;
            }
            metadata::write(writer, "", name, value, level, level.value_bytes_max);
            if writer.is_over() {
                break;
            }
        }
        pass
    }

    pub(super) fn can_be_annotation(&self, claim: Claim, value: Value<'_>) -> bool {
        is_simple(value)
            || self.converter.config.index.join_arrays && claim != Claim::All && matches!(value, Value::Array(_))
    }
}

/// Whether an attribute's text is to be a namespace of the metadata.
fn is_namespace(name: &str) -> bool {
    name.strip_prefix(NAMESPACE_PREFIX).is_some_and(|namespace| !namespace.is_empty() && namespace != OWN_NAMESPACE)
}
