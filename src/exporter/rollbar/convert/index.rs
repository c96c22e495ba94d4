//! [`Index`]: the items of a batch by position and by span id, so that an error finds the span that its request came in by.
//!
//! All items of the batch are looked at, not only those that the rules chose for Rollbar: what the server span says of the
//! request belongs to the error, wherever else the span itself goes.

use std::cell::OnceCell;

use crate::otlp::span::SpanKind;
use crate::otlp::wire::Fields;
use crate::otlp::{Group, Scope, Span, SpanId, groups};
use crate::otlp::{Kept, Part};

/// How many ancestors are followed. Also what ends a circle of parents.
const ANCESTORS_MAX: usize = 128;

/// "Whether the parent is remote is known" and "it is". `opentelemetry/proto/trace/v1/trace.proto`
const FLAG_REMOTE: u32 = 0x300;

/// The items of one batch.
pub struct Index<'a> {
    pub groups: Vec<Group<'a>>,
    pub scopes: Vec<(usize, Scope<'a>)>,
    pub items: Vec<Place<'a>>,
    /// Ids of spans with the positions of their items, sorted. Made when first asked for: most batches hold no error.
    spans: OnceCell<Vec<(SpanId, u32)>>,
}

/// Where an item lies.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Position in [`Index::scopes`].
    pub scope: usize,
    /// Whether the rules chose it.
    pub kept: bool,
    pub message: &'a [u8],
}

impl<'a> Index<'a> {
    pub fn new(part: &'a Part) -> Self {
        let items = Vec::with_capacity(part.batch.items.min(1 << 16) as usize);
        let mut index = Index { groups: Vec::new(), scopes: Vec::new(), items, spans: OnceCell::new() };
        let all = part.kept == Kept::All;
        for (group_index, group) in groups(&part.batch.body).enumerate() {
            for scope_group in group.scopes() {
                let scope = index.scopes.len();
                index.scopes.push((group_index, scope_group.scope));
                for message in scope_group.items() {
                    let kept = all || part.kept.holds(index.items.len());
                    index.items.push(Place { scope, kept, message });
                }
            }
            index.groups.push(group);
        }
        index
    }

    /// The position of an item's group.
    pub fn group_of(&self, item: usize) -> usize {
        self.scopes[self.items[item].scope].0
    }

    pub fn scope_of(&self, item: usize) -> Scope<'a> {
        self.scopes[self.items[item].scope].1
    }

    pub fn span(&self, item: usize) -> Span<'a> {
        Span::parse(self.items[item].message)
    }

    /// The spans from this one up to where the request entered the service, or as far as the batch goes.
    pub fn way_up(&self, item: usize, mut each: impl FnMut(usize, &Span<'a>)) {
        let mut span = self.span(item);
        let mut at = item;
        for _ in 0..ANCESTORS_MAX {
            each(at, &span);
            if is_entry(&span) {
                return;
            }
            let Some((parent_at, parent)) = self.parent(at, &span) else { return };
            (at, span) = (parent_at, parent);
        }
    }

    /// The parent of a span, where it is in the batch and of the same service.
    fn parent(&self, item: usize, span: &Span<'a>) -> Option<(usize, Span<'a>)> {
        let wanted = span.parent_span_id?;
        let spans = self.spans.get_or_init(|| self.sort_spans());
        let start = spans.partition_point(|(id, _)| *id < wanted);
        let same = spans[start..].iter().take_while(|(id, _)| *id == wanted).take(4);
        same.map(|(_, at)| *at as usize).find_map(|at| {
            let parent = self.span(at);
            (at != item && parent.trace_id == span.trace_id && self.same_service(item, at)).then_some((at, parent))
        })
    }

    /// Whether two items come from the same service.
    pub fn same_service(&self, one: usize, other: usize) -> bool {
        let (one, other) = (self.group_of(one), self.group_of(other));
        one == other || self.groups[one].resource.service_name() == self.groups[other].resource.service_name()
    }

    fn sort_spans(&self) -> Vec<(SpanId, u32)> {
        let mut spans: Vec<_> =
            self.items.iter().zip(0..).filter_map(|(place, at)| span_id(place.message).map(|id| (id, at))).collect();
        spans.sort_unstable();
        spans
    }
}

/// A span's id without reading the rest.
fn span_id(message: &[u8]) -> Option<SpanId> {
    let (_, wire) = Fields::new(message).find(|(number, _)| *number == 2)?;
    SpanId::parse(wire.bytes())
}

/// Whether a request entered the service by this span.
pub fn is_entry(span: &Span<'_>) -> bool {
    span.parent_span_id.is_none()
        || span.flags & FLAG_REMOTE == FLAG_REMOTE
        || matches!(span.kind, SpanKind::Server | SpanKind::Consumer)
}
