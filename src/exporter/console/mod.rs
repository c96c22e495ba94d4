//! The console: one line an item on standard output, for looking at what an application sends.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use bytes::Bytes;
use serde::Deserialize;

use super::contract::{BoxFuture, Encoded, Exporter, Limits, Outcome, Piece, Request};
use super::file::writer::{Sink, WriterThread, Written};
use super::pace::{Pace, RetryConfig};
use crate::otlp::{Item, Key, Part, Signal};
use crate::stdx::units::Interval;

/// `console` or `console/NAME` under `exporters`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Config {
    pub fn pace(self) -> Pace {
        Pace {
            retry: RetryConfig::default(),
            concurrency: 1, // lines come in order
            timeout: Interval::seconds(30).duration(),
            linger: Interval::millis(0).duration(), // a person is looking
        }
    }
}

/// The longest text of one field in a line.
const FIELD_CHARS_MAX: usize = 120;

/// The exporter to standard output.
#[derive(Debug)]
pub struct Console {
    writer: WriterThread<Stdout>,
}

impl Default for Console {
    fn default() -> Self {
        Console { writer: WriterThread::new("console-writer", Stdout) }
    }
}

/// Standard output, whose reader may be slow or stopped.
#[derive(Debug)]
struct Stdout;

impl Sink for Stdout {
    fn open(&self) -> impl FnMut(&[u8]) -> io::Result<()> + Send + 'static {
        |lines| io::stdout().lock().write_all(lines)
    }
}

impl Exporter for Console {
    fn limits(&self) -> Limits {
        Limits { pieces_max: usize::MAX, bytes_max: 1024 * 1024, items_max: crate::exporter::contract::ITEMS_MAX }
    }

    fn takes(&self, _signal: Signal) -> bool {
        true
    }

    fn encode(&self, part: &Part) -> Encoded {
        let mut pieces = Vec::new();
        part.walk(|visit| {
            let service = visit.group.resource.service_name();
            let line = line(&Item::parse(part.batch.signal, visit.message), service);
            pieces.push(Piece {
                weight: Item::weight(part.batch.signal, visit.message),
                bytes: Bytes::from(line),
                original: None,
                key: None,
            });
        });
        Encoded { pieces, refused: Vec::new() }
    }

    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.writer.write(request.pieces).await {
                Written::Done => Outcome::Accepted { except: Vec::new() },
                Written::Failed(error) => Outcome::Refused { reason: "console_closed", message: error.to_string() },
                Written::ThreadFailed(error) => Outcome::Retry { after: None, message: error.to_string() },
                Written::Busy => Outcome::Retry { after: None, message: "an earlier write is still open".to_owned() },
            }
        })
    }

    fn show(&self, _signal: Signal, piece: &Piece) -> serde_json::Value {
        serde_json::Value::String(String::from_utf8_lossy(&piece.bytes).trim_end().to_owned())
    }
}

/// Signal, service, what, how it went, where it belongs: always in this order.
fn line(item: &Item<'_>, service: &str) -> String {
    let mut line = String::new();
    let service = if service.is_empty() { "-".to_owned() } else { field(service) };
    match item {
        Item::Span(span) => {
            let milliseconds = span.duration_nano() as f64 / 1e6;
            let _ = write!(
                line,
                "span   {service}  {}  {}  {}  {milliseconds:.1}ms",
                field(span.name),
                span.kind.name(),
                span.status.code.name()
            );
            if let Some(status) = span.attributes.find(Key::HttpResponseStatusCode) {
                let _ = write!(line, "  http={}", field(&status.to_text()));
            }
            for exception in span.exceptions() {
                let class = exception.attributes.find_str(Key::ExceptionType).unwrap_or("exception");
                let message = exception.attributes.find_str(Key::ExceptionMessage).unwrap_or_default();
                let _ = write!(line, "  {}", field(&format!("{class}: {message}")));
            }
            ids(&mut line, span.trace_id, span.span_id);
        }
        Item::Log(log) => {
            let severity = log.severity().unwrap_or("-");
            let _ = write!(line, "log    {service}  {severity}  {}", field(&log.body.to_text()));
            ids(&mut line, log.trace_id, log.span_id);
        }
        Item::Metric(metric) => {
            let _ = write!(
                line,
                "metric {service}  {}  {}  {} points  unit={}",
                field(metric.name),
                metric.kind.name(),
                metric.point_count(),
                field(metric.unit)
            );
        }
    }
    line.push('\n');
    line
}

fn ids(line: &mut String, trace_id: Option<crate::otlp::TraceId>, span_id: Option<crate::otlp::SpanId>) {
    if let Some(trace_id) = trace_id {
        let _ = write!(line, "  trace={trace_id}");
    }
    if let Some(span_id) = span_id {
        let _ = write!(line, "  span={span_id}");
    }
}

/// A text on one line: control characters escaped, so that telemetry cannot draw on the terminal, and cut to length.
fn field(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(FIELD_CHARS_MAX)
        .flat_map(|character| {
            let control = character.is_control();
            control.then(|| character.escape_default()).into_iter().flatten().chain((!control).then_some(character))
        })
        .collect();
    if text.chars().nth(FIELD_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::wire::put_bytes;

    /// The bug: the service and the status went to the terminal as they came.
    #[test]
    fn nothing_of_a_span_draws_on_the_terminal() {
        let hostile = "\x1b[2J\nspan";
        let (mut value, mut attribute, mut message) = (Vec::new(), Vec::new(), Vec::new());
        put_bytes(&mut value, 1, hostile.as_bytes());
        put_bytes(&mut attribute, 1, b"http.response.status_code");
        put_bytes(&mut attribute, 2, &value);
        put_bytes(&mut message, 5, hostile.as_bytes());
        put_bytes(&mut message, 9, &attribute);
        let line = line(&Item::parse(Signal::Traces, &message), hostile);
        assert_eq!(line.chars().filter(|character| character.is_control()).collect::<String>(), "\n", "{line}");
    }

    #[test]
    fn a_field_stays_on_its_line_and_within_its_length() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("two\nlines\x1b[31m"), "two\\nlines\\u{1b}[31m");
        assert_eq!(field(&"é".repeat(200)).chars().count(), FIELD_CHARS_MAX + 1);
    }
}
