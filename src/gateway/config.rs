//! What the gateway itself is told: exporters and journal.

use serde::Deserialize;

use crate::exporter::Named;
use crate::journal::WhenFull;
use crate::stdx::units::ByteSize;

/// The exporters and the journal.
#[derive(Debug, Default)]
pub struct GatewayConfig {
    pub exporters: Vec<Named>,
    pub journal: JournalConfig,
}

/// `journal` of `gateway.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalConfig {
    /// Where records are kept when `durability` asks for it.
    pub directory: String,
    /// Bytes of all records together.
    pub max_bytes: ByteSize,
    pub durability: Durability,
    pub when_full: WhenFullKey,
}

impl Default for JournalConfig {
    fn default() -> Self {
        JournalConfig {
            directory: "./data".to_owned(),
            max_bytes: ByteSize::mebibytes(256), // minutes of a busy service's telemetry, and what a small host can spare
            durability: Durability::Memory,
            when_full: WhenFullKey::DropOldest,
        }
    }
}

/// What an acknowledged record survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Nothing but a vendor's outage.
    Memory,
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
