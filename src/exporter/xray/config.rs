//! `xray` of `gateway.yaml`: where documents go, how they are delivered, and how spans become them.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::exporter::http::check_endpoint;
use crate::exporter::pace::{Pace, Preview, RetryConfig};
use crate::stdx::fault::Fault;
use crate::stdx::located::{Located, Place};
use crate::stdx::units::Interval;

/// The largest document that is ever made, in bytes of JSON. AWS says 64 kB without saying which kind of kB:
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html> (read 2026-11).
pub const DOCUMENT_BYTES_MAX: usize = 64_000;

/// The smallest `limits.document_bytes` that is obeyed: a document of required members alone must fit.
pub const DOCUMENT_BYTES_MIN: usize = 8_000;

/// `xray` or `xray/NAME` under `exporters`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Else `AWS_REGION`, the profile, and the instance's own are asked, as the AWS SDKs do.
    pub region: Option<String>,
    /// Instead of the region's own: a private link, or a stand-in for tests. Signed for `region` all the same.
    pub endpoint: Option<Located<String>>,
    /// A role to assume with the credentials that the chain finds.
    pub role_arn: Option<String>,
    pub external_id: Option<String>,
    pub preview: Preview,
    pub timeout: Interval,
    pub retry: RetryConfig,
    pub concurrency: usize,
    /// How long the first document of a request waits for company.
    pub linger: Interval,
    pub limits: LimitsConfig,
    /// Which attributes become annotations; the others become metadata.
    pub index: IndexConfig,
    /// CloudWatch log groups that the documents point at where the resource names none.
    pub log_groups: Vec<String>,
    /// Whether `aws.span.kind = LOCAL_ROOT` makes two documents of a client span, as Application Signals expects.
    pub local_root_split: LocalRootSplit,
    /// What is done about characters that X-Ray does not take in a name.
    pub name_invalid_chars: InvalidChars,
    /// Whether a node that is named after a host shows the port too.
    pub name_include_port: bool,
    /// What a root span of kind INTERNAL is named after.
    pub segment_name: SegmentName,
    /// What stands in `sql.url`.
    pub sql_url: SqlUrl,
    /// Where `user` is read from; the first attribute that is there counts.
    pub user_attributes: Vec<String>,
    /// What becomes of span events that are no exceptions.
    pub events: EventsConfig,
    /// Whether what X-Ray has no member for (kind, span name, trace state, counts) stands in `metadata.otel`.
    pub metadata_otel: bool,
    /// What a span without an end becomes.
    pub partial_spans: PartialSpans,
    /// Whether the values of signature parameters in URLs are replaced by `REDACTED`.
    pub redact_signed_urls: bool,
    /// Whether segments from Lambda say so; off where Lambda's own active tracing draws that node already.
    pub lambda_origin: bool,
    /// Whether status and errors are judged by HTTP status and span status alone, as awsxrayexporter does.
    pub strict_contrib_status: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            region: None,
            endpoint: None,
            role_arn: None,
            external_id: None,
            preview: Preview::Off,
            timeout: Interval::seconds(30),
            retry: RetryConfig::default(),
            concurrency: 8,
            linger: Interval::millis(200),
            limits: LimitsConfig::default(),
            index: IndexConfig::default(),
            log_groups: Vec::new(),
            local_root_split: LocalRootSplit::Auto,
            name_invalid_chars: InvalidChars::Remove,
            name_include_port: false,
            segment_name: SegmentName::ServiceName,
            sql_url: SqlUrl::Url,
            user_attributes: ["enduser.id", "user.id", "enduser.pseudo.id"].map(String::from).to_vec(),
            events: EventsConfig::Metadata,
            metadata_otel: true,
            partial_spans: PartialSpans::InProgress,
            redact_signed_urls: true,
            lambda_origin: true,
            strict_contrib_status: false,
        }
    }
}

impl Config {
    pub fn pace(&self) -> Pace {
        Pace::new(self.retry, self.concurrency, self.timeout, self.linger)
    }

    /// What is wrong with it beyond its form; `place` is where its name stands.
    pub fn faults(&self, place: Place) -> Vec<Fault> {
        let mut faults: Vec<Fault> = self.endpoint.iter().filter_map(check_endpoint).collect();
        faults.extend(self.pace().faults(place));
        if self.region.as_deref().is_some_and(str::is_empty) {
            faults.push(Fault::at(place, "`region` is empty").hint("leave it out to use AWS_REGION"));
        }
        if self.external_id.is_some() && self.role_arn.is_none() {
            faults.push(Fault::at(place, "`external_id` is set without a `role_arn` to assume"));
        }
        faults
    }
}

/// How much of everything a document may hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Bytes of one document; kept within [`DOCUMENT_BYTES_MIN`] and [`DOCUMENT_BYTES_MAX`].
    pub document_bytes: usize,
    /// X-Ray indexes 50 a trace: <https://docs.aws.amazon.com/general/latest/gr/xray.html>.
    pub max_annotations: usize,
    /// Characters of the strings in `http`; 250 is what the published schema says, longer ones are seen to be taken.
    pub http_string: usize,
    /// Frames of one exception.
    pub stack_frames: usize,
    /// Exceptions of one document.
    pub exceptions: usize,
    /// Events of one document.
    pub events: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        LimitsConfig {
            document_bytes: DOCUMENT_BYTES_MAX,
            max_annotations: 50,
            http_string: 1024,
            stack_frames: 100,
            exceptions: 20,
            events: 128,
        }
    }
}

/// Which attributes become annotations. Those of the resource are written with `otel.resource.` in front.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexConfig {
    /// Every attribute of a simple kind, as far as the limit allows.
    pub all: bool,
    /// Names, or patterns with `*`; where the limit is reached the first ones count.
    pub attributes: Vec<Indexed>,
    /// Whether a list under an indexed name becomes one string, its elements joined by commas.
    pub join_arrays: bool,
}

/// An attribute to be indexed: `order.id`, `order.*`, or `{from: enduser.id, as: user_id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    pub from: String,
    /// The annotation's name where it is not the attribute's.
    pub alias: Option<String>,
}

impl From<&str> for Indexed {
    fn from(from: &str) -> Self {
        Indexed { from: from.to_owned(), alias: None }
    }
}

impl<'de> Deserialize<'de> for Indexed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Indexed;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an attribute name, or `from` and `as`")
            }

            fn visit_str<E: Error>(self, from: &str) -> Result<Indexed, E> {
                Ok(from.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Indexed, A::Error> {
                let (mut from, mut alias) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "from" => from = Some(map.next_value()?),
                        "as" => alias = Some(map.next_value()?),
                        other => return Err(A::Error::unknown_field(other, &["from", "as"])),
                    }
                }
                Ok(Indexed { from: from.ok_or_else(|| A::Error::missing_field("from"))?, alias })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalRootSplit {
    Auto,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvalidChars {
    Remove,
    Underscore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentName {
    ServiceName,
    SpanName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SqlUrl {
    /// `postgresql://host:port/database`, as AWS documents it.
    Url,
    /// The span's name, as awsxrayexporter does.
    SpanName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventsConfig {
    Metadata,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialSpans {
    /// An in-progress document, to be replaced when the finished span comes.
    InProgress,
    /// A finished document that ends when it starts.
    Complete,
}
