//! The end of the first straight line: from a checked batch to a confirmed record.

use std::sync::Arc;

use thiserror::Error;

use super::Gateway;
use crate::journal::{AppendError, Evicted};
use crate::otlp::Batch;
use crate::stdx::bit_set::BitSet;

/// Why a batch was not taken; nothing of it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The client may come again soon.
    #[error("{0}")]
    Full(AppendError),
    /// Coming again does not help.
    #[error("{0}")]
    TooLarge(AppendError),
    #[error("the gateway is stopping")]
    Stopping,
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Full { .. } => Refusal::Full(error),
            AppendError::TooLarge { .. } => Refusal::TooLarge(error),
        }
    }
}

impl Gateway {
    /// Routes a batch and appends it to the journal; when it returns, the batch is as safe as the journal promises.
    pub async fn accept(&self, batch: Batch) -> Result<(), Refusal> {
        if !self.is_ready() {
            return Err(Refusal::Stopping);
        }
        let (routing, matched) = self.router.route(&batch);
        let (routing, signal) = (Arc::new(routing), batch.signal);
        let takes = |index: &usize| self.lanes[*index].exporter.takes(signal);
        let needed_by: BitSet = routing.exporters().iter().filter(takes).collect();
        for index in needed_by.iter() {
            self.lanes[index].ledger.accept(routing.weight_of(index));
        }
        if !needed_by.is_empty() {
            let evicted = self.journal.append(batch, needed_by, Arc::clone(&routing)).await.inspect_err(|_| {
                for index in needed_by.iter() {
                    self.lanes[index].ledger.revoke(routing.weight_of(index));
                }
            });
            for evicted in evicted.map_err(Refusal::from)? {
                self.count_evicted(evicted);
            }
        }
        // From here on nothing is taken back: the client will hear that it was accepted.
        self.router.count(&matched);
        for (index, weight) in routing.weights().iter().filter(|(index, _)| !takes(index)) {
            let lane = &self.lanes[*index];
            lane.ledger.accept(*weight);
            lane.ledger.give_up(*weight, "unsupported_signal");
        }
        Ok(())
    }

    fn count_evicted(&self, Evicted { consumer, entry }: Evicted<super::Note>) {
        let weight = match &entry.note {
            Some(routing) => routing.weight_of(consumer),
            None => self.router.route(&entry.batch).0.weight_of(consumer),
        };
        let lane = &self.lanes[consumer];
        lane.ledger.give_up(weight, "journal_full");
        lane.health.lost(weight, "journal_full", "the journal was full; the oldest unread items went");
    }
}
