//! The command line: `cargo bench --bench throughput -- [options] [case…]`.

use std::time::Duration;

use anyhow::Context as _;

use crate::cases::{CASES, Case};
use crate::measure::Subject;

pub const USAGE: &str = "\
usage: cargo bench --bench throughput -- [options] [case...]
cases: otlp-plain otlp-gzip grpc xray all plain-process plain-disk low-rate low-rate-disk idle recovery
       (none named: all of them)
  --quick            3 pairs of 1 second instead of 5 of 3
  --rounds N         pairs of measurements a case
  --seconds S        length of each measurement
  --no-pin           do not give the process under test a core of its own
  --durability WORD  the journal's key in gateway.yaml, where the case does not say it (memory)
  --subject mover    the byte mover in the gateway's place: checks the benchmark itself
environment: GATEWAY = path of another gateway binary than the one cargo built";

pub struct Arguments {
    pub cases: Vec<&'static Case>,
    pub idle: bool,
    pub recovery: bool,
    pub rounds: usize,
    pub duration: Duration,
    pub pin: bool,
    pub durability: String,
    pub subject: Subject,
}

/// Reads the arguments after the program's name; none when only help is asked for, or `cargo test` is running.
pub fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Option<Arguments>> {
    let mut words = arguments.peekable();
    if words.peek().is_none() {
        // `cargo bench` always says `--bench`; without it, `cargo test --all-targets` is asking whether this starts.
        return Ok(None);
    }
    let mut parsed = Arguments {
        cases: Vec::new(),
        idle: false,
        recovery: false,
        rounds: 5,
        duration: Duration::from_secs(3),
        pin: true,
        durability: "memory".to_owned(),
        subject: Subject::Gateway,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--bench" => {}
            "--help" | "-h" => return Ok(None),
            "--quick" => (parsed.rounds, parsed.duration) = (3, Duration::from_secs(1)),
            "--rounds" => parsed.rounds = value()?.parse::<usize>().context("--rounds")?.max(1),
            "--seconds" => {
                parsed.duration =
                    Duration::try_from_secs_f64(value()?.parse().context("--seconds")?).context("--seconds")?;
            }
            "--no-pin" => parsed.pin = false,
            "--durability" => parsed.durability = value()?,
            "--subject" => {
                parsed.subject = match value()?.as_str() {
                    "mover" => Subject::Mover,
                    "gateway" => Subject::Gateway,
                    other => anyhow::bail!("subject `{other}` is unknown: gateway or mover"),
                }
            }
            "idle" => parsed.idle = true,
            "recovery" => parsed.recovery = true,
            name => {
                let case = Case::find(name).with_context(|| format!("case `{name}` is unknown\n{USAGE}"))?;
                parsed.cases.push(case);
            }
        }
    }
    if parsed.cases.is_empty() && !parsed.idle && !parsed.recovery {
        parsed.cases = CASES.iter().collect();
        (parsed.idle, parsed.recovery) = (true, true);
    }
    Ok(Some(parsed))
}
