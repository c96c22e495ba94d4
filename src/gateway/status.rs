//! What `/status` and `/metrics` show.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::Gateway;
use super::reload::ConfigStatus;
use crate::delivery::dead_letters;
use crate::delivery::health::State;
use crate::delivery::ledger::Figures;
use crate::otlp::Signal;
use crate::vitals::metrics::Page;
use crate::vitals::receiver::{Counter, LENIENT_KINDS, Protocol, signal_index};

/// The gateway at one moment.
#[derive(Debug, Serialize)]
pub struct Status {
    pub version: &'static str,
    pub ready: bool,
    pub started_at: String,
    pub receiver: ReceiverStatus,
    pub config: ConfigStatus,
    pub routes: Vec<RouteStatus>,
    pub journal: JournalStatus,
    /// `None` where none are kept.
    pub dead_letters: Option<dead_letters::Usage>,
    pub exporters: BTreeMap<String, ExporterStatus>,
}

/// What came in: spans, data points and log records by signal.
#[derive(Debug, Serialize)]
pub struct ReceiverStatus {
    pub accepted: BTreeMap<&'static str, u64>,
    pub rejected: BTreeMap<&'static str, u64>,
    pub requests_accepted: u64,
    pub requests_refused: u64,
}

/// How much a route took.
#[derive(Debug, Serialize)]
pub struct RouteStatus {
    pub name: String,
    pub matched: u64,
}

/// How full the journal is.
#[derive(Debug, Serialize)]
pub struct JournalStatus {
    pub bytes: usize,
    pub bytes_max: usize,
    pub records: usize,
    /// Of all its files; 0 where it is in memory.
    pub file_bytes: u64,
    /// Stretches of files that could not be read, since the start.
    pub damaged_stretches: u64,
    /// Why it cannot be written; clients are told to come again meanwhile.
    pub unwritable: Option<String>,
}

/// One exporter: state and books.
#[derive(Debug, Serialize)]
pub struct ExporterStatus {
    pub kind: &'static str,
    pub state: &'static str,
    #[serde(flatten)]
    pub figures: Figures,
    pub backlog_bytes: usize,
    pub requests: u64,
    pub failed_requests: u64,
    pub last_error: Option<LastErrorStatus>,
    /// In preview: the newest payloads that would have been sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub previews: Vec<Preview>,
}

/// A payload that would have been sent.
#[derive(Debug)]
pub struct Preview(std::sync::Arc<serde_json::Value>);

impl Serialize for Preview {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// An exporter's newest complaint.
#[derive(Debug, Serialize)]
pub struct LastErrorStatus {
    pub at: String,
    pub message: String,
}

impl Gateway {
    pub fn status(&self) -> Status {
        let by_signal = |counters: &[Counter; 3]| {
            Signal::ALL.iter().map(|signal| (signal.name(), counters[signal_index(*signal)].get())).collect()
        };
        let (usage, snapshot) = (self.journal.usage(), self.snapshot());
        Status {
            version: env!("CARGO_PKG_VERSION"),
            ready: self.is_ready(),
            started_at: rfc3339(self.started_at),
            receiver: ReceiverStatus {
                accepted: by_signal(&self.vitals.items_accepted),
                rejected: by_signal(&self.vitals.items_rejected),
                requests_accepted: self.vitals.requests_accepted.iter().map(Counter::get).sum(),
                requests_refused: self.vitals.requests_refused.iter().map(Counter::get).sum(),
            },
            config: self.reloads.status(),
            routes: snapshot
                .rules
                .router
                .matched()
                .map(|(name, matched)| RouteStatus { name: name.to_owned(), matched })
                .collect(),
            journal: JournalStatus {
                bytes: usage.bytes,
                bytes_max: usage.bytes_max,
                records: usage.records,
                file_bytes: usage.file_bytes,
                damaged_stretches: usage.damaged_stretches,
                unwritable: usage.unwritable.map(|kind| kind.to_string()),
            },
            dead_letters: self.dead_letters.as_ref().map(|dead_letters| dead_letters.usage()),
            exporters: snapshot
                .lanes
                .iter()
                .map(|lane| {
                    let report = lane.health.report();
                    let status = ExporterStatus {
                        kind: lane.kind,
                        state: report.state.name(),
                        figures: lane.ledger.read(),
                        backlog_bytes: self.journal.backlog(lane.seat).bytes,
                        requests: report.requests,
                        failed_requests: report.failures,
                        last_error: report
                            .last_error
                            .map(|error| LastErrorStatus { at: rfc3339(error.at), message: error.message }),
                        previews: lane.previews.read().into_iter().map(Preview).collect(),
                    };
                    (lane.name.clone(), status)
                })
                .collect(),
        }
    }

    /// All metrics as Prometheus text.
    pub fn metrics(&self) -> String {
        let status = self.status();
        let mut page = Page::default();
        page.sample("telemetry_gateway_build_info", &[("version", status.version)], 1);
        let started_at = self.started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        page.sample("telemetry_gateway_start_time_seconds", &[], started_at);
        page.sample("telemetry_gateway_ready", &[], u8::from(status.ready));
        page.sample("telemetry_gateway_config_valid", &[], u8::from(status.config.last_error.is_none()));
        for (outcome, count) in [("applied", status.config.reloads), ("refused", status.config.failed_reloads)] {
            page.sample("telemetry_gateway_config_reloads_total", &[("outcome", outcome)], count);
        }
        page.sample("telemetry_gateway_receiver_connections_total", &[], self.vitals.connections.get());
        for (name, protocol) in Protocol::NAMES {
            for (outcome, counters) in
                [("accepted", &self.vitals.requests_accepted), ("refused", &self.vitals.requests_refused)]
            {
                let labels = [("protocol", name), ("outcome", outcome)];
                page.sample("telemetry_gateway_receiver_requests_total", &labels, counters[protocol as usize].get());
            }
        }
        page.sample("telemetry_gateway_receiver_bytes_total", &[], self.vitals.bytes_received.get());
        for (signal, items) in &status.receiver.accepted {
            page.sample("telemetry_gateway_receiver_items_total", &[("signal", signal)], items);
        }
        for (signal, items) in &status.receiver.rejected {
            page.sample("telemetry_gateway_receiver_rejected_items_total", &[("signal", signal)], items);
        }
        for (kind, counter) in LENIENT_KINDS.iter().zip(&self.vitals.json_lenient) {
            page.sample("telemetry_gateway_otlp_json_lenient_total", &[("kind", kind)], counter.get());
        }
        for RouteStatus { name, matched } in &status.routes {
            page.sample("telemetry_gateway_route_matched_items_total", &[("route", name)], matched);
        }
        page.sample("telemetry_gateway_journal_bytes", &[], status.journal.bytes);
        page.sample("telemetry_gateway_journal_bytes_max", &[], status.journal.bytes_max);
        page.sample("telemetry_gateway_journal_records", &[], status.journal.records);
        page.sample("telemetry_gateway_journal_file_bytes", &[], status.journal.file_bytes);
        page.sample("telemetry_gateway_journal_damaged_stretches_total", &[], status.journal.damaged_stretches);
        page.sample("telemetry_gateway_journal_writable", &[], u8::from(status.journal.unwritable.is_none()));
        if let Some(letters) = &status.dead_letters {
            page.sample("telemetry_gateway_dead_letters", &[], letters.letters);
            page.sample("telemetry_gateway_dead_letters_bytes", &[], letters.bytes);
            page.sample("telemetry_gateway_dead_letters_lost_total", &[], letters.lost);
        }
        exporter_metrics(&status, &mut page);
        page.into_text()
    }
}

fn exporter_metrics(status: &Status, page: &mut Page) {
    let mut each = |name, value: &dyn Fn(&ExporterStatus) -> u64| {
        for (exporter, status) in &status.exporters {
            page.sample(name, &[("exporter", exporter)], value(status));
        }
    };
    each("telemetry_gateway_exporter_accepted_items_total", &|status| status.figures.accepted);
    each("telemetry_gateway_exporter_delivered_items_total", &|status| status.figures.delivered);
    each("telemetry_gateway_exporter_waiting_items", &|status| status.figures.waiting);
    each("telemetry_gateway_exporter_requests_total", &|status| status.requests);
    each("telemetry_gateway_exporter_failed_requests_total", &|status| status.failed_requests);
    each("telemetry_gateway_exporter_backlog_bytes", &|status| status.backlog_bytes as u64);
    for (exporter, status) in &status.exporters {
        for (reason, items) in &status.figures.dropped {
            let labels = [("exporter", exporter.as_str()), ("reason", *reason)];
            page.sample("telemetry_gateway_exporter_dropped_items_total", &labels, items);
        }
    }
    for (exporter, status) in &status.exporters {
        for (name, _) in State::NAMES {
            let labels = [("exporter", exporter.as_str()), ("state", name)];
            page.sample("telemetry_gateway_exporter_state", &labels, u8::from(status.state == name));
        }
    }
}

pub(super) fn rfc3339(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map(|at| format!("{at:.3}")).unwrap_or_default()
}
