//! The door for OTLP: every listener serves OTLP/gRPC and OTLP/HTTP, protobuf and JSON, HTTP/1.1 and h2c.
//!
//! ```text
//! socket ─▶ head: path, type, encoding ─▶ body, under limit and budget ─▶ decode: inflate, JSON → protobuf, check
//!        ◀─ answer, from one table ◀───────────────────────────────────── accept: route, journal ◀┘
//! ```
//!
//! The promise: success is only answered once the journal has the batch; whatever the bytes, memory stays within the
//! budget and every refusal says in the client's own encoding what is wrong. No client holds a connection by silence.

mod answer;
mod body;
mod budget;
mod decode;
mod grpc;
mod head;
mod patience;
mod service;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::gateway::Gateway;
use crate::stdx::fault::Fault;
use crate::stdx::located::Located;
use crate::stdx::units::ByteSize;
use budget::Budget;
use patience::{Patience, PatientStream};
use service::Door;

/// `receivers.otlp` of `gateway.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Addresses; each serves gRPC and HTTP.
    pub listen: Located<Vec<Located<String>>>,
    /// Of one request, before and after inflating.
    pub body_bytes_max: Located<ByteSize>,
    /// Of all requests under way together, inflated bytes included.
    pub inflight_bytes_max: Located<ByteSize>,
    /// Connections of all listeners together; more are closed at once.
    pub connections_max: Located<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: Located::nowhere(
                ["0.0.0.0:4317", "0.0.0.0:4318"].map(|address| Located::nowhere(address.to_owned())).into(),
            ),
            // What the OTLP specification recommends to servers.
            body_bytes_max: Located::nowhere(ByteSize::mebibytes(64)),
            // Four of the largest requests at once.
            inflight_bytes_max: Located::nowhere(ByteSize::mebibytes(256)),
            connections_max: Located::nowhere(4096),
        }
    }
}

/// No system lets a process have more sockets than this.
const CONNECTIONS_MAX: usize = 1_000_000;

/// HTTP/2 pings find dead clients.
const PING_INTERVAL: Duration = Duration::from_mins(1);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Window sizes that let one client fill the link: hyper's own would stall a 1 MiB request.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
const STREAMS_MAX: u32 = 200;

/// Accept errors, such as no more file descriptors, are waited out.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

impl Config {
    /// What is wrong with it beyond its form.
    pub fn faults(&self) -> Vec<Fault> {
        let Config { listen, body_bytes_max, inflight_bytes_max, connections_max } = self;
        let mut faults = address_faults(listen);
        if body_bytes_max.value.as_u64() == 0 {
            faults.push(Fault::at(body_bytes_max.place, "`body_bytes_max` is 0: no request would ever pass"));
        }
        if inflight_bytes_max < body_bytes_max {
            // One of the two may be a default, which has no place.
            let place = inflight_bytes_max.place.max(body_bytes_max.place);
            let message = format!(
                "`inflight_bytes_max` is {inflight_bytes_max}, less than the {body_bytes_max} of `body_bytes_max`: \
                 the largest requests would never pass"
            );
            faults.push(Fault::at(place, message).hint("several times `body_bytes_max`, for several clients at once"));
        }
        if !(1..=CONNECTIONS_MAX).contains(&connections_max.value) {
            let message = format!("`connections_max` is {connections_max}, not 1 to {CONNECTIONS_MAX}");
            faults.push(Fault::at(connections_max.place, message));
        }
        faults
    }
}

fn address_faults(listen: &Located<Vec<Located<String>>>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if listen.value.is_empty() {
        let fault = Fault::at(listen.place, "`listen` is empty: no telemetry would ever come");
        faults.push(fault.hint("leave it out to listen on 0.0.0.0:4317 and 0.0.0.0:4318"));
    }
    for (row, address) in listen.value.iter().enumerate() {
        if address.value.parse::<SocketAddr>().is_err() {
            let fault = Fault::at(address.place, format!("`{address}` is no address to listen on"));
            faults.push(fault.hint("an IP address and a port, such as 0.0.0.0:4318"));
        } else if let Some(earlier) = listen.value[..row].iter().find(|earlier| clash(&earlier.value, &address.value)) {
            let fault = Fault::at(address.place, format!("`{address}` is listened on already"));
            faults.push(fault.hint(format!("`{earlier}` covers it: leave one of the two out")));
        }
    }
    faults
}

/// Whether two addresses cannot be listened on at once: one port of one address, or of all addresses of its kind. Port 0
/// is a free one, another each time.
pub fn clash(one: &str, other: &str) -> bool {
    let (Ok(one), Ok(other)) = (one.parse::<SocketAddr>(), other.parse::<SocketAddr>()) else { return false };
    let all = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && one.is_ipv4() == other.is_ipv4() && (all || one.ip() == other.ip())
}

/// The bound sockets of the OTLP receiver.
pub struct Receiver {
    listeners: Vec<TcpListener>,
    door: Arc<Door>,
    connections: Arc<Semaphore>,
}

impl Receiver {
    /// Binds every address, or none.
    pub async fn bind(config: &Config, gateway: Arc<Gateway>) -> anyhow::Result<Self> {
        let mut listeners = Vec::new();
        for address in &config.listen.value {
            let listener = TcpListener::bind(&address.value)
                .await
                .with_context(|| format!("cannot listen on {} for OTLP", address.value))?;
            listeners.push(listener);
        }
        let door = Arc::new(Door {
            gateway,
            budget: Budget::new(config.inflight_bytes_max.value.as_usize()),
            body_bytes_max: config.body_bytes_max.value.as_usize(),
        });
        Ok(Receiver {
            listeners,
            door,
            connections: Arc::new(Semaphore::new(config.connections_max.value.min(CONNECTIONS_MAX))),
        })
    }

    /// The addresses that are listened on; ports chosen by the system are filled in.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until told to stop, then answers what is under way, however long that takes: whoever has a deadline
    /// drops this, which cuts every connection.
    pub async fn run(self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        for listener in self.listeners {
            if let Ok(address) = listener.local_addr() {
                info!(%address, "listening for OTLP (gRPC and HTTP)");
            }
            tasks.spawn(serve(listener, Arc::clone(&self.door), Arc::clone(&self.connections), stop.clone()));
        }
        while tasks.join_next().await.is_some() {}
    }
}

async fn serve(listener: TcpListener, door: Arc<Door>, places: Arc<Semaphore>, stop: CancellationToken) {
    let server = Arc::new(server());
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::select! {
                    () = tokio::time::sleep(ACCEPT_RETRY_DELAY) => continue,
                    () = stop.cancelled() => break,
                }
            }
        };
        // A client that is let wait in the kernel's queue waits for its own timeout; a closed connection it tries
        // again, with its backoff, and says so in its log.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            debug!(%client, "closed a connection: receivers.otlp.connections_max are open");
            continue;
        };
        door.gateway.vitals.connections.add(1);
        let served = graceful.watcher().watch(connection(&server, stream, Arc::clone(&door)));
        connections.spawn(async move {
            if let Err(error) = served.await {
                debug!(error, %client, "connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    // The clocks of HTTP/1 are those of `PatientStream`. No `pipeline_flush`: it holds an answer back while there are bytes
    // that were not read, and a head that is refused (431) is never read.
    server.http1().timer(TokioTimer::new()).header_read_timeout(None);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX);
    server
}

fn connection(
    server: &auto::Builder<TokioExecutor>,
    stream: TcpStream,
    door: Arc<Door>,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = Box<dyn std::error::Error + Send + Sync>> + use<> {
    // Answers are small and must not wait for company.
    let _ = stream.set_nodelay(true);
    let patience = Patience::new();
    let stream = PatientStream::new(stream, patience.clone());
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let (door, patience) = (Arc::clone(&door), patience.clone());
        patience.begin();
        async move {
            let answer = door.answer(request).await;
            patience.end();
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    server.serve_connection(TokioIo::new(stream), service).into_owned()
}
