//! What a process used, read from /proc: CPU time, memory, wake-ups.
//!
//! `stat` has user and system time in ticks of 10 ms, threads that ended included. `schedstat` of each thread has the
//! time on a core in nanoseconds, but forgets threads that ended. The total is taken from `schedstat` while no thread ended
//! and the two agree, else from `stat`, which may be 20 ms off; the split into user and system is always in proportion to `stat`.
//! Source: <https://www.kernel.org/doc/html/latest/filesystems/proc.html>, <https://www.kernel.org/doc/html/latest/scheduler/sched-stats.html>.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Linux shows clock ticks in this unit on every architecture in use, whatever the kernel's own rate.
const TICK_US: u64 = 10_000;
const TICKS_OF_DOUBT: u64 = 3;

#[derive(Debug)]
pub struct CpuClock {
    user_us: u64,
    system_us: u64,
    run_ns_by_thread: BTreeMap<PathBuf, u64>,
}

/// CPU time in microseconds between two readings of a [`CpuClock`].
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct CpuTime {
    pub total: f64,
    pub user: f64,
    pub system: f64,
}

impl CpuClock {
    pub fn read(pid: u32) -> anyhow::Result<Self> {
        let stat = read(pid, "stat")?;
        // The program's name is in parentheses and may hold anything; fields are counted after its end. The first
        // one there is field 3 of the manual; user and system time are 14 and 15.
        let fields = stat.rsplit_once(')').context("stat has no program name")?.1;
        let mut times = fields.split_ascii_whitespace().skip(14 - 3).map(str::parse::<u64>);
        let user = times.next().context("stat has no user time")??;
        let system = times.next().context("stat has no system time")??;
        let run_ns = |thread: PathBuf| {
            let text = fs::read_to_string(thread.join("schedstat")).ok()?;
            Some((thread, text.split_ascii_whitespace().next()?.parse().ok()?))
        };
        Ok(Self {
            user_us: user * TICK_US,
            system_us: system * TICK_US,
            run_ns_by_thread: threads(pid)?.into_iter().filter_map(run_ns).collect(),
        })
    }

    pub fn since(&self, earlier: &Self) -> CpuTime {
        let user_us = (self.user_us - earlier.user_us) as f64;
        let system_us = (self.system_us - earlier.system_us) as f64;
        let stat_us = user_us + system_us;
        let all_live = earlier.run_ns_by_thread.keys().all(|thread| self.run_ns_by_thread.contains_key(thread));
        let run_us = self.run_ns().saturating_sub(earlier.run_ns()) as f64 / 1e3;
        let agrees = (run_us - stat_us).abs() <= (TICKS_OF_DOUBT * TICK_US) as f64;
        let total_us = if all_live && agrees { run_us } else { stat_us };
        let user_share = if stat_us > 0.0 { user_us / stat_us } else { 0.0 };
        CpuTime { total: total_us, user: total_us * user_share, system: total_us * (1.0 - user_share) }
    }

    fn run_ns(&self) -> u64 {
        self.run_ns_by_thread.values().sum()
    }
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    pub resident_bytes: u64,
    pub resident_peak_bytes: u64,
}

impl Memory {
    pub fn read(pid: u32) -> anyhow::Result<Self> {
        let status = read(pid, "status")?;
        let kib = |name: &str| status_field(&status, name).with_context(|| format!("status has no {name}"));
        Ok(Self { resident_bytes: kib("VmRSS:")? * 1024, resident_peak_bytes: kib("VmHWM:")? * 1024 })
    }
}

/// Returns how often any of the process's threads went to sleep so far; it woke as often.
pub fn wake_ups(pid: u32) -> anyhow::Result<u64> {
    let count =
        |thread: &PathBuf| status_field(&fs::read_to_string(thread.join("status")).ok()?, "voluntary_ctxt_switches:");
    Ok(threads(pid)?.iter().filter_map(count).sum())
}

fn status_field(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

fn threads(pid: u32) -> anyhow::Result<Vec<PathBuf>> {
    let folder = fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("process {pid} is gone"))?;
    Ok(folder.filter_map(|entry| Some(entry.ok()?.path())).collect())
}

fn read(pid: u32, name: &str) -> anyhow::Result<String> {
    fs::read_to_string(format!("/proc/{pid}/{name}")).with_context(|| format!("process {pid} is gone"))
}
