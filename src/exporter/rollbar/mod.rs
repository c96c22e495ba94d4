//! Rollbar: an item for each thing that went wrong.

mod client;
pub mod config;
pub mod convert;
pub mod scrub;

use http::HeaderValue;

pub use config::Config;

use super::contract::{BoxFuture, Encoded, Exporter, Limits, Outcome, Piece, Refused, Request};
use super::otlp::sensitive;
use crate::otlp::{Part, Signal};
use client::Client;
use convert::{Converted, Converter};

/// The exporter to one Rollbar project.
#[derive(Debug)]
pub struct Rollbar {
    converter: Converter,
    client: Client,
}

impl Rollbar {
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let token = match (&config.access_token, &config.access_token_file) {
            (Some(token), _) => sensitive(token.value.expose())?,
            (None, Some(file)) => sensitive(&super::read_secret(&file.value)?)?,
            (None, None) => HeaderValue::from_static(""),
        };
        Ok(Rollbar {
            converter: Converter::new(config)?,
            client: Client::new(&config.endpoint.value, token, config.compression, config.pace()),
        })
    }
}

impl Exporter for Rollbar {
    fn limits(&self) -> Limits {
        // The API takes one item a request; the bytes only bound what is converted at a time.
        Limits { pieces_max: 1, bytes_max: 1024 * 1024, items_max: crate::exporter::contract::ITEMS_MAX }
    }

    fn takes(&self, signal: Signal) -> bool {
        signal != Signal::Metrics
    }

    fn probe(&self) -> BoxFuture<'_, Outcome> {
        Box::pin(self.client.ping())
    }

    fn encode(&self, part: &Part) -> Encoded {
        let Converted { items, refused } = self.converter.convert(part);
        Encoded {
            pieces: items
                .into_iter()
                .map(|item| Piece { weight: item.weight, bytes: item.body.into(), original: None, key: None })
                .collect(),
            refused: refused
                .into_iter()
                .map(|skipped| Refused { weight: skipped.weight, reason: skipped.reason })
                .collect(),
        }
    }

    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.client.post(request))
    }

    fn show(&self, _signal: Signal, piece: &Piece) -> serde_json::Value {
        let mut item: serde_json::Value = serde_json::from_slice(&piece.bytes).unwrap_or_default();
        item["data"].take()
    }
}
