//! What an exporter is: a pure `encode` and a `send` that tries once. Retrying, pacing, accounting are delivery's.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::otlp::batch::Original;
use crate::otlp::{Part, Signal};

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One vendor, configured.
pub trait Exporter: Send + Sync + fmt::Debug + 'static {
    /// What one request may hold.
    fn limits(&self) -> Limits;

    /// Whether the vendor takes this signal at all.
    fn takes(&self, signal: Signal) -> bool;

    /// Whether there are credentials to send with. Asked once, before the first request, where `preview: auto` depends
    /// on it.
    fn has_credentials(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }

    /// Asks the vendor, without telemetry, whether it would take some.
    fn probe(&self) -> BoxFuture<'_, Outcome> {
        self.send(Request { signal: Signal::Traces, pieces: &[] })
    }

    /// Turns a part into pieces. Pure: no clock, no network; the same part always gives the same pieces.
    fn encode(&self, part: &Part) -> Encoded;

    /// Tries once to hand over a request.
    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Outcome>;

    /// Cuts a piece that the vendor does not take as it is in two; `None` where it is one item.
    fn halve(&self, _signal: Signal, _piece: &Piece) -> Option<(Piece, Piece)> {
        None
    }

    /// A piece as JSON for people: what `explain`, previews and the file exporter show.
    fn show(&self, signal: Signal, piece: &Piece) -> serde_json::Value;
}

/// What one request to a vendor may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub pieces_max: usize,
    /// Bytes of the pieces together, before compression; one piece may exceed it alone.
    pub bytes_max: usize,
    /// Items that are encoded at a time. A few bytes of telemetry can become kilobytes for a vendor: this bounds how much
    /// there is of that at once.
    pub items_max: usize,
}

/// [`Limits::items_max`] of the vendors whose pieces are larger than what they are made of.
pub const ITEMS_MAX: usize = 2048;

/// The smallest thing that is sent, judged and counted by itself: a segment document, an item, a run of spans.
#[derive(Debug, Clone)]
pub struct Piece {
    /// How many spans, log records or data points it settles; 0 for a second document of a span already counted.
    pub weight: u32,
    pub bytes: Bytes,
    /// The compressed form of exactly these bytes, where there is one.
    pub original: Option<Original>,
    /// Pieces of different keys never share a request: a dataset, a token, a tenant.
    pub key: Option<Arc<str>>,
}

/// What came of encoding.
#[derive(Debug, Default)]
pub struct Encoded {
    pub pieces: Vec<Piece>,
    pub refused: Vec<Refused>,
}

/// Items that this vendor cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub weight: u32,
    pub reason: Reason,
}

/// Why an item was not delivered: a row of the ledger. Snake case, constant, documented in the README.
pub type Reason = &'static str;

/// The pieces of one attempt: same signal, same key.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub signal: Signal,
    pub pieces: &'a [Piece],
}

/// What a vendor made of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken, but for the pieces named.
    Accepted { except: Vec<Exception> },
    /// Taken, but for so many items of which the vendor does not say which.
    AcceptedLess { rejected: u32, message: String },
    /// Nothing was taken; the same request may succeed later, not before `after` where the vendor says so.
    Retry { after: Option<Duration>, message: String },
    /// The credentials are refused: keep everything, a person is needed.
    Unauthorized { message: String },
    /// The request is too large; smaller ones may pass.
    TooLarge { message: String },
    /// The request will never be taken as it is.
    Refused { reason: Reason, message: String },
}

/// A piece that an accepting vendor did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Position in the request.
    pub piece: usize,
    pub fate: Fate,
    pub message: String,
}

/// What is to become of a piece that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Retry,
    Drop(Reason),
}
