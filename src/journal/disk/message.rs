//! The messages of `proto/journal.proto`, and how a batch becomes one of them and comes back.

use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::journal::{Done, Needs};
use crate::otlp::batch::{Encoding, Original};
use crate::otlp::{Batch, Signal};

/// Field number of [`Record::body`].
const BODY: u32 = 15;

/// What is allocated for an inflated body before any of it is seen: the door lets no larger one in by default.
const INFLATED_BYTES_HINT_MAX: usize = 64 * 1024 * 1024;

/// A record on disk.
#[derive(Clone, PartialEq, Message)]
pub struct Record {
    #[prost(uint32, tag = "1")]
    pub signal: u32,
    #[prost(uint32, tag = "2")]
    pub items: u32,
    #[prost(uint32, tag = "3")]
    pub weight: u32,
    #[prost(fixed64, tag = "4")]
    pub received_at_unix_nano: u64,
    #[prost(uint32, tag = "5")]
    pub encoding: u32,
    #[prost(uint32, tag = "6")]
    pub inflated_bytes: u32,
    #[prost(uint32, repeated, tag = "7")]
    needed_by: Vec<u32>,
    #[prost(uint32, repeated, tag = "8")]
    needed_weight: Vec<u32>,
    #[prost(bool, tag = "9")]
    pub spliced: bool,
    #[prost(bytes = "bytes", tag = "15")]
    pub body: Bytes,
}

/// What a consumer has settled.
#[derive(Clone, PartialEq, Message)]
pub struct Settled {
    #[prost(uint32, tag = "1")]
    pub consumer: u32,
    #[prost(uint64, repeated, tag = "2")]
    pub positions: Vec<u64>,
}

/// The consumers and their cursors.
#[derive(Clone, PartialEq, Message)]
pub struct Roster {
    #[prost(bytes = "vec", tag = "1")]
    pub rules: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    pub consumers: Vec<Consumer>,
    #[prost(bool, tag = "3")]
    pub names_only: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct Consumer {
    #[prost(uint32, tag = "1")]
    pub number: u32,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(fixed64, tag = "3")]
    pub low_water: u64,
    #[prost(uint64, repeated, tag = "4")]
    pub runs: Vec<u64>,
    #[prost(message, repeated, tag = "5")]
    pub progress: Vec<Progress>,
}

/// What of a record a consumer is done with.
#[derive(Clone, PartialEq, Message)]
pub struct Progress {
    #[prost(uint32, tag = "1")]
    pub consumer: u32,
    #[prost(fixed64, tag = "2")]
    pub position: u64,
    #[prost(uint32, repeated, tag = "3")]
    done: Vec<u32>,
}

impl Progress {
    pub fn new(consumer: usize, position: u64, done: &[Done]) -> Self {
        let done = done.iter().flat_map(|Done { ordinal, crc, weight }| [*ordinal, *crc, *weight]);
        Progress { consumer: consumer as u32, position, done: done.collect() }
    }

    pub fn done(&self) -> impl Iterator<Item = Done> {
        self.done.chunks_exact(3).map(|three| Done { ordinal: three[0], crc: three[1], weight: three[2] })
    }
}

impl Settled {
    /// From rising positions, all in front of the frame's own.
    pub fn new(consumer: usize, own: u64, positions: &[u64]) -> Self {
        let mut last = None;
        let steps = positions.iter().map(|position| match last.replace(*position) {
            None => own - position,
            Some(last) => position - last,
        });
        Settled { positions: steps.collect(), consumer: consumer as u32 }
    }

    /// The positions, given that of the frame.
    pub fn read(&self, own: u64) -> impl Iterator<Item = u64> {
        let mut last = None;
        self.positions.iter().map_while(move |step| {
            let position = match last {
                None => own.checked_sub(*step),
                Some(last) => u64::checked_add(last, *step),
            };
            last = position.or(last);
            position
        })
    }
}

/// A record's message in parts: its own bytes, and the body that is written as it stands.
pub struct Written {
    pub head: Vec<u8>,
    pub body: Bytes,
}

impl Record {
    /// The message of a batch. The client's compressed original stands for the whole of it, where it can be inflated by
    /// nothing but itself.
    pub fn new(batch: &Batch, needs: &Needs) -> Self {
        let (encoding, body) = match &batch.original {
            Some(Original { encoding: Encoding::Gzip, bytes }) => (1, bytes),
            Some(Original { encoding: Encoding::Zstd, bytes }) => (2, bytes),
            _ => (0, &batch.body),
        };
        let record = Record {
            signal: number_of(batch.signal),
            items: batch.items,
            weight: batch.weight,
            received_at_unix_nano: batch.received_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64,
            encoding,
            inflated_bytes: if encoding == 0 { 0 } else { batch.body.len() as u32 },
            body: body.clone(),
            ..Record::default()
        };
        record.needed_by(needs)
    }

    /// The message of what is left of a batch.
    pub fn spliced(batch: &Batch, needs: &Needs) -> Self {
        Record { spliced: true, ..Record::new(batch, needs) }
    }

    /// The same, needed by others.
    #[must_use]
    pub fn needed_by(mut self, needs: &Needs) -> Self {
        self.needed_by = needs.iter().map(|(consumer, _)| consumer as u32).collect();
        self.needed_weight = needs.iter().map(|(_, weight)| weight).collect();
        self
    }

    pub fn written(mut self) -> Written {
        let body = std::mem::take(&mut self.body);
        let mut head = self.encode_to_vec();
        encode_key(BODY, WireType::LengthDelimited, &mut head);
        encode_varint(body.len() as u64, &mut head);
        Written { head, body }
    }

    pub fn needs(&self) -> Needs {
        Needs::new(
            self.needed_by.iter().zip(&self.needed_weight).map(|(consumer, weight)| (*consumer as usize, *weight)),
        )
    }

    pub fn received_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.received_at_unix_nano)
    }

    /// What the batch takes in memory without what the engine adds.
    pub fn held_bytes(&self) -> usize {
        self.body.len() + self.inflated_bytes as usize
    }

    /// The batch that was written; `None` where it is none, which a checksum that fits does not rule out for a file that
    /// another program wrote.
    pub fn into_batch(self) -> Option<Batch> {
        let signal = Signal::ALL.into_iter().find(|signal| number_of(*signal) == self.signal)?;
        let received_at = self.received_at();
        let (body, original) = match self.encoding {
            0 => (self.body, None),
            1 => (
                inflate(flate2::bufread::MultiGzDecoder::new(&self.body[..]), self.inflated_bytes)?,
                Some(Original { encoding: Encoding::Gzip, bytes: self.body }),
            ),
            2 => (
                inflate(zstd::stream::read::Decoder::with_buffer(&self.body[..]).ok()?, self.inflated_bytes)?,
                Some(Original { encoding: Encoding::Zstd, bytes: self.body }),
            ),
            _ => return None,
        };
        Some(Batch { signal, body, original, items: self.items, weight: self.weight, received_at })
    }
}

/// Inflates what was inflated once at the door: its size is known, and no more than that is read.
fn inflate(from: impl Read, bytes: u32) -> Option<Bytes> {
    let mut body = Vec::with_capacity((bytes as usize).min(INFLATED_BYTES_HINT_MAX));
    from.take(u64::from(bytes)).read_to_end(&mut body).ok()?;
    (body.len() == bytes as usize).then(|| body.into())
}

fn number_of(signal: Signal) -> u32 {
    match signal {
        Signal::Traces => 0,
        Signal::Metrics => 1,
        Signal::Logs => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn check(batch: Batch) {
        let needs = Needs::new([(0, 3), (5, 1)]);
        let Written { head, body } = Record::new(&batch, &needs).written();
        let record = Record::decode(Bytes::from([&head[..], &body[..]].concat())).unwrap();
        assert_eq!(record.needs(), needs);
        let read = record.into_batch().unwrap();
        assert_eq!((read.signal, &read.body, read.items, read.weight), (batch.signal, &batch.body, 2, 3));
        assert_eq!(read.received_at, batch.received_at);
        let bytes = |original: Option<Original>| original.map(|original| (original.encoding, original.bytes));
        assert_eq!(bytes(read.original), bytes(batch.original));
    }

    #[test]
    fn a_batch_comes_back_as_it_was() {
        let body = Bytes::from(b"telemetry ".repeat(100));
        let batch = |original| Batch {
            signal: Signal::Logs,
            body: body.clone(),
            original,
            items: 2,
            weight: 3,
            received_at: UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789),
        };
        check(batch(None));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&body).unwrap();
        check(batch(Some(Original { encoding: Encoding::Gzip, bytes: gzip.finish().unwrap().into() })));
        let zstd = zstd::encode_all(&body[..], 1).unwrap();
        check(batch(Some(Original { encoding: Encoding::Zstd, bytes: zstd.into() })));
    }

    #[test]
    fn a_body_that_is_not_what_it_says_is_no_batch() {
        let record =
            Record { encoding: 1, inflated_bytes: u32::MAX, body: Bytes::from_static(b"no"), ..Record::default() };
        assert!(record.into_batch().is_none());
        assert!(Record { encoding: 9, ..Record::default() }.into_batch().is_none());
        assert!(Record { signal: 9, ..Record::default() }.into_batch().is_none());
    }

    #[test]
    fn settled_positions_come_back_and_hostile_ones_end_quietly() {
        let settled = Settled::new(3, 100, &[7, 8, 50]);
        assert_eq!(settled.read(100).collect::<Vec<_>>(), [7, 8, 50]);
        assert_eq!(Settled { consumer: 0, positions: vec![101] }.read(100).count(), 0);
        assert_eq!(Settled { consumer: 0, positions: vec![1, u64::MAX, 1] }.read(100).count(), 1);
    }

    /// The file is what other programs read: each field of it is a field here.
    #[test]
    fn the_messages_are_those_of_the_proto_file() {
        let proto = include_str!("../../../proto/journal.proto");
        let source = include_str!("message.rs");
        let fields =
            proto.lines().filter_map(|line| line.trim().split_once(" = ")).filter(|(_, number)| number.ends_with(';'));
        let mut checked = 0;
        for (declaration, number) in fields.filter(|(declaration, _)| !declaration.starts_with("syntax")) {
            let name = declaration.rsplit(' ').next().unwrap();
            let tag = format!("tag = \"{}\")]\n    ", number.trim_end_matches(';'));
            let is_there =
                [format!("{tag}pub {name}:"), format!("{tag}{name}:")].iter().any(|field| source.contains(field));
            assert!(is_there, "{declaration} = {number}");
            checked += 1;
        }
        assert_eq!(checked, 23);
    }
}
