//! `metadata.otel`: what X-Ray has no member for and a reader of a trace wants to know.

use super::cause::{Causes, is_exception, is_shown};
use super::ladder::Level;
use super::links;
use super::metadata::{OWN_NAMESPACE, drop_if_larger};
use super::times::Times;
use super::writer::{Writer, key};
use crate::exporter::xray::config::{Config, EventsConfig};
use crate::otlp::Span;
use crate::otlp::span::Event;

/// The limit of W3C Trace Context: <https://www.w3.org/TR/trace-context/#tracestate-limits>.
const TRACE_STATE_CHARS_MAX: usize = 512;

/// What is told beside the span itself.
#[derive(Debug, Clone, Copy)]
pub struct Own<'d, 'a> {
    pub config: &'d Config,
    pub span: &'d Span<'a>,
    pub level: &'d Level,
    pub times: Times,
    /// Whether the document's name is the span's.
    pub name_is_shown: bool,
    /// Whether the status message stands in the cause.
    pub message_is_shown: bool,
    pub is_aws_sdk: bool,
    /// Whether the links stand in the document.
    pub has_links: bool,
    /// Whether the document shows the span; the service half of a split one says only how it was shortened.
    pub is_call: bool,
}

impl Own<'_, '_> {
    /// Writes the namespace, if there is anything to tell.
    pub fn write(&self, writer: &mut Writer<'_>, causes: &Causes<'_>) {
        let before = writer.mark();
        writer.member_named("", OWN_NAMESPACE);
        writer.open();
        if !self.level.steps.is_empty() {
            key!(writer, "truncated");
            writer.open_list();
            for step in self.level.steps {
                writer.comma();
                writer.string(step);
            }
            writer.close_list();
        }
        if !self.level.minimal && self.is_call {
            if self.config.metadata_otel {
                self.write_span(writer);
            }
            self.times.write_notes(writer);
            for (index, stack) in causes.unread().enumerate() {
                match index {
                    0 => key!(writer, "exception.stacktrace"),
                    more => writer.member_named("exception.stacktrace.", &(more + 1).to_string()),
                }
                let start = writer.mark();
                writer.value_within(crate::otlp::Value::Str(stack), self.level.string_bytes_max, 0);
                drop_if_larger(writer, start, self.level.value_bytes_max);
            }
            if self.config.events == EventsConfig::Metadata && !self.span.events.is_empty() {
                let start = writer.mark();
                self.write_events(writer);
                if self.level.value_bytes_max < writer.len_since(start) {
                    writer.back_to(start);
                }
            }
        }
        writer.close_or_drop(before);
    }

    fn write_span(&self, writer: &mut Writer<'_>) {
        let span = self.span;
        key!(writer, "kind");
        writer.string(span.kind.name());
        if !self.name_is_shown {
            key!(writer, "name");
            writer.value_within(crate::otlp::Value::Str(span.name), self.level.string_bytes_max, 0);
        }
        if !span.trace_state.is_empty() {
            key!(writer, "tracestate");
            writer.string_cut(span.trace_state, TRACE_STATE_CHARS_MAX);
        }
        if !span.status.message.is_empty() && !self.message_is_shown {
            key!(writer, "status_message");
            writer.value_within(crate::otlp::Value::Str(span.status.message), self.level.string_bytes_max, 0);
        }
        if span.parent_span_id.is_some() && span.parent_span_id == span.span_id {
            key!(writer, "parent_is_itself");
            writer.bool(true);
        }
        let links_left_out = if self.has_links { links::left_out(span.links) } else { 0 };
        let counts: [(&'static str, u64); 4] = [
            (r#"\"dropped_attributes_count\":"#, u64::from(span.dropped_attributes_count)),
            (r#"\"dropped_events_count\":"#, u64::from(span.dropped_events_count)),
            (r#"\"dropped_links_count\":"#, u64::from(span.dropped_links_count)),
            (r#"\"links_left_out\":"#, links_left_out),
        ];
        for (member, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            writer.member(member);
            writer.uint(count);
        }
    }

    /// The events, oldest first as they were sent, and how many are not shown. Of an exception's event only what the
    /// cause does not say.
    fn write_events(&self, writer: &mut Writer<'_>) {
        let is_shown = |event: &Event<'_>| {
            !is_exception(event, self.is_aws_sdk)
                || event.name == "exception" && event.attributes.iter().any(|(name, value)| !is_shown(name, value))
        };
        let count = self.span.events.iter().filter(is_shown).count();
        if count == 0 {
            return;
        }
        let max = self.config.limits.events;
        let taken = count.min(max);
        let ends = self.level.events_ends;
        let is_kept = |index: usize| index < taken && (index < ends || taken - index <= ends);
        let mut kept = 0;
        key!(writer, "events");
        writer.open_list();
        for (index, event) in self.span.events.iter().filter(is_shown).enumerate() {
            if index >= taken || writer.is_over() {
                break;
            }
            if is_kept(index) {
                kept += 1;
                self.write_event(writer, &event);
            }
        }
        writer.close_list();
        if kept < count {
            key!(writer, "events_left_out");
            writer.uint((count - kept) as u64);
        }
    }

    fn write_event(&self, writer: &mut Writer<'_>, event: &Event<'_>) {
        writer.comma();
        writer.open();
        key!(writer, "name");
        writer.value_within(crate::otlp::Value::Str(event.name), self.level.string_bytes_max, 0);
        key!(writer, "time");
        writer.seconds(event.time_unix_nano);
        let attributes = writer.mark();
        key!(writer, "attributes");
        writer.open();
        for (name, value) in event.attributes.iter() {
            if writer.is_over() {
                break;
            }
            if event.name != "exception" || !is_shown(name, value) {
                super::metadata::write(writer, "", name, value, self.level, self.level.value_bytes_max);
            }
        }
        writer.close_or_drop(attributes);
        if event.dropped_attributes_count > 0 {
            key!(writer, "dropped_attributes_count");
            writer.uint(u64::from(event.dropped_attributes_count));
        }
        writer.close();
    }
}
