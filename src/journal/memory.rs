//! The engine that keeps records in memory: as fast as can be, gone with the process.
//!
//! Two bounds keep one consumer that hangs from harming the others. All records together stay within `bytes_max`. Of
//! those, a consumer may have read and not settled its share, half of `bytes_max` by the number of consumers, or one
//! record where that is larger. So records smaller than a share leave half of the journal to what nobody has in hand,
//! and that can make way: from those who are furthest behind first, as [`idle`] says.
//!
//! Appending, reading and settling a record cost O(log n) of the records held, whatever hangs or lags.

mod idle;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{AppendError, Backlog, BoxFuture, Entry, Evicted, Journal, Position, Usage, WhenFull};
use crate::otlp::Batch;
use crate::stdx::bit_set::BitSet;
use state::State;

/// What a record costs beside its bytes, so that a flood of tiny ones is bounded too.
const RECORD_OVERHEAD_BYTES: usize = 512;

/// What a note may cost for each item of its record: one set of exporters.
const ITEM_OVERHEAD_BYTES: usize = size_of::<BitSet>();

/// A journal in memory, bounded in bytes.
#[derive(Debug)]
pub struct MemoryJournal<N> {
    state: Mutex<State<N>>,
    /// One a consumer; woken whenever what it may read may have changed. Each has one waiter at most.
    readable: Vec<Notify>,
    bytes_max: usize,
    when_full: WhenFull,
}

impl<N> MemoryJournal<N> {
    pub fn new(consumers: usize, bytes_max: usize, when_full: WhenFull) -> Self {
        MemoryJournal {
            state: Mutex::new(State::new(consumers, bytes_max / 2 / consumers.max(1))),
            readable: (0..consumers).map(|_| Notify::new()).collect(),
            bytes_max,
            when_full,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<N>> {
        // No code of `State` panics between two writes that belong together, so a poisoned lock still guards a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N: Clone> MemoryJournal<N> {
    fn take(&self, batch: Batch, needed_by: BitSet, note: N) -> Result<Vec<Evicted<N>>, AppendError> {
        if needed_by.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = batch.held_bytes() + RECORD_OVERHEAD_BYTES + ITEM_OVERHEAD_BYTES * batch.items as usize;
        if bytes > self.bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max: self.bytes_max });
        }
        let mut state = self.state();
        let missing = (state.bytes() + bytes).saturating_sub(self.bytes_max);
        let evicted = match self.when_full {
            _ if missing == 0 => Vec::new(),
            WhenFull::DropOldest if missing <= state.idle_bytes() => state.evict(missing),
            _ => return Err(AppendError::Full { used: state.bytes(), bytes_max: self.bytes_max }),
        };
        state.append(batch, needed_by, note, bytes);
        drop(state);
        // Who loses a record too large for the rest of its share may find a smaller one behind it.
        let losers: BitSet = evicted.iter().map(|evicted| evicted.consumer).collect();
        needed_by.union(losers).iter().for_each(|consumer| self.readable[consumer].notify_one());
        Ok(evicted)
    }
}

impl<N: Clone + Send + Sync> Journal<N> for MemoryJournal<N> {
    fn append(&self, batch: Batch, needed_by: BitSet, note: N) -> BoxFuture<'_, Result<Vec<Evicted<N>>, AppendError>> {
        let taken = self.take(batch, needed_by, note);
        Box::pin(std::future::ready(taken))
    }

    fn ready(&self, consumer: usize) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A wake between the look and the wait is kept by `Notify` and ends the wait at once.
            while !self.state().may_read(consumer) {
                self.readable[consumer].notified().await;
            }
        })
    }

    fn read(&self, consumer: usize, bytes_max: usize) -> BoxFuture<'_, Vec<Entry<N>>> {
        let entries = self.state().read(consumer, bytes_max);
        Box::pin(std::future::ready(entries))
    }

    fn settle(&self, consumer: usize, position: Position) {
        // Bound to a name, so that the bytes are freed after the lock.
        let _gone = self.state().settle(consumer, position);
        self.readable[consumer].notify_one();
    }

    fn backlog(&self, consumer: usize) -> Backlog {
        self.state().backlog(consumer)
    }

    fn usage(&self) -> Usage {
        let state = self.state();
        Usage { records: state.records(), bytes: state.bytes(), bytes_max: self.bytes_max }
    }
}
