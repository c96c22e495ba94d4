//! The thread that writes: what is queued becomes one group of frames, written at once, synced once, then told to all.
//!
//! ```text
//! queue ─▶ who may come in, who must go ─▶ frames ─▶ write ─▶ sync ─▶ index ─▶ answers
//!                                               ╰── the file is full: the next one ──╯
//! ```
//!
//! While one group is synced the next one gathers, so that a slow disk makes larger groups, and a fast one short waits.

use std::io::{self, IoSlice};
use std::mem::{swap, take};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use prost::Message;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::file::{Place, Tail};
use super::frame::{Frame, HEADER_BYTES, Kind};
use super::message::{Progress, Record, Settled, Written};
use super::roster::roster_of;
use super::{Append, FileFacts, Queue, Safety, Shared, counted_bytes, lock};
use crate::journal::memory::memory_bytes;
use crate::journal::state::{Cost, Slot};
use crate::journal::{AppendError, Done, Evicted, Needs, WhenFull};
use crate::otlp::Batch;
use crate::stdx::bit_set::BitSet;

/// While nothing can be written, it is tried so often.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// While something is kept for a time, it is looked at so often.
const KEEP_CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// So many files are rewritten for one group at most, each in some tens of milliseconds.
const REWRITES_MAX: usize = 2;

/// The thread's own.
pub(super) struct Writer<N> {
    pub(super) shared: Arc<Shared<N>>,
    /// `None` where the file before it failed and there is no next one yet.
    tail: Option<Tail>,
    /// Position of the next record.
    next: u64,
    /// Settled, and not written yet.
    unwritten: Vec<(u8, u64)>,
    /// The same of what is done with before it is settled.
    unwritten_progress: Vec<(u8, u64, Vec<Done>)>,
    /// Whether marks were in a group that could not be written: the next roster says the same.
    roster_due: bool,
    /// Records that went for others which then could not be written.
    untold: Vec<Evicted>,
}

/// Frames that are written together.
struct Group<N> {
    frames: Vec<Out>,
    records: Vec<Pending<N>>,
    bytes: u64,
    /// What the records count for.
    counted_bytes: usize,
}

/// One frame.
struct Out {
    header: [u8; HEADER_BYTES],
    head: Vec<u8>,
    body: Bytes,
    padding: &'static [u8],
}

/// A record that is to be written.
struct Pending<N> {
    position: u64,
    /// Of its frame in the group.
    offset: u64,
    length: u32,
    batch: Batch,
    needs: Needs,
    note: N,
    evicted: Vec<Evicted>,
    answer: oneshot::Sender<Result<Vec<Evicted>, AppendError>>,
}

impl<N> Default for Group<N> {
    fn default() -> Self {
        Group { frames: Vec::new(), records: Vec::new(), bytes: 0, counted_bytes: 0 }
    }
}

impl<N: Clone + Send + Sync + 'static> Writer<N> {
    /// Begins a file, and a thread.
    pub(super) fn start(shared: Arc<Shared<N>>) -> io::Result<JoinHandle<()>> {
        let next = shared.index().state.next();
        let mut writer = Writer {
            shared,
            tail: None,
            next,
            unwritten: Vec::new(),
            unwritten_progress: Vec::new(),
            roster_due: false,
            untold: Vec::new(),
        };
        let group = writer.begin_file()?;
        writer.put(&group)?;
        writer.tidy();
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run())
    }

    fn run(mut self) {
        loop {
            let work = self.wait();
            let (closing, stop) = (work.closing, work.stop);
            self.unwritten.extend(work.settled);
            self.unwritten_progress.extend(work.noted);
            self.write(work.appends, work.roster_changed);
            self.tidy();
            if let Some(closing) = closing {
                if let Err(error) = self.finish() {
                    warn!(%error, "the journal's last frame could not be written");
                }
                // Nobody is there to hear it when the runtime is gone.
                let _ = closing.send(());
            }
            if stop {
                return;
            }
        }
    }

    /// What there is to do; nothing where it is time to look around.
    fn wait(&self) -> Queue<N> {
        let timeout = self.patience();
        let mut queue = lock(&self.shared.queue);
        while queue.is_empty() {
            queue = match timeout {
                None => self.shared.bell.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let (queue, _) =
                        self.shared.bell.wait_timeout(queue, timeout).unwrap_or_else(PoisonError::into_inner);
                    return take_all(queue);
                }
            };
        }
        take_all(queue)
    }

    /// How long it may sleep: for ever, unless something is to be tried again or thrown away.
    fn patience(&self) -> Option<Duration> {
        let index = self.shared.index();
        if index.unwritable.is_some() {
            return Some(RETRY_DELAY);
        }
        let keeps =
            !self.shared.config.keep.is_zero() && index.files.values().any(|file| file.is_closed && file.live == 0);
        keeps.then_some(KEEP_CHECK_INTERVAL)
    }

    fn write(&mut self, appends: Vec<Append<N>>, roster_changed: bool) {
        let is_probe = self.shared.index().unwritable.is_some();
        let mut group = match self.tail {
            Some(_) => Group::default(),
            None => match self.begin_file() {
                Ok(group) => group,
                Err(error) => return self.refuse(appends.into_iter().map(|append| append.answer), &error),
            },
        };
        if roster_changed || take(&mut self.roster_due) {
            self.push_roster(&mut group);
        }
        self.push_settled(&mut group);
        if is_probe && group.frames.is_empty() && appends.is_empty() {
            self.push(&mut group, Kind::Settled, self.next, Settled::default().encode_to_vec(), Bytes::new());
        }
        for append in appends {
            group = self.push_record(group, append);
        }
        self.commit(group);
    }

    /// Lets a record into the group, or answers it; a group that fills the file is written first.
    fn push_record(&mut self, mut group: Group<N>, append: Append<N>) -> Group<N> {
        let Append { batch, needs, note, answer } = append;
        let needs = needs.within(self.shared.index().state.admitted());
        if needs.is_empty() {
            // Nobody is there to hear it when the client has gone.
            let _ = answer.send(Ok(Vec::new()));
            return group;
        }
        let Written { head, body } = Record::new(&batch, &needs).written();
        let length = head.len() + body.len();
        let place = Place { file: 0, offset: 0, length: length as u32 };
        let evicted = match self.make_room(group.counted_bytes + counted_bytes(place), counted_bytes(place)) {
            Ok(evicted) => evicted,
            Err(error) => {
                let _ = answer.send(Err(error));
                return group;
            }
        };
        let frame_bytes = (HEADER_BYTES + length).next_multiple_of(8) as u64;
        let used = self.tail.as_ref().map_or(0, |tail| tail.offset) + group.bytes;
        if used + frame_bytes > self.shared.config.file_bytes() && (!group.records.is_empty() || self.holds_records()) {
            self.commit(take(&mut group));
            match self.next_file() {
                Ok(begun) => group = begun,
                Err(error) => {
                    self.untold.extend(evicted);
                    self.refuse([answer], &error);
                    return Group::default();
                }
            }
        }
        let (position, offset) = (self.next, group.bytes);
        self.next += 1;
        self.push(&mut group, Kind::Record, position, head, body);
        group.counted_bytes += counted_bytes(place);
        group.records.push(Pending { position, offset, length: place.length, batch, needs, note, evicted, answer });
        group
    }

    /// Makes room for what is on its way, of which `own` is the record's own, if the bound and the configuration allow it.
    fn make_room(&mut self, bytes: usize, own: usize) -> Result<Vec<Evicted>, AppendError> {
        let bytes_max = self.shared.config.live_bytes_max();
        if own > bytes_max {
            return Err(AppendError::TooLarge { bytes: own, bytes_max });
        }
        let missing = |writer: &Self| (writer.shared.index().state.bytes() + bytes).saturating_sub(bytes_max);
        if missing(self) > 0 {
            self.cut_oldest(REWRITES_MAX);
        }
        let missing = missing(self);
        if missing == 0 {
            return Ok(Vec::new());
        }
        let mut index = self.shared.index();
        if self.shared.config.when_full == WhenFull::Refuse || missing > index.state.idle_bytes() {
            return Err(AppendError::Full { used: index.state.bytes(), bytes_max });
        }
        // A little more than is missing: the next records find room without a search.
        let (evicted, gone) = index.state.evict(missing.max(bytes_max / 256));
        for place in gone {
            index.note_gone(place);
        }
        drop(index);
        let losers: BitSet = evicted.iter().map(|evicted| evicted.consumer).collect();
        self.shared.wakes.ring(losers);
        // What is not needed must not come again after a restart.
        self.unwritten.extend(evicted.iter().map(|evicted| (evicted.consumer as u8, evicted.position.0)));
        Ok(evicted)
    }

    fn push_settled(&mut self, group: &mut Group<N>) {
        for (consumer, position, done) in take(&mut self.unwritten_progress) {
            let message = Progress::new(usize::from(consumer), position, &done);
            self.push(group, Kind::Progress, self.next, message.encode_to_vec(), Bytes::new());
        }
        let mut settled = take(&mut self.unwritten);
        settled.sort_unstable();
        settled.dedup();
        for of_one in settled.chunk_by(|(one, _), (other, _)| one == other) {
            let positions: Vec<u64> = of_one.iter().map(|(_, position)| *position).collect();
            let message = Settled::new(usize::from(of_one[0].0), self.next, &positions);
            self.push(group, Kind::Settled, self.next, message.encode_to_vec(), Bytes::new());
        }
    }

    fn push_roster(&mut self, group: &mut Group<N>) {
        let roster = roster_of(&self.shared.index(), self.shared.rules.fingerprint());
        self.push(group, Kind::Roster, self.next, roster.encode_to_vec(), Bytes::new());
    }

    fn push(&self, group: &mut Group<N>, kind: Kind, position: u64, head: Vec<u8>, body: Bytes) {
        let durable = self.tail.as_ref().map_or(0, |tail| tail.durable) as u32;
        let frame = Frame::new(kind, position, durable, &[&head, &body]);
        group.bytes += frame.bytes() as u64;
        group.frames.push(Out { header: frame.header(), head, body, padding: frame.padding() });
    }

    /// Whether the file that is written holds anything but its beginning.
    fn holds_records(&self) -> bool {
        let index = self.shared.index();
        self.tail.as_ref().is_some_and(|tail| tail.base < index.state.next())
    }

    /// Closes the file that is written, and begins the next.
    fn next_file(&mut self) -> io::Result<Group<N>> {
        self.close_file();
        self.begin_file()
    }

    fn close_file(&mut self) {
        let Some(tail) = self.tail.take() else { return };
        let file_bytes = self.shared.config.file_bytes();
        if let Some(facts) = self.shared.index().files.get_mut(&tail.base) {
            facts.bytes = tail.file_bytes;
            facts.close(file_bytes);
        }
    }

    /// Begins a file; gives the group that must be written to it first.
    fn begin_file(&mut self) -> io::Result<Group<N>> {
        // A base is used once: a file of that name may be one that has failed.
        while self.shared.index().files.contains_key(&self.next) {
            self.next += 1;
        }
        let tail = self.shared.directory.begin(self.next)?;
        let mut index = self.shared.index();
        index.spare_bytes = self.shared.directory.spare_bytes();
        index.files.insert(tail.base, FileFacts::new(tail.file_bytes));
        index.state.skip_to(self.next);
        drop(index);
        self.tail = Some(tail);
        let mut group = Group::default();
        self.push_roster(&mut group);
        Ok(group)
    }

    /// Writes a group, makes it safe, and tells everybody.
    fn commit(&mut self, group: Group<N>) {
        if group.frames.is_empty() {
            return;
        }
        let begun_at = self.tail.as_ref().map_or(0, |tail| tail.offset);
        if let Err(error) = self.put(&group) {
            self.roster_due = true;
            for Pending { evicted, .. } in &group.records {
                self.untold.extend(evicted);
            }
            return self.refuse(group.records.into_iter().map(|pending| pending.answer), &error);
        }
        self.publish(begun_at, group.records);
    }

    /// Writes a group and makes it safe. After an error nothing of it counts.
    fn put(&mut self, group: &Group<N>) -> io::Result<()> {
        let Some(tail) = &mut self.tail else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(4 * group.frames.len());
        for Out { header, head, body, padding } in &group.frames {
            slices.extend([&header[..], head, body, padding].map(IoSlice::new));
        }
        if let Err(error) = tail.write(&mut slices) {
            if tail.is_lost {
                self.close_file();
            }
            return Err(error);
        }
        match self.shared.config.safety {
            Safety::Disk if group.records.is_empty() => Ok(()),
            // What a failed sync has left on disk nobody knows, and the next one would not tell: the file is given up.
            Safety::Disk => tail.sync().inspect_err(|_| self.close_file()),
            Safety::Process => {
                tail.durable = tail.offset;
                Ok(())
            }
        }
    }

    fn publish(&mut self, begun_at: u64, records: Vec<Pending<N>>) {
        let Some(tail) = &self.tail else { return };
        let config = &self.shared.config;
        let mut needed_by = BitSet::EMPTY;
        let mut answers = Vec::with_capacity(records.len());
        let mut index = self.shared.index();
        for Pending { position, offset, length, batch, needs, note, evicted, answer } in records {
            let place = Place { file: tail.base, offset: (begun_at + offset) as u32, length };
            // Who was retired meanwhile needs nothing.
            let needs = needs.within(index.state.admitted());
            answers.push((answer, evicted));
            if needs.is_empty() {
                index.state.skip_to(position + 1);
                continue;
            }
            needed_by = needed_by.union(needs.consumers());
            let memory_bytes = memory_bytes(batch.held_bytes(), batch.items);
            let received_at = batch.received_at;
            let cost = Cost { bytes: counted_bytes(place), memory_bytes, weight: batch.weight };
            index.state.append(position, Slot::new(needs, Some((batch, note)), place, cost));
            if let Some(facts) = index.files.get_mut(&tail.base) {
                facts.live += 1;
                facts.live_bytes += u64::from(length);
                facts.newest = facts.newest.max(received_at);
            }
            index.note_cuttable(position, place);
        }
        if let Some(facts) = index.files.get_mut(&tail.base) {
            facts.bytes = tail.file_bytes;
        }
        index.state.release(config.memory_bytes_max / 2);
        if index.unwritable.take().is_some() {
            info!("the journal can be written again");
        }
        drop(index);
        self.shared.wakes.ring(needed_by);
        for (answer, mut evicted) in answers {
            evicted.append(&mut self.untold);
            // Nobody is there to hear it when the client has gone.
            let _ = answer.send(Ok(evicted));
        }
    }

    /// Tells that nothing could be written.
    fn refuse(
        &mut self,
        answers: impl IntoIterator<Item = oneshot::Sender<Result<Vec<Evicted>, AppendError>>>,
        error: &io::Error,
    ) {
        let mut index = self.shared.index();
        if index.unwritable.replace(error.kind()).is_none() {
            error!(%error, "the journal cannot be written; clients are told to come again until it can");
        }
        index.state.skip_to(self.next);
        drop(index);
        for answer in answers {
            // Nobody is there to hear it when the client has gone.
            let _ = answer.send(Err(AppendError::Unwritable(error.kind())));
        }
    }

    /// Marks the end: whatever is missing in front of it from now on is damage.
    fn finish(&mut self) -> io::Result<()> {
        let Some(tail) = &mut self.tail else { return Ok(()) };
        tail.sync()?;
        let mut group = Group::default();
        self.push(&mut group, Kind::Settled, self.next, Settled::default().encode_to_vec(), Bytes::new());
        self.put(&group)?;
        self.tail.as_mut().map_or(Ok(()), Tail::sync)
    }

    /// Lets go of the files that nobody needs, and keeps all of them within the bound.
    fn tidy(&mut self) {
        let config = &self.shared.config;
        let kept_since = SystemTime::now().checked_sub(config.keep).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut index = self.shared.index();
        let mut excess = index.file_bytes().saturating_sub(config.bytes_max);
        let mut gone = Vec::new();
        for (base, file) in &index.files {
            if file.is_closed && file.live == 0 && (excess > 0 || file.newest <= kept_since) {
                excess = excess.saturating_sub(file.bytes);
                gone.push((*base, file.is_full_sized));
            }
        }
        for (base, _) in &gone {
            index.files.remove(base);
        }
        drop(index);
        for (base, is_full_sized) in &gone {
            if let Err(error) = self.shared.directory.retire(*base, *is_full_sized) {
                warn!(%error, base, "a file of the journal that nobody needs cannot be removed");
            }
        }
        if !gone.is_empty() {
            self.shared.index().spare_bytes = self.shared.directory.spare_bytes();
        }
        if self.excess() > 0 && self.shared.index().spare_bytes > 0 {
            if let Err(error) = self.shared.directory.drop_spares() {
                warn!(%error, "a spare file of the journal cannot be removed");
            }
            self.shared.index().spare_bytes = self.shared.directory.spare_bytes();
        }
        if self.excess() > 0 {
            self.squeeze(REWRITES_MAX);
        }
    }

    fn excess(&self) -> u64 {
        self.shared.index().file_bytes().saturating_sub(self.shared.config.bytes_max)
    }
}

fn take_all<N>(mut queue: std::sync::MutexGuard<'_, Queue<N>>) -> Queue<N> {
    let mut work = Queue {
        appends: Vec::new(),
        settled: Vec::new(),
        noted: Vec::new(),
        roster_changed: false,
        closing: None,
        stop: false,
    };
    swap(&mut *queue, &mut work);
    work
}
