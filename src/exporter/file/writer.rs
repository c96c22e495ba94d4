//! A thread that writes for an exporter whose writes may block for ever: a pipe that nobody reads, a file on a dead mount.
//!
//! The promise: never two writes at once, and nothing is written twice because a write took long.
//!
//! ```text
//! send(a) ─▶ start ─▶ [thread writes a …………………………] done
//!            wait ✂ attempt timed out                │
//! send(a) ─────────▶ wait, nothing new is written ───┴─▶ Accepted
//! send(b) ─────────▶ Busy
//! ```
//!
//! An async runtime waits for its blocking tasks when it ends; nobody waits for this thread, so that a blocked write never
//! keeps the process from exiting.

use std::fmt;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};

use bytes::Bytes;
use tokio::sync::{Mutex, oneshot};

use crate::exporter::contract::Piece;

/// Where the bytes go.
pub trait Sink: Send + Sync + fmt::Debug + 'static {
    /// Makes what the thread calls with the bytes of each request, all of them at once.
    fn open(&self) -> impl FnMut(&[u8]) -> io::Result<()> + Send + 'static;
}

/// What came of an attempt to write.
#[derive(Debug)]
pub enum Written {
    /// The bytes are written, now or since an earlier attempt of the same request.
    Done,
    Failed(io::Error),
    /// There is no thread, or it ended in the midst of it: says nothing about where the bytes go.
    ThreadFailed(io::Error),
    /// The write of another request is still open: nothing was started.
    Busy,
}

/// An exporter's only writer. The thread starts with the first write and ends with the exporter.
#[derive(Debug)]
pub struct WriterThread<S> {
    name: &'static str,
    sink: S,
    desk: Mutex<Desk>,
}

/// What is shared by one attempt and the next.
#[derive(Debug)]
struct Desk {
    /// To the thread. One write is open at most, so that one place is enough and sending never waits.
    jobs: Option<SyncSender<Job>>,
    pending: Option<Pending>,
}

/// A write that nobody has heard the end of.
#[derive(Debug)]
struct Pending {
    /// Kept, so that nothing else can come to lie at the same addresses.
    pieces: Vec<Bytes>,
    result: oneshot::Receiver<io::Result<()>>,
}

impl Pending {
    /// Whether it writes this very request. Two requests may hold equal bytes; those are two requests all the same.
    fn is_of(&self, pieces: &[Piece]) -> bool {
        let is_same =
            |(held, piece): (&Bytes, &Piece)| held.as_ptr() == piece.bytes.as_ptr() && held.len() == piece.bytes.len();
        self.pieces.len() == pieces.len() && self.pieces.iter().zip(pieces).all(is_same)
    }
}

#[derive(Debug)]
struct Job {
    pieces: Vec<Bytes>,
    result: oneshot::Sender<io::Result<()>>,
}

impl<S: Sink> WriterThread<S> {
    /// `name` is the thread's, as tools of the system show it: 15 bytes at most.
    pub const fn new(name: &'static str, sink: S) -> Self {
        WriterThread { name, sink, desk: Mutex::const_new(Desk { jobs: None, pending: None }) }
    }

    /// Writes a request, or waits for the write of it that an earlier attempt began. May be dropped at any time.
    pub async fn write(&self, pieces: &[Piece]) -> Written {
        if pieces.iter().all(|piece| piece.bytes.is_empty()) {
            return Written::Done;
        }
        // Held while an attempt waits: who cannot have it comes from another request.
        let Ok(mut desk) = self.desk.try_lock() else { return Written::Busy };
        if let Some(pending) = desk.pending.as_mut()
            && !pending.is_of(pieces)
        {
            match pending.result.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => return Written::Busy,
                // It ended, and its request is not sent any more: delivery gave it up.
                _ => desk.pending = None,
            }
        }
        if desk.pending.is_none() {
            match self.begin(&mut desk, pieces) {
                Ok(pending) => desk.pending = Some(pending),
                Err(error) => return Written::ThreadFailed(error),
            }
        }
        let Some(pending) = desk.pending.as_mut() else { return Written::Busy };
        let result = (&mut pending.result).await;
        desk.pending = None;
        match result {
            Ok(Ok(())) => Written::Done,
            Ok(Err(error)) => Written::Failed(error),
            Err(_) => {
                desk.jobs = None; // the next write starts another thread
                Written::ThreadFailed(io::Error::other("the writer thread ended"))
            }
        }
    }

    fn begin(&self, desk: &mut Desk, pieces: &[Piece]) -> io::Result<Pending> {
        let jobs = match desk.jobs.take() {
            Some(jobs) => jobs,
            None => self.start()?,
        };
        let pieces: Vec<Bytes> = pieces.iter().map(|piece| piece.bytes.clone()).collect();
        let (sender, result) = oneshot::channel();
        jobs.try_send(Job { pieces: pieces.clone(), result: sender })
            .map_err(|error| io::Error::other(error.to_string()))?;
        desk.jobs = Some(jobs);
        Ok(Pending { pieces, result })
    }

    fn start(&self) -> io::Result<SyncSender<Job>> {
        let (sender, jobs) = sync_channel::<Job>(1);
        let mut write = self.sink.open();
        std::thread::Builder::new().name(self.name.to_owned()).spawn(move || {
            while let Ok(Job { pieces, result }) = jobs.recv() {
                let ended = write(&pieces.concat());
                drop(pieces); // before the answer: what is settled is also freed
                let _ = result.send(ended); // nobody listens once the exporter is gone
            }
        })?;
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::task::Poll;

    use super::*;

    /// Tells of each write when it begins, and ends it as it is told.
    #[derive(Debug)]
    struct Gate {
        begun: Sender<Vec<u8>>,
        endings: std::sync::Arc<std::sync::Mutex<Receiver<io::Result<()>>>>,
    }

    impl Sink for Gate {
        fn open(&self) -> impl FnMut(&[u8]) -> io::Result<()> + Send + 'static {
            let (begun, endings) = (self.begun.clone(), self.endings.clone());
            move |bytes| {
                begun.send(bytes.to_vec()).unwrap();
                endings.lock().unwrap().recv().unwrap()
            }
        }
    }

    fn gate() -> (WriterThread<Gate>, Receiver<Vec<u8>>, Sender<io::Result<()>>) {
        let (begun, begins) = channel();
        let (end, endings) = channel();
        let gate = Gate { begun, endings: std::sync::Arc::new(std::sync::Mutex::new(endings)) };
        (WriterThread::new("test-writer", gate), begins, end)
    }

    fn request(text: &[&str]) -> Vec<Piece> {
        let piece =
            |text: &&str| Piece { weight: 1, bytes: Bytes::from((*text).to_owned()), original: None, key: None };
        text.iter().map(piece).collect()
    }

    /// An attempt that is cut off after its first poll, as a timeout does.
    async fn cut_off(writer: &WriterThread<Gate>, request: &[Piece]) {
        let mut attempt = pin!(writer.write(request));
        poll_fn(|context| {
            assert!(attempt.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_write_that_outlives_its_attempts_is_not_begun_again_and_counts() {
        let (writer, begins, end) = gate();
        let first = request(&["a", "b"]);
        cut_off(&writer, &first).await;
        assert_eq!(begins.recv().unwrap(), b"ab");
        cut_off(&writer, &first).await;
        cut_off(&writer, &first).await;
        end.send(Ok(())).unwrap();
        assert!(matches!(writer.write(&first).await, Written::Done));
        assert!(begins.try_recv().is_err(), "written once");
        // The next one of the same text is another request.
        end.send(Ok(())).unwrap();
        assert!(matches!(writer.write(&request(&["a", "b"])).await, Written::Done));
        assert_eq!(begins.recv().unwrap(), b"ab");
    }

    #[tokio::test]
    async fn while_a_write_is_open_another_request_is_told_to_come_again() {
        let (writer, begins, end) = gate();
        let (first, second) = (request(&["same"]), request(&["same"]));
        cut_off(&writer, &first).await;
        assert!(matches!(writer.write(&second).await, Written::Busy));
        assert_eq!(begins.recv().unwrap(), b"same");
        assert!(begins.try_recv().is_err(), "the second is not begun");
        {
            let mut waiting = pin!(writer.write(&first));
            let is_open = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await;
            assert!(is_open);
            assert!(matches!(writer.write(&second).await, Written::Busy), "nor while the first is waited for");
        }
        end.send(Ok(())).unwrap();
        assert!(matches!(writer.write(&first).await, Written::Done));
        end.send(Ok(())).unwrap();
        assert!(matches!(writer.write(&second).await, Written::Done));
    }

    #[tokio::test]
    async fn a_failure_is_told_once_and_the_next_attempt_writes_again() {
        let (writer, begins, end) = gate();
        let first = request(&["a"]);
        end.send(Err(io::Error::other("disk is full"))).unwrap();
        assert!(matches!(writer.write(&first).await, Written::Failed(error) if error.to_string() == "disk is full"));
        end.send(Ok(())).unwrap();
        assert!(matches!(writer.write(&first).await, Written::Done));
        assert_eq!(begins.iter().take(2).count(), 2);
    }

    #[tokio::test]
    async fn a_thread_that_ended_is_replaced() {
        let (writer, begins, end) = gate();
        let first = request(&["a"]);
        cut_off(&writer, &first).await;
        begins.recv().unwrap();
        // Its write panics, because nobody can tell it how to end.
        drop(end);
        assert!(matches!(writer.write(&first).await, Written::ThreadFailed(_)));
        assert!(matches!(writer.write(&first).await, Written::ThreadFailed(_)));
        assert_eq!(begins.recv().unwrap(), b"a", "another thread began");
    }

    #[tokio::test]
    async fn what_holds_no_bytes_needs_no_writing() {
        let (writer, begins, _end) = gate();
        assert!(matches!(writer.write(&[]).await, Written::Done));
        assert!(begins.try_recv().is_err());
    }
}
