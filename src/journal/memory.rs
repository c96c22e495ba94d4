//! The engine that keeps records in memory: as fast as can be, gone with the process.
//!
//! A consumer's share of what may be in hand is half of the bound by the number of consumers, so that records smaller than
//! a share leave half of the journal to what can make way.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::state::{Cost, Settled, Slot, State, Taken};
use super::{
    AppendError, Backlog, BoxFuture, CONSUMERS_MAX, Done, Entry, Evicted, Journal, Needs, Position, Read, Retired,
    Usage, WhenFull,
};
use crate::otlp::Batch;
use crate::stdx::bit_set::BitSet;

/// What a record costs beside its bytes, so that a flood of tiny ones is bounded too.
const RECORD_OVERHEAD_BYTES: usize = 512;

/// What a note may cost for each item of its record: one set of exporters.
const ITEM_OVERHEAD_BYTES: usize = size_of::<BitSet>();

/// What a record takes in memory, in bytes, given those of its batch.
pub(super) fn memory_bytes(held_bytes: usize, items: u32) -> usize {
    held_bytes + RECORD_OVERHEAD_BYTES + ITEM_OVERHEAD_BYTES * items as usize
}

/// A journal in memory, bounded in bytes.
#[derive(Debug)]
pub struct MemoryJournal<N> {
    state: Mutex<State<N, ()>>,
    wakes: Wakes,
    bytes_max: usize,
    when_full: WhenFull,
}

/// One bell a consumer, rung whenever what it may read may have changed. Each has one waiter at most.
#[derive(Debug)]
pub(super) struct Wakes(Vec<Notify>);

impl Wakes {
    pub(super) fn new() -> Self {
        Wakes((0..CONSUMERS_MAX).map(|_| Notify::new()).collect())
    }

    pub(super) fn ring(&self, consumers: BitSet) {
        consumers.iter().for_each(|consumer| self.0[consumer].notify_one());
    }

    pub(super) fn ring_one(&self, consumer: usize) {
        self.0[consumer].notify_one();
    }

    /// Waits until `may_read` holds. A wake between the look and the wait is kept by `Notify` and ends the wait at once.
    pub(super) async fn wait(&self, consumer: usize, may_read: impl Fn() -> bool) {
        while !may_read() {
            self.0[consumer].notified().await;
        }
    }
}

impl<N> MemoryJournal<N> {
    /// For consumers from 0 up to `consumers`.
    pub fn new(consumers: usize, bytes_max: usize, when_full: WhenFull) -> Self
    where
        N: Clone + Send + Sync,
    {
        let journal =
            MemoryJournal { state: Mutex::new(State::new(bytes_max / 2)), wakes: Wakes::new(), bytes_max, when_full };
        for consumer in 0..consumers {
            journal.admit(consumer, "");
        }
        journal
    }

    fn state(&self) -> MutexGuard<'_, State<N, ()>> {
        // No code of `State` panics between two writes that belong together, so a poisoned lock still guards a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N: Clone> MemoryJournal<N> {
    fn take(&self, batch: Batch, needs: Needs, note: N) -> Result<Vec<Evicted>, AppendError> {
        let bytes = memory_bytes(batch.held_bytes(), batch.items);
        if bytes > self.bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max: self.bytes_max });
        }
        let mut state = self.state();
        let needs = needs.within(state.admitted());
        if needs.is_empty() {
            return Ok(Vec::new());
        }
        let missing = (state.bytes() + bytes).saturating_sub(self.bytes_max);
        let (evicted, _) = match self.when_full {
            _ if missing == 0 => Default::default(),
            WhenFull::DropOldest if missing <= state.idle_bytes() => state.evict(missing),
            _ => return Err(AppendError::Full { used: state.bytes(), bytes_max: self.bytes_max }),
        };
        let (position, needed_by) = (state.next(), needs.consumers());
        let cost = Cost { bytes, memory_bytes: bytes, weight: batch.weight };
        state.append(position, Slot::new(needs, Some((batch, note)), (), cost));
        drop(state);
        // Who loses a record too large for the rest of its share may find a smaller one behind it.
        let losers: BitSet = evicted.iter().map(|evicted| evicted.consumer).collect();
        self.wakes.ring(needed_by.union(losers));
        Ok(evicted)
    }
}

impl<N: Clone + Send + Sync> Journal<N> for MemoryJournal<N> {
    fn append(&self, batch: Batch, needs: Needs, note: N) -> BoxFuture<'static, Result<Vec<Evicted>, AppendError>> {
        let taken = self.take(batch, needs, note);
        Box::pin(std::future::ready(taken))
    }

    fn ready(&self, consumer: usize) -> BoxFuture<'_, ()> {
        Box::pin(self.wakes.wait(consumer, move || self.state().may_read(consumer)))
    }

    fn read(&self, consumer: usize, bytes_max: usize) -> BoxFuture<'_, Read<N>> {
        let taken = self.state().read(consumer, bytes_max);
        let entry = |Taken { position, weight, done, held, .. }: Taken<N, ()>| {
            let (batch, note) = held?;
            Some(Entry { position: Position(position), batch, note: Some(note), weight, done })
        };
        let entries = taken.into_iter().filter_map(entry).collect();
        Box::pin(std::future::ready(Read { entries, damaged_weight: 0 }))
    }

    fn settle(&self, consumer: usize, Position(position): Position) {
        // Bound to a name, so that the bytes are freed after the lock.
        let settled = self.state().settle(consumer, position);
        if !matches!(settled, Settled::Nothing) {
            self.wakes.ring_one(consumer);
        }
    }

    fn note(&self, consumer: usize, Position(position): Position, done: &[Done]) {
        self.state().note(consumer, position, done);
    }

    fn rewind(&self, consumer: usize) {
        self.state().rewind(consumer);
        self.wakes.ring_one(consumer);
    }

    fn admit(&self, consumer: usize, _name: &str) {
        let mut state = self.state();
        state.admit(consumer);
        let consumers = state.admitted().iter().count();
        state.set_share_bytes(self.bytes_max / 2 / consumers);
    }

    fn retire(&self, consumer: usize) -> Retired {
        let mut state = self.state();
        let (retired, _) = state.retire(consumer);
        let consumers = state.admitted().iter().count().max(1);
        state.set_share_bytes(self.bytes_max / 2 / consumers);
        retired
    }

    fn backlog(&self, consumer: usize) -> Backlog {
        self.state().backlog(consumer)
    }

    fn usage(&self) -> Usage {
        let state = self.state();
        Usage { records: state.records(), bytes: state.bytes(), bytes_max: self.bytes_max, ..Usage::default() }
    }

    fn oldest(&self) -> Position {
        Position(self.state().oldest())
    }

    fn next(&self) -> Position {
        Position(self.state().next())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
