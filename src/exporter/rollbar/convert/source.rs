//! [`Source`]: the telemetry behind one occurrence, unpacked: spans, log record, scopes and attributes.

use std::borrow::Cow;

use super::bag::{Bag, Bags};
use super::find::{Occurrence, What};
use super::index::Index;
use super::message;
use crate::otlp::span::SpanKind;
use crate::otlp::{Key, LogRecord, Scope, Span};

/// The telemetry behind an occurrence.
pub struct Source<'a> {
    pub span: Option<Span<'a>>,
    pub root: Option<Span<'a>>,
    pub log: Option<LogRecord<'a>>,
    pub scope: Scope<'a>,
    pub root_scope: Scope<'a>,
    /// Attributes of the span or log record.
    pub own: Bag<'a>,
    /// Attributes of the exception event.
    pub event: Bag<'a>,
    /// Attributes of the span that the request entered by, where it is another one.
    pub entry: Bag<'a>,
}

impl<'a> Source<'a> {
    /// Reads it again, because an occurrence keeps only what decides about it.
    pub fn read(index: &Index<'a>, occurrence: &Occurrence<'a>) -> Self {
        let (scope, root_scope) = (index.scope_of(occurrence.item), index.scope_of(occurrence.root));
        let message = index.items[occurrence.item].message;
        let mut source = Source {
            span: None,
            root: None,
            log: None,
            scope,
            root_scope,
            own: Bag::default(),
            event: Bag::default(),
            entry: Bag::default(),
        };
        match &occurrence.what {
            What::ExceptionLog(_) | What::Log => {
                let log = LogRecord::parse(message);
                source.own = Bag::new(log.attributes);
                source.log = Some(log);
            }
            What::Event(..) | What::Span => {
                let span = Span::parse(message);
                source.own = Bag::new(span.attributes);
                source.span = Some(span);
                if occurrence.root != occurrence.item {
                    let root = index.span(occurrence.root);
                    source.entry = Bag::new(root.attributes);
                    source.root = Some(root);
                }
            }
        }
        if let What::Event(event, _) = &occurrence.what {
            source.event = Bag::new(event.attributes);
        }
        source
    }

    /// The bags that may tell of the request that came in. What a client span says is of a request that went out.
    pub fn incoming(&self) -> Vec<&Bag<'a>> {
        let comes_in = |span: &Option<Span<'_>>| {
            span.is_none_or(|span| !matches!(span.kind, SpanKind::Client | SpanKind::Producer))
        };
        let mut bags = Vec::with_capacity(3);
        if comes_in(&self.root) {
            bags.push(&self.entry);
        }
        if comes_in(&self.span) {
            bags.push(&self.own);
        }
        bags.push(&self.event);
        bags
    }
}

/// `data.context`: the route or operation, not the path, because Rollbar searches by it.
pub fn context<'a>(source: &Source<'a>) -> Option<Cow<'a, str>> {
    let bags = [&source.entry, &source.own, &source.event];
    let bags = Bags(&bags);
    if let Some(route) = bags.find_text(Key::HttpRoute) {
        return Some(Cow::Borrowed(route));
    }
    if let Some(method) = bags.text("rpc.method") {
        return Some(
            bags.text("rpc.service").map_or(Cow::Borrowed(method), |service| format!("{service}/{method}").into()),
        );
    }
    let operation = bags.find_text(Key::MessagingOperationName).or_else(|| bags.find_text(Key::MessagingOperationType));
    if let (Some(operation), Some(destination)) = (operation, bags.text("messaging.destination.template")) {
        return Some(format!("{operation} {destination}").into());
    }
    if let Some(name) = bags.find_text(Key::FaasName).or_else(|| bags.find_text(Key::GraphqlOperationName)) {
        return Some(Cow::Borrowed(name));
    }
    message::function(&source.own)
        .or_else(|| source.root.or(source.span).map(|span| Cow::Borrowed(span.name)))
        .filter(|name| !name.trim().is_empty())
}
