//! Which records there are, who needs them, and how far each consumer is. Knows no lock, no waiting and no files.
//!
//! Two bounds keep one consumer that hangs from harming the others. All records together stay within a bound that the
//! engine sets. Of those, a consumer may have read and not settled its share, or one record where that is larger; what
//! nobody has in hand can make way, from those who are furthest behind first, as [`super::idle`] says.
//!
//! Appending, reading and settling a record cost O(log n) of the records held, whatever hangs or lags.

use std::collections::{BTreeMap, VecDeque};

use super::idle::IdleRecords;
use super::{Backlog, CONSUMERS_MAX, Done, Evicted, Needs, Position, Retired};
use crate::otlp::Batch;
use crate::stdx::bit_set::BitSet;

/// The records that somebody needs, and the consumers' cursors. `P` is where an engine keeps a record that is not held in
/// memory.
#[derive(Debug)]
pub(super) struct State<N, P> {
    /// Position of the next record to come.
    next: u64,
    /// By position. What nobody needs leaves at once, wherever it stands: nothing waits for a record in front of it.
    slots: BTreeMap<u64, Slot<N, P>>,
    /// The records that nobody has in hand.
    idle: IdleRecords,
    /// What the records count for.
    bytes: usize,
    consumers: Vec<Cursor>,
    admitted: BitSet,
    /// What a consumer may have in hand at once, unless it is a single record.
    share_bytes: usize,
    /// The positions of records that are held in memory, oldest first, some of them no more.
    held: VecDeque<u64>,
    held_bytes: usize,
    /// By position and consumer: what of a record is done with that is not settled.
    progress: BTreeMap<(u64, usize), Vec<Done>>,
}

/// A record, as it is put in.
#[derive(Debug)]
pub(super) struct Slot<N, P> {
    pub needs: Needs,
    /// `None` once it is let out of memory.
    pub held: Option<Box<(Batch, N)>>,
    pub place: P,
    pub cost: Cost,
    /// Never empty while it is in the state.
    needed_by: BitSet,
    /// Those of `needed_by` that have read it.
    in_hand_of: BitSet,
}

/// What a record costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// What it counts for against the journal's bound, above zero.
    pub bytes: usize,
    /// What it takes in memory.
    pub memory_bytes: usize,
    /// Of all its items, whoever needs them.
    pub weight: u32,
}

/// A record as a consumer takes it.
#[derive(Debug)]
pub(super) struct Taken<N, P> {
    pub position: u64,
    pub weight: u32,
    pub done: Vec<Done>,
    pub held: Option<(Batch, N)>,
    pub place: P,
}

/// What settling did.
#[derive(Debug)]
pub(super) enum Settled<N, P> {
    /// The consumer had not read it, or has settled it before.
    Nothing,
    /// Others need it.
    Still(P),
    /// Nobody needs it; it is no more. Its bytes are given back, to be freed when no lock is held.
    Gone(P, #[expect(dead_code, reason = "is kept to be dropped")] Option<Box<(Batch, N)>>),
}

#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    /// No record in front of this position is unread.
    next: u64,
    unread: Backlog,
    /// In memory, of the records read and not settled. None is free, so zero means none.
    in_hand_bytes: usize,
}

impl<N, P> Slot<N, P> {
    pub(super) fn new(needs: Needs, held: Option<(Batch, N)>, place: P, cost: Cost) -> Self {
        let needed_by = needs.consumers();
        Slot { needs, held: held.map(Box::new), place, cost, needed_by, in_hand_of: BitSet::EMPTY }
    }

    pub(super) fn needed_by(&self) -> BitSet {
        self.needed_by
    }
}

impl<N, P: Copy> State<N, P> {
    pub(super) fn new(share_bytes: usize) -> Self {
        State {
            next: 0,
            slots: BTreeMap::new(),
            idle: IdleRecords::default(),
            bytes: 0,
            consumers: vec![Cursor::default(); CONSUMERS_MAX],
            admitted: BitSet::EMPTY,
            share_bytes,
            held: VecDeque::new(),
            held_bytes: 0,
            progress: BTreeMap::new(),
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

    pub(super) fn set_share_bytes(&mut self, share_bytes: usize) {
        self.share_bytes = share_bytes;
    }

    pub(super) fn admitted(&self) -> BitSet {
        self.admitted
    }

    pub(super) fn backlog(&self, consumer: usize) -> Backlog {
        self.consumers[consumer].unread
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Skips positions, so that none of them is ever used.
    pub(super) fn skip_to(&mut self, position: u64) {
        self.next = self.next.max(position);
    }

    pub(super) fn oldest(&self) -> u64 {
        self.slots.first_key_value().map_or(self.next, |(position, _)| *position)
    }

    pub(super) fn admit(&mut self, consumer: usize) {
        self.admitted.insert(consumer);
    }

    pub(super) fn get(&self, position: u64) -> Option<&Slot<N, P>> {
        self.slots.get(&position)
    }

    /// The records from one position up to another.
    pub(super) fn range(&self, positions: std::ops::Range<u64>) -> impl Iterator<Item = (u64, &Slot<N, P>)> {
        self.slots.range(positions).map(|(position, slot)| (*position, slot))
    }

    /// Puts a record at a position that is not in front of another one's.
    pub(super) fn append(&mut self, position: u64, slot: Slot<N, P>) {
        debug_assert!(position >= self.next && !slot.needed_by.is_empty() && slot.cost.bytes > 0);
        for consumer in slot.needed_by.iter() {
            let cursor = &mut self.consumers[consumer];
            if cursor.unread.records == 0 {
                // Spares a consumer of rare records the walk over what was kept for others meanwhile.
                cursor.next = position;
            }
            cursor.unread.records += 1;
            cursor.unread.bytes += slot.cost.memory_bytes;
        }
        self.next = position + 1;
        self.bytes += slot.cost.bytes;
        if slot.held.is_some() {
            self.held.push_back(position);
            self.held_bytes += slot.cost.memory_bytes;
        }
        self.idle.insert(position, slot.needed_by, slot.cost.bytes);
        self.slots.insert(position, slot);
    }

    /// Lets the oldest records out of memory until so many bytes are left; they stay where their place says.
    pub(super) fn release(&mut self, held_bytes_max: usize) {
        while self.held_bytes > held_bytes_max {
            let Some(position) = self.held.pop_front() else { break };
            if let Some(slot) = self.slots.get_mut(&position)
                && slot.held.take().is_some()
            {
                self.held_bytes -= slot.cost.memory_bytes;
            }
        }
    }

    /// Whether a read would give something.
    pub(super) fn may_read(&mut self, consumer: usize) -> bool {
        self.first_readable(consumer).is_some()
    }

    /// Notes that a consumer needs a record no more. A consumer that has not read the record, or has settled it, changes
    /// nothing.
    pub(super) fn settle(&mut self, consumer: usize, position: u64) -> Settled<N, P> {
        let Some(slot) = self.slots.get_mut(&position) else { return Settled::Nothing };
        if !slot.in_hand_of.contains(consumer) {
            return Settled::Nothing;
        }
        slot.needed_by.remove(consumer);
        slot.in_hand_of.remove(consumer);
        self.progress.remove(&(position, consumer));
        self.consumers[consumer].in_hand_bytes -= slot.cost.memory_bytes;
        let place = slot.place;
        if slot.needed_by.is_empty() {
            let held = self.remove(position).and_then(|slot| slot.held);
            return Settled::Gone(place, held);
        }
        if slot.in_hand_of.is_empty() {
            self.idle.insert(position, slot.needed_by, slot.cost.bytes);
        }
        Settled::Still(place)
    }

    /// Notes what of a record is done with; false where the consumer does not need it.
    pub(super) fn note(&mut self, consumer: usize, position: u64, done: &[Done]) -> bool {
        let is_needed = self.slots.get(&position).is_some_and(|slot| slot.needed_by.contains(consumer));
        if is_needed {
            self.progress.entry((position, consumer)).or_default().extend(done);
        }
        is_needed
    }

    /// What a consumer has done of records that it has not settled, by position.
    pub(super) fn all_progress(&self, consumer: usize) -> impl Iterator<Item = (u64, &[Done])> {
        let of_one = self.progress.iter().filter(move |((_, other), _)| *other == consumer);
        of_one.map(|((position, _), done)| (*position, done.as_slice()))
    }

    /// What of a record is done with.
    pub(super) fn progress(&self, consumer: usize, position: u64) -> &[Done] {
        self.progress.get(&(position, consumer)).map_or(&[], Vec::as_slice)
    }

    /// What of a record a consumer is still to book, once it is let go.
    fn forget(&mut self, consumer: usize, position: u64, weight: u32) -> u32 {
        let done = self.progress.remove(&(position, consumer)).unwrap_or_default();
        weight.saturating_sub(done.iter().map(|done| done.weight).sum())
    }

    /// Takes out a record that is not in [`State::idle`].
    fn remove(&mut self, position: u64) -> Option<Slot<N, P>> {
        let slot = self.slots.remove(&position)?;
        self.bytes -= slot.cost.bytes;
        if slot.held.is_some() {
            self.held_bytes -= slot.cost.memory_bytes;
        }
        // Their places in the queue go when they come to its front, or here when most of it is gone.
        if self.held.len() > 1024 && self.held.len() > 4 * self.slots.len() {
            let slots = &self.slots;
            self.held.retain(|position| slots.get(position).is_some_and(|slot| slot.held.is_some()));
        }
        Some(slot)
    }

    /// The consumer's oldest unread record, if its share has room for it; with the bytes it takes in memory.
    ///
    /// Moves the cursor over what others need, which is never looked at again: each record is passed once a consumer.
    fn first_readable(&mut self, consumer: usize) -> Option<(u64, usize)> {
        let cursor = &mut self.consumers[consumer];
        if cursor.unread.records == 0 {
            return None;
        }
        let (position, slot) = self.slots.range(cursor.next..).find(|(_, slot)| slot.needed_by.contains(consumer))?;
        cursor.next = *position;
        let fits = cursor.in_hand_bytes == 0 || cursor.in_hand_bytes + slot.cost.memory_bytes <= self.share_bytes;
        fits.then_some((*position, slot.cost.memory_bytes))
    }

    /// Gives back what a consumer has in hand, to be read again.
    pub(super) fn rewind(&mut self, consumer: usize) {
        for (position, slot) in &mut self.slots {
            if !slot.in_hand_of.contains(consumer) {
                continue;
            }
            slot.in_hand_of.remove(consumer);
            if slot.in_hand_of.is_empty() {
                self.idle.insert(*position, slot.needed_by, slot.cost.bytes);
            }
            let cursor = &mut self.consumers[consumer];
            cursor.in_hand_bytes -= slot.cost.memory_bytes;
            cursor.unread.records += 1;
            cursor.unread.bytes += slot.cost.memory_bytes;
            cursor.next = cursor.next.min(*position);
        }
    }

    /// Lets a consumer go; gives what was kept for it, and the places of the records that nobody needs any more.
    pub(super) fn retire(&mut self, consumer: usize) -> (Retired, Vec<P>) {
        self.rewind(consumer);
        let (mut retired, mut gone) = (Retired::default(), Vec::new());
        let needed = self.slots.iter().filter(|(_, slot)| slot.needed_by.contains(consumer));
        for position in needed.map(|(position, _)| *position).collect::<Vec<_>>() {
            let Some(slot) = self.slots.get_mut(&position) else { continue };
            retired.records += 1;
            let weight = slot.needs.weight_of(consumer);
            let is_idle = slot.in_hand_of.is_empty();
            if is_idle {
                self.idle.remove(position, slot.needed_by, slot.cost.bytes);
            }
            slot.needed_by.remove(consumer);
            if slot.needed_by.is_empty() {
                gone.push(slot.place);
                self.remove(position);
            } else if is_idle {
                self.idle.insert(position, slot.needed_by, slot.cost.bytes);
            }
            retired.weight += u64::from(self.forget(consumer, position, weight));
        }
        self.admitted.remove(consumer);
        self.consumers[consumer] = Cursor::default();
        (retired, gone)
    }

    /// Says that a record lies elsewhere, and counts for less.
    pub(super) fn replace(&mut self, position: u64, place: P, bytes: usize) {
        let Some(slot) = self.slots.get_mut(&position) else { return };
        let is_idle = slot.in_hand_of.is_empty();
        if is_idle {
            self.idle.remove(position, slot.needed_by, slot.cost.bytes);
        }
        self.bytes = self.bytes - slot.cost.bytes + bytes;
        (slot.place, slot.cost.bytes) = (place, bytes);
        if is_idle {
            self.idle.insert(position, slot.needed_by, bytes);
        }
    }

    /// Lets idle records go until so many bytes are free or none is left; gives each to each consumer that loses it, and
    /// the places of all.
    pub(super) fn evict(&mut self, bytes: usize) -> (Vec<Evicted>, Vec<P>) {
        let bytes_target = self.bytes.saturating_sub(bytes);
        let (mut evicted, mut gone) = (Vec::new(), Vec::new());
        while self.bytes > bytes_target {
            let Some(position) = self.idle.first_to_go(|consumer| self.consumers[consumer].unread.bytes) else { break };
            let Some(slot) = self.slots.get(&position) else { break };
            self.idle.remove(position, slot.needed_by, slot.cost.bytes);
            let Some(slot) = self.remove(position) else { break };
            gone.push(slot.place);
            for consumer in slot.needed_by.iter() {
                let unread = &mut self.consumers[consumer].unread;
                unread.records -= 1;
                unread.bytes -= slot.cost.memory_bytes;
                let weight = self.forget(consumer, position, slot.needs.weight_of(consumer));
                evicted.push(Evicted { consumer, position: Position(position), weight });
            }
        }
        (evicted, gone)
    }
}

impl<N: Clone, P: Copy> State<N, P> {
    /// The consumer's oldest unread records: as many as fit its share and `bytes_max`, but one at least if it has none in
    /// hand.
    pub(super) fn read(&mut self, consumer: usize, bytes_max: usize) -> Vec<Taken<N, P>> {
        let mut taken = Vec::new();
        let mut bytes_read = 0;
        while let Some((position, bytes)) = self.first_readable(consumer) {
            if bytes_read + bytes > bytes_max && !taken.is_empty() {
                break;
            }
            let Some(slot) = self.slots.get_mut(&position) else { break };
            if slot.in_hand_of.is_empty() {
                self.idle.remove(position, slot.needed_by, slot.cost.bytes);
            }
            slot.in_hand_of.insert(consumer);
            let cursor = &mut self.consumers[consumer];
            cursor.next = position + 1;
            cursor.unread.records -= 1;
            cursor.unread.bytes -= bytes;
            cursor.in_hand_bytes += bytes;
            bytes_read += bytes;
            let (weight, held, place) = (slot.needs.weight_of(consumer), slot.held.as_deref().cloned(), slot.place);
            let done = self.progress(consumer, position).to_vec();
            taken.push(Taken { position, weight, done, held, place });
        }
        taken
    }

    /// Lets a record out of memory that all who need it have in hand: they hold it themselves.
    pub(super) fn release_read(&mut self, position: u64) {
        if let Some(slot) = self.slots.get_mut(&position)
            && slot.in_hand_of == slot.needed_by
            && slot.held.take().is_some()
        {
            self.held_bytes -= slot.cost.memory_bytes;
        }
    }
}
