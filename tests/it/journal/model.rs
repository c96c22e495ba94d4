//! Random use of the engine in memory beside a model that is too simple to be wrong: a list, walked whole each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::collection::vec;
use proptest::prelude::*;
use telemetry_gateway::journal::memory::MemoryJournal;
use telemetry_gateway::journal::{AppendError, Backlog, BoxFuture, Evicted, Journal, Needs, Position, WhenFull};
use telemetry_gateway::otlp::Batch;
use telemetry_gateway::stdx::bit_set::BitSet;

const CONSUMERS: usize = 3;
const BYTES_MAX: usize = 12_000;
const SHARE_BYTES: usize = BYTES_MAX / 2 / CONSUMERS;

#[derive(Debug, Clone)]
enum Step {
    Append {
        needed_by: BitSet,
        body_bytes: usize,
        items: u32,
    },
    Read {
        consumer: usize,
        bytes_max: usize,
    },
    /// Settles one of those in hand, by its place among them.
    Settle {
        consumer: usize,
        place: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let set = (1usize..1 << CONSUMERS)
        .prop_map(|bits| (0..CONSUMERS).filter(|consumer| bits >> consumer & 1 == 1).collect::<BitSet>());
    let body_bytes = prop_oneof![8 => 0usize..800, 2 => 0usize..4000, 1 => 9000usize..13_000];
    prop_oneof![
        4 => (set, body_bytes, 0u32..40).prop_map(|(needed_by, body_bytes, items)| Step::Append { needed_by, body_bytes, items }),
        3 => (0..CONSUMERS, prop_oneof![0usize..4000, Just(usize::MAX)])
            .prop_map(|(consumer, bytes_max)| Step::Read { consumer, bytes_max }),
        3 => (0..CONSUMERS, 0usize..8).prop_map(|(consumer, place)| Step::Settle { consumer, place }),
    ]
}

#[derive(Debug)]
struct Record {
    name: u32,
    position: Position,
    bytes: usize,
    unread_by: Vec<usize>,
    in_hand_of: Vec<usize>,
}

/// Records in the order they came; those nobody needs are gone.
#[derive(Debug, Default)]
struct Model {
    records: Vec<Record>,
    /// What each consumer has in hand, in the order it was read.
    in_hand: [Vec<(u32, Position)>; CONSUMERS],
}

impl Model {
    fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.bytes).sum()
    }

    fn unread(&self, consumer: usize) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.unread_by.contains(&consumer))
    }

    fn backlog(&self, consumer: usize) -> Backlog {
        Backlog {
            records: self.unread(consumer).count(),
            bytes: self.unread(consumer).map(|record| record.bytes).sum(),
        }
    }

    fn in_hand_bytes(&self, consumer: usize) -> usize {
        let in_hand = self.records.iter().filter(|record| record.in_hand_of.contains(&consumer));
        in_hand.map(|record| record.bytes).sum()
    }

    fn idle(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.in_hand_of.is_empty())
    }

    fn readable(&self, consumer: usize, bytes_max: usize) -> Vec<u32> {
        let (mut names, mut bytes, in_hand) = (Vec::new(), 0, self.in_hand_bytes(consumer));
        for record in self.unread(consumer) {
            bytes += record.bytes;
            let within = in_hand + bytes <= SHARE_BYTES || in_hand + bytes == record.bytes;
            if !within || (bytes > bytes_max && !names.is_empty()) {
                break;
            }
            names.push(record.name);
        }
        names
    }

    /// Takes out one record that the engine let go, once it is shown that this one had to and for whom.
    fn evict(&mut self, losers: &[Evicted], room_for: usize) {
        let at = self.records.iter().position(|record| record.position == losers[0].position).expect("it was there");
        let name = self.records[at].name;
        assert!(self.bytes() + room_for > BYTES_MAX, "{name} went though there was room");
        let gone = &self.records[at];
        assert_eq!(gone.in_hand_of, [0usize; 0], "{name} was in hand");
        assert_eq!(losers.iter().map(|evicted| evicted.consumer).collect::<Vec<_>>(), gone.unread_by);
        let behind = |consumer: &usize| self.backlog(*consumer).bytes;
        let least_behind = gone.unread_by.iter().map(behind).min().unwrap();
        for other in self.idle().filter(|other| other.name != name) {
            let spared = other.unread_by.iter().map(behind).min().unwrap();
            assert!(
                spared < least_behind || spared == least_behind && other.name > name,
                "{name} of {:?} went, but {other:?} is only for those further behind, or older",
                gone.unread_by,
            );
        }
        self.records.remove(at);
    }
}

/// The result of a future that does not wait.
fn now<T>(mut future: BoxFuture<'_, T>) -> T {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits"),
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A consumer's loop as it stands in `ready`.
struct Waiter<'a> {
    ready: BoxFuture<'a, ()>,
    woken: Arc<Flag>,
}

impl<'a> Waiter<'a> {
    fn new(journal: &'a MemoryJournal<u32>, consumer: usize) -> Self {
        // The first look does not need a wake.
        Waiter { ready: journal.ready(consumer), woken: Arc::new(Flag(AtomicBool::new(true))) }
    }

    /// Whether it has come through, as a runtime would find: it is looked at only if it was woken.
    fn is_through(&mut self) -> bool {
        self.woken.0.swap(false, Ordering::Relaxed) && {
            let waker = Waker::from(Arc::clone(&self.woken));
            self.ready.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        }
    }
}

/// The engine and the model, side by side.
struct Pair<'a> {
    journal: &'a MemoryJournal<u32>,
    when_full: WhenFull,
    model: Model,
    waiters: [Waiter<'a>; CONSUMERS],
    names: u32,
    /// Where the next record will stand.
    next: u64,
}

impl<'a> Pair<'a> {
    fn new(journal: &'a MemoryJournal<u32>, when_full: WhenFull) -> Self {
        let waiters = std::array::from_fn(|consumer| Waiter::new(journal, consumer));
        Pair { journal, when_full, model: Model::default(), waiters, names: 0, next: 0 }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append { needed_by, body_bytes, items } => self.append(needed_by, body_bytes, items),
            Step::Read { consumer, bytes_max } => self.read(consumer, bytes_max),
            Step::Settle { consumer, place } => self.settle(consumer, place),
        }
        self.compare();
    }

    fn append(&mut self, needed_by: BitSet, body_bytes: usize, items: u32) {
        let (name, bytes) = (self.names, body_bytes + 512 + 8 * items as usize);
        self.names += 1;
        let batch = Batch { items, ..super::record(0, body_bytes) };
        let idle_bytes: usize = self.model.idle().map(|record| record.bytes).sum();
        let used = self.model.bytes();
        let missing = (used + bytes).saturating_sub(BYTES_MAX);
        match now(self.journal.append(batch, Needs::new(needed_by.iter().map(|consumer| (consumer, 1))), name)) {
            Ok(evicted) => {
                assert!(missing == 0 || self.when_full == WhenFull::DropOldest);
                for losers in evicted.chunk_by(|one, other| one.position == other.position) {
                    self.model.evict(losers, bytes);
                }
                let unread_by = needed_by.iter().collect();
                let position = Position(self.next);
                self.next += 1;
                self.model.records.push(Record { name, position, bytes, unread_by, in_hand_of: Vec::new() });
            }
            Err(AppendError::TooLarge { bytes: counted, .. }) => assert!(counted == bytes && bytes > BYTES_MAX),
            Err(AppendError::Unwritable(kind)) => panic!("memory cannot be written: {kind}"),
            Err(AppendError::Full { used: told, .. }) => {
                assert_eq!(told, used);
                assert!(bytes <= BYTES_MAX && missing > 0);
                assert!(self.when_full == WhenFull::Refuse || idle_bytes < missing, "something could make way");
            }
        }
    }

    fn read(&mut self, consumer: usize, bytes_max: usize) {
        let expected = self.model.readable(consumer, bytes_max);
        let entries = now(self.journal.read(consumer, bytes_max)).entries;
        let read: Vec<u32> = entries.iter().map(|entry| entry.note.unwrap()).collect();
        assert_eq!(read, expected);
        let was = self.model.in_hand[consumer].last().map(|(_, position)| *position);
        assert!(entries.iter().map(|entry| Some(entry.position)).is_sorted(), "{entries:?}");
        assert!(was.is_none_or(|was| entries.iter().all(|entry| entry.position > was)), "{entries:?}");
        for entry in entries {
            let name = entry.note.unwrap();
            self.model.in_hand[consumer].push((name, entry.position));
            let record = self.model.records.iter_mut().find(|record| record.name == name).unwrap();
            record.unread_by.retain(|other| *other != consumer);
            record.in_hand_of.push(consumer);
        }
    }

    fn settle(&mut self, consumer: usize, place: usize) {
        let in_hand = &mut self.model.in_hand[consumer];
        if in_hand.is_empty() {
            return;
        }
        let (name, position) = in_hand.remove(place % in_hand.len());
        self.journal.settle(consumer, position);
        let record = self.model.records.iter_mut().find(|record| record.name == name).unwrap();
        record.in_hand_of.retain(|other| *other != consumer);
        self.model.records.retain(|record| !record.unread_by.is_empty() || !record.in_hand_of.is_empty());
        // What is settled, or not read, is not settled by saying so again.
        for other in 0..CONSUMERS {
            if !self.model.in_hand[other].contains(&(name, position)) {
                self.journal.settle(other, position);
            }
        }
    }

    /// What can be seen of both is the same, and whoever may read has been told.
    fn compare(&mut self) {
        let usage = self.journal.usage();
        assert_eq!((usage.records, usage.bytes), (self.model.records.len(), self.model.bytes()));
        assert!(usage.bytes <= BYTES_MAX);
        for consumer in 0..CONSUMERS {
            assert_eq!(self.journal.backlog(consumer), self.model.backlog(consumer));
            let in_hand = self.model.in_hand_bytes(consumer);
            assert!(in_hand <= SHARE_BYTES || self.model.in_hand[consumer].len() == 1, "{in_hand} bytes in hand");
            let may_read = !self.model.readable(consumer, usize::MAX).is_empty();
            let waiter = &mut self.waiters[consumer];
            assert_eq!(waiter.is_through(), may_read, "consumer {consumer}");
            if may_read {
                *waiter = Waiter::new(self.journal, consumer);
            }
        }
    }

    /// Reads and settles what is left: every consumer comes to its end, and nothing stays.
    fn drain(&mut self) {
        for consumer in 0..CONSUMERS {
            while self.model.backlog(consumer).records > 0 || !self.model.in_hand[consumer].is_empty() {
                self.step(&Step::Settle { consumer, place: 0 });
                self.step(&Step::Read { consumer, bytes_max: usize::MAX });
            }
        }
        assert_eq!(self.journal.usage().records, 0);
    }
}

proptest! {
    #[test]
    fn the_engine_does_what_the_model_does(steps in vec(step(), 0..150), refuse in prop::bool::weighted(0.2)) {
        let when_full = if refuse { WhenFull::Refuse } else { WhenFull::DropOldest };
        let journal = MemoryJournal::new(CONSUMERS, BYTES_MAX, when_full);
        let mut pair = Pair::new(&journal, when_full);
        for step in &steps {
            pair.step(step);
        }
        pair.drain();
    }
}
