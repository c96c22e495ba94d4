//! The admin listener: health for orchestrators, status for people, metrics for Prometheus. No telemetry passes here.
//!
//! | path       | answer                                                       |
//! |------------|--------------------------------------------------------------|
//! | `/livez`   | 200 as long as the process serves                            |
//! | `/readyz`  | 200 while telemetry is accepted, 503 while starting, stopping|
//! | `/status`  | everything as JSON: exporters, books, last errors, previews  |
//! | `/metrics` | Prometheus text                                              |

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::gateway::Gateway;
use crate::stdx::fault::Fault;
use crate::stdx::located::Located;

/// `admin` of `gateway.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Loopback unless told otherwise: the page shows previews of telemetry.
    pub listen: Located<String>,
}

impl Default for Config {
    fn default() -> Self {
        Config { listen: Located::nowhere("127.0.0.1:4320".to_owned()) }
    }
}

/// Connections at once; health checks and one or two scrapers need few. More are closed at once.
const CONNECTIONS_MAX: usize = 64;

/// A client that sends its head more slowly than this is cut off, to keep places free for health checks.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Each connection carries one request, and is over by then even if its client does not read the answer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// Accept errors, such as no more file descriptors, are waited out.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

impl Config {
    /// What is wrong with it beyond its form.
    pub fn faults(&self) -> Option<Fault> {
        self.listen.value.parse::<SocketAddr>().err().map(|_| {
            Fault::at(self.listen.place, format!("`{}` is no address to listen on", self.listen.value))
                .hint("an IP address and a port, such as 127.0.0.1:4320")
        })
    }
}

/// The bound admin socket.
pub struct Admin {
    listener: TcpListener,
    gateway: Arc<Gateway>,
}

impl Admin {
    pub async fn bind(config: &Config, gateway: Arc<Gateway>) -> anyhow::Result<Self> {
        let address = &config.listen.value;
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for admin"))?;
        Ok(Admin { listener, gateway })
    }

    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until told to stop, and then ends at once: no answer here is worth a wait.
    pub async fn run(self, stop: CancellationToken) {
        if let Some(address) = self.address() {
            info!(%address, "listening for admin");
        }
        let _ = stop.run_until_cancelled(self.serve()).await;
    }

    async fn serve(self) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((_, client)) if connections.len() >= CONNECTIONS_MAX => {
                    debug!(%client, connections = CONNECTIONS_MAX, "closed an admin connection: too many are open");
                }
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&self.gateway)));
                }
                Err(error) => {
                    warn!(%error, "cannot accept an admin connection");
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, gateway: Arc<Gateway>) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let answer = answer(&gateway, request.method(), request.uri().path());
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).keep_alive(false);
    // A client that goes away early is its own business.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, server.serve_connection(TokioIo::new(stream), service)).await;
}

fn answer(gateway: &Gateway, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let (status, content_type, body) = match path {
        _ if !matches!(*method, Method::GET | Method::HEAD) => {
            (StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned())
        }
        "/livez" => (StatusCode::OK, TEXT, "alive\n".to_owned()),
        "/readyz" if gateway.is_ready() => (StatusCode::OK, TEXT, "ready\n".to_owned()),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, TEXT, "not ready\n".to_owned()),
        "/status" => match serde_json::to_string_pretty(&gateway.status()) {
            Ok(json) => (StatusCode::OK, "application/json", json + "\n"),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        },
        "/metrics" => (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", gateway.metrics()),
        "/" => (StatusCode::OK, TEXT, "telemetry-gateway: /status /metrics /livez /readyz\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, TEXT, "not found: /status /metrics /livez /readyz\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

const TEXT: &str = "text/plain; charset=utf-8";
