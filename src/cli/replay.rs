//! `replay`: to one exporter again, what its vendor refused, or what came within a time and is still kept.
//!
//! It reads the files beside a gateway that runs, and sends by itself: the gateway's books do not tell of it. What was
//! replayed is remembered, so that a replay that is repeated goes on where it ended.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail, ensure};
use tokio::time::Instant;

use super::{block_on, load};
use crate::delivery::dead_letters::{DeadLetters, Form, Letter, file_name};
use crate::exporter::Named;
use crate::exporter::contract::{Exporter, Fate, Outcome, Piece, Request};
use crate::exporter::pace::{Pace, Preview};
use crate::journal::Position;
use crate::journal::disk::{Kept, browse};
use crate::otlp::{Batch, Part, Signal};
use crate::router::Router;
use crate::stdx::backoff::{Backoff, random};
use crate::stdx::units::Interval;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration.
    #[arg(long, short, env = "TELEMETRY_GATEWAY_CONFIG", default_value = "gateway.yaml", value_name = "FILE")]
    config: PathBuf,
    /// The exporter, by its name in the configuration.
    #[arg(long, value_name = "NAME")]
    exporter: String,
    /// What its vendor refused for good, instead of what the journal keeps (journal.keep).
    #[arg(long)]
    dead_letters: bool,
    /// Only what came at that time or later: RFC 3339, or how long ago (`2h`).
    #[arg(long, value_name = "T", value_parser = parse_time)]
    from: Option<SystemTime>,
    /// Only what came at that time or before.
    #[arg(long, value_name = "T", value_parser = parse_time)]
    to: Option<SystemTime>,
    /// Spans, log records and data points a second at most.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Also what was replayed before.
    #[arg(long)]
    again: bool,
}

/// A vendor that is down is asked so often before a replay gives up.
const TRIES_MAX: u32 = 8;

fn parse_time(text: &str) -> Result<SystemTime, String> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.into());
    }
    let ago =
        text.parse::<Interval>().map_err(|_| "a time such as 2026-11-25T10:00:00Z, or how long ago: 2h".to_owned())?;
    SystemTime::now().checked_sub(ago.duration()).ok_or_else(|| "longer ago than time reaches".to_owned())
}

pub fn replay(arguments: &Arguments) -> anyhow::Result<()> {
    let (config, router) = load(&arguments.config)?;
    let names: Vec<&str> = config.gateway.exporters.iter().map(|named| named.name.value.as_str()).collect();
    let Some(seat) = names.iter().position(|name| *name == arguments.exporter) else {
        bail!("exporter `{}` is not defined; there are {}", arguments.exporter, names.join(", "));
    };
    let Named { config: exporter, .. } = &config.gateway.exporters[seat];
    ensure!(exporter.preview() != Preview::On, "exporter `{}` is in preview: it sends nothing", arguments.exporter);
    let within = Within {
        from: arguments.from.unwrap_or(SystemTime::UNIX_EPOCH),
        to: arguments.to.unwrap_or_else(|| SystemTime::now() + Duration::from_secs(1)),
    };
    block_on(async {
        let mut sender = Sender {
            exporter: exporter.build().await?,
            pace: exporter.pace(),
            rate: arguments.rate,
            not_before: Instant::now(),
            delivered: 0,
            left: 0,
        };
        if arguments.dead_letters {
            let journal = &config.gateway.journal;
            let Some(folder) = journal.dead_letters() else {
                bail!("no dead letters are kept: journal.dead_letters_max_bytes")
            };
            let dead_letters = DeadLetters::new(folder, journal.dead_letters_max_bytes.as_u64());
            sender.replay_letters(&dead_letters, &arguments.exporter, &within).await?;
        } else {
            let Some(disk) = config.gateway.journal.disk() else {
                bail!("the journal is in memory: nothing of it is kept")
            };
            let mut memory = Memory::open(&disk.directory, &arguments.exporter, arguments.again)?;
            let place = Place { seat, name: &arguments.exporter, router: &router };
            sender.replay_kept(&disk.directory, &place, &within, &mut memory).await?;
        }
        println!("{}: {} items replayed, {} not taken", arguments.exporter, sender.delivered, sender.left);
        ensure!(sender.left == 0, "not everything was taken");
        Ok(())
    })
}

/// A time from and to, both within.
struct Within {
    from: SystemTime,
    to: SystemTime,
}

/// The exporter's place in the rules.
struct Place<'a> {
    seat: usize,
    name: &'a str,
    router: &'a Router,
}

/// Sends, as fast as it may.
struct Sender {
    exporter: std::sync::Arc<dyn Exporter>,
    pace: Pace,
    rate: u32,
    not_before: Instant,
    delivered: u64,
    left: u64,
}

impl Sender {
    /// Sends each letter, and removes it when all of it was taken.
    async fn replay_letters(
        &mut self,
        dead_letters: &DeadLetters,
        exporter: &str,
        within: &Within,
    ) -> anyhow::Result<()> {
        for path in dead_letters.of(exporter)? {
            let text = match std::fs::read(&path) {
                Ok(text) => text,
                // It made way for a newer one meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
            };
            let letter: Letter =
                serde_json::from_slice(&text).with_context(|| format!("{} is no dead letter", path.display()))?;
            let at: jiff::Timestamp = letter.at.parse().with_context(|| format!("{} has no time", path.display()))?;
            if letter.exporter != exporter || !(within.from..=within.to).contains(&SystemTime::from(at)) {
                continue;
            }
            let signal = super::explain::parse_signal(&letter.signal).map_err(anyhow::Error::msg)?;
            let pieces = self.pieces_of(letter, signal);
            match self.send(signal, pieces).await? {
                None => std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?,
                Some(why) => println!("{}: not taken: {why}", path.display()),
            }
        }
        Ok(())
    }

    fn pieces_of(&self, letter: Letter, signal: Signal) -> Vec<Piece> {
        let Letter { form, pieces, .. } = letter;
        let encoded = pieces.into_iter().map(|piece| {
            let (weight, key) = (piece.weight, piece.key.map(Into::into));
            Piece { weight, bytes: piece.bytes.into(), original: None, key }
        });
        match form {
            Form::Encoded => encoded.collect(),
            Form::Otlp => {
                let parts = encoded.filter_map(|piece| {
                    let census = crate::otlp::check::check(signal, &piece.bytes).ok()?;
                    let (items, weight) = (census.items, census.weight);
                    let received_at = SystemTime::now();
                    Some(Part::whole(Batch { signal, body: piece.bytes, original: None, items, weight, received_at }))
                });
                parts.flat_map(|part| self.exporter.encode(&part).pieces).collect()
            }
        }
    }

    /// Sends what the rules in force give the exporter of each record, and remembers the record when all of it was taken.
    async fn replay_kept(
        &mut self,
        directory: &Path,
        place: &Place<'_>,
        within: &Within,
        memory: &mut Memory,
    ) -> anyhow::Result<()> {
        let Place { seat, name, router } = *place;
        let (sender, mut kept) = tokio::sync::mpsc::channel(1); // full: reading waits for sending
        let (directory, from, to) = (directory.to_owned(), within.from, within.to);
        let reading = tokio::task::spawn_blocking(move || {
            browse(&directory, from, to, |kept| sender.blocking_send(kept).context("sending has ended"))
        });
        while let Some(Kept { position, batch, waiting }) = kept.recv().await {
            let is_on_its_way = waiting.iter().any(|waiting| waiting == name);
            if is_on_its_way || memory.knows(position) || !self.exporter.takes(batch.signal) {
                continue;
            }
            let (routing, _) = router.route(&batch);
            if routing.weight_of(seat) == 0 {
                continue;
            }
            let (signal, part) = (batch.signal, Part { kept: routing.kept(seat), batch });
            let slices = part.slices(self.exporter.limits().items_max);
            let pieces: Vec<Piece> = slices.flat_map(|part| self.exporter.encode(&part).pieces).collect();
            match self.send(signal, pieces).await? {
                None => memory.note(position)?,
                Some(why) => println!("record {}: not taken: {why}", position.0),
            }
        }
        reading.await.context("reading the journal panicked")?
    }

    /// Sends pieces, several to a request; says why where one was refused for good. An error is a vendor that cannot be
    /// reached: there is no use in going on.
    async fn send(&mut self, signal: Signal, pieces: Vec<Piece>) -> anyhow::Result<Option<String>> {
        let limits = self.exporter.limits();
        let mut refused = None;
        let mut rest = &pieces[..];
        while let Some(first) = rest.first() {
            let mut bytes = 0;
            let fits = |piece: &&Piece| {
                bytes += piece.bytes.len();
                piece.key == first.key && (bytes <= limits.bytes_max || bytes == piece.bytes.len())
            };
            let count = rest.iter().take(limits.pieces_max.min(self.rate as usize)).take_while(fits).count().max(1);
            let (request, others) = rest.split_at(count);
            rest = others;
            if let Some(why) = self.send_request(signal, request.to_vec()).await? {
                refused = Some(why);
            }
        }
        Ok(refused)
    }

    async fn send_request(&mut self, signal: Signal, mut pieces: Vec<Piece>) -> anyhow::Result<Option<String>> {
        let weight = |pieces: &[Piece]| pieces.iter().map(|piece| u64::from(piece.weight)).sum::<u64>();
        let backoff =
            Backoff { delay_initial: self.pace.retry.initial.duration(), delay_max: self.pace.retry.max.duration() };
        for failures in 1..=TRIES_MAX {
            tokio::time::sleep_until(self.not_before).await;
            let attempt = self.exporter.send(Request { signal, pieces: &pieces });
            let outcome = tokio::time::timeout(self.pace.timeout, attempt)
                .await
                .unwrap_or_else(|_| Outcome::Retry { after: None, message: "no answer in time".to_owned() });
            self.not_before = Instant::now() + Duration::from_secs_f64(weight(&pieces) as f64 / f64::from(self.rate));
            let (after, message) = match outcome {
                Outcome::Accepted { except } => {
                    let mut left = Vec::new();
                    let mut why = None;
                    for exception in &except {
                        let Some(piece) = pieces.get(exception.piece) else { continue };
                        match exception.fate {
                            Fate::Retry => left.push(piece.clone()),
                            Fate::Drop(reason) => why = Some(format!("{reason}: {}", exception.message)),
                        }
                    }
                    let lost = weight(&pieces) - weight(&left);
                    if let Some(why) = why {
                        self.left += lost;
                        return Ok(Some(why));
                    }
                    self.delivered += lost;
                    if left.is_empty() {
                        return Ok(None);
                    }
                    pieces = left;
                    (None, "some of it was not taken".to_owned())
                }
                Outcome::AcceptedLess { rejected, message } => {
                    self.delivered += weight(&pieces).saturating_sub(u64::from(rejected));
                    self.left += u64::from(rejected);
                    return Ok((rejected > 0).then_some(message));
                }
                Outcome::Retry { after, message } => (after, message),
                Outcome::Unauthorized { message } => bail!("refuses the credentials or the path: {message}"),
                Outcome::TooLarge { message } | Outcome::Refused { message, .. } => {
                    self.left += weight(&pieces);
                    return Ok(Some(message));
                }
            };
            if failures == TRIES_MAX {
                bail!("gave up after {TRIES_MAX} tries: {message}");
            }
            eprintln!("will try again: {message}");
            let delay = backoff.delay(failures, random()).max(after.unwrap_or_default());
            self.not_before = self.not_before.max(Instant::now() + delay);
        }
        Ok(None)
    }
}

/// What was replayed to an exporter, by the positions of records: a line each.
struct Memory {
    known: BTreeSet<u64>,
    file: File,
}

impl Memory {
    /// Opens it; one replay at a time.
    fn open(directory: &Path, exporter: &str, again: bool) -> anyhow::Result<Self> {
        let folder = directory.join("replayed");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(file_name(exporter));
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
        ensure!(file.try_lock().is_ok(), "another replay to `{exporter}` is under way");
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
        let known = if again { BTreeSet::new() } else { text.lines().filter_map(|line| line.parse().ok()).collect() };
        Ok(Memory { known, file })
    }

    fn knows(&self, Position(position): Position) -> bool {
        self.known.contains(&position)
    }

    fn note(&mut self, Position(position): Position) -> anyhow::Result<()> {
        self.known.insert(position);
        Ok(writeln!(self.file, "{position}")?)
    }
}
