//! The gateway as a whole: what it is made of, the intake, its status, its reload, its stop.
//!
//! ```text
//! Gateway ── RuleBook (router, now and before)
//!         ── Journal
//!         ── Snapshot ── Lane, one an exporter: exporter, ledger, health ── Delivery task
//! ```
//!
//! A snapshot never changes; a reload puts another one in its place, between two requests.

pub mod config;
mod deliveries;
mod intake;
mod lane;
mod reload;
mod rules;
mod status;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use anyhow::Context;
use tracing::{error, info, warn};

pub use config::GatewayConfig;
pub use deliveries::Deliveries;
pub use intake::Refusal;
pub use reload::Reloads;
pub use status::{ExporterStatus, Status};

use crate::delivery::Note;
use crate::delivery::dead_letters::DeadLetters;
use crate::journal::disk::{DiskJournal, Recovered};
use crate::journal::memory::MemoryJournal;
use crate::journal::{Journal, Usage};
use crate::router::Router;
use crate::vitals::receiver::ReceiverVitals;
use config::{Fingerprint, JournalConfig};
use lane::Lane;
use rules::{RuleBook, Rules};

/// The gateway.
pub struct Gateway {
    pub vitals: ReceiverVitals,
    pub reloads: Reloads,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Held while a batch is routed and appended; a reload waits until nobody holds it, so that each record is accepted
    /// under one set of rules, which its position tells.
    intake: Arc<tokio::sync::RwLock<()>>,
    rules: Arc<RuleBook>,
    journal: Arc<dyn Journal<Note>>,
    dead_letters: Option<Arc<DeadLetters>>,
    is_durable: bool,
    ready: AtomicBool,
    started_at: SystemTime,
}

/// What is in force at one moment.
#[derive(Debug)]
struct Snapshot {
    rules: Arc<Rules>,
    /// Rising by seat.
    lanes: Vec<Arc<Lane>>,
}

impl Snapshot {
    fn lane(&self, seat: usize) -> Option<&Arc<Lane>> {
        self.lanes.iter().find(|lane| lane.seat == seat)
    }
}

impl Gateway {
    /// Builds the exporters, and opens the journal. Nothing runs yet.
    pub async fn new(config: &GatewayConfig, router: Router) -> anyhow::Result<Self> {
        let dead_letters = config
            .journal
            .dead_letters()
            .map(|folder| Arc::new(DeadLetters::new(folder, config.journal.dead_letters_max_bytes.as_u64())));
        let mut lanes = Vec::new();
        for (seat, named) in config.exporters.iter().enumerate() {
            let fingerprint = config.fingerprint_of(&named.name.value);
            lanes.push(Arc::new(Lane::build(seat, named, fingerprint, dead_letters.as_ref(), None).await?));
        }
        let rules = Arc::new(Rules::new(router, &lanes, config.rules_fingerprint));
        let book = Arc::new(RuleBook::new(Arc::clone(&rules)));
        let journal = open_journal(&config.journal, &lanes, &book).await?;
        Ok(Gateway {
            vitals: ReceiverVitals::default(),
            reloads: Reloads::default(),
            snapshot: RwLock::new(Arc::new(Snapshot { rules, lanes })),
            intake: Arc::default(),
            rules: book,
            journal,
            dead_letters,
            is_durable: config.journal.disk().is_some(),
            ready: AtomicBool::new(false),
            started_at: SystemTime::now(),
        })
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        // A pointer is whole at every moment.
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many exporters there are.
    pub fn exporters(&self) -> usize {
        self.snapshot().lanes.len()
    }

    /// Whether new telemetry is accepted.
    pub fn is_accepting(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Whether it is worth sending telemetry here: it is accepted, and can be kept.
    pub fn is_ready(&self) -> bool {
        self.is_accepting() && self.journal.usage().unwritable.is_none()
    }

    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Makes all that was noted as safe as the journal promises, and says what was left behind, once, at the end.
    pub async fn close(&self) {
        self.journal.close().await;
        for lane in &self.snapshot().lanes {
            let figures = lane.ledger.read();
            let (exporter, items) = (&lane.name, figures.waiting);
            match (items, self.is_durable) {
                (0, _) => {
                    info!(exporter, delivered = figures.delivered, dropped = figures.dropped_total(), "exporter done");
                }
                (_, true) => {
                    info!(exporter, items, "stopped before these were delivered; they are kept for the next start");
                }
                (_, false) => error!(exporter, items, "stopped before these were delivered; they are lost"),
            }
        }
    }
}

impl GatewayConfig {
    fn fingerprint_of(&self, exporter: &str) -> Fingerprint {
        self.exporter_fingerprints.get(exporter).copied().unwrap_or_default()
    }
}

/// Opens the journal that is asked for, and books what it holds.
async fn open_journal(
    config: &JournalConfig,
    lanes: &[Arc<Lane>],
    rules: &Arc<RuleBook>,
) -> anyhow::Result<Arc<dyn Journal<Note>>> {
    let Some(disk) = config.disk() else {
        let bytes_max = config.bytes_max().as_usize();
        return Ok(Arc::new(MemoryJournal::new(lanes.len(), bytes_max, config.when_full.into())));
    };
    let names: Vec<(usize, String)> = lanes.iter().map(|lane| (lane.seat, lane.name.clone())).collect();
    let rules = Arc::clone(rules);
    let begun_at = std::time::Instant::now();
    let opened = tokio::task::spawn_blocking(move || {
        let names: Vec<(usize, &str)> = names.iter().map(|(seat, name)| (*seat, name.as_str())).collect();
        DiskJournal::open(disk, &names, rules)
    });
    let (journal, recovered) = opened.await.context("opening the journal panicked")??;
    for lane in lanes {
        lane.ledger.accept(recovered.waiting.get(&lane.seat).copied().unwrap_or_default());
    }
    report(&recovered, &journal.usage(), begun_at.elapsed());
    Ok(Arc::new(journal))
}

/// Says what was found in the journal.
fn report(recovered: &Recovered, usage: &Usage, took: std::time::Duration) {
    if recovered.torn > 0 {
        info!(files = recovered.torn, "the journal ends in a write that was cut off; nobody was told that it was safe");
    }
    for stretch in &recovered.damaged {
        error!(stretch, "the journal is damaged; what stood there is lost, the rest goes on");
    }
    for (exporter, retired) in &recovered.retired {
        warn!(exporter, items = retired.weight, "waited for an exporter that is no longer defined");
    }
    if recovered.records > 0 {
        info!(
            records = recovered.records,
            file_bytes = usage.file_bytes,
            rerouted = recovered.rerouted,
            took_ms = took.as_millis() as u64,
            "the journal holds what is still to be delivered"
        );
    }
}
