//! The vendors: THE list of them, and what each is.
//!
//! A new one is a folder here, a row in [`KINDS`], a variant of [`ExporterConfig`] and the arms that the compiler then
//! asks for.

pub mod console;
pub mod contract;
pub mod file;
pub mod honeycomb;
pub mod http;
pub mod otlp;
pub mod pace;
pub mod rollbar;
pub mod xray;

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::stdx::fault::Fault;
use crate::stdx::located::{Located, Place};
use crate::stdx::nearest::nearest;
use contract::Exporter;
use pace::{Pace, Preview};

/// Every kind by the name that `gateway.yaml` uses, with one line for people.
pub const KINDS: [(&str, &str); 6] = [
    ("honeycomb", "Honeycomb, by OTLP/HTTP with its key"),
    ("otlp", "any OTLP/HTTP receiver"),
    ("xray", "AWS X-Ray, by PutTraceSegments"),
    ("rollbar", "Rollbar items for what went wrong"),
    ("console", "one line an item on standard output"),
    ("file", "OTLP/JSON lines in a rotated file"),
];

/// One exporter as written: its name is its kind, or `kind/name`.
#[derive(Debug)]
pub struct Named {
    pub name: Located<String>,
    pub config: ExporterConfig,
}

/// The configuration of an exporter of any kind.
#[derive(Debug)]
pub enum ExporterConfig {
    Honeycomb(honeycomb::Config),
    Otlp(otlp::Config),
    Xray(Box<xray::Config>),
    Rollbar(Box<rollbar::Config>),
    Console(console::Config),
    File(file::Config),
}

impl ExporterConfig {
    pub fn kind(&self) -> &'static str {
        match self {
            ExporterConfig::Honeycomb(_) => "honeycomb",
            ExporterConfig::Otlp(_) => "otlp",
            ExporterConfig::Xray(_) => "xray",
            ExporterConfig::Rollbar(_) => "rollbar",
            ExporterConfig::Console(_) => "console",
            ExporterConfig::File(_) => "file",
        }
    }

    pub fn pace(&self) -> Pace {
        match self {
            ExporterConfig::Honeycomb(config) => config.pace(),
            ExporterConfig::Otlp(config) => config.pace(),
            ExporterConfig::Xray(config) => config.pace(),
            ExporterConfig::Rollbar(config) => config.pace(),
            ExporterConfig::Console(config) => config.pace(),
            ExporterConfig::File(config) => config.pace(),
        }
    }

    /// Whether it shows instead of sending. `auto` is decided here where the configuration alone says it.
    pub fn preview(&self) -> Preview {
        let (preview, has_credentials) = match self {
            ExporterConfig::Honeycomb(config) => (config.preview, Some(config.has_credentials())),
            ExporterConfig::Otlp(config) => (config.preview, Some(config.has_credentials())),
            ExporterConfig::Xray(config) => (config.preview, None), // the credentials chain must be asked
            ExporterConfig::Rollbar(config) => (config.preview, Some(config.has_credentials())),
            ExporterConfig::Console(_) | ExporterConfig::File(_) => (Preview::Off, None),
        };
        match (preview, has_credentials) {
            (Preview::Auto, Some(true)) => Preview::Off,
            (Preview::Auto, Some(false)) => Preview::On,
            _ => preview,
        }
    }

    /// What is wrong with it beyond its form; `place` is where its name stands.
    pub fn faults(&self, place: Place) -> Vec<Fault> {
        match self {
            ExporterConfig::Honeycomb(config) => config.faults(place),
            ExporterConfig::Otlp(config) => config.faults(place),
            ExporterConfig::Xray(config) => config.faults(place),
            ExporterConfig::Rollbar(config) => config.faults(place),
            ExporterConfig::Console(_) => Vec::new(),
            ExporterConfig::File(config) => config.faults(place),
        }
    }

    pub async fn build(&self) -> anyhow::Result<Arc<dyn Exporter>> {
        Ok(match self {
            ExporterConfig::Honeycomb(config) => Arc::new(config.build()?),
            ExporterConfig::Otlp(config) => Arc::new(config.build()?),
            ExporterConfig::Xray(config) => Arc::new(xray::Xray::new(config).await?),
            ExporterConfig::Rollbar(config) => Arc::new(rollbar::Rollbar::new(config)?),
            ExporterConfig::Console(_) => Arc::new(console::Console::default()),
            ExporterConfig::File(config) => Arc::new(config.build()),
        })
    }
}

/// The map under `exporters`, in the order of the file.
#[derive(Debug, Default)]
pub struct Exporters(pub Vec<Named>);

impl<'de> Deserialize<'de> for Exporters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ExportersVisitor;

        impl<'de> Visitor<'de> for ExportersVisitor {
            type Value = Exporters;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a map of exporters, each named by its kind or kind/name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Exporters, A::Error> {
                let mut exporters = Vec::new();
                while let Some(name) = map.next_key::<Located<String>>()? {
                    let kind = name.value.split_once('/').map_or(name.value.as_str(), |(kind, _)| kind);
                    let config = match kind {
                        "honeycomb" => ExporterConfig::Honeycomb(map.next_value()?),
                        "otlp" => ExporterConfig::Otlp(map.next_value()?),
                        "xray" => ExporterConfig::Xray(map.next_value()?),
                        "rollbar" => ExporterConfig::Rollbar(map.next_value()?),
                        "console" => ExporterConfig::Console(map.next_value()?),
                        "file" => ExporterConfig::File(map.next_value()?),
                        unknown => {
                            let kinds = KINDS.map(|(kind, _)| kind);
                            return Err(Fault::at(name.place, format!("`{unknown}` is no kind of exporter"))
                                .hint(format!("kinds: {}", kinds.join(", ")))
                                .did_you_mean(nearest(unknown, kinds))
                                .raise());
                        }
                    };
                    exporters.push(Named { name, config });
                }
                Ok(Exporters(exporters))
            }
        }

        deserializer.deserialize_map(ExportersVisitor)
    }
}

/// Reads a secret from a file; one line break at its end is not part of it.
pub fn read_secret(path: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the secret in `{path}`"))?;
    let text = text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(text.to_owned())
}
