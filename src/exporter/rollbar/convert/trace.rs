//! [`Trace`]: one exception as Rollbar's SDKs of its language tell it; [`read`] makes the chain of them from a stack text.
//!
//! Grouping hashes the file and method of every frame, the class, and the order of the chain. So what native SDKs name in
//! their own way is named that way here: then the gateway's items fall into the same groups as theirs.

use std::borrow::Cow;

use super::dialect::Dialect;
use crate::otlp::Value;
use crate::otlp::value::Array;
use crate::stacktrace::{self, Exception, Frame, Known, Language, Link};

/// How many exceptions of a chain are sent.
const CHAIN_MAX: usize = 50;
/// How many frames of one exception are sent: the oldest half and the newest half.
const FRAMES_MAX: usize = 512;

/// What an exception is called that nobody named.
const NO_CLASS: &str = "Error";

/// Python's classes whose text ends with the place in the source that they are about. The log handler leaves it out.
const LOCATED_CLASSES: [&str; 3] = ["SyntaxError", "IndentationError", "TabError"];

/// One exception of a chain.
#[derive(Debug, Clone)]
pub struct Trace<'a> {
    pub class: Cow<'a, str>,
    /// `None` where the program gave none, which is not the same as an empty one.
    pub message: Option<Cow<'a, str>>,
    pub description: Option<Cow<'a, str>>,
    /// Newest call first. Recorders' own frames are gone.
    pub frames: Vec<Frame<'a>>,
    /// Frames that are not in the list.
    pub skipped: u32,
}

/// What one stack text tells.
#[derive(Debug, Clone)]
pub struct Traces<'a> {
    pub dialect: Dialect,
    pub language: Option<Language>,
    /// The exception that surfaced, then its causes. Never empty.
    pub chain: Vec<Trace<'a>>,
    /// Side branches: class and message of suppressed exceptions and members of groups.
    pub related: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Lines of the text that were not understood.
    pub lines_unread: u32,
}

/// What telemetry says of an exception.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// `exception.type`.
    pub class: Option<&'a str>,
    /// `exception.message`.
    pub message: Option<&'a str>,
    /// `exception.stacktrace`.
    pub stack: Option<&'a str>,
    /// The same where it is a list: what Rust's `tracing` records, the messages of the causes.
    pub causes: Option<Array<'a>>,
    /// `error.type`.
    pub error_type: Option<&'a str>,
    /// `telemetry.sdk.language`.
    pub sdk_language: &'a str,
}

/// Reads an exception.
pub fn read(told: Told<'_>) -> Traces<'_> {
    let known = Known { class: told.class, message: told.message };
    let chain =
        stacktrace::parse(told.stack.unwrap_or_default(), Language::from_sdk_language(told.sdk_language), known);
    let language = chain.language;
    let dialect = Dialect::of(told.sdk_language, language);
    let mut traces =
        Traces { dialect, language, chain: Vec::new(), related: Vec::new(), lines_unread: chain.lines_unread };
    let mut members = chain.exceptions.into_iter().enumerate().collect::<Vec<_>>();
    let main = main_line(&members, dialect);
    for (index, exception) in members.drain(..) {
        if main.contains(&index) && traces.chain.len() < CHAIN_MAX {
            let is_first = index == 0;
            traces.chain.push(trace(exception, dialect, is_first.then_some(told)));
        } else if matches!(exception.link, Link::Suppressed | Link::Group) {
            let class = dialect.class(exception.class);
            traces.related.push((class, exception.message));
        }
    }
    let room = CHAIN_MAX.saturating_sub(traces.chain.len());
    let causes = told.causes.iter().flat_map(Array::iter).filter_map(Value::as_str).take(room);
    traces.chain.extend(causes.filter(|message| !message.trim().is_empty()).map(|message| Trace {
        class: Cow::Borrowed(NO_CLASS),
        message: Some(Cow::Borrowed(message)),
        description: None,
        frames: Vec::new(),
        skipped: 0,
    }));
    traces
}

/// The indexes of the exceptions that make the chain.
fn main_line(members: &[(usize, Exception<'_>)], dialect: Dialect) -> Vec<usize> {
    // Rollbar.NET leaves the aggregate out and sends its members side by side.
    let is_aggregate = dialect == Dialect::DotNet
        && members.first().is_some_and(|(_, root)| root.class == "System.AggregateException");
    if is_aggregate {
        let inner: Vec<usize> =
            members.iter().filter(|(_, member)| member.parent == Some(0)).map(|(index, _)| *index).collect();
        if !inner.is_empty() {
            return inner;
        }
    }
    let mut line = vec![0];
    for (index, member) in members.iter().skip(1) {
        let follows = member.parent == line.last().copied() && matches!(member.link, Link::Cause | Link::Context);
        if !follows {
            break;
        }
        line.push(*index);
    }
    line
}

fn trace<'a>(exception: Exception<'a>, dialect: Dialect, told: Option<Told<'a>>) -> Trace<'a> {
    let Exception { class, message, notes, mut frames, mut skipped, .. } = exception;
    let mut class = dialect.class(class);
    if class.is_empty() {
        let told = told.unwrap_or_default();
        class = dialect.class(Cow::Borrowed(told.class.or(told.error_type).unwrap_or(NO_CLASS)));
    }
    let mut message = match told {
        Some(told) => surfaced_message(told.message, message, dialect),
        None => Some(message).filter(|message| !message.is_empty()),
    };
    if let Some(told) = told
        && dialect == Dialect::Python
        && LOCATED_CLASSES.contains(&&*class)
        && let Some(text) = &message
        && !text.contains(", line ")
        && let Some(location) = told.stack.and_then(last_location)
    {
        message = Some(Cow::Owned(format!("{text} ({location})")));
    }
    dialect.drop_recorders(&mut frames);
    if frames.len() > FRAMES_MAX {
        let excess = frames.len() - FRAMES_MAX;
        frames.drain(FRAMES_MAX / 2..FRAMES_MAX / 2 + excess);
        skipped = skipped.saturating_add(excess as u32);
    }
    Trace { class, message, description: notes, frames, skipped }
}

/// The message of the exception that surfaced: the attribute, unless Python's log handler shortened it (`111` for
/// `[Errno 111] Connection refused`).
fn surfaced_message<'a>(told: Option<&'a str>, parsed: Cow<'a, str>, dialect: Dialect) -> Option<Cow<'a, str>> {
    match told {
        None => Some(parsed).filter(|message| !message.is_empty()),
        Some(told)
            if dialect == Dialect::Python && parsed.len() > told.len() && !told.is_empty() && parsed.contains(told) =>
        {
            Some(parsed)
        }
        Some(told) => Some(Cow::Borrowed(told)),
    }
}

/// The place that a syntax error is about, as `str(error)` names it: `settings.py, line 1`. It stands in the text like a
/// frame without a function.
fn last_location(stack: &str) -> Option<String> {
    let line = stack.lines().rev().find(|line| line.starts_with("  File \"") && !line.contains("\", in "))?;
    let (path, rest) = line.strip_prefix("  File \"")?.rsplit_once("\", line ")?;
    let number: u32 = rest.trim_end().parse().ok()?;
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    Some(format!("{name}, line {number}"))
}

impl<'a> Traces<'a> {
    /// The exception that surfaced.
    pub fn first(&self) -> &Trace<'a> {
        &self.chain[0]
    }

    /// How many frames all its exceptions have.
    pub fn frame_count(&self) -> usize {
        self.chain.iter().map(|trace| trace.frames.len()).sum()
    }
}
