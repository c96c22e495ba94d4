//! Ids and times as X-Ray writes them.

use super::json::Json;
use crate::otlp::{SpanId, TraceId};

/// Reads `1-` 8 digits `-` 24 digits. Zeros in front of the first part may be missing, digits may be capitals.
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids> (read 2026-11)
pub fn trace_id(text: &str) -> Option<TraceId> {
    let (time, rest) = match text.strip_prefix("1-") {
        Some(parts) => parts.split_once('-')?,
        // W3C's form, which some clients of the API send.
        None => text.split_at_checked(8)?,
    };
    let mut bytes = [0; 16];
    put_hex(time, &mut bytes[..4])?;
    (rest.len() == 24).then(|| put_hex(rest, &mut bytes[4..]))??;
    TraceId::parse(&bytes)
}

/// Reads 16 digits.
pub fn span_id(text: &str) -> Option<SpanId> {
    let mut bytes = [0; 8];
    (text.len() == 16).then(|| put_hex(text, &mut bytes))??;
    SpanId::parse(&bytes)
}

/// Fills bytes from the end with the digits of a text that has no more of them.
fn put_hex(digits: &str, bytes: &mut [u8]) -> Option<()> {
    if digits.is_empty() || digits.len() > 2 * bytes.len() {
        return None;
    }
    let last = bytes.len() - 1;
    for (place, digit) in digits.bytes().rev().enumerate() {
        let value = char::from(digit).to_digit(16)? as u8;
        bytes[last - place / 2] |= value << (4 * (place % 2));
    }
    Some(())
}

/// Reads seconds since 1970 as nanoseconds: those of the shortest decimal that the number stands for, so that writing them
/// out gives the same number again. `None` for what is no time of the years 1970 to 2554.
pub fn nanoseconds(value: &Json<'_>) -> Option<u64> {
    const BILLION: u64 = 1_000_000_000;
    match value {
        Json::Int(seconds) => u64::try_from(*seconds).ok()?.checked_mul(BILLION),
        Json::Double(seconds) if *seconds >= 0.0 && *seconds < (u64::MAX / BILLION) as f64 => decimal(&seconds.to_string()),
        Json::Str(text) if text.len() <= 40 => {
            let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            is_decimal.then(|| decimal(text))?
        }
        _ => None,
    }
}

fn decimal(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: u64 = seconds.parse().ok()?;
    let mut nanoseconds = 0;
    for place in 0..9 {
        let digit = fraction.as_bytes().get(place).map_or(0, |digit| digit - b'0');
        nanoseconds = nanoseconds * 10 + u64::from(digit);
    }
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids_are_read_in_every_form_that_is_seen() {
        let digits = "4bf92f3577b34da6a3ce929d0e0e4736";
        for text in [
            "1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "1-4BF92F35-77B34DA6A3CE929D0E0E4736",
            digits,
        ] {
            assert_eq!(trace_id(text).unwrap().to_string(), digits);
        }
        assert_eq!(
            trace_id("1-f84c7a1-e7d1852db8c4fd35d88bf49a").unwrap().to_string(),
            "0f84c7a1e7d1852db8c4fd35d88bf49a"
        );
        let broken = [
            "",
            "1-",
            "1--",
            "1-4bf92f35-77b34da6a3ce929d0e0e473",
            "1-4bf92f35-77b34da6a3ce929d0e0e47361",
            "1-4bf92f355-77b34da6a3ce929d0e0e4736",
            "1--77b34da6a3ce929d0e0e4736",
            "1-4bf92f3g-77b34da6a3ce929d0e0e4736",
            "2-4bf92f35-77b34da6a3ce929d0e0e4736",
            "1-00000000-000000000000000000000000",
            "1-4bf92f35-77b34da6a3ce929d0e0é47",
            "éééééééééééééééééééééééé",
        ];
        for text in broken {
            assert_eq!(trace_id(text), None, "{text}");
        }
    }

    #[test]
    fn span_ids_have_sixteen_digits() {
        assert_eq!(span_id("00F067aa0ba902b7").unwrap().to_string(), "00f067aa0ba902b7");
        for text in ["", "00f067aa0ba902b", "00f067aa0ba902b70", "0000000000000000", "00f067aa0ba902bx", "éééééééé"] {
            assert_eq!(span_id(text), None, "{text}");
        }
    }

    #[test]
    fn times_keep_every_digit() {
        let cases = [
            (Json::Double(1_596_566_305.535_414), 1_596_566_305_535_414_000),
            (Json::Double(1_596_566_305.592_854_5), 1_596_566_305_592_854_500),
            (Json::Int(1_596_566_305), 1_596_566_305_000_000_000),
            (Json::Str("1596566305.5".into()), 1_596_566_305_500_000_000),
            (Json::Double(0.0), 0),
        ];
        for (value, expected) in cases {
            assert_eq!(nanoseconds(&value), Some(expected));
        }
        for value in [
            Json::Double(-1.0),
            Json::Double(1e300),
            Json::Double(f64::NAN),
            Json::Int(-1),
            Json::Int(i64::MAX),
            Json::Str("soon".into()),
            Json::Str("1.x".into()),
            Json::Bool(true),
        ] {
            assert_eq!(nanoseconds(&value), None, "{value:?}");
        }
    }
}
