//! The other trial: ten times what journal and vendors can take, and what it comes to in memory and files.
//!
//! ```text
//! 24 clients with large requests ┐             ┌▶ honeycomb: refuses connections
//! 72 clients with tiny ones      ┴▶ gateway ───┼▶ xray: reads and never answers
//!                                   │ journal  └▶ rollbar: answers 429
//!        VmHWM, files, books, answers: each below its bound
//! ```
//!
//! | promise | is broken if |
//! |---|---|
//! | memory is bounded | the peak of the process's memory passes [`Limits::memory_ceiling`] |
//! | files are bounded | all files of the journal together pass [`Limits::files_ceiling`] at any look |
//! | clients are answered | one hears nothing, loses its connection, or hears anything but 200 or 503 |
//! | what goes makes way | with `drop_oldest` anybody hears that the journal is full; with `refuse` anything is dropped |
//! | the books are exact | the identity fails in any scrape, or accepted is not what was acknowledged |

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::ceiling::{Limits, Places};
use crate::fault::{After, Fault};
use crate::flood::{Flood, Tally};
use crate::gateway::{Gateway, log_tail};
use crate::kind::Kind;
use crate::lives::Lives;
use crate::scrape::{Scraper, Scrapes};
use crate::vendor::Vendor;

/// So many times its capacity is offered to the journal at least.
const CAPACITIES: u64 = 10;
/// However slow the machine is.
const FLOOD_TIME_MAX: Duration = Duration::from_mins(1);
const SCRAPE_TIME_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const MOODS: [(Kind, Fault); 3] =
    [(Kind::Honeycomb, Fault::Closed), (Kind::Xray, Fault::Stall), (Kind::Rollbar, Fault::Status(429, After::Seconds))];
const WAYS: [&str; 2] = ["drop_oldest", "refuse"];
const FULL: &str = "journal is full";

/// What one flood came to.
struct Outcome {
    offered: u64,
    files_bytes_max: u64,
    resident_peak_bytes: u64,
    tally: Tally,
    scrapes: Scrapes,
    took: Duration,
}

/// Runs both floods; whether every promise was kept. The directories of one that was not are kept by the caller.
pub async fn run(binary: &Path, directory: &Path, durability: &str, lasts: Duration) -> anyhow::Result<bool> {
    let limits = Limits::SMALL;
    println!(
        "{} connections, journal on {durability} of {} MiB, memory ceiling {:.1} MiB, files {:.1} MiB; gateway {}",
        Flood::connections(),
        limits.journal_max >> 20,
        mib(limits.memory_ceiling(Flood::connections())),
        mib(limits.files_ceiling()),
        binary.display()
    );
    let mut kept = true;
    for when_full in WAYS {
        let directory = directory.join(when_full);
        let outcome = flood(binary, &directory, durability, when_full, &limits, lasts).await?;
        let violations = violations(&outcome, when_full, &limits);
        print(&outcome, when_full, &limits);
        for violation in &violations {
            println!("  ✗ {violation}");
        }
        if !violations.is_empty() {
            println!("  kept: {}\n  end of its log:\n{}", directory.display(), log_tail(&directory));
            kept = false;
        }
    }
    Ok(kept)
}

async fn flood(
    binary: &Path,
    directory: &Path,
    durability: &str,
    when_full: &str,
    limits: &Limits,
    lasts: Duration,
) -> anyhow::Result<Outcome> {
    let lives = Arc::new(Lives::default());
    let vendor = |(kind, fault)| {
        let vendor = Vendor::start(kind, 0, Arc::clone(&lives))?;
        vendor.set(fault);
        anyhow::Ok(vendor)
    };
    let vendors = [vendor(MOODS[0])?, vendor(MOODS[1])?, vendor(MOODS[2])?];
    let mut gateway = Gateway::new(binary.to_owned(), directory.to_owned(), Arc::clone(&lives))?;
    let places = Places {
        otlp: gateway.otlp.address,
        admin: gateway.admin.address,
        vendors: [0, 1, 2].map(|index: usize| vendors[index].address),
        directory: &gateway.journal(),
        durability,
        when_full,
    };
    gateway.write_by_rename(&limits.yaml(&places))?;
    gateway.spawn()?;
    gateway.wait_ready().await?;
    let mut scraper = Scraper::start(gateway.admin.address, Arc::clone(&lives));
    let started_at = Instant::now();
    let flood = Flood::start(gateway.otlp.address)?;
    let files = gateway.journal().join("journal");
    let mut files_bytes_max = 0;
    while started_at.elapsed() < FLOOD_TIME_MAX
        && (started_at.elapsed() < lasts || flood.offered() < CAPACITIES * limits.journal_capacity())
    {
        tokio::time::sleep(LOOK_EVERY).await;
        gateway.check_alive()?;
        files_bytes_max = files_bytes_max.max(files_bytes(&files));
    }
    let offered = flood.offered();
    let tally = flood.end().await;
    let resident_peak_bytes = resident_peak_bytes(gateway.pid()?)?;
    let scrapes = tokio::time::timeout(SCRAPE_TIME_MAX, scraper.next()).await.context("/status is silent")??;
    let took = started_at.elapsed();
    gateway.stop().await?;
    Ok(Outcome { offered, files_bytes_max, resident_peak_bytes, tally, scrapes, took })
}

fn violations(outcome: &Outcome, when_full: &str, limits: &Limits) -> Vec<String> {
    let Outcome { offered, files_bytes_max, resident_peak_bytes, tally, scrapes, .. } = outcome;
    let mut violations = scrapes.violations.clone();
    let mut hold = |holds: bool, words: String| {
        if !holds {
            violations.push(words);
        }
    };
    let memory_ceiling = limits.memory_ceiling(Flood::connections());
    hold(
        *resident_peak_bytes <= memory_ceiling,
        format!("memory: {:.1} MiB are more than the ceiling of {:.1}", mib(*resident_peak_bytes), mib(memory_ceiling)),
    );
    hold(
        *files_bytes_max <= limits.files_ceiling(),
        format!("files: {:.1} MiB are more than {:.1}", mib(*files_bytes_max), mib(limits.files_ceiling())),
    );
    hold(
        *offered >= CAPACITIES * limits.journal_capacity(),
        format!("only {:.1} MiB were offered within {FLOOD_TIME_MAX:?}", mib(*offered)),
    );
    hold(tally.hung == 0, format!("{} requests were not answered", tally.hung));
    hold(tally.broken.is_empty(), format!("connections broke: {:?}", tally.broken));
    for (text, count) in &tally.refused {
        hold(text.starts_with("503"), format!("{count} requests were answered with {text}"));
        if when_full == "drop_oldest" {
            hold(!text.contains(FULL), format!("{count} requests were refused though something could go: {text}"));
        }
    }
    let Some((.., books)) = &scrapes.newest else {
        violations.push("/status was never read".to_owned());
        return violations;
    };
    for kind in Kind::ALL {
        let figures = books.get(kind.name()).cloned().unwrap_or_default();
        let acknowledged = if kind == Kind::Rollbar { tally.acknowledged_errors } else { tally.acknowledged_spans };
        hold(
            figures.accepted == acknowledged,
            format!("{}: {acknowledged} were acknowledged: {figures:?}", kind.name()),
        );
        let allowed = if when_full == "refuse" { 0 } else { figures.dropped.get("journal_full").copied().unwrap_or(0) };
        hold(figures.dropped_total() == allowed, format!("{}: dropped without need: {figures:?}", kind.name()));
    }
    violations
}

fn print(outcome: &Outcome, when_full: &str, limits: &Limits) {
    let Outcome { offered, files_bytes_max, resident_peak_bytes, tally, scrapes, took } = outcome;
    println!(
        "{when_full}: {:.0} s, {:.1} times the journal's capacity offered; peak memory {:.1} MiB, files {:.1} MiB; {} requests \
         acknowledged, {} refused, slowest answer {} ms; {} scrapes",
        took.as_secs_f64(),
        *offered as f64 / limits.journal_capacity() as f64,
        mib(*resident_peak_bytes),
        mib(*files_bytes_max),
        tally.acknowledged_requests,
        tally.refused.values().sum::<u64>(),
        tally.slowest.as_millis(),
        scrapes.count
    );
    for (text, count) in &tally.refused {
        println!("  {count} x {text}");
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// Of everything in a directory; what goes while it is read counts for nothing.
fn files_bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

/// The highest that a process's memory ever was. <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
fn resident_peak_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: u64 = line.split_ascii_whitespace().next().context("an empty VmHWM")?.parse()?;
    Ok(kib * 1024)
}
