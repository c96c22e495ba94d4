//! What makes an item: the decision table, one span or log record after the other.
//!
//! | Input      | Condition                                                     | Result                        |
//! |------------|---------------------------------------------------------------|-------------------------------|
//! | span event | has `exception.type` or `exception.message`                   | exception                     |
//! | log record | has one of these, severity at least `exceptions.min_severity` | exception                     |
//! | log record | severity at least `min_severity`                              | a stack in it, else a message |
//! | span       | failed, nothing above on it or below it, entry of the service | failed span                   |
//! | anything   | a call to Rollbar itself                                      | nothing: `loop`               |
//!
//! An event is known by its attributes, not by its name: some bridges name it after the log text.

use super::Converter;
use super::bag::Bag;
use super::index::{Index, is_entry};
use super::level::{self, Level};
use super::trace::{self, Told, Traces};
use crate::exporter::rollbar::config::ErrorSpans;
use crate::otlp::span::{Event, SpanKind, StatusCode};
use crate::otlp::wire::Fields;
use crate::otlp::{Attributes, Key, LogRecord, Signal, Span, SpanId, TraceId, Value};

/// How many exception events of one span are read. SDKs keep 128 events.
const EVENTS_MAX: usize = 128;

/// How far a log record's attributes are looked through for an exception.
const LOG_ATTRIBUTES_MAX: usize = 512;

/// Something that may become an item.
#[derive(Debug)]
pub struct Occurrence<'a> {
    /// Position of its span or log record in the batch.
    pub item: usize,
    /// Position of the span that the request entered by, as far up as the batch goes; its own where there is no other.
    pub root: usize,
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    pub time_unix_nano: u64,
    pub level: Level,
    pub what: What<'a>,
}

/// What happened.
#[derive(Debug)]
pub enum What<'a> {
    /// An exception that a span event tells of.
    Event(Event<'a>, Traces<'a>),
    /// An exception that a log record tells of.
    ExceptionLog(Traces<'a>),
    /// A log record without an exception.
    Log,
    /// A failed span without an exception.
    Span,
}

impl<'a> What<'a> {
    pub fn traces(&self) -> Option<&Traces<'a>> {
        match self {
            What::Event(_, traces) | What::ExceptionLog(traces) => Some(traces),
            What::Log | What::Span => None,
        }
    }
}

/// What became of one item of the batch.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    /// It is the occurrences `first..end` of the list.
    Found {
        first: usize,
        end: usize,
    },
    /// It tells of the same failure as the occurrence with this index.
    Covered(usize),
    Refused(&'static str),
}

/// Finds what may become items; the second list has the fate of each item that the rules chose.
pub fn occurrences<'a>(
    converter: &Converter,
    signal: Signal,
    index: &Index<'a>,
) -> (Vec<Occurrence<'a>>, Vec<(usize, Fate)>) {
    let mut found = Vec::new();
    let mut fates = Vec::new();
    let kept = || index.items.iter().enumerate().filter(|(_, place)| place.kept);
    match signal {
        Signal::Traces => {
            let mut failed = Vec::new();
            for (item, place) in kept() {
                if !may_be_error(place.message) {
                    fates.push((item, Fate::Refused("not_an_error")));
                    continue;
                }
                let span = Span::parse(place.message);
                let failure = span.status.code == StatusCode::Error;
                let first = found.len();
                let refused = events(converter, index, item, &span, &mut found);
                if found.len() > first {
                    fates.push((item, Fate::Found { first, end: found.len() }));
                } else if let Some(reason) = refused {
                    fates.push((item, Fate::Refused(reason)));
                } else if failure {
                    failed.push((fates.len(), item));
                    fates.push((item, Fate::Refused("not_an_error")));
                } else {
                    fates.push((item, Fate::Refused("not_an_error")));
                }
            }
            if !failed.is_empty() {
                failed_spans(converter, index, &failed, &mut found, &mut fates);
            }
        }
        Signal::Logs => {
            for (item, place) in kept() {
                let fate = match log(converter, index, item, &LogRecord::parse(place.message)) {
                    Ok(occurrence) => {
                        found.push(occurrence);
                        Fate::Found { first: found.len() - 1, end: found.len() }
                    }
                    Err(reason) => Fate::Refused(reason),
                };
                fates.push((item, fate));
            }
        }
        Signal::Metrics => {}
    }
    (found, fates)
}

/// Whether a span has events or a status: what most spans have not, told without reading names, ids or attributes. Fields of
/// the usual shape (a tag of one byte, a length of one) are stepped over here; it is the one thing done for every span.
#[inline]
fn may_be_error(message: &[u8]) -> bool {
    const EVENT: u8 = 11 << 3 | 2;
    const STATUS: u8 = 15 << 3 | 2;
    let mut rest = message;
    loop {
        let bytes = match rest {
            // An empty status is what most SDKs write for "unset".
            [EVENT, ..] => return true,
            [STATUS, length, ..] if *length > 0 => return true,
            [tag, length, ..] if *tag < 0x80 && tag % 8 == 2 && *length < 0x80 => 2 + usize::from(*length),
            [tag, ..] if *tag < 0x80 && tag % 8 == 1 => 9,
            [tag, value, ..] if *tag < 0x80 && tag % 8 == 0 && *value < 0x80 => 2,
            _ => break,
        };
        let Some(next) = rest.get(bytes..) else { return false };
        rest = next;
    }
    Fields::new(rest).any(|(number, wire)| number == 11 || (number == 15 && !wire.bytes().is_empty()))
}

/// Reads a span's exception events; gives the reason where it has some and none of them is to become an item.
fn events<'a>(
    converter: &Converter,
    index: &Index<'a>,
    item: usize,
    span: &Span<'a>,
    found: &mut Vec<Occurrence<'a>>,
) -> Option<&'static str> {
    let mut refused = None;
    // Of the span and the one that the request entered by; looked for once a span.
    let mut root = None;
    for event in span.events.iter().take(EVENTS_MAX) {
        let Some(mut told) = told(event.attributes) else { continue };
        if root.is_none() && is_loop(converter, span.kind, span.attributes) {
            return Some("loop");
        }
        let (root_at, root_status) = *root.get_or_insert_with(|| {
            let mut last = (item, span.status.code);
            index.way_up(item, |at, span| last = (at, span.status.code));
            last
        });
        told.sdk_language = sdk_language(index, item);
        if told.error_type.is_none() {
            told.error_type = span.attributes.find_str(Key::ErrorType);
        }
        let traces = trace::read(told);
        let level = level::of_event(span.status.code, root_status, converter.config.exceptions.handled_level);
        let Some(level) = converter.level_of(&traces.first().class, level) else {
            refused = Some("ignored");
            continue;
        };
        let time_unix_nano = [event.time_unix_nano, span.end_time_unix_nano, span.start_time_unix_nano]
            .into_iter()
            .find(|time| *time > 0)
            .unwrap_or(0);
        found.push(Occurrence {
            item,
            root: root_at,
            trace_id: span.trace_id,
            span_id: span.span_id,
            time_unix_nano,
            level,
            what: What::Event(event, traces),
        });
    }
    refused
}

/// Decides on failed spans without exceptions of their own: `failed` has positions in `fates`, and items.
fn failed_spans<'a>(
    converter: &Converter,
    index: &Index<'a>,
    failed: &[(usize, usize)],
    found: &mut Vec<Occurrence<'a>>,
    fates: &mut [(usize, Fate)],
) {
    // A failure is told once: by the exception of the span or of one below it.
    let mut covered_by: Vec<Option<usize>> = vec![None; index.items.len()];
    for (position, occurrence) in found.iter().enumerate() {
        if covered_by[occurrence.item].is_none() {
            index.way_up(occurrence.item, |at, _| {
                covered_by[at].get_or_insert(position);
            });
        }
    }
    for (position, item) in failed {
        let span = index.span(*item);
        fates[*position].1 = if let Some(occurrence) = covered_by[*item] {
            Fate::Covered(occurrence)
        } else if is_loop(converter, span.kind, span.attributes) {
            Fate::Refused("loop")
        } else {
            let entry = is_entry(&span);
            let wanted = match converter.config.error_spans {
                ErrorSpans::All => true,
                ErrorSpans::LocalRoot => entry,
                ErrorSpans::Off => false,
            };
            if wanted {
                let mut root = *item;
                index.way_up(*item, |at, _| root = at);
                let time =
                    if span.end_time_unix_nano > 0 { span.end_time_unix_nano } else { span.start_time_unix_nano };
                found.push(Occurrence {
                    item: *item,
                    root,
                    trace_id: span.trace_id,
                    span_id: span.span_id,
                    time_unix_nano: time,
                    level: level::of_span(span.kind, entry),
                    what: What::Span,
                });
                Fate::Found { first: found.len() - 1, end: found.len() }
            } else {
                Fate::Refused(if converter.config.error_spans == ErrorSpans::Off {
                    "no_exception"
                } else {
                    "not_local_root"
                })
            }
        };
    }
}

/// Reads a log record, or says why it is no item.
fn log<'a>(
    converter: &Converter,
    index: &Index<'a>,
    item: usize,
    log: &LogRecord<'a>,
) -> Result<Occurrence<'a>, &'static str> {
    let number = level::severity(log.severity_number, log.severity_text);
    let config = &converter.config;
    let told = told(log.attributes);
    // A record with an exception and without any severity counts as an error.
    let number = if number == 0 && told.is_some() { 17 } else { number };
    let floor = if told.is_some() { config.exceptions.min_severity } else { config.min_severity };
    if number < floor.0 {
        return Err(if told.is_some() { "below_severity" } else { "not_an_error" });
    }
    if is_loop(converter, SpanKind::Unspecified, log.attributes) {
        return Err("loop");
    }
    let sdk_language = sdk_language(index, item);
    let mut level = level::of_severity(number).unwrap_or(Level::Error);
    let traces = match told {
        Some(told) => Some(trace::read(Told { sdk_language, ..told })),
        None => stack_in(log, sdk_language),
    };
    if told.is_none() && log.body.as_str().is_some_and(level::is_crash) {
        level = Level::Critical;
    }
    if let Some(traces) = &traces {
        level = converter.level_of(&traces.first().class, level).ok_or("ignored")?;
    }
    Ok(Occurrence {
        item,
        root: item,
        trace_id: log.trace_id,
        span_id: log.span_id,
        time_unix_nano: log.time(),
        level,
        what: traces.map_or(What::Log, What::ExceptionLog),
    })
}

/// A stack in the body of a record or in `code.stacktrace`, where it is understood.
fn stack_in<'a>(log: &LogRecord<'a>, sdk_language: &'a str) -> Option<Traces<'a>> {
    let body = log.body.as_str().filter(|text| text.contains('\n'));
    let text = |name| log.attributes.get(name).and_then(Value::as_str);
    let stack = body.or_else(|| text("exception.stacktrace")).or_else(|| text("code.stacktrace"))?;
    let traces = trace::read(Told { stack: Some(stack), sdk_language, ..Told::default() });
    let frames = traces.frame_count();
    let confident = traces.language.is_some() && frames > 0 && traces.lines_unread as usize <= frames;
    // What has no class would get a name of ours: it stays a message.
    (confident && traces.first().class != "Error").then_some(traces)
}

/// What attributes tell of an exception; `None` where they tell of none.
fn told(attributes: Attributes<'_>) -> Option<Told<'_>> {
    let mut told = Told::default();
    let mut is_exception = false;
    for (name, value) in attributes.iter().take(LOG_ATTRIBUTES_MAX) {
        let slot = match name {
            "exception.type" => &mut told.class,
            "exception.message" => &mut told.message,
            "exception.stacktrace" => &mut told.stack,
            "error.type" => &mut told.error_type,
            _ => continue,
        };
        is_exception |= matches!(name, "exception.type" | "exception.message");
        if slot.is_none() {
            *slot = value.as_str();
        }
        if let ("exception.stacktrace", Value::Array(causes)) = (name, value) {
            told.causes.get_or_insert(causes);
        }
    }
    told.class = told.class.map(str::trim).filter(|class| !class.is_empty());
    is_exception.then_some(told)
}

fn sdk_language<'a>(index: &Index<'a>, item: usize) -> &'a str {
    index.groups[index.group_of(item)].resource.attributes.find_str(Key::TelemetrySdkLanguage).unwrap_or_default()
}

/// Whether this is a call to the host that items are sent to.
fn is_loop(converter: &Converter, kind: SpanKind, attributes: Attributes<'_>) -> bool {
    // A server names its own host.
    if matches!(kind, SpanKind::Server | SpanKind::Consumer) {
        return false;
    }
    let is_ours = |host: &str| converter.config.host().eq_ignore_ascii_case(host);
    let bag = Bag::new(attributes);
    bag.find_text(Key::ServerAddress).is_some_and(is_ours)
        || bag.find_text(Key::UrlFull).and_then(host_of).is_some_and(is_ours)
}

/// The host in a URL.
fn host_of(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    Some(host.rsplit_once(':').map_or(host, |(host, _)| host))
}
