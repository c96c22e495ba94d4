//! Every answer that the door gives, from one table: HTTP status, gRPC code, whether the client may come again.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use tonic::Code;

use super::grpc::PREFIX_BYTES;
use crate::otlp::Signal;
use crate::otlp::value::write_json_string;
use crate::otlp::wire::{put_bytes, put_varint};
use crate::stdx::backoff::random;

/// Encodings that requests may have, for `Accept-Encoding` and `grpc-accept-encoding`.
pub const ENCODINGS: &str = "gzip, zstd, deflate, identity";

/// Methods of the paths of OTLP/HTTP, for `Allow`.
const METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");

/// The longest message in an answer: a client may log it for each of its requests.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Malformed,
    ContentType,
    ContentEncoding,
    Method,
    Path,
    TooLarge,
    Slow,
    Deadline,
    Overloaded,
    Stopping,
    GrpcFraming,
    Internal,
}

/// What a refusal is on the wire.
struct Row {
    #[cfg_attr(not(test), expect(dead_code, reason = "the row's own name, which a test holds against its position"))]
    why: Why,
    http: StatusCode,
    grpc: Code,
    retry: Retry,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Retry {
    No,
    /// With `Retry-After` and RetryInfo.
    Soon,
}

const fn row(why: Why, http: StatusCode, grpc: Code, retry: Retry) -> Row {
    Row { why, http, grpc, retry }
}

/// <https://opentelemetry.io/docs/specs/otlp/#failures>, <https://opentelemetry.io/docs/specs/otlp/#failures-1> and
/// <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md> (read 2026-11). In the order of [`Why`].
const TABLE: [Row; 12] = [
    row(Why::Malformed, StatusCode::BAD_REQUEST, Code::InvalidArgument, Retry::No),
    row(Why::ContentType, StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, Retry::No),
    row(Why::ContentEncoding, StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unimplemented, Retry::No),
    row(Why::Method, StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, Retry::No),
    row(Why::Path, StatusCode::NOT_FOUND, Code::Unimplemented, Retry::No),
    // Never OUT_OF_RANGE: the specification has clients retry that one.
    row(Why::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, Retry::No),
    row(Why::Slow, StatusCode::REQUEST_TIMEOUT, Code::ResourceExhausted, Retry::No),
    row(Why::Deadline, StatusCode::GATEWAY_TIMEOUT, Code::DeadlineExceeded, Retry::No),
    row(Why::Overloaded, StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, Retry::Soon),
    row(Why::Stopping, StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, Retry::Soon),
    row(Why::GrpcFraming, StatusCode::BAD_REQUEST, Code::Internal, Retry::No),
    row(Why::Internal, StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, Retry::No),
];

/// A refusal and its words.
#[derive(Debug)]
pub struct Refusal {
    pub why: Why,
    pub message: String,
}

impl Refusal {
    pub fn new(why: Why, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        }
        Refusal { why, message }
    }

    fn row(&self) -> &'static Row {
        &TABLE[self.why as usize]
    }
}

/// What a client is told when its request was taken.
#[derive(Debug, Default)]
pub struct Accepted {
    /// Items that were refused alone.
    pub rejected: u64,
    /// Why, for the first of them.
    pub message: String,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Protobuf,
    Json,
    Grpc,
}

/// An answer's body: at most one chunk, and trailers for gRPC.
#[derive(Debug)]
pub struct AnswerBody {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.data.take().map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// The answer to a request that was taken.
pub fn accepted(form: Form, signal: Signal, accepted: &Accepted) -> Response<AnswerBody> {
    match form {
        Form::Protobuf => http(StatusCode::OK, form, accepted_protobuf(accepted)),
        Form::Json => http(StatusCode::OK, form, accepted_json(signal, accepted).into_bytes()),
        Form::Grpc => grpc(&accepted_protobuf(accepted)),
    }
}

/// The answer to `OPTIONS`.
pub fn options() -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody { data: None, trailers: None });
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

/// The answer to gRPC's health check: `HealthCheckResponse { 1: status }`, 1 for SERVING and 2 for NOT_SERVING.
/// <https://github.com/grpc/grpc/blob/master/src/proto/grpc/health/v1/health.proto>
pub fn health(is_ready: bool) -> Response<AnswerBody> {
    let mut message = Vec::new();
    put_number(&mut message, 1, if is_ready { 1 } else { 2 });
    grpc(&message)
}

/// A unary answer that went well.
fn grpc(message: &[u8]) -> Response<AnswerBody> {
    let mut framed = Vec::with_capacity(PREFIX_BYTES + message.len());
    framed.push(0);
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut response = Response::new(AnswerBody { data: Some(framed.into()), trailers: Some(trailers) });
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// The answer to a request that was refused: google.rpc.Status in the form of the request.
pub fn refused(form: Form, refusal: &Refusal) -> Response<AnswerBody> {
    let row = refusal.row();
    // One to four seconds: SDKs give up after ten, and spreading keeps them from coming back together.
    let retry_s = (row.retry == Retry::Soon).then(|| 1 + (random() * 4.0) as u32 % 4);
    let mut response = match form {
        Form::Protobuf => http(row.http, form, status_protobuf(row.grpc, refusal, retry_s)),
        Form::Json => http(row.http, form, status_json(row.grpc, refusal, retry_s).into_bytes()),
        Form::Grpc => trailers_only(row.grpc, refusal, retry_s),
    };
    let headers = response.headers_mut();
    if let (Some(retry_s), true) = (retry_s, form != Form::Grpc) {
        headers.insert(RETRY_AFTER, HeaderValue::from(retry_s));
    }
    match (refusal.why, form) {
        (Why::Method, _) => {
            headers.insert(ALLOW, METHODS);
        }
        (Why::ContentEncoding, Form::Grpc) => {
            headers.insert(HeaderName::from_static("grpc-accept-encoding"), HeaderValue::from_static(ENCODINGS));
        }
        (Why::ContentEncoding, _) => {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
        }
        // What is left of these bodies is not read: the connection cannot be used again.
        (Why::TooLarge | Why::Slow | Why::Stopping, Form::Protobuf | Form::Json) => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

fn http(status: StatusCode, form: Form, body: Vec<u8>) -> Response<AnswerBody> {
    let content_type = if form == Form::Json { "application/json" } else { "application/x-protobuf" };
    let length = HeaderValue::from(body.len());
    let data = (!body.is_empty()).then(|| Bytes::from(body));
    let mut response = Response::new(AnswerBody { data, trailers: None });
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

fn trailers_only(code: Code, refusal: &Refusal, retry_s: Option<u32>) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody { data: None, trailers: None });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(code as i32));
    if let Ok(message) = HeaderValue::from_str(&percent_encode(&refusal.message)) {
        headers.insert("grpc-message", message);
    }
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
    if let Ok(details) = HeaderValue::from_str(&base64(&status_protobuf(code, refusal, retry_s))) {
        headers.insert("grpc-status-details-bin", details);
    }
    // The Python SDK looks for RetryInfo only under this name.
    if let Some(info) = retry_s.and_then(|seconds| HeaderValue::from_str(&base64(&retry_info(seconds))).ok()) {
        headers.insert("google.rpc.retryinfo-bin", info);
    }
    response
}

/// gRPC's way to put a message into a header: printable ASCII but for `%` stays.
fn percent_encode(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
    }
    out
}

/// `Export…ServiceResponse`; empty when all was taken.
fn accepted_protobuf(accepted: &Accepted) -> Vec<u8> {
    let mut out = Vec::new();
    if accepted.rejected > 0 || !accepted.message.is_empty() {
        let mut partial = Vec::new();
        put_number(&mut partial, 1, accepted.rejected);
        put_bytes(&mut partial, 2, accepted.message.as_bytes());
        put_bytes(&mut out, 1, &partial);
    }
    out
}

fn accepted_json(signal: Signal, accepted: &Accepted) -> String {
    if accepted.rejected == 0 && accepted.message.is_empty() {
        return "{}".to_owned();
    }
    let count = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    };
    let mut out = format!("{{\"partialSuccess\":{{\"{count}\":\"{}\",\"errorMessage\":", accepted.rejected);
    write_json_string(&mut out, &accepted.message);
    out.push_str("}}");
    out
}

const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `google.rpc.Status { 1: code, 2: message, 3: details }`.
/// <https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto>
fn status_protobuf(code: Code, refusal: &Refusal, retry_s: Option<u32>) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, 1, code as u64);
    put_bytes(&mut out, 2, refusal.message.as_bytes());
    let mut detail = |type_url: &str, value: &[u8]| {
        let mut any = Vec::new();
        put_bytes(&mut any, 1, type_url.as_bytes());
        put_bytes(&mut any, 2, value);
        put_bytes(&mut out, 3, &any);
    };
    if refusal.why == Why::Malformed {
        let mut violation = Vec::new();
        put_bytes(&mut violation, 2, refusal.message.as_bytes());
        let mut bad_request = Vec::new();
        put_bytes(&mut bad_request, 1, &violation);
        detail(BAD_REQUEST, &bad_request);
    }
    if let Some(seconds) = retry_s {
        detail(RETRY_INFO, &retry_info(seconds));
    }
    out
}

fn status_json(code: Code, refusal: &Refusal, retry_s: Option<u32>) -> String {
    let mut out = format!("{{\"code\":{},\"message\":", code as i32);
    write_json_string(&mut out, &refusal.message);
    if refusal.why == Why::Malformed {
        put(
            &mut out,
            format_args!(",\"details\":[{{\"@type\":\"{BAD_REQUEST}\",\"fieldViolations\":[{{\"description\":"),
        );
        write_json_string(&mut out, &refusal.message);
        out.push_str("}]}]");
    }
    if let Some(seconds) = retry_s {
        put(&mut out, format_args!(",\"details\":[{{\"@type\":\"{RETRY_INFO}\",\"retryDelay\":\"{seconds}s\"}}]"));
    }
    out.push('}');
    out
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to a String cannot fail");
}

/// `google.rpc.RetryInfo { 1: Duration { 1: seconds } }`.
fn retry_info(seconds: u32) -> Vec<u8> {
    let mut duration = Vec::new();
    put_number(&mut duration, 1, seconds.into());
    let mut out = Vec::new();
    put_bytes(&mut out, 1, &duration);
    out
}

fn put_number(out: &mut Vec<u8>, field: u32, number: u64) {
    put_varint(out, u64::from(field) << 3);
    put_varint(out, number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_its_enum() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.why as usize, index);
            // Only what a client may repeat is answered with a status that the specification lets it repeat.
            assert_eq!(row.retry == Retry::Soon, matches!(row.http.as_u16(), 429 | 502 | 503), "{:?}", row.why);
            // RESOURCE_EXHAUSTED may be repeated only where it says when; DEADLINE_EXCEEDED is the client's own.
            let repeats = [Code::Cancelled, Code::Aborted, Code::OutOfRange, Code::Unavailable, Code::DataLoss];
            assert_eq!(row.retry == Retry::Soon, repeats.contains(&row.grpc), "{:?}", row.why);
        }
    }

    #[test]
    fn each_signal_has_its_own_word_for_what_was_rejected() {
        for (signal, word) in [
            (Signal::Traces, "rejectedSpans"),
            (Signal::Metrics, "rejectedDataPoints"),
            (Signal::Logs, "rejectedLogRecords"),
        ] {
            let text = accepted_json(signal, &Accepted { rejected: 7, message: "\"why\"".to_owned() });
            assert_eq!(text, format!(r#"{{"partialSuccess":{{"{word}":"7","errorMessage":"\"why\""}}}}"#));
        }
    }

    #[test]
    fn a_message_survives_its_header() {
        assert_eq!(percent_encode("100 % café\n"), "100 %25 caf%C3%A9%0A");
    }
}
