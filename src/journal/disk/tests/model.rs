//! Random use beside a model that is too simple to be wrong, with ends and starts in between.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append {
        needed_by: u8,
        bytes: usize,
    },
    Read {
        consumer: usize,
    },
    Settle {
        consumer: usize,
        place: usize,
    },
    Rewind {
        consumer: usize,
    },
    /// An orderly end.
    Restart,
    /// The files as they are at this moment, opened again.
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1u8..8, prop_oneof![6 => 5usize..3000, 1 => 60_000usize..120_000])
            .prop_map(|(needed_by, bytes)| Step::Append { needed_by, bytes }),
        4 => (0usize..3).prop_map(|consumer| Step::Read { consumer }),
        6 => (0usize..3, 0usize..16).prop_map(|(consumer, place)| Step::Settle { consumer, place }),
        1 => (0usize..3).prop_map(|consumer| Step::Rewind { consumer }),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ]
}

/// Who needs which record, and what each has in hand.
#[derive(Debug, Default)]
struct Model {
    needed: [BTreeSet<u32>; 3],
    in_hand: [Vec<(u32, Position)>; 3],
    next: u32,
}

struct Pair {
    folder: tempfile::TempDir,
    journal: Option<DiskJournal<u32>>,
    model: Model,
}

impl Pair {
    fn config(&self) -> DiskConfig {
        // Small files, and little memory: most of what is read comes from files, some of them rewritten.
        DiskConfig { bytes_max: 16 << 20, memory_bytes_max: 1 << 20, ..config(self.folder.path()) }
    }

    fn journal(&self) -> &DiskJournal<u32> {
        self.journal.as_ref().expect("it is open between two steps")
    }

    async fn step(&mut self, step: &Step) {
        match *step {
            Step::Append { needed_by, bytes } => {
                let consumers: Vec<usize> = (0..3).filter(|consumer| needed_by >> consumer & 1 == 1).collect();
                let name = self.model.next;
                assert_eq!(append(self.journal(), name, &consumers, bytes).await, Ok(vec![]));
                self.model.next += 1;
                for consumer in consumers {
                    self.model.needed[consumer].insert(name);
                }
            }
            Step::Read { consumer } => self.read(consumer).await,
            Step::Settle { consumer, place } => {
                let in_hand = &mut self.model.in_hand[consumer];
                if !in_hand.is_empty() {
                    let (name, position) = in_hand.remove(place % in_hand.len());
                    self.model.needed[consumer].remove(&name);
                    self.journal().settle(consumer, position);
                }
            }
            Step::Rewind { consumer } => {
                self.journal().rewind(consumer);
                self.model.in_hand[consumer].clear();
            }
            Step::Restart => {
                self.journal = None;
                let (journal, recovered) = open_as(self.config(), &NAMES, 0);
                for (consumer, needed) in self.model.needed.iter().enumerate() {
                    assert_eq!(recovered.waiting[&consumer], needed.len() as u64);
                }
                assert_eq!(recovered.damaged, [] as [String; 0]);
                self.journal = Some(journal);
                self.model.in_hand = Default::default();
            }
            Step::Kill => {
                let copied = copy(self.folder.path());
                let (journal, recovered) = open(copied.path());
                assert_eq!(recovered.damaged, [] as [String; 0]);
                for (consumer, needed) in self.model.needed.iter().enumerate() {
                    let mut found = Vec::new();
                    while journal.backlog(consumer).records > 0 {
                        for (name, position) in read(&journal, consumer).await {
                            found.push(name);
                            journal.settle(consumer, position);
                        }
                    }
                    // Nothing that waits is missing; what was settled a moment ago may come again.
                    assert!(needed.iter().all(|name| found.contains(name)), "{found:?} {needed:?}");
                    assert!(found.is_sorted() && found.iter().all(|name| *name < self.model.next));
                }
            }
        }
        for (consumer, needed) in self.model.needed.iter().enumerate() {
            let unread = needed.len() - self.model.in_hand[consumer].len();
            assert_eq!(self.journal().backlog(consumer).records, unread);
        }
    }

    async fn read(&mut self, consumer: usize) {
        let read = self.journal().read(consumer, 200_000).await;
        assert_eq!(read.damaged_weight, 0);
        let in_hand = &mut self.model.in_hand[consumer];
        let mut expected =
            self.model.needed[consumer].iter().filter(|name| in_hand.iter().all(|(held, _)| held != *name));
        let found: Vec<(u32, Position)> =
            read.entries.iter().map(|entry| (name_of(&entry.batch), entry.position)).collect();
        for (name, _) in &found {
            assert_eq!(expected.next(), Some(name));
        }
        in_hand.extend(found);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_engine_does_what_the_model_does(steps in vec(step(), 0..120)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut pair = Pair { folder, journal: None, model: Model::default() };
            pair.journal = Some(open_as(pair.config(), &NAMES, 0).0);
            for step in &steps {
                pair.step(step).await;
            }
        });
    }
}
