//! What X-Ray's answers mean.

use std::time::Duration;

use crate::exporter::contract::{Fate, Outcome, Reason};

/// What to do about an entry of UnprocessedTraceSegments, by its ErrorCode; codes without a row are retried.
/// <https://docs.aws.amazon.com/xray/latest/api/API_UnprocessedTraceSegment.html> names none; these were seen in the issue
/// trackers of the X-Ray daemon, the SDKs and the Collector (read 2026-11).
const UNPROCESSED: [(&str, Fate); 9] = [
    ("InvalidTraceId", Fate::Drop("invalid_trace_id")),
    ("InvalidName", Fate::Drop("invalid_name")),
    ("MissingParentId", Fate::Drop("missing_parent_id")),
    ("InvalidSegment", Fate::Drop("invalid_segment")),
    ("MissingParam", Fate::Drop("invalid_segment")),
    ("JSONFormatError", Fate::Drop("invalid_segment")),
    ("ThrottledException", Fate::Retry),
    ("InternalFailure", Fate::Retry),
    ("ServiceUnavailable", Fate::Retry),
];

/// What becomes of a segment that X-Ray did not process. A code that nobody has seen yet, or none, says nothing against
/// trying again: a segment replaces itself, so nothing is counted twice.
pub(super) fn unprocessed(code: Option<&str>) -> Fate {
    UNPROCESSED.iter().find(|(known, _)| Some(*known) == code).map_or(Fate::Retry, |(_, fate)| *fate)
}

/// Error codes that say who asks, when, or with what right, under whatever status: a person must mend the credentials, the
/// policy or the clock, and no segment is at fault. A row is the beginning of a code, as the same fault ends in
/// `Exception`, in `Failure` or in nothing, depending on the protocol.
/// <https://docs.aws.amazon.com/xray/latest/api/CommonErrors.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html> (read 2026-11).
const CREDENTIALS: [&str; 14] = [
    "AccessDenied",
    "AuthFailure",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignature",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClient",
];

fn is_credentials(code: &str) -> bool {
    CREDENTIALS.iter().any(|start| code.starts_with(start))
}

fn is_throttle(code: &str) -> bool {
    code.starts_with("Throttl") || code == "RequestLimitExceeded" || code == "TooManyRequestsException"
}

/// What to do about a status whose error code says nothing by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Retry,
    Unauthorized,
    TooLarge,
    Refused(Reason),
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html#API_PutTraceSegments_Errors> (read 2026-11).
/// Other codes: see [`verdict`].
const VERDICTS: [(u16, Verdict); 7] = [
    (400, Verdict::Refused("refused_400")), // one bad document can poison fifty
    (401, Verdict::Unauthorized),
    (403, Verdict::Unauthorized),
    (404, Verdict::Unauthorized), // a wrong URL: nothing is lost while a person mends the configuration
    (408, Verdict::Retry),
    (413, Verdict::TooLarge),
    (429, Verdict::Retry),
];

fn verdict(status: u16) -> Verdict {
    VERDICTS.iter().find(|(known, _)| *known == status).map_or(
        match status {
            // An answer that could not be read, or is too long; a segment replaces itself, so it may be sent again.
            200..300 => Verdict::Retry,
            300..400 => Verdict::Unauthorized, // not followed: the signature holds for one host
            500.. => Verdict::Retry,
            _ => Verdict::Refused("refused_4xx"),
        },
        |(_, verdict)| *verdict,
    )
}

/// What to do about a request that was not taken, by error code and status.
pub(super) fn of_error(status: u16, code: &str, message: String, after: Option<Duration>) -> Outcome {
    if is_throttle(code) {
        return Outcome::Retry { after, message };
    }
    if is_credentials(code) {
        return Outcome::Unauthorized { message };
    }
    match verdict(status) {
        Verdict::Retry => Outcome::Retry { after, message },
        Verdict::Unauthorized => Outcome::Unauthorized { message },
        Verdict::TooLarge => Outcome::TooLarge { message },
        Verdict::Refused(reason) => Outcome::Refused { reason, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, code: &str) -> Outcome {
        of_error(status, code, String::new(), None)
    }

    #[test]
    fn every_row_of_the_tables_is_what_the_lookup_gives() {
        for (code, fate) in UNPROCESSED {
            assert_eq!(unprocessed(Some(code)), fate, "{code}");
        }
        for code in CREDENTIALS {
            for status in [400, 403, 500] {
                let expected = Outcome::Unauthorized { message: String::new() };
                assert_eq!(outcome(status, code), expected, "{status} {code}");
                assert_eq!(outcome(status, &format!("{code}Exception")), expected, "{status} {code}Exception");
            }
        }
        for (status, expected) in VERDICTS {
            assert_eq!(verdict(status), expected, "{status}");
        }
    }

    #[test]
    fn what_has_no_row_is_retried_where_that_may_help() {
        assert_eq!(unprocessed(Some("ThrottlingException")), Fate::Retry);
        assert_eq!(unprocessed(Some("SomethingNew")), Fate::Retry);
        assert_eq!(unprocessed(None), Fate::Retry);
        assert_eq!(verdict(200), Verdict::Retry);
        assert_eq!(verdict(302), Verdict::Unauthorized);
        assert_eq!(verdict(418), Verdict::Refused("refused_4xx"));
        assert_eq!(verdict(503), Verdict::Retry);
    }

    #[test]
    fn throttling_is_retried_whatever_its_status() {
        let retry = Outcome::Retry { after: None, message: String::new() };
        for status in [400, 403, 429] {
            assert_eq!(outcome(status, "ThrottledException"), retry);
        }
        assert_eq!(
            outcome(400, "InvalidRequestException"),
            Outcome::Refused { reason: "refused_400", message: String::new() }
        );
    }
}
