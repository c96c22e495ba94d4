//! Honeycomb: OTLP/HTTP with its key, its dataset rules and its limits.
//!
//! | key           | looks like                        | traces go to        | metrics go to             | logs without a service go to |
//! |---------------|-----------------------------------|---------------------|---------------------------|------------------------------|
//! | environment   | `hc?ik_` + 58, or 22 mixed        | `service.name`      | `metrics_dataset`         | `dataset` or Honeycomb's own |
//! | Classic       | 32 hex digits, or `hc?ic_` + 58   | `dataset`, required | `metrics_dataset`         | `dataset`                    |
//!
//! Source: <https://docs.honeycomb.io/send-data/opentelemetry/> (read 2026-11).

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use serde::Deserialize;

use super::contract::{BoxFuture, Encoded, Exporter, Limits, Outcome, Piece, Request};
use super::http::check_endpoint;
use super::otlp::{Compression, Destination, OtlpExporter, check_request_bytes, encode, sensitive};
use super::pace::{Pace, Preview, RetryConfig};
use crate::otlp::{Part, Signal};
use crate::stdx::fault::Fault;
use crate::stdx::located::{Located, Place};
use crate::stdx::secret::Secret;
use crate::stdx::units::{ByteSize, Interval};

/// `honeycomb` or `honeycomb/NAME` under `exporters`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub api_key: Option<Located<Secret>>,
    /// A file that holds the key, instead of `api_key`.
    pub api_key_file: Option<Located<String>>,
    /// `https://api.honeycomb.io`, or `https://api.eu1.honeycomb.io` for the EU.
    pub endpoint: Located<String>,
    /// Of a Classic key, for everything; of an environment key, for logs without a service.
    pub dataset: Option<String>,
    pub metrics_dataset: Option<String>,
    pub compression: Compression,
    pub preview: Preview,
    pub timeout: Interval,
    pub retry: RetryConfig,
    pub concurrency: usize,
    /// How long the first item of a request waits for company.
    pub linger: Interval,
    /// Of a request before compression.
    pub request_bytes_max: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            api_key: None,
            api_key_file: None,
            endpoint: Located::nowhere("https://api.honeycomb.io".to_owned()),
            dataset: None,
            metrics_dataset: None,
            compression: Compression::Zstd, // Honeycomb takes it, and it costs least
            preview: Preview::Off,
            timeout: Interval::seconds(30),
            retry: RetryConfig::default(),
            concurrency: 8,
            linger: Interval::millis(200),
            request_bytes_max: ByteSize::mebibytes(4), // Honeycomb cuts at 20 MiB inflated; proxies between refuse less
        }
    }
}

/// Metrics must name a dataset, and so must logs without a service; this is what Honeycomb itself calls those that name none.
const METRICS_DATASET: &str = "unknown_metrics";
const LOGS_DATASET: &str = "unknown_log_source";

impl Config {
    pub fn pace(&self) -> Pace {
        Pace::new(self.retry, self.concurrency, self.timeout, self.linger)
    }

    /// What is wrong with it beyond its form.
    pub fn faults(&self, place: Place) -> Vec<Fault> {
        let mut faults: Vec<Fault> = check_endpoint(&self.endpoint).into_iter().collect();
        faults.extend(self.pace().faults(place));
        faults.extend(check_request_bytes(self.request_bytes_max, place));
        match (&self.api_key, &self.api_key_file) {
            (Some(key), None) => faults.extend(self.check_key(key)),
            (Some(_), Some(file)) => {
                faults
                    .push(Fault::at(file.place, "both `api_key` and `api_key_file` are set").hint("keep one of them"));
            }
            (None, None) if self.preview == Preview::Off => faults.push(
                Fault::at(place, "a `honeycomb` exporter needs an `api_key`")
                    .hint("set `api_key: ${HONEYCOMB_API_KEY}`, or `preview: true` to see what would be sent"),
            ),
            _ => {}
        }
        for (name, dataset) in [("dataset", &self.dataset), ("metrics_dataset", &self.metrics_dataset)] {
            if dataset.as_deref().is_some_and(|dataset| dataset.is_empty() || sensitive(dataset).is_err()) {
                faults.push(Fault::at(place, format!("`{name}` is empty or holds characters that a header cannot")));
            }
        }
        faults
    }

    fn check_key(&self, key: &Located<Secret>) -> Option<Fault> {
        let text = key.value.expose();
        if text.is_empty() || sensitive(text).is_err() {
            Some(Fault::at(key.place, "`api_key` is empty or holds characters that a header cannot"))
        } else if is_prefixed(text, "mk_") {
            Some(
                Fault::at(key.place, "`api_key` is a management key, which cannot send telemetry")
                    .hint("make an ingest key in the environment's settings"),
            )
        } else if is_prefixed(text, "lk_") {
            Some(
                Fault::at(key.place, "`api_key` is the id of a key, not the key")
                    .hint("paste the key itself, shown once when it is made"),
            )
        } else if is_classic(text) && self.dataset.is_none() {
            Some(
                Fault::at(key.place, "`api_key` is a Classic key, which needs a `dataset`")
                    .hint("set `dataset`, or use a key of an environment"),
            )
        } else {
            None
        }
    }

    /// Whether it has what it needs to send.
    pub fn has_credentials(&self) -> bool {
        self.api_key.as_ref().is_some_and(|key| !key.value.is_empty()) || self.api_key_file.is_some()
    }

    pub fn build(&self) -> anyhow::Result<Honeycomb> {
        let key = match (&self.api_key, &self.api_key_file) {
            (Some(key), _) => key.value.expose().to_owned(),
            (None, Some(file)) => super::read_secret(&file.value)?,
            (None, None) => String::new(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-honeycomb-team"), sensitive(&key)?);
        let destination =
            Destination::new(&self.endpoint.value, headers, Some(HeaderName::from_static("x-honeycomb-dataset")));
        let otlp =
            OtlpExporter::new(destination, self.compression, self.request_bytes_max.as_usize(), self.concurrency)
                .answering_within(self.timeout.duration());
        Ok(Honeycomb {
            // Honeycomb reads with Go's gzip and a streaming zstd reader: both go on to the next member.
            otlp: otlp.joining_originals(),
            datasets: Datasets {
                traces: self.dataset.as_deref().filter(|_| is_classic(&key)).map(Arc::from),
                logs: self.dataset.as_deref().unwrap_or(LOGS_DATASET).into(),
                metrics: self.metrics_dataset.as_deref().or(self.dataset.as_deref()).unwrap_or(METRICS_DATASET).into(),
            },
        })
    }
}

/// `hc`, a letter for the installation, and what the key is.
fn is_prefixed(key: &str, what: &str) -> bool {
    key.strip_prefix("hc").and_then(|rest| rest.get(1..)).is_some_and(|rest| rest.starts_with(what))
}

fn is_classic(key: &str) -> bool {
    is_prefixed(key, "ic_") || key.len() == 32 && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What is sent as `x-honeycomb-dataset`.
#[derive(Debug)]
struct Datasets {
    traces: Option<Arc<str>>,
    logs: Arc<str>,
    metrics: Arc<str>,
}

/// The exporter to one Honeycomb environment.
#[derive(Debug)]
pub struct Honeycomb {
    otlp: OtlpExporter,
    datasets: Datasets,
}

impl Exporter for Honeycomb {
    fn limits(&self) -> Limits {
        self.otlp.limits()
    }

    fn takes(&self, _signal: Signal) -> bool {
        true
    }

    fn encode(&self, part: &Part) -> Encoded {
        let dataset = match part.batch.signal {
            Signal::Traces => self.datasets.traces.clone(),
            Signal::Logs => Some(Arc::clone(&self.datasets.logs)),
            Signal::Metrics => Some(Arc::clone(&self.datasets.metrics)),
        };
        encode(part, dataset)
    }

    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Outcome> {
        self.otlp.send(request)
    }

    fn halve(&self, signal: Signal, piece: &Piece) -> Option<(Piece, Piece)> {
        self.otlp.halve(signal, piece)
    }

    fn show(&self, signal: Signal, piece: &Piece) -> serde_json::Value {
        self.otlp.show(signal, piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_what_it_is_for() {
        assert!(is_classic("0123456789abcdef0123456789abcdef"));
        assert!(is_classic("hcaic_0123456789"));
        assert!(!is_classic("hcaik_0123456789"));
        assert!(!is_classic("abcdefghijklmnopqrstuv"));
        let fault = |key: &str| {
            let config = Config { api_key: Some(Located::nowhere(Secret::new(key))), ..Config::default() };
            config.faults(Place::NONE).pop().map(|fault| fault.message)
        };
        assert_eq!(fault("hcaik_0123"), None);
        assert!(fault("hcamk_0123").unwrap().contains("management key"));
        assert!(fault("hcalk_0123").unwrap().contains("id of a key"));
        assert!(fault("0123456789abcdef0123456789abcdef").unwrap().contains("Classic"));
        assert!(fault("").is_some());
        assert!(fault("line\nbreak").is_some());
    }
}
