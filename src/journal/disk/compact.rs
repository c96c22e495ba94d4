//! Rewriting a file smaller: without the records that nobody needs, and of the others only what is still needed.
//!
//! An exporter that is down for hours and takes one item in fifty holds back a fiftieth of each file, not all of it.

use std::io;

use prost::Message;
use tracing::warn;

use super::file::Place;
use super::frame::{Frame, HEADER_BYTES, Kind, file_header};
use super::message::{Record, Written};
use super::roster::names_of;
use super::writer::Writer;
use super::{FileFacts, counted_bytes};
use crate::journal::{Needs, Position};
use crate::stdx::bit_set::BitSet;

/// Rewriting must save at least this part of a file.
const GAIN_MIN: u64 = 8;

/// A record of the file that is rewritten.
struct Live {
    position: u64,
    place: Place,
    needed_by: BitSet,
    needs: Needs,
}

impl<N: Clone + Send + Sync + 'static> Writer<N> {
    /// Rewrites the oldest files of whose records only a part is needed.
    pub(super) fn cut_oldest(&mut self, files_max: usize) {
        let is_worth_it = |file: &FileFacts| file.is_closed && file.cuttable_bytes * GAIN_MIN > file.live_bytes;
        let bases: Vec<u64> = {
            let index = self.shared.index();
            let worth = index.files.iter().filter(|(_, file)| is_worth_it(file));
            worth.map(|(base, _)| *base).take(files_max).collect()
        };
        for base in bases {
            self.rewrite_or_tell(base);
        }
    }

    /// Rewrites the files that waste most.
    pub(super) fn squeeze(&mut self, files_max: usize) {
        let mut wasteful: Vec<(u64, u64)> = {
            let index = self.shared.index();
            let closed = index.files.iter().filter(|(_, file)| file.is_closed);
            let wasted = closed.map(|(base, file)| (file.dead_bytes() + file.cuttable_bytes, file.bytes, *base));
            wasted
                .filter(|(wasted, bytes, _)| wasted * GAIN_MIN > *bytes)
                .map(|(wasted, _, base)| (wasted, base))
                .collect()
        };
        wasteful.sort_unstable_by(|one, other| other.cmp(one));
        for (_, base) in wasteful.into_iter().take(files_max) {
            self.rewrite_or_tell(base);
        }
    }

    fn rewrite_or_tell(&mut self, base: u64) {
        if let Err(error) = self.rewrite(base) {
            // The file is as it was; what cannot be made smaller makes way in the end.
            warn!(%error, base, "a file of the journal cannot be rewritten");
            if let Some(file) = self.shared.index().files.get_mut(&base) {
                file.cuttable_bytes = 0;
            }
        }
    }

    fn rewrite(&mut self, base: u64) -> io::Result<()> {
        let (live, roster) = {
            let index = self.shared.index();
            let end = index.files.range(base + 1..).next().map_or(u64::MAX, |(next, _)| *next);
            let live = index.state.range(base..end).map(|(position, slot)| {
                let (needed_by, needs) = (slot.needed_by(), slot.needs.clone());
                Live { position, place: slot.place, needed_by, needs: needs.within(needed_by) }
            });
            let live: Vec<Live> = live.filter(|live| live.place.file == base).collect();
            (live, names_of(&index, self.shared.rules.fingerprint()))
        };
        let old = self.shared.directory.read(base)?;
        let mut new = file_header(base).to_vec();
        push(&mut new, Kind::Roster, base, &[&roster.encode_to_vec()]);
        let mut moved = Vec::with_capacity(live.len());
        for Live { position, place, needed_by, needs } in live {
            let offset = place.offset as usize;
            let whole = old.get(offset..).and_then(Frame::read).filter(|frame| frame.position == position);
            let payload = offset + HEADER_BYTES..offset + HEADER_BYTES + place.length as usize;
            let whole = whole.filter(|frame| old.get(payload.clone()).is_some_and(|payload| frame.fits(payload)));
            // What cannot be read is found out by who needs it: nothing stands any more where it is looked for.
            let Some(record) = whole.and_then(|_| Record::decode(old.slice(payload)).ok()) else { continue };
            let batch = record.clone().into_batch();
            let cut = batch.and_then(|batch| self.shared.rules.cut(Position(position), &batch, needed_by));
            let record = cut.map_or(record, |cut| Record::spliced(&cut, &needs));
            let Written { head, body } = record.needed_by(&needs).written();
            let place = Place { file: base, offset: new.len() as u32, length: (head.len() + body.len()) as u32 };
            push(&mut new, Kind::Record, position, &[&head, &body]);
            moved.push((position, place));
        }
        self.shared.directory.replace(base, &new)?;
        let mut index = self.shared.index();
        let mut live_bytes = 0;
        for (position, place) in moved {
            // Who is still there: some may have been settled meanwhile.
            if index.state.get(position).is_some() {
                index.state.replace(position, place, counted_bytes(place));
                live_bytes += u64::from(place.length);
            }
        }
        if let Some(file) = index.files.get_mut(&base) {
            (file.bytes, file.live_bytes, file.cuttable_bytes) = (new.len() as u64, live_bytes, 0);
            file.is_full_sized = false;
        }
        Ok(())
    }
}

/// The file is put in place whole, so all in front of a frame is safe when the frame is.
fn push(file: &mut Vec<u8>, kind: Kind, position: u64, parts: &[&[u8]]) {
    let frame = Frame::new(kind, position, file.len() as u32, parts);
    file.extend_from_slice(&frame.header());
    for part in parts {
        file.extend_from_slice(part);
    }
    file.extend_from_slice(frame.padding());
}
