//! The `cause` block: recorded exceptions with their stacks, each linked to what caused it.
//!
//! Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-errors>;
//! the `aws.xray.exception.*` attributes are those that awsxrayreceiver v0.156.0 of opentelemetry-collector-contrib writes.

use std::borrow::Cow;

use super::ids::{derive, parse_hex, write_span_id};
use super::ladder::Level;
use super::writer::{Writer, cut_chars, key};
use crate::otlp::span::{Event, SpanKind};
use crate::otlp::{Span, SpanId, TraceId, Value};
use crate::stacktrace::{Chain, Exception, Known, Language, Link, Naming, parse};

/// Types, files and function names, in characters; no sane one is longer.
const STRING_CHARS_MAX: usize = 1024;

/// Where a shortened document shows an exception by its type alone.
const TYPE_CHARS_MIN: usize = 250;

/// The attributes of an exception event that the block shows.
const SHOWN: [&str; 3] = ["exception.type", "exception.message", "exception.stacktrace"];
const ROUND_TRIP: &str = "aws.xray.exception.";

/// What a span's events say about exceptions, read once for all its documents.
#[derive(Debug, Default)]
pub struct Causes<'a> {
    recorded: Vec<Recorded<'a>>,
    /// Exception events beyond the limit.
    skipped: u32,
}

/// One event that stands for an exception.
#[derive(Debug)]
struct Recorded<'a> {
    chain: Chain<'a>,
    remote: bool,
    /// A stack in which no frame was found.
    unread: Option<&'a str>,
    id: Option<SpanId>,
    cause: Option<SpanId>,
    truncated: u32,
    skipped: u32,
}

/// Whether an event goes into the `cause` block.
pub fn is_exception(event: &Event<'_>, is_aws_sdk: bool) -> bool {
    event.name == "exception" || is_aws_sdk && is_http_failure(event)
}

/// Whether an attribute of an exception event is shown by the `cause` block, which reads texts alone.
pub fn is_shown(name: &str, value: Value<'_>) -> bool {
    SHOWN.contains(&name) && value.as_str().is_some() || name.starts_with(ROUND_TRIP)
}

/// What the Java agent's AWS SDK instrumentation records for each failed attempt.
fn is_http_failure(event: &Event<'_>) -> bool {
    event.name == "HTTP request failure"
        && event.attributes.get("http.response.status_code").is_some()
        && event.attributes.get("aws.http.error_message").is_some()
}

impl<'a> Causes<'a> {
    /// Reads the events; at most so many exceptions.
    pub fn gather(span: &Span<'a>, language: Option<Language>, is_aws_sdk: bool, exceptions_max: usize) -> Self {
        let mut causes = Causes::default();
        for event in span.events.iter().filter(|event| is_exception(event, is_aws_sdk)) {
            if causes.recorded.len() >= exceptions_max {
                causes.skipped = causes.skipped.saturating_add(1);
            } else if event.name == "exception" {
                let remote = matches!(span.kind, SpanKind::Client | SpanKind::Producer);
                causes.recorded.push(Recorded::of_exception(&event, language, remote));
            } else {
                causes.recorded.push(Recorded::of_http_failure(&event));
            }
        }
        causes
    }

    pub fn is_empty(&self) -> bool {
        self.recorded.is_empty()
    }

    /// The types of the exceptions that the events name themselves.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.recorded.iter().filter_map(|recorded| recorded.chain.exceptions.first()).map(|exception| &*exception.class)
    }

    /// The stacks in which no frame was found.
    pub fn unread(&self) -> impl Iterator<Item = &'a str> {
        self.recorded.iter().filter_map(|recorded| recorded.unread)
    }

    /// Writes the member. Exceptions that the document has no room for are counted in the last one's `skipped`, frames in
    /// `truncated`.
    pub fn write(
        &self,
        writer: &mut Writer<'_>,
        trace_id: TraceId,
        span_id: SpanId,
        level: &Level,
        frames_max: usize,
        exceptions_max: usize,
    ) {
        let total: usize = self.recorded.iter().map(|recorded| recorded.chain.exceptions.len()).sum();
        let kept = total.min(exceptions_max).min(level.exceptions_max);
        let left_out: u32 =
            self.recorded.iter().map(|recorded| recorded.chain.skipped).fold(self.skipped, u32::saturating_add);
        let left_out = left_out.saturating_add((total - kept) as u32);
        key!(writer, "cause");
        writer.open();
        key!(writer, "exceptions");
        writer.open_list();
        let mut number = 0;
        for recorded in &self.recorded {
            let first = number;
            let id = |index: usize| match recorded.id {
                Some(id) if index == 0 => id,
                _ => derive(trace_id, span_id, "exception", (first + index) as u32),
            };
            for (index, exception) in recorded.chain.exceptions.iter().enumerate() {
                if number == kept || writer.is_over() {
                    break;
                }
                number += 1;
                writer.comma();
                writer.open();
                key!(writer, "id");
                write_span_id(writer, id(index));
                write_texts(writer, exception, level);
                if recorded.remote {
                    key!(writer, "remote");
                    writer.bool(true);
                }
                let child = cause_of(&recorded.chain.exceptions, index).filter(|child| first + child < kept);
                let known = recorded.cause.filter(|_| index == 0);
                if let Some(cause) = child.map(id).or(known) {
                    key!(writer, "cause");
                    write_span_id(writer, cause);
                }
                let missing = write_stack(writer, &recorded.chain, index, level, frames_max);
                let truncated = missing.saturating_add(if index == 0 { recorded.truncated } else { 0 });
                if truncated > 0 {
                    key!(writer, "truncated");
                    writer.uint(u64::from(truncated));
                }
                let skipped = if number == kept { left_out } else { 0 };
                let skipped = skipped.saturating_add(if index == 0 { recorded.skipped } else { 0 });
                if skipped > 0 {
                    key!(writer, "skipped");
                    writer.uint(u64::from(skipped));
                }
                writer.close();
            }
        }
        writer.close_list();
        writer.close();
    }
}

/// Writes the member for a span that failed without saying by which exception.
pub fn write_message(writer: &mut Writer<'_>, trace_id: TraceId, span_id: SpanId, message: &str, level: &Level) {
    key!(writer, "cause");
    writer.open();
    key!(writer, "exceptions");
    writer.open_list();
    writer.open();
    key!(writer, "id");
    write_span_id(writer, derive(trace_id, span_id, "exception", 0));
    if !level.minimal {
        key!(writer, "message");
        write_long(writer, message, level.message_bytes_max);
    }
    writer.close();
    writer.close_list();
    writer.close();
}

impl<'a> Recorded<'a> {
    fn of_exception(event: &Event<'a>, language: Option<Language>, is_call: bool) -> Self {
        let (mut class, mut message, mut stack) = ("", "", "");
        let mut recorded = Recorded {
            chain: Chain { language: None, exceptions: Vec::new(), skipped: 0, lines_unread: 0 },
            remote: is_call,
            unread: None,
            id: None,
            cause: None,
            truncated: 0,
            skipped: 0,
        };
        let count = |value: Value<'_>| value.as_int().and_then(|count| u32::try_from(count).ok()).unwrap_or_default();
        for (name, value) in event.attributes.iter() {
            match name {
                "exception.type" => class = value.as_str().unwrap_or(class),
                "exception.message" => message = value.as_str().unwrap_or(message),
                "exception.stacktrace" => stack = value.as_str().unwrap_or(stack),
                "aws.xray.exception.id" => recorded.id = value.as_str().and_then(parse_hex),
                "aws.xray.exception.cause" => recorded.cause = value.as_str().and_then(parse_hex),
                "aws.xray.exception.remote" => recorded.remote = value.as_bool().unwrap_or(recorded.remote),
                "aws.xray.exception.truncated" => recorded.truncated = count(value),
                "aws.xray.exception.skipped" => recorded.skipped = count(value),
                _ => {}
            }
        }
        let said = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        recorded.chain = parse(stack, language, Known { class: said(class), message: said(message) });
        // What the event says about itself counts for more than how the text words it.
        if let Some(root) = recorded.chain.exceptions.first_mut() {
            for (said, read) in [(said(class), &mut root.class), (said(message), &mut root.message)] {
                if let Some(said) = said {
                    *read = Cow::Borrowed(said);
                }
            }
        }
        let has_frames = recorded.chain.exceptions.iter().any(|exception| !exception.frames.is_empty());
        recorded.unread = Some(stack).filter(|stack| !has_frames && !stack.trim().is_empty());
        recorded
    }

    fn of_http_failure(event: &Event<'a>) -> Self {
        let text = |name| event.attributes.get(name).map(Value::to_text).unwrap_or_default();
        let message = format!(
            "{}@{}.{:06}@{}",
            text("http.response.status_code"),
            event.time_unix_nano / 1_000_000_000,
            event.time_unix_nano % 1_000_000_000 / 1_000,
            text("aws.http.error_message"),
        );
        let exception = Exception {
            class: Cow::Borrowed("aws.http.error.event"),
            message: Cow::Owned(message),
            notes: None,
            frames: Vec::new(),
            link: Link::Root,
            parent: None,
            skipped: 0,
        };
        Recorded {
            chain: Chain { language: None, exceptions: vec![exception], skipped: 0, lines_unread: 0 },
            remote: true,
            unread: None,
            id: None,
            cause: None,
            truncated: 0,
            skipped: 0,
        }
    }
}

/// What caused an exception, as far as one id can say it: the cause it names, else what it was raised in the handling of,
/// else the first member of the group that it is.
fn cause_of(exceptions: &[Exception<'_>], parent: usize) -> Option<usize> {
    [Link::Cause, Link::Context, Link::Group].into_iter().find_map(|link| {
        let hangs = |exception: &Exception<'_>| exception.parent == Some(parent) && exception.link == link;
        exceptions.iter().position(hangs)
    })
}

fn write_texts(writer: &mut Writer<'_>, exception: &Exception<'_>, level: &Level) {
    let chars_max = if level.minimal { TYPE_CHARS_MIN } else { STRING_CHARS_MAX };
    if !exception.class.is_empty() {
        key!(writer, "type");
        writer.string_cut(&exception.class, chars_max);
    }
    if !exception.message.is_empty() && !level.minimal {
        key!(writer, "message");
        write_long(writer, &exception.message, level.message_bytes_max);
    }
}

fn write_long(writer: &mut Writer<'_>, text: &str, bytes_max: usize) {
    if text.len() > bytes_max { writer.shortened(text, bytes_max) } else { writer.string(text) }
}

/// Writes the frames of one exception that its text prints, and says how many are missing.
fn write_stack(writer: &mut Writer<'_>, chain: &Chain<'_>, index: usize, level: &Level, frames_max: usize) -> u32 {
    let exception = &chain.exceptions[index];
    let joint = chain.language.map_or(".", Language::joint);
    let naming = chain.language.map_or(Naming::Enclosing, Language::naming);
    let printed: Vec<usize> = (0..exception.frames.len()).filter(|at| !exception.frames[*at].implied).collect();
    let count = printed.len();
    let head = count.min(frames_max.min(level.frames_first));
    let tail = level.frames_last.min(frames_max - head.min(frames_max)).min(count - head);
    if head + tail > 0 {
        key!(writer, "stack");
        writer.open_list();
        for &at in printed[..head].iter().chain(&printed[count - tail..]) {
            let frame = &exception.frames[at];
            writer.comma();
            writer.open();
            if let Some(file) = &frame.file {
                key!(writer, "path");
                writer.string_cut(file, STRING_CHARS_MAX);
            }
            if let Some(line) = frame.line {
                key!(writer, "line");
                writer.uint(u64::from(line));
            }
            // PHP names what a line calls; X-Ray shows what a line stands in.
            let label = exception.enclosing(at, naming).and_then(|frame| frame.qualified_name(joint));
            if let Some(label) = label {
                key!(writer, "label");
                writer.string(cut_chars(&label, STRING_CHARS_MAX));
            }
            writer.close();
        }
        writer.close_list();
    }
    exception.skipped.saturating_add((exception.frames.len() - head - tail) as u32)
}
