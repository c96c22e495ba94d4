//! [`Limits`]: the bounds that a gateway is given, and what it may take of memory and files by them.

use std::net::SocketAddr;
use std::path::Path;

const MIB: u64 = 1024 * 1024;

/// Keys of gateway.yaml, in bytes where nothing else is said.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub body_max: u64,
    pub inflight_max: u64,
    pub journal_max: u64,
    pub memory_max: u64,
    /// Of each exporter: requests under way at once.
    pub concurrency: u64,
    pub request_max: u64,
}

/// Where everybody is.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    pub otlp: SocketAddr,
    pub admin: SocketAddr,
    /// Honeycomb, X-Ray, Rollbar.
    pub vendors: [SocketAddr; 3],
    pub directory: &'a Path,
    pub durability: &'a str,
    pub when_full: &'a str,
}

impl Limits {
    /// Small, so that ten times as much is sent in seconds.
    pub const SMALL: Self = Self {
        body_max: 4 * MIB,
        inflight_max: 24 * MIB,
        journal_max: 32 * MIB,
        memory_max: 16 * MIB,
        concurrency: 4,
        request_max: MIB,
    };

    /// The program, its threads and runtime, TLS roots, and what the allocator keeps for later.
    const FIXED: u64 = 40 * MIB;

    /// What hyper reads ahead on a connection at most, in two halves: one is read, one is copied from.
    const CONNECTION: u64 = 2 * 408 * 1024;

    /// The index of the journal: so much for each record, of which there is one in so many bytes of files at most.
    const INDEX: (u64, u64) = (256, 4096);

    /// What records may count for: the rest is for the file that is written, and what is settled in others.
    pub fn journal_capacity(&self) -> u64 {
        self.journal_max / 4 * 3
    }

    /// A record counts for so much at least.
    pub fn counted(bytes: u64) -> u64 {
        bytes.max(Self::INDEX.1)
    }

    /// The largest file: a request of the largest size may be all that is in one.
    fn file_max(&self) -> u64 {
        (self.journal_max / 16).max(self.body_max)
    }

    /// All of memory, as ARCHITECTURE.md adds it up.
    pub fn memory_ceiling(&self, connections: u64) -> u64 {
        let exporters = 3;
        let (bytes, per_bytes) = Self::INDEX;
        let parts = [
            Self::FIXED,
            connections * Self::CONNECTION,
            self.inflight_max,
            self.memory_max,
            // Encoded, and as the body that is sent.
            exporters * self.concurrency * self.request_max * 2,
            self.journal_max / per_bytes * bytes,
            // A file is rewritten in memory.
            2 * self.file_max(),
        ];
        parts.iter().sum()
    }

    /// All files of the journal.
    pub fn files_ceiling(&self) -> u64 {
        self.journal_max + self.file_max()
    }

    pub fn yaml(&self, places: &Places<'_>) -> String {
        let Places { otlp, admin, vendors: [honeycomb, xray, rollbar], directory, durability, when_full } = places;
        let Self { body_max, inflight_max, journal_max, memory_max, concurrency, request_max } = self;
        let pace = format!("timeout: 2s, retry: {{ initial: 20ms, max: 200ms }}, concurrency: {concurrency}");
        format!(
            r#"receivers: {{ otlp: {{ listen: ["{otlp}"], body_bytes_max: {body_max}, inflight_bytes_max: {inflight_max} }} }}
exporters:
  honeycomb: {{ api_key: bounds, endpoint: "http://{honeycomb}", {pace}, request_bytes_max: {request_max} }}
  xray: {{ region: us-east-1, endpoint: "http://{xray}", {pace} }}
  rollbar: {{ access_token: bounds, environment: bounds, endpoint: "http://{rollbar}", {pace}, error_spans: all }}
routes:
  - name: errors
    when: {{ status: error }}
    to: [rollbar]
    continue: true
default: [honeycomb, xray]
journal:
  directory: "{}"
  durability: {durability}
  when_full: {when_full}
  max_bytes: {journal_max}
  memory_max_bytes: {memory_max}
admin: {{ listen: "{admin}" }}
stop: {{ grace: 1s }}
"#,
            directory.display()
        )
    }
}
