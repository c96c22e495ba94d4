//! What the gateway itself is told: exporters, rules and journal.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::exporter::Named;
use crate::journal::WhenFull;
use crate::journal::disk::{self, DiskConfig, Newcomers, Safety};
use crate::stdx::fault::Fault;
use crate::stdx::located::Place;
use crate::stdx::units::{ByteSize, Interval};

/// Stands for a part of `gateway.yaml` with its variables and the secrets it names: equal only where nothing has changed.
pub type Fingerprint = [u8; 32];

/// The exporters and the journal.
#[derive(Debug, Default)]
pub struct GatewayConfig {
    pub exporters: Vec<Named>,
    pub journal: JournalConfig,
    /// Of each exporter by its name.
    pub exporter_fingerprints: BTreeMap<String, Fingerprint>,
    /// Of all that decides where an item goes.
    pub rules_fingerprint: Fingerprint,
}

/// `journal` of `gateway.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalConfig {
    /// Where records are kept when `durability` asks for it, and dead letters.
    pub directory: String,
    /// Bytes of all files, or of all records where there are none. `None` stands for a default by `durability`.
    pub max_bytes: Option<ByteSize>,
    /// Bytes of records in memory, where there are files.
    pub memory_max_bytes: ByteSize,
    pub durability: Durability,
    pub when_full: WhenFullKey,
    /// How long what everybody has had is kept all the same, for `replay`.
    pub keep: Interval,
    /// Where an exporter begins that was not there before.
    pub new_exporters: NewExporters,
    /// Bytes of what vendors refused for good; 0 keeps none of it.
    pub dead_letters_max_bytes: ByteSize,
}

/// What is kept on disk at most: an hour of a busy service's telemetry.
const DISK_BYTES_MAX: ByteSize = ByteSize::mebibytes(1024);

/// Less would make every record one that its reader has to fetch from a file.
const MEMORY_BYTES_MIN: u64 = 1024 * 1024;

/// What is kept in memory at most: what a small host can spare.
const MEMORY_BYTES_MAX: ByteSize = ByteSize::mebibytes(256);

impl Default for JournalConfig {
    fn default() -> Self {
        JournalConfig {
            directory: "./data".to_owned(),
            max_bytes: None,
            memory_max_bytes: ByteSize::mebibytes(64),
            durability: Durability::Disk,
            when_full: WhenFullKey::DropOldest,
            keep: Interval::seconds(0),
            new_exporters: NewExporters::Now,
            dead_letters_max_bytes: ByteSize::mebibytes(64),
        }
    }
}

impl JournalConfig {
    /// What is wrong with it beyond its form; `place_of` tells where a key is written.
    pub fn faults(&self, place_of: impl Fn(&'static str) -> Place) -> Vec<Fault> {
        let (bytes_max, memory_bytes_max) = (self.bytes_max(), self.memory_max_bytes);
        let is_on_disk = self.durability != Durability::Memory;
        let is_too_small = (1..disk::BYTES_MIN).contains(&bytes_max.as_u64());
        let checks = [
            (bytes_max.as_u64() == 0, "max_bytes", "is 0: nothing could be accepted", "such as 256MiB"),
            (
                is_on_disk && is_too_small,
                "max_bytes",
                "is too small for files",
                "1MiB or more, or `durability: memory`",
            ),
            (is_on_disk && self.directory.is_empty(), "directory", "is empty", "such as ./data"),
            (
                is_on_disk && memory_bytes_max.as_u64() < MEMORY_BYTES_MIN,
                "memory_max_bytes",
                "is too small: every record would be read from a file",
                "1MiB or more",
            ),
        ];
        let wrong = checks.into_iter().filter(|(is_wrong, ..)| *is_wrong);
        wrong
            .map(|(_, key, what, hint)| Fault::at(place_of(key), format!("`journal.{key}` {what}")).hint(hint))
            .collect()
    }

    pub fn bytes_max(&self) -> ByteSize {
        self.max_bytes.unwrap_or(match self.durability {
            Durability::Memory => MEMORY_BYTES_MAX,
            Durability::Disk | Durability::Process => DISK_BYTES_MAX,
        })
    }

    /// Where dead letters lie; `None` where none are kept.
    pub fn dead_letters(&self) -> Option<PathBuf> {
        let is_kept = self.durability != Durability::Memory && self.dead_letters_max_bytes.as_u64() > 0;
        is_kept.then(|| PathBuf::from(&self.directory).join("dead-letters"))
    }

    /// What the engine on disk is told; `None` where records are kept in memory.
    pub fn disk(&self) -> Option<DiskConfig> {
        let safety = match self.durability {
            Durability::Disk => Safety::Disk,
            Durability::Process => Safety::Process,
            Durability::Memory => return None,
        };
        Some(DiskConfig {
            directory: PathBuf::from(&self.directory).join("journal"),
            bytes_max: self.bytes_max().as_u64(),
            memory_bytes_max: self.memory_max_bytes.as_usize(),
            when_full: self.when_full.into(),
            safety,
            keep: self.keep.duration(),
            newcomers: match self.new_exporters {
                NewExporters::Now => Newcomers::Now,
                NewExporters::Oldest => Newcomers::Oldest,
            },
        })
    }
}

/// What an acknowledged record survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Power loss: it is on disk before the client hears of it.
    Disk,
    /// The end of the process, not of the machine.
    Process,
    /// Nothing but a vendor's outage.
    Memory,
}

/// Where an exporter begins that was not there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NewExporters {
    /// With what comes from now on.
    Now,
    /// At a start, with what still waits for another exporter.
    Oldest,
}

/// What happens to a new record when the journal is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFullKey {
    /// The oldest that an exporter has not read is dropped for it, and counted.
    DropOldest,
    /// The client is refused and told to come again.
    Refuse,
}

impl From<WhenFullKey> for WhenFull {
    fn from(key: WhenFullKey) -> Self {
        match key {
            WhenFullKey::DropOldest => WhenFull::DropOldest,
            WhenFullKey::Refuse => WhenFull::Refuse,
        }
    }
}
