//! Whether a span is a segment, a subsegment, or both, and of which namespace.

use super::facts::Facts;
use super::ids::derive;
use super::slots::Slot as S;
use crate::exporter::xray::config::LocalRootSplit;
use crate::otlp::span::SpanKind;
use crate::otlp::{Span, SpanId, TraceId};

/// The two forms of an independent document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Segment,
    Subsegment,
}

/// Which part of a span a document shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    Whole,
    /// What a LOCAL_ROOT span called.
    Dependency,
    /// The service that a LOCAL_ROOT span ran in.
    Service,
}

/// The frame of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub form: Form,
    pub half: Half,
    pub namespace: Option<&'static str>,
}

/// The documents of a span, the second one behind the first.
///
/// | `aws.span.kind` | kind                                     | documents                                      |
/// |-----------------|------------------------------------------|------------------------------------------------|
/// | other           | SERVER, CONSUMER, any kind without parent| a segment                                      |
/// | other           | another kind with a parent               | a subsegment                                   |
/// | LOCAL_ROOT      | SERVER, INTERNAL                         | a segment                                      |
/// | LOCAL_ROOT      | another kind                             | a subsegment for the call, a segment above it  |
pub fn shapes(
    span: &Span<'_>,
    trace_id: TraceId,
    span_id: SpanId,
    facts: &Facts<'_>,
    split: LocalRootSplit,
) -> (Shape, Option<Shape>) {
    // A span that names itself as its parent would hang on nothing.
    let parent = span.parent_span_id.filter(|parent| *parent != span_id);
    let namespace = namespace(span.kind, facts);
    if split == LocalRootSplit::Auto && facts.text(S::AwsSpanKind) == Some("LOCAL_ROOT") {
        if matches!(span.kind, SpanKind::Server | SpanKind::Internal) {
            return (Shape { id: span_id, parent, form: Form::Segment, half: Half::Whole, namespace: None }, None);
        }
        let service = derive(trace_id, span_id, "svc", 0);
        let dependency = Shape {
            id: span_id,
            parent: Some(service),
            form: Form::Subsegment,
            half: Half::Dependency,
            namespace: namespace.or(Some("remote")),
        };
        let service = Shape { id: service, parent, form: Form::Segment, half: Half::Service, namespace: None };
        return (dependency, Some(service));
    }
    let serves = matches!(span.kind, SpanKind::Server | SpanKind::Consumer);
    let form = if serves || parent.is_none() { Form::Segment } else { Form::Subsegment };
    let namespace = namespace.filter(|_| !serves);
    (Shape { id: span_id, parent, form, half: Half::Whole, namespace }, None)
}

/// `aws` for the calls of AWS SDKs, `remote` for other calls, nothing for local work.
fn namespace(kind: SpanKind, facts: &Facts<'_>) -> Option<&'static str> {
    if is_aws_sdk(facts) {
        return Some("aws");
    }
    matches!(kind, SpanKind::Client | SpanKind::Producer).then_some("remote")
}

/// Whether the span is the call of an AWS SDK.
#[inline]
pub fn is_aws_sdk(facts: &Facts<'_>) -> bool {
    facts.text(S::RpcSystem) == Some("aws-api")
        || facts.text(S::RpcSystemName) == Some("aws-api")
        || facts.text(S::AwsService).is_some()
}
