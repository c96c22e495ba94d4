//! Counts the spans of an `ExportTraceServiceRequest` while its bytes stream by, without keeping them.
//!
//! Only three levels of field tags are read; everything else is stepped over:
//!
//! ```text
//! request      1: ResourceSpans (message)
//!                2: ScopeSpans (message)
//!                  2: Span (message)            counted, contents stepped over
//! ```
//!
//! A concatenation of requests is a request, so merged bodies count alike. Bytes that do not fit are an error, never a
//! wrong number: the sink then refuses the request, and the run shows it.
//! Field numbers: <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>.

use std::io;

const FIELD_PER_LEVEL: [u64; 3] = [1, 2, 2];
const WIRE_VARINT: u64 = 0;
const WIRE_FIXED64: u64 = 1;
const WIRE_BYTES: u64 = 2;
const WIRE_FIXED32: u64 = 5;

enum Want {
    Tag,
    Length { field: u64 },
    VarintValue,
    Skip { left: u64 },
}

/// A reader of one request body; feed it with [`io::Write`], then ask [`SpanCounter::finish`].
pub struct SpanCounter {
    want: Want,
    varint: u64,
    varint_bits: u32,
    /// Bytes left in each message that is open, outermost first; the request itself has no known end.
    open: Vec<u64>,
    spans: u64,
}

impl SpanCounter {
    pub fn new() -> Self {
        Self { want: Want::Tag, varint: 0, varint_bits: 0, open: Vec::with_capacity(FIELD_PER_LEVEL.len()), spans: 0 }
    }

    /// Returns the number of spans, or what is missing at the end of the body.
    pub fn finish(&self) -> io::Result<u64> {
        if self.open.is_empty() && self.varint_bits == 0 && matches!(self.want, Want::Tag) {
            return Ok(self.spans);
        }
        Err(malformed("the body ends inside a message"))
    }

    fn feed(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if let Want::Skip { left } = &mut self.want {
                let step = (*left).min(bytes.len() as u64);
                *left -= step;
                let done = *left == 0;
                bytes = &bytes[step as usize..];
                self.consume(step)?;
                if done {
                    self.want_next_tag();
                }
                continue;
            }
            let byte = bytes[0];
            bytes = &bytes[1..];
            self.consume(1)?;
            if self.varint_bits > 63 {
                return Err(malformed("a varint is longer than ten bytes"));
            }
            self.varint |= u64::from(byte & 0x7f) << self.varint_bits;
            self.varint_bits += 7;
            if byte & 0x80 == 0 {
                let value = std::mem::take(&mut self.varint);
                self.varint_bits = 0;
                self.take_varint(value)?;
            }
        }
        Ok(())
    }

    fn take_varint(&mut self, value: u64) -> io::Result<()> {
        match self.want {
            Want::Tag => {
                let field = value >> 3;
                match value & 7 {
                    WIRE_VARINT => self.want = Want::VarintValue,
                    WIRE_BYTES => self.want = Want::Length { field },
                    WIRE_FIXED64 => self.skip(8)?,
                    WIRE_FIXED32 => self.skip(4)?,
                    _ => return Err(malformed("an unknown wire type")),
                }
            }
            Want::VarintValue => self.want_next_tag(),
            Want::Length { field } => self.enter_or_skip(field, value)?,
            Want::Skip { .. } => unreachable!("a skip reads no varint"),
        }
        Ok(())
    }

    fn enter_or_skip(&mut self, field: u64, length: u64) -> io::Result<()> {
        let level = self.open.len();
        if field != FIELD_PER_LEVEL[level] {
            return self.skip(length);
        }
        if level + 1 == FIELD_PER_LEVEL.len() {
            self.spans += 1;
            return self.skip(length);
        }
        self.check_room(length)?;
        self.open.push(length);
        self.want_next_tag();
        Ok(())
    }

    fn skip(&mut self, left: u64) -> io::Result<()> {
        self.check_room(left)?;
        if left == 0 {
            self.want_next_tag();
        } else {
            self.want = Want::Skip { left };
        }
        Ok(())
    }

    fn check_room(&self, length: u64) -> io::Result<()> {
        match self.open.last() {
            Some(left) if length > *left => Err(malformed("a field is longer than its message")),
            _ => Ok(()),
        }
    }

    fn want_next_tag(&mut self) {
        self.want = Want::Tag;
        while self.open.last() == Some(&0) {
            self.open.pop();
        }
    }

    fn consume(&mut self, bytes: u64) -> io::Result<()> {
        for left in &mut self.open {
            *left = left.checked_sub(bytes).ok_or_else(|| malformed("a message ends inside a field"))?;
        }
        Ok(())
    }
}

impl io::Write for SpanCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.feed(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
