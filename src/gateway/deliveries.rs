//! The delivery tasks: one an exporter, each owned, named and joined.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, warn};

use super::Gateway;
use super::lane::Lane;
use crate::delivery::{Delivery, Orders, Reroute};

/// The delivery tasks of a gateway; to be stopped and waited for.
pub struct Deliveries {
    /// By seat.
    running: BTreeMap<usize, Running>,
    stop: CancellationToken,
}

struct Running {
    leave: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Gateway {
    /// Starts one delivery task for each exporter.
    pub fn start(&self) -> Deliveries {
        let mut deliveries = Deliveries { running: BTreeMap::new(), stop: CancellationToken::new() };
        for lane in &self.snapshot().lanes {
            deliveries.start(self, lane);
        }
        deliveries
    }
}

impl Deliveries {
    pub(super) fn start(&mut self, gateway: &Gateway, lane: &Lane) {
        let delivery = Delivery {
            index: lane.seat,
            exporter: Arc::clone(&lane.exporter),
            pace: lane.pace,
            preview: lane.preview,
            ledger: Arc::clone(&lane.ledger),
            health: Arc::clone(&lane.health),
            previews: Arc::clone(&lane.previews),
            dead_letters: lane.dead_letters.clone(),
            journal: Arc::clone(&gateway.journal),
            reroute: Arc::clone(&gateway.rules) as Arc<dyn Reroute>,
        };
        let orders = Orders { stop: self.stop.clone(), leave: CancellationToken::new() };
        let (name, leave) = (lane.name.clone(), orders.leave.clone());
        let task: JoinHandle<()> = tokio::spawn(async move {
            let ended = AbortOnDropHandle::new(tokio::spawn(delivery.run(orders.clone()))).await;
            if ended.is_err() || !(orders.stop.is_cancelled() || orders.leave.is_cancelled()) {
                error!(exporter = name, "delivery ended before its time; nothing more is sent to this exporter");
            }
        });
        self.running.insert(lane.seat, Running { leave, task: AbortOnDropHandle::new(task) });
    }

    /// Lets an exporter answer for what it has under way, and no more. What it does not come to is read again by whoever
    /// takes its place.
    pub(super) async fn leave(&mut self, lane: &Lane) {
        let Some(Running { leave, task }) = self.running.remove(&lane.seat) else { return };
        leave.cancel();
        if tokio::time::timeout(lane.pace.timeout + LEAVE_MARGIN, task).await.is_err() {
            warn!(exporter = lane.name, "an exporter did not end in time and was cut off");
        }
    }

    /// Lets every exporter deliver what is left, for so long at most.
    pub async fn drain(mut self, grace: Duration) {
        self.stop.cancel();
        let deadline = Instant::now() + grace;
        let mut is_late = false;
        while let Some((_, mut running)) = self.running.pop_first() {
            is_late |= timeout_at(deadline, &mut running.task).await.is_err();
        }
        if is_late {
            warn!(grace_ms = grace.as_millis() as u64, "not everything could be delivered within the grace time");
        }
    }
}

/// What an attempt may take beyond its own timeout to be booked.
const LEAVE_MARGIN: Duration = Duration::from_secs(1);
