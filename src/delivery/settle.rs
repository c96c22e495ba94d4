//! When a record is done with: as soon as its last piece is; and what of it is until then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Note;
use crate::journal::{Done, Journal, Position};

/// Counts who still holds a record, and settles it when nobody does.
///
/// A record whose pieces travel in several requests may be left between two of them, by a reload or a kill. So the journal
/// is told of each piece that is done with while others are not, and gives that back with the record.
pub(super) struct Settler {
    journal: Arc<dyn Journal<Note>>,
    consumer: usize,
    position: Position,
    open: AtomicUsize,
    /// What was done with when the record was read.
    done: Vec<Done>,
}

impl Settler {
    /// Holds a record open for its maker, who settles once when nothing more will be made of it.
    pub(super) fn new(
        journal: Arc<dyn Journal<Note>>,
        consumer: usize,
        position: Position,
        done: Vec<Done>,
    ) -> Arc<Self> {
        Arc::new(Settler { journal, consumer, position, open: AtomicUsize::new(1), done })
    }

    /// Holds the record open once more.
    pub(super) fn open_one(self: &Arc<Self>) -> Arc<Self> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Arc::clone(self)
    }

    /// Whether nothing of the record was done with when it was read, as nearly always.
    pub(super) fn is_fresh(&self) -> bool {
        self.done.is_empty()
    }

    /// What was done with at a place among the record's pieces; several where a piece was cut.
    pub(super) fn done_at(&self, ordinal: u32) -> impl Iterator<Item = Done> {
        self.done.iter().copied().filter(move |done| done.ordinal == ordinal)
    }

    /// Lets go so many times; the last one settles the record. Where it is not the last, `done` says what is done with.
    pub(super) fn settle(&self, times: usize, done: impl FnOnce() -> Vec<Done>) {
        if self.open.fetch_sub(times, Ordering::AcqRel) == times {
            self.journal.settle(self.consumer, self.position);
        } else {
            let done = done();
            if !done.is_empty() {
                self.journal.note(self.consumer, self.position, &done);
            }
        }
    }
}
