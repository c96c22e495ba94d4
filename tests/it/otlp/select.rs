//! Parts and joins of requests, against the same done to the prost message.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use telemetry_gateway::otlp::check::check;
use telemetry_gateway::otlp::select::single;
use telemetry_gateway::otlp::wire::{Fields, Wire, put_bytes, put_varint};
use telemetry_gateway::otlp::{Signal, select};

use super::generate::{self, Values};
use super::request::Request;

proptest! {
    #[test]
    fn a_part_is_what_filtering_the_message_leaves(
        request in generate::request(Values::All),
        wanted in vec(any::<bool>(), 24),
    ) {
        let body = Bytes::from(request.encode());
        let items = request.weights().len();
        let part = select(&body, |index| wanted[index]);
        if wanted[..items].iter().all(|wanted| *wanted) {
            prop_assert_eq!((part.as_ptr(), part.len()), (body.as_ptr(), body.len()));
        } else {
            let mut expected = request.clone();
            expected.retain(|index| wanted[index]);
            prop_assert_eq!(&part[..], &expected.encode()[..]);
        }
        let kept = request.weights().into_iter().zip(&wanted).filter(|(_, wanted)| **wanted);
        prop_assert_eq!(check(request.signal(), &part).unwrap().weight, kept.map(|(weight, _)| weight).sum::<u32>());
    }

    #[test]
    fn nothing_kept_is_no_bytes(request in generate::request(Values::All)) {
        let part = select(&Bytes::from(request.encode()), |_| false);
        prop_assert!(part.is_empty() || request.weights().is_empty());
    }

    #[test]
    fn requests_joined_as_bytes_decode_as_the_merged_message(
        (left, right) in prop_oneof![
            (generate::traces(Values::All), generate::traces(Values::All)),
            (generate::logs(Values::All), generate::logs(Values::All)),
            (generate::metrics(Values::All), generate::metrics(Values::All)),
        ],
    ) {
        let joined = [left.encode(), right.encode()].concat();
        let mut merged = left.clone();
        merged.merge(right);
        let read = Request::decode(merged.signal(), &joined).unwrap();
        prop_assert_eq!(read.encode(), merged.encode());
        prop_assert_eq!(check(merged.signal(), &joined).unwrap().items as usize, merged.weights().len());
    }
}

#[test]
fn fields_of_the_future_survive_at_every_level() {
    // Two groups of two scopes of two spans; each message ends in fields that no version of OTLP has, one of each wire
    // type, the text one telling where it stands.
    let mut request = Vec::new();
    for group in 0..2 {
        let mut group_bytes = Vec::new();
        put_bytes(&mut group_bytes, 1, &future(&format!("resource {group}.")));
        for scope in 0..2 {
            let mut scope_bytes = Vec::new();
            put_bytes(&mut scope_bytes, 1, &future(&format!("scope {group}{scope}.")));
            for span in 0..2 {
                let place = format!("{group}{scope}{span}.");
                let value = future(&format!("value {place}"));
                let mut attribute = future(&format!("attribute {place}"));
                put_bytes(&mut attribute, 2, &value);
                let mut item = vec![0x0a, 16];
                item.extend([1; 16]);
                item.extend([0x12, 8]);
                item.extend([2; 8]);
                put_bytes(&mut item, 9, &attribute);
                item.extend(future(&format!("span {place}")));
                put_bytes(&mut scope_bytes, 2, &item);
            }
            scope_bytes.extend(future(&format!("scope group {group}{scope}.")));
            put_bytes(&mut group_bytes, 2, &scope_bytes);
        }
        group_bytes.extend(future(&format!("group {group}.")));
        put_bytes(&mut request, 1, &group_bytes);
    }
    request.extend(future("request."));
    let body = Bytes::from(request);
    assert!(check(Signal::Traces, &body).unwrap().rejected.is_empty());

    let part = select(&body, |index| matches!(index, 1 | 2)); // spans 001 and 010, hence all of group 0
    let kept: Vec<String> = ["request.", "group 0.", "resource 0."].map(str::to_owned).into_iter().collect();
    let scopes = ["00.", "01."].iter().flat_map(|place| [format!("scope group {place}"), format!("scope {place}")]);
    let spans =
        ["001.", "010."].iter().flat_map(|place| ["span", "attribute", "value"].map(|name| format!("{name} {place}")));
    let kept: Vec<String> = kept.into_iter().chain(scopes).chain(spans).collect();
    for text in &kept {
        assert_eq!(times(&part, text), 1, "{text}");
    }
    assert_eq!(times(&part, "."), kept.len(), "nothing else is kept");
    assert_eq!(Request::decode(Signal::Traces, &part).unwrap().weights().len(), 2);
    assert!(check(Signal::Traces, &part).unwrap().rejected.is_empty());
}

#[test]
fn headers_behind_the_items_and_split_in_two_stay_where_they_are() {
    // A writer may put fields in any order and split a message over several occurrences.
    let span = {
        let mut span = vec![0x0a, 16];
        span.extend([1; 16]);
        span.extend([0x12, 8]);
        span.extend([2; 8]);
        span
    };
    let mut scope = Vec::new();
    put_bytes(&mut scope, 3, b"scope url");
    put_bytes(&mut scope, 2, &span);
    put_bytes(&mut scope, 2, &span);
    put_bytes(&mut scope, 1, b"\x0a\x04name");
    let mut group = Vec::new();
    put_bytes(&mut group, 2, &scope);
    put_bytes(&mut group, 1, b"\x10\x07");
    put_bytes(&mut group, 2, &scope);
    put_bytes(&mut group, 1, b"");
    let mut body = Vec::new();
    put_bytes(&mut body, 1, &group);

    let mut expected = Request::decode(Signal::Traces, &body).unwrap();
    expected.retain(|index| index == 3);
    let part = select(&Bytes::from(body), |index| index == 3);
    assert_eq!(Request::decode(Signal::Traces, &part).unwrap().encode(), expected.encode());
}

#[test]
fn a_single_item_becomes_a_request_of_its_own() {
    let body = single(b"\x10\x07", b"\x0a\x04name", b"\x2a\x03job");
    let Request::Traces(request) = Request::decode(Signal::Traces, &body).unwrap() else { unreachable!() };
    let group = &request.resource_spans[0];
    assert_eq!(group.resource.as_ref().unwrap().dropped_attributes_count, 7);
    assert_eq!(group.scope_spans[0].scope.as_ref().unwrap().name, "name");
    assert_eq!(group.scope_spans[0].spans[0].name, "job");
}

/// Fields that OTLP does not have: one of each wire type.
fn future(place: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 900, place.as_bytes());
    put_varint(&mut out, 901 << 3);
    put_varint(&mut out, u64::MAX);
    put_varint(&mut out, 902 << 3 | 1);
    out.extend([7; 8]);
    put_varint(&mut out, 903 << 3 | 5);
    out.extend([7; 4]);
    assert_eq!(Fields::new(&out).next(), Some((900, Wire::Bytes(place.as_bytes()))));
    out
}

fn times(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}
