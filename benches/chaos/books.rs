//! [`Books`]: what one vendor's stand-in saw and said.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use crate::key::Key;

/// A span that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Of the gateway's process that sent it, from its connection.
    pub life: u32,
    /// When the answer was on its way; none if it was withheld.
    pub answered_at: Option<Instant>,
}

#[derive(Default, Debug)]
pub struct Books {
    pub deliveries: HashMap<Key, Vec<Delivery>>,
    /// The spans refused for good, with the process that was told so each time.
    pub refusals: HashMap<Key, Vec<u32>>,
    pub requests: u64,
    /// How often each kind of answer was given.
    pub answers: BTreeMap<&'static str, u64>,
    /// What no gateway must send.
    pub violations: Vec<String>,
}

/// Where deliveries of one request stand in the books, to note when they were answered.
pub struct Taken(Vec<(Key, usize)>);

impl Books {
    /// Notes spans as taken; their answer is yet to come.
    pub fn take(&mut self, life: u32, keys: &[Key]) -> Taken {
        let mut note = |key: &Key| {
            let known = self.deliveries.entry(*key).or_default();
            known.push(Delivery { life, answered_at: None });
            (*key, known.len() - 1)
        };
        Taken(keys.iter().map(&mut note).collect())
    }

    pub fn answered(&mut self, taken: &Taken, at: Instant) {
        for (key, index) in &taken.0 {
            if let Some(delivery) = self.deliveries.get_mut(key).and_then(|known| known.get_mut(*index)) {
                delivery.answered_at = Some(at);
            }
        }
    }

    pub fn refuse(&mut self, life: u32, keys: &[Key]) {
        for key in keys {
            self.refusals.entry(*key).or_default().push(life);
        }
    }
}
