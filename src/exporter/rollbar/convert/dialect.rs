//! [`Dialect`]: how Rollbar's own SDK of a language names classes, files and methods, and which frames are the recorder's.
//!
//! Sources: the SDKs' repositories (rollbar/pyrollbar, rollbar.js, rollbar-gem, rollbar-java, rollbar-php, rollbar-go,
//! Rollbar.NET), read 2026-11.

use std::borrow::Cow;

use super::node::{Map, Node};
use crate::exporter::rollbar::scrub::Scrubber;
use crate::stacktrace::{Frame, FrameKind, Language};

/// A language as Rollbar's SDKs speak it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Python,
    Node,
    Browser,
    Jvm,
    Ruby,
    Php,
    Go,
    DotNet,
    /// No stack was understood.
    Other,
}

/// The line of a native method, and of one without debug information: `StackTraceElement` says -2 and less than 0.
const JVM_NATIVE: i64 = -2;
const JVM_UNKNOWN: i64 = -1;

/// Where the path of a Go package begins in a file's path, as rollbar-go cuts it.
const GO_HOSTS: [&str; 4] = ["github.com/", "code.google.com/", "bitbucket.org/", "launchpad.net/"];

/// Frames by which OpenTelemetry's Python SDK wraps a span: the end of the file, and the function.
const PYTHON_RECORDERS: [(&str, &str); 2] =
    [("opentelemetry/trace/__init__.py", "use_span"), ("opentelemetry/sdk/trace/__init__.py", "start_as_current_span")];

/// Packages and functions by which a Go program takes the stack.
const GO_RECORDERS: [(&str, &str); 5] = [
    ("go.opentelemetry.io/otel/sdk/trace", "recordStackTrace"),
    ("go.opentelemetry.io/otel/sdk/trace", "(*recordingSpan).RecordError"),
    ("go.opentelemetry.io/otel/sdk/trace", "(*recordingSpan).End"),
    ("runtime/debug", "Stack"),
    ("runtime/debug", "PrintStack"),
];

impl Dialect {
    /// By the language that was read, else by what the SDK says of itself.
    pub fn of(sdk_language: &str, read: Option<Language>) -> Self {
        match read.or_else(|| Language::from_sdk_language(sdk_language)) {
            Some(Language::Python) => Dialect::Python,
            Some(Language::JavaScript) if sdk_language == "webjs" => Dialect::Browser,
            Some(Language::JavaScript) => Dialect::Node,
            Some(Language::Jvm) => Dialect::Jvm,
            Some(Language::Ruby) => Dialect::Ruby,
            Some(Language::Php) => Dialect::Php,
            Some(Language::Go) => Dialect::Go,
            Some(Language::DotNet) => Dialect::DotNet,
            None => Dialect::Other,
        }
    }

    /// The name in `data.language` where the SDK says nothing; empty where nothing is known.
    pub fn language(self) -> &'static str {
        match self {
            Dialect::Python => "python",
            Dialect::Node | Dialect::Browser => "javascript",
            Dialect::Jvm => "java",
            Dialect::Ruby => "ruby",
            Dialect::Php => "php",
            Dialect::Go => "go",
            Dialect::DotNet => "c#",
            Dialect::Other => "",
        }
    }

    /// Whether a single exception is sent as a chain of one too.
    pub fn always_chains(self) -> bool {
        matches!(self, Dialect::Node | Dialect::Go)
    }

    /// Whether the SDK sends the newest call first, against the API's contract.
    pub fn newest_first(self) -> bool {
        matches!(self, Dialect::Go | Dialect::DotNet)
    }

    /// The class as the SDK names it.
    pub fn class(self, class: Cow<'_, str>) -> Cow<'_, str> {
        let (start, end) = match self {
            Dialect::Python => (class.rfind('.').map_or(0, |dot| dot + 1), class.len()),
            Dialect::Node | Dialect::Browser if class.ends_with(']') => (0, class.rfind(" [").unwrap_or(class.len())),
            Dialect::Go => (class.bytes().take_while(|byte| *byte == b'*').count(), class.len()),
            _ => (0, class.len()),
        };
        if start >= end {
            return class;
        }
        before(behind(class, |_| start), |_| end - start)
    }

    /// Takes out the frames that recorded the exception; `frames` are newest first.
    pub fn drop_recorders(self, frames: &mut Vec<Frame<'_>>) {
        match self {
            Dialect::Python => {
                while frames.last().is_some_and(is_python_recorder) {
                    frames.pop();
                }
            }
            Dialect::Go => {
                let count = frames.iter().take_while(|frame| is_go_recorder(frame)).count();
                frames.drain(..count);
            }
            Dialect::Ruby => {
                let count = frames.iter().take_while(|frame| is_ruby_recorder(frame)).count();
                frames.drain(..count);
            }
            _ => {}
        }
    }

    /// A frame as the SDK sends it.
    pub fn frame<'a>(self, frame: Frame<'a>, scrubber: &Scrubber) -> Node<'a> {
        let mut map = Map(Vec::with_capacity(5));
        let is_native = frame.kind == FrameKind::Native;
        let line = match (self, frame.line) {
            (_, Some(line)) => Some(i64::from(line)),
            (Dialect::Jvm, None) => Some(if is_native { JVM_NATIVE } else { JVM_UNKNOWN }),
            _ => None,
        };
        let column = match self {
            Dialect::Node => frame.column.map(|column| i64::from(column.saturating_sub(1))),
            _ => frame.column.map(i64::from),
        };
        let class_name = if self == Dialect::Jvm { frame.module.clone() } else { None };
        let (file, method, code) = (self.file(&frame), self.method(&frame), frame.code);
        map.put("filename", Node::Text(scrubber.cow(file)));
        if let Some(line) = line {
            map.put("lineno", Node::Int(line));
        }
        if let Some(column) = column {
            map.put("colno", Node::Int(column));
        }
        if let Some(method) = method {
            map.put("method", Node::Text(scrubber.cow(method)));
        }
        if let Some(class_name) = class_name {
            map.put("class_name", Node::Text(class_name));
        }
        if let Some(code) = code {
            map.put("code", Node::Text(scrubber.cow(code)));
        }
        Node::Map(map)
    }

    /// The file, never empty: Rollbar refuses the whole item where one is missing.
    fn file<'a>(self, frame: &Frame<'a>) -> Cow<'a, str> {
        let Some(file) = frame.file.clone().filter(|file| !file.is_empty()) else { return self.no_file(frame) };
        match self {
            Dialect::Browser => before(file, file_end),
            Dialect::Go => behind(file, go_path_start),
            _ => file,
        }
    }

    fn no_file<'a>(self, frame: &Frame<'a>) -> Cow<'a, str> {
        let native = frame.kind == FrameKind::Native;
        match (self, &frame.module) {
            (Dialect::Jvm, Some(class)) if native => {
                let simple = class.rsplit('.').next().unwrap_or_default();
                let outer = simple.split('$').next().filter(|outer| !outer.is_empty()).unwrap_or(simple);
                Cow::Owned(format!("{outer}.java"))
            }
            (Dialect::DotNet, Some(class)) => class.clone(),
            (Dialect::Php, _) => Cow::Borrowed("[internal function]"),
            (Dialect::Node | Dialect::Browser, _) => Cow::Borrowed("<unknown>"),
            _ => Cow::Borrowed("(unknown)"),
        }
    }

    fn method<'a>(self, frame: &Frame<'a>) -> Option<Cow<'a, str>> {
        let function = frame.function.clone().filter(|function| !function.is_empty());
        match self {
            Dialect::Node | Dialect::Browser => Some(match (frame.kind, function) {
                (FrameKind::Async, Some(function)) => Cow::Owned(format!("async {function}")),
                (FrameKind::Async, None) => Cow::Borrowed("async"),
                (_, Some(function)) => function,
                (_, None) if self == Dialect::Browser => Cow::Borrowed("[anonymous]"),
                (_, None) => Cow::Borrowed("<unknown>"),
            }),
            Dialect::Jvm => function,
            Dialect::Php => frame.qualified_name("::"),
            Dialect::Ruby => frame.qualified_name("#"),
            Dialect::Go => {
                frame.qualified_name(".").map(|name| behind(name, |name| name.rfind('/').map_or(0, |at| at + 1)))
            }
            Dialect::DotNet => {
                let name = frame.qualified_name(".")?;
                Some(match &frame.parameters {
                    Some(parameters) => Cow::Owned(format!("{name}({parameters})")),
                    None => name,
                })
            }
            Dialect::Python | Dialect::Other => frame.qualified_name("."),
        }
    }
}

fn behind(text: Cow<'_, str>, start: impl Fn(&str) -> usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[start(text)..]),
        Cow::Owned(text) => Cow::Owned(text[start(&text)..].to_owned()),
    }
}

fn before(text: Cow<'_, str>, end: impl Fn(&str) -> usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..end(text)]),
        Cow::Owned(text) => Cow::Owned(text[..end(&text)].to_owned()),
    }
}

fn file_end(url: &str) -> usize {
    url.find(['?', '#']).unwrap_or(url.len())
}

fn go_path_start(path: &str) -> usize {
    const ROOT: &str = "/src/pkg/";
    path.find(ROOT).map(|at| at + ROOT.len()).or_else(|| GO_HOSTS.iter().find_map(|host| path.find(host))).unwrap_or(0)
}

fn is_python_recorder(frame: &Frame<'_>) -> bool {
    let (Some(file), Some(function)) = (&frame.file, &frame.function) else { return false };
    PYTHON_RECORDERS.iter().any(|(end, name)| function == name && ends_with_path(file, end))
}

fn ends_with_path(path: &str, end: &str) -> bool {
    let Some(start) = path.len().checked_sub(end.len()) else { return false };
    path.bytes().skip(start).zip(end.bytes()).all(|(one, other)| one == other || (one == b'\\' && other == b'/'))
}

fn is_go_recorder(frame: &Frame<'_>) -> bool {
    let (Some(module), Some(function)) = (&frame.module, &frame.function) else { return false };
    GO_RECORDERS.iter().any(|(package, name)| module == package && function == name)
}

fn is_ruby_recorder(frame: &Frame<'_>) -> bool {
    frame.function.as_deref().is_some_and(|label| label == "full_message" || label.ends_with("#full_message"))
}
