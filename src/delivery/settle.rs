//! When a record is done with: as soon as its last piece is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Note;
use crate::journal::{Journal, Position};

/// Counts who still holds a record, and settles it when nobody does.
pub(super) struct Settler {
    journal: Arc<dyn Journal<Note>>,
    consumer: usize,
    position: Position,
    open: AtomicUsize,
}

impl Settler {
    /// Holds a record open for its maker, who settles once when nothing more will be made of it.
    pub(super) fn new(journal: Arc<dyn Journal<Note>>, consumer: usize, position: Position) -> Arc<Self> {
        Arc::new(Settler { journal, consumer, position, open: AtomicUsize::new(1) })
    }

    /// Holds the record open once more.
    pub(super) fn open_one(self: &Arc<Self>) -> Arc<Self> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Arc::clone(self)
    }

    /// Lets go once; the last one settles the record.
    pub(super) fn settle_one(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.journal.settle(self.consumer, self.position);
        }
    }
}
