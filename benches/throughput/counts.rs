//! What the sink has counted since it started, and how the other processes read it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

pub const COUNTS_PATH: &str = "/counts";

/// Totals since the start of the sink; served as JSON at [`COUNTS_PATH`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub otlp_requests: u64,
    /// Body bytes as they came over the wire, compressed or not; so are the other two.
    pub otlp_bytes: u64,
    pub otlp_spans: u64,
    pub xray_requests: u64,
    pub xray_bytes: u64,
    pub xray_documents: u64,
    pub rollbar_requests: u64,
    pub rollbar_bytes: u64,
    pub rollbar_items: u64,
    /// Requests answered with an error because a vendor would have refused them.
    pub refused: u64,
    /// Why the first of them was refused.
    pub refused_first: Option<String>,
    /// When the latest body was complete, in microseconds since 1970; 0 before the first.
    pub latest_unix_us: u64,
}

impl Counts {
    pub fn bytes(&self) -> u64 {
        self.otlp_bytes + self.xray_bytes + self.rollbar_bytes
    }

    pub fn requests(&self) -> u64 {
        self.otlp_requests + self.xray_requests + self.rollbar_requests
    }
}

/// Asks the sink at `address`; blocking.
pub fn fetch(address: SocketAddr) -> anyhow::Result<Counts> {
    let body = get(address, COUNTS_PATH)?;
    serde_json::from_str(&body).with_context(|| format!("the sink's counts are not readable: {body}"))
}

/// Sends one blocking GET over its own connection and returns the body of a 200.
pub fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    const ANSWER_BYTES_MAX: u64 = 1024 * 1024;
    let timeout = Duration::from_secs(30);
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of headers")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{path} answered {}", head.lines().next().unwrap_or_default());
    Ok(body.to_owned())
}
