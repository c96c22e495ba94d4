//! The books of one exporter: what was accepted for it and what became of that.
//!
//! accepted = delivered + dropped{reason} + waiting, at every moment and exactly: all four change under one lock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::exporter::contract::Reason;

/// The books of one exporter. Counts spans, log records and data points.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Figures>);

/// The figures at one moment.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Chosen by the rules for this exporter and confirmed to the client.
    pub accepted: u64,
    /// Taken by the vendor.
    pub delivered: u64,
    /// Given up, by reason.
    pub dropped: BTreeMap<Reason, u64>,
    /// Neither yet.
    pub waiting: u64,
}

impl Ledger {
    fn figures(&self) -> MutexGuard<'_, Figures> {
        // Each change below is a few additions that cannot panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn accept(&self, weight: u64) {
        let mut figures = self.figures();
        figures.accepted += weight;
        figures.waiting += weight;
    }

    /// Takes back an acceptance that was not confirmed to the client.
    pub fn revoke(&self, weight: u32) {
        let mut figures = self.figures();
        figures.accepted -= u64::from(weight);
        figures.waiting -= u64::from(weight);
    }

    pub fn deliver(&self, weight: u32) {
        let mut figures = self.figures();
        figures.delivered += u64::from(weight);
        figures.waiting -= u64::from(weight);
    }

    pub fn give_up(&self, weight: u32, reason: Reason) {
        if weight > 0 {
            let mut figures = self.figures();
            *figures.dropped.entry(reason).or_default() += u64::from(weight);
            figures.waiting -= u64::from(weight);
        }
    }

    pub fn read(&self) -> Figures {
        self.figures().clone()
    }
}

impl Figures {
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_balance_after_every_entry() {
        let ledger = Ledger::default();
        let balanced = || {
            let figures = ledger.read();
            figures.accepted == figures.delivered + figures.dropped_total() + figures.waiting
        };
        ledger.accept(10);
        assert!(balanced());
        ledger.accept(5);
        ledger.revoke(5);
        ledger.deliver(6);
        assert!(balanced());
        ledger.give_up(3, "refused");
        ledger.give_up(0, "never_shown");
        assert!(balanced());
        let figures = ledger.read();
        assert_eq!((figures.accepted, figures.delivered, figures.waiting), (10, 6, 1));
        assert_eq!(figures.dropped, BTreeMap::from([("refused", 3)]));
    }
}
