//! [`Scraper`]: reads `/status` all the time and holds every exporter's books to their identity.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::http_get::http_get;
use crate::lives::Lives;

const SCRAPE_EVERY: Duration = Duration::from_millis(50);
const VIOLATIONS_KEPT: usize = 5;

/// One exporter's books at one moment.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
pub struct Figures {
    pub accepted: u64,
    pub delivered: u64,
    pub dropped: BTreeMap<String, u64>,
    pub waiting: u64,
    pub state: String,
    pub last_error: Option<LastError>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct LastError {
    pub message: String,
}

#[derive(Deserialize)]
struct Status {
    exporters: BTreeMap<String, Figures>,
}

/// What all scrapes came to.
#[derive(Clone, Default, Debug)]
pub struct Scrapes {
    pub count: u64,
    pub violations: Vec<String>,
    /// The newest: when it was asked for, of which process, and its books.
    pub newest: Option<(Instant, u32, BTreeMap<String, Figures>)>,
}

pub struct Scraper {
    scrapes: watch::Receiver<Scrapes>,
    _task: AbortOnDropHandle<()>,
}

impl Figures {
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }

    fn balance(&self) -> bool {
        self.accepted == self.delivered + self.dropped_total() + self.waiting
    }
}

impl Scrapes {
    pub fn violate(&mut self, problem: String) {
        if self.violations.len() < VIOLATIONS_KEPT {
            self.violations.push(problem);
        }
    }

    /// Holds one answer against the promises.
    fn read(&mut self, body: &[u8], asked_at: Instant, life: u32) {
        let status: Status = match serde_json::from_slice(body) {
            Ok(status) => status,
            Err(problem) => return self.violate(format!("/status cannot be read: {problem}")),
        };
        self.count += 1;
        for (name, figures) in &status.exporters {
            if !figures.balance() {
                self.violate(format!("{name}: the books do not balance in process {life}: {figures:?}"));
            }
            let earlier = self.newest.as_ref().filter(|(_, of, _)| *of == life).and_then(|(.., known)| known.get(name));
            if let Some(earlier) = earlier
                && (figures.delivered < earlier.delivered || figures.dropped_total() < earlier.dropped_total())
            {
                self.violate(format!("{name}: what was settled is not any more: {earlier:?}, then {figures:?}"));
            }
        }
        self.newest = Some((asked_at, life, status.exporters));
    }
}

impl Scraper {
    pub fn start(admin: SocketAddr, lives: Arc<Lives>) -> Self {
        let (sender, scrapes) = watch::channel(Scrapes::default());
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let up = lives.follow();
            let mut interval = tokio::time::interval(SCRAPE_EVERY);
            loop {
                interval.tick().await;
                let (asked_at, life, before) = (Instant::now(), lives.current(), *up.borrow());
                let answer = http_get(admin, "/status").await;
                let (same_life, stays_up) = (lives.current() == life, before.is_some() && *up.borrow() == before);
                match answer {
                    Ok((200, body)) if same_life => sender.send_modify(|scrapes| scrapes.read(&body, asked_at, life)),
                    // While a process starts, ends or is killed nobody may be there.
                    _ if !stays_up => {}
                    Ok((status, _)) => sender.send_modify(|scrapes| scrapes.violate(format!("/status said {status}"))),
                    Err(problem) => sender.send_modify(|scrapes| scrapes.violate(format!("/status: {problem:#}"))),
                }
            }
        }));
        Self { scrapes, _task: task }
    }

    /// Waits until, in a scrape from now on, this process has nothing waiting.
    pub async fn wait_settled(&mut self, life: u32) -> anyhow::Result<()> {
        let since = Instant::now();
        let is_settled = |scrapes: &Scrapes| {
            scrapes.newest.as_ref().is_some_and(|(asked_at, of, books)| {
                *asked_at >= since && *of == life && books.values().all(|figures| figures.waiting == 0)
            })
        };
        self.scrapes.wait_for(is_settled).await?;
        Ok(())
    }

    /// Waits for a scrape that begins from now on; gives all that was seen until then.
    pub async fn next(&mut self) -> anyhow::Result<Scrapes> {
        let since = Instant::now();
        let is_new = |scrapes: &Scrapes| scrapes.newest.as_ref().is_some_and(|(asked_at, ..)| *asked_at >= since);
        Ok(self.scrapes.wait_for(is_new).await?.clone())
    }

    pub fn scrapes(&self) -> Scrapes {
        self.scrapes.borrow().clone()
    }
}
