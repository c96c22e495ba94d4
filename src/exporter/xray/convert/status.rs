//! From HTTP status, RPC status, AWS error and span status to X-Ray's three marks.
//!
//! Source of the marks' meaning: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-errors>.

use super::facts::Facts;
use super::http::STATUS;
use super::shape::is_aws_sdk;
use super::slots::{Slot as S, mask};
use super::writer::{Writer, key};
use crate::otlp::Span;
use crate::otlp::span::{SpanKind, StatusCode};

/// What went wrong, as far as X-Ray tells it apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// The caller's fault.
    pub error: bool,
    /// The caller asked too often; always an error too.
    pub throttle: bool,
    /// The callee's fault.
    pub fault: bool,
}

const NONE: Marks = Marks { error: false, throttle: false, fault: false };
const ERROR: Marks = Marks { error: true, ..NONE };
const THROTTLE: Marks = Marks { error: true, throttle: true, fault: false };
const FAULT: Marks = Marks { fault: true, ..NONE };

/// gRPC's codes. <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>
#[rustfmt::skip]
const RPC: &[(i64, &str, Marks)] = &[
    (0,  "OK",                  NONE),
    (1,  "CANCELLED",           ERROR),
    (2,  "UNKNOWN",             FAULT),
    (3,  "INVALID_ARGUMENT",    ERROR),
    (4,  "DEADLINE_EXCEEDED",   FAULT),
    (5,  "NOT_FOUND",           ERROR),
    (6,  "ALREADY_EXISTS",      ERROR),
    (7,  "PERMISSION_DENIED",   ERROR),
    (8,  "RESOURCE_EXHAUSTED",  THROTTLE),
    (9,  "FAILED_PRECONDITION", ERROR),
    (10, "ABORTED",             FAULT),
    (11, "OUT_OF_RANGE",        ERROR),
    (12, "UNIMPLEMENTED",       FAULT),
    (13, "INTERNAL",            FAULT),
    (14, "UNAVAILABLE",         FAULT),
    (15, "DATA_LOSS",           FAULT),
    (16, "UNAUTHENTICATED",     ERROR),
    (1,  "CANCELED",            ERROR), // as Connect writes it: https://connectrpc.com/docs/protocol/#error-codes
];

/// Where an RPC's code is found.
const RPC_CODES: [S; 4] = [S::RpcStatusCode, S::RpcResponseStatusCode, S::RpcGrpcStatusCode, S::RpcConnectErrorCode];

/// How AWS services say that they were asked too often.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
const THROTTLES: &[&str] = &[
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "SlowDown",
    "RequestThrottled",
];

impl Marks {
    /// Judges a span. `exception_types` are the types of its recorded exceptions; `strict` looks at HTTP status and span
    /// status alone.
    pub fn judge<'t>(
        facts: &Facts<'t>,
        span: &Span<'_>,
        exception_types: impl IntoIterator<Item = &'t str>,
        strict: bool,
    ) -> Self {
        let failed = span.status.code == StatusCode::Error;
        let http = STATUS.into_iter().find_map(|slot| facts.value(slot).as_int());
        if !strict && (span.kind == SpanKind::Client || is_aws_sdk(facts)) {
            let mut types = facts.text(S::ErrorType).into_iter().chain(exception_types);
            if types.any(is_throttle) {
                return THROTTLE;
            }
        }
        match http {
            Some(429) => THROTTLE,
            Some(400..=499) => ERROR,
            Some(500..=599) => FAULT,
            None if !strict => match rpc(facts) {
                Some(marks) if marks != NONE => marks,
                _ if failed => FAULT,
                _ => NONE,
            },
            _ if failed => FAULT,
            _ => NONE,
        }
    }

    /// Writes the marks that are set.
    #[inline]
    pub fn write(self, writer: &mut Writer<'_>) {
        if self.error {
            key!(writer, "error");
            writer.bool(true);
        }
        if self.throttle {
            key!(writer, "throttle");
            writer.bool(true);
        }
        if self.fault {
            key!(writer, "fault");
            writer.bool(true);
        }
    }
}

/// What an RPC's code means; `None` where none was sent, or one that is no gRPC code.
fn rpc(facts: &Facts<'_>) -> Option<Marks> {
    if !facts.has_any(mask(&RPC_CODES)) {
        return None;
    }
    RPC_CODES.into_iter().find_map(|slot| {
        let value = facts.value(slot);
        let (number, text) = (value.as_int(), value.as_str());
        let is_meant = |row: &&(i64, &str, Marks)| {
            number == Some(row.0) || text.is_some_and(|text| row.1.eq_ignore_ascii_case(text))
        };
        RPC.iter().find(is_meant).map(|row| row.2)
    })
}

/// Whether a type, qualified as its language does, is one of the throttles.
fn is_throttle(class: &str) -> bool {
    let name = class.rsplit(['.', '#', '$', ':', '/']).next().unwrap_or_default();
    THROTTLES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::Value;
    use crate::otlp::span::Status;

    fn judged(kind: SpanKind, code: StatusCode, slots: &[(S, Value<'_>)], strict: bool) -> Marks {
        let mut facts = Facts::default();
        for (slot, value) in slots {
            facts.put(*slot, *value);
        }
        let span = Span { kind, status: Status { code, message: "" }, ..Span::default() };
        Marks::judge(&facts, &span, [], strict)
    }

    #[test]
    fn http_comes_before_the_span_status() {
        let cases = [
            (Some(404), StatusCode::Unset, ERROR),
            (Some(429), StatusCode::Ok, THROTTLE),
            (Some(503), StatusCode::Unset, FAULT),
            (Some(200), StatusCode::Error, FAULT),
            (None, StatusCode::Error, FAULT),
            (Some(302), StatusCode::Ok, NONE),
            (None, StatusCode::Unset, NONE),
        ];
        for (http, code, expected) in cases {
            for slot in STATUS {
                let slots: Vec<_> = http.map(|status| (slot, Value::Int(status))).into_iter().collect();
                assert_eq!(judged(SpanKind::Server, code, &slots, false), expected);
                assert_eq!(judged(SpanKind::Server, code, &slots, true), expected);
            }
        }
    }

    #[test]
    fn every_rpc_code_is_read_in_every_spelling() {
        for (number, name, expected) in RPC {
            let lower = name.to_lowercase();
            for value in [Value::Int(*number), Value::Str(name), Value::Str(&lower)] {
                assert_eq!(judged(SpanKind::Client, StatusCode::Unset, &[(S::RpcStatusCode, value)], false), *expected);
            }
        }
        let not_found = [(S::RpcGrpcStatusCode, Value::Int(5))];
        assert_eq!(judged(SpanKind::Client, StatusCode::Error, &not_found, false), ERROR);
        assert_eq!(judged(SpanKind::Client, StatusCode::Error, &not_found, true), FAULT);
        let odd = [(S::RpcStatusCode, Value::Str("teapot"))];
        assert_eq!(judged(SpanKind::Client, StatusCode::Error, &odd, false), FAULT);
    }

    #[test]
    fn an_aws_throttle_is_an_error_of_the_caller() {
        for class in THROTTLES {
            let qualified = format!("com.amazonaws.dynamodb#{class}");
            let slots = [(S::ErrorType, Value::Str(&qualified)), (S::HttpStatusCode, Value::Int(503))];
            assert_eq!(judged(SpanKind::Client, StatusCode::Error, &slots, false), THROTTLE);
            assert_eq!(judged(SpanKind::Client, StatusCode::Error, &slots, true), FAULT);
        }
    }
}
