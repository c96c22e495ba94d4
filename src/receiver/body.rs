//! Reads a request's body into one buffer of just its size, under the request's limit and the budget of all.
//!
//! What a client declares is checked and otherwise not believed: the budget is charged for what has arrived, at most
//! twice that while the buffer doubles. Four clients that declare 64 MiB and fall silent cost nothing.

use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout_at};

use super::answer::{Refusal, Why};
use super::budget::{Charge, Exhausted};

/// A body that makes no progress for so long is given up.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(30);

/// The slowest that a body may come on average, once its first [`PROGRESS_TIMEOUT`] is over: one byte every 29 s is
/// progress too, and would hold what has arrived for years. The largest body has 69 minutes.
const BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

/// A client has so long to end a body that is refused, or to stop sending it.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// What a body may measure: the configured limit, and what its protocol puts in front.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub bytes_max: usize,
    pub prefix_bytes: usize,
}

/// Reads it all.
pub async fn read(body: &mut Incoming, limit: Limit, charge: &mut Charge) -> Result<Bytes, Refusal> {
    let bytes_max = limit.bytes_max.saturating_add(limit.prefix_bytes);
    let declared = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    // An undeclared body may grow to the limit.
    let bytes_expected = declared.unwrap_or(bytes_max);
    if bytes_expected > bytes_max {
        return Err(too_large(limit.bytes_max));
    }
    let started_at = Instant::now();
    let mut buffer: Vec<u8> = Vec::new();
    let mut charged = 0;
    loop {
        let deadline = deadline(started_at, Instant::now(), buffer.len());
        let frame = match timeout_at(deadline, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(Refusal::new(Why::Malformed, format!("the body ended early: {error}"))),
            Err(_) => return Err(slow(started_at.elapsed(), buffer.len())),
        };
        let Ok(data) = frame.into_data() else { continue };
        let bytes = buffer.len() + data.len();
        if bytes > bytes_max {
            return Err(too_large(limit.bytes_max));
        }
        if bytes > charged {
            // The budget is asked before the memory is; doubling keeps copies few.
            let room = (charged * 2).min(bytes_expected).max(bytes);
            charge.grow(room - charged).map_err(overloaded)?;
            charged = room;
            buffer.reserve_exact(room - buffer.len());
        }
        buffer.extend_from_slice(&data);
    }
    // The batch lives on in the journal: it must not hold what it does not use.
    if buffer.capacity() - buffer.len() > buffer.len() / 8 {
        buffer.shrink_to_fit();
    }
    Ok(buffer.into())
}

/// Reads on what nobody wants, for a while, while the answer goes out: a connection that is closed on unread bytes is reset,
/// and the reset overtakes the answer. HTTP/2 has a word for it and needs no reading.
pub fn discard(version: Version, mut body: Incoming) {
    if version >= Version::HTTP_2 || body.is_end_stream() {
        return;
    }
    tokio::spawn(async move {
        let rest = async { while let Some(Ok(_)) = body.frame().await {} };
        // Whoever is still sending then has had time to read the answer.
        let _ = tokio::time::timeout(DISCARD_TIMEOUT, rest).await;
    });
}

/// When the next bytes must be there.
fn deadline(started_at: Instant, now: Instant, bytes: usize) -> Instant {
    let earned = Duration::from_secs(bytes as u64 / BYTES_PER_SECOND_MIN);
    (now + PROGRESS_TIMEOUT).min(started_at + PROGRESS_TIMEOUT + earned)
}

fn slow(elapsed: Duration, bytes: usize) -> Refusal {
    let message = format!(
        "the body is too slow: {bytes} bytes in {} s; it must go on within {} s and make {BYTES_PER_SECOND_MIN} bytes/s",
        elapsed.as_secs(),
        PROGRESS_TIMEOUT.as_secs(),
    );
    Refusal::new(Why::Slow, message)
}

pub fn too_large(bytes_max: usize) -> Refusal {
    let message = format!(
        "the request is larger than {bytes_max} bytes (receivers.otlp.body_bytes_max), inflated bytes included"
    );
    Refusal::new(Why::TooLarge, message)
}

pub fn overloaded(Exhausted { bytes_max }: Exhausted) -> Refusal {
    let message = format!("the requests under way hold {bytes_max} bytes already (receivers.otlp.inflight_bytes_max)");
    Refusal::new(Why::Overloaded, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_grows_with_the_bytes_but_silence_has_its_own() {
        let start = Instant::now();
        let seconds = |now: u64, bytes: usize| {
            deadline(start, start + Duration::from_secs(now), bytes).duration_since(start).as_secs()
        };
        assert_eq!(seconds(0, 0), 30);
        assert_eq!(seconds(29, 1), 30, "a byte just in time buys nothing");
        assert_eq!(seconds(29, 160 * 1024), 40);
        assert_eq!(seconds(0, 64 << 20), 30, "however much has come, it must go on");
    }
}
