//! A start with a full journal: how long until it is ready, and what memory that takes.
//!
//! ```text
//! load ─▶ gateway ─▶ ✗ nobody listens     until the journal's files hold 1 GiB; kill -9
//!         gateway, again and again        the same files, with the rules they were written under, then with others
//! ```
//!
//! With other rules each record is routed anew, for which compressed ones are inflated. The files were written a moment
//! before, so that they are read from the system's cache: what a crash leaves, not what a reboot does.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

use crate::cases::{Exporters, Journal, gateway_yaml};
use crate::counts;
use crate::load::{Expects, LoadPlan};
use crate::measure::Setup;
use crate::pinning::Place;
use crate::process::{Gateway, Role};
use crate::report::median;
use crate::usage::Memory;
use crate::wire::{Encoding, Protocol};

/// Issue 3 asks for it, with [`FILES_BYTES`] in the journal.
pub const READY_MS_BAR: f64 = 5000.0;
pub const IDLE: Duration = Duration::from_secs(5);
const FILES_BYTES: u64 = 1024 * 1024 * 1024;
/// Records may take three quarters of it.
const JOURNAL_BYTES_MAX: &str = "2GiB";
/// A port below those that are given to anybody, and whose service nobody runs: connecting is refused.
const VENDOR_AWAY: ([u8; 4], u16) = ([127, 0, 0, 1], 1);
const STARTS: usize = 3;
const READY_TIME_MAX: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_micros(500);
/// The load runs so long at a time, between looks at the size of the files.
const FILL_STEP: Duration = Duration::from_millis(250);
/// In which nothing is acknowledged any more: the gateway refuses.
const FILL_STEPS_IDLE_MAX: u32 = 20;

/// One way to start.
#[derive(Debug, Serialize)]
pub struct Recovery {
    pub what: String,
    pub files_bytes: u64,
    /// Protobuf before compression, as it was acknowledged.
    pub telemetry_bytes: u64,
    pub records: u64,
    /// From the start of the process until `/readyz` says 200: median and highest of several starts.
    pub ready_ms: f64,
    pub ready_ms_slowest: f64,
    /// Of the last start.
    pub memory: Memories,
    /// What is not as it was acknowledged, for people.
    pub problems: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct Memories {
    pub at_ready: Memory,
    /// After [`IDLE`].
    pub idle: Memory,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Routes {
    Same,
    Changed,
}

/// What was acknowledged.
#[derive(Clone, Copy, Default, Debug)]
struct Filled {
    records: u64,
    spans: u64,
    telemetry_bytes: u64,
}

/// A journal with telemetry of one encoding.
struct Stage<'a> {
    setup: &'a Setup,
    encoding: Encoding,
    directory: &'a Path,
}

pub fn measure_recoveries(setup: &Setup) -> anyhow::Result<Vec<Recovery>> {
    let directory = setup.directory.join("recovery");
    let mut recoveries = Vec::new();
    for encoding in [Encoding::Identity, Encoding::Gzip] {
        let stage = Stage { setup, encoding, directory: &directory };
        let filled = stage.fill()?;
        for routes in [Routes::Same, Routes::Changed] {
            recoveries.push(stage.measure(routes, filled)?);
        }
    }
    Ok(recoveries)
}

impl Stage<'_> {
    fn yaml(&self, listen: [SocketAddr; 3], routes: Routes) -> String {
        let journal =
            Journal { directory: &self.directory.join("journal"), durability: "disk", bytes_max: JOURNAL_BYTES_MAX };
        let yaml = gateway_yaml(Exporters::Otlp(self.encoding), listen, VENDOR_AWAY.into(), journal);
        match routes {
            Routes::Same => yaml,
            Routes::Changed => {
                yaml.replace("routes: []", "routes: [ { name: nobody, when: { name: nobody }, to: [] } ]")
            }
        }
    }

    fn files_bytes(&self) -> anyhow::Result<u64> {
        let mut bytes = 0;
        for entry in std::fs::read_dir(self.directory.join("journal/journal"))? {
            let metadata = entry?.metadata()?;
            bytes += if metadata.is_file() { metadata.len() } else { 0 };
        }
        Ok(bytes)
    }

    /// Sends until the files are full, then kills the gateway: dropping it does that.
    fn fill(&self) -> anyhow::Result<Filled> {
        let command = self.setup.pinning.command(Place::UnderTest, self.setup.gateway()?);
        let gateway = Gateway::start(command, self.directory, |listen| self.yaml(listen, Routes::Same))?;
        let sink = Role::sink(self.setup.pinning)?;
        let mut load = Role::load(
            self.setup.pinning,
            &LoadPlan {
                target: gateway.http,
                protocol: Protocol::Http.name().to_owned(),
                encoding: self.encoding.name().to_owned(),
                requests_per_second: None,
                sink: sink.address()?,
                // Nothing arrives anywhere, and the senders must not wait for it.
                expects: Expects { otlp: false, xray: false, rollbar: false },
            },
        )?;
        let mut filled = Filled::default();
        let mut idle_steps = 0;
        while self.files_bytes()? < FILES_BYTES {
            let sent = load.run_load(FILL_STEP)?;
            filled.records += sent.requests;
            filled.spans += sent.spans;
            filled.telemetry_bytes += sent.message_bytes;
            idle_steps = if sent.requests == 0 { idle_steps + 1 } else { 0 };
            anyhow::ensure!(
                idle_steps < FILL_STEPS_IDLE_MAX && sent.failed == 0,
                "the journal cannot be filled: {}\n{}",
                sent.trouble_first.unwrap_or_default(),
                gateway.log_tail()
            );
        }
        eprintln!("recovery: {} records of {} acknowledged", filled.records, self.encoding.name());
        Ok(filled)
    }

    fn measure(&self, routes: Routes, filled: Filled) -> anyhow::Result<Recovery> {
        let what = match (self.encoding, routes) {
            (encoding, Routes::Same) => format!("compression {}", encoding.name()),
            (encoding, Routes::Changed) => format!("compression {}, other routes", encoding.name()),
        };
        let files_bytes = self.files_bytes()?;
        let (mut ready_ms, mut problems) = (Vec::new(), Vec::new());
        let mut memory = None;
        for start in 1..=STARTS {
            let command = self.setup.pinning.command(Place::UnderTest, self.setup.gateway()?);
            let gateway = Gateway::start_again(command, self.directory, |listen| self.yaml(listen, routes))?;
            wait_ready(&gateway)?;
            ready_ms.push(gateway.started.elapsed().as_secs_f64() * 1e3);
            let at_ready = Memory::read(gateway.pid())?;
            let waiting = waiting(&gateway)?;
            if waiting != filled.spans {
                problems.push(format!(
                    "{what}: {} spans were acknowledged, {waiting} wait after start {start}",
                    filled.spans
                ));
            }
            if start == STARTS {
                std::thread::sleep(IDLE);
                memory = Some(Memories { at_ready, idle: Memory::read(gateway.pid())? });
            }
        }
        for problem in &problems {
            eprintln!("recovery: NOT EXACT: {problem}");
        }
        Ok(Recovery {
            what,
            files_bytes,
            telemetry_bytes: filled.telemetry_bytes,
            records: filled.records,
            ready_ms_slowest: ready_ms.iter().copied().fold(0.0, f64::max),
            ready_ms: median(ready_ms),
            memory: memory.context("no start")?,
            problems,
        })
    }
}

fn wait_ready(gateway: &Gateway) -> anyhow::Result<()> {
    let begun_at = Instant::now();
    while let Err(problem) = counts::get(gateway.admin, "/readyz") {
        anyhow::ensure!(
            begun_at.elapsed() < READY_TIME_MAX,
            "the gateway is not ready after {READY_TIME_MAX:?}: {problem:#}\n{}",
            gateway.log_tail()
        );
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// How many spans `/status` says are to be delivered.
fn waiting(gateway: &Gateway) -> anyhow::Result<u64> {
    let status: serde_json::Value = serde_json::from_str(&counts::get(gateway.admin, "/status")?)?;
    status["exporters"]["otlp"]["waiting"].as_u64().with_context(|| format!("no exporter in {status}"))
}
