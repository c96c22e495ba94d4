//! [`Converter`]: OTLP views into Rollbar items. Pure: no clock, no chance, no network; the same part, the same bytes.
//!
//! ```text
//! part ──▶ Index ──▶ find: what happened ──▶ correlate: one error, one item ──▶ item: every field ──▶ ladder: small enough
//!          (batch)   (Occurrence, Fate)      (representatives)                  (Map of Nodes, scrubbed)   (bytes)
//! ```
//!
//! Every span or log record of the part is accounted for once: by the weight of the item that it led to (or that told of it
//! already), or by a reason. The facts behind the mapping stand in the tables of the files below.

pub mod level;

mod bag;
mod correlate;
mod custom;
mod dialect;
mod find;
mod identity;
mod index;
mod item;
mod ladder;
mod links;
mod message;
mod moment;
mod node;
mod person;
mod place;
mod plain;
mod request;
mod source;
mod trace;

use std::collections::BTreeMap;

use regex::Regex;

use super::config::{Config, LevelRule, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MIN};
use find::Fate;
use index::Index;
use level::Level;

use super::scrub::{BadPattern, Scrubber};

use crate::otlp::{Part, Signal};

/// A configuration that no converter can be made of.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    #[error(transparent)]
    Link(#[from] links::UnknownPlaceholder),
    #[error("max_payload_bytes is {0}: it must be from {PAYLOAD_BYTES_MIN} to {PAYLOAD_BYTES_MAX}")]
    PayloadBytes(usize),
}

/// Turns parts into items.
#[derive(Debug, Clone)]
pub struct Converter {
    config: Config,
    scrubber: Scrubber,
    /// The keys of `levels` as expressions, in the order of the map.
    level_patterns: Vec<(Regex, LevelRule)>,
}

/// What came of a part.
#[derive(Debug, Default)]
pub struct Converted {
    pub items: Vec<Item>,
    pub refused: Vec<Skipped>,
}

/// One item, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// How many spans or log records it settles; 0 for a further item of a span that another item settles.
    pub weight: u32,
    pub uuid: String,
    pub level: &'static str,
    /// What it is called in logs: class and message, or the message; scrubbed, at most 200 characters.
    pub title: String,
    /// `{"data":{…}}`, without a token.
    pub body: Vec<u8>,
}

/// Spans, log records or data points that led to no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    pub weight: u32,
    /// `not_an_error`, `not_local_root` and `no_exception` (failed spans that `error_spans` leaves out), `below_severity`,
    /// `ignored` (by `levels`), `loop` (a call to Rollbar itself), or `unsupported_signal`.
    pub reason: &'static str,
}

impl Converter {
    pub fn new(config: &Config) -> Result<Self, BadConfig> {
        links::check(&config.links)?;
        if !(PAYLOAD_BYTES_MIN..=PAYLOAD_BYTES_MAX).contains(&config.max_payload_bytes) {
            return Err(BadConfig::PayloadBytes(config.max_payload_bytes));
        }
        let patterns = config.levels.iter().map(|(pattern, rule)| Ok((BadPattern::compile(pattern)?, *rule)));
        Ok(Converter {
            scrubber: Scrubber::new(&config.scrub)?,
            level_patterns: patterns.collect::<Result<_, BadPattern>>()?,
            config: config.clone(),
        })
    }

    /// What takes secrets out; for whatever else is said of an item.
    pub fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// Converts a part. Any bytes are fine; what cannot be read is as if it were not there.
    pub fn convert(&self, part: &Part) -> Converted {
        let signal = part.batch.signal;
        let mut converted = Converted::default();
        if signal == Signal::Metrics {
            let weight = part.weight();
            if weight > 0 {
                converted.refused.push(Skipped { weight, reason: "unsupported_signal" });
            }
            return converted;
        }
        let index = Index::new(part);
        let (found, fates) = find::occurrences(self, signal, &index);
        let representatives = correlate::representatives(&found, &index);
        let mut weights = vec![0; found.len()];
        let mut refused: BTreeMap<&'static str, u32> = BTreeMap::new();
        for (_, fate) in fates {
            match fate {
                // Of several errors of one span the first that has an item of its own settles the span.
                Fate::Found { first, end } => {
                    let own = (first..end).find(|at| representatives[*at] == *at);
                    weights[own.unwrap_or(representatives[first])] += 1;
                }
                Fate::Covered(at) => weights[representatives[at]] += 1,
                Fate::Refused(reason) => *refused.entry(reason).or_default() += 1,
            }
        }
        let mut absorbed: Vec<Vec<usize>> = vec![Vec::new(); found.len()];
        for (at, representative) in representatives.iter().enumerate() {
            if at != *representative {
                absorbed[*representative].push(at);
            }
        }
        let mut places: Vec<Option<place::Place<'_>>> = Vec::new();
        places.resize_with(index.groups.len(), || None);
        for (at, occurrence) in found.iter().enumerate().filter(|(at, _)| representatives[*at] == *at) {
            let group = index.group_of(occurrence.item);
            let place = places[group].get_or_insert_with(|| {
                let bag = bag::Bag::new(index.groups[group].resource.attributes);
                place::Place::new(&self.config, &self.scrubber, &bag)
            });
            let draft = item::Draft {
                converter: self,
                index: &index,
                found: &found,
                at,
                absorbed: &absorbed[at],
                place,
                weight: weights[at],
            };
            converted.items.push(draft.write());
        }
        converted.refused = refused.into_iter().map(|(reason, weight)| Skipped { weight, reason }).collect();
        converted
    }

    /// The level that an exception gets by its class; `None` where it is to be ignored.
    fn level_of(&self, class: &str, level: Level) -> Option<Level> {
        let rules = &self.config.levels;
        if rules.is_empty() {
            return Some(level);
        }
        let by_name = rules.get(class).copied();
        let rule = by_name
            .or_else(|| self.level_patterns.iter().find(|(pattern, _)| pattern.is_match(class)).map(|(_, rule)| *rule));
        rule.map_or(Some(level), LevelRule::level)
    }
}
