//! The spans that a span is connected with beside its parent.
//!
//! Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html> on links between traces (read 2026-11).

use super::ids::{write_span_id, write_trace_id};
use super::writer::{Writer, key};
use crate::otlp::span::{Link, Links};

/// X-Ray's limit for a trace.
const LINKS_MAX: usize = 100;

/// Writes the member, where there is a link that X-Ray can take. Links of broken ids are left out alone.
pub fn write(links: Links<'_>, writer: &mut Writer<'_>, links_max: usize) {
    let before = writer.mark();
    key!(writer, "links");
    writer.open_list();
    let opened = writer.mark();
    for link in links.iter().filter(is_whole).take(links_max.min(LINKS_MAX)) {
        let (Some(trace_id), Some(span_id)) = (link.trace_id, link.span_id) else { continue };
        writer.comma();
        writer.open();
        key!(writer, "trace_id");
        write_trace_id(writer, trace_id);
        key!(writer, "id");
        write_span_id(writer, span_id);
        let attributes = writer.mark();
        key!(writer, "attributes");
        writer.open();
        for (name, value) in link.attributes.iter() {
            if writer.is_over() {
                break;
            }
            writer.member_named("", name);
            writer.value(value);
        }
        writer.close_or_drop(attributes);
        writer.close();
    }
    if writer.len_since(opened) == 0 {
        writer.back_to(before);
    } else {
        writer.close_list();
    }
}

/// How many links are not shown.
pub fn left_out(links: Links<'_>) -> u64 {
    let (mut whole, mut broken) = (0u64, 0u64);
    for link in links.iter() {
        *(if is_whole(&link) { &mut whole } else { &mut broken }) += 1;
    }
    broken + whole.saturating_sub(LINKS_MAX as u64)
}

fn is_whole(link: &Link<'_>) -> bool {
    link.trace_id.is_some() && link.span_id.is_some()
}
