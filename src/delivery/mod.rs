//! The loop that joins a journal's cursor and an exporter: the same for every vendor.
//!
//! ```text
//! journal ─▶ gather ─▶ encode ─▶ pack ─▶ send until settled ─▶ settle
//!            linger     pure     limits   concurrency, timeout,
//!            for more                     retry, halve
//! ```
//!
//! The promise: every item read from the journal ends in the ledger as delivered or as dropped with a reason, exactly
//! once; until then it stays in the journal. One exporter's loop shares nothing with another's but the journal.

pub mod dead_letters;
mod gate;
pub mod health;
pub mod ledger;
mod parcel;
pub mod previews;
mod settle;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::exporter::contract::{Encoded, Exception, Exporter, Fate, Outcome, Piece, Reason, Refused, Request};
use crate::exporter::pace::{Pace, Preview, RetryConfig};
use crate::journal::{Done, Entry, Journal, Position, Read};
use crate::otlp::{Batch, Part, Signal};
use crate::router::Routing;
use crate::stdx::backoff::{Backoff, random};
use dead_letters::{DeadLetters, Form, Letter, LetterPiece};
use gate::Gate;
use health::{Health, State};
use ledger::Ledger;
use parcel::{Origin, Parcel};
use previews::Previews;
use settle::Settler;

/// Encoding more than so many bytes leaves the async threads: about half a millisecond of work.
const INLINE_BYTES_MAX: usize = 128 * 1024;

/// How long an exporter whose credentials are refused rests between tries: somebody must act first.
const UNAUTHORIZED_DELAY: Duration = Duration::from_secs(30);

/// The longest that a vendor can make us wait.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(5); // a vendor that asks for more is asked again meanwhile

/// Nothing is tried again faster than this, whatever is configured.
const DELAY_MIN: Duration = Duration::from_millis(10);

/// How many extra requests may be spent to find what a vendor refuses in one request.
const BISECTIONS_MAX: u32 = 40;

/// What a vendor refuses for the sake of one item: cutting finds it. Whatever else it refuses, it refuses whole.
const BISECTED: [Reason; 2] = ["refused_400", "unprocessed"];

/// So many refusals of one request, and nothing of it taken, are no single bad item.
const FRUITLESS_CUTS_MIN: u32 = 8;

/// After a request of which nothing was left, the next ones are not cut for so long: the vendor refuses everything.
const FRUITLESS_REST: Duration = Duration::from_mins(1);

/// How long `preview: auto` waits before it asks for credentials again.
const CREDENTIALS_RECHECK: Duration = Duration::from_mins(1);

/// What intake notes beside a record, to spare delivery the routing.
pub type Note = Arc<Routing>;

/// What delivery asks of the rules when a record comes back without its note.
pub trait Reroute: Send + Sync {
    /// By the rules that the record was accepted under.
    fn routing(&self, position: Position, batch: &Batch) -> Note;
}

/// When a delivery ends.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// Deliver what is left, then end.
    pub stop: CancellationToken,
    /// Let what is under way be answered, then end; the rest is for whoever comes next.
    pub leave: CancellationToken,
}

/// One exporter's end of the gateway.
pub struct Delivery {
    pub index: usize,
    pub exporter: Arc<dyn Exporter>,
    pub pace: Pace,
    pub preview: Preview,
    pub ledger: Arc<Ledger>,
    pub health: Arc<Health>,
    pub previews: Arc<Previews>,
    pub dead_letters: Option<Arc<DeadLetters>>,
    pub journal: Arc<dyn Journal<Note>>,
    pub reroute: Arc<dyn Reroute>,
}

/// A part that is to be encoded, and how its record is settled.
struct Job {
    part: Part,
    settler: Arc<Settler>,
    /// Which slice of the record it is.
    slice: u32,
}

/// The pieces of a slice are counted from its own multiple of this on; there is never as much in one.
const SLICE_ORDINALS: u32 = 1 << 20;

/// Stands for all that a slice refuses, in the place of a piece.
const REFUSED_ORDINAL: u32 = SLICE_ORDINALS - 1;

impl Delivery {
    /// Delivers until told to end. Abort it to end at once: what is unsettled stays so.
    pub async fn run(self, orders: Orders) {
        let gate = Arc::new(Gate::new(self.pace.concurrency, self.backoff()));
        let permits = Arc::new(Semaphore::new(self.pace.concurrency));
        let delivery = Arc::new(self);
        let mut requests = JoinSet::new();
        let mut mode = Mode::decide(&delivery).await;
        while let Some(entries) = delivery.gather(&orders, &mut requests).await {
            mode = mode.reconsider(&delivery).await;
            for jobs in delivery.jobs(entries) {
                for (signal, parcel) in delivery.encode(jobs).await {
                    for request in parcel.pack(delivery.exporter.limits()) {
                        if orders.leave.is_cancelled() {
                            // Unsettled, to be read again.
                            drop(request);
                            continue;
                        }
                        if let Mode::Preview { .. } = mode {
                            delivery.show(signal, request).await;
                            continue;
                        }
                        // Waiting here is what bounds the memory of this exporter: no more is encoded while all are busy.
                        let permit = tokio::select! {
                            permit = Arc::clone(&permits).acquire_owned() => permit,
                            () = orders.leave.cancelled() => continue,
                        };
                        let Ok(permit) = permit else { return };
                        let (sender, gate, leave) = (Arc::clone(&delivery), Arc::clone(&gate), orders.leave.clone());
                        requests.spawn(async move {
                            sender.send_until_settled(signal, request, &gate, &leave).await;
                            drop(permit);
                        });
                        while let Some(ended) = requests.try_join_next() {
                            delivery.note_end(ended);
                        }
                    }
                }
            }
        }
        while let Some(ended) = requests.join_next().await {
            delivery.note_end(ended);
        }
    }

    fn note_end(&self, ended: Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            // What the request held stays unsettled: waiting in the books, kept in the journal.
            error!(exporter = self.health.exporter(), "a request ended in a panic; its items stay waiting");
        }
    }

    /// Waits for something to do, then a little for more; `None` when told to end.
    async fn gather(&self, Orders { stop, leave }: &Orders, requests: &mut JoinSet<()>) -> Option<Vec<Entry<Note>>> {
        let bytes_wanted = self.exporter.limits().bytes_max;
        let nothing_left = || self.journal.backlog(self.index).records == 0;
        loop {
            tokio::select! {
                biased;
                () = leave.cancelled() => return None,
                () = self.journal.ready(self.index) => break,
                // What is unread while this exporter has its share in hand is still to be delivered: a request that ends
                // makes room for it.
                Some(ended) = requests.join_next(), if !requests.is_empty() => self.note_end(ended),
                () = stop.cancelled(), if nothing_left() || requests.is_empty() => return None,
            }
        }
        if self.journal.backlog(self.index).bytes < bytes_wanted && !self.pace.linger.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(self.pace.linger) => {}
                () = stop.cancelled() => {}
                () = leave.cancelled() => return None,
            }
        }
        let Read { entries, damaged_weight } = self.journal.read(self.index, bytes_wanted).await;
        if damaged_weight > 0 {
            self.ledger.give_up(damaged_weight, "journal_damaged");
            self.health.lost(damaged_weight, "journal_damaged", "the journal's files are damaged where these stood");
        }
        Some(entries)
    }

    /// Cuts records into what is encoded at a time: several small ones together, a large one in slices.
    fn jobs(&self, entries: Vec<Entry<Note>>) -> impl Iterator<Item = Vec<Job>> {
        let items_max = self.exporter.limits().items_max;
        let mut slices = entries
            .into_iter()
            .flat_map(move |entry| {
                let (journal, done) = (Arc::clone(&self.journal), entry.done.clone());
                let settler = Settler::new(journal, self.index, entry.position, done);
                let part = self.part(entry);
                // Each slice holds the record open; the settler itself lets go when the last slice is made.
                let mut opened = Some(Arc::clone(&settler));
                let slices = part.slices(items_max).zip(0u32..);
                slices.map(move |(part, slice)| Some(Job { part, settler: settler.open_one(), slice })).chain(
                    std::iter::once_with(move || {
                        opened.take().iter().for_each(|settler| settler.settle(1, Vec::new));
                        None
                    }),
                )
            })
            .flatten()
            .peekable();
        std::iter::from_fn(move || {
            let mut jobs = vec![slices.next()?];
            let mut items = jobs[0].part.batch.items as usize;
            while let Some(job) = slices.next_if(|job| items.saturating_add(job.part.batch.items as usize) <= items_max)
            {
                items = items.saturating_add(job.part.batch.items as usize);
                jobs.push(job);
            }
            Some(jobs)
        })
    }

    /// What this exporter is to be sent of a record.
    fn part(&self, Entry { position, batch, note, weight, .. }: Entry<Note>) -> Part {
        if let Some(routing) = note {
            return Part { kept: routing.kept(self.index), batch };
        }
        let part = Part { kept: self.reroute.routing(position, &batch).kept(self.index), batch };
        // The same rules give the same part. Should a later build's rules mean something else, the books still balance.
        let found = part.weight();
        self.ledger.accept(u64::from(found.saturating_sub(weight)));
        self.ledger.give_up(weight.saturating_sub(found), "rerouted");
        part
    }

    /// Turns parts into pieces by signal; what cannot be sent is settled here.
    async fn encode(self: &Arc<Self>, jobs: Vec<Job>) -> BTreeMap<Signal, Parcel> {
        let bytes: usize = jobs.iter().map(|job| job.part.batch.body.len()).sum();
        if bytes <= INLINE_BYTES_MAX {
            return self.encode_now(jobs);
        }
        let delivery = Arc::clone(self);
        tokio::task::spawn_blocking(move || delivery.encode_now(jobs)).await.unwrap_or_else(|ended| {
            error!(exporter = self.health.exporter(), error = %ended, "encoding ended early; its items stay waiting");
            BTreeMap::new()
        })
    }

    fn encode_now(&self, jobs: Vec<Job>) -> BTreeMap<Signal, Parcel> {
        let mut by_signal: BTreeMap<Signal, Parcel> = BTreeMap::new();
        for Job { part, settler, slice } in jobs {
            let signal = part.batch.signal;
            let Encoded { pieces, refused } = self.encode_part(&part);
            let first = slice * SLICE_ORDINALS;
            let parcel = by_signal.entry(signal).or_default();
            for (piece, ordinal) in pieces.into_iter().zip(first..) {
                let origin = || Origin { settler: settler.open_one(), ordinal };
                if settler.is_fresh() {
                    parcel.push(piece, origin());
                    continue;
                }
                for piece in self.unsent(signal, piece, settler.done_at(ordinal).collect()) {
                    parcel.push(piece, origin());
                }
            }
            let done =
                self.book_refused(&refused, settler.done_at(first + REFUSED_ORDINAL).next(), first + REFUSED_ORDINAL);
            settler.settle(1, || Vec::from_iter(done));
        }
        by_signal
    }

    /// Books what an exporter cannot be sent, unless it was booked when the record was read before.
    fn book_refused(&self, refused: &[Refused], before: Option<Done>, ordinal: u32) -> Option<Done> {
        let weight: u32 = refused.iter().map(|refused| refused.weight).sum();
        match before {
            Some(before) if before.weight == weight => return None,
            Some(before) => self.ledger.accept(u64::from(before.weight)),
            None => {}
        }
        for Refused { weight, reason } in refused {
            self.ledger.give_up(*weight, reason);
        }
        (weight > 0).then_some(Done { ordinal, crc: 0, weight })
    }

    /// What of a piece is still to be sent, given what was done with when its record was read before: nothing, or halves of
    /// it where it was cut, or all of it where it has become another one, which is then accepted anew.
    fn unsent(&self, signal: Signal, piece: Piece, mut done: Vec<Done>) -> Vec<Piece> {
        let mut left = vec![piece];
        let mut unsent = Vec::new();
        while let Some(piece) = left.pop() {
            if done.is_empty() {
                unsent.push(piece);
                continue;
            }
            let crc = crc32fast::hash(&piece.bytes);
            if let Some(at) = done.iter().position(|done| done.crc == crc && done.weight == piece.weight) {
                done.swap_remove(at);
            } else if let Some((first, second)) = self.exporter.halve(signal, &piece) {
                left.extend([second, first]);
            } else {
                unsent.push(piece);
            }
        }
        self.ledger.accept(done.iter().map(|done| u64::from(done.weight)).sum());
        unsent
    }

    /// Encodes one part; a panic of the conversion costs that part, not the process.
    fn encode_part(&self, part: &Part) -> Encoded {
        let encoded = catch_unwind(AssertUnwindSafe(|| self.exporter.encode(part))).unwrap_or_else(|_| {
            let weight = part.weight();
            let message = "the conversion of a batch panicked: please report it";
            self.health.lost(weight, "conversion_panicked", message);
            let piece = LetterPiece { weight, key: None, bytes: part.body().to_vec() };
            if let Some(dead_letters) = &self.dead_letters {
                let letter = self.letter(part.batch.signal, "conversion_panicked", message, Form::Otlp, vec![piece]);
                self.note_buried(&dead_letters.bury(&letter));
            }
            Encoded { pieces: Vec::new(), refused: vec![Refused { weight, reason: "conversion_panicked" }] }
        });
        let counted = || {
            encoded.pieces.iter().map(|piece| piece.weight).sum::<u32>()
                + encoded.refused.iter().map(|refused| refused.weight).sum::<u32>()
        };
        debug_assert_eq!(counted(), part.weight(), "an exporter must account for every item exactly once");
        encoded
    }

    /// One request until every piece of it is delivered or given up, or until told to leave: what is left then is dropped
    /// unsettled, to be read again.
    async fn send_until_settled(&self, signal: Signal, request: Parcel, gate: &Gate, leave: &CancellationToken) {
        let mut open = vec![request];
        let mut search = Search::default();
        while let Some(request) = open.pop() {
            open.extend(self.send_one(signal, request, &mut search, gate, leave).await);
            if leave.is_cancelled() {
                return;
            }
        }
        if search.cuts >= FRUITLESS_CUTS_MIN && !search.found_any {
            self.health.note_fruitless();
        }
    }

    /// Sends the same pieces until they are settled or must be cut; gives what is to be sent instead.
    async fn send_one(
        &self,
        signal: Signal,
        mut parcel: Parcel,
        search: &mut Search,
        gate: &Gate,
        leave: &CancellationToken,
    ) -> Vec<Parcel> {
        let mut failures = 0u32;
        while !parcel.is_empty() {
            let Some(pass) = leave.run_until_cancelled(gate.enter()).await else { return Vec::new() };
            let request = Request { signal, pieces: parcel.pieces() };
            let attempt = survive(async { self.exporter.send(request).await });
            let outcome = tokio::time::timeout(self.pace.timeout, attempt).await.unwrap_or_else(|_| Outcome::Retry {
                after: None,
                message: format!("no answer within {:?}", self.pace.timeout),
            });
            failures += 1;
            if !matches!(outcome, Outcome::Retry { .. } | Outcome::Unauthorized { .. }) {
                gate.succeeded();
            }
            let delay = match outcome {
                Outcome::Accepted { except } => {
                    search.found_any = true;
                    let (left, message) = self.book(signal, parcel, &except).await;
                    if left.is_empty() {
                        self.health.succeeded();
                        return Vec::new();
                    }
                    parcel = left;
                    self.health.failed(State::Retrying, &message);
                    self.backoff().delay(failures, random())
                }
                Outcome::AcceptedLess { rejected, message } => {
                    search.found_any = true;
                    self.health.succeeded();
                    self.book_less(parcel, rejected, &message);
                    return Vec::new();
                }
                Outcome::Retry { after, message } => {
                    // A vendor that says "at once" is not asked faster than one that says nothing.
                    let delay = gate.failed(failures);
                    if let Some(after) = after {
                        gate.hold(spread(after.min(RETRY_AFTER_MAX)));
                    }
                    self.health.failed(if gate.is_open() { State::Open } else { State::Retrying }, &message);
                    delay
                }
                Outcome::Unauthorized { message } => {
                    self.health.failed(State::Unauthorized, &message);
                    gate.hold(spread(UNAUTHORIZED_DELAY));
                    Duration::ZERO
                }
                Outcome::TooLarge { message } => {
                    self.health.refused(&message);
                    return match self.cut(signal, parcel) {
                        Ok(halves) => Vec::from(halves),
                        Err(whole) => self.give_up(signal, whole, "too_large", &message).await,
                    };
                }
                Outcome::Refused { reason, message } => {
                    self.health.refused(&message);
                    let cut = if search.may_cut(reason, &self.health) { self.cut(signal, parcel) } else { Err(parcel) };
                    return match cut {
                        Ok(halves) => Vec::from(halves),
                        Err(whole) => self.give_up(signal, whole, reason, &message).await,
                    };
                }
            };
            drop(pass);
            if leave.run_until_cancelled(tokio::time::sleep(delay.max(DELAY_MIN))).await.is_none() {
                return Vec::new();
            }
        }
        Vec::new()
    }

    fn backoff(&self) -> Backoff {
        let RetryConfig { initial, max } = self.pace.retry;
        Backoff { delay_initial: initial.duration(), delay_max: max.duration() }
    }

    /// Cuts what was sent in two, the half to be sent first last; gives it back where it is one item.
    fn cut(&self, signal: Signal, parcel: Parcel) -> Result<[Parcel; 2], Parcel> {
        let whole = match parcel.halves() {
            Ok([first, second]) => return Ok([second, first]),
            Err(whole) => whole,
        };
        let halve = || whole.pieces().first().and_then(|piece| self.exporter.halve(signal, piece));
        let halves = catch_unwind(AssertUnwindSafe(halve)).ok().flatten();
        let Some((first, second)) = halves else { return Err(whole) };
        let mut parcels = [Parcel::default(), Parcel::default()];
        for (_, origin) in whole.into_iter() {
            parcels[0].push(second.clone(), origin.open_one());
            parcels[1].push(first.clone(), origin);
        }
        Ok(parcels)
    }

    /// Books a request that the vendor took but for some pieces; gives those that are to be sent again, and why.
    async fn book(&self, signal: Signal, parcel: Parcel, except: &[Exception]) -> (Parcel, String) {
        if except.is_empty() {
            self.ledger.deliver(parcel.weight());
            parcel.settle();
            return Default::default();
        }
        let (mut left, mut message) = <(Parcel, String)>::default();
        let mut lost: BTreeMap<Reason, (Parcel, String)> = BTreeMap::new();
        for (index, (piece, origin)) in parcel.into_iter().enumerate() {
            match except.iter().find(|exception| exception.piece == index) {
                None => {
                    self.ledger.deliver(piece.weight);
                    origin.settler.settle(1, || vec![parcel::done(&piece, origin.ordinal)]);
                }
                Some(Exception { fate: Fate::Drop(reason), message, .. }) => {
                    let (of_reason, first_message) = lost.entry(reason).or_default();
                    of_reason.push(piece, origin);
                    first_message.clone_from(message);
                }
                Some(exception) => {
                    message.clone_from(&exception.message);
                    left.push(piece, origin);
                }
            }
        }
        for (reason, (parcel, message)) in lost {
            self.give_up(signal, parcel, reason, &message).await;
        }
        (left, message)
    }

    /// Books a request of which the vendor took all but `rejected` items, without saying which.
    fn book_less(&self, parcel: Parcel, rejected: u32, message: &str) {
        let total = parcel.weight();
        let rejected = rejected.min(total);
        self.health.lost(rejected, "rejected_by_vendor", message);
        self.ledger.give_up(rejected, "rejected_by_vendor");
        self.ledger.deliver(total - rejected);
        parcel.settle();
    }

    /// Books what the vendor will never take, and keeps it as a dead letter; nothing is left to be sent.
    async fn give_up(&self, signal: Signal, parcel: Parcel, reason: Reason, message: &str) -> Vec<Parcel> {
        let weight = parcel.weight();
        self.health.lost(weight, reason, message);
        if let Some(dead_letters) = &self.dead_letters {
            let pieces = parcel.pieces().iter().map(|piece| LetterPiece {
                weight: piece.weight,
                key: piece.key.as_deref().map(str::to_owned),
                bytes: piece.bytes.to_vec(),
            });
            let mut letter = self.letter(signal, reason, message, Form::Encoded, pieces.collect());
            let (dead_letters, exporter) = (Arc::clone(dead_letters), Arc::clone(&self.exporter));
            let shown: Vec<Piece> = parcel.pieces().iter().take(dead_letters::SHOWN_MAX).cloned().collect();
            let buried = tokio::task::spawn_blocking(move || {
                letter.shown = shown.into_iter().map(|piece| previews::show(&*exporter, signal, piece)).collect();
                dead_letters.bury(&letter)
            });
            match buried.await {
                Ok(buried) => self.note_buried(&buried),
                Err(ended) => error!(exporter = self.health.exporter(), error = %ended, "a dead letter was not kept"),
            }
        }
        self.ledger.give_up(weight, reason);
        parcel.settle();
        Vec::new()
    }

    fn letter(&self, signal: Signal, reason: Reason, message: &str, form: Form, pieces: Vec<LetterPiece>) -> Letter {
        Letter {
            at: jiff::Timestamp::now().to_string(),
            exporter: self.health.exporter().to_owned(),
            signal: signal.name().to_owned(),
            reason: reason.to_owned(),
            message: health::shorten(message),
            form,
            pieces,
            shown: Vec::new(),
        }
    }

    fn note_buried(&self, buried: &std::io::Result<()>) {
        if let Err(error) = buried {
            warn!(exporter = self.health.exporter(), %error, "a dead letter could not be kept");
        }
    }

    /// Shows instead of sending.
    async fn show(&self, signal: Signal, parcel: Parcel) {
        if let Some(first) = parcel.pieces().first() {
            self.previews.show(&self.exporter, signal, first).await;
        }
        self.ledger.give_up(parcel.weight(), "preview");
        parcel.settle();
    }
}

/// Whether an exporter sends, or shows what it would send.
#[derive(Clone, Copy)]
enum Mode {
    Send,
    Preview { asked_at: Instant },
}

impl Mode {
    async fn decide(delivery: &Delivery) -> Mode {
        let sends = match delivery.preview {
            Preview::Off => true,
            Preview::On => false,
            Preview::Auto => delivery.exporter.has_credentials().await,
        };
        if sends {
            return Mode::Send;
        }
        delivery.health.begin_preview();
        Mode::Preview { asked_at: Instant::now() }
    }

    /// Credentials may come later than the gateway: a role's, or those of an instance that is still starting.
    async fn reconsider(self, delivery: &Delivery) -> Mode {
        match self {
            Mode::Preview { asked_at }
                if delivery.preview == Preview::Auto && asked_at.elapsed() >= CREDENTIALS_RECHECK =>
            {
                if delivery.exporter.has_credentials().await {
                    delivery.health.end_preview();
                    return Mode::Send;
                }
                Mode::Preview { asked_at: Instant::now() }
            }
            mode => mode,
        }
    }
}

/// The search for what a vendor refuses in one request.
#[derive(Default)]
struct Search {
    cuts: u32,
    /// Whether the vendor took anything.
    found_any: bool,
}

impl Search {
    /// One bad item must not take its neighbours with it: the request is halved until it stands alone, within a budget.
    fn may_cut(&mut self, reason: Reason, health: &Health) -> bool {
        self.cuts += 1;
        BISECTED.contains(&reason) && self.cuts <= BISECTIONS_MAX && !health.is_fruitless(FRUITLESS_REST)
    }
}

/// Waits for an attempt; a panic of it costs what it was to send, not the exporter.
async fn survive(attempt: impl Future<Output = Outcome>) -> Outcome {
    let mut attempt = pin!(attempt);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(context))).unwrap_or_else(|_| {
            let message = "sending panicked: please report it".to_owned();
            Poll::Ready(Outcome::Refused { reason: "delivery_panicked", message })
        })
    })
    .await
}

/// A delay that the vendor named, plus up to a tenth, so that those it told the same do not come back together.
fn spread(delay: Duration) -> Duration {
    delay + delay.mul_f64(random() / 10.0)
}
