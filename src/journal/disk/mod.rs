//! The engine that keeps records in files: what it has confirmed outlives the process, and the machine's end where asked.
//!
//! ```text
//!            append ─▶ queue ─▶ [writer thread: write · sync · publish] ─▶ answered
//!                                       │ one file at its end
//!  ░ 001.journal ░ ▒ 412.journal ▒ ▓ 733.journal ▓──▶
//!    all settled:    partly: read     the newest      consumers read from memory when they have caught up,
//!    written over    or rewritten     records         from the files when they lag
//! ```
//!
//! One thread writes, so that clients that come together share one sync. Each file begins with the roster of consumers and
//! their cursors, and what is settled later is written between the records; so the files alone say who needs what, and the
//! loss of a cursor can only repeat something, never lose it.
//!
//! Who needs a record is decided by the rules it was accepted under as long as the process lives. At a start, what still
//! waits for somebody is decided anew if the rules are others: whoever has had a record does not get it again, and nobody
//! gets what waits for no one.

mod browse;
mod compact;
mod file;
mod frame;
mod message;
mod recover;
mod roster;
mod scan;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::sync::oneshot;

use super::memory::Wakes;
use super::state::{Settled, State, Taken};
use super::{
    AppendError, Backlog, BoxFuture, Done, Entry, Evicted, Journal, Needs, Position, Read, Retired, Usage, WhenFull,
};
use crate::otlp::Batch;
use crate::stdx::bit_set::BitSet;
pub use browse::{Kept, browse};
use file::{Directory, Disk, Place, SystemDisk};
use message::Record;

/// A file is closed when it has grown to this: large enough for its header and roster to cost nothing, small enough that one
/// record does not hold much.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A record counts for at least this much, which bounds how many there are and what the index of them takes: about 200
/// bytes each.
const RECORD_BYTES_MIN: usize = 4096;

/// The least that a journal can do with: sixteen files of the least size.
pub const BYTES_MIN: u64 = 16 * 64 * 1024;

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct DiskConfig {
    pub directory: PathBuf,
    /// Of all files together.
    pub bytes_max: u64,
    /// Of records in memory, read or yet to be read.
    pub memory_bytes_max: usize,
    pub when_full: WhenFull,
    pub safety: Safety,
    /// How long records are kept that nobody needs.
    pub keep: Duration,
    /// What a consumer gets that was not there before.
    pub newcomers: Newcomers,
}

/// What a confirmed record survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// The end of the machine.
    Disk,
    /// The end of the process.
    Process,
}

/// Where a consumer begins that was not there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newcomers {
    /// With the next record.
    Now,
    /// With the oldest that still waits for somebody.
    Oldest,
}

/// What an engine asks of those who know the rules.
pub trait Rules: Send + Sync {
    /// Who needs a batch by the rules in force.
    fn needs(&self, batch: &Batch) -> Needs;

    /// What these consumers need of a record by the rules it was accepted under; `None` where that is all of it.
    fn cut(&self, position: Position, batch: &Batch, consumers: BitSet) -> Option<Batch>;

    /// Stands for the rules in force: equal only where they are.
    fn fingerprint(&self) -> Vec<u8>;
}

/// What was found at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    pub records: usize,
    pub file_bytes: u64,
    /// What waits for each consumer: spans, log records, data points.
    pub waiting: BTreeMap<usize, u64>,
    /// Consumers that are no more, and what waited for them.
    pub retired: Vec<(String, Retired)>,
    /// Stretches that could not be read, and where they were put.
    pub damaged: Vec<String>,
    /// Files that end in a write that was cut off.
    pub torn: usize,
    /// Whether the rules had changed.
    pub rerouted: bool,
}

/// Why an engine does not start.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(
        "cannot use the journal in {path}: {error}: `journal.directory` must name a folder that can be made and written"
    )]
    Io { path: String, error: io::Error },
    #[error("the journal in {path} is in use by another process")]
    Locked { path: String },
    #[error(
        "the journal in {path} is of version {version}, and this build reads {known}: run the build that wrote it, or name another directory",
        known = frame::VERSION
    )]
    LaterVersion { path: String, version: u32 },
}

/// A journal in files.
pub struct DiskJournal<N: Send + 'static> {
    shared: Arc<Shared<N>>,
    writer: Option<std::thread::JoinHandle<()>>,
}

/// What the writer thread and everybody else share.
struct Shared<N> {
    config: DiskConfig,
    directory: Directory,
    rules: Arc<dyn Rules>,
    index: Mutex<Index<N>>,
    wakes: Wakes,
    queue: Mutex<Queue<N>>,
    /// Rung when the queue is no longer empty.
    bell: Condvar,
    _lock: File,
}

/// Which records there are, and in which files.
struct Index<N> {
    state: State<N, Place>,
    /// By base.
    files: BTreeMap<u64, FileFacts>,
    /// The consumers' names, by number.
    names: BTreeMap<usize, String>,
    spare_bytes: u64,
    damaged_stretches: u64,
    unwritable: Option<io::ErrorKind>,
}

/// What is known of a file.
#[derive(Debug, Clone)]
struct FileFacts {
    /// What it takes on disk.
    bytes: u64,
    /// Records in it that somebody needs, and their frames.
    live: usize,
    live_bytes: u64,
    /// Frames of records of which only a part is still needed: what rewriting could save, about.
    cuttable_bytes: u64,
    /// When the newest record in it came.
    newest: SystemTime,
    /// Whether nothing is written to it any more.
    is_closed: bool,
    /// Whether it can be written over.
    is_full_sized: bool,
}

/// What the writer thread is to do.
struct Queue<N> {
    appends: Vec<Append<N>>,
    settled: Vec<(u8, u64)>,
    noted: Vec<(u8, u64, Vec<Done>)>,
    roster_changed: bool,
    closing: Option<oneshot::Sender<()>>,
    stop: bool,
}

/// A record on its way, and who waits for it.
struct Append<N> {
    batch: Batch,
    needs: Needs,
    note: N,
    answer: oneshot::Sender<Result<Vec<Evicted>, AppendError>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics between two writes that belong together, so a poisoned lock still guards a whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DiskConfig {
    /// When a file is closed.
    fn file_bytes(&self) -> u64 {
        FILE_BYTES.min(self.bytes_max / 16)
    }

    /// What records may count for. The rest of the bound is for the file that is written, the spare ones, and what is settled
    /// in files where something else is not.
    fn live_bytes_max(&self) -> usize {
        (self.bytes_max - self.bytes_max / 4) as usize
    }

    fn share_bytes(&self, consumers: usize) -> usize {
        self.memory_bytes_max / 2 / consumers.max(1)
    }
}

impl FileFacts {
    fn new(bytes: u64) -> Self {
        FileFacts {
            bytes,
            live: 0,
            live_bytes: 0,
            cuttable_bytes: 0,
            newest: SystemTime::UNIX_EPOCH,
            is_closed: false,
            is_full_sized: false,
        }
    }

    /// Notes that nothing more is written to it; `file_bytes` is when a file is closed.
    fn close(&mut self, file_bytes: u64) {
        self.is_closed = true;
        self.is_full_sized = (file_bytes - file_bytes / 8..=file_bytes).contains(&self.bytes);
    }

    /// What rewriting it would save, without cutting records.
    fn dead_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.live_bytes)
    }
}

/// What a frame counts for against the bound.
fn counted_bytes(place: Place) -> usize {
    (frame::HEADER_BYTES + place.length as usize).max(RECORD_BYTES_MIN)
}

impl<N: Clone + Send + Sync + 'static> DiskJournal<N> {
    /// Opens a directory, or makes it, and reads what is in it. Consumers are given by number and name.
    pub fn open(
        config: DiskConfig,
        consumers: &[(usize, &str)],
        rules: Arc<dyn Rules>,
    ) -> Result<(Self, Recovered), OpenError> {
        Self::open_on(Arc::new(SystemDisk), config, consumers, rules)
    }

    fn open_on(
        disk: Arc<dyn Disk>,
        config: DiskConfig,
        consumers: &[(usize, &str)],
        rules: Arc<dyn Rules>,
    ) -> Result<(Self, Recovered), OpenError> {
        let path = config.directory.display().to_string();
        let io = |error| OpenError::Io { path: path.clone(), error };
        let directory = Directory::new(config.directory.clone(), disk, config.safety == Safety::Disk).map_err(io)?;
        let lock = directory.lock().map_err(io)?.ok_or_else(|| OpenError::Locked { path: path.clone() })?;
        let (index, recovered) = recover::recover(&config, &directory, consumers, &*rules)?;
        let shared = Arc::new(Shared {
            config,
            directory,
            rules,
            index: Mutex::new(index),
            wakes: Wakes::new(),
            queue: Mutex::new(Queue {
                appends: Vec::new(),
                settled: Vec::new(),
                noted: Vec::new(),
                roster_changed: true,
                closing: None,
                stop: false,
            }),
            bell: Condvar::new(),
            _lock: lock,
        });
        // A directory that cannot be written is told at the start, not to the first client.
        let writer = writer::Writer::start(Arc::clone(&shared)).map_err(io)?;
        Ok((DiskJournal { shared, writer: Some(writer) }, recovered))
    }
}

impl<N> Shared<N> {
    fn index(&self) -> MutexGuard<'_, Index<N>> {
        lock(&self.index)
    }

    /// Leaves something to the writer thread; wakes it where it may be asleep.
    fn enqueue(&self, put: impl FnOnce(&mut Queue<N>)) {
        let mut queue = lock(&self.queue);
        let was_empty = queue.is_empty();
        put(&mut queue);
        drop(queue);
        if was_empty {
            self.bell.notify_one();
        }
    }
}

impl<N> Queue<N> {
    fn is_empty(&self) -> bool {
        self.appends.is_empty()
            && self.settled.is_empty()
            && self.noted.is_empty()
            && !self.roster_changed
            && self.closing.is_none()
            && !self.stop
    }
}

impl<N> Index<N> {
    /// Notes that a record in a file is needed by nobody any more.
    fn note_gone(&mut self, place: Place) {
        if let Some(file) = self.files.get_mut(&place.file) {
            file.live -= 1;
            file.live_bytes -= u64::from(place.length);
        }
    }

    /// Notes that some of those who needed a record do so no more.
    fn note_cuttable(&mut self, position: u64, place: Place) {
        let Some(slot) = self.state.get(position) else { return };
        let left: u64 = slot.needed_by().iter().map(|consumer| u64::from(slot.needs.weight_of(consumer))).sum();
        // More than a quarter of it must be of no use to be worth a look.
        if left * 4 < u64::from(slot.cost.weight) * 3
            && let Some(file) = self.files.get_mut(&place.file)
        {
            file.cuttable_bytes += u64::from(place.length);
        }
    }

    fn file_bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum::<u64>() + self.spare_bytes
    }
}

impl<N: Clone + Send + Sync + 'static> Shared<N> {
    /// What was taken from the index, read from the files where it is not held. Blocks.
    fn load(&self, consumer: usize, taken: Vec<Taken<N, Place>>) -> Read<N> {
        let (mut entries, mut damaged_weight, mut reader) = (Vec::new(), 0, None);
        for Taken { position, weight, done, held, place } in taken {
            let (batch, note) = match held {
                Some((batch, note)) => (Some(batch), Some(note)),
                None => (self.load_batch(position, place, &mut reader), None),
            };
            match batch {
                Some(batch) => entries.push(Entry { position: Position(position), batch, note, weight, done }),
                None => {
                    let weight = weight.saturating_sub(done.iter().map(|done| done.weight).sum());
                    tracing::error!(position, file = place.file, offset = place.offset, "a record cannot be read");
                    self.index().damaged_stretches += 1;
                    self.settle(consumer, position);
                    damaged_weight += weight;
                }
            }
        }
        Read { entries, damaged_weight }
    }

    fn load_batch(&self, position: u64, place: Place, reader: &mut Option<(u64, file::Reader)>) -> Option<Batch> {
        if let Some(batch) = self.read_batch(position, place, reader) {
            return Some(batch);
        }
        // The file may have been rewritten since the record was taken: it says itself where the record is now.
        *reader = None;
        let now = self.index().state.get(position)?.place;
        self.read_batch(position, now, reader)
    }

    fn read_batch(&self, position: u64, place: Place, reader: &mut Option<(u64, file::Reader)>) -> Option<Batch> {
        use prost::Message;
        if reader.as_ref().is_none_or(|(base, _)| *base != place.file) {
            *reader = Some((place.file, self.directory.open(place.file).ok()?));
        }
        let (_, open) = reader.as_ref()?;
        let payload = open.payload(position, place).ok()??;
        Record::decode(payload).ok()?.into_batch()
    }

    fn settle(&self, consumer: usize, position: u64) {
        let mut index = self.index();
        // Bound to a name, so that the bytes are freed after the lock.
        let settled = index.state.settle(consumer, position);
        match &settled {
            Settled::Nothing => return,
            Settled::Still(place) => index.note_cuttable(position, *place),
            Settled::Gone(place, _) => index.note_gone(*place),
        }
        drop(index);
        self.enqueue(|queue| queue.settled.push((consumer as u8, position)));
        self.wakes.ring_one(consumer);
    }
}

impl<N: Clone + Send + Sync + 'static> Journal<N> for DiskJournal<N> {
    fn append(&self, batch: Batch, needs: Needs, note: N) -> BoxFuture<'static, Result<Vec<Evicted>, AppendError>> {
        let (answer, answered) = oneshot::channel();
        self.shared.enqueue(|queue| queue.appends.push(Append { batch, needs, note, answer }));
        // Without an answer the writer is gone, and nothing is safe with it any more.
        Box::pin(async { answered.await.unwrap_or(Err(AppendError::Unwritable(io::ErrorKind::BrokenPipe))) })
    }

    fn ready(&self, consumer: usize) -> BoxFuture<'_, ()> {
        Box::pin(self.shared.wakes.wait(consumer, move || self.shared.index().state.may_read(consumer)))
    }

    fn read(&self, consumer: usize, bytes_max: usize) -> BoxFuture<'_, Read<N>> {
        let mut index = self.shared.index();
        let taken = index.state.read(consumer, bytes_max);
        for taken in &taken {
            index.state.release_read(taken.position);
        }
        drop(index);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            if taken.iter().all(|taken| taken.held.is_some()) {
                return shared.load(consumer, taken);
            }
            let load = tokio::task::spawn_blocking(move || shared.load(consumer, taken));
            // What a panic takes with it stays in hand, and is there again after a restart.
            load.await.unwrap_or(Read { entries: Vec::new(), damaged_weight: 0 })
        })
    }

    fn settle(&self, consumer: usize, Position(position): Position) {
        self.shared.settle(consumer, position);
    }

    fn note(&self, consumer: usize, Position(position): Position, done: &[Done]) {
        if self.shared.index().state.note(consumer, position, done) {
            self.shared.enqueue(|queue| queue.noted.push((consumer as u8, position, done.to_vec())));
        }
    }

    fn rewind(&self, consumer: usize) {
        self.shared.index().state.rewind(consumer);
        self.shared.wakes.ring_one(consumer);
    }

    fn admit(&self, consumer: usize, name: &str) {
        let mut index = self.shared.index();
        index.state.admit(consumer);
        index.names.insert(consumer, name.to_owned());
        let share = self.shared.config.share_bytes(index.names.len());
        index.state.set_share_bytes(share);
        drop(index);
        self.shared.enqueue(|queue| queue.roster_changed = true);
    }

    fn retire(&self, consumer: usize) -> Retired {
        let mut index = self.shared.index();
        let (retired, gone) = index.state.retire(consumer);
        for place in gone {
            index.note_gone(place);
        }
        index.names.remove(&consumer);
        let share = self.shared.config.share_bytes(index.names.len());
        index.state.set_share_bytes(share);
        drop(index);
        self.shared.enqueue(|queue| queue.roster_changed = true);
        retired
    }

    fn backlog(&self, consumer: usize) -> Backlog {
        self.shared.index().state.backlog(consumer)
    }

    fn usage(&self) -> Usage {
        let index = self.shared.index();
        Usage {
            records: index.state.records(),
            bytes: index.state.bytes(),
            bytes_max: self.shared.config.live_bytes_max(),
            file_bytes: index.file_bytes(),
            damaged_stretches: index.damaged_stretches,
            unwritable: index.unwritable,
        }
    }

    fn oldest(&self) -> Position {
        Position(self.shared.index().state.oldest())
    }

    fn next(&self) -> Position {
        Position(self.shared.index().state.next())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let (done, closed) = oneshot::channel();
        self.shared.enqueue(|queue| queue.closing = Some(done));
        Box::pin(async {
            // An error says that the writer is gone already.
            let _ = closed.await;
        })
    }
}

impl<N: Send> Drop for DiskJournal<N> {
    fn drop(&mut self) {
        self.shared.enqueue(|queue| queue.stop = true);
        if let Some(writer) = self.writer.take() {
            // A panic of the thread was told when it happened.
            let _ = writer.join();
        }
    }
}
