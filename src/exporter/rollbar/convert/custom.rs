//! `data.custom`: what the telemetry says beside what Rollbar has fields for. Rollbar stores it and searches it.

use super::bag::Bags;
use super::find::What;
use super::item::Draft;
use super::links::{Target, links};
use super::moment::rfc3339;
use super::node::{Map, Node, cut_chars};
use super::place::short_node;
use super::plain;
use super::source::Source;
use super::trace::Traces;
use crate::exporter::rollbar::config::KeepRaw;
use crate::otlp::{Key, Value};

/// How many spans and records are named that told of the same exception.
const ALSO_RECORDED_MAX: usize = 20;

/// Attributes that say what the exception is: they have fields of their own.
const EXCEPTION_KEYS: [&str; 4] = ["exception.type", "exception.message", "exception.stacktrace", "exception.escaped"];

/// Attributes that `custom.otel` shows under their present names.
const OTEL_KEYS: [Key; 7] = [
    Key::ThreadId,
    Key::ThreadName,
    Key::CodeFunctionName,
    Key::CodeFilePath,
    Key::CodeLineNumber,
    Key::CodeColumnNumber,
    Key::ErrorType,
];

impl<'a> Draft<'_, 'a> {
    /// Fills `custom`.
    pub fn custom(&self, source: &Source<'a>, custom: &mut Map<'a>) {
        let scrubber = &self.converter.scrubber;
        let occurrence = &self.found[self.at];
        for key in EXCEPTION_KEYS {
            source.event.get(key);
            source.own.get(key);
        }
        custom.put_map("otel", self.otel(source));
        custom.put_map("http", self.http(source));
        custom.put_map("resource", self.place.resource.clone());
        let rest = source.event.unused().chain(source.own.unused());
        custom.put_map("attributes", plain::object(scrubber, rest));
        // A record of a trace that was not sampled has no trace to show.
        let sampled = source.log.is_none_or(|log| log.flags & 1 == 1);
        if let Some(trace_id) = occurrence.trace_id.filter(|_| sampled) {
            let time = occurrence.time_unix_nano;
            let (start, end) =
                source.span.map_or((time, time), |span| (span.start_time_unix_nano, span.end_time_unix_nano.max(time)));
            let target = Target {
                trace_id,
                span_id: occurrence.span_id,
                start_unix_nano: start,
                end_unix_nano: end,
                service: self.place.service_name,
                environment: &self.place.environment,
            };
            custom.put_map("links", links(&self.converter.config.links, target));
        }
    }

    /// `custom.otel`: what the telemetry says beside what Rollbar has fields for.
    fn otel(&self, source: &Source<'a>) -> Map<'a> {
        let scrubber = &self.converter.scrubber;
        let occurrence = &self.found[self.at];
        let mut otel = Map::default();
        let mut put = |key: &'static str, text: &'a str| {
            if !text.is_empty() {
                otel.put(key, short_node(scrubber, text));
            }
        };
        put("scope.name", source.scope.name);
        put("scope.version", source.scope.version);
        if let Some(span) = &source.span {
            put("span.name", span.name);
            put("span.kind", span.kind.name());
            put("status.code", span.status.code.name());
            put("status.message", span.status.message);
        }
        if let Some(log) = &source.log {
            put("severity_text", log.severity_text);
            put("event.name", log.event_name);
        }
        if let What::Event(event, _) = &occurrence.what {
            put("event.name", event.name);
        }
        let ids = [
            ("trace_id", occurrence.trace_id.map(|id| id.to_string())),
            ("span_id", occurrence.span_id.map(|id| id.to_string())),
            ("parent_span_id", source.span.and_then(|span| span.parent_span_id).map(|id| id.to_string())),
            ("time", (occurrence.time_unix_nano > 0).then(|| rfc3339(occurrence.time_unix_nano))),
        ];
        for (key, text) in ids {
            if let Some(text) = text {
                otel.put(key, Node::text(text));
            }
        }
        if let (Some(log), What::ExceptionLog(_)) = (&source.log, &occurrence.what) {
            otel.put("severity_number", Node::Int(i64::from(log.severity_number)));
            // What the logger wrote beside the exception.
            if let Value::Str(body) = log.body {
                otel.put("body", Node::Text(cut_chars(scrubber.text(body), plain::TEXT_CHARS_MAX)));
            }
        }
        let bags = [&source.event, &source.own];
        for key in OTEL_KEYS {
            if let Some(value) = Bags(&bags).find(key) {
                otel.put(key.name(), plain::node(scrubber, key.name(), value));
            }
        }
        if let Some(span) = &source.span {
            let dropped = [
                ("dropped_attributes_count", span.dropped_attributes_count),
                ("dropped_events_count", span.dropped_events_count),
                ("dropped_links_count", span.dropped_links_count),
            ];
            for (key, count) in dropped {
                if count > 0 {
                    otel.put(key, Node::Int(i64::from(count)));
                }
            }
        }
        if !self.absorbed.is_empty() {
            otel.put("also_recorded_on", self.also_recorded_on());
        }
        if let Some(traces) = occurrence.what.traces() {
            self.put_raw_stack(source, traces, &mut otel);
        }
        otel
    }

    fn put_raw_stack(&self, source: &Source<'a>, traces: &Traces<'a>, otel: &mut Map<'a>) {
        let scrubber = &self.converter.scrubber;
        let stack = source.event.get("exception.stacktrace").or_else(|| source.own.get("exception.stacktrace"));
        match stack {
            Some(Value::Str(text)) => {
                let unread = traces.lines_unread > 0 || (traces.frame_count() == 0 && !text.trim().is_empty());
                if unread || self.converter.config.keep_raw == KeepRaw::Always {
                    otel.put("stacktrace", Node::Text(scrubber.text(text)));
                }
            }
            // A structure (MetricKit); of a list of causes the texts are in the chain.
            Some(value @ Value::Map(_)) => otel.put("stacktrace", plain::bare(scrubber, value, 0)),
            Some(Value::Array(list)) if list.iter().any(|cause| cause.as_str().is_none()) => {
                otel.put("stacktrace", plain::bare(scrubber, Value::Array(list), 0));
            }
            _ => {}
        }
    }

    fn also_recorded_on(&self) -> Node<'a> {
        let name = |at: &usize| {
            let occurrence = &self.found[*at];
            let id = occurrence.span_id.map(|id| id.to_string()).unwrap_or_default();
            Node::text(if matches!(occurrence.what, What::ExceptionLog(_)) { format!("log:{id}") } else { id })
        };
        Node::List(self.absorbed.iter().take(ALSO_RECORDED_MAX).map(name).collect())
    }

    /// `custom.http`: what became of the request.
    fn http(&self, source: &Source<'a>) -> Map<'a> {
        let scrubber = &self.converter.scrubber;
        let mut http = Map::default();
        let bags = source.incoming();
        for (name, key) in
            [("status_code", Key::HttpResponseStatusCode), ("protocol_version", Key::NetworkProtocolVersion)]
        {
            if let Some(value) = Bags(&bags).find(key) {
                http.put(name, plain::node(scrubber, name, value));
            }
        }
        let mut headers = Map::default();
        for (name, value) in
            bags.iter().flat_map(|bag| bag.with_prefix("http.response.header.")).take(plain::ENTRIES_MAX)
        {
            if !headers.has(name)
                && !name.eq_ignore_ascii_case("set-cookie")
                && !name.eq_ignore_ascii_case("set_cookie")
            {
                let text = plain::text(value).into_owned();
                let clean = scrubber.header(name, &text).into_owned();
                headers.put(cut_chars(name, 128), Node::Text(cut_chars(clean, plain::TEXT_CHARS_MAX)));
            }
        }
        http.put_map("response_headers", headers);
        http
    }
}
