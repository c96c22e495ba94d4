//! The engine on disk: what it confirms is there after every kind of end.

mod bounds;
mod damage;
mod faults;
mod model;
mod restart;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;

use super::{DiskConfig, DiskJournal, Newcomers, OpenError, Recovered, Rules, Safety};
use crate::journal::{AppendError, Done, Evicted, Journal, Needs, Position, WhenFull};
use crate::otlp::{Batch, Signal};
use crate::stdx::bit_set::BitSet;

/// Rules by the first bytes of a body: who needs it. A body of one consumer's alone is cut to its half.
#[derive(Debug)]
struct ByBody {
    fingerprint: u8,
    /// What the rules add to who is named in a body.
    adds: Vec<usize>,
}

impl Rules for ByBody {
    fn needs(&self, batch: &Batch) -> Needs {
        let named = (0..3).filter(|consumer| batch.body[0] >> consumer & 1 == 1);
        Needs::new(named.chain(self.adds.iter().copied()).map(|consumer| (consumer, 1)))
    }

    fn cut(&self, _position: Position, batch: &Batch, consumers: BitSet) -> Option<Batch> {
        (consumers.iter().count() == 1 && batch.body.len() > 64).then(|| Batch {
            body: batch.body.slice(..64),
            original: None,
            ..batch.clone()
        })
    }

    fn fingerprint(&self) -> Vec<u8> {
        vec![self.fingerprint]
    }
}

fn rules(fingerprint: u8, adds: &[usize]) -> Arc<dyn Rules> {
    Arc::new(ByBody { fingerprint, adds: adds.to_vec() })
}

fn config(directory: &Path) -> DiskConfig {
    DiskConfig {
        directory: directory.to_owned(),
        bytes_max: 64 << 20,
        memory_bytes_max: 4 << 20,
        when_full: WhenFull::DropOldest,
        safety: Safety::Process,
        keep: Duration::ZERO,
        newcomers: Newcomers::Now,
    }
}

const NAMES: [(usize, &str); 3] = [(0, "a"), (1, "b"), (2, "c")];

fn open(directory: &Path) -> (DiskJournal<u32>, Recovered) {
    open_as(config(directory), &NAMES, 0)
}

fn open_as(config: DiskConfig, consumers: &[(usize, &str)], fingerprint: u8) -> (DiskJournal<u32>, Recovered) {
    DiskJournal::open(config, consumers, rules(fingerprint, &[])).unwrap()
}

/// A batch whose first byte says who needs it, followed by its name.
fn batch(name: u32, needed_by: &[usize], bytes: usize) -> Batch {
    let mut body = vec![needed_by.iter().fold(0u8, |bits, consumer| bits | 1 << consumer)];
    body.extend_from_slice(&name.to_le_bytes());
    body.resize(bytes.max(body.len()), name as u8);
    let body = Bytes::from(body);
    Batch { signal: Signal::Traces, body, original: None, items: 1, weight: 1, received_at: UNIX_EPOCH }
}

fn name_of(batch: &Batch) -> u32 {
    u32::from_le_bytes(*batch.body[1..].first_chunk().unwrap())
}

async fn append(
    journal: &DiskJournal<u32>,
    name: u32,
    needed_by: &[usize],
    bytes: usize,
) -> Result<Vec<Evicted>, AppendError> {
    let needs = Needs::new(needed_by.iter().map(|consumer| (*consumer, 1)));
    journal.append(batch(name, needed_by, bytes), needs, name).await
}

/// The names of what a consumer has not read, in order, with their positions.
async fn read(journal: &DiskJournal<u32>, consumer: usize) -> Vec<(u32, Position)> {
    let mut all = Vec::new();
    loop {
        let read = journal.read(consumer, usize::MAX).await;
        if read.entries.is_empty() && read.damaged_weight == 0 {
            return all;
        }
        all.extend(read.entries.iter().map(|entry| (name_of(&entry.batch), entry.position)));
    }
}

async fn names(journal: &DiskJournal<u32>, consumer: usize) -> Vec<u32> {
    read(journal, consumer).await.into_iter().map(|(name, _)| name).collect()
}

/// The journal files of a directory, oldest first.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "journal"))
        .collect();
    files.sort();
    files
}

/// What a kill leaves: the files as they are at this moment.
fn copy(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            match std::fs::copy(entry.path(), copy.path().join(entry.file_name())) {
                // A file that nobody needs goes when it likes.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => assert!(copied.is_ok(), "{copied:?}"),
            }
        }
    }
    copy
}
