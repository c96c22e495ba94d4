//! How an exporter is doing: what `/status` shows, and what the log says when it changes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tracing::{error, info, warn};

use crate::exporter::contract::Reason;

/// Losses are logged at most so often; in between they are summed up.
const LOSS_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The longest part of a vendor's message that is kept.
const MESSAGE_CHARS_MAX: usize = 300;

/// An exporter's state in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing has failed since the last success.
    #[default]
    Ok,
    /// The last try failed; it will be tried again.
    Retrying,
    /// Several tries in a row failed; one request at a time is tried.
    Open,
    /// The vendor refuses the credentials; everything is kept.
    Unauthorized,
    /// The vendor refused the last request for good; what it refused is dropped and counted.
    Refusing,
    /// Converts and shows, sends nothing.
    Preview,
}

impl State {
    /// Every state with its name in `/status` and metrics.
    pub const NAMES: [(&'static str, State); 6] = [
        ("ok", State::Ok),
        ("retrying", State::Retrying),
        ("open", State::Open),
        ("unauthorized", State::Unauthorized),
        ("refusing", State::Refusing),
        ("preview", State::Preview),
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// What was last seen of an exporter.
#[derive(Debug)]
pub struct Health {
    exporter: String,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    last_error: Option<LastError>,
    failures: u64,
    requests: u64,
    unlogged_losses: u64,
    losses_logged_at: Option<Instant>,
    fruitless_at: Option<Instant>,
}

/// The newest complaint of a vendor.
#[derive(Debug, Clone)]
pub struct LastError {
    pub at: SystemTime,
    pub message: String,
}

/// A copy of the state for showing.
#[derive(Debug, Clone)]
pub struct Report {
    pub state: State,
    pub last_error: Option<LastError>,
    /// Requests that were tried, and those of them that failed.
    pub requests: u64,
    pub failures: u64,
}

impl Health {
    pub fn new(exporter: &str, state: State) -> Self {
        Health { exporter: exporter.to_owned(), inner: Mutex::new(Inner { state, ..Inner::default() }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A report of the past is never worth a panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes, loudly, that nothing is sent.
    pub fn begin_preview(&self) {
        self.inner().state = State::Preview;
        warn!(exporter = self.exporter, "PREVIEW: converts and shows what it would send, sends nothing");
    }

    /// Notes that credentials came after all.
    pub fn end_preview(&self) {
        self.inner().state = State::Ok;
        info!(exporter = self.exporter, "credentials found: the preview ends, sending begins");
    }

    /// The exporter's name.
    pub fn exporter(&self) -> &str {
        &self.exporter
    }

    /// Notes an attempt that was refused for good.
    pub fn refused(&self, answer: &str) {
        let mut inner = self.inner();
        inner.requests += 1;
        inner.failures += 1;
        inner.state = State::Refusing;
        inner.last_error = Some(LastError { at: SystemTime::now(), message: shorten(answer) });
    }

    /// Notes that of a whole request, cut down to its items, nothing was taken.
    pub fn note_fruitless(&self) {
        self.inner().fruitless_at = Some(Instant::now());
    }

    /// Whether that was less than so long ago.
    pub fn is_fruitless(&self, rest: Duration) -> bool {
        self.inner().fruitless_at.is_some_and(|at| at.elapsed() < rest)
    }

    pub fn succeeded(&self) {
        let mut inner = self.inner();
        inner.requests += 1;
        if inner.state != State::Ok && inner.state != State::Preview {
            inner.state = State::Ok;
            info!(exporter = self.exporter, "exporter recovered");
        }
    }

    /// Notes a failure that will be tried again.
    pub fn failed(&self, state: State, message: &str) {
        let answer = shorten(message);
        let mut inner = self.inner();
        inner.requests += 1;
        inner.failures += 1;
        if inner.state != state {
            match state {
                State::Unauthorized => {
                    error!(exporter = self.exporter, answer, "not let in; keeping everything until that is mended");
                }
                State::Open => {
                    warn!(exporter = self.exporter, answer, "sending keeps failing; trying one request at a time");
                }
                _ => warn!(exporter = self.exporter, answer, "send failed; will retry"),
            }
        }
        inner.state = state;
        inner.last_error = Some(LastError { at: SystemTime::now(), message: answer });
    }

    /// Notes items given up.
    pub fn lost(&self, weight: u32, reason: Reason, message: &str) {
        if weight == 0 {
            return;
        }
        let answer = shorten(message);
        let mut inner = self.inner();
        inner.unlogged_losses += u64::from(weight);
        let now = Instant::now();
        if inner.losses_logged_at.is_none_or(|at| now - at >= LOSS_LOG_INTERVAL) {
            error!(exporter = self.exporter, items = inner.unlogged_losses, reason, answer, "items dropped");
            inner.unlogged_losses = 0;
            inner.losses_logged_at = Some(now);
        }
        inner.last_error = Some(LastError { at: SystemTime::now(), message: format!("{reason}: {answer}") });
    }

    pub fn report(&self) -> Report {
        let inner = self.inner();
        Report {
            state: inner.state,
            last_error: inner.last_error.clone(),
            requests: inner.requests,
            failures: inner.failures,
        }
    }
}

/// A vendor's words on one line and within a length: they go into the log, where they must not draw lines of their own.
pub(super) fn shorten(message: &str) -> String {
    let line = message.chars().map(|character| if character.is_control() { ' ' } else { character });
    let mut short: String = line.take(MESSAGE_CHARS_MAX).collect();
    if message.chars().nth(MESSAGE_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}
