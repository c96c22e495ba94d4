//! OTLP over HTTP to any receiver of it: bytes pass through whole, spliced or joined, never decoded.

mod body;
mod client;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

pub use body::Compression;
pub use client::{Destination, OtlpExporter};

use super::contract::{Encoded, Piece};
use super::http::{check_endpoint, is_own_header};
use super::pace::{Pace, Preview, RetryConfig};
use crate::otlp::{Part, Signal};
use crate::stdx::fault::Fault;
use crate::stdx::located::{Located, Place};
use crate::stdx::secret::Secret;
use crate::stdx::units::{ByteSize, Interval};

/// `otlp` or `otlp/NAME` under `exporters`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Base URL; `/v1/traces` and its sisters are appended.
    pub endpoint: Option<Located<String>>,
    /// Sent with every request; values are secrets.
    pub headers: BTreeMap<String, Secret>,
    pub compression: Compression,
    /// Whether the clients' compressed bytes may go on joined behind each other (members of gzip, frames of zstd), which
    /// saves inflating and compressing. Only for a receiver known to read on after the first member: one that stops there
    /// would lose the rest without anybody noticing.
    pub join_compressed: bool,
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
            endpoint: None,
            headers: BTreeMap::new(),
            compression: Compression::Gzip,
            join_compressed: false,
            preview: Preview::Off,
            timeout: Interval::seconds(30),
            retry: RetryConfig::default(),
            concurrency: 8,
            linger: Interval::millis(200),
            request_bytes_max: ByteSize::mebibytes(4), // proxies and older servers refuse more
        }
    }
}

impl Config {
    pub fn pace(&self) -> Pace {
        Pace::new(self.retry, self.concurrency, self.timeout, self.linger)
    }

    /// What is wrong with it beyond its form.
    pub fn faults(&self, place: Place) -> Vec<Fault> {
        let mut faults = self.pace().faults(place);
        faults.extend(check_request_bytes(self.request_bytes_max, place));
        match &self.endpoint {
            Some(endpoint) => faults.extend(check_endpoint(endpoint)),
            None if self.preview == Preview::Off => {
                faults.push(
                    Fault::at(place, "an `otlp` exporter needs an `endpoint`").hint("endpoint: https://host:4318"),
                );
            }
            None => {}
        }
        for (name, value) in &self.headers {
            match HeaderName::try_from(name.as_str()) {
                Ok(known) if is_own_header(&known) => {
                    faults.push(Fault::at(place, format!("header `{name}` is set by the exporter itself")));
                }
                Ok(_) if HeaderValue::from_str(value.expose()).is_ok() => {}
                _ => {
                    let message = format!("header `{name}` has a name or value that HTTP does not allow");
                    faults.push(Fault::at(place, message));
                }
            }
        }
        faults
    }

    /// Whether it has what it needs to send.
    pub fn has_credentials(&self) -> bool {
        self.endpoint.is_some()
    }

    pub fn build(&self) -> anyhow::Result<OtlpExporter> {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| Ok((HeaderName::try_from(name.as_str())?, sensitive(value.expose())?)))
            .collect::<anyhow::Result<HeaderMap>>()?;
        let endpoint = self.endpoint.as_ref().map_or("http://preview.invalid", |endpoint| &endpoint.value);
        let exporter = OtlpExporter::new(
            Destination::new(endpoint, headers, None),
            self.compression,
            self.request_bytes_max.as_usize(),
            self.concurrency,
        )
        .answering_within(self.timeout.duration());
        Ok(if self.join_compressed { exporter.joining_originals() } else { exporter })
    }
}

/// Checks the size that requests are packed to.
pub fn check_request_bytes(request_bytes_max: ByteSize, place: Place) -> Option<Fault> {
    let fault =
        || Fault::at(place, "`request_bytes_max` is 0: every item would travel alone").hint("request_bytes_max: 4MiB");
    (request_bytes_max.as_u64() == 0).then(fault)
}

/// A header value that no debug output shows.
pub fn sensitive(value: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(value)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Makes one piece of a part: its bytes, and the client's compressed original where all of the request goes on.
pub fn encode(part: &Part, key: Option<Arc<str>>) -> Encoded {
    let bytes = part.body();
    let whole = bytes.len() == part.batch.body.len();
    let piece = Piece { weight: part.weight(), original: part.batch.original.clone().filter(|_| whole), bytes, key };
    Encoded { pieces: vec![piece], refused: Vec::new() }
}

/// Cuts a piece of several items in two.
pub fn halve(signal: Signal, piece: &Piece) -> Option<(Piece, Piece)> {
    let items = crate::otlp::groups(&piece.bytes)
        .flat_map(|group| group.scopes().collect::<Vec<_>>())
        .map(|scope| scope.items().count())
        .sum::<usize>();
    if items < 2 {
        return None;
    }
    let half = |keep: &dyn Fn(usize) -> bool| {
        let bytes = crate::otlp::select(&piece.bytes, keep);
        let weight = crate::otlp::groups(&bytes)
            .flat_map(|group| group.scopes().collect::<Vec<_>>())
            .flat_map(|scope| scope.items().collect::<Vec<_>>())
            .map(|message| crate::otlp::Item::weight(signal, message))
            .sum();
        Piece { weight, bytes, original: None, key: piece.key.clone() }
    };
    Some((half(&|index| index < items / 2), half(&|index| index >= items / 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_never_be_sent_is_named() {
        let headers = [("Content-Encoding", "br"), ("x-key", "fine"), ("x key", "")];
        let config = Config {
            endpoint: Some(Located::nowhere("https://host/?key=1".to_owned())),
            headers: headers.map(|(name, value)| (name.to_owned(), Secret::new(value))).into(),
            timeout: Interval::millis(0),
            request_bytes_max: ByteSize::bytes(0),
            ..Config::default()
        };
        let faults: Vec<String> = config.faults(Place::NONE).into_iter().map(|fault| fault.message).collect();
        let expected = ["`timeout`", "`request_bytes_max`", "query", "`Content-Encoding` is set", "`x key` has"];
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, part) in faults.iter().zip(expected) {
            assert!(fault.contains(part), "{fault}");
        }
        let sound = Config { endpoint: Some(Located::nowhere("https://host".to_owned())), ..Config::default() };
        assert!(sound.faults(Place::NONE).is_empty());
    }
}
