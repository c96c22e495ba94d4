//! One error, one item: the same exception arrives from every span it passed, twice from one span, and from a log record.
//!
//! Within a trace and a service an occurrence is absorbed by another one that has the exception in its chain, with the
//! frames at least as far up, less than a minute away. The one with the longest chain, then the most frames, stays: it is what
//! a framework's own error hook would have seen. Only one part is looked at; what lies further apart meets again in the
//! deterministic uuid, or stays two items.

use std::collections::HashMap;

use super::dialect::Dialect;
use super::find::{Occurrence, What};
use super::index::Index;
use super::trace::{Trace, Traces};
use crate::otlp::TraceId;

/// How far apart the same exception may be recorded.
const APART_NANO_MAX: u64 = 60 * 1_000_000_000;

/// How many occurrences of one class in one trace are compared with each further one.
const COMPARED_MAX: usize = 64;

/// For each occurrence the one that tells of it: itself, or the one that absorbs it.
pub fn representatives(found: &[Occurrence<'_>], index: &Index<'_>) -> Vec<usize> {
    let mut representative: Vec<usize> = (0..found.len()).collect();
    if found.len() < 2 {
        return representative;
    }
    let mut order: Vec<usize> = (0..found.len()).filter(|at| found[*at].what.traces().is_some()).collect();
    order.sort_by_key(|at| rank(&found[*at]));
    let mut by_class: HashMap<(TraceId, &str), Vec<(usize, usize)>> = HashMap::new();
    for at in order {
        let (Some(trace_id), Some(traces)) = (found[at].trace_id, found[at].what.traces()) else { continue };
        let first = traces.first();
        let seen = by_class.get(&(trace_id, &*first.class)).map(Vec::as_slice).unwrap_or_default();
        let absorbing = seen.iter().take(COMPARED_MAX).find(|(other, depth)| {
            let other = &found[*other];
            other.what.traces().is_some_and(|traces| is_told_by(first, &traces.chain[*depth], traces))
                && other.time_unix_nano.abs_diff(found[at].time_unix_nano) < APART_NANO_MAX
                && index.same_service(other.item, found[at].item)
        });
        match absorbing {
            Some((other, _)) => representative[at] = *other,
            None => {
                for (depth, trace) in traces.chain.iter().enumerate() {
                    by_class.entry((trace_id, &*trace.class)).or_default().push((at, depth));
                }
            }
        }
    }
    representative
}

/// The best first: longest chain, most frames, span event of the entry span, log record last; then as they came.
fn rank(occurrence: &Occurrence<'_>) -> (usize, usize, bool, bool, usize) {
    let (chain, frames) = occurrence.what.traces().map_or((0, 0), |traces| (traces.chain.len(), traces.frame_count()));
    let is_log = matches!(occurrence.what, What::ExceptionLog(_));
    (usize::MAX - chain, usize::MAX - frames, is_log, occurrence.item != occurrence.root, occurrence.item)
}

/// Whether `trace` is the exception `other`, as `traces` tells it. Classes are equal already.
fn is_told_by(trace: &Trace<'_>, other: &Trace<'_>, traces: &Traces<'_>) -> bool {
    let (one, two) = (message(trace), message(other));
    // Python's log handler drops the beginning of some messages.
    let same_message = one == two || (!one.is_empty() && two.ends_with(one)) || (!two.is_empty() && one.ends_with(two));
    // Go records the stack of the recorder, not of the error.
    let no_test = traces.dialect == Dialect::Go || trace.frames.is_empty() || other.frames.is_empty();
    let same = |(one, two): (&crate::stacktrace::Frame<'_>, &crate::stacktrace::Frame<'_>)| {
        one.file == two.file && one.function == two.function && one.line == two.line
    };
    same_message
        && (no_test || (trace.frames.len() <= other.frames.len() && trace.frames.iter().zip(&other.frames).all(same)))
}

fn message<'t>(trace: &'t Trace<'_>) -> &'t str {
    trace.message.as_deref().unwrap_or_default().trim()
}
