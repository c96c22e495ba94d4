//! The metrics by name, kind and meaning: a contract with dashboards. Names do not change; new ones are added.

use std::fmt::Write;

/// One metric.
#[derive(Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: MetricKind,
    pub help: &'static str,
}

/// What a Prometheus server is told of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, help }
}

/// Every metric there is, in the order of the page.
pub const METRICS: [Metric; 29] = [
    gauge("telemetry_gateway_build_info", "Always 1; the version is a label."),
    gauge("telemetry_gateway_start_time_seconds", "When the process started, seconds since 1970."),
    gauge("telemetry_gateway_ready", "1 while new telemetry is accepted."),
    gauge("telemetry_gateway_config_valid", "1 unless the configuration file was refused when it last changed."),
    counter("telemetry_gateway_config_reloads_total", "Changes of the configuration file, by outcome."),
    counter("telemetry_gateway_receiver_connections_total", "Connections accepted."),
    counter("telemetry_gateway_receiver_requests_total", "OTLP requests by protocol and outcome."),
    counter("telemetry_gateway_receiver_bytes_total", "Bytes of OTLP request bodies as they came."),
    counter("telemetry_gateway_receiver_items_total", "Spans, data points and log records accepted, by signal."),
    counter("telemetry_gateway_receiver_rejected_items_total", "Items refused alone with partial_success, by signal."),
    counter("telemetry_gateway_otlp_json_lenient_total", "Rules of OTLP/JSON that were stretched, by kind."),
    counter("telemetry_gateway_route_matched_items_total", "Items that each route took."),
    gauge("telemetry_gateway_journal_bytes", "Bytes held until every exporter has settled them."),
    gauge("telemetry_gateway_journal_bytes_max", "The bound of the journal."),
    gauge("telemetry_gateway_journal_records", "Records held until every exporter has settled them."),
    gauge("telemetry_gateway_journal_file_bytes", "Bytes of the journal's files."),
    counter("telemetry_gateway_journal_damaged_stretches_total", "Stretches of the files that could not be read."),
    gauge("telemetry_gateway_journal_writable", "1 unless the last try to write the journal failed."),
    gauge("telemetry_gateway_dead_letters", "Files of what vendors refused for good."),
    gauge("telemetry_gateway_dead_letters_bytes", "Bytes of these files."),
    counter(
        "telemetry_gateway_dead_letters_lost_total",
        "Such files that made way for newer ones, or were not written.",
    ),
    counter("telemetry_gateway_exporter_accepted_items_total", "Items that the routes chose for the exporter."),
    counter("telemetry_gateway_exporter_delivered_items_total", "Items that the vendor took."),
    counter("telemetry_gateway_exporter_dropped_items_total", "Items given up, by reason."),
    gauge("telemetry_gateway_exporter_waiting_items", "Items accepted and neither delivered nor dropped yet."),
    counter("telemetry_gateway_exporter_requests_total", "Requests tried."),
    counter("telemetry_gateway_exporter_failed_requests_total", "Requests that failed and were tried again."),
    gauge("telemetry_gateway_exporter_state", "1 for the state that the exporter is in."),
    gauge("telemetry_gateway_exporter_backlog_bytes", "Bytes in the journal that the exporter has not read yet."),
];

/// A Prometheus page in the making.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    current: &'static str,
}

impl Page {
    /// Writes one sample. Samples of one metric come one after the other.
    pub fn sample(&mut self, name: &'static str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        if self.current != name {
            let metric = METRICS.iter().find(|metric| metric.name == name);
            debug_assert!(metric.is_some(), "every metric stands in METRICS");
            if let Some(Metric { kind, help, .. }) = metric {
                let kind = if *kind == MetricKind::Counter { "counter" } else { "gauge" };
                self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
            }
            self.current = name;
        }
        self.put(format_args!("{name}"));
        for (index, (label, text)) in labels.iter().enumerate() {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.put(format_args!("{}{label}=\"{escaped}\"", if index == 0 { '{' } else { ',' }));
        }
        self.put(format_args!("{} {value}\n", if labels.is_empty() { "" } else { "}" }));
    }

    pub fn into_text(self) -> String {
        self.text
    }

    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.text.write_fmt(arguments).expect("writing to a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_counters_end_in_total() {
        for (index, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[..index].iter().all(|other| other.name != metric.name), "{}", metric.name);
            assert_eq!(metric.kind == MetricKind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert!(metric.help.ends_with('.'));
        }
    }

    #[test]
    fn a_page_explains_each_metric_once_and_escapes_labels() {
        let mut page = Page::default();
        page.sample("telemetry_gateway_ready", &[], 1);
        page.sample("telemetry_gateway_exporter_waiting_items", &[("exporter", "a\"b\\c\nd")], 3);
        page.sample("telemetry_gateway_exporter_waiting_items", &[("exporter", "e")], 4);
        assert_eq!(
            page.into_text(),
            "# HELP telemetry_gateway_ready 1 while new telemetry is accepted.\n\
             # TYPE telemetry_gateway_ready gauge\n\
             telemetry_gateway_ready 1\n\
             # HELP telemetry_gateway_exporter_waiting_items Items accepted and neither delivered nor dropped yet.\n\
             # TYPE telemetry_gateway_exporter_waiting_items gauge\n\
             telemetry_gateway_exporter_waiting_items{exporter=\"a\\\"b\\\\c\\nd\"} 3\n\
             telemetry_gateway_exporter_waiting_items{exporter=\"e\"} 4\n"
        );
    }
}
