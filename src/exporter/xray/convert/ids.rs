//! Ids as X-Ray writes them, and ids for what OTLP has none for: the second half of a split span, an exception.
//!
//! Derived ids are hashes of what they stand for, so that the same span makes the same documents whenever it is sent.

use sha2::{Digest, Sha256};

use super::writer::Writer;
use crate::otlp::ids::hex;
use crate::otlp::{SpanId, TraceId};

/// Writes a trace id with its quotes: `1-`, 8 digits, `-`, 24 digits.
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids>
#[inline]
pub fn write_trace_id(writer: &mut Writer<'_>, id: TraceId) {
    let digits = id.hex();
    let (time, rest) = digits.split_at(8);
    writer.raw("\\\"1-");
    writer.raw_bytes(time);
    writer.raw("-");
    writer.raw_bytes(rest);
    writer.raw("\\\"");
}

/// Writes a segment's id with its quotes: 16 digits.
#[inline]
pub fn write_span_id(writer: &mut Writer<'_>, id: SpanId) {
    writer.raw("\\\"");
    writer.raw_bytes(&hex::<8, 16>(&id.0));
    writer.raw("\\\"");
}

/// The id of something that belongs to a document: `what` and `number` tell the document's things apart.
pub fn derive(trace_id: TraceId, span_id: SpanId, what: &str, number: u32) -> SpanId {
    let hash = Sha256::new()
        .chain_update(trace_id.0)
        .chain_update(span_id.0)
        .chain_update(what)
        .chain_update(number.to_be_bytes())
        .finalize();
    hash.first_chunk::<8>().and_then(|bytes| SpanId::parse(bytes)).unwrap_or(SpanId([0, 0, 0, 0, 0, 0, 0, 1]))
}

/// Reads 16 hex digits.
pub fn parse_hex(text: &str) -> Option<SpanId> {
    (text.len() == 16).then(|| crate::otlp::ids::unhex(text)).flatten().and_then(|bytes| SpanId::parse(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_cut_behind_its_eighth_digit() {
        let cases = [
            ("4bf92f3577b34da6a3ce929d0e0e4736", r#"\"1-4bf92f35-77b34da6a3ce929d0e0e4736\""#),
            ("5f84c7a1e7d1852db8c4fd35d88bf49a", r#"\"1-5f84c7a1-e7d1852db8c4fd35d88bf49a\""#),
        ];
        for (digits, expected) in cases {
            let id = TraceId::parse(&crate::otlp::ids::unhex(digits).unwrap()).unwrap();
            let mut out = Vec::new();
            write_trace_id(&mut Writer::new(&mut out, 100), id);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn derived_ids_differ_by_what_they_stand_for() {
        let (trace, span) = (TraceId([1; 16]), SpanId([2; 8]));
        assert_eq!(derive(trace, span, "svc", 0), derive(trace, span, "svc", 0));
        assert_ne!(derive(trace, span, "svc", 0), derive(trace, span, "svc", 1));
        assert_ne!(derive(trace, span, "svc", 0), derive(trace, span, "exception", 0));
        assert_ne!(derive(trace, span, "svc", 0), derive(trace, SpanId([3; 8]), "svc", 0));
    }
}
