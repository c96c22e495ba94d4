//! Chaos: the built binary under load, killed, stopped and reloaded, with vendors that fail in every way they can.
//!
//! ```text
//!  clients ──▶ gateway (a process: kill -9, SIGTERM, SIGHUP) ──▶ honeycomb, xray, rollbar (stand-ins in this process)
//!     └── what each was told ──▶ the reckoning ◀── what each took, refused and answered ──┘
//!                                      ▲ /status every 50 ms
//! ```
//!
//! Each round begins in a fresh directory and is drawn from a seed, so that its plan can be had again; the scheduling of
//! the machine cannot. At its end every acknowledged span must be at each of its vendors. How to run and to read it:
//! benches/README.md.

#[path = "chaos/abilities.rs"]
mod abilities;
#[path = "chaos/arguments.rs"]
mod arguments;
#[path = "support/binary.rs"]
mod binary;
#[path = "chaos/books.rs"]
mod books;
#[path = "chaos/bounds.rs"]
mod bounds;
#[path = "chaos/ceiling.rs"]
mod ceiling;
#[path = "chaos/check.rs"]
mod check;
#[path = "support/draw.rs"]
mod draw;
#[path = "chaos/fault.rs"]
mod fault;
#[path = "chaos/flood.rs"]
mod flood;
#[path = "chaos/gateway.rs"]
mod gateway;
#[path = "chaos/http_get.rs"]
mod http_get;
#[path = "chaos/http_request.rs"]
mod http_request;
#[path = "chaos/key.rs"]
mod key;
#[path = "chaos/kind.rs"]
mod kind;
#[path = "chaos/lives.rs"]
mod lives;
#[path = "chaos/load.rs"]
mod load;
#[path = "chaos/plan.rs"]
mod plan;
#[path = "chaos/port.rs"]
mod port;
#[path = "chaos/report.rs"]
mod report;
#[path = "chaos/request.rs"]
mod request;
#[path = "chaos/round.rs"]
mod round;
#[path = "chaos/scrape.rs"]
mod scrape;
#[path = "chaos/settings.rs"]
mod settings;
#[path = "chaos/vendor.rs"]
mod vendor;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, USAGE};
use crate::binary::gateway_binary;
use crate::plan::{Allowed, Plan};
use crate::report::Summary;
use crate::round::Setup;

fn main() -> anyhow::Result<ExitCode> {
    let Some(arguments) = arguments::parse(std::env::args().skip(1))? else {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        // Told to end, it ends its gateway too: dropping a round does that.
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            ended = run(&arguments) => ended,
            _ = terminate.recv() => anyhow::bail!("told to end by SIGTERM"),
            _ = tokio::signal::ctrl_c() => anyhow::bail!("told to end by SIGINT"),
        }
    })
}

/// Runs all rounds, also behind one that fails; the directories of those that fail are kept.
async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = target.join(format!("chaos-{}", std::process::id()));
    let binary = gateway_binary()?.context("no gateway: set GATEWAY")?;
    let probes = directory.join("probes");
    let durability = match &arguments.durability {
        Some(word) => word.clone(),
        None => {
            std::fs::create_dir_all(&probes)?;
            abilities::durability(&binary, &probes).await?
        }
    };
    if let Some(lasts) = arguments.bounds {
        let kept = bounds::run(&binary, &directory, &durability, lasts).await?;
        if kept && !arguments.keep {
            std::fs::remove_dir_all(&directory)?;
        }
        return Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let reloads = arguments.reloads && abilities::reloads(&binary, &probes, &durability).await?;
    let allowed = Allowed { kills: arguments.kills, reloads };
    println!(
        "{} rounds from seed {}, journal on {durability}, {}, {}; gateway {}",
        arguments.rounds,
        arguments.seed,
        if allowed.kills { "kills" } else { "NO KILLS" },
        if allowed.reloads { "reloads" } else { "NO RELOADS" },
        binary.display()
    );
    let setup = Setup { binary, durability };
    let mut summary = Summary::default();
    let started_at = Instant::now();
    for seed in arguments.seed..arguments.seed + arguments.rounds {
        let plan = Plan::draw(seed, allowed);
        let directory = directory.join(format!("seed-{seed}"));
        match round::run(&setup, &plan, &directory).await {
            Ok(outcome) => {
                summary.add(&plan, &outcome, &directory);
                if outcome.findings.violations.is_empty() && !arguments.keep {
                    std::fs::remove_dir_all(&directory)?;
                }
            }
            Err(problem) => summary.add_broken(&plan, &problem, &directory),
        }
    }
    let kept = summary.print(started_at.elapsed());
    if kept && !arguments.keep {
        std::fs::remove_dir_all(&directory)?;
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
