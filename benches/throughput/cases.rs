//! The cases, their limits, and the gateway.yaml of each.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use crate::load::Expects;
use crate::wire::{Encoding, Protocol};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exporters {
    /// One OTLP destination, with the `compression` it is told to use.
    Otlp(Encoding),
    /// The same, with another one that gets the same and cannot be reached.
    OtlpBesideDead(Encoding),
    Xray,
    /// Honeycomb and X-Ray get every span, Rollbar what failed.
    All,
}

/// What a limit of a case is a limit of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// The ratio to the byte mover, measured in the same run.
    Ratio,
    /// By how much the ratio is above that of the case it is measured beside.
    RatioMore,
    /// CPU µs per 64-span request.
    UsPerRequest,
}

#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    pub protocol: Protocol,
    pub encoding: Encoding,
    pub exporters: Exporters,
    pub requests_per_second: Option<f64>,
    /// Where its records are kept; `None` leaves it to the command line.
    pub durability: Option<&'static str>,
    /// The case that is measured in each round of this one, for the difference.
    pub beside: Option<&'static str>,
    pub unit: Unit,
    pub bar: f64,
    pub aim: f64,
}

/// Bar and aim of [`Unit::RatioMore`] in CPU µs per span.
pub const MORE_US_BAR: f64 = 1.0;
pub const MORE_US_AIM: f64 = 0.7;

/// Bars and aims are those of the design, section 6; benches/README.md repeats them beside the measured figures.
#[rustfmt::skip]
pub const CASES: &[Case] = &[
    Case { name: "otlp-plain",    protocol: Protocol::Http, encoding: Encoding::Identity, exporters: Exporters::Otlp(Encoding::Identity), requests_per_second: None,        durability: None,            beside: None,               unit: Unit::Ratio,        bar: 2.0,   aim: 1.3 },
    Case { name: "otlp-gzip",     protocol: Protocol::Http, encoding: Encoding::Gzip,     exporters: Exporters::Otlp(Encoding::Gzip),     requests_per_second: None,        durability: None,            beside: None,               unit: Unit::Ratio,        bar: 2.5,   aim: 1.5 },
    Case { name: "grpc",          protocol: Protocol::Grpc, encoding: Encoding::Identity, exporters: Exporters::Otlp(Encoding::Identity), requests_per_second: None,        durability: None,            beside: None,               unit: Unit::Ratio,        bar: 3.3,   aim: 2.3 },
    Case { name: "xray",          protocol: Protocol::Http, encoding: Encoding::Identity, exporters: Exporters::Xray,                     requests_per_second: None,        durability: None,            beside: None,               unit: Unit::Ratio,        bar: 7.5,   aim: 5.5 },
    Case { name: "all",           protocol: Protocol::Http, encoding: Encoding::Identity, exporters: Exporters::All,                      requests_per_second: None,        durability: None,            beside: None,               unit: Unit::Ratio,        bar: 13.0,  aim: 10.0 },
    Case { name: "plain-process", protocol: Protocol::Http, encoding: Encoding::Identity, exporters: Exporters::Otlp(Encoding::Identity), requests_per_second: None,        durability: Some("process"), beside: Some("otlp-plain"), unit: Unit::RatioMore,    bar: 1.7,   aim: 1.2 },
    Case { name: "plain-disk",    protocol: Protocol::Http, encoding: Encoding::Identity, exporters: Exporters::Otlp(Encoding::Identity), requests_per_second: None,        durability: Some("disk"),    beside: Some("otlp-plain"), unit: Unit::RatioMore,    bar: 1.7,   aim: 1.2 },
    Case { name: "dead-neighbour", protocol: Protocol::Http, encoding: Encoding::Identity, exporters: Exporters::OtlpBesideDead(Encoding::Identity), requests_per_second: None, durability: Some("disk"), beside: Some("plain-disk"), unit: Unit::RatioMore,  bar: 1.7,   aim: 1.2 },
    Case { name: "low-rate",      protocol: Protocol::Http, encoding: Encoding::Identity, exporters: Exporters::All,                      requests_per_second: Some(200.0), durability: None,            beside: None,               unit: Unit::UsPerRequest, bar: 400.0, aim: 300.0 },
    Case { name: "low-rate-disk", protocol: Protocol::Http, encoding: Encoding::Identity, exporters: Exporters::All,                      requests_per_second: Some(200.0), durability: Some("disk"),    beside: Some("low-rate"),   unit: Unit::UsPerRequest, bar: 400.0, aim: 300.0 },
];

impl Case {
    pub fn find(name: &str) -> Option<&'static Self> {
        CASES.iter().find(|case| case.name == name)
    }

    pub fn expects(&self) -> Expects {
        Expects {
            otlp: self.exporters != Exporters::Xray,
            xray: matches!(self.exporters, Exporters::Xray | Exporters::All),
            rollbar: self.exporters == Exporters::All,
        }
    }
}

/// Keys of `journal` in gateway.yaml.
#[derive(Clone, Copy, Debug)]
pub struct Journal<'a> {
    pub directory: &'a Path,
    pub durability: &'a str,
    pub bytes_max: &'a str,
}

/// Writes the configuration that makes the gateway send everything of `exporters` to `sink`.
///
/// `listen` is two OTLP addresses and the admin one.
pub fn gateway_yaml(exporters: Exporters, listen: [SocketAddr; 3], sink: SocketAddr, journal: Journal<'_>) -> String {
    let [http, grpc, admin] = listen;
    let Journal { directory, durability, bytes_max } = journal;
    let directory = directory.display();
    let mut yaml = format!("receivers:\n  otlp:\n    listen: [\"{http}\", \"{grpc}\"]\nexporters:\n");
    if let Exporters::Otlp(encoding) | Exporters::OtlpBesideDead(encoding) = exporters {
        let compression = encoding.name();
        let _ = write!(
            yaml,
            "  otlp:\n    endpoint: \"http://{sink}\"\n    compression: {compression}\n    join_compressed: true\n"
        );
    }
    if matches!(exporters, Exporters::OtlpBesideDead(_)) {
        yaml.push_str("  otlp/dead:\n    endpoint: \"http://127.0.0.1:9\"\n");
    }
    if exporters == Exporters::All {
        let _ = write!(yaml, "  honeycomb:\n    api_key: benchmark\n    endpoint: \"http://{sink}\"\n");
        let _ = write!(
            yaml,
            "  rollbar:\n    access_token: benchmark\n    environment: benchmark\n    endpoint: \"http://{sink}\"\n"
        );
    }
    if matches!(exporters, Exporters::Xray | Exporters::All) {
        let _ = write!(yaml, "  xray:\n    region: us-east-1\n    endpoint: \"http://{sink}\"\n");
    }
    yaml.push_str(match exporters {
        Exporters::Otlp(_) => "routes: []\ndefault: [otlp]\n",
        Exporters::OtlpBesideDead(_) => "routes: []\ndefault: [otlp, otlp/dead]\n",
        Exporters::Xray => "routes: []\ndefault: [xray]\n",
        Exporters::All => {
            "routes:\n  - name: errors\n    when: { any: [ { status: error }, { severity: { at_least: error } }, { exception: true } ] }\n    \
             to: [rollbar]\n    continue: true\ndefault: [honeycomb, xray]\n"
        }
    });
    let _ = write!(
        yaml,
        "journal:\n  durability: {durability}\n  max_bytes: {bytes_max}\n  directory: \"{directory}\"\nadmin:\n  listen: \"{admin}\"\n"
    );
    yaml
}
