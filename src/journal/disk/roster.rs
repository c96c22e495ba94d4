//! The consumers and their cursors, as they stand at the beginning of a file, and as they are put together again at a start.
//!
//! A cursor is a low-water mark and, from there on, runs of positions that are needed and that are not:
//!
//! ```text
//! position      40 41 42 43 44 45 46 47 48 49
//! needed              ▓▓ ▓▓ ░░ ░░ ░░ ▓▓ ░░ ░░     low water 42, runs 2 3 1
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Index;
use super::message::{Consumer, Progress, Roster, Settled};
use crate::journal::Done;

/// Who is who, and what each still needs, by what the files have said so far.
#[derive(Debug, Default)]
pub struct Register {
    /// By number, in the newest roster.
    names: HashMap<u32, String>,
    cursors: BTreeMap<String, Cursor>,
}

#[derive(Debug, Default)]
struct Cursor {
    /// Where the roster stood; behind it all is needed that is not settled.
    as_of: u64,
    /// Rising, needed, in front of `as_of`.
    needed: Vec<std::ops::Range<u64>>,
    settled: HashSet<u64>,
    progress: HashMap<u64, Vec<Done>>,
}

impl Register {
    /// Takes in a roster that stands in front of a position.
    pub fn note_roster(&mut self, as_of: u64, roster: Roster) {
        self.names = roster.consumers.iter().map(|consumer| (consumer.number, consumer.name.clone())).collect();
        if roster.names_only {
            // Whoever is named for the first time needs all that says so.
            for name in self.names.values() {
                self.cursors.entry(name.clone()).or_default();
            }
            return;
        }
        let cursor = |consumer: Consumer| {
            let mut at = consumer.low_water;
            let mut needed = Vec::new();
            for pair in consumer.runs.chunks(2) {
                let end = at.saturating_add(pair[0]);
                needed.push(at..end);
                at = end.saturating_add(pair.get(1).copied().unwrap_or_default());
            }
            let progress = consumer.progress.iter().map(|progress| (progress.position, progress.done().collect()));
            (consumer.name, Cursor { as_of, needed, settled: HashSet::new(), progress: progress.collect() })
        };
        self.cursors = roster.consumers.into_iter().map(cursor).collect();
    }

    /// Takes in what a consumer has settled, by a frame in front of a position.
    pub fn note_settled(&mut self, position: u64, settled: &Settled) {
        if let Some(name) = self.names.get(&settled.consumer)
            && let Some(cursor) = self.cursors.get_mut(name)
        {
            cursor.settled.extend(settled.read(position));
        }
    }

    /// Takes in what of a record a consumer is done with.
    pub fn note_progress(&mut self, progress: &Progress) {
        if let Some(name) = self.names.get(&progress.consumer)
            && let Some(cursor) = self.cursors.get_mut(name)
        {
            cursor.progress.entry(progress.position).or_default().extend(progress.done());
        }
    }

    /// What of a record a consumer is done with.
    pub fn progress(&self, name: &str, position: u64) -> &[Done] {
        let done = self.cursors.get(name).and_then(|cursor| cursor.progress.get(&position));
        done.map_or(&[], Vec::as_slice)
    }

    /// Whether a consumer was there before.
    pub fn knows(&self, name: &str) -> bool {
        self.cursors.contains_key(name)
    }

    /// Whether a consumer, who needed a record once, still does.
    pub fn still_needs(&self, name: &str, position: u64) -> bool {
        let Some(cursor) = self.cursors.get(name) else { return false };
        if cursor.settled.contains(&position) {
            return false;
        }
        if position >= cursor.as_of {
            return true;
        }
        let next = cursor.needed.partition_point(|run| run.end <= position);
        cursor.needed.get(next).is_some_and(|run| run.contains(&position))
    }
}

/// The roster as it stands now.
pub fn roster_of<N>(index: &Index<N>, rules: Vec<u8>) -> Roster {
    let next = index.state.next();
    let consumers = index.names.iter().map(|(number, name)| {
        let positions = index.state.range(0..next).filter(|(_, slot)| slot.needed_by().contains(*number));
        let (low_water, runs) = runs_of(positions.map(|(position, _)| position), next);
        let progress = index.state.all_progress(*number);
        let progress = progress.map(|(position, done)| Progress::new(*number, position, done)).collect();
        Consumer { number: *number as u32, name: name.clone(), low_water, runs, progress }
    });
    Roster { rules, consumers: consumers.collect(), names_only: false }
}

/// Names alone, for a file that holds only what is still needed.
pub fn names_of<N>(index: &Index<N>, rules: Vec<u8>) -> Roster {
    let consumers = index.names.iter().map(|(number, name)| Consumer {
        number: *number as u32,
        name: name.clone(),
        ..Consumer::default()
    });
    Roster { rules, consumers: consumers.collect(), names_only: true }
}

/// The first of rising positions, `next` where there is none, and their runs from there on.
fn runs_of(positions: impl Iterator<Item = u64>, next: u64) -> (u64, Vec<u64>) {
    let mut positions = positions.peekable();
    let low_water = positions.peek().copied().unwrap_or(next);
    let mut runs: Vec<u64> = Vec::new();
    let mut end = low_water;
    for position in positions {
        if position > end {
            runs.push(position - end);
        }
        // An odd number of runs ends in one that is needed.
        if runs.len().is_multiple_of(2) {
            runs.push(0);
        }
        if let Some(run) = runs.last_mut() {
            *run += 1;
        }
        end = position + 1;
    }
    (low_water, runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(positions: &[u64], low_water: u64, runs: &[u64]) {
        let found = runs_of(positions.iter().copied(), 50);
        assert_eq!(found, (low_water, runs.to_vec()));
        let mut register = Register::default();
        let runs = found.1;
        let consumer = Consumer { number: 2, name: "it".to_owned(), low_water, runs, progress: Vec::new() };
        register.note_roster(50, Roster { consumers: vec![consumer], ..Roster::default() });
        let needed: Vec<u64> = (0..50).filter(|position| register.still_needs("it", *position)).collect();
        assert_eq!(needed, positions);
    }

    #[test]
    fn runs_say_which_positions_are_needed() {
        check(&[42, 43, 47], 42, &[2, 3, 1]);
        check(&[0], 0, &[1]);
        check(&[], 50, &[]);
        check(&[1, 3, 5, 6, 49], 1, &[1, 1, 1, 1, 2, 42, 1]);
    }

    #[test]
    fn what_is_settled_later_is_needed_no_more_and_a_new_roster_stands_for_itself() {
        let roster = |names: &[&str]| Roster {
            consumers: names
                .iter()
                .enumerate()
                .map(|(number, name)| Consumer {
                    number: number as u32,
                    name: (*name).to_owned(),
                    low_water: 10,
                    runs: vec![2],
                    progress: Vec::new(),
                })
                .collect(),
            ..Roster::default()
        };
        let mut register = Register::default();
        register.note_roster(20, roster(&["a", "b"]));
        register.note_settled(30, &Settled::new(1, 30, &[11, 25]));
        let needed = |register: &Register, name| -> Vec<u64> {
            [10, 11, 12, 24, 25].into_iter().filter(|position| register.still_needs(name, *position)).collect()
        };
        assert_eq!(needed(&register, "a"), [10, 11, 24, 25]);
        assert_eq!(needed(&register, "b"), [10, 24]);
        register.note_roster(26, Roster { names_only: true, ..roster(&["b"]) });
        assert_eq!(needed(&register, "a").len(), 4, "a list of names says nothing about cursors");
        register.note_roster(26, roster(&["b"]));
        assert_eq!((needed(&register, "a").len(), needed(&register, "b")), (0, vec![10, 11]));
    }
}
