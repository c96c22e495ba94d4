//! One round: a fresh directory, three vendors, a gateway, clients; trouble by plan; then the reckoning.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::check::{Evidence, Findings, check};
use crate::draw::Draw;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::kind::Kind;
use crate::lives::Lives;
use crate::load::Load;
use crate::plan::{Action, Event, Notice, Plan, Way};
use crate::scrape::Scraper;
use crate::settings::{Places, Settings};
use crate::vendor::Vendor;

/// Everything is over by then, whatever hangs.
const ROUND_TIME_MAX: Duration = Duration::from_mins(1);
/// From the moment on when every vendor is healthy.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(20);

/// What all rounds share.
pub struct Setup {
    pub binary: PathBuf,
    pub durability: String,
}

/// What a round came to.
pub struct Outcome {
    pub findings: Findings,
    pub took: Duration,
}

struct Stage<'a> {
    setup: &'a Setup,
    vendors: [Vendor; 3],
    gateway: Gateway,
    settings: Settings,
    draw: Draw,
    reloads: u64,
}

/// Runs a round in `directory`, which is made and kept. Nothing of it runs when this returns.
pub async fn run(setup: &Setup, plan: &Plan, directory: &Path) -> anyhow::Result<Outcome> {
    let started_at = Instant::now();
    let lives = Arc::new(Lives::default());
    let vendor = |kind: Kind| Vendor::start(kind, plan.seed ^ (kind as u64 + 1) << 56, Arc::clone(&lives));
    let mut draw = Draw::new(plan.seed ^ 0xc4a05);
    let mut stage = Stage {
        setup,
        vendors: [vendor(Kind::Honeycomb)?, vendor(Kind::Xray)?, vendor(Kind::Rollbar)?],
        gateway: Gateway::new(setup.binary.clone(), directory.to_owned(), Arc::clone(&lives))?,
        settings: Settings::draw(&mut draw),
        draw,
        reloads: 0,
    };
    stage.gateway.write_by_rename(&stage.yaml())?;
    stage.start().await?;
    let mut scraper = Scraper::start(stage.gateway.admin.address, Arc::clone(&lives));
    let begun_at = Instant::now();
    let until = begun_at + plan.load;
    let load =
        Load::start(stage.gateway.otlp.address, &lives, plan.connections, plan.poisons.clone(), plan.seed, until);
    let trouble = async {
        let played = stage.play(plan, begun_at).await;
        // Told even where the trouble got out of hand, so that what was lost is known.
        let sent = load.end().await;
        let settled = match played {
            Ok(()) => stage.settle(plan, &mut scraper).await,
            Err(problem) => Err(problem),
        };
        (sent, settled)
    };
    let (sent, settled) = tokio::time::timeout(ROUND_TIME_MAX, trouble)
        .await
        .with_context(|| format!("the round is not over after {ROUND_TIME_MAX:?}"))?;
    let scrapes = scraper.scrapes();
    let books = [0, 1, 2].map(|index: usize| std::mem::take(&mut *stage.vendors[index].books()));
    let evidence = Evidence { begun_at, sent, books, lives: lives.all(), scrapes };
    let mut findings = check(&evidence);
    findings.reloads = stage.reloads;
    if let Err(problem) = settled {
        findings.violations.insert(0, format!("{problem:#}"));
    }
    Ok(Outcome { findings, took: started_at.elapsed() })
}

impl Stage<'_> {
    fn yaml(&self) -> String {
        self.settings.yaml(&self.places(&self.gateway.journal()))
    }

    fn places<'a>(&'a self, journal: &'a Path) -> Places<'a> {
        Places {
            otlp: self.gateway.otlp.address,
            admin: self.gateway.admin.address,
            vendors: [0, 1, 2].map(|index: usize| self.vendors[index].address),
            journal,
            durability: &self.setup.durability,
        }
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        self.gateway.spawn()?;
        self.gateway.wait_ready().await
    }

    /// Makes the trouble that is planned, each at its time.
    async fn play(&mut self, plan: &Plan, begun_at: Instant) -> anyhow::Result<()> {
        for (at, action) in &plan.actions {
            tokio::time::sleep_until((begun_at + *at).into()).await;
            match action {
                Action::Vendor(kind, fault) => self.vendors[*kind as usize].set(*fault),
                Action::Gateway(event) => self.happen(*event).await?,
            }
        }
        Ok(())
    }

    async fn happen(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Kill => {
                self.gateway.kill().await?;
                self.restart().await
            }
            Event::KillTwice(after) => {
                self.gateway.kill().await?;
                self.drain().await?;
                self.gateway.spawn()?;
                tokio::time::sleep(after).await;
                self.gateway.kill().await?;
                self.restart().await
            }
            Event::Stop => {
                self.gateway.stop().await?;
                self.restart().await
            }
            Event::Reload(way, notice) => {
                self.settings.redraw_one(&mut self.draw);
                self.write(&self.yaml(), way, notice)
            }
            Event::Renew(way, notice) => {
                self.settings.renew_key();
                self.write(&self.yaml(), way, notice)
            }
            Event::Break(way, notice, lasts) => {
                let mut draw = Draw::new(self.draw.below(u64::MAX));
                let broken = self.settings.broken_yaml(&self.places(&self.gateway.journal()), &mut draw);
                self.write(&broken, way, notice)?;
                tokio::time::sleep(lasts).await;
                self.write(&self.yaml(), way, notice)
            }
        }
    }

    async fn restart(&mut self) -> anyhow::Result<()> {
        self.drain().await?;
        self.start().await
    }

    /// A dead process's requests are its own, not its successor's.
    async fn drain(&self) -> anyhow::Result<()> {
        for vendor in &self.vendors {
            vendor.drain().await?;
        }
        Ok(())
    }

    fn write(&mut self, text: &str, way: Way, notice: Notice) -> anyhow::Result<()> {
        self.reloads += 1;
        match way {
            Way::Rename => self.gateway.write_by_rename(text)?,
            Way::InPlace => self.gateway.write_in_place(text)?,
        }
        if notice == Notice::Signal { self.gateway.hang_up() } else { self.gateway.check_alive() }
    }

    /// Makes every vendor healthy, waits until nothing waits, and stops the gateway.
    async fn settle(&mut self, plan: &Plan, scraper: &mut Scraper) -> anyhow::Result<()> {
        for vendor in &self.vendors {
            vendor.set(Fault::Healthy);
        }
        if let Some(last) = plan.last {
            self.happen(last).await?;
        }
        self.gateway.check_alive()?;
        let life = self.gateway.lives.current();
        let settled = tokio::time::timeout(SETTLE_TIME_MAX, scraper.wait_settled(life)).await;
        self.gateway.check_alive()?;
        settled
            .with_context(|| format!("something still waits {SETTLE_TIME_MAX:?} after every vendor is healthy"))??;
        self.gateway.stop().await
    }
}
