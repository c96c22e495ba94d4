//! One measurement: a fresh sink, a fresh process under test, a warm-up, a run, and a wait until all has arrived.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde::Serialize;

use crate::cases::{Case, Exporters, Journal, gateway_yaml};
use crate::counts::{self, Counts};
use crate::load::{Expects, LoadPlan, LoadResult};
use crate::pinning::{Pinning, Place};
use crate::process::{Gateway, Role};
use crate::usage::{CpuClock, CpuTime, Memory, wake_ups};
use crate::wire::{Encoding, Protocol};

const DRAIN_LOOK_EVERY: Duration = Duration::from_millis(5);
/// After this long without anything new at the sink, what is missing is reported as missing.
const DRAIN_STALL_MAX: Duration = Duration::from_secs(10);
/// How long duplicates have to show up after everything has arrived.
const SURPLUS_WAIT: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    Gateway,
    Mover,
}

/// What all measurements of one run of the benchmark share.
#[derive(Clone, Debug)]
pub struct Setup {
    pub pinning: Pinning,
    pub gateway: Option<PathBuf>,
    /// Each gateway gets a folder of its own in here.
    pub directory: PathBuf,
    pub duration: Duration,
    pub warm_up: Duration,
    pub durability: String,
}

impl Setup {
    pub fn gateway(&self) -> anyhow::Result<&Path> {
        self.gateway
            .as_deref()
            .context("no gateway binary: run by `cargo bench`, set GATEWAY to its path, or use `--subject mover`")
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    pub subject: Subject,
    pub spans: u64,
    pub requests: u64,
    /// From the first request to the arrival of the last body at the sink.
    pub seconds: f64,
    /// From the last answer to the arrival of the last body at the sink; 0 if it was there before.
    pub drain_seconds: f64,
    pub cpu: CpuTime,
    pub wake_ups: u64,
    pub memory: Memory,
    pub load: LoadResult,
    /// What the sink received during the run.
    pub sink_bytes: u64,
    pub sink_requests: u64,
    /// Differences between what was acknowledged and what arrived, for people; empty when counts are exact.
    pub problems: Vec<String>,
}

impl Measurement {
    /// CPU µs per acknowledged span; not finite when there was none.
    pub fn us_per_span(&self) -> f64 {
        self.cpu.total / self.spans as f64
    }

    pub fn us_per_request(&self) -> f64 {
        self.cpu.total / self.requests as f64
    }
}

/// Measures `case` with `subject` in the place of the server.
///
/// The byte mover has one destination whatever the case says. As the yardstick ([`yardstick`]) it also gets the plain
/// load whatever the case sends.
pub fn measure(setup: &Setup, subject: Subject, case: &Case) -> anyhow::Result<Measurement> {
    let sink = Role::sink(setup.pinning)?;
    let sink_address = sink.address()?;
    match subject {
        Subject::Gateway => {
            let durability = case.durability.unwrap_or(&setup.durability);
            let gateway = start_gateway(setup, Place::UnderTest, case.exporters, durability, sink_address)?;
            let target = if case.protocol == Protocol::Grpc { gateway.grpc } else { gateway.http };
            let run = run(setup, case, case.expects(), subject, target, gateway.pid(), sink_address);
            let mut measurement = run.map_err(|problem| problem.context(gateway.log_tail()))?;
            if !measurement.problems.is_empty() {
                let status = counts::get(gateway.admin, "/status").unwrap_or_else(|problem| format!("{problem:#}"));
                measurement.problems.push(format!("/status says: {status}"));
                measurement.problems.push(format!("the log ends: {}", gateway.log_tail()));
            }
            Ok(measurement)
        }
        Subject::Mover => {
            let mover = Role::mover(setup.pinning, sink_address)?;
            let expects = Expects { otlp: true, xray: false, rollbar: false };
            run(setup, case, expects, subject, mover.address()?, mover.pid(), sink_address)
        }
    }
}

/// Measures the byte mover with plain OTLP/HTTP at the rate of `case`: what every ratio is told against.
pub fn yardstick(setup: &Setup, case: &Case) -> anyhow::Result<Measurement> {
    let plain = Case { protocol: Protocol::Http, encoding: Encoding::Identity, ..*case };
    measure(setup, Subject::Mover, &plain)
}

/// Starts the gateway for `exporters`; it accepts connections when this returns.
pub fn start_gateway(
    setup: &Setup,
    place: Place,
    exporters: Exporters,
    durability: &str,
    sink: SocketAddr,
) -> anyhow::Result<Gateway> {
    let directory = setup.directory.join("gateway");
    let journal = Journal { directory: &directory.join("journal"), durability, bytes_max: "256MiB" };
    Gateway::start(setup.pinning.command(place, setup.gateway()?), &directory, |listen| {
        gateway_yaml(exporters, listen, sink, journal)
    })
}

fn run(
    setup: &Setup,
    case: &Case,
    expects: Expects,
    subject: Subject,
    target: SocketAddr,
    pid: u32,
    sink: SocketAddr,
) -> anyhow::Result<Measurement> {
    let mut load = Role::load(
        setup.pinning,
        &LoadPlan {
            target,
            protocol: case.protocol.name().to_owned(),
            encoding: case.encoding.name().to_owned(),
            requests_per_second: case.requests_per_second,
            sink,
            expects,
        },
    )?;
    let warm_up = load.run_load(setup.warm_up)?;
    let before = drain(sink, &Expected::of(expects, &[&warm_up]))?;

    let (cpu, wakes, start_us) = (CpuClock::read(pid)?, wake_ups(pid)?, unix_us());
    let result = load.run_load(setup.duration)?;
    let answered_us = unix_us();
    let expected = Expected::of(expects, &[&warm_up, &result]);
    let after = drain(sink, &expected)?;
    let cpu = CpuClock::read(pid)?.since(&cpu);
    let wake_ups = wake_ups(pid)?.saturating_sub(wakes);
    let memory = Memory::read(pid)?;
    std::thread::sleep(SURPLUS_WAIT);

    let mut problems = expected.compare(&counts::fetch(sink)?);
    for part in [&warm_up, &result] {
        if part.rejected + part.later + part.failed > 0 {
            problems.push(format!(
                "{} spans rejected, {} requests told to come later, {} failed; the first: {}",
                part.rejected,
                part.later,
                part.failed,
                part.trouble_first.as_deref().unwrap_or_default()
            ));
        }
    }
    Ok(Measurement {
        subject,
        spans: result.spans,
        requests: result.requests,
        seconds: after.latest_unix_us.max(answered_us).saturating_sub(start_us) as f64 / 1e6,
        drain_seconds: after.latest_unix_us.saturating_sub(answered_us) as f64 / 1e6,
        cpu,
        wake_ups,
        memory,
        sink_bytes: after.bytes() - before.bytes(),
        sink_requests: after.requests() - before.requests(),
        load: result,
        problems,
    })
}

/// What the sink should have counted since its start.
struct Expected {
    otlp_spans: u64,
    xray_documents: u64,
    rollbar_items: u64,
}

impl Expected {
    fn of(expects: Expects, runs: &[&LoadResult]) -> Self {
        let spans: u64 = runs.iter().map(|run| run.spans).sum();
        let exceptions: u64 = runs.iter().map(|run| run.exceptions).sum();
        Self {
            otlp_spans: if expects.otlp { spans } else { 0 },
            xray_documents: if expects.xray { spans } else { 0 },
            rollbar_items: if expects.rollbar { exceptions } else { 0 },
        }
    }

    fn has_arrived(&self, counts: &Counts) -> bool {
        counts.otlp_spans >= self.otlp_spans
            && counts.xray_documents >= self.xray_documents
            && counts.rollbar_items >= self.rollbar_items
    }

    fn compare(&self, counts: &Counts) -> Vec<String> {
        let rows = [
            ("OTLP spans", self.otlp_spans, counts.otlp_spans),
            ("X-Ray documents", self.xray_documents, counts.xray_documents),
            ("Rollbar items", self.rollbar_items, counts.rollbar_items),
        ];
        let mut problems: Vec<String> = rows
            .iter()
            .filter(|(_, expected, arrived)| expected != arrived)
            .map(|(what, expected, arrived)| match arrived.checked_sub(*expected) {
                Some(surplus) => format!("{what}: {surplus} MORE arrived than the {expected} acknowledged"),
                None => format!("{what}: {} of {expected} acknowledged DID NOT ARRIVE", expected - arrived),
            })
            .collect();
        if counts.refused > 0 {
            let first = counts.refused_first.as_deref().unwrap_or_default();
            problems.push(format!("the sink refused {} requests; the first: {first}", counts.refused));
        }
        problems
    }
}

/// Waits until the sink has what is expected, or nothing more comes.
fn drain(sink: SocketAddr, expected: &Expected) -> anyhow::Result<Counts> {
    let mut counts = counts::fetch(sink)?;
    let mut changed = Instant::now();
    while !expected.has_arrived(&counts) && changed.elapsed() < DRAIN_STALL_MAX {
        std::thread::sleep(DRAIN_LOOK_EVERY);
        let now = counts::fetch(sink)?;
        if now != counts {
            changed = Instant::now();
        }
        counts = now;
    }
    Ok(counts)
}

fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as u64)
}
