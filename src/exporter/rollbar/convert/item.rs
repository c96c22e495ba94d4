//! One occurrence as an item: every field of `data`, scrubbed, in the order in which Rollbar's SDKs write them.
//! <https://docs.rollbar.com/reference/create-item> (read 2026-11)

use std::borrow::Cow;

use super::bag::Bags;
use super::dialect::Dialect;
use super::find::{Occurrence, What};
use super::identity::Name;
use super::index::Index;
use super::level::Level;
use super::message::{self, Message};
use super::node::{Map, Node, cut_chars};
use super::place::{Place, SHORT_CHARS_MAX};
use super::request::{RequestRules, request};
use super::source::{Source, context};
use super::trace::{Trace, Traces};
use super::{Converter, Item, ladder, person, plain};
use crate::exporter::rollbar::config::{FrameOrder, Parity};
use crate::otlp::{Key, Value};

/// `notifier.name`: what sent the item.
const NOTIFIER: &str = "telemetry-gateway";

/// Characters of an item's name in logs and previews.
const TITLE_CHARS_MAX: usize = 200;

/// Everything that an item is made of.
pub struct Draft<'d, 'a> {
    pub converter: &'a Converter,
    pub index: &'d Index<'a>,
    pub found: &'d [Occurrence<'a>],
    /// The occurrence that stands for the others.
    pub at: usize,
    /// The others, which tell of the same.
    pub absorbed: &'d [usize],
    pub place: &'d Place<'a>,
    pub weight: u32,
}

impl<'a> Draft<'_, 'a> {
    /// Writes the item.
    pub fn write(&self) -> Item {
        let (converter, place) = (self.converter, self.place);
        let (config, scrubber) = (&converter.config, &converter.scrubber);
        let occurrence = &self.found[self.at];
        let source = Source::read(self.index, occurrence);
        let uuid = self.uuid(&source);
        let level = self.level();
        let mut custom = Map::default();
        let mut data = Map(Vec::with_capacity(20));
        data.put("environment", Node::Text(place.environment.clone()));
        data.put("level", Node::text(level.name()));
        if occurrence.time_unix_nano > 0 {
            data.put("timestamp", Node::Int((occurrence.time_unix_nano / 1_000_000_000) as i64));
        }
        data.put("uuid", Node::text(uuid.clone()));
        if let Some(version) = &place.code_version {
            data.put("code_version", Node::Text(version.clone()));
        }
        let dialect = occurrence.what.traces().map_or(Dialect::Other, |traces| traces.dialect);
        data.put("platform", Node::Text(scrubber.cow(place.platform())));
        data.put_text("language", scrubber.cow(place.language(dialect)));
        if let Some(framework) = place.framework(&[source.root_scope, source.scope]) {
            data.put("framework", Node::Text(framework));
        }
        if let Some(context) = context(&source) {
            let context = scrubber.cow(context);
            data.put("context", Node::Text(cut_chars(context, SHORT_CHARS_MAX)));
        }
        let (body, title) = self.body(&source, &mut data, &mut custom);
        data.put("body", Node::Map(body));
        let incoming = source.incoming();
        let rules = RequestRules { scrubber, capture_ip: config.capture_ip, capture_body: config.capture_body };
        data.put_map("request", request(rules, Bags(&incoming)));
        data.put_map(
            "person",
            person::person(scrubber, &config.person, Bags(&[&source.event, &source.own, &source.entry])),
        );
        data.put_map("server", place.server.clone());
        data.put("attributes", Node::List(self.attributes(&source)));
        self.custom(&source, &mut custom);
        data.put_map("custom", custom);
        data.put("notifier", Node::Map(self.notifier()));
        let body = ladder::write(data, config.max_payload_bytes);
        Item { weight: self.weight, uuid, level: level.name(), title, body }
    }

    /// The most severe level of all that tell of it.
    fn level(&self) -> Level {
        let levels = self.absorbed.iter().chain([&self.at]).map(|at| self.found[*at].level);
        levels.min_by_key(|level| *level as u8).unwrap_or(Level::Error)
    }

    fn uuid(&self, source: &Source<'a>) -> String {
        let occurrence = &self.found[self.at];
        let mut name = Name::of(occurrence.trace_id, occurrence.span_id, self.place.service_name);
        if occurrence.trace_id.is_none() {
            name.add(&occurrence.time_unix_nano.to_le_bytes());
            for key in [Key::ServiceInstanceId, Key::HostName] {
                let resource = self.index.groups[self.index.group_of(occurrence.item)].resource;
                name.add(resource.attributes.find_str(key).unwrap_or_default().as_bytes());
            }
        }
        match (&occurrence.what, &source.log) {
            (What::Event(_, traces) | What::ExceptionLog(traces), _) => name.add_trace(traces.first()),
            (What::Log, Some(log)) => {
                name.add(b"log");
                name.add(&log.time().to_le_bytes());
                match log.body {
                    Value::Str(text) => name.add(text.as_bytes()),
                    // Its message is its body too, in an order that does not change.
                    _ => name.add(self.index.items[occurrence.item].message),
                }
            }
            _ => name.add(b"status"),
        }
        name.uuid()
    }

    /// The body and what the occurrence is called; what follows from it goes to `data` and `custom`.
    fn body(&self, source: &Source<'a>, data: &mut Map<'a>, custom: &mut Map<'a>) -> (Map<'a>, String) {
        let scrubber = &self.converter.scrubber;
        let occurrence = &self.found[self.at];
        let message = match (&occurrence.what, &source.log, &source.span) {
            (What::Event(_, traces) | What::ExceptionLog(traces), ..) => {
                let first = traces.first();
                let message = first.message.as_deref().unwrap_or_default();
                let title =
                    if message.is_empty() { first.class.to_string() } else { format!("{}: {message}", first.class) };
                let title = scrubber.text(&title).into_owned();
                if traces.dialect == Dialect::Go && !message.is_empty() {
                    // rollbar-go titles an item by the error's text.
                    let text = cut_chars(scrubber.text(message).into_owned(), SHORT_CHARS_MAX);
                    data.put("title", Node::Text(text));
                }
                if self.converter.config.parity == Parity::Rich && !traces.related.is_empty() {
                    custom.put("related_exceptions", self.related(traces));
                }
                return (self.traces(source, traces), cut_chars(title, TITLE_CHARS_MAX).into_owned());
            }
            (_, Some(log), _) => {
                message::of_log(scrubber, &self.converter.config.template_keys, log, source.scope, &source.own)
            }
            (_, None, Some(span)) => message::of_span(scrubber, self.place.service_name, span, &source.own),
            (_, None, None) => return (Map::default(), String::new()),
        };
        let Message { body, title, fingerprint, structured } = message;
        if let Some(fingerprint) = fingerprint {
            data.put("title", Node::Text(title.clone()));
            data.put("fingerprint", Node::text(fingerprint));
        }
        if let Some(structured) = structured {
            let mut log = Map::default();
            log.put("body", structured);
            custom.put("log", Node::Map(log));
        }
        let mut whole = Map::default();
        whole.put("message", Node::Map(body));
        (whole, cut_chars(title, TITLE_CHARS_MAX).into_owned())
    }

    fn traces(&self, source: &Source<'a>, traces: &Traces<'a>) -> Map<'a> {
        let scrubber = &self.converter.scrubber;
        let mut nodes: Vec<Node<'a>> = traces.chain.iter().map(|trace| self.trace(trace, traces.dialect)).collect();
        if traces.first().frames.is_empty() {
            // Where it was recorded is better than nothing. What a span says is where the span began.
            let code = message::code(scrubber, if source.log.is_some() { &source.own } else { &source.event });
            if let Some(frames) = nodes.first_mut().and_then(Node::as_map_mut).and_then(|trace| trace.get_mut("frames"))
                && !code.is_empty()
            {
                *frames = Node::List(vec![Node::Map(code)]);
            }
        }
        let mut body = Map::default();
        if nodes.len() == 1 && !traces.dialect.always_chains() {
            body.0.extend(nodes.pop().map(|trace| (Cow::Borrowed("trace"), trace)));
        } else {
            body.put("trace_chain", Node::List(nodes));
        }
        body
    }

    fn trace(&self, trace: &Trace<'a>, dialect: Dialect) -> Node<'a> {
        let scrubber = &self.converter.scrubber;
        let text = |text: &Cow<'a, str>| Node::Text(scrubber.cow(text.clone()));
        let mut exception = Map(Vec::with_capacity(3));
        exception.put("class", Node::Text(cut_chars(scrubber.cow(trace.class.clone()), SHORT_CHARS_MAX)));
        if let Some(message) = &trace.message {
            exception.put("message", text(message));
        }
        if let Some(description) = &trace.description {
            exception.put("description", text(description));
        }
        let mut frames: Vec<Node<'a>> =
            trace.frames.iter().map(|frame| dialect.frame(frame.clone(), scrubber)).collect();
        if !(self.converter.config.frame_order == FrameOrder::Native && dialect.newest_first()) {
            frames.reverse();
        }
        let mut node = Map(Vec::with_capacity(2));
        node.put("exception", Node::Map(exception));
        node.put("frames", Node::List(frames));
        Node::Map(node)
    }

    fn related(&self, traces: &Traces<'a>) -> Node<'a> {
        let scrubber = &self.converter.scrubber;
        let node = |(class, message): &(Cow<'a, str>, Cow<'a, str>)| {
            let mut map = Map::default();
            map.put("class", Node::Text(cut_chars(scrubber.cow(class.clone()), SHORT_CHARS_MAX)));
            map.put_text("message", cut_chars(scrubber.cow(message.clone()), plain::TEXT_CHARS_MAX));
            Node::Map(map)
        };
        Node::List(traces.related.iter().map(node).collect())
    }

    /// `data.attributes`: what Rollbar links occurrences by.
    fn attributes(&self, source: &Source<'a>) -> Vec<Node<'a>> {
        let occurrence = &self.found[self.at];
        let bags = [&source.event, &source.own, &source.entry];
        let bags = Bags(&bags);
        let session = bags.find_text(Key::SessionId).or(self.place.session_id);
        let scope = bags.text("rollbar.execution.scope.id");
        let escaped = source.event.get("exception.escaped").or_else(|| source.own.get("exception.escaped"));
        let fatal = occurrence.what.traces().is_some() && occurrence.level == Level::Critical;
        let uncaught = escaped.and_then(Value::as_bool) == Some(true) || fatal;
        let short = |text: &'a str| cut_chars(self.converter.scrubber.text(text), SHORT_CHARS_MAX);
        let session = session.or_else(|| bags.text("rollbar.session.id"));
        let rows: [(&str, Option<Cow<'a, str>>); 5] = [
            ("session_id", session.map(short)),
            ("execution_scope_id", scope.map(short)),
            ("span_id", occurrence.span_id.map(|id| id.to_string().into())),
            ("trace_id", occurrence.trace_id.map(|id| id.to_string().into())),
            ("is_uncaught", uncaught.then_some(Cow::Borrowed("true"))),
        ];
        rows.into_iter()
            .filter_map(|(key, value)| {
                let mut row = Map(Vec::with_capacity(2));
                row.put("key", Node::text(key));
                row.put("value", Node::Text(value?));
                Some(Node::Map(row))
            })
            .collect()
    }

    fn notifier(&self) -> Map<'a> {
        let occurrence = &self.found[self.at];
        let signal = match &occurrence.what {
            What::Event(..) => "span_event",
            What::ExceptionLog(_) | What::Log => "log_record",
            What::Span => "span_status",
        };
        let mut diagnostic = Map::default();
        diagnostic.put("signal", Node::text(signal));
        if let Some(traces) = occurrence.what.traces() {
            if let Some(language) = traces.language {
                diagnostic.put("parser", Node::text(format!("{language:?}").to_ascii_lowercase()));
            }
            let skipped: u64 = traces.chain.iter().map(|trace| u64::from(trace.skipped)).sum();
            for (key, count) in [
                ("absorbed", self.absorbed.len() as u64),
                ("frames_dropped", skipped),
                ("lines_unread", u64::from(traces.lines_unread)),
            ] {
                if count > 0 {
                    diagnostic.put(key, Node::Int(count as i64));
                }
            }
        }
        let mut notifier = Map::default();
        notifier.put("name", Node::text(NOTIFIER));
        notifier.put("version", Node::text(env!("CARGO_PKG_VERSION")));
        notifier.put("diagnostic", Node::Map(diagnostic));
        notifier
    }
}
