//! The rules in force, and those before them for as long as the journal holds records that were accepted under them.
//!
//! ```text
//! position    1 ……… 211 │ 212 ……… 980 │ 981 ……
//! rules       first      │ reloaded    │ in force
//! ```
//!
//! So a reload changes nothing about what is queued: each record goes where the rules said when its client was answered.

use std::sync::{Arc, PoisonError, RwLock};

use super::config::Fingerprint;
use super::lane::Lane;
use crate::delivery::{Note, Reroute};
use crate::journal::{self, Needs, Position};
use crate::otlp::{Batch, Kept, Part, Signal};
use crate::router::{Router, Routing};
use crate::stdx::bit_set::BitSet;

/// What decides where an item goes.
#[derive(Debug)]
pub struct Rules {
    pub router: Router,
    /// The exporters that take a signal, in the order of [`Signal::ALL`].
    takes: [BitSet; 3],
    fingerprint: Fingerprint,
}

impl Rules {
    pub fn new(router: Router, lanes: &[Arc<Lane>], fingerprint: Fingerprint) -> Self {
        let takes = Signal::ALL.map(|signal| {
            lanes.iter().filter(|lane| lane.exporter.takes(signal)).map(|lane| lane.seat).collect::<BitSet>()
        });
        Rules { router, takes, fingerprint }
    }

    pub fn takes(&self, signal: Signal) -> BitSet {
        Signal::ALL
            .iter()
            .zip(self.takes)
            .find(|(known, _)| **known == signal)
            .map_or(BitSet::EMPTY, |(_, takes)| takes)
    }

    /// Who needs what was routed so.
    pub fn needs(&self, signal: Signal, routing: &Routing) -> Needs {
        Needs::new(routing.weights().iter().copied()).within(self.takes(signal))
    }
}

/// All rules that still matter, with the first position of each.
#[derive(Debug)]
pub struct RuleBook(RwLock<Vec<(Position, Arc<Rules>)>>);

impl RuleBook {
    pub fn new(rules: Arc<Rules>) -> Self {
        RuleBook(RwLock::new(vec![(Position(0), rules)]))
    }

    /// Puts rules in force from a position on, and forgets those that no record needs.
    pub fn turn(&self, from: Position, rules: Arc<Rules>, oldest: Position) {
        let mut pages = self.0.write().unwrap_or_else(PoisonError::into_inner);
        pages.push((from, rules));
        let first = pages.partition_point(|(from, _)| *from <= oldest).saturating_sub(1);
        pages.drain(..first);
    }

    /// The rules in force.
    pub fn current(&self) -> Arc<Rules> {
        self.at(Position(u64::MAX))
    }

    /// The rules that a record was accepted under.
    fn at(&self, position: Position) -> Arc<Rules> {
        let pages = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let page = pages.partition_point(|(from, _)| *from <= position).saturating_sub(1);
        Arc::clone(&pages[page].1)
    }
}

impl Reroute for RuleBook {
    fn routing(&self, position: Position, batch: &Batch) -> Note {
        Arc::new(self.at(position).router.route(batch).0)
    }
}

impl journal::disk::Rules for RuleBook {
    fn needs(&self, batch: &Batch) -> Needs {
        let rules = self.current();
        rules.needs(batch.signal, &rules.router.route(batch).0)
    }

    fn cut(&self, position: Position, batch: &Batch, consumers: BitSet) -> Option<Batch> {
        let (routing, _) = self.at(position).router.route(batch);
        let kept = routing.kept_by_any(consumers);
        if kept == Kept::All {
            return None;
        }
        let part = Part { batch: batch.clone(), kept };
        let items = part.items();
        (items > 0).then(|| Batch {
            body: part.body(),
            original: None,
            items,
            weight: part.weight(),
            ..part.batch.clone()
        })
    }

    fn fingerprint(&self) -> Vec<u8> {
        self.current().fingerprint.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::RouterConfig;

    #[test]
    fn a_record_keeps_the_rules_it_was_accepted_under_until_it_is_gone() {
        let rules =
            |mark: u8| Arc::new(Rules::new(Router::new(&RouterConfig::default(), &[]).unwrap(), &[], [mark; 32]));
        let book = RuleBook::new(rules(1));
        book.turn(Position(10), rules(2), Position(3));
        book.turn(Position(20), rules(3), Position(4));
        let mark = |position| book.at(Position(position)).fingerprint[0];
        assert_eq!([mark(3), mark(9), mark(10), mark(19), mark(20), mark(99)], [1, 1, 2, 2, 3, 3]);
        book.turn(Position(30), rules(4), Position(20));
        assert_eq!(book.0.read().unwrap().len(), 2);
        assert_eq!([mark(20), mark(30)], [3, 4]);
    }
}
