//! What a request's head says, before any of its body is read.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, Uri, Version};

use super::answer::{ENCODINGS, Form, Refusal, Why};
use crate::otlp::Signal;
use crate::otlp::batch::Encoding;

/// What is coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub signal: Signal,
    pub form: Form,
    /// Of an HTTP body; a gRPC message says it by itself whether it is compressed.
    pub encoding: Option<Encoding>,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To take telemetry.
    Export(Head),
    /// Which methods a path of OTLP has.
    Options,
    /// Whether the gateway is ready, by gRPC's own health service.
    Health,
}

/// A head that is refused: its form where that is known, and why.
pub type Refused = (Option<Form>, Refusal);

/// <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>
const HEALTH_PATH: &str = "/grpc.health.v1.Health/Check";

/// The content types that carry OTLP. Parameters behind them do not matter.
const CONTENT_TYPES: [(&str, Form); 6] = [
    ("application/x-protobuf", Form::Protobuf),
    ("application/protobuf", Form::Protobuf),
    ("application/vnd.google.protobuf", Form::Protobuf),
    ("application/json", Form::Json),
    ("application/grpc", Form::Grpc),
    ("application/grpc+proto", Form::Grpc),
];

/// The paths of the three signals. <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>
const PATHS: [(&str, &str, Signal); 3] = [
    ("/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", Signal::Traces),
    ("/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", Signal::Metrics),
    ("/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export", Signal::Logs),
];

impl Asked {
    /// Reads a head, or says why the body need not be read.
    pub fn read(version: Version, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Asked, Refused> {
        let content_type = content_type(headers);
        let form = form_of(content_type);
        let refuse = |why, message: String| Err((form, Refusal::new(why, message)));
        if form == Some(Form::Grpc) {
            if version < Version::HTTP_2 {
                // The answer to gRPC ends in trailers, which such a client would not see.
                let message =
                    format!("gRPC needs HTTP/2, and this is {version:?}: send application/x-protobuf instead");
                return Err((None, Refusal::new(Why::ContentType, message)));
            }
            if method != Method::POST {
                return refuse(Why::Method, format!("{method} is not allowed here, only POST"));
            }
            if uri.path() == HEALTH_PATH {
                return Ok(Asked::Health);
            }
            let Some((_, _, signal)) = PATHS.iter().find(|(_, path, _)| *path == uri.path()) else {
                return refuse(Why::Path, format!("unknown method {}", uri.path()));
            };
            let encoding = grpc_encoding(headers).map_err(|refusal| (form, refusal))?;
            return Ok(Asked::Export(Head { signal: *signal, form: Form::Grpc, encoding }));
        }
        if uri.path() == HEALTH_PATH || PATHS.iter().any(|(_, path, _)| *path == uri.path()) {
            let message = format!("{}: this is a gRPC path, which takes application/grpc", found(content_type));
            return refuse(Why::ContentType, message);
        }
        let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(uri.path());
        let Some((_, _, signal)) = PATHS.iter().find(|(known, _, _)| *known == path) else {
            return refuse(Why::Path, path_hint(uri.path()));
        };
        if method == Method::OPTIONS {
            return Ok(Asked::Options);
        }
        if method != Method::POST {
            return refuse(Why::Method, format!("{method} is not allowed here, only POST"));
        }
        let Some(known) = form else {
            let wanted = "OTLP is application/x-protobuf or application/json, or application/grpc for gRPC";
            return refuse(Why::ContentType, format!("{}: {wanted}", found(content_type)));
        };
        let encoding = http_encoding(headers).map_err(|refusal| (form, refusal))?;
        Ok(Asked::Export(Head { signal: *signal, form: known, encoding }))
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split_once(';').map_or(value, |(value, _)| value).trim()
}

fn found(content_type: &str) -> String {
    if content_type.is_empty() { "no content type".to_owned() } else { format!("content type `{content_type}`") }
}

fn form_of(content_type: &str) -> Option<Form> {
    CONTENT_TYPES.iter().find(|(name, _)| content_type.eq_ignore_ascii_case(name)).map(|(_, form)| *form)
}

/// Several lines and empty elements are one list; `identity` is nothing.
fn http_encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    let mut encoding = None;
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = value.to_str().unwrap_or("?");
        for token in value.split(',').map(str::trim).filter(|token| !token.is_empty()) {
            let one = parse_encoding(token)?;
            if encoding.is_some() && one.is_some() {
                return Err(Refusal::new(Why::ContentEncoding, format!("content encoding `{value}`: one at most")));
            }
            encoding = encoding.or(one);
        }
    }
    Ok(encoding)
}

fn grpc_encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    match headers.get("grpc-encoding").map(|value| value.to_str().unwrap_or("?")) {
        None => Ok(None),
        Some(token) => parse_encoding(token.trim()),
    }
}

fn parse_encoding(token: &str) -> Result<Option<Encoding>, Refusal> {
    const TOKENS: [(&str, Option<Encoding>); 6] = [
        ("identity", None),
        ("gzip", Some(Encoding::Gzip)),
        ("x-gzip", Some(Encoding::Gzip)),
        ("zstd", Some(Encoding::Zstd)),
        ("deflate", Some(Encoding::Deflate)),
        ("zlib", Some(Encoding::Deflate)), // the Collector's own name for it
    ];
    TOKENS.iter().find(|(name, _)| token.eq_ignore_ascii_case(name)).map(|(_, encoding)| *encoding).ok_or_else(|| {
        Refusal::new(
            Why::ContentEncoding,
            format!("content encoding `{token}` is not supported: use one of {ENCODINGS}"),
        )
    })
}

/// Says what is probably wrong with a path.
fn path_hint(path: &str) -> String {
    let hint = if path == "/" {
        "set OTEL_EXPORTER_OTLP_ENDPOINT (to which SDKs add /v1/traces) instead of OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    } else if path.matches("/v1").count() > 1 {
        "the path is doubled: OTEL_EXPORTER_OTLP_ENDPOINT takes the address without a path, \
         OTEL_EXPORTER_OTLP_TRACES_ENDPOINT takes the full one"
    } else if path.starts_with("/v1development/profiles") {
        "profiles are not supported"
    } else if path.starts_with("/opentelemetry.proto.collector.") {
        "this is a gRPC path, which needs the content type application/grpc and HTTP/2"
    } else {
        "OTLP is served at /v1/traces, /v1/metrics and /v1/logs"
    };
    format!("nothing is served at {}: {hint}", path.chars().take(200).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<(Signal, Form, Option<Encoding>), Why> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        check_in(Version::HTTP_2, method, path, &map)
    }

    fn check_in(
        version: Version,
        method: &str,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(Signal, Form, Option<Encoding>), Why> {
        match Asked::read(version, &method.parse().unwrap(), &path.parse().unwrap(), headers) {
            Ok(Asked::Export(head)) => Ok((head.signal, head.form, head.encoding)),
            Ok(asked) => panic!("{asked:?}"),
            Err((_, refusal)) => Err(refusal.why),
        }
    }

    #[test]
    fn types_encodings_and_paths_are_read_as_clients_write_them() {
        let protobuf = ("content-type", "application/x-protobuf");
        let plain = Ok((Signal::Traces, Form::Protobuf, None));
        let gzip = Ok((Signal::Traces, Form::Protobuf, Some(Encoding::Gzip)));
        assert_eq!(check("POST", "/v1/traces", &[protobuf]), plain);
        assert_eq!(check("POST", "/v1/traces/", &[protobuf]), plain);
        assert_eq!(check("POST", "/v1/traces?x=1", &[("content-type", "Application/Protobuf; charset=utf-8")]), plain);
        assert_eq!(check("POST", "/v1/traces", &[protobuf, ("content-encoding", " GZIP ")]), gzip);
        assert_eq!(check("POST", "/v1/traces", &[protobuf, ("content-encoding", "identity, gzip")]), gzip);
        assert_eq!(check("POST", "/v1/traces", &[protobuf, ("content-encoding", "")]), plain);
        let lines = [protobuf, ("content-encoding", "identity"), ("content-encoding", "gzip")];
        assert_eq!(check("POST", "/v1/traces", &lines), gzip, "several lines are one list");
        assert_eq!(
            check("POST", "/v1/logs", &[("content-type", "application/json")]),
            Ok((Signal::Logs, Form::Json, None))
        );
        assert_eq!(check("POST", "/v1/traces", &[protobuf, ("content-encoding", "br")]), Err(Why::ContentEncoding));
        assert_eq!(check("POST", "/v1/traces", &[]), Err(Why::ContentType));
        assert_eq!(check("POST", "/v1/traces", &[("content-type", "text/plain")]), Err(Why::ContentType));
        assert_eq!(check("GET", "/v1/traces", &[]), Err(Why::Method));
        assert_eq!(check("POST", "/v1/nothing", &[protobuf]), Err(Why::Path));
        assert_eq!(check("POST", "/", &[protobuf]), Err(Why::Path));
    }

    #[test]
    fn a_grpc_request_is_known_by_its_type() {
        let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
        let grpc = ("content-type", "application/grpc");
        assert_eq!(check("POST", path, &[grpc]), Ok((Signal::Logs, Form::Grpc, None)));
        assert_eq!(
            check("POST", path, &[("content-type", "application/grpc+proto"), ("grpc-encoding", "zstd")]),
            Ok((Signal::Logs, Form::Grpc, Some(Encoding::Zstd)))
        );
        assert_eq!(check("POST", path, &[grpc, ("grpc-encoding", "br")]), Err(Why::ContentEncoding));
        assert_eq!(check("POST", "/a.B/C", &[grpc]), Err(Why::Path));
        assert_eq!(check("GET", path, &[grpc]), Err(Why::Method));
        for other in ["application/grpc+json", "application/grpc-web", "application/x-protobuf", "application/json"] {
            assert_eq!(check("POST", path, &[("content-type", other)]), Err(Why::ContentType), "{other}");
            assert_eq!(check("POST", HEALTH_PATH, &[("content-type", other)]), Err(Why::ContentType), "{other}");
        }
        assert_eq!(check("POST", path, &[]), Err(Why::ContentType));
    }

    #[test]
    fn grpc_over_http1_is_refused_because_its_status_would_be_lost() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/grpc".parse().unwrap());
        let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
        assert_eq!(check_in(Version::HTTP_11, "POST", path, &headers), Err(Why::ContentType));
    }
}
