//! What was accepted and is not yet delivered everywhere: a log with a cursor for each consumer.
//!
//! A batch is appended once, whoever needs it. Each consumer reads at its own pace and settles in any order; a record goes
//! when all who need it have settled it. The promise: what `append` has confirmed is read by every consumer that needs it,
//! or handed back as lost and counted; the bytes never pass the bound; and a consumer that hangs or lags takes nothing
//! from the others: what it has in hand is limited to a share, and what makes way is its own first.
//!
//! ```text
//!   append ─▶ │ 7 ░░ │ 8 ▓▓ │ 9 ▓▓ │ 10 ▓▓ │ ...
//!               ▲ settled by all      ▲ cursor of consumer 0
//!                 but consumer 1  ▲ cursor of consumer 1
//! ```
//!
//! This is the contract of a log with consumer groups, so that another engine, on other machines, can stand in the same
//! place. The note `N` is what the writer knows of a record and a reader may want back; an engine that has let the record
//! out of memory gives none, and the reader works it out again.
//!
//! | file              | what lives there                                                           |
//! |-------------------|----------------------------------------------------------------------------|
//! | `state`, `idle`   | who needs which record, who makes way: the same for every engine, no files |
//! | [`memory`]        | the engine that keeps records in memory                                    |
//! | [`disk`]          | the engine that keeps them in files                                        |

pub mod disk;
mod idle;
pub mod memory;
mod state;

use std::future::Future;
use std::io;
use std::pin::Pin;

use thiserror::Error;

use crate::otlp::Batch;
use crate::stdx::bit_set::BitSet;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How many consumers an engine can have at a time: numbers below it.
pub const CONSUMERS_MAX: usize = crate::stdx::bit_set::NUMBERS_MAX;

/// Where a record stands: larger is later. Never used twice, not even after a restart on the same files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// Who needs a record, and how much of it: spans, log records or data points.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs(Box<[(u8, u32)]>);

/// A record as a consumer reads it.
#[derive(Debug, Clone)]
pub struct Entry<N> {
    pub position: Position,
    pub batch: Batch,
    pub note: Option<N>,
    /// What the record counts for with this consumer, as it was told when it was appended.
    pub weight: u32,
    /// What of it the consumer has noted to be done with.
    pub done: Vec<Done>,
}

/// A piece that a consumer has made of a record and is done with, while others of the same record are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Done {
    /// Its place among the pieces of the record, as the consumer counts them.
    pub ordinal: u32,
    /// Of its bytes: whether the piece that is made another time is the same.
    pub crc: u32,
    /// Spans, log records or data points.
    pub weight: u32,
}

/// What a consumer reads.
#[derive(Debug, Clone)]
pub struct Read<N> {
    pub entries: Vec<Entry<N>>,
    /// The weight of records whose bytes can no longer be read; they are settled already.
    pub damaged_weight: u32,
}

/// A record taken from a consumer that had not read it, to make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evicted {
    pub consumer: usize,
    pub position: Position,
    pub weight: u32,
}

/// What a consumer leaves behind that is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retired {
    pub records: usize,
    pub weight: u64,
}

/// Why a record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AppendError {
    #[error("journal is full: {used} of {bytes_max} bytes")]
    Full { used: usize, bytes_max: usize },
    #[error("record is larger than the journal: {bytes} of {bytes_max} bytes")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("journal cannot be written: {0}")]
    Unwritable(io::ErrorKind),
}

/// What to do with a new record when the bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Let records go that nobody has in hand, from those furthest behind first, the oldest first; refuse the new one only
    /// where that would not make room.
    #[default]
    DropOldest,
    /// Refuse the new one.
    Refuse,
}

/// How much a consumer has not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    pub records: usize,
    /// In memory, once read.
    pub bytes: usize,
}

/// How full the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub records: usize,
    /// What the records count for; `bytes_max` is the most that they may.
    pub bytes: usize,
    pub bytes_max: usize,
    /// Of all files; 0 for an engine without.
    pub file_bytes: u64,
    /// Stretches of files that could not be read, since the start.
    pub damaged_stretches: u64,
    /// Whether the last try to write failed.
    pub unwritable: Option<io::ErrorKind>,
}

/// An engine. Consumers are numbers below [`CONSUMERS_MAX`].
pub trait Journal<N>: Send + Sync {
    /// Takes a record for the consumers that need it; resolves when it is as safe as the engine promises. Gives what had
    /// to go for it, each record once for each consumer that loses it. Who is not admitted gets nothing.
    fn append(&self, batch: Batch, needs: Needs, note: N) -> BoxFuture<'static, Result<Vec<Evicted>, AppendError>>;

    /// Resolves when the consumer has something to read and its share has room for it. One waiter a consumer.
    ///
    /// A consumer whose share is in hand waits for its own settling even while its backlog is not empty.
    fn ready(&self, consumer: usize) -> BoxFuture<'_, ()>;

    /// What the consumer has not read, oldest first, at most `bytes_max` bytes and within its share of what may be read and
    /// not settled; but one record at least if there is one and the consumer has none in hand. Moves the cursor behind it.
    fn read(&self, consumer: usize, bytes_max: usize) -> BoxFuture<'_, Read<N>>;

    /// Notes that the consumer needs nothing more of a record it has read. Does nothing the second time.
    fn settle(&self, consumer: usize, position: Position);

    /// Notes what of a record that the consumer has in hand is done with before all of it is: it comes back with the record
    /// where that is read again.
    fn note(&self, consumer: usize, position: Position, done: &[Done]);

    /// Gives back what the consumer has read and not settled, to be read again.
    fn rewind(&self, consumer: usize);

    /// Lets a consumer in from the next record on. `name` is what it is known by after a restart.
    fn admit(&self, consumer: usize, name: &str);

    /// Lets go of a consumer and of all that is kept for it.
    fn retire(&self, consumer: usize) -> Retired;

    fn backlog(&self, consumer: usize) -> Backlog;

    fn usage(&self) -> Usage;

    /// The oldest record that somebody needs, or the next one to come.
    fn oldest(&self) -> Position;

    /// Where the next record will stand.
    fn next(&self) -> Position;

    /// Resolves when all that was noted is written as far as the engine promises; the last thing asked of it.
    fn close(&self) -> BoxFuture<'_, ()>;
}

impl Needs {
    /// From pairs of consumer and weight; no consumer twice.
    pub fn new(pairs: impl IntoIterator<Item = (usize, u32)>) -> Self {
        Needs(pairs.into_iter().map(|(consumer, weight)| (consumer as u8, weight)).collect())
    }

    pub fn consumers(&self) -> BitSet {
        self.iter().map(|(consumer, _)| consumer).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (usize, u32)> {
        self.0.iter().map(|(consumer, weight)| (usize::from(*consumer), *weight))
    }

    /// 0 for a consumer that does not need it.
    pub fn weight_of(&self, consumer: usize) -> u32 {
        self.iter().find(|(known, _)| *known == consumer).map_or(0, |(_, weight)| weight)
    }

    /// Without those that are not in the set.
    #[must_use]
    pub fn within(self, consumers: BitSet) -> Self {
        if self.iter().all(|(consumer, _)| consumers.contains(consumer)) {
            return self;
        }
        Needs::new(self.iter().filter(|(consumer, _)| consumers.contains(*consumer)))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
