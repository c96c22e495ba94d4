//! A changed configuration, put in force while the gateway runs: what has changed is replaced, what has not goes on.
//!
//! ```text
//! build new exporters ─▶ compile rules ─▶ [between two requests: swap] ─▶ replace the deliveries that changed
//!        └── an error here changes nothing ──┘
//! ```
//!
//! What is queued stays queued: an exporter that is changed goes on where it was, with its books. One that is taken out of
//! the file lets go of what waited for it, which is said and counted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use tracing::{info, warn};

use super::deliveries::Deliveries;
use super::lane::Lane;
use super::rules::Rules;
use super::status::rfc3339;
use super::{Gateway, GatewayConfig, Snapshot};
use crate::router::{EXPORTERS_MAX, Router, RouterConfig};

/// What became of the changes of `gateway.yaml` since the start.
#[derive(Debug, Default)]
pub struct Reloads(Mutex<ConfigStatus>);

/// The same, to be shown.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ConfigStatus {
    /// When the configuration in force was read; `None` for the one of the start.
    pub reloaded_at: Option<String>,
    pub reloads: u64,
    pub failed_reloads: u64,
    /// Why the file as it is now is not in force.
    pub last_error: Option<String>,
    /// Keys whose change takes effect at the next start.
    pub restart_needed: Vec<&'static str>,
}

impl Reloads {
    fn status_mut(&self) -> MutexGuard<'_, ConfigStatus> {
        // A report of the past is never worth a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a file that is in force now, but for some of its keys.
    pub fn applied(&self, restart_needed: Vec<&'static str>) {
        let mut status = self.status_mut();
        status.reloads += 1;
        (status.reloaded_at, status.last_error) = (Some(rfc3339(SystemTime::now())), None);
        status.restart_needed = restart_needed;
    }

    /// Notes a file that was refused: what was in force is.
    pub fn refused(&self, error: &str) {
        let mut status = self.status_mut();
        status.failed_reloads += 1;
        status.last_error = Some(error.to_owned());
    }

    pub fn status(&self) -> ConfigStatus {
        self.status_mut().clone()
    }
}

/// What a reload did, by names of exporters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
}

impl Gateway {
    /// Puts exporters and rules in force. After an error everything is as it was.
    pub async fn apply(
        &self,
        config: &GatewayConfig,
        rules: &RouterConfig,
        deliveries: &mut Deliveries,
    ) -> anyhow::Result<Changes> {
        let before = self.snapshot();
        let mut changes = Changes::default();
        let mut lanes: Vec<Arc<Lane>> = Vec::new();
        let mut taken: BTreeSet<usize> = before.lanes.iter().map(|lane| lane.seat).collect();
        for named in &config.exporters {
            let name = &named.name.value;
            let fingerprint = config.fingerprint_of(name);
            let old = before.lanes.iter().find(|lane| lane.name == *name);
            if let Some(unchanged) = old.filter(|lane| lane.fingerprint == fingerprint) {
                lanes.push(Arc::clone(unchanged));
                continue;
            }
            let list = if old.is_some() { &mut changes.changed } else { &mut changes.added };
            list.push(name.clone());
            let free = (0..EXPORTERS_MAX).find(|seat| !taken.contains(seat));
            let Some(seat) = old.map(|lane| lane.seat).or(free) else {
                anyhow::bail!("exporter `{name}` finds no place beside those that are still to leave: try again");
            };
            taken.insert(seat);
            lanes.push(Arc::new(
                Lane::build(seat, named, fingerprint, self.dead_letters.as_ref(), old.map(|old| &**old)).await?,
            ));
        }
        lanes.sort_by_key(|lane| lane.seat);
        let removed: Vec<&Arc<Lane>> =
            before.lanes.iter().filter(|old| lanes.iter().all(|lane| lane.seat != old.seat)).collect();
        changes.removed = removed.iter().map(|lane| lane.name.clone()).collect();
        let router = compile(rules, &lanes)?;
        let rules = Arc::new(Rules::new(router, &lanes, config.rules_fingerprint));

        {
            let _nobody_accepts = self.intake.write().await;
            rules.router.count_on_from(&before.rules.router);
            for lane in lanes.iter().filter(|lane| changes.added.contains(&lane.name)) {
                self.journal.admit(lane.seat, &lane.name);
            }
            self.rules.turn(self.journal.next(), Arc::clone(&rules), self.journal.oldest());
            let snapshot = Arc::new(Snapshot { rules, lanes: lanes.clone() });
            *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        }
        for lane in removed {
            deliveries.leave(lane).await;
            let retired = self.journal.retire(lane.seat);
            if retired.weight > 0 {
                warn!(
                    exporter = lane.name,
                    items = retired.weight,
                    "an exporter is no longer defined; what waited for it is dropped"
                );
            }
        }
        for lane in lanes {
            if changes.changed.contains(&lane.name) {
                if let Some(old) = before.lane(lane.seat) {
                    deliveries.leave(old).await;
                }
                self.journal.rewind(lane.seat);
                deliveries.start(self, &lane);
            } else if changes.added.contains(&lane.name) {
                deliveries.start(self, &lane);
            }
        }
        info!(added = ?changes.added, changed = ?changes.changed, removed = ?changes.removed, "the configuration is in force");
        Ok(changes)
    }
}

/// Compiles rules for exporters in the order of their seats.
fn compile(rules: &RouterConfig, lanes: &[Arc<Lane>]) -> anyhow::Result<Router> {
    let seats = lanes.last().map_or(0, |lane| lane.seat + 1);
    let mut names = vec![""; seats];
    for lane in lanes {
        names[lane.seat] = &lane.name;
    }
    Router::new(rules, &names).map_err(|faults| {
        let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        anyhow::anyhow!("the rules cannot be compiled: {}", messages.join("; "))
    })
}
