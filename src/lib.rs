//! The map of the telemetry gateway: a sidecar that receives OTLP and delivers it to Honeycomb, AWS X-Ray and Rollbar by
//! the rules of one YAML file.
//!
//! Two straight lines joined by a journal:
//!
//! ```text
//! socket ─▶ receiver ─▶ router ─▶ journal ═══════▶ delivery ─▶ exporter ─▶ vendor
//!           └─ the client's task, ends in 200 ───┘ └─ one task for each exporter ──┘
//! ```
//!
//! A folder imports lower floors only; a test enforces it. ARCHITECTURE.md walks one span through all of them.
//!
//! | floor | folder         | what lives there                                                              |
//! |-------|----------------|-------------------------------------------------------------------------------|
//! | 0     | [`stdx`]       | secrets, units, places in files, backoff, small sets                          |
//! | 0     | [`otlp`]       | batches as bytes, borrowed views, checks, splices, JSON, semantic conventions |
//! | 0     | [`stacktrace`] | text of any SDK language → chains of exceptions with frames                   |
//! | 0     | [`vitals`]     | the gateway's own counters, metrics and log                                   |
//! | 1     | [`router`]     | rules → a set of exporters for each item                                      |
//! | 1     | [`journal`]    | what is accepted and not yet delivered everywhere                             |
//! | 1     | [`exporter`]   | the vendors: pure `encode`, one-attempt `send`                                |
//! | 2     | [`delivery`]   | the loop that joins a journal's cursor and an exporter                        |
//! | 3     | [`gateway`]    | all of these put together: intake, status, stop                               |
//! | 4     | [`receiver`]   | the door for OTLP                                                             |
//! | 4     | [`admin`]      | health, status, metrics                                                       |
//! | 5     | [`config`]     | `gateway.yaml` → configuration, or all its problems                           |
//! | 6     | [`cli`]        | the verbs of the binary                                                       |

pub mod admin;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod exporter;
pub mod gateway;
pub mod journal;
pub mod otlp;
pub mod receiver;
pub mod router;
pub mod stacktrace;
pub mod stdx;
pub mod vitals;
