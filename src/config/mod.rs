//! `gateway.yaml` → [`Config`], or all problems of the file at once, each with line, column and a hint.

mod fingerprint;
pub mod interpolate;
pub mod problem;
pub mod read;
pub mod watch;
pub mod yaml;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::exporter::{ExporterConfig, Exporters};
use crate::gateway::GatewayConfig;
use crate::gateway::config::{Fingerprint, JournalConfig};
use crate::router::{EXPORTERS_MAX, RouteConfig, Router, RouterConfig};
use crate::stdx::fault::Fault;
use crate::stdx::located::{Located, Place};
use crate::stdx::units::Interval;
use crate::{admin, receiver, vitals};
use fingerprint::fingerprint;
use interpolate::Environment;
use problem::{Problem, Problems};
use read::{Reading, read};
use yaml::{FILE_BYTES_MAX, Node, Source};

/// All of `gateway.yaml`.
#[derive(Debug)]
pub struct Config {
    pub receivers: Receivers,
    pub gateway: GatewayConfig,
    pub router: RouterConfig,
    pub admin: admin::Config,
    pub log: vitals::log::Config,
    pub stop: StopConfig,
    /// Of each part that takes effect at a start only, by its key.
    pub fixed: BTreeMap<&'static str, Fingerprint>,
    /// Of the whole.
    pub fingerprint: Fingerprint,
    /// Unset variables that were let pass, because their exporter is in preview.
    pub tolerated: Vec<Problem>,
}

/// The parts of the file that take effect at a start only; the others do at once, wherever they are changed.
const FIXED: [&str; 5] = ["receivers", "journal", "admin", "log", "stop"];

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    receivers: Receivers,
    exporters: Exporters,
    #[serde(default)]
    routes: Vec<RouteConfig>,
    default: Vec<Located<String>>,
    #[serde(default)]
    journal: JournalConfig,
    #[serde(default)]
    admin: admin::Config,
    #[serde(default)]
    log: vitals::log::Config,
    #[serde(default)]
    stop: StopConfig,
}

/// `receivers` of `gateway.yaml`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Receivers {
    pub otlp: receiver::Config,
}

/// `stop` of `gateway.yaml`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StopConfig {
    /// How long a stop may take: answering what is under way, a third of it at most, and delivering what is left.
    pub grace: Interval,
}

impl Default for StopConfig {
    fn default() -> Self {
        StopConfig { grace: Interval::seconds(8) } // Docker kills after ten
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {error}")]
    Io { path: String, error: std::io::Error },
    #[error("{0}")]
    Problems(Problems),
}

impl Config {
    /// Reads a file with the variables of the process.
    pub fn load(path: &Path) -> Result<(Config, Router), ConfigError> {
        let io = |error| ConfigError::Io { path: path.display().to_string(), error };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(io)?;
        // One byte more than the bound shows that the file passes it.
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        let name = path.display().to_string();
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            // Cut in the midst of a letter, perhaps; its length is told.
            Err(error) if error.as_bytes().len() > FILE_BYTES_MAX => {
                String::from_utf8_lossy(error.as_bytes()).into_owned()
            }
            Err(error) => return Err(ConfigError::Problems(Problems::not_utf8(name, error))),
        };
        let environment = |name: &str| std::env::var(name).ok();
        Config::parse(&name, text, &environment).map_err(ConfigError::Problems)
    }

    /// Reads a text, checks all that can be checked without the network, and compiles the rules.
    pub fn parse(name: &str, text: String, environment: Environment<'_>) -> Result<(Config, Router), Problems> {
        let mut reading: Reading<Written> = read(Source::new(name, text), environment, &is_in_preview);
        let mut faults = reading.value.as_ref().map(|written| written.faults(&reading.problems)).unwrap_or_default();
        if let Some(written) = &reading.value {
            let node = |key| reading.tree.as_ref().and_then(|tree| tree.at(&["journal", key]));
            faults.extend(written.journal.faults(|key| node(key).map_or(Place::NONE, |node| node.place)));
        }
        // Names are taken from the text: an exporter with a problem of its own is still defined.
        let names = reading.tree.as_ref().map(exporter_names).unwrap_or_default();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for fault in &faults {
            reading.complain(fault);
        }
        let mut router = None;
        if let Some(written) = &mut reading.value {
            let rules = RouterConfig {
                routes: std::mem::take(&mut written.routes),
                default: std::mem::take(&mut written.default),
            };
            match Router::new(&rules, &names) {
                Ok(compiled) => router = Some((rules, compiled)),
                Err(faults) => {
                    for fault in &faults {
                        reading.complain(fault);
                    }
                }
            }
        }
        let tolerated = std::mem::take(&mut reading.tolerated);
        let tree = reading.tree.take();
        let at = |keys: &[&str]| tree.as_ref().and_then(|tree| tree.at(keys));
        let exporter_fingerprints =
            names.iter().map(|name| ((*name).to_owned(), fingerprint([at(&["exporters", name])]))).collect();
        // Where an item goes depends on the rules and on which exporters there are, whatever else is said of them.
        let rules_fingerprint = {
            let mut hasher = Sha256::new();
            hasher.update(fingerprint([at(&["routes"]), at(&["default"])]));
            hasher.update(names.join("\n"));
            hasher.finalize().into()
        };
        let fixed = FIXED.into_iter().map(|key| (key, fingerprint([at(&[key])]))).collect();
        let written = reading.finish()?;
        let (rules, router) = router.expect("without a router there are problems");
        let config = Config {
            receivers: written.receivers,
            gateway: GatewayConfig {
                exporters: written.exporters.0,
                journal: written.journal,
                exporter_fingerprints,
                rules_fingerprint,
            },
            router: rules,
            admin: written.admin,
            log: written.log,
            stop: written.stop,
            fixed,
            fingerprint: fingerprint([tree.as_ref()]),
            tolerated,
        };
        Ok((config, router))
    }
}

impl Written {
    /// What is wrong beyond the form of each key, and beyond the problems that are known.
    fn faults(&self, known: &Problems) -> Vec<Fault> {
        let mut faults = self.receivers.otlp.faults();
        faults.extend(self.admin.faults());
        faults.extend(self.address_fault());
        for named in &self.exporters.0 {
            let place = named.name.place;
            let is_of_it = |problem: &Problem| {
                (problem.path.key(0), problem.path.key(1)) == (Some("exporters"), Some(named.name.value.as_str()))
            };
            // What an exporter lacks as a whole may be just what could not be read of it.
            let is_broken = known.iter().any(is_of_it);
            faults.extend(named.config.faults(place).into_iter().filter(|fault| !is_broken || fault.place != place));
            if named.config.pace().concurrency == 0 {
                faults.push(Fault::at(named.name.place, "`concurrency` is 0: nothing would ever be sent"));
            }
            let name = &named.name.value;
            if name.ends_with('/') || name.matches('/').count() > 1 {
                faults.push(
                    Fault::at(named.name.place, format!("`{name}` is no exporter name")).hint("KIND or KIND/NAME"),
                );
            }
        }
        if self.exporters.0.len() > EXPORTERS_MAX {
            faults.push(Fault::at(
                self.exporters.0[EXPORTERS_MAX].name.place,
                format!("{} exporters are too many: {EXPORTERS_MAX} at most", self.exporters.0.len()),
            ));
        }
        faults.extend(self.file_faults());
        faults
    }

    /// The admin listener on an address of the receiver's would end the start.
    fn address_fault(&self) -> Option<Fault> {
        let Located { value: receivers, place } = &self.receivers.otlp.listen;
        let admin = &self.admin.listen;
        let clash = receivers.iter().find(|receiver| receiver::clash(&receiver.value, &admin.value))?;
        // One of the two may be a default, which has no place.
        let place = admin.place.max(clash.place).max(*place);
        let message = format!("`{admin}` of `admin.listen` is listened on already, by `{clash}` of `receivers.otlp`");
        Some(Fault::at(place, message).hint("give each a port of its own"))
    }

    /// Two exporters that write one file would tear each other's lines.
    fn file_faults(&self) -> Vec<Fault> {
        let mut paths: Vec<&Located<String>> = Vec::new();
        let mut faults = Vec::new();
        for named in &self.exporters.0 {
            let ExporterConfig::File(config) = &named.config else { continue };
            let Some(path) = &config.path else { continue };
            if paths.contains(&path) {
                faults.push(Fault::at(path.place, format!("`{path}` is written by another exporter already")));
            }
            paths.push(path);
        }
        faults
    }
}

fn exporter_names(tree: &Node) -> Vec<String> {
    let entries = tree.get("exporters").map(Node::entries).unwrap_or_default();
    entries.iter().map(|(key, _)| key.text.clone()).collect()
}

/// Whether a path lies under an exporter that may do without its credentials.
fn is_in_preview(tree: &Node, path: &problem::Path) -> bool {
    match (path.key(0), path.key(1)) {
        (Some("exporters"), Some(name)) => tree
            .at(&["exporters", name, "preview"])
            .is_some_and(|preview| preview.is_true() || preview.text() == Some("auto")),
        _ => false,
    }
}
