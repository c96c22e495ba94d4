//! [`Lives`]: the processes that the gateway was in a round, one after the other.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Kill,
    Stop,
}

#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub started_at: Instant,
    /// From the start to readiness; none if it ended before.
    pub recovery: Option<Duration>,
    /// When it was told to end, when it was gone, and how.
    pub end: Option<(Instant, Instant, End)>,
}

/// Lives are numbered from 1, so that 0 is before all of them.
pub struct Lives {
    lives: Mutex<Vec<Life>>,
    /// The number of the process that accepts connections now.
    up: watch::Sender<Option<u32>>,
}

impl Default for Lives {
    fn default() -> Self {
        Self { lives: Mutex::default(), up: watch::Sender::new(None) }
    }
}

impl Lives {
    fn lives(&self) -> MutexGuard<'_, Vec<Life>> {
        self.lives.lock().expect("no holder of the lock can panic")
    }

    pub fn current(&self) -> u32 {
        self.lives().len() as u32
    }

    pub fn all(&self) -> Vec<Life> {
        self.lives().clone()
    }

    pub fn begin(&self) {
        self.lives().push(Life { started_at: Instant::now(), recovery: None, end: None });
    }

    pub fn ready(&self) {
        let mut lives = self.lives();
        if let Some(life) = lives.last_mut() {
            life.recovery = Some(life.started_at.elapsed());
        }
        self.up.send_replace(Some(lives.len() as u32));
    }

    /// Notes that the process is about to be told to end.
    pub fn ending(&self, end: End) {
        let now = Instant::now();
        if let Some(life) = self.lives().last_mut() {
            life.end = Some((now, now, end));
        }
        self.up.send_replace(None);
    }

    pub fn ended(&self) {
        if let Some((_, gone_at, _)) = self.lives().last_mut().and_then(|life| life.end.as_mut()) {
            *gone_at = Instant::now();
        }
    }

    /// Follows which process accepts connections.
    pub fn follow(&self) -> watch::Receiver<Option<u32>> {
        self.up.subscribe()
    }
}
