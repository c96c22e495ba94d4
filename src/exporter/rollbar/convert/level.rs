//! [`Level`]: how bad an item is, from severities, their names, and how spans ended.

use serde::Deserialize;

use crate::otlp::log::SEVERITIES;
use crate::otlp::span::{SpanKind, StatusCode};

/// Rollbar's five levels. <https://docs.rollbar.com/docs/items-json> (read 2026-11)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Critical,
    Error,
    Warning,
    Info,
    Debug,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Critical => "critical",
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// The lowest severity number of each level, the highest first.
const BY_SEVERITY: [(u8, Level); 5] =
    [(21, Level::Critical), (17, Level::Error), (13, Level::Warning), (9, Level::Info), (1, Level::Debug)];

/// What logging libraries call their levels, with the severity number that stands for it. Syslog's and PSR-3's names
/// (`notice` is between info and warning there) beside those of the data model.
const BY_NAME: [(&str, u8); 22] = [
    ("trace", 1),
    ("verbose", 1),
    ("finest", 1),
    ("debug", 5),
    ("fine", 5),
    ("info", 9),
    ("information", 9),
    ("informational", 9),
    ("notice", 9),
    ("warn", 13),
    ("warning", 13),
    ("error", 17),
    ("err", 17),
    ("severe", 17),
    ("critical", 21),
    ("crit", 21),
    ("fatal", 21),
    ("alert", 21),
    ("emerg", 21),
    ("emergency", 21),
    ("panic", 21),
    ("dpanic", 21),
];

/// How the last words of a program begin: <https://go.dev/src/runtime/panic.go>, libstdc++'s and libc++'s `terminate`.
const CRASHES: [&str; 5] = [
    "panic: ",
    "fatal error: ",
    "terminate called after throwing an instance of ",
    "terminate called without an active exception",
    "libc++abi: terminating ",
];

/// How far down they may stand.
const CRASH_LINES: usize = 8;

/// The level of a severity number; `None` for 0, which says nothing.
pub fn of_severity(number: u8) -> Option<Level> {
    BY_SEVERITY.iter().find(|(floor, _)| number >= *floor).map(|(_, level)| *level)
}

/// The severity number that a range name of the data model begins with (`warn` is 13).
pub fn severity_of_name(name: &str) -> Option<u8> {
    SEVERITIES.iter().find(|(range, _)| name.eq_ignore_ascii_case(range)).map(|(_, number)| *number)
}

/// The severity of a log record: its number, else what its text is called, else 0.
pub fn severity(number: u8, text: &str) -> u8 {
    if number > 0 {
        return number;
    }
    let text = text.trim();
    BY_NAME.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map_or(0, |(_, number)| *number)
}

/// Whether a log tells that the program died: Go, Rust, C++ and its sanitizers, by how the line begins.
pub fn is_crash(text: &str) -> bool {
    text.lines().take(CRASH_LINES).any(|line| {
        let sanitizer = line.starts_with("==") && line.contains("==ERROR: ") && line.contains("Sanitizer");
        let rust = line.starts_with("thread '") && line.contains("' panicked at ");
        sanitizer || rust || CRASHES.iter().any(|beginning| line.starts_with(beginning))
    })
}

/// The level of an exception event: an error where its span or the one that the request entered by failed, else `handled`.
pub fn of_event(own: StatusCode, root: StatusCode, handled: Level) -> Level {
    if own == StatusCode::Error || root == StatusCode::Error { Level::Error } else { handled }
}

/// The level of a failed span without an exception.
pub fn of_span(kind: SpanKind, is_local_root: bool) -> Level {
    match kind {
        SpanKind::Server | SpanKind::Consumer => Level::Error,
        SpanKind::Client | SpanKind::Producer => Level::Warning,
        _ if is_local_root => Level::Error,
        _ => Level::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_severity_has_its_level() {
        let names: Vec<_> = (0..=25).map(|number| of_severity(number).map_or("-", Level::name)).collect();
        let expected: Vec<_> = [("-", 1), ("debug", 8), ("info", 4), ("warning", 4), ("error", 4), ("critical", 5)]
            .iter()
            .flat_map(|(name, count)| std::iter::repeat_n(*name, *count))
            .collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn last_words_are_known() {
        let crashes = [
            "panic: runtime error: index out of range [3]\n\ngoroutine 1 [running]:",
            "thread 'main' panicked at src/main.rs:3:5:",
            "=====\n==11848==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000024",
            "terminate called after throwing an instance of 'std::runtime_error'\n  what():  boom",
        ];
        for text in crashes {
            assert!(is_crash(text), "{text}");
        }
        assert!(!is_crash("no panic: all is well"));
        assert!(!is_crash(""));
    }

    #[test]
    fn a_text_decides_where_there_is_no_number() {
        for (name, number) in BY_NAME {
            assert_eq!(severity(0, &name.to_uppercase()), number, "{name}");
        }
        assert_eq!(severity(5, "FATAL"), 5);
        assert_eq!(severity(0, "loud"), 0);
    }
}
