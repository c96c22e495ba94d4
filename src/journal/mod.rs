//! What was accepted and is not yet delivered everywhere: a log with a cursor for each consumer.
//!
//! A batch is appended once, whoever needs it. Each consumer reads at its own pace and settles in any order; a record goes
//! when all who need it have settled it. The promise: what `append` has confirmed is read by every consumer that needs it,
//! or handed back as evicted and counted; the bytes never pass the bound; and a consumer that hangs or lags takes nothing
//! from the others: what it has in hand is limited to a share, and what makes way is its own first.
//!
//! ```text
//!   append ─▶ │ 7 ░░ │ 8 ▓▓ │ 9 ▓▓ │ 10 ▓▓ │ ...
//!               ▲ settled by all      ▲ cursor of consumer 0
//!                 but consumer 1  ▲ cursor of consumer 1
//! ```
//!
//! This is the contract of a log with consumer groups, so that another engine, on disk or on other machines, can stand
//! in the same place. The note `N` is what the writer knows of a record and a reader may want back; an engine that has
//! let the record out of memory gives none, and the reader works it out again.

mod memory;

use std::future::Future;
use std::pin::Pin;

use thiserror::Error;

pub use memory::MemoryJournal;

use crate::otlp::Batch;
use crate::stdx::bit_set::BitSet;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a record stands: larger is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// A record as a consumer reads it.
#[derive(Debug, Clone)]
pub struct Entry<N> {
    pub position: Position,
    pub batch: Batch,
    pub note: Option<N>,
}

/// A record taken from a consumer that had not read it, to make room.
#[derive(Debug)]
pub struct Evicted<N> {
    pub consumer: usize,
    pub entry: Entry<N>,
}

/// Why a record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AppendError {
    #[error("journal is full: {used} of {bytes_max} bytes")]
    Full { used: usize, bytes_max: usize },
    #[error("record is larger than the journal: {bytes} of {bytes_max} bytes")]
    TooLarge { bytes: usize, bytes_max: usize },
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
    pub bytes: usize,
}

/// How full the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub records: usize,
    pub bytes: usize,
    pub bytes_max: usize,
}

/// An engine. Consumers are numbers from 0; the engine is told how many when it is made.
pub trait Journal<N>: Send + Sync {
    /// Takes a record for the consumers that need it; resolves when it is as safe as the engine promises. Gives what had
    /// to go for it, each record once for each consumer that loses it.
    fn append(&self, batch: Batch, needed_by: BitSet, note: N) -> BoxFuture<'_, Result<Vec<Evicted<N>>, AppendError>>;

    /// Resolves when the consumer has something to read and its share has room for it. One waiter a consumer.
    ///
    /// A consumer whose share is in hand waits for its own settling even while its backlog is not empty.
    fn ready(&self, consumer: usize) -> BoxFuture<'_, ()>;

    /// What the consumer has not read, oldest first, at most `bytes_max` bytes and within its share of what may be read and
    /// not settled; but one record at least if there is one and the consumer has none in hand. Moves the cursor behind it.
    fn read(&self, consumer: usize, bytes_max: usize) -> BoxFuture<'_, Vec<Entry<N>>>;

    /// Notes that the consumer needs nothing more of a record it has read. Does nothing the second time.
    fn settle(&self, consumer: usize, position: Position);

    fn backlog(&self, consumer: usize) -> Backlog;

    fn usage(&self) -> Usage;
}
