//! How many requests an exporter may have under way, and when: a breaker that all of them pass.
//!
//! ```text
//!            failures in a row, or "come again at"              the time has come
//! closed ─────────────────────────────────────────▶ open ──────────────────────────▶ one request probes
//!   ▲ each success lets one more in                   ▲────────────── failure ──────────────┤
//!   └───────────────────────────────────────────────────────────────── success ─────────────┘
//! ```
//!
//! A vendor that is down is asked by one request at a time, with growing delays; one that comes back is not overrun by all
//! that has gathered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::stdx::backoff::{Backoff, random};

/// So many failures in a row, whichever requests they are of, and only one request at a time is tried.
pub const FAILURES_MAX: u32 = 5;

/// The gate of one exporter.
#[derive(Debug)]
pub struct Gate {
    inner: Mutex<Inner>,
    changed: Notify,
    backoff: Backoff,
    concurrency: usize,
}

#[derive(Debug)]
struct Inner {
    running: usize,
    /// How many may run: grows by one with each success.
    allowed: usize,
    /// In a row.
    failures: u32,
    not_before: Option<Instant>,
}

/// Leave to try once; given back when it is dropped.
#[derive(Debug)]
pub struct Pass<'a>(&'a Gate);

impl Gate {
    pub fn new(concurrency: usize, backoff: Backoff) -> Self {
        let inner = Inner { running: 0, allowed: concurrency, failures: 0, not_before: None };
        Gate { inner: Mutex::new(inner), changed: Notify::new(), backoff, concurrency }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is a few assignments that cannot panic half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may be tried.
    pub async fn enter(&self) -> Pass<'_> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before the look, so that no change between look and wait is missed.
            changed.as_mut().enable();
            let not_before = {
                let mut inner = self.inner();
                let not_before = inner.not_before.filter(|at| *at > Instant::now());
                if not_before.is_none() && inner.running < inner.allowed {
                    inner.running += 1;
                    return Pass(self);
                }
                not_before
            };
            match not_before {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    /// Notes that the vendor answers.
    pub fn succeeded(&self) {
        let mut inner = self.inner();
        (inner.failures, inner.not_before) = (0, None);
        if inner.allowed < self.concurrency {
            inner.allowed += 1;
            drop(inner);
            self.changed.notify_waiters();
        }
    }

    /// Notes a failed try, of a request that has failed so often itself; gives how long that request is to wait before it
    /// comes back to the gate.
    pub fn failed(&self, failures_own: u32) -> Duration {
        let mut inner = self.inner();
        inner.failures = inner.failures.saturating_add(1);
        if inner.failures < FAILURES_MAX {
            return self.backoff.delay(failures_own, random());
        }
        inner.allowed = 1;
        // Requests that failed together are one reason to wait, not many: the delay grows once they were waited for.
        if inner.not_before.is_none_or(|at| at <= Instant::now()) {
            let delay = self.backoff.delay(failures_own.max(FAILURES_MAX), random());
            inner.not_before = Some(Instant::now() + delay.max(self.backoff.delay_initial.min(self.backoff.delay_max)));
        }
        Duration::ZERO
    }

    /// Closes the gate for everybody for a time that the vendor named, or that a person is given.
    pub fn hold(&self, delay: Duration) {
        let mut inner = self.inner();
        let until = Instant::now() + delay;
        (inner.allowed, inner.not_before) = (1, Some(inner.not_before.map_or(until, |at| at.max(until))));
    }

    /// Whether only one request at a time is tried, after failures.
    pub fn is_open(&self) -> bool {
        self.inner().failures >= FAILURES_MAX
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        inner.running -= 1;
        let may_let_in = inner.allowed < self.0.concurrency || inner.not_before.is_some();
        drop(inner);
        // Nobody waits at a gate that lets as many in as there are.
        if may_let_in {
            self.0.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const BACKOFF: Backoff = Backoff { delay_initial: Duration::from_secs(1), delay_max: Duration::from_secs(30) };

    async fn is_shut(gate: &Gate) -> bool {
        tokio::time::timeout(Duration::from_millis(1), gate.enter()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_leave_one_probe_at_a_time_and_each_success_lets_one_more_in() {
        let gate = Gate::new(4, BACKOFF);
        let passes = [gate.enter().await, gate.enter().await, gate.enter().await, gate.enter().await];
        assert!(is_shut(&gate).await, "four at once");
        for failures in 1..=4 {
            assert!(!gate.is_open(), "{failures}");
            gate.failed(1);
        }
        drop(passes);
        assert!(!is_shut(&gate).await);
        assert_eq!(gate.failed(5), Duration::ZERO);
        assert!(gate.is_open() && is_shut(&gate).await);
        let begun_at = Instant::now();
        let probe = gate.enter().await;
        assert!(begun_at.elapsed() <= Duration::from_secs(16), "{:?}", begun_at.elapsed());
        assert!(is_shut(&gate).await, "one probe");
        gate.succeeded();
        drop(probe);
        let first = gate.enter().await;
        let second = gate.enter().await;
        assert!(is_shut(&gate).await, "two after one success");
        gate.succeeded();
        let third = gate.enter().await;
        assert!(is_shut(&gate).await, "three after two");
        drop((first, second, third));
        assert!(!gate.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_named_time_holds_everybody() {
        let gate = Arc::new(Gate::new(2, BACKOFF));
        gate.hold(Duration::from_secs(3));
        let begun_at = Instant::now();
        let first = gate.enter().await;
        assert!(begun_at.elapsed() >= Duration::from_secs(3));
        assert!(is_shut(&gate).await);
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { drop(gate.enter().await) }
        });
        tokio::task::yield_now().await;
        drop(first);
        waiting.await.unwrap();
    }
}
