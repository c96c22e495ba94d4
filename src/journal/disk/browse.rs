//! Reads a journal without being its writer: for `replay`, beside a gateway that runs or without one.
//!
//! Files only ever grow, are replaced whole, or go: what is read is whole or recognised as not, and a file that goes
//! meanwhile held nothing that waits.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use prost::Message;

use super::file::{Directory, SystemDisk};
use super::frame::Kind;
use super::message::{Progress, Record, Roster, Settled};
use super::roster::Register;
use super::scan::{Whole, scan};
use crate::journal::Position;
use crate::otlp::Batch;

/// A record that the journal still has, needed or not.
#[derive(Debug)]
pub struct Kept {
    pub position: Position,
    pub batch: Batch,
    /// The consumers that have not settled it, by name: they will get it anyway.
    pub waiting: Vec<String>,
}

/// Shows every record of a directory that came within a time, oldest first.
pub fn browse(
    directory: &Path,
    from: SystemTime,
    to: SystemTime,
    mut each: impl FnMut(Kept) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let directory = Directory::new(directory.to_owned(), Arc::new(SystemDisk), false)?;
    let bases = directory.bases()?;
    let mut register = Register::default();
    for base in &bases {
        for Whole { frame, payload, .. } in frames(&directory, *base)? {
            match frame.kind {
                Kind::Roster => register.note_roster(frame.position, Roster::decode(payload)?),
                Kind::Settled => register.note_settled(frame.position, &Settled::decode(payload)?),
                Kind::Progress => register.note_progress(&Progress::decode(payload)?),
                Kind::Record => {}
            }
        }
    }
    for base in bases {
        let mut names: HashMap<u32, String> = HashMap::new();
        for Whole { frame, payload, .. } in frames(&directory, base)? {
            match frame.kind {
                Kind::Roster => {
                    let consumers = Roster::decode(payload)?.consumers;
                    names = consumers.into_iter().map(|consumer| (consumer.number, consumer.name)).collect();
                }
                Kind::Record => {
                    let record = Record::decode(payload)?;
                    if !(from..=to).contains(&record.received_at()) {
                        continue;
                    }
                    let needs = record.needs();
                    let named = needs.iter().filter_map(|(number, _)| names.get(&(number as u32)));
                    let waiting = named.filter(|name| register.still_needs(name, frame.position)).cloned().collect();
                    if let Some(batch) = record.into_batch() {
                        each(Kept { position: Position(frame.position), batch, waiting })?;
                    }
                }
                Kind::Settled | Kind::Progress => {}
            }
        }
    }
    Ok(())
}

/// The frames of a file; none where it is gone meanwhile, or a later build's.
fn frames(directory: &Directory, base: u64) -> io::Result<Vec<Whole>> {
    match directory.read(base) {
        Ok(bytes) => Ok(scan(&bytes, base).map(|scan| scan.frames).unwrap_or_default()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
