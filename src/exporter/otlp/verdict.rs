//! What an OTLP receiver's answer means.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

use crate::exporter::contract::{Outcome, Reason};
use crate::exporter::http::{retry_after, status_message};
use crate::otlp::wire::{Fields, text};

/// What to do about a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Retry,
    Unauthorized,
    TooLarge,
    Refused(Reason),
}

/// `refused_400` is about what the request holds, so that delivery looks for the item at fault by halving. `refused_4xx`
/// and `refused_5xx` are about the receiver: halves would fare alike.
/// <https://opentelemetry.io/docs/specs/otlp/#failures-1> and, for Honeycomb's own answers,
/// <https://docs.honeycomb.io/api/tag/Events> (read 2026-11). Codes without a row: see [`verdict`].
pub(super) const VERDICTS: [(u16, Verdict); 12] = [
    (200, Verdict::Accepted),
    (202, Verdict::Accepted),
    (204, Verdict::Accepted),
    (400, Verdict::Refused("refused_400")),
    (401, Verdict::Unauthorized),
    (403, Verdict::Unauthorized),
    (404, Verdict::Unauthorized), // a wrong path or dataset: nothing is lost while a person mends the configuration
    (413, Verdict::TooLarge),
    (429, Verdict::Retry),
    (502, Verdict::Retry),
    (503, Verdict::Retry),
    (504, Verdict::Retry),
];

pub(super) fn verdict(status: StatusCode) -> Verdict {
    let row = VERDICTS.iter().find(|(code, _)| *code == status.as_u16());
    row.map_or_else(
        || {
            if status.is_success() {
                Verdict::Accepted
            } else if status.is_redirection() {
                Verdict::Unauthorized // not followed: it would carry the key elsewhere
            } else if status.is_server_error() {
                Verdict::Refused("refused_5xx") // the specification forbids to retry all but the four above
            } else {
                Verdict::Refused("refused_4xx")
            }
        },
        |(_, verdict)| *verdict,
    )
}

/// Reads an answer.
pub(super) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
    let is_protobuf = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("protobuf"));
    let message = || status_message(status.as_u16(), &error_text(body, is_protobuf));
    match verdict(status) {
        Verdict::Accepted if is_protobuf => partial_success(body),
        Verdict::Accepted => json_partial_success(body),
        Verdict::Retry => {
            let after = retry_after(headers, SystemTime::now()).filter(|after| *after > Duration::ZERO);
            Outcome::Retry { after, message: message() }
        }
        Verdict::Unauthorized => Outcome::Unauthorized { message: message() },
        Verdict::TooLarge => Outcome::TooLarge { message: message() },
        Verdict::Refused(reason) => Outcome::Refused { reason, message: message() },
    }
}

/// `Export…ServiceResponse`: field 1 is partial_success { 1: rejected, 2: error_message }.
fn partial_success(body: &[u8]) -> Outcome {
    let (mut rejected, mut message) = (0u64, "");
    for (number, wire) in Fields::new(body) {
        if number == 1 {
            for (number, wire) in Fields::new(wire.bytes()) {
                match number {
                    1 => rejected = wire.number(),
                    2 => message = wire.text(),
                    _ => {}
                }
            }
        }
    }
    accepted_less(rejected, message)
}

fn json_partial_success(body: &[u8]) -> Outcome {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = &answer["partialSuccess"];
    let rejected = ["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"]
        .iter()
        .filter_map(|key| partial.get(key))
        .find_map(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()))
        .unwrap_or(0);
    accepted_less(rejected, partial["errorMessage"].as_str().unwrap_or_default())
}

fn accepted_less(rejected: u64, message: &str) -> Outcome {
    // Old Go servers and hostile ones may send negative counts, which read as huge numbers: they mean nothing.
    match u32::try_from(rejected) {
        Ok(0) | Err(_) => Outcome::Accepted { except: Vec::new() },
        Ok(rejected) => Outcome::AcceptedLess { rejected, message: message.to_owned() },
    }
}

/// The words of an error: google.rpc.Status in protobuf, or whatever text a proxy wrote.
fn error_text(body: &[u8], is_protobuf: bool) -> String {
    if is_protobuf {
        return Fields::new(body)
            .find(|(number, _)| *number == 2)
            .map(|(_, wire)| wire.text().to_owned())
            .unwrap_or_default();
    }
    if let Ok(answer) = serde_json::from_slice::<serde_json::Value>(body)
        && let Some(message) = answer.get("message").or_else(|| answer.get("error")).and_then(|value| value.as_str())
    {
        return message.to_owned();
    }
    text(body).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_what_the_lookup_gives() {
        for (code, expected) in VERDICTS {
            assert_eq!(verdict(StatusCode::from_u16(code).unwrap()), expected, "{code}");
        }
        assert_eq!(verdict(StatusCode::INTERNAL_SERVER_ERROR), Verdict::Refused("refused_5xx"));
        assert_eq!(verdict(StatusCode::NOT_IMPLEMENTED), Verdict::Refused("refused_5xx"));
        assert_eq!(verdict(StatusCode::REQUEST_TIMEOUT), Verdict::Refused("refused_4xx"));
        assert_eq!(verdict(StatusCode::FOUND), Verdict::Unauthorized);
    }

    #[test]
    fn success_is_read_in_every_form_that_servers_send() {
        let read = |content_type: &str, body: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::CONTENT_TYPE, content_type.parse().unwrap());
            read(StatusCode::OK, &headers, body)
        };
        let accepted = Outcome::Accepted { except: Vec::new() };
        let less = Outcome::AcceptedLess { rejected: 5, message: "too old".to_owned() };
        assert_eq!(read("application/x-protobuf", b""), accepted);
        assert_eq!(read("application/x-protobuf", b"\x0a\x00"), accepted);
        assert_eq!(read("application/x-protobuf", b"\x0a\x0b\x08\x05\x12\x07too old"), less);
        assert_eq!(read("application/json", b"{}"), accepted);
        assert_eq!(
            read("application/json", br#"{"partialSuccess":{"rejectedSpans":"5","errorMessage":"too old"}}"#),
            less
        );
        assert_eq!(read("text/html", b"<html>fine</html>"), accepted);
        // Cut off behind its head: what is missing means accepted.
        assert_eq!(read("application/x-protobuf", b"\x0a\x0b\x08"), accepted);
        assert_eq!(read("application/json", br#"{"partialSuccess":{"rejectedSpans":"5""#), accepted);
    }

    #[test]
    fn a_message_says_first_what_a_wrong_url_is() {
        let message =
            |status: u16, body: &[u8]| match read(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body) {
                Outcome::Unauthorized { message } => message,
                other => panic!("{other:?}"),
            };
        assert_eq!(message(404, b"no such page"), "404: nothing is served at this URL: no such page");
        assert_eq!(message(308, b""), "308: redirects are not followed");
        assert_eq!(message(401, b"unknown API key"), "401: unknown API key");
    }
}
