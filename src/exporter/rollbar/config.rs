//! `rollbar` of `gateway.yaml`: where items go, how they are delivered, and how telemetry becomes them.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::client::Compression;
use super::convert::Converter;
use super::convert::level::{Level, severity_of_name};
use super::scrub::ScrubConfig;
use crate::exporter::http::check_endpoint;
use crate::exporter::otlp::sensitive;
use crate::exporter::pace::{Pace, Preview, RetryConfig};
use crate::stdx::fault::Fault;
use crate::stdx::located::{Located, Place};
use crate::stdx::secret::Secret;
use crate::stdx::units::Interval;

/// Bytes of an item's JSON. What most of Rollbar's SDKs allow themselves; the service refuses whole requests of 1 MB.
/// <https://github.com/rollbar/rollbar-php/issues/38> (read 2026-11)
pub const PAYLOAD_BYTES_DEFAULT: usize = 512 * 1024;
/// The smallest bound that can be kept: an item that tells no more than what it is.
pub const PAYLOAD_BYTES_MIN: usize = 4 * 1024;
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

/// `rollbar` or `rollbar/NAME` under `exporters`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub access_token: Option<Located<Secret>>,
    /// A file that holds the token, instead of `access_token`.
    pub access_token_file: Option<Located<String>>,
    /// A host, the base of the API, or the whole URL of the item API.
    pub endpoint: Located<String>,
    pub compression: Compression,
    pub preview: Preview,
    pub timeout: Interval,
    pub retry: RetryConfig,
    pub concurrency: usize,
    /// How long the first item waits for company; one error then makes one item more often.
    pub linger: Interval,
    /// `data.environment` where the resource names none.
    pub environment: Option<String>,
    /// `data.server.root`, the directory that the project's paths begin with, for services that `server_root` does not name.
    pub root: Option<String>,
    /// `data.server.root` by `service.name`.
    pub server_root: BTreeMap<String, String>,
    /// Log records of at least this severity become items: `trace` to `fatal`, or 1 to 24.
    pub min_severity: Severity,
    pub exceptions: ExceptionsConfig,
    /// Which spans with an error status and without an exception become items.
    pub error_spans: ErrorSpans,
    /// Levels by exception class: the class itself, or a regular expression. The class itself counts first, then the
    /// expressions in alphabetical order.
    pub levels: BTreeMap<String, LevelRule>,
    /// Resource attributes that name the deployed revision, the best first.
    pub code_version: Vec<String>,
    pub parity: Parity,
    pub frame_order: FrameOrder,
    /// Attributes that hold a log record's message before the values were put in, the best first.
    pub template_keys: Vec<String>,
    pub scrub: ScrubConfig,
    pub capture_ip: CaptureIp,
    /// What of a user is sent. Without `id` there is no person at all.
    pub person: Vec<PersonField>,
    /// Whether `server.argv` is sent: command lines often hold secrets.
    pub capture_argv: bool,
    /// Whether a captured request body is sent.
    pub capture_body: bool,
    /// When the whole text of a stack goes along.
    pub keep_raw: KeepRaw,
    pub links: LinksConfig,
    pub max_payload_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Config {
            access_token: None,
            access_token_file: None,
            endpoint: Located::nowhere("https://api.rollbar.com".to_owned()),
            compression: Compression::Gzip,
            preview: Preview::Off,
            timeout: Interval::seconds(10),
            retry: RetryConfig::default(),
            concurrency: 4, // a token is limited to so many items a minute; more at once would only reach that sooner
            linger: Interval::millis(200),
            environment: None,
            root: None,
            server_root: BTreeMap::new(),
            min_severity: Severity::ERROR,
            exceptions: ExceptionsConfig::default(),
            error_spans: ErrorSpans::LocalRoot,
            levels: BTreeMap::new(),
            code_version: own(&["vcs.ref.head.revision", "vcs.repository.ref.revision", "service.version"]),
            parity: Parity::Native,
            frame_order: FrameOrder::Spec,
            template_keys: own(&["{OriginalFormat}", "message_template.text", "log.template", "msg_template"]),
            scrub: ScrubConfig::default(),
            capture_ip: CaptureIp::Full,
            person: vec![PersonField::Id],
            capture_argv: false,
            capture_body: false,
            keep_raw: KeepRaw::Unparsed,
            links: LinksConfig::default(),
            max_payload_bytes: PAYLOAD_BYTES_DEFAULT,
        }
    }
}

impl Config {
    pub fn pace(&self) -> Pace {
        Pace::new(self.retry, self.concurrency, self.timeout, self.linger)
    }

    /// Whether it has what it needs to send.
    pub fn has_credentials(&self) -> bool {
        self.access_token.as_ref().is_some_and(|token| !token.value.is_empty()) || self.access_token_file.is_some()
    }

    /// What is wrong with it beyond its form.
    pub fn faults(&self, place: Place) -> Vec<Fault> {
        let mut faults: Vec<Fault> = check_endpoint(&self.endpoint).into_iter().collect();
        faults.extend(self.pace().faults(place));
        match (&self.access_token, &self.access_token_file) {
            (Some(token), None) if token.value.is_empty() || sensitive(token.value.expose()).is_err() => {
                faults.push(Fault::at(token.place, "`access_token` is empty or holds characters that a header cannot"));
            }
            (Some(_), Some(file)) => faults.push(
                Fault::at(file.place, "both `access_token` and `access_token_file` are set").hint("keep one of them"),
            ),
            (None, None) if self.preview == Preview::Off => faults.push(
                Fault::at(place, "a `rollbar` exporter needs an `access_token`")
                    .hint("set `access_token: ${ROLLBAR_ACCESS_TOKEN}`, or `preview: true` to see what would be sent"),
            ),
            _ => {}
        }
        faults.extend(Converter::new(self).err().map(|error| Fault::at(place, error.to_string())));
        faults
    }

    /// The host that items are sent to: a failed call to it makes no item, or it would feed itself.
    pub fn host(&self) -> &str {
        let rest = self.endpoint.value.split_once("://").map_or(&*self.endpoint.value, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        }
    }
}

/// `exceptions:`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExceptionsConfig {
    /// Log records with an exception become items from this severity on.
    pub min_severity: Severity,
    /// The level of an exception that was recorded on a span which did not fail.
    pub handled_level: Level,
}

impl Default for ExceptionsConfig {
    fn default() -> Self {
        ExceptionsConfig { min_severity: Severity::ERROR, handled_level: Level::Warning }
    }
}

/// Templates of links into other tools, each optional. Placeholders: `{trace_id}`, `{span_id}`, `{xray_trace_id}`
/// (`1-8hex-24hex`), `{trace_start_ts}` and `{trace_end_ts}` (Unix seconds, with a margin), `{service}`, `{environment}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinksConfig {
    pub honeycomb: Option<String>,
    pub xray: Option<String>,
}

/// Which failed spans become items by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorSpans {
    /// Those where a request entered the service.
    LocalRoot,
    All,
    Off,
}

/// How close items stay to what Rollbar's own SDKs send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parity {
    Native,
    /// Suppressed exceptions and members of groups are told in `custom.related_exceptions`. Grouping does not change.
    Rich,
}

/// The order of frames of Go and .NET, whose SDKs send the newest call first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameOrder {
    Spec,
    Native,
}

/// What becomes of a client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureIp {
    Full,
    /// IPv4 without the last number, IPv6 without the last five groups.
    Anonymize,
    Off,
}

/// When `custom.otel.stacktrace` holds the text of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepRaw {
    /// Where something in it was not understood.
    Unparsed,
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonField {
    Id,
    Username,
    Email,
}

/// What a rule of `levels` makes of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelRule {
    Critical,
    Error,
    Warning,
    Info,
    Debug,
    Ignored,
}

impl LevelRule {
    /// The level; `None` where there is to be no item.
    pub fn level(self) -> Option<Level> {
        match self {
            LevelRule::Critical => Some(Level::Critical),
            LevelRule::Error => Some(Level::Error),
            LevelRule::Warning => Some(Level::Warning),
            LevelRule::Info => Some(Level::Info),
            LevelRule::Debug => Some(Level::Debug),
            LevelRule::Ignored => None,
        }
    }
}

/// A severity number from 1 to 24. <https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Severity(pub u8);

impl Severity {
    pub const ERROR: Severity = Severity(17);
}

impl<'de> Deserialize<'de> for Severity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SeverityVisitor)
    }
}

struct SeverityVisitor;

impl Visitor<'_> for SeverityVisitor {
    type Value = Severity;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a severity: trace, debug, info, warn, error, fatal, or a number from 1 to 24")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Severity, E> {
        match u8::try_from(number) {
            Ok(number @ 1..=24) => Ok(Severity(number)),
            _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Severity, E> {
        u64::try_from(number)
            .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            .and_then(|number| self.visit_u64(number))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Severity, E> {
        severity_of_name(name).map(Severity).ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_severity_is_read_by_name_or_number() {
        let read = |json: &str| serde_json::from_str::<Config>(json).map(|config| config.min_severity.0);
        assert_eq!(read("{}").unwrap(), 17);
        assert_eq!(read(r#"{"min_severity":"warn"}"#).unwrap(), 13);
        assert_eq!(read(r#"{"min_severity":10}"#).unwrap(), 10);
        for bad in [r#"{"min_severity":"loud"}"#, r#"{"min_severity":25}"#, r#"{"min_severity":0}"#, r#"{"min":1}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
