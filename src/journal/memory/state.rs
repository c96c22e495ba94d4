//! What the engine in memory holds: the records, and how far each consumer is. Knows no lock and no waiting.

use std::collections::BTreeMap;

use super::idle::IdleRecords;
use crate::journal::{Backlog, Entry, Evicted, Position};
use crate::otlp::Batch;
use crate::stdx::bit_set::BitSet;

/// The records that somebody needs, and the consumers' cursors.
#[derive(Debug)]
pub(super) struct State<N> {
    /// Position of the next record to come.
    next: u64,
    /// By position. What nobody needs leaves at once, wherever it stands: nothing waits for a record in front of it.
    slots: BTreeMap<u64, Slot<N>>,
    /// The records that nobody has in hand.
    idle: IdleRecords,
    bytes: usize,
    consumers: Vec<Cursor>,
    /// What a consumer may have in hand at once, unless it is a single record.
    share_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Slot<N> {
    batch: Batch,
    note: N,
    /// Never empty.
    needed_by: BitSet,
    /// Those of `needed_by` that have read it.
    in_hand_of: BitSet,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    /// No record in front of this position is unread.
    next: u64,
    unread: Backlog,
    /// Of the records read and not settled. None is free, so zero means none.
    in_hand_bytes: usize,
}

impl<N> State<N> {
    pub(super) fn new(consumers: usize, share_bytes: usize) -> Self {
        State {
            next: 0,
            slots: BTreeMap::new(),
            idle: IdleRecords::default(),
            bytes: 0,
            consumers: vec![Cursor::default(); consumers],
            share_bytes,
        }
    }

    pub(super) fn records(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What [`State::evict`] could free.
    pub(super) fn idle_bytes(&self) -> usize {
        self.idle.bytes()
    }

    pub(super) fn backlog(&self, consumer: usize) -> Backlog {
        self.consumers[consumer].unread
    }

    /// Puts a record behind all others. `needed_by` is not empty; `bytes` is what the record counts for, above zero.
    pub(super) fn append(&mut self, batch: Batch, needed_by: BitSet, note: N, bytes: usize) {
        debug_assert!(!needed_by.is_empty() && bytes > 0);
        let position = self.next;
        for consumer in needed_by.iter() {
            let cursor = &mut self.consumers[consumer];
            if cursor.unread.records == 0 {
                // Spares a consumer of rare records the walk over what was kept for others meanwhile.
                cursor.next = position;
            }
            cursor.unread.records += 1;
            cursor.unread.bytes += bytes;
        }
        self.next += 1;
        self.bytes += bytes;
        self.idle.insert(position, needed_by, bytes);
        self.slots.insert(position, Slot { batch, note, needed_by, in_hand_of: BitSet::EMPTY, bytes });
    }

    /// Whether a read would give something.
    pub(super) fn may_read(&mut self, consumer: usize) -> bool {
        self.first_readable(consumer).is_some()
    }

    /// Notes that a consumer needs a record no more; gives the record where nobody does. A consumer that has not read the
    /// record, or has settled it, changes nothing.
    pub(super) fn settle(&mut self, consumer: usize, Position(position): Position) -> Option<Slot<N>> {
        let slot = self.slots.get_mut(&position)?;
        if !slot.in_hand_of.contains(consumer) {
            return None;
        }
        slot.needed_by.remove(consumer);
        slot.in_hand_of.remove(consumer);
        self.consumers[consumer].in_hand_bytes -= slot.bytes;
        if slot.needed_by.is_empty() {
            self.bytes -= slot.bytes;
            return self.slots.remove(&position);
        }
        if slot.in_hand_of.is_empty() {
            self.idle.insert(position, slot.needed_by, slot.bytes);
        }
        None
    }

    /// The consumer's oldest unread record, if its share has room for it; with the bytes it counts for.
    ///
    /// Moves the cursor over what others need, which is never looked at again: each record is passed once a consumer.
    fn first_readable(&mut self, consumer: usize) -> Option<(u64, usize)> {
        let cursor = &mut self.consumers[consumer];
        if cursor.unread.records == 0 {
            return None;
        }
        let (position, slot) = self.slots.range(cursor.next..).find(|(_, slot)| slot.needed_by.contains(consumer))?;
        cursor.next = *position;
        let fits = cursor.in_hand_bytes == 0 || cursor.in_hand_bytes + slot.bytes <= self.share_bytes;
        fits.then_some((*position, slot.bytes))
    }
}

impl<N: Clone> State<N> {
    /// The consumer's oldest unread records: as many as fit its share and `bytes_max`, but one at least if it has none in
    /// hand.
    pub(super) fn read(&mut self, consumer: usize, bytes_max: usize) -> Vec<Entry<N>> {
        let mut entries = Vec::new();
        let mut bytes_read = 0;
        while let Some((position, bytes)) = self.first_readable(consumer) {
            if bytes_read + bytes > bytes_max && !entries.is_empty() {
                break;
            }
            let Some(slot) = self.slots.get_mut(&position) else { break };
            if slot.in_hand_of.is_empty() {
                self.idle.remove(position, slot.needed_by, bytes);
            }
            slot.in_hand_of.insert(consumer);
            let cursor = &mut self.consumers[consumer];
            cursor.next = position + 1;
            cursor.unread.records -= 1;
            cursor.unread.bytes -= bytes;
            cursor.in_hand_bytes += bytes;
            bytes_read += bytes;
            let (batch, note) = (slot.batch.clone(), Some(slot.note.clone()));
            entries.push(Entry { position: Position(position), batch, note });
        }
        entries
    }

    /// Lets idle records go until so many bytes are free or none is left; gives each to each consumer that loses it.
    pub(super) fn evict(&mut self, bytes: usize) -> Vec<Evicted<N>> {
        let bytes_target = self.bytes.saturating_sub(bytes);
        let mut evicted = Vec::new();
        while self.bytes > bytes_target {
            let Some(position) = self.idle.first_to_go(|consumer| self.consumers[consumer].unread.bytes) else { break };
            let Some(slot) = self.slots.remove(&position) else { break };
            self.idle.remove(position, slot.needed_by, slot.bytes);
            self.bytes -= slot.bytes;
            for consumer in slot.needed_by.iter() {
                let unread = &mut self.consumers[consumer].unread;
                unread.records -= 1;
                unread.bytes -= slot.bytes;
                let (batch, note) = (slot.batch.clone(), Some(slot.note.clone()));
                evicted.push(Evicted { consumer, entry: Entry { position: Position(position), batch, note } });
            }
        }
        evicted
    }
}
