//! From the bytes of a request to a checked batch: inflate, JSON into protobuf, check, leave out what cannot pass.

use std::io::Read;
use std::time::SystemTime;

use bytes::Bytes;

use super::answer::{Accepted, Form, Refusal, Why};
use super::body::{overloaded, too_large};
use super::budget::Charge;
use crate::otlp::batch::{Encoding, Original};
use crate::otlp::check::{Census, check};
use crate::otlp::json::{self, Leniency, Transcoded};
use crate::otlp::{Batch, Signal, select};

/// The least that is asked of the budget at a time.
const INFLATE_STEP_BYTES_MIN: usize = 4 * 1024;

/// The largest window that a zstd frame may ask for, as a power of two: 8 MiB. <https://www.rfc-editor.org/rfc/rfc9659>
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Routing more items or data points than this leaves the async threads.
const INLINE_ITEMS_MAX: u32 = 5_000;

/// A request as it came.
#[derive(Debug)]
pub struct Raw {
    pub signal: Signal,
    pub form: Form,
    pub encoding: Option<Encoding>,
    pub bytes: Bytes,
}

/// A request read.
#[derive(Debug)]
pub struct Decoded {
    pub batch: Batch,
    pub accepted: Accepted,
    pub leniency: Leniency,
}

impl Raw {
    /// Whether reading it takes so long that it must leave the async threads: about half a millisecond.
    pub fn is_slow(&self) -> bool {
        let bytes_max = match (self.form, self.encoding) {
            // A frame of some hundred bytes can inflate to all that a body may have.
            (_, Some(Encoding::Zstd)) => 0,
            // Deflate makes a thousand bytes of one at most, ten as a rule.
            (_, Some(Encoding::Gzip | Encoding::Deflate)) => 8 * 1024,
            (Form::Json, None) => 128 * 1024,
            (Form::Protobuf | Form::Grpc, None) => 256 * 1024,
        };
        self.bytes.len() > bytes_max
    }
}

impl Decoded {
    /// Whether routing it takes so long that it must leave the async threads: the smallest items, and the smallest data
    /// points, are two bytes.
    pub fn is_slow(&self) -> bool {
        self.batch.items.max(self.batch.weight) > INLINE_ITEMS_MAX
    }
}

/// Reads a request. What it inflates to is charged for.
pub fn decode(raw: Raw, bytes_max: usize, charge: &mut Charge) -> Result<Decoded, Refusal> {
    let Raw { signal, form, encoding, bytes } = raw;
    let (plain, original) = match encoding {
        None => (bytes, None),
        Some(encoding) => {
            let plain = inflate(encoding, &bytes, bytes_max, charge)?;
            (Bytes::from(plain), Some(Original { encoding, bytes }))
        }
    };
    let (body, original, leniency) = if form == Form::Json {
        let transcoded = transcode(signal, &plain, bytes_max, charge)?;
        (Bytes::from(transcoded.body), None, transcoded.leniency)
    } else {
        (plain, original, Leniency::default())
    };
    let census = check(signal, &body).map_err(|malformed| {
        Refusal::new(Why::Malformed, format!("the body is no OTLP {signal} request: it {malformed}"))
    })?;
    let accepted = describe(signal, &census);
    let rejected = u32::try_from(accepted.rejected).unwrap_or(u32::MAX);
    let items = census.items - census.rejected.len() as u32;
    let (body, original) = if census.rejected.is_empty() {
        (body, original)
    } else {
        let mut rejected = census.rejected.iter().map(|rejected| rejected.index).peekable();
        (select(&body, |index| rejected.next_if_eq(&index).is_none()), None)
    };
    let batch =
        Batch { signal, body, original, items, weight: census.weight - rejected, received_at: SystemTime::now() };
    Ok(Decoded { batch, accepted, leniency })
}

/// Turns JSON into protobuf, which has the same limit and is charged for as well.
fn transcode(signal: Signal, text: &[u8], bytes_max: usize, charge: &mut Charge) -> Result<Transcoded, Refusal> {
    charge.grow(text.len()).map_err(overloaded)?;
    let (mut room, mut refusal) = (text.len(), None);
    let mut more_room = |bytes: usize| {
        let granted =
            if room >= bytes_max { Err(too_large(bytes_max)) } else { charge.grow(bytes).map_err(overloaded) };
        room += bytes;
        granted.map_err(|refused| refusal = Some(refused)).is_ok()
    };
    let read = json::read_within(signal, text, &mut more_room);
    let mut transcoded = match (read, refusal) {
        (Ok(transcoded), _) if transcoded.body.len() > bytes_max => return Err(too_large(bytes_max)),
        (Ok(transcoded), _) => transcoded,
        (Err(_), Some(refusal)) => return Err(refusal),
        (Err(error), None) => {
            let message = format!("the body is no OTLP/JSON {signal} request: {error}");
            return Err(Refusal::new(Why::Malformed, message));
        }
    };
    trim(&mut transcoded.body);
    Ok(transcoded)
}

/// Gives back memory that is not used: a batch lives on in the journal.
fn trim(bytes: &mut Vec<u8>) {
    if bytes.capacity() - bytes.len() > bytes.len() / 8 {
        bytes.shrink_to_fit();
    }
}

/// What the client is told of the items that were left out.
fn describe(signal: Signal, census: &Census) -> Accepted {
    let Some(first) = census.rejected.first() else { return Accepted::default() };
    let rejected = census.rejected.iter().map(|rejected| u64::from(rejected.weight)).sum();
    let message =
        format!("{rejected} {}(s) refused; the first is item {}: {}", signal.item_name(), first.index, first.flaw);
    Accepted { rejected, message }
}

fn inflate(encoding: Encoding, compressed: &[u8], bytes_max: usize, charge: &mut Charge) -> Result<Vec<u8>, Refusal> {
    use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
    let guess = compressed.len() * 4;
    let mut rest = compressed;
    let (mut from, hint): (Box<dyn Read + '_>, usize) = match encoding {
        Encoding::Gzip => (Box::new(MultiGzDecoder::new(compressed)), gzip_hint(compressed)),
        Encoding::Zstd => (Box::new(zstd_decoder(compressed)?), guess),
        // "deflate" means zlib; some senders leave the zlib header out, which shows in the first two bytes.
        Encoding::Deflate if is_zlib(compressed) => (Box::new(ZlibDecoder::new(&mut rest)), guess),
        Encoding::Deflate => (Box::new(DeflateDecoder::new(&mut rest)), guess),
    };
    let invalid =
        |why: String| Refusal::new(Why::Malformed, format!("the body is no valid {}: {why}", encoding.token()));
    let plain = inflate_from(&mut from, hint, bytes_max, charge).map_err(|error| match error {
        InflateError::Refused(refusal) => refusal,
        InflateError::Invalid(error) => invalid(error.to_string()),
    })?;
    drop(from);
    // The other two have their own say on what follows their end: gzip and zstd go on with the next member or frame.
    if encoding == Encoding::Deflate && !rest.is_empty() {
        return Err(invalid(format!("{} bytes follow its end", rest.len())));
    }
    Ok(plain)
}

fn zstd_decoder(compressed: &[u8]) -> Result<zstd::stream::read::Decoder<'static, &[u8]>, Refusal> {
    let internal = |error: std::io::Error| Refusal::new(Why::Internal, error.to_string());
    let mut decoder = zstd::stream::read::Decoder::with_buffer(compressed).map_err(internal)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(internal)?;
    Ok(decoder)
}

/// Why a body was not inflated.
enum InflateError {
    Refused(Refusal),
    Invalid(std::io::Error),
}

/// <https://www.rfc-editor.org/rfc/rfc1950#section-2.2>: method 8, and the two bytes are a multiple of 31.
fn is_zlib(compressed: &[u8]) -> bool {
    matches!(compressed, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
}

/// The size that the last member's trailer tells, as far as it can be true: telemetry shrinks to a tenth, not to less
/// than a fiftieth. <https://www.rfc-editor.org/rfc/rfc1952#page-5>
fn gzip_hint(compressed: &[u8]) -> usize {
    let told = compressed.last_chunk::<4>().map_or(0, |trailer| u32::from_le_bytes(*trailer) as usize);
    told.min(compressed.len() * 50)
}

/// Reads to the end, never holding more than was charged for. `hint` is how much is expected.
fn inflate_from(
    from: &mut dyn Read,
    hint: usize,
    bytes_max: usize,
    charge: &mut Charge,
) -> Result<Vec<u8>, InflateError> {
    let mut plain = Vec::new();
    let mut filled = 0;
    // One byte more than is expected, to see the end without growing.
    let mut step = (hint + 1).clamp(INFLATE_STEP_BYTES_MIN, bytes_max.max(INFLATE_STEP_BYTES_MIN));
    loop {
        if filled == plain.len() {
            step = step.min(bytes_max + 1 - filled);
            if step == 0 {
                return Err(InflateError::Refused(too_large(bytes_max)));
            }
            // The budget is asked before the memory is; doubling keeps copies few.
            charge.grow(step).map_err(|exhausted| InflateError::Refused(overloaded(exhausted)))?;
            plain.resize(filled + step, 0);
            step = plain.len();
        }
        match from.read(&mut plain[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(InflateError::Invalid(error)),
        }
    }
    if filled > bytes_max {
        return Err(InflateError::Refused(too_large(bytes_max)));
    }
    plain.truncate(filled);
    trim(&mut plain);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::wire::put_bytes;
    use crate::receiver::budget::Budget;

    #[test]
    fn a_metric_of_very_many_points_leaves_the_async_threads() {
        let is_slow = |points: u32| {
            let (mut metric, mut scope, mut group, mut body) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            put_bytes(&mut metric, 5, &[0x0a, 0].repeat(points as usize));
            put_bytes(&mut scope, 2, &metric);
            put_bytes(&mut group, 2, &scope);
            put_bytes(&mut body, 1, &group);
            let raw = Raw { signal: Signal::Metrics, form: Form::Protobuf, encoding: None, bytes: body.into() };
            decode(raw, usize::MAX, &mut Budget::new(0).charge()).unwrap().is_slow()
        };
        assert!(!is_slow(INLINE_ITEMS_MAX));
        assert!(is_slow(INLINE_ITEMS_MAX + 1));
    }

    #[test]
    fn only_what_is_surely_quick_stays_on_the_async_threads() {
        let is_slow = |form, encoding, bytes| {
            Raw { signal: Signal::Logs, form, encoding, bytes: vec![0; bytes].into() }.is_slow()
        };
        for (form, encoding, bytes_max) in [
            (Form::Protobuf, None, 256 * 1024),
            (Form::Grpc, None, 256 * 1024),
            (Form::Json, None, 128 * 1024),
            (Form::Json, Some(Encoding::Gzip), 8 * 1024),
            (Form::Grpc, Some(Encoding::Deflate), 8 * 1024),
            (Form::Protobuf, Some(Encoding::Zstd), 0),
        ] {
            assert!(!is_slow(form, encoding, bytes_max), "{form:?} {encoding:?}");
            assert!(is_slow(form, encoding, bytes_max + 1), "{form:?} {encoding:?}");
        }
    }
}
