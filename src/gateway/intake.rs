//! The end of the first straight line: from a checked batch to a confirmed record.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::OwnedRwLockReadGuard;

use super::{Gateway, Snapshot};
use crate::journal::{AppendError, BoxFuture, Evicted, Needs};
use crate::otlp::Batch;

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
            AppendError::Full { .. } | AppendError::Unwritable(_) => Refusal::Full(error),
            AppendError::TooLarge { .. } => Refusal::TooLarge(error),
        }
    }
}

/// A batch on its way into the journal. A record that is on its way cannot be called back: where the client goes away, the
/// books are kept all the same.
struct Booking {
    snapshot: Arc<Snapshot>,
    needs: Needs,
    /// `None` once it is booked.
    appended: Option<BoxFuture<'static, Result<Vec<Evicted>, AppendError>>>,
    /// No reload comes between routing and appending.
    between_reloads: Option<OwnedRwLockReadGuard<()>>,
}

impl Gateway {
    /// Routes a batch and appends it to the journal; when it returns, the batch is as safe as the journal promises.
    pub async fn accept(&self, batch: Batch) -> Result<(), Refusal> {
        if !self.is_accepting() {
            return Err(Refusal::Stopping);
        }
        let between_reloads = Arc::clone(&self.intake).read_owned().await;
        let snapshot = self.snapshot();
        let (routing, matched) = snapshot.rules.router.route(&batch);
        let (routing, signal) = (Arc::new(routing), batch.signal);
        let needs = snapshot.rules.needs(signal, &routing);
        if !needs.is_empty() {
            // Accepted first: delivery may be done with it before the client hears of it.
            for (seat, weight) in needs.iter() {
                snapshot.lane(seat).inspect(|lane| lane.ledger.accept(u64::from(weight)));
            }
            let appended = Some(self.journal.append(batch, needs.clone(), Arc::clone(&routing)));
            let snapshot = Arc::clone(&snapshot);
            Booking { snapshot, needs, appended, between_reloads: Some(between_reloads) }.finish().await?;
        }
        // From here on nothing is taken back: the client will hear that it was accepted.
        snapshot.rules.router.count(&matched);
        let takes = snapshot.rules.takes(signal);
        for (seat, weight) in routing.weights().iter().filter(|(seat, _)| !takes.contains(*seat)) {
            let Some(lane) = snapshot.lane(*seat) else { continue };
            lane.ledger.accept(u64::from(*weight));
            lane.ledger.give_up(*weight, "unsupported_signal");
        }
        Ok(())
    }
}

impl Booking {
    async fn finish(mut self) -> Result<(), AppendError> {
        let Some(appended) = &mut self.appended else { return Ok(()) };
        let appended_or_not = appended.await;
        self.appended = None;
        match appended_or_not {
            Ok(evicted) => evicted.into_iter().for_each(|evicted| self.snapshot.count_evicted(evicted)),
            Err(error) => {
                for (seat, weight) in self.needs.iter() {
                    self.snapshot.lane(seat).inspect(|lane| lane.ledger.revoke(weight));
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        if self.appended.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let rest = Booking {
                snapshot: Arc::clone(&self.snapshot),
                needs: std::mem::take(&mut self.needs),
                appended: self.appended.take(),
                between_reloads: self.between_reloads.take(),
            };
            runtime.spawn(rest.finish());
        }
    }
}

impl Snapshot {
    fn count_evicted(&self, Evicted { consumer, weight, .. }: Evicted) {
        let Some(lane) = self.lane(consumer) else { return };
        lane.ledger.give_up(weight, "journal_full");
        lane.health.lost(weight, "journal_full", "the journal was full; the oldest unread items went");
    }
}
