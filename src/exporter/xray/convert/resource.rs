//! What all spans of a resource share, worked out once: where the code runs, and the resource as metadata.
//!
//! Sources: <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html> for the members,
//! <https://opentelemetry.io/docs/specs/semconv/registry/attributes/aws/> and `cloud`, `container`, `k8s` for the attributes.

use std::ops::Range;

use super::place::{
    LOG_GROUPS_MAX, Read, write_beanstalk, write_ec2, write_ecs, write_eks, write_log_group, write_log_groups,
    write_xray,
};
use super::writer::{Writer, cut_bytes, key};
use crate::exporter::xray::config::DOCUMENT_BYTES_MAX;
use crate::otlp::{Resource, Value};
use crate::stacktrace::Language;

/// In front of a resource attribute's name, in metadata and annotations.
pub const PREFIX: &str = "otel.resource.";

/// Strings of the `aws` and `service` members, in characters.
pub(super) const STRING_CHARS_MAX: usize = 1024;

/// Platforms as X-Ray calls the kind of node.
#[rustfmt::skip]
const ORIGINS: &[(&str, &str)] = &[
    ("aws_app_runner",        "AWS::AppRunner::Service"),
    ("aws_ec2",               "AWS::EC2::Instance"),
    ("aws_ecs",               "AWS::ECS::Container"),
    ("aws_eks",               "AWS::EKS::Container"),
    ("aws_elastic_beanstalk", "AWS::ElasticBeanstalk::Environment"),
    ("aws_lambda",            LAMBDA),
];
const LAMBDA: &str = "AWS::Lambda::Function";
const LAUNCH_TYPES: &[(&str, &str)] = &[("ec2", "AWS::ECS::EC2"), ("fargate", "AWS::ECS::Fargate")];

/// The resource as documents show it.
#[derive(Debug, Clone)]
pub struct ResourceFacts<'a> {
    pub(super) service_name: &'a str,
    pub(super) language: Option<Language>,
    pub(super) attributes: Vec<Shown<'a>>,
    /// The attributes as members of `metadata.default`, commas between them.
    pub(super) metadata: Vec<u8>,
    service_version: Option<&'a str>,
    origin: Option<&'a str>,
    arn: Option<&'a str>,
    account_id: Option<&'a str>,
    /// `ec2`, `ecs`, …; commas between them.
    aws: Vec<u8>,
    /// The members of `xray`: who recorded the spans.
    xray: Vec<u8>,
    is_aws: bool,
    has_log_groups: bool,
}

/// One attribute of the resource.
#[derive(Debug, Clone)]
pub(super) struct Shown<'a> {
    pub name: &'a str,
    pub value: Value<'a>,
    /// Where its member lies in [`ResourceFacts::metadata`].
    pub range: Range<usize>,
}

impl<'a> ResourceFacts<'a> {
    /// Reads a resource.
    pub fn new(resource: &Resource<'a>) -> Self {
        let mut metadata = Vec::new();
        let mut attributes: Vec<Shown<'a>> = Vec::new();
        for (name, value) in resource.attributes.iter() {
            if metadata.len() > 2 * DOCUMENT_BYTES_MAX {
                break; // more would fit into no document
            }
            if attributes.iter().take(DISTINCT_MAX).any(|shown| shown.name == name) {
                continue;
            }
            if !metadata.is_empty() {
                metadata.push(b',');
            }
            let start = metadata.len();
            write_shown(&mut metadata, name, value);
            attributes.push(Shown { name, value, range: start..metadata.len() });
        }
        let read = Read(&attributes);
        let is_aws = read.text(&["cloud.provider"]).is_none_or(|provider| provider == "aws");
        let platform = read.text(&["cloud.platform"]).filter(|_| is_aws);
        let (mut aws, mut xray) = (Vec::new(), Vec::new());
        let mut has_log_groups = false;
        if is_aws {
            let mut writer = Writer::new(&mut aws, DOCUMENT_BYTES_MAX);
            write_ec2(&read, platform, &mut writer);
            write_ecs(&read, platform, &mut writer);
            write_eks(&read, platform, &mut writer);
            write_beanstalk(&read, platform, &mut writer);
            has_log_groups = write_log_groups(&read, &mut writer);
            write_xray(&read, &mut Writer::new(&mut xray, DOCUMENT_BYTES_MAX));
        }
        ResourceFacts {
            service_name: read.text(&["service.name"]).unwrap_or_default(),
            language: read.text(&["telemetry.sdk.language"]).and_then(Language::from_sdk_language),
            service_version: read
                .text(&["service.version"])
                .or_else(|| read.first_of_list("container.image.tags"))
                .or_else(|| read.text(&["container.image.tag"])),
            origin: origin(&read, platform),
            arn: read
                .text(&["aws.xray.resource_arn", "cloud.resource_id", "faas.id"])
                .filter(|id| id.starts_with("arn:")),
            account_id: read.text(&["cloud.account.id"]).filter(|_| is_aws),
            aws,
            xray,
            is_aws,
            has_log_groups,
            metadata,
            attributes,
        }
    }

    /// Writes what only segments show of their resource: `origin`, `resource_arn`, `service`.
    pub(super) fn write_segment(&self, writer: &mut Writer<'_>, lambda: bool) {
        if let Some(origin) = self.origin.filter(|origin| lambda || *origin != LAMBDA) {
            key!(writer, "origin");
            writer.string_cut(origin, STRING_CHARS_MAX);
        }
        if let Some(arn) = self.arn {
            key!(writer, "resource_arn");
            writer.string_cut(arn, STRING_CHARS_MAX);
        }
        if let Some(version) = self.service_version {
            key!(writer, "service");
            writer.open();
            key!(writer, "version");
            writer.string_cut(version, STRING_CHARS_MAX);
            writer.close();
        }
    }

    /// Writes where the code runs into an open `aws` object.
    pub(super) fn write_aws(
        &self,
        writer: &mut Writer<'_>,
        with_account: bool,
        sampling_rule: Option<&str>,
        log_groups: &[String],
    ) {
        if let Some(account) = self.account_id.filter(|_| with_account) {
            key!(writer, "account_id");
            writer.string_cut(account, STRING_CHARS_MAX);
        }
        if !self.has_log_groups && !log_groups.is_empty() {
            key!(writer, "cloudwatch_logs");
            writer.open_list();
            for group in log_groups.iter().take(LOG_GROUPS_MAX) {
                write_log_group(writer, group);
            }
            writer.close_list();
        }
        if !self.aws.is_empty() {
            writer.comma();
            writer.raw_bytes(&self.aws);
        }
        if self.xray.is_empty() && sampling_rule.is_none() {
            return;
        }
        key!(writer, "xray");
        writer.open();
        writer.raw_bytes(&self.xray);
        if let Some(rule) = sampling_rule {
            key!(writer, "sampling_rule_name");
            writer.string_cut(rule, STRING_CHARS_MAX);
        }
        writer.close();
    }

    /// Whether [`ResourceFacts::write_aws`] has a place for the sampling rule.
    pub(super) fn has_xray(&self) -> bool {
        self.is_aws
    }
}

/// Resources have some twenty attributes; of absurdly many, only repeats of the first are told from new ones.
const DISTINCT_MAX: usize = 256;

fn write_shown(out: &mut Vec<u8>, name: &str, value: Value<'_>) {
    let start = out.len();
    let mut writer = Writer::new(out, DOCUMENT_BYTES_MAX);
    writer.raw("\\\"");
    writer.raw(PREFIX);
    writer.text(name);
    writer.raw("\\\":");
    writer.value(value);
    if writer.is_over() {
        out.truncate(start);
        let mut writer = Writer::new(out, DOCUMENT_BYTES_MAX);
        writer.raw("\\\"");
        writer.raw(PREFIX);
        writer.text(cut_bytes(name, 1024));
        writer.raw("\\\":");
        writer.string("[dropped: too large]");
    }
}

fn origin<'a>(read: &Read<'_, 'a>, platform: Option<&str>) -> Option<&'a str> {
    let launched = read.text(&["aws.ecs.launchtype"]).filter(|_| platform == Some("aws_ecs"));
    let row = |table: &[(&str, &'static str)], name: &str| {
        table.iter().find(|(word, _)| word.eq_ignore_ascii_case(name)).map(|(_, origin)| *origin)
    };
    launched
        .and_then(|launch| row(LAUNCH_TYPES, launch))
        .or_else(|| platform.and_then(|platform| row(ORIGINS, platform)))
        .or_else(|| read.text(&["aws.service.type"]))
}
