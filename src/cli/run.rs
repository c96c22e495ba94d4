//! `run`: the gateway, from start to stop.
//!
//! The promise: from the first signal it takes `stop.grace` and half a second at most, whatever clients, vendors and pipes
//! do; a second signal ends it at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::reload::Reloader;
use super::{install_crypto, load};
use crate::admin::Admin;
use crate::config::Config;
use crate::gateway::{Deliveries, Gateway};
use crate::receiver::Receiver;
use crate::router::Router;
use crate::vitals;

/// More threads than this only wake each other: a sidecar's work is small.
const THREADS_MAX: usize = 4;

/// Threads for encoding and files; they end when idle.
const BLOCKING_THREADS_MAX: usize = 16;

/// Threads that are stuck in the operating system are left behind after this: a full pipe nobody reads must not keep
/// the process.
const STUCK_TIMEOUT: Duration = Duration::from_millis(250);

/// Writing the journal's last frame takes milliseconds, on a disk that works.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs until told to stop. An error is a start that failed, or a stop that was cut short.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let (config, router) = load(path)?;
    vitals::log::start(&config.log);
    install_crypto();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(THREADS_MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("gateway")
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve(path, config, router));
    runtime.shutdown_timeout(STUCK_TIMEOUT);
    served
}

async fn serve(path: &Path, config: Config, router: Router) -> anyhow::Result<()> {
    info!(version = env!("CARGO_PKG_VERSION"), config = %path.display(), "telemetry-gateway starts");
    for unset in &config.tolerated {
        warn!("{}", unset.line(&path.display().to_string()));
    }
    // Signals first: one that comes while starting must not kill half-way.
    let mut signals =
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let mut reloader = Reloader::new(path, &config)?;
    let gateway = Arc::new(Gateway::new(&config.gateway, router).await?);
    let receiver = Receiver::bind(&config.receivers.otlp, Arc::clone(&gateway)).await?;
    let admin = Admin::bind(&config.admin, Arc::clone(&gateway)).await?;

    let deliveries = gateway.start();
    // Before anybody is listened to: the first request must not be told that the gateway is stopping.
    gateway.set_ready(true);
    let mut running = Running {
        deliveries,
        receiving: Task::start(|stop| receiver.run(stop)),
        administering: Task::start(|stop| admin.run(stop)),
    };
    info!(exporters = gateway.exporters(), "ready");

    let signal = loop {
        // A stop does not wait for a reload: what that has not come to is there at the next start.
        tokio::select! {
            biased;
            signal = signals.next() => break signal,
            () = reloader.reload_when_changed(&gateway, &mut running.deliveries) => {}
        }
    };
    info!(signal, "stopping");
    gateway.set_ready(false);
    let stopped = tokio::select! {
        () = running.stop(config.stop.grace.duration()) => Ok(()),
        signal = signals.next() => {
            error!(signal, "told to stop a second time; stopping at once");
            Err(anyhow::anyhow!("stopped at once by a second {signal}"))
        }
    };
    // A disk that hangs must not keep the process: what was confirmed is written already.
    if tokio::time::timeout(CLOSE_TIMEOUT, gateway.close()).await.is_err() {
        error!("the journal could not be closed in time");
    }
    info!("stopped");
    stopped
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// A task that ends some time after it is told to.
struct Task {
    stop: CancellationToken,
    handle: JoinHandle<()>,
}

impl Task {
    fn start<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce(CancellationToken) -> F) -> Self {
        let stop = CancellationToken::new();
        Task { handle: tokio::spawn(run(stop.clone())), stop }
    }

    /// Tells it to end and waits; from the deadline on it is cut off. Says whether it ended by itself.
    async fn stop(mut self, deadline: Instant) -> bool {
        self.stop.cancel();
        match timeout_at(deadline, &mut self.handle).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                error!(%error, "a task ended in a panic");
                true
            }
            Err(_) => {
                self.handle.abort();
                false
            }
        }
    }
}

/// What is to be stopped, in its order.
struct Running {
    receiving: Task,
    deliveries: Deliveries,
    administering: Task,
}

impl Running {
    /// Stops all within one grace time: a third of it at most is the clients', the rest the exporters'.
    async fn stop(self, grace: Duration) {
        let started_at = Instant::now();
        if !self.receiving.stop(started_at + grace / 3).await {
            warn!("some clients did not finish their requests in time");
        }
        let deadline = started_at + grace;
        let drained = self.deliveries.drain(deadline.saturating_duration_since(Instant::now()));
        // Exporters that are aborted end at their next await; one that never comes to it is not waited for.
        if timeout_at(deadline + STUCK_TIMEOUT, drained).await.is_err() {
            error!("an exporter is stuck");
        }
        // Health and status are answered to the end.
        self.administering.stop(deadline + STUCK_TIMEOUT).await;
    }
}
