//! A change of `gateway.yaml` while the gateway runs: on SIGHUP, and when the file itself changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::config::Config;
use crate::config::watch::Watch;
use crate::gateway::config::Fingerprint;
use crate::gateway::{Deliveries, Gateway};

/// Waits for changes, and puts them in force.
pub struct Reloader {
    path: PathBuf,
    hangup: Signal,
    /// `None` where the system cannot watch files: SIGHUP is left.
    watch: Option<Watch>,
    /// Of what was read last, whether it was taken or not.
    seen: Option<Fingerprint>,
    /// What takes effect at a start only, as it was then.
    fixed: BTreeMap<&'static str, Fingerprint>,
}

/// Why the file is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Hangup,
    Change,
}

impl Reloader {
    pub fn new(path: &Path, config: &Config) -> anyhow::Result<Self> {
        let watch = Watch::new(path)
            .inspect_err(|error| warn!(%error, "the configuration file cannot be watched; SIGHUP reloads it"));
        Ok(Reloader {
            path: path.to_owned(),
            hangup: signal(SignalKind::hangup())?,
            watch: watch.ok(),
            seen: Some(config.fingerprint),
            fixed: config.fixed.clone(),
        })
    }

    /// Waits for a change, and puts it in force, or says why not.
    pub async fn reload_when_changed(&mut self, gateway: &Gateway, deliveries: &mut Deliveries) {
        let cause = self.wait().await;
        let (config, _) = match Config::load(&self.path) {
            Ok(loaded) => loaded,
            Err(problems) => {
                self.seen = None;
                return refuse(gateway, &problems.to_string());
            }
        };
        // Editors touch files without changing them, and one change is often told twice.
        if cause == Cause::Change && self.seen == Some(config.fingerprint) {
            return;
        }
        self.seen = Some(config.fingerprint);
        info!(config = %self.path.display(), ?cause, "reading the configuration again");
        for unset in &config.tolerated {
            warn!("{}", unset.line(&self.path.display().to_string()));
        }
        if let Err(error) = gateway.apply(&config.gateway, &config.router, deliveries).await {
            return refuse(gateway, &format!("{error:#}"));
        }
        let changed = config.fixed.iter().filter(|(key, fingerprint)| self.fixed.get(*key) != Some(fingerprint));
        let restart_needed: Vec<&'static str> = changed.map(|(key, _)| *key).collect();
        if !restart_needed.is_empty() {
            warn!(keys = ?restart_needed, "these have changed, and take effect when the gateway is started again");
        }
        gateway.reloads.applied(restart_needed);
    }

    async fn wait(&mut self) -> Cause {
        let changed = async {
            match &self.watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Without signals the file is still watched.
            Some(()) = self.hangup.recv() => Cause::Hangup,
            () = changed => Cause::Change,
        }
    }
}

fn refuse(gateway: &Gateway, why: &str) {
    error!("the configuration was refused, and what was in force stays in force:\n{why}");
    gateway.reloads.refused(why);
}
