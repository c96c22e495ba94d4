//! The role of the application's SDKs: sends prepared requests over 16 connections and times the answers.
//!
//! A line `run SECONDS` on standard input runs once and answers with one line of JSON, a [`LoadResult`]; connections
//! stay open in between. Two ways to send:
//!
//! - closed loop: every connection sends its next request when it has the answer to the last one;
//! - open loop, at a rate: connection *i* of *n* has its own evenly spaced times. A request that had to wait for the one
//!   before it is timed from when it was due, so that a stall shows in the latencies.
//!
//! A closed loop alone would let a gateway that acknowledges before it delivers fill its journal until it drops. So the
//! senders pause while more than [`OUTSTANDING_SPANS_MAX`] acknowledged spans are not at the sink: what is measured is
//! a rate that can last. The pauses are not part of any latency.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::client::{Client, Verdict};
use crate::corpus::{self, Prepared, SPANS_PER_REQUEST};
use crate::counts::{COUNTS_PATH, Counts};
use crate::histogram::Histogram;
use crate::wire::{Encoding, Protocol};

pub const CONNECTIONS: usize = 16;
/// 42 MB of telemetry: far below the journal's bound, far above what a gateway has in flight towards the vendors.
pub const OUTSTANDING_SPANS_MAX: u64 = 65_536;
const OUTSTANDING_LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long a sender that was told "later" or lost its connection waits.
const LATER_DELAY: Duration = Duration::from_millis(5);

/// What one process of this role is asked to do; travels as one JSON argument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadPlan {
    pub target: SocketAddr,
    pub protocol: String,
    pub encoding: String,
    /// All connections together; none means closed loop.
    pub requests_per_second: Option<f64>,
    pub sink: SocketAddr,
    pub expects: Expects,
}

/// Which of the vendors get everything that concerns them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Expects {
    pub otlp: bool,
    pub xray: bool,
    pub rollbar: bool,
}

/// What one run came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LoadResult {
    /// Acknowledged requests, and the spans and exceptions in them.
    pub requests: u64,
    pub spans: u64,
    pub exceptions: u64,
    /// Protobuf bytes of the acknowledged requests before compression.
    pub message_bytes: u64,
    /// Spans that a partial success refused; not part of `spans`.
    pub rejected: u64,
    /// Requests that the server asked to send later.
    pub later: u64,
    /// Requests refused for good, or whose fate is unknown because the connection broke.
    pub failed: u64,
    /// What the first `rejected`, `later` or `failed` said.
    pub trouble_first: Option<String>,
    pub seconds: f64,
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

/// Serves `run` lines until standard input ends.
pub fn run(plan: &LoadPlan) -> anyhow::Result<()> {
    let protocol: Protocol = plan.protocol.parse()?;
    let encoding: Encoding = plan.encoding.parse()?;
    let pool: Arc<[Prepared]> = corpus::build(protocol, encoding)?.into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ledger = Arc::new(Ledger::default());
        let (open, gate) = watch::channel(true);
        if plan.requests_per_second.is_none() {
            tokio::spawn(watch_outstanding(plan.sink, plan.expects, Arc::clone(&ledger), open));
        }
        let mut senders = Vec::new();
        for index in 0..CONNECTIONS {
            senders.push(Sender {
                client: Client::connect(plan.target, protocol, encoding).await?,
                reconnect: (plan.target, protocol, encoding),
                pool: Arc::clone(&pool),
                next: index * pool.len() / CONNECTIONS,
                index,
                requests_per_second: plan.requests_per_second,
                ledger: Arc::clone(&ledger),
                gate: gate.clone(),
            });
        }
        println!("{}", crate::role::READY_PREFIX);
        let mut lines = lines();
        while let Some(line) = lines.recv().await {
            let seconds = line.strip_prefix("run ").context("expected `run SECONDS`")?.parse()?;
            let result;
            (result, senders) = run_once(senders, Duration::from_secs_f64(seconds)).await?;
            println!("{}", serde_json::to_string(&result)?);
            std::io::stdout().flush()?;
        }
        Ok(())
    })
}

/// Reads standard input on a thread of its own. Full means that the parent is ahead of the runs: it waits.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn run_once(senders: Vec<Sender>, duration: Duration) -> anyhow::Result<(LoadResult, Vec<Sender>)> {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for sender in senders {
        tasks.spawn(sender.send_for(start, duration));
    }
    let mut total = LoadResult::default();
    let mut latencies = Histogram::new();
    let mut senders = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let (sender, part, part_latencies) = ended?;
        total.requests += part.requests;
        total.spans += part.spans;
        total.exceptions += part.exceptions;
        total.message_bytes += part.message_bytes;
        total.rejected += part.rejected;
        total.later += part.later;
        total.failed += part.failed;
        total.trouble_first = total.trouble_first.or(part.trouble_first);
        latencies.add(&part_latencies);
        senders.push(sender);
    }
    total.seconds = start.elapsed().as_secs_f64();
    total.p50_us = latencies.quantile(0.50);
    total.p99_us = latencies.quantile(0.99);
    total.max_us = latencies.max();
    Ok((total, senders))
}

/// Acknowledged so far, over all runs and connections.
#[derive(Default)]
struct Ledger {
    spans: AtomicU64,
    exceptions: AtomicU64,
}

struct Sender {
    client: Client,
    reconnect: (SocketAddr, Protocol, Encoding),
    pool: Arc<[Prepared]>,
    next: usize,
    index: usize,
    requests_per_second: Option<f64>,
    ledger: Arc<Ledger>,
    gate: watch::Receiver<bool>,
}

impl Sender {
    async fn send_for(mut self, start: Instant, duration: Duration) -> (Self, LoadResult, Histogram) {
        let mut result = LoadResult::default();
        let mut latencies = Histogram::new();
        let mut turn = 0;
        while let Some(began) = self.wait_for_turn(start, duration, turn).await {
            turn += 1;
            self.send_one(began, &mut result, &mut latencies).await;
        }
        (self, result, latencies)
    }

    /// Returns as of when the latency of the next request counts, once it may go; none when `duration` is over.
    async fn wait_for_turn(&mut self, start: Instant, duration: Duration, turn: u64) -> Option<Instant> {
        let Some(rate) = self.requests_per_second else {
            // Neither a timeout nor nobody watching any more is a reason to hold back.
            let _ = timeout_at(start + duration, self.gate.wait_for(|open| *open)).await;
            let now = Instant::now();
            return (now < start + duration).then_some(now);
        };
        let place = turn as f64 * CONNECTIONS as f64 + self.index as f64;
        let due = start + Duration::from_secs_f64(place / rate);
        if due >= start + duration {
            return None;
        }
        if Instant::now() >= due {
            return Some(due);
        }
        // The timer's own lateness, up to a millisecond, is not the server's.
        sleep_until(due).await;
        Some(Instant::now())
    }

    async fn send_one(&mut self, began: Instant, result: &mut LoadResult, latencies: &mut Histogram) {
        let prepared = &self.pool[self.next];
        self.next = (self.next + 1) % self.pool.len();
        let trouble = match self.client.export(prepared.body.clone()).await {
            Ok(Verdict::Accepted { rejected }) => {
                latencies.record(began.elapsed().as_micros() as u64);
                let spans = SPANS_PER_REQUEST.saturating_sub(rejected);
                result.requests += 1;
                result.spans += spans;
                result.exceptions += prepared.exceptions;
                result.message_bytes += prepared.message_bytes;
                result.rejected += rejected;
                self.ledger.spans.fetch_add(spans, Ordering::Relaxed);
                self.ledger.exceptions.fetch_add(prepared.exceptions, Ordering::Relaxed);
                (rejected > 0).then(|| format!("{rejected} spans rejected by a partial success"))
            }
            Ok(Verdict::Later(text)) => {
                result.later += 1;
                sleep(LATER_DELAY).await;
                Some(text)
            }
            Ok(Verdict::Failed(text)) => {
                result.failed += 1;
                sleep(LATER_DELAY).await;
                Some(text)
            }
            Err(problem) => {
                result.failed += 1;
                sleep(LATER_DELAY).await;
                let (address, protocol, encoding) = self.reconnect;
                if let Ok(client) = Client::connect(address, protocol, encoding).await {
                    self.client = client;
                }
                Some(format!("{problem:#}"))
            }
        };
        if result.trouble_first.is_none() {
            result.trouble_first = trouble;
        }
    }
}

/// Closes the gate while too much is acknowledged but not at the sink.
async fn watch_outstanding(sink: SocketAddr, expects: Expects, ledger: Arc<Ledger>, gate: watch::Sender<bool>) {
    let watching = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(sink).await?)).await?;
        tokio::spawn(connection);
        loop {
            sleep(OUTSTANDING_LOOK_EVERY).await;
            let request = Request::get(COUNTS_PATH).header(HOST, sink.to_string());
            sender.ready().await?;
            let response = sender.send_request(request.body(Empty::<bytes::Bytes>::new())?).await?;
            let counts: Counts = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
            let open = outstanding_spans(&ledger, &counts, expects) <= OUTSTANDING_SPANS_MAX;
            gate.send_if_modified(|now| std::mem::replace(now, open) != open);
        }
    };
    let ended: anyhow::Result<()> = watching.await;
    if let Err(problem) = ended {
        eprintln!("load generator: cannot ask the sink any more, sends without pause: {problem:#}");
    }
}

fn outstanding_spans(ledger: &Ledger, counts: &Counts, expects: Expects) -> u64 {
    let spans = ledger.spans.load(Ordering::Relaxed);
    let exceptions = ledger.exceptions.load(Ordering::Relaxed);
    let behind = |expected: bool, acknowledged: u64, arrived: u64| {
        if expected { acknowledged.saturating_sub(arrived) } else { 0 }
    };
    behind(expects.otlp, spans, counts.otlp_spans)
        .max(behind(expects.xray, spans, counts.xray_documents))
        .max(behind(expects.rollbar, exceptions, counts.rollbar_items).saturating_mul(corpus::EXCEPTION_EVERY))
}
