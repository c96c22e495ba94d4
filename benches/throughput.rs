//! Throughput of the gateway: CPU per span, as a multiple of a bare byte mover measured beside it.
//!
//! One program plays all parts, each in a process of its own:
//!
//! ```text
//!  load ──▶ gateway, or mover ──▶ sink          each box a process; the middle one is measured
//!    └───── how much has arrived? ──┘
//! ```
//!
//! Every case runs in pairs, byte mover and gateway in turn, because absolute times on shared machines mean little.
//! What is measured, how to run it and how to read it: benches/README.md.

#[path = "throughput/arguments.rs"]
mod arguments;
#[path = "support/binary.rs"]
mod binary;
#[path = "throughput/cases.rs"]
mod cases;
#[path = "throughput/client.rs"]
mod client;
#[path = "throughput/corpus.rs"]
mod corpus;
#[path = "throughput/counts.rs"]
mod counts;
#[path = "support/draw.rs"]
mod draw;
#[path = "throughput/histogram.rs"]
mod histogram;
#[path = "throughput/idle.rs"]
mod idle;
#[path = "throughput/load.rs"]
mod load;
#[path = "throughput/measure.rs"]
mod measure;
#[path = "throughput/mover.rs"]
mod mover;
#[path = "throughput/pinning.rs"]
mod pinning;
#[path = "throughput/process.rs"]
mod process;
#[path = "throughput/recovery.rs"]
mod recovery;
#[path = "throughput/report.rs"]
mod report;
#[path = "throughput/role.rs"]
mod role;
#[path = "throughput/sink.rs"]
mod sink;
#[path = "throughput/span_counter.rs"]
mod span_counter;
#[path = "throughput/usage.rs"]
mod usage;
#[path = "throughput/wire.rs"]
mod wire;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::arguments::{Arguments, USAGE};
use crate::binary::gateway_binary;
use crate::cases::{Case, Exporters};
use crate::measure::{Measurement, Setup, Subject, measure, yardstick};
use crate::pinning::Pinning;
use crate::report::{JsonLines, Pair, Summary};
use crate::role::ROLE_PREFIX;

const WARM_UP: Duration = Duration::from_millis(500);

fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args().skip(1).peekable();
    if let Some(role) = words.next_if(|word| word.starts_with(ROLE_PREFIX)) {
        let argument = words.next().unwrap_or_default();
        match &role[ROLE_PREFIX.len()..] {
            "sink" => sink::run()?,
            "mover" => mover::run(argument.parse()?)?,
            "load" => load::run(&serde_json::from_str(&argument)?)?,
            other => anyhow::bail!("role `{other}` is unknown"),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let Some(arguments) = arguments::parse(words)? else {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    run(&arguments)
}

/// Runs everything asked for; fails when a count was not exact or a case could not run, never because of a speed.
fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("no target folder")?;
    let setup = Setup {
        pinning: if arguments.pin { Pinning::detect() } else { Pinning::OFF },
        gateway: gateway_binary()?,
        directory: target.join(format!("tmp/throughput-{}", std::process::id())),
        duration: arguments.duration,
        warm_up: WARM_UP,
        durability: arguments.durability.clone(),
    };
    println!("{}", setup.pinning.describe());
    if let (Subject::Gateway, Some(gateway)) = (arguments.subject, &setup.gateway) {
        println!("gateway: {}", gateway.display());
    }
    let mut lines = JsonLines::create(&target.join("bench"))?;
    let mut summaries = Vec::new();
    let mut troubles = 0;
    for case in &arguments.cases {
        if arguments.subject == Subject::Mover && case.exporters == Exporters::Xray {
            println!("{}: left out, the byte mover speaks OTLP only", case.name);
            continue;
        }
        match run_case(&setup, arguments, case, &mut lines) {
            Ok(summary) => {
                troubles += usize::from(!summary.exact);
                summaries.push(summary);
            }
            Err(problem) => {
                troubles += 1;
                eprintln!("{}: DID NOT RUN: {problem:#}", case.name);
            }
        }
    }
    if !summaries.is_empty() {
        report::print_table(&summaries);
    }
    if arguments.idle && arguments.subject == Subject::Gateway {
        match idle::measure_idle(&setup) {
            Ok(figures) => {
                report::print_idle(&figures);
                lines.write("idle", "idle", &figures)?;
            }
            Err(problem) => {
                troubles += 1;
                eprintln!("idle: DID NOT RUN: {problem:#}");
            }
        }
    }
    if arguments.recovery && arguments.subject == Subject::Gateway {
        match recovery::measure_recoveries(&setup) {
            Ok(recoveries) => {
                report::print_recoveries(&recoveries);
                for recovery in &recoveries {
                    troubles += recovery.problems.len();
                    lines.write("recovery", "recovery", recovery)?;
                }
            }
            Err(problem) => {
                troubles += 1;
                eprintln!("recovery: DID NOT RUN: {problem:#}");
            }
        }
    }
    if setup.directory.exists() {
        std::fs::remove_dir_all(&setup.directory)?;
    }
    Ok(if troubles == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_case(
    setup: &Setup,
    arguments: &Arguments,
    case: &'static Case,
    lines: &mut JsonLines,
) -> anyhow::Result<Summary> {
    let mut pairs = Vec::new();
    let beside = case.beside.and_then(Case::find);
    for round in 0..arguments.rounds {
        let subject = || measure(setup, arguments.subject, case);
        let beside = || beside.map(|case| measure(setup, arguments.subject, case)).transpose();
        // The order alternates, so that a machine that slows down or warms up favours neither.
        let pair = if round % 2 == 0 {
            let mover = yardstick(setup, case)?;
            let beside = beside()?;
            Pair { mover, beside, subject: subject()? }
        } else {
            let subject = subject()?;
            let beside = beside()?;
            Pair { mover: yardstick(setup, case)?, beside, subject }
        };
        let show =
            |m: &Measurement| format!("{:.3} us/span at {:.0} spans/s", m.us_per_span(), m.spans as f64 / m.seconds);
        let of_beside = pair.beside.as_ref().zip(case.beside);
        eprintln!(
            "{} {}/{}: mover {},{} {:?} {}, ratio {:.2}",
            case.name,
            round + 1,
            arguments.rounds,
            show(&pair.mover),
            of_beside.map(|(beside, name)| format!(" {name} {},", show(beside))).unwrap_or_default(),
            arguments.subject,
            show(&pair.subject),
            pair.ratio()
        );
        for problem in pair.problems() {
            eprintln!("{}: NOT EXACT: {problem}", case.name);
        }
        lines.write("pair", case.name, &pair)?;
        pairs.push(pair);
    }
    let summary = Summary::of(case, arguments.subject, &pairs);
    lines.write("summary", case.name, &summary)?;
    Ok(summary)
}
