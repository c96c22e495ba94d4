//! One document: the order in which its parts are found out and written.
//!
//! `metadata` comes first, because the pass over the attributes writes what has no other place straight into it, and stays
//! open until every block has taken what it shows: what no block took follows. Members of JSON objects have no order.

use std::collections::BTreeSet;

use super::Converter;
use super::annotations::{Annotations, Candidate, Claim, is_simple};
use super::aws::Call;
use super::cause::{self, Causes};
use super::facts::Facts;
use super::http::Http;
use super::ids::{write_span_id, write_trace_id};
use super::index::Hash;
use super::ladder::Level;
use super::links;
use super::metadata::{self, NAMESPACE_PREFIX};
use super::name;
use super::own::Own;
use super::pass::Pass;
use super::resource::{PREFIX, ResourceFacts};
use super::shape::{Form, Half, Shape, is_aws_sdk, shapes};
use super::slots::{REMOTE, Slot as S};
use super::sql::Sql;
use super::status::Marks;
use super::times::Times;
use super::writer::{Writer, key};
use crate::otlp::span::{SpanKind, StatusCode};
use crate::otlp::{Scope, Span, SpanId, TraceId, Value};

/// Strings of the `aws` and `sql` members, in characters.
const STRING_CHARS_MAX: usize = 1024;

/// X-Ray's limit for a user, in characters.
const USER_CHARS_MAX: usize = 250;

/// What a document is made of.
#[derive(Clone, Copy)]
pub struct Source<'s, 'a> {
    pub converter: &'s Converter,
    pub resource: &'s ResourceFacts<'a>,
    pub scope: Scope<'a>,
    pub span: &'s Span<'a>,
    pub trace_id: TraceId,
    pub span_id: SpanId,
}

impl<'a> Source<'_, 'a> {
    /// Writes the span's document, or with `service` the one of its service half. Returns the shapes of the span; `None`
    /// where the document is too large to be finished.
    pub fn write(
        &self,
        writer: &mut Writer<'_>,
        service: Option<Shape>,
        level: &Level,
        facts: &mut Facts<'a>,
        causes: &mut Option<Causes<'a>>,
    ) -> Option<(Shape, Option<Shape>)> {
        let config = &self.converter.config;
        let shows = service.is_none() && !level.minimal;
        writer.raw(r#"{\"metadata\":{"#);
        let default_start = writer.mark();
        key!(writer, "default");
        writer.open();
        if shows {
            self.write_scope(writer);
        }
        let attributes_start = writer.mark();
        let mut pass = self.pass(writer, shows, level, BTreeSet::new(), facts);
        if let Value::Array(names) = facts.value(S::XrayAnnotations) {
            // The list may stand behind what it lists: once more, now that it is known.
            writer.back_to(attributes_start);
            let listed = names.iter().filter_map(Value::as_str).collect();
            pass = self.pass(writer, shows, level, listed, facts);
        }
        if writer.is_over() {
            return None;
        }
        let Pass { mut candidates, namespaces, listed } = pass;
        let both = shapes(self.span, self.trace_id, self.span_id, facts, config.local_root_split);
        let shape = service.unwrap_or(both.0);
        let is_segment = shape.form == Form::Segment;
        let is_call = shape.half != Half::Service;
        let is_sdk = is_aws_sdk(facts);
        let causes: &Causes<'a> = causes.get_or_insert_with(|| {
            if self.span.events.is_empty() {
                return Causes::default();
            }
            Causes::gather(self.span, self.resource.language, is_sdk, config.limits.exceptions)
        });

        let name = name::choose(config, self.resource, self.span, facts, &shape);
        let marks = Marks::judge(facts, self.span, causes.types(), config.strict_contrib_status);
        let times = Times::of(self.span, facts, config.partial_spans);
        let mut http = if is_call { Http::gather(facts, self.span) } else { None };
        let call = if is_call && !level.minimal { Call::gather(facts) } else { None };
        let sql = if is_call && !level.minimal { Sql::gather(facts, self.span, config.sql_url) } else { None };
        let message = self.message(facts, causes);
        let traced = !is_segment && facts.value(S::XrayTraced).as_bool() == Some(true);
        if traced {
            facts.mark(S::XrayTraced);
            if let Some(http) = &mut http {
                http.traced = true;
            }
        }
        let sampling_rule = facts.text(S::XraySamplingRule).filter(|_| is_segment && self.resource.has_xray());
        if sampling_rule.is_some() {
            facts.mark(S::XraySamplingRule);
        }
        let user = facts.user.filter(|_| is_segment && !level.minimal);
        if facts.value(S::XrayInProgress).as_bool().is_some() {
            facts.mark(S::XrayInProgress);
        }
        if let Value::Array(_) = facts.value(S::XrayAnnotations) {
            facts.mark(S::XrayAnnotations);
        }

        self.write_unused(writer, facts, shape.half, shows, level, &mut candidates);
        if let Some((_, name, value)) = facts.user.filter(|_| user.is_none() && shows) {
            metadata::write(writer, "", name, value, level, level.value_bytes_max);
        }
        if is_segment && !level.minimal {
            self.write_resource(writer, level, &listed, &mut candidates);
        }
        let names = [&self.converter.index, &self.converter.resource_index];
        let annotations = if level.minimal {
            Annotations::default()
        } else {
            Annotations::choose(candidates, names, config.limits.max_annotations, |lost| {
                if writer.is_over() {
                    return;
                }
                if lost.of_resource {
                    metadata::write(writer, PREFIX, lost.name, lost.value, level, level.resource_bytes_max);
                } else if shows && !lost.is_shown {
                    metadata::write(writer, "", lost.name, lost.value, level, level.value_bytes_max);
                }
            })
        };
        let namespaces = if shows { self.merge_default(writer, namespaces, level) } else { Vec::new() };
        writer.close_or_drop(default_start);
        for (name, members) in &namespaces {
            writer.member_named("", name);
            writer.open();
            for (name, value) in members {
                metadata::write_json_member(writer, name, value, level);
            }
            writer.close();
        }
        let has_links = match shape.half {
            Half::Whole => true,
            Half::Dependency => self.span.kind != SpanKind::Consumer,
            Half::Service => self.span.kind == SpanKind::Consumer,
        };
        let own = Own {
            config,
            span: self.span,
            level,
            times,
            name_is_shown: name.is(self.span.name),
            message_is_shown: message.is_some(),
            is_aws_sdk: is_sdk,
            has_links,
            is_call,
        };
        own.write(writer, causes);
        let metadata_is_empty = writer.mark() == default_start;
        if metadata_is_empty {
            writer.back_to(default_start - r#"\"metadata\":{"#.len());
        } else {
            writer.close();
        }

        key!(writer, "trace_id");
        write_trace_id(writer, self.trace_id);
        key!(writer, "id");
        write_span_id(writer, shape.id);
        if let Some(parent) = shape.parent {
            key!(writer, "parent_id");
            write_span_id(writer, parent);
        }
        key!(writer, "name");
        name.write(writer, config.name_invalid_chars);
        times.write(writer);
        if !is_segment {
            key!(writer, "type");
            writer.string("subsegment");
        }
        if let Some(namespace) = shape.namespace {
            key!(writer, "namespace");
            writer.string(namespace);
        }
        marks.write(writer);
        if let Some(http) = http {
            let chars_max = config.limits.http_string;
            if level.minimal {
                http.write_status(writer);
            } else {
                http.write(writer, chars_max, chars_max.min(level.url_chars_max), config.redact_signed_urls);
            }
        }
        if !causes.is_empty() {
            let limits = &config.limits;
            causes.write(writer, self.trace_id, shape.id, level, limits.stack_frames, limits.exceptions);
        } else if let Some(message) = message {
            cause::write_message(writer, self.trace_id, shape.id, message, level);
        }
        if level.minimal {
            writer.close();
            return Some(both);
        }
        if traced {
            key!(writer, "traced");
            writer.bool(true);
        }
        if let Some(sql) = sql {
            sql.write(writer, STRING_CHARS_MAX, level.query_bytes_max);
        }
        let aws = writer.mark();
        key!(writer, "aws");
        writer.open();
        if let Some(call) = &call {
            call.write(writer, STRING_CHARS_MAX);
        }
        if is_segment {
            let with_account = !call.is_some_and(|call| call.names_account());
            self.resource.write_aws(writer, with_account, sampling_rule, &config.log_groups);
        }
        writer.close_or_drop(aws);
        if is_segment {
            if let Some((_, _, value)) = user {
                key!(writer, "user");
                writer.string_cut(&value.to_text(), USER_CHARS_MAX);
            }
            self.resource.write_segment(writer, config.lambda_origin);
        }
        annotations.write(writer, level.annotation_chars_max);
        if has_links && !self.span.links.is_empty() {
            links::write(self.span.links, writer, level.links_max);
        }
        writer.close();
        Some(both)
    }

    fn write_scope(&self, writer: &mut Writer<'_>) {
        if !self.scope.name.is_empty() {
            key!(writer, "otel.scope.name");
            writer.string_cut(self.scope.name, STRING_CHARS_MAX);
        }
        if !self.scope.version.is_empty() {
            key!(writer, "otel.scope.version");
            writer.string_cut(self.scope.version, STRING_CHARS_MAX);
        }
    }

    /// The text that stands for the cause of a span that failed without an exception.
    fn message(&self, facts: &mut Facts<'a>, causes: &Causes<'a>) -> Option<&'a str> {
        if !causes.is_empty() || self.span.status.code != StatusCode::Error {
            return None;
        }
        Some(self.span.status.message).filter(|text| !text.is_empty()).or_else(|| facts.take(&[S::HttpStatusText]))
    }

    /// Writes what has a slot and was taken by no block.
    fn write_unused(
        &self,
        writer: &mut Writer<'_>,
        facts: &Facts<'a>,
        half: Half,
        shows: bool,
        level: &Level,
        candidates: &mut Vec<Candidate<'a>>,
    ) {
        if half == Half::Service {
            let is_remote = |name: &str| S::ALL.iter().any(|slot| slot.bit() & REMOTE != 0 && slot.name() == name);
            candidates.retain(|candidate| !is_remote(candidate.name));
        }
        let indexes_all = self.converter.config.index.all;
        for (slot, value) in facts.unused() {
            let name = slot.name();
            if half == Half::Service && slot.bit() & REMOTE != 0 {
                continue;
            }
            // Named ones were candidates in the pass already; the others are where everything is.
            if let Some(candidate) = candidates.iter_mut().find(|candidate| candidate.name == name) {
                candidate.is_shown = false;
            } else if indexes_all && is_simple(value) {
                let claim = Claim::All;
                candidates.push(Candidate { claim, name, of_resource: false, value, is_shown: false });
            } else if shows {
                metadata::write(writer, "", name, value, level, level.value_bytes_max);
            }
        }
    }

    /// Writes the attributes of the resource, but for those that are to be annotations.
    fn write_resource(
        &self,
        writer: &mut Writer<'_>,
        level: &Level,
        listed: &BTreeSet<&str>,
        candidates: &mut Vec<Candidate<'a>>,
    ) {
        let config = &self.converter.config.index;
        let is_plain = !self.converter.indexes_resource && !listed.iter().any(|name| name.starts_with(PREFIX));
        if is_plain && level.resource_bytes_max == usize::MAX && level.string_bytes_max == usize::MAX {
            if !self.resource.metadata.is_empty() {
                writer.comma();
                writer.raw_bytes(&self.resource.metadata);
            }
            return;
        }
        for shown in &self.resource.attributes {
            let index = &self.converter.resource_index;
            let is_listed = || !listed.is_empty() && listed.contains([PREFIX, shown.name].concat().as_str());
            let claim = match index.rank(index.find(shown.name, Hash::of(shown.name)), shown.name) {
                _ if is_listed() => Some(Claim::Listed),
                Some(rank) => Some(Claim::Configured(rank)),
                None => config.all.then_some(Claim::All),
            };
            if let Some(claim) = claim.filter(|claim| self.can_be_annotation(*claim, shown.value)) {
                let (name, value) = (shown.name, shown.value);
                candidates.push(Candidate { claim, name, of_resource: true, value, is_shown: false });
            } else if shown.range.len() <= level.string_bytes_max.min(level.resource_bytes_max) {
                writer.comma();
                writer.raw_bytes(self.resource.metadata.get(shown.range.clone()).unwrap_or_default());
            } else {
                metadata::write(writer, PREFIX, shown.name, shown.value, level, level.resource_bytes_max);
            }
        }
    }

    /// Writes what belongs to `default` and returns the other namespaces.
    fn merge_default(
        &self,
        writer: &mut Writer<'_>,
        namespaces: Vec<(&'a str, &'a str)>,
        level: &Level,
    ) -> Vec<(&'a str, serde_json::Map<String, serde_json::Value>)> {
        let mut others: Vec<(&'a str, _)> = Vec::new();
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for (attribute, text) in namespaces {
            let name = attribute.strip_prefix(NAMESPACE_PREFIX).unwrap_or(attribute);
            let is_default = name.eq_ignore_ascii_case("default");
            match metadata::namespace(text, level.value_bytes_max) {
                Some(members) if is_default => {
                    if taken.is_empty() {
                        taken.extend(self.span.attributes.iter().map(|(name, _)| name.to_owned()));
                    }
                    for (name, value) in &members {
                        if !name.starts_with("otel.") && taken.insert(name.clone()) {
                            metadata::write_json_member(writer, name, value, level);
                        }
                    }
                }
                Some(members) if others.iter().all(|(taken, _)| *taken != name) => others.push((name, members)),
                _ => metadata::write(writer, "", attribute, Value::Str(text), level, level.value_bytes_max),
            }
        }
        others
    }
}
