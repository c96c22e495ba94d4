//! `data.body` of what is no exception: log records, and failed spans that say why in a sentence.

use std::borrow::Cow;

use super::bag::{Bag, Bags};
use super::identity::digest;
use super::node::{Map, Node, cut_chars};
use super::place::{SHORT_CHARS_MAX, short_node};
use super::plain;
use crate::exporter::rollbar::scrub::Scrubber;
use crate::otlp::{Key, LogRecord, Scope, Span, Value};

/// Characters of a message: far above what anybody reads, far below what an item may hold.
const MESSAGE_CHARS_MAX: usize = 64 * 1024;

/// A body with what else follows from it.
pub struct Message<'a> {
    pub body: Map<'a>,
    /// What the occurrence is called.
    pub title: Cow<'a, str>,
    /// Whether `title` goes into the item, and with it a fingerprint: only where it does not change with each occurrence.
    pub fingerprint: Option<String>,
    /// The record's body where it is no text.
    pub structured: Option<Node<'a>>,
}

/// A log record's message.
pub fn of_log<'a>(
    scrubber: &Scrubber,
    template_keys: &[String],
    log: &LogRecord<'a>,
    scope: Scope<'a>,
    bag: &Bag<'a>,
) -> Message<'a> {
    let mut structured = None;
    let text = match log.body {
        Value::Str(text) => scrubber.text(text),
        Value::Map(_) | Value::Array(_) => {
            let node = plain::bare(scrubber, log.body, 0);
            let mut text = String::new();
            node.write(&mut text);
            structured = Some(node);
            Cow::Owned(text)
        }
        other => plain::text(other),
    };
    let text = [text, Cow::Borrowed(log.event_name), Cow::Borrowed(log.severity_text)]
        .into_iter()
        .find(|text| !text.trim().is_empty())
        .unwrap_or(Cow::Borrowed("log record without a body"));
    let text = cut_chars(text, MESSAGE_CHARS_MAX);
    let template = template_keys.iter().find_map(|name| bag.text(name));
    let (title, fingerprint) = match template {
        Some(template) => (scrubber.text(template), Some(digest(&["log", scope.name, template]))),
        None => (Cow::Owned(text.trim_start().lines().next().unwrap_or_default().to_owned()), None),
    };
    let mut body = Map::default();
    body.put("body", Node::Text(text));
    for (key, text) in [("logger", scope.name), ("severity_text", log.severity_text), ("event_name", log.event_name)] {
        if !text.is_empty() {
            body.put(key, short_node(scrubber, text));
        }
    }
    body.put_map("extra", code(scrubber, bag));
    Message { body, title: cut_chars(title, SHORT_CHARS_MAX), fingerprint, structured }
}

/// Where in the program it was logged, in the words of a frame.
pub fn code<'a>(scrubber: &Scrubber, bag: &Bag<'a>) -> Map<'a> {
    let mut frame = Map::default();
    let Some(file) = bag.find_text(Key::CodeFilePath) else { return frame };
    frame.put("filename", Node::Text(cut_chars(scrubber.text(file), 1024)));
    for (name, key) in [("lineno", Key::CodeLineNumber), ("colno", Key::CodeColumnNumber)] {
        if let Some(number) = bag.find(key).and_then(Value::as_int) {
            frame.put(name, Node::Int(number));
        }
    }
    if let Some(function) = function(bag) {
        frame.put("method", Node::Text(cut_chars(scrubber.cow(function), 1024)));
    }
    frame
}

/// The function, with the old separate namespace before it.
pub fn function<'a>(bag: &Bag<'a>) -> Option<Cow<'a, str>> {
    let function = bag.find_text(Key::CodeFunctionName)?;
    Some(match bag.text("code.namespace") {
        Some(namespace) => Cow::Owned(format!("{namespace}.{function}")),
        None => Cow::Borrowed(function),
    })
}

/// A failed span's message: `GET /orders/{id} failed with 503`.
pub fn of_span<'a>(scrubber: &Scrubber, service_name: &str, span: &Span<'a>, bag: &Bag<'a>) -> Message<'a> {
    let bags = [bag];
    let bags = Bags(&bags);
    let status = bags.find(Key::HttpResponseStatusCode).or_else(|| bags.find(Key::RpcStatusCode)).map(plain::text);
    let error_type = bags.find_text(Key::ErrorType);
    let code = error_type.map(Cow::Borrowed).or_else(|| status.clone()).unwrap_or_default();
    let name = low_cardinality_name(span, bags);
    let reason = if span.status.message.trim().is_empty() {
        match &status {
            Some(status) => format!("with {status}"),
            None => error_type.map(|kind| format!("with {kind}")).unwrap_or_default(),
        }
    } else {
        String::new()
    };
    let shown = if span.name.is_empty() { &*name } else { span.name };
    let text = match (status.is_some(), span.status.message.trim()) {
        (_, "") if reason.is_empty() => format!("{shown} failed"),
        (_, "") => format!("{name} failed {reason}"),
        (_, why) => format!("{shown} failed: {why}"),
    };
    let title = if code.is_empty() { format!("{name} failed") } else { format!("{name} failed with {code}") };
    let fingerprint = digest(&["span", service_name, span.kind.name(), &name, &code]);
    let mut body = Map::default();
    body.put("body", Node::Text(cut_chars(scrubber.text(&text).into_owned(), MESSAGE_CHARS_MAX)));
    let title = cut_chars(scrubber.text(&title).into_owned(), SHORT_CHARS_MAX);
    Message { body, title, fingerprint: Some(fingerprint), structured: None }
}

/// A name that is the same for all requests of one kind.
fn low_cardinality_name<'a>(span: &Span<'a>, bags: Bags<'_, 'a>) -> Cow<'a, str> {
    let pair = |one: &str, two: &str| Cow::Owned(format!("{one} {two}"));
    if let Some(route) = bags.find_text(Key::HttpRoute) {
        return bags.find_text(Key::HttpRequestMethod).map_or(Cow::Borrowed(route), |method| pair(method, route));
    }
    if let Some(method) = bags.text("rpc.method") {
        return match bags.text("rpc.service") {
            Some(service) => Cow::Owned(format!("{service}/{method}")),
            None => Cow::Borrowed(method),
        };
    }
    let operation = bags.find_text(Key::MessagingOperationName).or_else(|| bags.find_text(Key::MessagingOperationType));
    if let (Some(operation), Some(template)) = (operation, bags.text("messaging.destination.template")) {
        return pair(operation, template);
    }
    if let (Some(operation), Some(collection)) =
        (bags.find_text(Key::DbOperationName), bags.find_text(Key::DbCollectionName))
    {
        return pair(operation, collection);
    }
    without_ids(span.name)
}

/// A name with `*` for each word that is an id: a uuid, 8 or more hex digits, or 2 or more decimal ones.
fn without_ids(name: &str) -> Cow<'_, str> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let is_id = |word: &str| {
        let digits = word.bytes().all(|byte| byte.is_ascii_digit());
        let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
            && word.bytes().any(|byte| byte.is_ascii_digit());
        (digits && word.len() >= 2) || (hex && word.len() >= 8)
    };
    let mut out = String::new();
    let mut rest = name;
    while !rest.is_empty() {
        let start = rest.find(is_word).unwrap_or(rest.len());
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        out.push_str(if end > 0 && is_id(&rest[..end]) { "*" } else { &rest[..end] });
        rest = &rest[end..];
    }
    if out == name { Cow::Borrowed(name) } else { Cow::Owned(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_names_become_stars() {
        let cases = [
            ("GET /orders/1042/items", "GET /orders/*/items"),
            ("load 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "load *"),
            ("v1 deadbeef01 x", "v1 * x"),
            ("effaced facade", "effaced facade"),
            ("", ""),
        ];
        for (name, expected) in cases {
            assert_eq!(without_ids(name), expected, "{name}");
        }
    }
}
