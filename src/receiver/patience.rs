//! How long a connection may keep us waiting, whatever it waits in: one clock for each of its states.
//!
//! ```text
//! accepted ─▶ HEAD ── request ──▶ BUSY ── answer ──▶ IDLE ── first byte ──▶ HEAD …
//!             10 s                body.rs             90 s
//!              └── preface ──▶ HTTP2: pings
//! ```
//!
//! The promise: no connection holds its place by silence. hyper alone cannot promise that: its timer starts only after
//! the version was sniffed, it is one and the same for a started head and an idle connection, and none runs while a
//! client does not read its answers.

use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// From the first byte of a head, or from the accept, to its end.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two requests over HTTP/1: SDKs export every 5 to 60 s and should not have to connect anew.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// A client that takes nothing of its answer for so long is gone.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// What every connection of HTTP/2 starts with. <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A head is awaited or arriving, since then.
    Head(Instant),
    /// A request is under way: its body has limits of its own.
    Busy,
    /// The last answer was given then.
    Idle(Instant),
    /// Many requests at once: dead clients are found by pings.
    Http2,
}

/// What a connection's stream and its service know together.
#[derive(Debug, Clone)]
pub struct Patience(Arc<Mutex<State>>);

impl Patience {
    /// For a connection that was accepted now.
    pub fn new() -> Self {
        Patience(Arc::new(Mutex::new(State::Head(Instant::now()))))
    }

    /// Notes that a head was read and its request is under way.
    pub fn begin(&self) {
        self.change(|state| if state == State::Http2 { state } else { State::Busy });
    }

    /// Notes that the answer was made.
    pub fn end(&self) {
        self.change(|state| if state == State::Http2 { state } else { State::Idle(Instant::now()) });
    }

    fn note_http2(&self) {
        self.change(|_| State::Http2);
    }

    fn note_bytes(&self) {
        self.change(|state| if matches!(state, State::Idle(_)) { State::Head(Instant::now()) } else { state });
    }

    fn change(&self, to: impl FnOnce(State) -> State) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = to(*state);
    }

    fn deadline(&self) -> Option<Instant> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Head(since) => Some(since + HEAD_TIMEOUT),
            State::Idle(since) => Some(since + IDLE_TIMEOUT),
            State::Busy | State::Http2 => None,
        }
    }
}

/// A stream that fails with [`ErrorKind::TimedOut`] where its client tries our patience.
#[derive(Debug)]
pub struct PatientStream<S> {
    stream: S,
    patience: Patience,
    /// The first bytes of the connection, until they tell its version.
    start: Vec<u8>,
    read_timer: Pin<Box<Sleep>>,
    /// Set while the client takes nothing of what is written.
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl<S> PatientStream<S> {
    pub fn new(stream: S, patience: Patience) -> Self {
        let read_timer = Box::pin(sleep_until(Instant::now() + HEAD_TIMEOUT));
        PatientStream { stream, patience, start: Vec::with_capacity(PREFACE.len()), read_timer, write_timer: None }
    }

    /// Looks at bytes just read: the first ones tell the version, later ones may start a head.
    fn note_read(&mut self, bytes: &[u8]) {
        if self.start.len() < PREFACE.len() {
            let missing = PREFACE.len() - self.start.len();
            self.start.extend_from_slice(&bytes[..bytes.len().min(missing)]);
            // All of it: what only begins alike is read as HTTP/1, and must not be without a clock.
            if self.start == PREFACE {
                return self.patience.note_http2();
            }
        }
        self.patience.note_bytes();
    }

    /// Lets a write be pending for [`WRITE_TIMEOUT`].
    fn watch_write<T>(&mut self, context: &mut Context<'_>, poll: Poll<Result<T>>) -> Poll<Result<T>> {
        if poll.is_ready() {
            self.write_timer = None;
            return poll;
        }
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + WRITE_TIMEOUT)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(timed_out("the client does not read its answer")))
    }
}

fn timed_out(what: &'static str) -> Error {
    Error::new(ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let filled = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            let bytes = &buffer.filled()[filled..];
            if !bytes.is_empty() {
                this.note_read(bytes);
            }
            return Poll::Ready(read);
        }
        let Some(deadline) = this.patience.deadline() else { return Poll::Pending };
        if this.read_timer.deadline() != deadline {
            this.read_timer.as_mut().reset(deadline);
        }
        ready!(this.read_timer.as_mut().poll(context));
        Poll::Ready(Err(timed_out("the client sent no request in time")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch_write(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch_write(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    fn stage() -> (PatientStream<DuplexStream>, Patience, DuplexStream) {
        let (near, far) = duplex(64);
        let patience = Patience::new();
        (PatientStream::new(near, patience.clone()), patience, far)
    }

    /// Reads until an error, and says after how many seconds which kind came.
    async fn read_out(stream: &mut PatientStream<DuplexStream>) -> (u64, ErrorKind) {
        let from = Instant::now();
        loop {
            match stream.read(&mut [0; 64]).await {
                Ok(0) => panic!("the end"),
                Ok(_) => {}
                Err(error) => return (from.elapsed().as_secs(), error.kind()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_a_head_in_drops_end_after_the_time_of_a_head() {
        let (mut near, _, _far) = stage();
        assert_eq!(read_out(&mut near).await, (10, ErrorKind::TimedOut));
        let (mut near, _, mut far) = stage();
        let drops = tokio::spawn(async move {
            while far.write_all(b"P").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
        });
        assert_eq!(read_out(&mut near).await, (10, ErrorKind::TimedOut));
        drop(near);
        drops.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_has_longer_but_a_started_head_has_not() {
        let (mut near, patience, mut far) = stage();
        far.write_all(b"POST /v1/traces HTTP/1.1\r\n\r\n").await.unwrap();
        near.read_exact(&mut [0; 28]).await.unwrap();
        patience.begin();
        tokio::time::sleep(Duration::from_mins(10)).await;
        patience.end();
        assert_eq!(read_out(&mut near).await, (90, ErrorKind::TimedOut));
        patience.end();
        far.write_all(b"P").await.unwrap();
        assert_eq!(read_out(&mut near).await, (10, ErrorKind::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn http2_is_left_to_its_pings() {
        let (mut near, _, mut far) = stage();
        far.write_all(PREFACE).await.unwrap();
        let long = tokio::time::timeout(Duration::from_hours(1), read_out(&mut near)).await;
        assert!(long.is_err(), "{long:?}");
        let (mut near, _, mut far) = stage();
        far.write_all(b"PRI * HTTP/2.0\r\nSM: 1\r\n\r").await.unwrap();
        assert_eq!(read_out(&mut near).await, (10, ErrorKind::TimedOut), "only begins alike");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up() {
        let (mut near, _, _far) = stage();
        let from = Instant::now();
        let error = near.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!((from.elapsed().as_secs(), error.kind()), (30, ErrorKind::TimedOut));
    }
}
