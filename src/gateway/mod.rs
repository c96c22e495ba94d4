//! The gateway as a whole: what it is made of, the intake, its status, its stop.
//!
//! ```text
//! Gateway ── Router (rules)
//!         ── Journal
//!         ── Lane, one an exporter: exporter, ledger, health ── Delivery task
//! ```

pub mod config;
mod intake;
mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

pub use config::GatewayConfig;
pub use intake::Refusal;
pub use status::{ExporterStatus, Status};

use crate::delivery::health::{Health, State};
use crate::delivery::ledger::Ledger;
use crate::delivery::previews::Previews;
use crate::delivery::{Delivery, Note, Reroute};
use crate::exporter::contract::Exporter;
use crate::exporter::pace::Pace;
use crate::exporter::{self, Named};
use crate::journal::{Journal, MemoryJournal};
use crate::otlp::Batch;
use crate::router::Router;
use crate::vitals::receiver::ReceiverVitals;

/// One exporter's place in the gateway.
pub struct Lane {
    pub name: String,
    pub kind: &'static str,
    pub exporter: Arc<dyn Exporter>,
    pub preview: exporter::pace::Preview,
    pub pace: Pace,
    pub ledger: Arc<Ledger>,
    pub health: Arc<Health>,
    pub previews: Arc<Previews>,
}

/// The gateway.
pub struct Gateway {
    pub vitals: ReceiverVitals,
    router: Arc<Router>,
    lanes: Vec<Lane>,
    journal: Arc<dyn Journal<Note>>,
    ready: AtomicBool,
    started_at: SystemTime,
}

/// The delivery tasks of a gateway; to be stopped and waited for.
pub struct Deliveries {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

struct RouterNotes(Arc<Router>);

impl Reroute for RouterNotes {
    fn routing(&self, batch: &Batch) -> Note {
        Arc::new(self.0.route(batch).0)
    }
}

impl Gateway {
    /// Builds the exporters and the journal. Nothing runs yet.
    pub async fn new(config: &GatewayConfig, router: Router) -> anyhow::Result<Self> {
        let mut lanes = Vec::new();
        for Named { name, config } in &config.exporters {
            lanes.push(Lane {
                name: name.value.clone(),
                kind: config.kind(),
                exporter: config.build().await.map_err(|error| error.context(format!("exporter `{name}`")))?,
                preview: config.preview(),
                pace: config.pace(),
                ledger: Arc::default(),
                health: Arc::new(Health::new(&name.value, State::Ok)),
                previews: Arc::default(),
            });
        }
        let journal =
            MemoryJournal::new(lanes.len(), config.journal.max_bytes.as_usize(), config.journal.when_full.into());
        Ok(Gateway {
            vitals: ReceiverVitals::default(),
            router: Arc::new(router),
            lanes,
            journal: Arc::new(journal),
            ready: AtomicBool::new(false),
            started_at: SystemTime::now(),
        })
    }

    /// Starts one delivery task for each exporter.
    pub fn start(&self) -> Deliveries {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for (index, lane) in self.lanes.iter().enumerate() {
            let delivery = Delivery {
                index,
                exporter: Arc::clone(&lane.exporter),
                pace: lane.pace,
                preview: lane.preview,
                ledger: Arc::clone(&lane.ledger),
                health: Arc::clone(&lane.health),
                previews: Arc::clone(&lane.previews),
                journal: Arc::clone(&self.journal),
                reroute: Arc::new(RouterNotes(Arc::clone(&self.router))),
            };
            let (name, stop) = (lane.name.clone(), stop.clone());
            tasks.spawn(async move {
                let ended = AbortOnDropHandle::new(tokio::spawn(delivery.run(stop.clone()))).await;
                if ended.is_err() || !stop.is_cancelled() {
                    error!(exporter = name, "delivery ended before its time; nothing more is sent to this exporter");
                }
            });
        }
        Deliveries { tasks, stop }
    }

    pub fn router(&self) -> &Router {
        &self.router
    }

    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Whether new telemetry is accepted.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Says what was left behind, once, at the end.
    pub fn report_leftovers(&self) {
        for lane in &self.lanes {
            let figures = lane.ledger.read();
            if figures.waiting > 0 {
                error!(
                    exporter = lane.name,
                    items = figures.waiting,
                    "stopped before these were delivered; they are lost"
                );
            } else {
                info!(
                    exporter = lane.name,
                    delivered = figures.delivered,
                    dropped = figures.dropped_total(),
                    "exporter done"
                );
            }
        }
    }
}

impl Deliveries {
    /// Lets every exporter deliver what is left, for so long at most.
    pub async fn drain(mut self, grace: Duration) {
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            warn!(grace_ms = grace.as_millis() as u64, "not everything could be delivered within the grace time");
            self.tasks.shutdown().await;
        }
    }
}
