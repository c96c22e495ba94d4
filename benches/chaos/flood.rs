//! [`Flood`]: many clients that send as fast as they are answered, large requests and tiny ones, and what they were told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ceiling::Limits;
use crate::draw::Draw;
use crate::key::{Key, Mark};
use crate::load::{ANSWER_TIME_MAX, Answer, connect, export};
use crate::request::{Form, body};

/// Clients of large requests, and of tiny ones.
const CONNECTIONS: [usize; 2] = [24, 72];
/// Spans of a request, about 600 bytes each.
const SPANS: [&[u64]; 2] = [&[500, 1500, 3000], &[1, 2, 3]];
/// One span in so many has failed.
const ERROR_EVERY: u64 = 4;
/// How long who was told to come later waits: shorter than anybody should.
const LATER_DELAY: Duration = Duration::from_millis(20);
const TEXT_BYTES_SHOWN: usize = 200;

/// A request that is sent again and again.
struct Prepared {
    form: Form,
    body: Bytes,
    spans: u64,
    errors: u64,
    /// What it counts for in the journal, about: compressed ones as they are.
    counted: u64,
}

/// What all clients have heard so far.
#[derive(Clone, Default, Debug)]
pub struct Tally {
    pub acknowledged_requests: u64,
    pub acknowledged_spans: u64,
    pub acknowledged_errors: u64,
    /// By status and text, without numbers.
    pub refused: BTreeMap<String, u64>,
    /// Connections that broke before the answer.
    pub broken: BTreeMap<String, u64>,
    /// Without an answer within [`ANSWER_TIME_MAX`].
    pub hung: u64,
    pub slowest: Duration,
}

struct Shared {
    address: SocketAddr,
    tally: Mutex<Tally>,
    /// Of everything sent, as the journal counts it.
    offered: AtomicU64,
}

pub struct Flood {
    shared: Arc<Shared>,
    ending: watch::Sender<bool>,
    clients: JoinSet<()>,
}

impl Flood {
    pub fn connections() -> u64 {
        CONNECTIONS.iter().sum::<usize>() as u64
    }

    pub fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared { address, tally: Mutex::default(), offered: AtomicU64::new(0) });
        let (ending, _) = watch::channel(false);
        let mut clients = JoinSet::new();
        let mut draw = Draw::new(0x0f_100d);
        for (connections, sizes) in CONNECTIONS.into_iter().zip(SPANS) {
            let pool: Arc<[Prepared]> = pool(sizes, &mut draw)?.into();
            for number in 0..connections {
                let (shared, pool, ending) = (Arc::clone(&shared), Arc::clone(&pool), ending.subscribe());
                clients.spawn(async move { shared.send(&pool, number, ending).await });
            }
        }
        Ok(Self { shared, ending, clients })
    }

    pub fn offered(&self) -> u64 {
        self.shared.offered.load(Ordering::Relaxed)
    }

    /// Waits for the last answers.
    pub async fn end(mut self) -> Tally {
        self.ending.send_replace(true);
        while self.clients.join_next().await.is_some() {}
        self.shared.tally().clone()
    }
}

fn pool(sizes: &[u64], draw: &mut Draw) -> anyhow::Result<Vec<Prepared>> {
    let mut pool = Vec::new();
    for form in Form::ALL {
        for spans in sizes {
            let keys: Vec<Key> = (0..*spans)
                .map(|_| Key::new(1 + draw.below(1 << 40), Mark::None, draw.below(ERROR_EVERY) == 0))
                .collect();
            let errors = keys.iter().filter(|key| key.is_error()).count() as u64;
            let written = body(&keys, form, draw)?;
            let counted = Limits::counted(if form == Form::Json {
                body(&keys, Form::Protobuf, draw)?.len() as u64
            } else {
                written.len() as u64
            });
            pool.push(Prepared { form, body: written, spans: *spans, errors, counted });
        }
    }
    Ok(pool)
}

impl Shared {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().expect("no holder of the lock can panic")
    }

    async fn send(&self, pool: &[Prepared], first: usize, ending: watch::Receiver<bool>) {
        let mut connection: Option<SendRequest<Full<Bytes>>> = None;
        for turn in first.. {
            if *ending.borrow() {
                return;
            }
            let prepared = &pool[turn % pool.len()];
            self.offered.fetch_add(prepared.counted, Ordering::Relaxed);
            let asked_at = Instant::now();
            let export = async {
                let mut sender = match connection.take().filter(|sender| !sender.is_closed()) {
                    Some(sender) => sender,
                    None => connect(self.address).await?,
                };
                let answer = export(&mut sender, self.address, prepared.form, prepared.body.clone()).await?;
                connection = Some(sender);
                anyhow::Ok(answer)
            };
            let answer = tokio::time::timeout(ANSWER_TIME_MAX, export).await;
            self.note(prepared, &answer, asked_at.elapsed());
            if !matches!(answer, Ok(Ok(Answer::Acknowledged))) {
                tokio::time::sleep(LATER_DELAY).await;
            }
        }
    }

    fn note(
        &self,
        prepared: &Prepared,
        answer: &Result<anyhow::Result<Answer>, tokio::time::error::Elapsed>,
        took: Duration,
    ) {
        let mut tally = self.tally();
        tally.slowest = tally.slowest.max(took);
        match answer {
            Ok(Ok(Answer::Acknowledged)) => {
                tally.acknowledged_requests += 1;
                tally.acknowledged_spans += prepared.spans;
                tally.acknowledged_errors += prepared.errors;
            }
            Ok(Ok(Answer::Refused(text) | Answer::Unknown(text))) => {
                *tally.refused.entry(without_numbers(text)).or_default() += 1;
            }
            Ok(Err(problem)) => *tally.broken.entry(format!("{problem:#}")).or_default() += 1,
            Err(_) => tally.hung += 1,
        }
    }
}

/// The status as it is, and one text for all that differ in their figures only.
fn without_numbers(text: &str) -> String {
    let (status, rest) = text.split_once(':').unwrap_or((text, ""));
    let mut shown = format!("{status}:");
    for character in rest.chars().take(TEXT_BYTES_SHOWN) {
        match character {
            '0'..='9' if shown.ends_with('#') => {}
            '0'..='9' => shown.push('#'),
            other => shown.push(other),
        }
    }
    shown
}
