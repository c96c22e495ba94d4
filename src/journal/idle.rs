//! Which record makes way when the journal is full.
//!
//! Only what nobody has in hand can go, and its bytes are free only once it is taken from all who still need it. So a
//! record is as dispensable as the one of them that is least behind makes it, and the most dispensable goes, the oldest of
//! equals first:
//!
//! ```text
//!   unread bytes   A 900   B 300   C 2
//!   needed by      {A}  ▶  {A B}, {B}  ▶  {A C}, {A B C}, {C}      the left ones go first
//! ```
//!
//! A consumer that is caught up loses nothing while those behind it have records of their own.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use crate::stdx::bit_set::BitSet;

/// The positions of the records that nobody has in hand, by who needs them.
///
/// There are as many groups as different answers to "who has not read it yet", which the rules and the number of exporters
/// bound, however many records wait: consumers read in order, so each set that the rules give is cut down in at most one
/// order.
#[derive(Debug, Default)]
pub(super) struct IdleRecords {
    /// No group is empty.
    groups: HashMap<BitSet, BTreeSet<u64>>,
    bytes: usize,
}

impl IdleRecords {
    /// Of all records in it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a record that is not in it.
    pub(super) fn insert(&mut self, position: u64, needed_by: BitSet, bytes: usize) {
        self.groups.entry(needed_by).or_default().insert(position);
        self.bytes += bytes;
    }

    /// Takes out a record that is in it, given what it was added with.
    pub(super) fn remove(&mut self, position: u64, needed_by: BitSet, bytes: usize) {
        let Some(group) = self.groups.get_mut(&needed_by) else { return };
        if group.remove(&position) {
            self.bytes -= bytes;
        }
        if group.is_empty() {
            self.groups.remove(&needed_by);
        }
    }

    /// The record that can best be spared, given how far behind each consumer is.
    pub(super) fn first_to_go(&self, behind: impl Fn(usize) -> usize) -> Option<u64> {
        let groups = self.groups.iter().filter_map(|(needed_by, positions)| {
            let least_behind = needed_by.iter().map(&behind).min()?;
            Some((least_behind, Reverse(*positions.first()?)))
        });
        groups.max().map(|(_, Reverse(oldest))| oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records are added at positions 0, 1, ... and taken out as they go; gives the order.
    fn check(needed_by: &[&[usize]], behind: [usize; 3], expected: &[u64]) {
        let mut idle = IdleRecords::default();
        let sets: Vec<BitSet> = needed_by.iter().map(|set| set.iter().copied().collect()).collect();
        for (position, set) in sets.iter().enumerate() {
            idle.insert(position as u64, *set, 10);
        }
        let mut order = Vec::new();
        while let Some(position) = idle.first_to_go(|consumer| behind[consumer]) {
            idle.remove(position, sets[position as usize], 10);
            order.push(position);
        }
        assert_eq!(order, expected);
        assert!(idle.groups.is_empty() && idle.bytes() == 0);
    }

    #[test]
    fn what_only_the_furthest_behind_need_goes_first() {
        check(&[&[2], &[0, 1, 2], &[0, 2], &[1], &[0, 1], &[0]], [900, 300, 2], &[5, 3, 4, 0, 1, 2]);
    }

    #[test]
    fn the_oldest_of_equals_goes_first() {
        check(&[&[0], &[1], &[0, 1], &[0]], [7, 7, 0], &[0, 1, 2, 3]);
    }
}
