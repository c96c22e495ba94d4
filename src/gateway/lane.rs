//! One exporter's place in the gateway.

use std::sync::Arc;

use super::config::Fingerprint;
use crate::delivery::dead_letters::DeadLetters;
use crate::delivery::health::{Health, State};
use crate::delivery::ledger::Ledger;
use crate::delivery::previews::Previews;
use crate::exporter::Named;
use crate::exporter::contract::Exporter;
use crate::exporter::pace::{Pace, Preview};

/// One exporter with all that is its own. Another configuration of it is another lane with the same seat and books.
#[derive(Debug)]
pub struct Lane {
    /// Its number with router and journal, as long as it is there under this name.
    pub seat: usize,
    pub name: String,
    pub kind: &'static str,
    pub fingerprint: Fingerprint,
    pub exporter: Arc<dyn Exporter>,
    pub preview: Preview,
    pub pace: Pace,
    pub ledger: Arc<Ledger>,
    pub health: Arc<Health>,
    pub previews: Arc<Previews>,
    pub dead_letters: Option<Arc<DeadLetters>>,
}

impl Lane {
    /// Builds the exporter. `before` is the lane that this one takes the place of.
    pub async fn build(
        seat: usize,
        Named { name, config }: &Named,
        fingerprint: Fingerprint,
        dead_letters: Option<&Arc<DeadLetters>>,
        before: Option<&Lane>,
    ) -> anyhow::Result<Self> {
        Ok(Lane {
            seat,
            name: name.value.clone(),
            kind: config.kind(),
            fingerprint,
            exporter: config.build().await.map_err(|error| error.context(format!("exporter `{name}`")))?,
            preview: config.preview(),
            pace: config.pace(),
            ledger: before.map(|before| Arc::clone(&before.ledger)).unwrap_or_default(),
            health: match before {
                Some(before) => Arc::clone(&before.health),
                None => Arc::new(Health::new(&name.value, State::Ok)),
            },
            previews: Arc::default(),
            dead_letters: dead_letters.cloned(),
        })
    }
}
