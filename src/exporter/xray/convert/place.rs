//! Where the code runs: the parts of a segment's `aws` block that the resource tells.
//!
//! Each is written as a member of a fragment that has no brace in front of it, because it is made once and copied often.
//! Sources: <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html> for the members,
//! <https://opentelemetry.io/docs/specs/semconv/registry/attributes/aws/> and `cloud`, `container`, `k8s` for the attributes.

use super::resource::{STRING_CHARS_MAX, Shown};
use super::writer::{Writer, cut_chars, key};
use crate::otlp::Value;

/// How many log groups a document points at.
pub(super) const LOG_GROUPS_MAX: usize = 32;

/// The attributes of a resource by name: a walk each time, which is cheap once a resource.
pub(super) struct Read<'r, 'a>(pub &'r [Shown<'a>]);

impl<'a> Read<'_, 'a> {
    pub fn value(&self, name: &str) -> Option<Value<'a>> {
        self.0.iter().find(|shown| shown.name == name).map(|shown| shown.value)
    }

    /// The first text that is not empty.
    pub fn text(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.value(name)?.as_str().filter(|text| !text.is_empty()))
    }

    pub fn first_of_list(&self, name: &str) -> Option<&'a str> {
        match self.value(name)? {
            Value::Array(list) => list.iter().find_map(Value::as_str).filter(|text| !text.is_empty()),
            _ => None,
        }
    }
}

fn write_texts(read: &Read<'_, '_>, writer: &mut Writer<'_>, rows: &[(&'static str, &[&str])]) {
    for (member, names) in rows {
        if let Some(text) = read.text(names) {
            writer.member(member);
            writer.string_cut(text, STRING_CHARS_MAX);
        }
    }
}

/// `i-` and hex digits. Elsewhere `host.id` is any machine's id, and would draw an EC2 node for a laptop.
fn is_instance_id(id: &str) -> bool {
    id.strip_prefix("i-").is_some_and(|digits| {
        (8..=17).contains(&digits.len()) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn write_object(writer: &mut Writer<'_>, member: &'static str, write: impl FnOnce(&mut Writer<'_>)) {
    let before = writer.mark();
    comma_between(writer);
    writer.raw(member);
    writer.open();
    write(writer);
    writer.close_or_drop(before);
}

pub(super) fn write_ec2(read: &Read<'_, '_>, platform: Option<&str>, writer: &mut Writer<'_>) {
    if platform != Some("aws_ec2") && !read.text(&["host.id"]).is_some_and(is_instance_id) {
        return;
    }
    write_object(writer, r#"\"ec2\":"#, |writer| {
        write_texts(
            read,
            writer,
            &[
                (r#"\"instance_id\":"#, &["host.id"]),
                (r#"\"availability_zone\":"#, &["cloud.availability_zone"]),
                (r#"\"instance_size\":"#, &["host.type"]),
                (r#"\"ami_id\":"#, &["host.image.id"]),
            ],
        );
    });
}

pub(super) fn write_ecs(read: &Read<'_, '_>, platform: Option<&str>, writer: &mut Writer<'_>) {
    if platform != Some("aws_ecs") {
        return;
    }
    write_object(writer, r#"\"ecs\":"#, |writer| {
        write_texts(
            read,
            writer,
            &[
                (r#"\"container\":"#, &["container.name"]),
                (r#"\"container_id\":"#, &["container.id"]),
                (r#"\"container_arn\":"#, &["aws.ecs.container.arn"]),
                (r#"\"cluster_arn\":"#, &["aws.ecs.cluster.arn"]),
                (r#"\"task_arn\":"#, &["aws.ecs.task.arn"]),
                (r#"\"task_family\":"#, &["aws.ecs.task.family"]),
                (r#"\"availability_zone\":"#, &["cloud.availability_zone"]),
                (r#"\"launch_type\":"#, &["aws.ecs.launchtype"]),
            ],
        );
    });
}

pub(super) fn write_eks(read: &Read<'_, '_>, platform: Option<&str>, writer: &mut Writer<'_>) {
    if platform != Some("aws_eks") && read.text(&["k8s.cluster.name"]).is_none() {
        return;
    }
    write_object(writer, r#"\"eks\":"#, |writer| {
        write_texts(
            read,
            writer,
            &[
                (r#"\"cluster_name\":"#, &["k8s.cluster.name"]),
                (r#"\"pod\":"#, &["k8s.pod.name", "k8s.pod.uid"]),
                (r#"\"container_id\":"#, &["container.id"]),
            ],
        );
    });
}

pub(super) fn write_beanstalk(read: &Read<'_, '_>, platform: Option<&str>, writer: &mut Writer<'_>) {
    let Some(deployment) = read.value("service.instance.id") else { return };
    if platform != Some("aws_elastic_beanstalk") {
        return;
    }
    write_object(writer, r#"\"elastic_beanstalk\":"#, |writer| {
        write_texts(
            read,
            writer,
            &[(r#"\"environment_name\":"#, &["service.namespace"]), (r#"\"version_label\":"#, &["service.version"])],
        );
        if let Some(number) = deployment.as_int() {
            key!(writer, "deployment_id");
            writer.int(number);
        }
    });
}

pub(super) fn write_log_group(writer: &mut Writer<'_>, group: &str) {
    // arn:aws:logs:region:account:log-group:NAME:*
    let name = if group.starts_with("arn:") { group.split(':').nth(6) } else { None };
    writer.comma();
    writer.open();
    key!(writer, "log_group");
    writer.string_cut(name.unwrap_or(group), STRING_CHARS_MAX);
    if name.is_some() {
        key!(writer, "arn");
        writer.string_cut(group, STRING_CHARS_MAX);
    }
    writer.close();
}

/// The groups that the resource names, ARNs before names; whether it names any.
pub(super) fn write_log_groups(read: &Read<'_, '_>, writer: &mut Writer<'_>) -> bool {
    for name in ["aws.log.group.arns", "aws.log.group.names"] {
        let groups: Vec<&str> = match read.value(name) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).take(LOG_GROUPS_MAX).collect(),
            Some(Value::Str(text)) => text.split('&').take(LOG_GROUPS_MAX).collect(),
            _ => continue,
        };
        if groups.iter().any(|group| !group.is_empty()) {
            comma_between(writer);
            writer.raw(r#"\"cloudwatch_logs\":["#);
            for group in groups.into_iter().filter(|group| !group.is_empty()) {
                write_log_group(writer, group);
            }
            writer.close_list();
            return true;
        }
    }
    false
}

/// Who recorded the spans.
pub(super) fn write_xray(read: &Read<'_, '_>, writer: &mut Writer<'_>) {
    let text = |name, most| read.text(&[name]).map(|text| cut_chars(text, most));
    if let Some(name) = text("telemetry.sdk.name", STRING_CHARS_MAX) {
        writer.raw(r#"\"sdk\":\""#);
        writer.text(name);
        if let Some(language) = text("telemetry.sdk.language", STRING_CHARS_MAX).filter(|word| !name.ends_with(word)) {
            writer.raw(" for ");
            writer.text(language);
        }
        writer.raw("\\\"");
    }
    if let Some(version) = text("telemetry.sdk.version", STRING_CHARS_MAX) {
        comma_between(writer);
        writer.raw(r#"\"sdk_version\":"#);
        writer.string(version);
    }
    if read.text(&["telemetry.distro.version", "telemetry.auto.version"]).is_some() {
        comma_between(writer);
        writer.raw(r#"\"auto_instrumentation\":"#);
        writer.bool(true);
    }
}

/// A comma, but for the first member of a fragment, which has no brace in front of it.
fn comma_between(writer: &mut Writer<'_>) {
    if writer.mark() > 0 {
        writer.comma();
    }
}
