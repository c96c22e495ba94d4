//! gRPC's framing of one unary message: a flag, a length, the message.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::time::Duration;

use bytes::{Buf, Bytes};
use http::HeaderMap;

use super::answer::{Refusal, Why};
use super::body::too_large;
use crate::otlp::batch::Encoding;

/// Bytes in front of a message.
pub const PREFIX_BYTES: usize = 5;

/// Takes the one message out of a unary request's body.
pub fn unframe(
    mut body: Bytes,
    encoding: Option<Encoding>,
    bytes_max: usize,
) -> Result<(Bytes, Option<Encoding>), Refusal> {
    if body.is_empty() {
        return Err(Refusal::new(Why::Malformed, "the request has no message"));
    }
    if body.len() < PREFIX_BYTES {
        return Err(Refusal::new(Why::GrpcFraming, "the message's prefix is cut off"));
    }
    let compressed = match body.get_u8() {
        0 => false,
        1 => true,
        other => return Err(Refusal::new(Why::GrpcFraming, format!("the message's flag is {other}, not 0 or 1"))),
    };
    let length = body.get_u32() as usize;
    if length > bytes_max {
        return Err(too_large(bytes_max));
    }
    if body.len() < length {
        return Err(Refusal::new(Why::GrpcFraming, format!("the message has {} bytes of {length}", body.len())));
    }
    if body.len() > length {
        return Err(Refusal::new(Why::GrpcFraming, "the request has more than one message"));
    }
    match (compressed, encoding) {
        (true, None) => Err(Refusal::new(Why::GrpcFraming, "the message is compressed, but there is no grpc-encoding")),
        (true, encoding) => Ok((body, encoding)),
        (false, _) => Ok((body, None)),
    }
}

/// The time that the client gives the call; `None` where it sets none or writes it wrong.
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_taken_out_of_its_frame() {
        let unframe = |bytes: &'static [u8], encoding| {
            unframe(Bytes::from_static(bytes), encoding, 100).map_err(|refusal| refusal.why)
        };
        let gzip = Some(Encoding::Gzip);
        assert_eq!(unframe(&[0, 0, 0, 0, 2, 7, 8], None), Ok((Bytes::from_static(&[7, 8]), None)));
        assert_eq!(unframe(&[0, 0, 0, 0, 0], gzip), Ok((Bytes::new(), None)));
        assert_eq!(unframe(&[1, 0, 0, 0, 1, 9], gzip), Ok((Bytes::from_static(&[9]), gzip)));
        assert_eq!(unframe(&[1, 0, 0, 0, 1, 9], None), Err(Why::GrpcFraming));
        assert_eq!(unframe(&[], None), Err(Why::Malformed));
        assert_eq!(unframe(&[0, 0, 0], None), Err(Why::GrpcFraming));
        assert_eq!(unframe(&[2, 0, 0, 0, 0], None), Err(Why::GrpcFraming));
        assert_eq!(unframe(&[0, 0, 0, 0, 2, 7], None), Err(Why::GrpcFraming));
        assert_eq!(unframe(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0], None), Err(Why::GrpcFraming));
        assert_eq!(unframe(&[0, 0, 0, 0, 100, 1], None), Err(Why::GrpcFraming));
        assert_eq!(unframe(&[0, 0, 0, 0, 101, 1], None), Err(Why::TooLarge), "by what it declares, cut off or not");
        assert_eq!(unframe(&[0, 255, 255, 255, 255, 1], None), Err(Why::TooLarge));
    }

    #[test]
    fn a_timeout_has_up_to_eight_digits_and_a_unit() {
        let timeout = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", value.parse().unwrap());
            timeout(&headers)
        };
        assert_eq!(timeout("1H"), Some(Duration::from_hours(1)));
        assert_eq!(timeout("10S"), Some(Duration::from_secs(10)));
        assert_eq!(timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(timeout("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for wrong in ["", "S", "123456789S", "-1S", "1x", "1.5S", "é"] {
            assert_eq!(timeout(wrong), None, "{wrong}");
        }
    }
}
