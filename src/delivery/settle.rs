//! When a record is done with: as soon as its last piece is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::Note;
use super::ledger::Ledger;
use crate::journal::{Journal, Position};

/// Counts who still holds a record, and settles it when nobody does.
pub(super) struct Settler {
    journal: Arc<dyn Journal<Note>>,
    ledger: Arc<Ledger>,
    consumer: usize,
    position: Position,
    open: AtomicUsize,
    /// What of the record is booked as delivered or dropped.
    booked: AtomicU32,
}

impl Settler {
    /// Holds a record open for its maker, who settles once when nothing more will be made of it.
    pub(super) fn new(
        journal: Arc<dyn Journal<Note>>,
        ledger: Arc<Ledger>,
        consumer: usize,
        position: Position,
    ) -> Arc<Self> {
        Arc::new(Settler { journal, ledger, consumer, position, open: AtomicUsize::new(1), booked: AtomicU32::new(0) })
    }

    /// Holds the record open once more.
    pub(super) fn open_one(self: &Arc<Self>) -> Arc<Self> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Arc::clone(self)
    }

    /// Lets go once, with so much of the record booked; the last one settles the record.
    pub(super) fn settle_one(&self, weight: u32) {
        self.booked.fetch_add(weight, Ordering::Relaxed);
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.journal.settle(self.consumer, self.position);
        }
    }
}

impl Drop for Settler {
    /// A record that is left before it is settled is read again, and all of it is booked again then.
    fn drop(&mut self) {
        if *self.open.get_mut() > 0 {
            self.ledger.accept(u64::from(*self.booked.get_mut()));
        }
    }
}
