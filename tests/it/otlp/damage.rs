//! Cut and corrupted bytes: nothing panics, nothing loops, and what passes the door is what every receiver can read.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use telemetry_gateway::otlp::check::check;
use telemetry_gateway::otlp::{Signal, json, select};

use super::check::nested_log;
use super::generate::{self, Values};
use super::request::Request;
use super::walk::walk;

/// One change to some bytes.
#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Flip(Index, u8),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Repeat(Index, usize),
}

impl Damage {
    fn strategy() -> impl Strategy<Value = Damage> {
        let byte = prop_oneof![any::<u8>(), Just(0), Just(0x7f), Just(0x80), Just(0xff)];
        prop_oneof![
            (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Damage::Set(at, byte)),
            (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
            (any::<Index>(), 1..9_usize).prop_map(|(at, bytes)| Damage::Remove(at, bytes)),
            (any::<Index>(), vec(byte, 1..12)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
            (any::<Index>(), 1..40_usize).prop_map(|(at, bytes)| Damage::Repeat(at, bytes)),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let range = |at: &Index, length: &usize| {
            let start = at.index(bytes.len());
            start..(start + length).min(bytes.len())
        };
        match self {
            Damage::Set(at, byte) => *at.get_mut(bytes) = *byte,
            Damage::Flip(at, bit) => *at.get_mut(bytes) ^= bit,
            Damage::Remove(at, length) => drop(bytes.drain(range(at, length))),
            Damage::Insert(at, inserted) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, inserted.iter().copied());
            }
            Damage::Repeat(at, length) => {
                let range = range(at, length);
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, copy);
            }
        }
    }
}

/// Everything that reads protobuf, over the same bytes.
fn read_all(signal: Signal, body: &[u8]) {
    let items = walk(signal, body);
    let body = Bytes::copy_from_slice(body);
    let half = select(&body, |index| index % 2 == 0);
    assert!(half.len() <= body.len() + 16, "a part is no longer than the whole");
    let mut text = String::new();
    json::write(signal, &body, &mut text);
    assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{text}");

    let Ok(census) = check(signal, &body) else { return };
    assert_eq!(census.items as usize, items);
    let passed = select(&body, |index| census.rejected.iter().all(|rejected| rejected.index != index));
    let read = Request::decode(signal, &passed).expect("what passes the door can be decoded");
    assert_eq!(read.weights().len(), items - census.rejected.len());
    assert!(check(signal, &passed).unwrap().rejected.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_request_cut_at_any_byte_is_read_to_its_end(request in generate::request(Values::All)) {
        let body = request.encode();
        for end in 0..body.len().min(3000) {
            read_all(request.signal(), &body[..end]);
        }
    }

    #[test]
    fn json_cut_at_any_byte_is_refused(request in generate::request(Values::All)) {
        let mut text = String::new();
        json::write(request.signal(), &request.encode(), &mut text);
        for end in 0..text.len().min(3000) {
            prop_assert!(json::read(request.signal(), &text.as_bytes()[..end]).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_corrupted_request_is_read_to_its_end(
        request in generate::request(Values::All),
        damages in vec(Damage::strategy(), 1..4),
        signal in prop_oneof![9 => Just(None), 1 => (0..3_usize).prop_map(|index| Some(Signal::ALL[index]))],
    ) {
        let mut body = request.encode();
        for damage in &damages {
            damage.apply(&mut body);
        }
        read_all(signal.unwrap_or(request.signal()), &body);
    }

    #[test]
    fn corrupted_json_is_refused_or_becomes_a_sound_request(
        request in generate::request(Values::All),
        damages in vec(Damage::strategy(), 1..4),
    ) {
        let mut text = String::new();
        json::write(request.signal(), &request.encode(), &mut text);
        let mut text = text.into_bytes();
        for damage in &damages {
            damage.apply(&mut text);
        }
        if let Ok(read) = json::read(request.signal(), &text) {
            read_all(request.signal(), &read.body);
            prop_assert!(check(request.signal(), &read.body).is_ok());
        }
    }

    #[test]
    fn random_bytes_are_read_to_their_end(body in vec(any::<u8>(), 0..300), signal in 0..3_usize) {
        read_all(Signal::ALL[signal], &body);
        let _ = json::read(Signal::ALL[signal], &body);
    }
}

#[test]
fn unchecked_bytes_of_any_depth_are_written_without_overflow() {
    let small_stack = std::thread::Builder::new().stack_size(2 << 20);
    let written = small_stack.spawn(|| {
        let body = nested_log(10_000);
        assert_eq!(walk(Signal::Logs, &body), 1);
        let mut text = String::new();
        json::write(Signal::Logs, &body, &mut text);
        text
    });
    let text = written.unwrap().join().unwrap();
    assert_eq!(text.matches("arrayValue").count(), 101, "the hundred levels, and the empty one below them");
}
