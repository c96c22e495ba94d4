//! The command line: `cargo test --bench chaos -- [options]`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

pub const USAGE: &str = "\
usage: cargo test --bench chaos -- [options]            (cargo bench for an optimised gateway)
       cargo test --bench chaos -- bounds [--seconds N] [--durability WORD] [--keep]
  --rounds N         how many rounds (20)
  --seed S           of the first round; the next ones count on (drawn, and printed)
  --no-kill          no process ends before its round does
  --no-reload        gateway.yaml stays as it is
  --durability WORD  the journal's key (disk, where the gateway knows it, else memory)
  --keep             keep the directories of good rounds, too
  bounds             no rounds: more than gateway and vendors can take, and what memory and files come to
  --seconds N        how long that is kept up at least, each of two times (8)
environment: GATEWAY = path of another gateway binary than the one cargo built";

const ROUNDS_DEFAULT: u64 = 20;
const FLOOD_DEFAULT: Duration = Duration::from_secs(8);

pub struct Arguments {
    pub rounds: u64,
    pub seed: u64,
    pub kills: bool,
    pub reloads: bool,
    pub durability: Option<String>,
    pub keep: bool,
    /// The other trial, and how long.
    pub bounds: Option<Duration>,
}

/// Reads the arguments after the program's name; none when nothing is asked for: a plain `cargo bench`, or `cargo test
/// --all-targets`, only wants to know that this starts.
pub fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Option<Arguments>> {
    let mut words = arguments.filter(|word| word != "--bench").peekable();
    if words.peek().is_none() {
        return Ok(None);
    }
    let mut parsed = Arguments {
        rounds: ROUNDS_DEFAULT,
        seed: SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64 % 1_000_000 * 1000,
        kills: true,
        reloads: true,
        durability: None,
        keep: false,
        bounds: None,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--rounds" => parsed.rounds = value()?.parse().context("--rounds")?,
            "--seed" => parsed.seed = value()?.parse().context("--seed")?,
            "--no-kill" => parsed.kills = false,
            "--no-reload" => parsed.reloads = false,
            "--durability" => parsed.durability = Some(value()?),
            "--keep" => parsed.keep = true,
            "bounds" => parsed.bounds = parsed.bounds.or(Some(FLOOD_DEFAULT)),
            "--seconds" => parsed.bounds = Some(Duration::from_secs(value()?.parse().context("--seconds")?)),
            "--help" | "-h" => return Ok(None),
            other => anyhow::bail!("`{other}` is unknown\n{USAGE}"),
        }
    }
    Ok(Some(parsed))
}
