//! The start: what the files say, made an index again.
//!
//! Two passes over the files, each of them in memory one after the other: the first learns who has settled what, the second
//! judges each record by it. So what is settled takes no memory, however much there is of it.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use prost::Message;
use tracing::warn;

use super::file::{Directory, Place};
use super::frame::Kind;
use super::message::{Progress, Record, Roster, Settled};
use super::roster::Register;
use super::scan::{LaterVersion, Whole, scan};
use super::{DiskConfig, FileFacts, Index, Newcomers, OpenError, Recovered, Rules, counted_bytes};
use crate::journal::memory::memory_bytes;
use crate::journal::state::{Cost, Slot, State};
use crate::journal::{Done, Needs, Retired};

/// So much of one stretch that cannot be read is kept for whoever wants to look at it.
const QUARANTINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Makes the index of a directory for consumers given by number and name.
pub(super) fn recover<N: Clone>(
    config: &DiskConfig,
    directory: &Directory,
    consumers: &[(usize, &str)],
    rules: &dyn Rules,
) -> Result<(Index<N>, Recovered), OpenError> {
    let path = config.directory.display().to_string();
    let io = |error| OpenError::Io { path: path.clone(), error };
    directory.sweep().map_err(io)?;
    let mut survey = Survey::default();
    for base in directory.bases().map_err(io)? {
        survey.read(directory, base, config.file_bytes()).map_err(|error| match error {
            ReadError::Io(error) => io(error),
            ReadError::LaterVersion(LaterVersion(version)) => OpenError::LaterVersion { path: path.clone(), version },
        })?;
    }
    let mut state = State::new(config.share_bytes(consumers.len()));
    let mut recovered = Recovered { torn: survey.torn, ..Recovered::default() };
    for (number, _) in consumers {
        state.admit(*number);
        recovered.waiting.insert(*number, 0);
    }
    let mut judge = Judge {
        directory,
        consumers,
        rules,
        fingerprint: rules.fingerprint(),
        newcomers: config.newcomers,
        register: survey.register,
        state,
        recovered,
        retired: BTreeMap::new(),
    };
    for (base, facts) in &mut survey.files {
        judge.read(*base, facts).map_err(io)?;
    }
    let Judge { mut state, mut recovered, retired, .. } = judge;
    state.skip_to(survey.next.max(1));
    recovered.damaged.append(&mut survey.damaged);
    recovered.records = state.records();
    recovered.file_bytes = survey.files.values().map(|file| file.bytes).sum();
    recovered.retired = retired.into_iter().collect();
    let index = Index {
        state,
        files: survey.files,
        names: consumers.iter().map(|(number, name)| (*number, (*name).to_owned())).collect(),
        spare_bytes: 0,
        damaged_stretches: recovered.damaged.len() as u64,
        unwritable: None,
    };
    Ok((index, recovered))
}

enum ReadError {
    Io(std::io::Error),
    LaterVersion(LaterVersion),
}

/// The first pass.
#[derive(Default)]
struct Survey {
    register: Register,
    files: BTreeMap<u64, FileFacts>,
    next: u64,
    damaged: Vec<String>,
    torn: usize,
}

impl Survey {
    /// Takes in a file; those with smaller bases came before.
    fn read(&mut self, directory: &Directory, base: u64, file_bytes: u64) -> Result<(), ReadError> {
        let bytes = directory.read(base).map_err(ReadError::Io)?;
        let scanned = scan(&bytes, base).map_err(ReadError::LaterVersion)?;
        let mut facts = FileFacts::new(bytes.len() as u64);
        facts.close(file_bytes);
        self.next = self.next.max(base);
        self.torn += usize::from(scanned.torn);
        for stretch in scanned.damaged {
            self.quarantine(directory, base, stretch.start, &bytes[stretch]);
        }
        for Whole { frame, offset, payload } in scanned.frames {
            self.next = self.next.max(frame.position + u64::from(frame.kind == Kind::Record));
            if let Err(error) = self.note(frame.kind, frame.position, payload) {
                warn!(base, offset, %error, "a frame of the journal is whole and holds no message");
                self.quarantine(directory, base, offset, &bytes[offset..offset + frame.bytes()]);
            }
        }
        self.files.insert(base, facts);
        Ok(())
    }

    fn note(&mut self, kind: Kind, position: u64, payload: Bytes) -> Result<(), prost::DecodeError> {
        match kind {
            Kind::Roster => self.register.note_roster(position, Roster::decode(payload)?),
            Kind::Settled => self.register.note_settled(position, &Settled::decode(payload)?),
            Kind::Progress => self.register.note_progress(&Progress::decode(payload)?),
            Kind::Record => {
                Record::decode(payload)?;
            }
        }
        Ok(())
    }

    fn quarantine(&mut self, directory: &Directory, base: u64, offset: usize, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(QUARANTINE_BYTES_MAX)];
        let place = match directory.quarantine(base, offset, bytes) {
            Ok(path) => format!("kept in {}", path.display()),
            Err(error) => format!("not kept: {error}"),
        };
        self.damaged.push(format!("{} bytes at {offset} of file {base}, {place}", bytes.len()));
    }
}

/// The second pass.
struct Judge<'a, N> {
    directory: &'a Directory,
    consumers: &'a [(usize, &'a str)],
    rules: &'a dyn Rules,
    fingerprint: Vec<u8>,
    newcomers: Newcomers,
    register: Register,
    state: State<N, Place>,
    recovered: Recovered,
    retired: BTreeMap<String, Retired>,
}

impl<N: Clone> Judge<'_, N> {
    fn read(&mut self, base: u64, facts: &mut FileFacts) -> Result<(), std::io::Error> {
        let bytes = self.directory.read(base)?;
        // What is wrong with it was told by the first pass.
        let frames = scan(&bytes, base).map(|scan| scan.frames).unwrap_or_default();
        let mut names = HashMap::new();
        let mut is_current = false;
        for Whole { frame, offset, payload } in frames {
            match frame.kind {
                Kind::Settled | Kind::Progress => {}
                Kind::Roster => {
                    let Ok(roster) = Roster::decode(payload) else { continue };
                    is_current = roster.rules == self.fingerprint;
                    names = roster.consumers.into_iter().map(|consumer| (consumer.number, consumer.name)).collect();
                }
                Kind::Record => {
                    let Ok(record) = Record::decode(payload) else { continue };
                    facts.newest = facts.newest.max(record.received_at());
                    let place = Place { file: base, offset: offset as u32, length: frame.length };
                    let (weight, items, held_bytes) = (record.weight, record.items, record.held_bytes());
                    let needs = self.needs(frame.position, record, &names, is_current);
                    if needs.is_empty() {
                        continue;
                    }
                    let progress = self.progress(frame.position, &needs);
                    for (number, weight) in needs.iter() {
                        let done: u32 =
                            progress.iter().filter(|(known, _)| *known == number).map(|(_, done)| done.weight).sum();
                        *self.recovered.waiting.entry(number).or_default() += u64::from(weight.saturating_sub(done));
                    }
                    facts.live += 1;
                    facts.live_bytes += u64::from(place.length);
                    let (bytes, memory_bytes) = (counted_bytes(place), memory_bytes(held_bytes, items));
                    let cost = Cost { bytes, memory_bytes, weight };
                    self.state.append(frame.position, Slot::new(needs, None, place, cost));
                    for (number, done) in progress {
                        self.state.note(number, frame.position, &[done]);
                    }
                }
            }
        }
        Ok(())
    }

    /// What of a record those who need it are done with.
    fn progress(&self, position: u64, needs: &Needs) -> Vec<(usize, Done)> {
        let named = self.consumers.iter().filter(|(number, _)| needs.weight_of(*number) > 0);
        let of_one = |(number, name): &(usize, &str)| {
            let done = self.register.progress(name, position).iter();
            done.map(|done| (*number, *done)).collect::<Vec<_>>()
        };
        named.flat_map(of_one).collect()
    }

    /// Who needs a record now.
    fn needs(&mut self, position: u64, record: Record, names: &HashMap<u32, String>, is_current: bool) -> Needs {
        let needs = record.needs();
        let once: Vec<(&str, u32)> =
            needs.iter().filter_map(|(number, weight)| Some((names.get(&(number as u32))?.as_str(), weight))).collect();
        let still: Vec<(&str, u32)> =
            once.iter().copied().filter(|(name, _)| self.register.still_needs(name, position)).collect();
        if still.is_empty() {
            return Needs::default();
        }
        for (name, weight) in &still {
            if !self.consumers.iter().any(|(_, known)| known == name) {
                let retired = self.retired.entry((*name).to_owned()).or_default();
                retired.records += 1;
                retired.weight += u64::from(*weight);
            }
        }
        if is_current {
            let number_of = |name| self.consumers.iter().find(|(_, known)| *known == name).map(|(number, _)| *number);
            return Needs::new(still.iter().filter_map(|(name, weight)| Some((number_of(*name)?, *weight))));
        }
        self.recovered.rerouted = true;
        let Some(batch) = record.into_batch() else {
            self.recovered.damaged.push(format!("record {position} cannot be inflated"));
            return Needs::default();
        };
        // By the rules in force; but nobody gets again what they have had.
        let may_have = |(number, _): &(usize, u32)| {
            let Some((_, name)) = self.consumers.iter().find(|(known, _)| known == number) else { return false };
            if once.iter().any(|(known, _)| known == name) {
                still.iter().any(|(known, _)| known == name)
            } else {
                self.register.knows(name) || self.newcomers == Newcomers::Oldest
            }
        };
        Needs::new(self.rules.needs(&batch).iter().filter(may_have))
    }
}

#[cfg(test)]
mod tests {
    /// What a batch takes in memory is told from its record without inflating it.
    #[test]
    fn the_size_in_memory_is_known_without_the_body() {
        use super::*;
        use crate::otlp::{Batch, Signal};
        let body = Bytes::from_static(b"0123456789");
        let received_at = std::time::SystemTime::UNIX_EPOCH;
        let batch = Batch { signal: Signal::Logs, body, original: None, items: 1, weight: 1, received_at };
        let written = Record::new(&batch, &Needs::default()).written();
        let record = Record::decode(Bytes::from([&written.head[..], &written.body[..]].concat())).unwrap();
        assert_eq!(record.held_bytes(), batch.held_bytes());
    }
}
