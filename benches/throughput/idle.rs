//! The figures of a gateway that has nothing to do: start, memory, wake-ups, size of the binary.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cases::Exporters;
use crate::client::{Client, Verdict};
use crate::corpus;
use crate::measure::{Setup, start_gateway};
use crate::pinning::{Pinning, Place};
use crate::process::Role;
use crate::report::median;
use crate::usage::{Memory, wake_ups};
use crate::wire::{Encoding, Protocol};

const STARTS: usize = 5;
const SETTLE: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
pub struct IdleFigures {
    /// Before the first request, with all three exporters configured.
    pub resident_bytes: u64,
    pub wake_ups_per_second: f64,
    pub binary_bytes: u64,
    /// From the start of the process to the answer to its first request; median of several starts, not pinned.
    pub start_ms: f64,
}

pub fn measure_idle(setup: &Setup) -> anyhow::Result<IdleFigures> {
    let binary = setup.gateway()?;
    let sink = Role::sink(setup.pinning)?;
    let start_ms = (0..STARTS).map(|_| start_ms(setup, &sink)).collect::<anyhow::Result<Vec<_>>>()?;

    let gateway = start_gateway(setup, Place::UnderTest, Exporters::All, &setup.durability, sink.address()?)?;
    std::thread::sleep(SETTLE);
    let resident_bytes = Memory::read(gateway.pid())?.resident_bytes;
    let (wakes, since) = (wake_ups(gateway.pid())?, Instant::now());
    std::thread::sleep(IDLE);
    let woken = wake_ups(gateway.pid())?.saturating_sub(wakes);
    Ok(IdleFigures {
        resident_bytes,
        wake_ups_per_second: woken as f64 / since.elapsed().as_secs_f64(),
        binary_bytes: std::fs::metadata(binary)?.len(),
        start_ms: median(start_ms),
    })
}

/// Starts a gateway without `taskset`, whose own start would be counted, and sends one request as soon as it can.
fn start_ms(setup: &Setup, sink: &Role) -> anyhow::Result<f64> {
    let first = corpus::build(Protocol::Http, Encoding::Identity)?.swap_remove(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let unpinned = Setup { pinning: Pinning::OFF, ..setup.clone() };
    let gateway = start_gateway(&unpinned, Place::UnderTest, Exporters::All, &setup.durability, sink.address()?)?;
    runtime.block_on(async {
        let mut client = Client::connect(gateway.http, Protocol::Http, Encoding::Identity).await?;
        match client.export(first.body).await? {
            Verdict::Accepted { .. } => Ok(gateway.started.elapsed().as_secs_f64() * 1e3),
            Verdict::Later(text) | Verdict::Failed(text) => anyhow::bail!("the first request was not accepted: {text}"),
        }
    })
}
