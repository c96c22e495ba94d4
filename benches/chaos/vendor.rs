//! [`Vendor`]: a vendor's stand-in on a port of its own, in any mood.
//!
//! ```text
//! healthy, …  listener ─▶ connections ─▶ books
//! closed      the port is held, nobody listens: connecting is refused
//! ```

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::books::{Books, Taken};
use crate::draw::Draw;
use crate::fault::{After, Fault};
use crate::http_request::HttpRequest;
use crate::key::Key;
use crate::kind::{Kind, Verdict, judge_unprocessed};
use crate::lives::Lives;
use crate::port::Port;

/// More spans than this are too many in [`Fault::TooLarge`]; less than most requests have, so that halving goes deep.
const SPANS_MAX_IN_A_BAD_MOOD: usize = 12;

/// Above any timeout of an exporter in a round; one that hangs on longer is let go.
const STALL_MAX: Duration = Duration::from_secs(10);

/// Asked by the harness itself: whoever has been answered here is behind all connections made before.
const DRAIN_PATH: &str = "/drain";
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

pub struct Vendor {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

struct Shared {
    kind: Kind,
    port: Port,
    seed: u64,
    connections: AtomicU64,
    /// How many connections there are now.
    open: watch::Sender<usize>,
    fault: watch::Sender<Fault>,
    books: Mutex<Books>,
    lives: Arc<Lives>,
}

impl Vendor {
    pub fn start(kind: Kind, seed: u64, lives: Arc<Lives>) -> anyhow::Result<Self> {
        let port = Port::hold()?;
        let address = port.address;
        let shared = Arc::new(Shared {
            kind,
            port,
            seed,
            connections: AtomicU64::new(0),
            open: watch::Sender::new(0),
            fault: watch::Sender::new(Fault::Healthy),
            books: Mutex::default(),
            lives,
        });
        let listener = shared.port.listen()?;
        let serving = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&shared).serve(listener)));
        Ok(Self { address, shared, _serving: serving })
    }

    pub fn set(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
    }

    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.shared.books()
    }

    /// Waits until nothing of a gateway that has ended is left to be read.
    pub async fn drain(&self) -> anyhow::Result<()> {
        let drained = async {
            if *self.shared.fault.borrow() != Fault::Closed {
                let mut stream = TcpStream::connect(self.address).await?;
                stream.write_all(format!("GET {DRAIN_PATH} HTTP/1.1\r\n\r\n").as_bytes()).await?;
                stream.read_u8().await?;
            }
            self.shared.open.subscribe().wait_for(|open| *open == 0).await?;
            anyhow::Ok(())
        };
        tokio::time::timeout(DRAIN_TIMEOUT, drained).await.context("connections of a dead gateway stay open")?
    }
}

impl Shared {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no holder of the lock can panic")
    }

    /// Listens whenever the vendor is not closed.
    async fn serve(self: Arc<Self>, first: TcpListener) {
        let mut fault = self.fault.subscribe();
        let mut listener = Some(first);
        loop {
            if let Some(listener) = listener.take() {
                // Dropping the connections cuts them off.
                let mut connections = JoinSet::new();
                loop {
                    tokio::select! {
                        accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                            connections.spawn(Arc::clone(&self).connection(stream));
                        },
                        Some(_) = connections.join_next() => {}
                        closed = fault.wait_for(|fault| *fault == Fault::Closed) => match closed {
                            Ok(_) => break,
                            Err(_) => return,
                        }
                    }
                }
            }
            if fault.wait_for(|fault| *fault != Fault::Closed).await.is_err() {
                return;
            }
            match self.port.listen() {
                Ok(opened) => listener = Some(opened),
                Err(problem) => {
                    self.books().violations.push(format!("the stand-in cannot listen again: {problem:#}"));
                    return;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, mut stream: TcpStream) {
        self.open.send_modify(|open| *open += 1);
        let _leaving = Leaving(&self.open);
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let mut draw = Draw::new(self.seed ^ number << 32);
        let life = self.lives.current();
        let mut buffer = Vec::new();
        // A gateway that is killed breaks its connections anywhere: no event here.
        while let Ok(Some(request)) = HttpRequest::read(&mut stream, &mut buffer).await {
            if request.path == DRAIN_PATH {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                continue;
            }
            let keys = match self.kind.read(&request) {
                Ok(keys) => keys,
                Err(problem) => {
                    self.books().violations.push(format!("{}: {problem}", self.kind.name()));
                    return;
                }
            };
            let fault = self.fault.borrow().of_request(self.kind, &mut draw);
            if self.answer(&mut stream, life, &keys, fault, &mut draw).await.is_none() {
                let _ = stream.set_zero_linger();
                return;
            }
        }
    }

    /// Answers one request as the mood is; none where the connection is to be reset.
    async fn answer(
        &self,
        stream: &mut TcpStream,
        life: u32,
        keys: &[Key],
        fault: Fault,
        draw: &mut Draw,
    ) -> Option<()> {
        let verdict = self.kind.judge(keys);
        let has_taken = draw.below(2) == 0;
        match fault {
            // What is refused for good is always said: whether it is counted as dropped must not depend on luck.
            Fault::Reset | Fault::HangUp | Fault::CutAnswer | Fault::Stall | Fault::Proxy(_)
                if !verdict.refused.is_empty() =>
            {
                self.say(stream, life, verdict).await
            }
            Fault::Healthy | Fault::Mixed => self.say(stream, life, verdict).await,
            Fault::Closed => None,
            Fault::Reset => {
                self.note("reset", has_taken.then_some((life, &*verdict.taken)));
                None
            }
            Fault::HangUp => {
                self.note("hang up", has_taken.then_some((life, &*verdict.taken)));
                // Nothing is unread by now, so that the end is a FIN; what is read or written behind it fails.
                stream.shutdown().await.ok()
            }
            Fault::CutAnswer => {
                self.note("cut answer", Some((life, &verdict.taken)));
                let mut answer = head(verdict.status, self.kind.content_type(), verdict.body.len() + 100, None);
                answer.extend_from_slice(&verdict.body);
                answer.truncate(draw.below(answer.len() as u64) as usize);
                stream.write_all(&answer).await.ok()?;
                None
            }
            Fault::Stall => {
                self.note("stall", has_taken.then_some((life, &*verdict.taken)));
                // The gateway gives up some time; nothing it sends before is of interest.
                let _ = tokio::time::timeout(STALL_MAX, stream.read_u8()).await;
                None
            }
            Fault::Status(status, after) => {
                if self.kind == Kind::Honeycomb && status == 500 {
                    self.books().refuse(life, keys);
                }
                self.refuse(stream, status, after, draw).await
            }
            Fault::Proxy(status) => {
                self.note("proxy", has_taken.then_some((life, &*verdict.taken)));
                self.refuse(stream, status, After::Nothing, draw).await
            }
            Fault::TooLarge if keys.len() > SPANS_MAX_IN_A_BAD_MOOD => {
                self.refuse(stream, 413, After::Nothing, draw).await
            }
            Fault::Unprocessed if verdict.status == 200 && verdict.refused.is_empty() => {
                let code = ["ThrottledException", "InternalFailure", "SomethingNew"][draw.below(3) as usize];
                self.say(stream, life, judge_unprocessed(keys, code)).await
            }
            Fault::TooLarge | Fault::Unprocessed => self.say(stream, life, verdict).await,
            Fault::Unauthorized => {
                let status = if draw.below(2) == 0 { 401 } else { 403 };
                self.refuse(stream, status, After::Nothing, draw).await
            }
        }
    }

    /// Gives a verdict in full.
    async fn say(&self, stream: &mut TcpStream, life: u32, verdict: Verdict) -> Option<()> {
        let taken = self.note(verdict.word, Some((life, &verdict.taken)));
        self.books().refuse(life, &verdict.refused);
        let mut answer = head(verdict.status, self.kind.content_type(), verdict.body.len(), None);
        answer.extend_from_slice(&verdict.body);
        stream.write_all(&answer).await.ok()?;
        self.books().answered(&taken, Instant::now());
        Some(())
    }

    /// Takes nothing.
    async fn refuse(&self, stream: &mut TcpStream, status: u16, after: After, draw: &mut Draw) -> Option<()> {
        self.note(status_word(status), None);
        let code = match status {
            401 | 403 => "UnrecognizedClientException",
            429 => "ThrottledException",
            _ => "InternalFailure",
        };
        let body = self.kind.error(code, "not now");
        let mut answer = head(status, self.kind.content_type(), body.len(), after.text(draw));
        answer.extend_from_slice(&body);
        stream.write_all(&answer).await.ok()
    }

    /// Counts an answer, and what was taken with it.
    fn note(&self, word: &'static str, taken: Option<(u32, &[Key])>) -> Taken {
        let mut books = self.books();
        books.requests += 1;
        *books.answers.entry(word).or_default() += 1;
        let (life, keys) = taken.unwrap_or_default();
        books.take(life, keys)
    }
}

/// Counts a connection out, however it ends.
struct Leaving<'a>(&'a watch::Sender<usize>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

fn head(status: u16, content_type: &str, length: usize, after: Option<String>) -> Vec<u8> {
    let after = after.map(|after| format!("retry-after: {after}\r\n")).unwrap_or_default();
    format!("HTTP/1.1 {status} Chaos\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n{after}\r\n")
        .into_bytes()
}

fn status_word(status: u16) -> &'static str {
    const WORDS: [(u16, &str); 8] = [
        (401, "401"),
        (403, "403"),
        (413, "413"),
        (429, "429"),
        (500, "500"),
        (502, "502"),
        (503, "503"),
        (504, "504"),
    ];
    WORDS.iter().find(|(known, _)| *known == status).map_or("other", |(_, word)| word)
}
