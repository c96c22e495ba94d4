//! The door over real sockets: both protocols on both listeners, every encoding, every refusal.

mod patience;
mod stop;

use std::io::Read;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use telemetry_gateway::otlp::wire::put_bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::codec::CompressionEncoding;

use crate::support::stage::{Answered, Stage};
use crate::support::{traces, traces_json};

const NOWHERE: &str = "exporters: { console: {} }\ndefault: []";
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

fn request(names: &[&str]) -> ExportTraceServiceRequest {
    let spans: Vec<String> = names.iter().map(|name| format!(r#""name":"{name}""#)).collect();
    let batch = traces("shop", &spans.iter().map(String::as_str).collect::<Vec<_>>());
    ExportTraceServiceRequest::decode(batch.body).unwrap()
}

fn accepted(stage: &Stage) -> u64 {
    stage.status().receiver.accepted["traces"]
}

fn compress(encoding: &str, plain: &[u8]) -> Vec<u8> {
    use flate2::Compression;
    use flate2::bufread::{DeflateEncoder, GzEncoder, ZlibEncoder};
    let mut out = Vec::new();
    match encoding {
        "gzip" => GzEncoder::new(plain, Compression::fast()).read_to_end(&mut out).map(|_| ()),
        "zlib" => ZlibEncoder::new(plain, Compression::fast()).read_to_end(&mut out).map(|_| ()),
        "raw deflate" => DeflateEncoder::new(plain, Compression::fast()).read_to_end(&mut out).map(|_| ()),
        "zstd" => zstd::stream::copy_encode(plain, &mut out, 1),
        other => panic!("{other}"),
    }
    .unwrap();
    out
}

/// A refusal's code and words, from JSON or protobuf.
fn status(answer: &Answered) -> (i64, String) {
    if answer.header("content-type") == Some("application/json") {
        let json = answer.json();
        return (json["code"].as_i64().unwrap(), json["message"].as_str().unwrap().to_owned());
    }
    assert_eq!(answer.header("content-type"), Some("application/x-protobuf"));
    let fields: Vec<_> = telemetry_gateway::otlp::wire::Fields::new(&answer.body).collect();
    (fields[0].1.number() as i64, fields[1].1.text().to_owned())
}

#[tokio::test]
async fn grpc_is_served_on_both_listeners_plain_and_compressed() {
    let stage = Stage::start(NOWHERE).await;
    for address in &stage.otlp {
        for compression in [None, Some(CompressionEncoding::Gzip)] {
            let mut client = TraceServiceClient::connect(format!("http://{address}")).await.unwrap();
            if let Some(compression) = compression {
                client = client.send_compressed(compression).accept_compressed(compression);
            }
            let answer = client.export(request(&["a", "b"])).await.unwrap().into_inner();
            assert_eq!(answer.partial_success, None);
        }
    }
    assert_eq!(accepted(&stage), 8);
    let mut logs = LogsServiceClient::connect(format!("http://{}", stage.otlp[0])).await.unwrap();
    logs.export(opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest::default()).await.unwrap();
    let mut metrics = MetricsServiceClient::connect(format!("http://{}", stage.otlp[0])).await.unwrap();
    metrics
        .export(opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn http_is_served_over_http1_and_h2c_as_protobuf_and_json() {
    let stage = Stage::start(NOWHERE).await;
    let body = request(&["a"]).encode_to_vec();
    let h2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    for (index, address) in stage.otlp.iter().enumerate() {
        for client in [&stage.http, &h2] {
            let url = format!("http://{address}/v1/traces");
            let answer = client.post(&url).header(PROTOBUF.0, PROTOBUF.1).body(body.clone()).send().await.unwrap();
            assert_eq!(answer.status(), 200, "listener {index}");
            let json = client.post(&url).header(JSON.0, JSON.1).body(traces_json("shop", &[""])).send().await.unwrap();
            assert_eq!(json.text().await.unwrap(), "{}");
        }
    }
    assert_eq!(accepted(&stage), 8);
}

#[tokio::test]
async fn every_encoding_is_read() {
    let stage = Stage::start(NOWHERE).await;
    let body = request(&["a"]).encode_to_vec();
    let two_members = [compress("gzip", &body), compress("gzip", &request(&["b"]).encode_to_vec())].concat();
    for (token, bytes, spans) in [
        ("gzip", compress("gzip", &body), 1),
        (" GZIP ", compress("gzip", &body), 1),
        ("gzip", two_members, 2),
        ("zstd", compress("zstd", &body), 1),
        ("deflate", compress("zlib", &body), 1),
        ("deflate", compress("raw deflate", &body), 1),
        ("identity", body.clone(), 1),
        ("", body.clone(), 1),
    ] {
        let before = accepted(&stage);
        let answer = stage.post("/v1/traces", &[PROTOBUF, ("content-encoding", token)], bytes).await;
        assert_eq!((answer.status, accepted(&stage) - before), (200, spans), "{token:?}");
    }
    let json = compress("gzip", traces_json("shop", &[""]).as_bytes());
    assert_eq!(stage.post("/v1/traces", &[JSON, ("content-encoding", "gzip")], json).await.status, 200);
}

#[tokio::test]
async fn each_refusal_says_what_is_wrong_in_the_clients_own_form() {
    let stage = Stage::start(NOWHERE).await;
    let good = request(&["a"]).encode_to_vec();
    let (gzip, zlib) = (compress("gzip", &good), compress("zlib", &good));
    let encoding = |token| ("content-encoding", token);
    for (path, headers, body, expected, words) in [
        ("/v1/traces", &[PROTOBUF][..], good[..good.len() - 3].to_vec(), (400, 3), "ends inside a field"),
        ("/v1/traces", &[PROTOBUF], vec![0xff; 1024], (400, 3), "no OTLP traces request"),
        ("/v1/traces", &[JSON], b"".to_vec(), (400, 3), "line 1 column 0"),
        ("/v1/traces", &[JSON], b"{\"resourceSpans\":[".to_vec(), (400, 3), "column"),
        ("/v1/traces", &[JSON], b"[]".to_vec(), (400, 3), "an object"),
        ("/v1/traces", &[JSON], b"{} x".to_vec(), (400, 3), "trailing"),
        ("/v1/traces", &[PROTOBUF, encoding("gzip")], good.clone(), (400, 3), "no valid gzip"),
        ("/v1/traces", &[PROTOBUF, encoding("gzip")], gzip[..gzip.len() - 5].to_vec(), (400, 3), "no valid gzip"),
        (
            "/v1/traces",
            &[PROTOBUF, encoding("deflate")],
            [&zlib[..], b"more"].concat(),
            (400, 3),
            "4 bytes follow its end",
        ),
        ("/v1/traces", &[PROTOBUF, encoding("deflate")], zlib[..zlib.len() - 5].to_vec(), (400, 3), "no valid deflate"),
        ("/v1/traces", &[PROTOBUF, encoding("br")], good.clone(), (415, 12), "`br` is not supported"),
        ("/v1/traces", &[], good.clone(), (415, 3), "no content type"),
        ("/v1/traces", &[("content-type", "text/plain")], good.clone(), (415, 3), "application/x-protobuf"),
        ("/v1/nothing", &[PROTOBUF], good.clone(), (404, 12), "/v1/traces"),
        ("/v1/traces/v1/traces", &[PROTOBUF], good.clone(), (404, 12), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ("/", &[PROTOBUF], good.clone(), (404, 12), "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("/v1development/profiles", &[PROTOBUF], good.clone(), (404, 12), "profiles are not supported"),
    ] {
        let answer = stage.post(path, headers, body).await;
        let (code, message) = status(&answer);
        assert_eq!((answer.status, code), expected, "{path} {headers:?}: {message}");
        assert!(message.contains(words), "{words:?} is not in {message:?}");
    }
    let get = stage.http.get(stage.url("/v1/traces")).send().await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers()["allow"].to_str().unwrap()), (405, "POST, OPTIONS"));
    let options = stage.http.request(reqwest::Method::OPTIONS, stage.url("/v1/traces")).send().await.unwrap();
    assert_eq!((options.status().as_u16(), options.headers()["allow"].to_str().unwrap()), (204, "POST, OPTIONS"));
    assert_eq!(options.bytes().await.unwrap(), "");
    assert_eq!(accepted(&stage), 0);
}

#[tokio::test]
async fn refusals_count_under_their_protocol_and_unknown_types_under_protobuf() {
    let stage = Stage::start(NOWHERE).await;
    let refused =
        || stage.gateway.vitals.requests_refused.each_ref().map(telemetry_gateway::vitals::receiver::Counter::get);
    stage.post("/v1/traces", &[("content-type", "text/plain")], "x").await;
    assert_eq!(refused(), [1, 0, 0]);
    stage.post("/v1/traces", &[JSON], "x").await;
    assert_eq!(refused(), [1, 1, 0]);
}

#[tokio::test]
async fn grpc_health_says_whether_the_gateway_is_ready() {
    let stage = Stage::start(NOWHERE).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = stage.url("/grpc.health.v1.Health/Check");
    for (is_ready, status) in [(true, 1), (false, 2), (true, 1)] {
        stage.gateway.set_ready(is_ready);
        // HealthCheckRequest { service: "" } → HealthCheckResponse { 1: status }, each in its frame.
        let check = client.post(&url).header("content-type", "application/grpc").body([0; 5].to_vec());
        let answer = check.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/grpc");
        assert_eq!(answer.bytes().await.unwrap()[..], [0, 0, 0, 0, 2, 0x08, status]);
    }
}

#[tokio::test]
async fn the_deadline_of_a_grpc_call_is_kept() {
    let stage = Stage::start(NOWHERE).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let call = client.post(stage.url("/opentelemetry.proto.collector.trace.v1.TraceService/Export"));
    let call = call.header("content-type", "application/grpc").header("grpc-timeout", "10m");
    let endless = reqwest::Body::wrap(http_body_util::StreamBody::new(Endless));
    let answer = call.body(endless).send().await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "4", "DEADLINE_EXCEEDED");
    assert_eq!(answer.headers()["grpc-message"], "not done within 10ms");
}

/// A body that never comes.
struct Endless;

impl futures_core::Stream for Endless {
    type Item = Result<hyper::body::Frame<bytes::Bytes>, std::convert::Infallible>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn a_request_of_very_many_small_items_is_taken_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let stage = Stage::start(&format!("exporters: {{ file: {{ path: {path:?} }} }}\ndefault: [file]")).await;
    // ExportLogsServiceRequest { 1: ResourceLogs { 2: ScopeLogs { 2: LogRecord {} … } } }
    let records = [0x12, 0].repeat(10_000);
    let (mut scope, mut body) = (Vec::new(), Vec::new());
    put_bytes(&mut scope, 2, &records);
    put_bytes(&mut body, 1, &scope);
    let zipped = compress("gzip", &body);
    assert_eq!(stage.post("/v1/logs", &[PROTOBUF], body).await.status, 200);
    // Compressed to some hundred bytes: not slow by its size.
    assert!(zipped.len() < 8 * 1024);
    assert_eq!(stage.post("/v1/logs", &[PROTOBUF, ("content-encoding", "gzip")], zipped).await.status, 200);
    let status = stage.stop(Duration::from_mins(1)).await;
    assert_eq!((status.receiver.accepted["logs"], status.exporters["file"].figures.delivered), (20_000, 20_000));
}

#[test]
fn limits_that_cannot_work_are_found_before_the_start() {
    let problems = |receiver: &str| {
        let yaml = format!("receivers:\n  otlp: {{ {receiver} }}\n{NOWHERE}");
        telemetry_gateway::config::Config::parse("gateway.yaml", yaml, &|_| None)
            .map(|_| ())
            .map_err(|all| all.to_string())
    };
    for (receiver, expected) in [
        ("body_bytes_max: 0", "gateway.yaml:2:27: `body_bytes_max` is 0"),
        ("connections_max: 0", "gateway.yaml:2:28: `connections_max` is 0"),
        ("connections_max: 1000001", "`connections_max` is 1000001, not 1 to 1000000"),
        ("connections_max: 18446744073709551615", "not 1 to 1000000"),
        ("listen: []", "gateway.yaml:2:19: `listen` is empty"),
        ("inflight_bytes_max: 1MiB", "gateway.yaml:2:31: `inflight_bytes_max` is 1MiB, less than the 64MiB"),
        ("body_bytes_max: 1GiB", "gateway.yaml:2:27: `inflight_bytes_max` is 256MiB, less than the 1GiB"),
        ("listen: [\"[::1]:4317\", \"[0:0::1]:4317\"]", "gateway.yaml:2:34: `[0:0::1]:4317` is listened on already"),
    ] {
        let found = problems(receiver).expect_err(receiver);
        assert!(found.contains(expected), "{receiver}: {found}");
    }
    assert_eq!(problems("connections_max: 1, body_bytes_max: 1MiB, inflight_bytes_max: 1MiB"), Ok(()));
}

#[tokio::test]
async fn a_span_with_a_broken_id_is_refused_alone() {
    let stage = Stage::start(NOWHERE).await;
    let mut request = request(&["good", "short id", "zero id", "good too"]);
    let spans = &mut request.resource_spans[0].scope_spans[0].spans;
    spans[1].trace_id.pop();
    spans[2].span_id = vec![0; 8];
    let answer = stage.post("/v1/traces", &[PROTOBUF], request.encode_to_vec()).await;
    let partial = ExportTraceServiceResponse::decode(answer.body.clone()).unwrap().partial_success.unwrap();
    assert_eq!((answer.status, partial.rejected_spans), (200, 2));
    assert!(partial.error_message.contains("trace_id has 15 bytes"), "{}", partial.error_message);
    assert_eq!(accepted(&stage), 2);

    let mut client = TraceServiceClient::connect(format!("http://{}", stage.otlp[0])).await.unwrap();
    let answer = client.export(request).await.unwrap().into_inner().partial_success.unwrap();
    assert_eq!(answer.rejected_spans, 2);

    let text = traces_json("shop", &["", ""]).replacen("0000000000000001", "short", 1);
    let answer = stage.post("/v1/traces", &[JSON], text).await;
    assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "1");
    assert_eq!(stage.status().receiver.rejected["traces"], 5);
}

#[tokio::test]
async fn a_request_without_items_is_accepted_and_queues_nothing() {
    let stage = Stage::start("exporters: { console: {} }\ndefault: [console]").await;
    for (header, body) in [(PROTOBUF, ""), (JSON, "{}"), (JSON, r#"{"resourceSpans":[{"scopeSpans":[{}]}]}"#)] {
        assert_eq!(stage.post("/v1/traces", &[header], body).await.status, 200);
    }
    assert_eq!((stage.status().journal.records, accepted(&stage)), (0, 0));
}

fn with_limit(bytes: usize) -> String {
    format!(
        "admin: {{ listen: \"127.0.0.1:0\" }}\nreceivers: {{ otlp: {{ listen: [\"127.0.0.1:0\", \"127.0.0.1:0\"], \
         body_bytes_max: {bytes}B }} }}\n{NOWHERE}"
    )
}

/// A valid request of exactly so many bytes: a span with an unknown field for padding.
fn sized(bytes: usize) -> Vec<u8> {
    let mut body = request(&["a"]).encode_to_vec();
    let padding = bytes - body.len() - 1;
    let head = telemetry_gateway::otlp::wire::varint_bytes(padding as u64);
    put_bytes(&mut body, 15, &vec![0; padding - head]);
    assert_eq!(body.len(), bytes);
    body
}

/// A bug's test: a connection that was closed on unread bytes was reset, and clients saw that instead of the answer.
#[tokio::test]
async fn who_is_refused_before_the_body_is_read_hears_so_while_it_is_still_sending() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stage = Stage::start_with(&with_limit(1000)).await;
    for path in ["/v1/traces", "/no/such/path"] {
        let mut stream = tokio::net::TcpStream::connect(stage.otlp[1]).await.unwrap();
        let body = vec![b'x'; 8 << 20];
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.expect("it is let end");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer, not a reset");
        assert!(
            [&b"HTTP/1.1 413"[..], b"HTTP/1.1 404"].contains(&&answer[..]),
            "{path}: {:?}",
            String::from_utf8_lossy(&answer)
        );
    }
}

#[tokio::test]
async fn a_body_at_the_limit_passes_and_one_byte_more_does_not() {
    let limit = 10_000;
    let stage = Stage::start_with(&with_limit(limit)).await;
    for (bytes, expected) in [(limit, 200), (limit + 1, 413)] {
        let body = sized(bytes);
        assert_eq!(stage.post("/v1/traces", &[PROTOBUF], body.clone()).await.status, expected, "{bytes} declared");
        let stream = reqwest::Body::wrap(http_body_util::StreamBody::new(Chunks(body.clone())));
        assert_eq!(stage.post("/v1/traces", &[PROTOBUF], stream).await.status, expected, "{bytes} chunked");
        for encoding in ["gzip", "zstd"] {
            let answer =
                stage.post("/v1/traces", &[PROTOBUF, ("content-encoding", encoding)], compress(encoding, &body)).await;
            assert_eq!(answer.status, expected, "{bytes} in {encoding}");
        }
    }
    let mut client = TraceServiceClient::connect(format!("http://{}", stage.otlp[0])).await.unwrap();
    let mut large = request(&["a"]);
    large.resource_spans[0].schema_url = "x".repeat(limit);
    let refused = client.export(large.clone()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    // The limit as it is configured, without the bytes that gRPC puts in front.
    assert!(refused.message().contains("larger than 10000 bytes"), "{}", refused.message());
    assert!(refused.metadata().get_bin("google.rpc.retryinfo-bin").is_none());
    let mut client = client.send_compressed(CompressionEncoding::Gzip);
    assert_eq!(client.export(large).await.unwrap_err().code(), tonic::Code::ResourceExhausted);
}

/// A body in two chunks whose length is not declared.
struct Chunks(Vec<u8>);

impl futures_core::Stream for Chunks {
    type Item = Result<hyper::body::Frame<bytes::Bytes>, std::convert::Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let at = self.0.len().min(self.0.len() / 2 + 1);
        let chunk: Vec<u8> = self.0.drain(..at).collect();
        std::task::Poll::Ready((!chunk.is_empty()).then(|| Ok(hyper::body::Frame::data(chunk.into()))))
    }
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_without_reading() {
    let stage = Stage::start_with(&with_limit(1000)).await;
    let answer = raw(
        &stage,
        b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n\
          expect: 100-continue\r\ncontent-length: 1001\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(!answer.contains("100 Continue"), "{answer}");
}

/// Sends bytes on a connection of their own and reads what comes first.
async fn raw(stage: &Stage, bytes: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(stage.otlp[1]).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut buffer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.expect("an answer");
    buffer.truncate(read.unwrap());
    String::from_utf8_lossy(&buffer).into_owned()
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered() {
    let stage = Stage::start(NOWHERE).await;
    let head = |headers: usize| {
        let headers = "x: y\r\n".repeat(headers);
        format!("GET /v1/traces HTTP/1.1\r\nhost: x\r\n{headers}\r\n")
    };
    for (bytes, expected) in [
        (head(20), "HTTP/1.1 405"),
        (head(200), "HTTP/1.1 431"),
        ("GET /\u{7f} HTTP/1.1\r\n\r\n".to_owned(), "HTTP/1.1 400"),
    ] {
        let answer = raw(&stage, bytes.as_bytes()).await;
        assert!(answer.starts_with(expected), "{expected}: {answer:?}");
    }
}

#[tokio::test]
async fn json_that_grows_beyond_the_limit_as_protobuf_is_too_large() {
    let stage = Stage::start_with(&with_limit(20_000)).await;
    let text = |counts: usize| {
        let counts = "1,".repeat(counts);
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{counts}1]}}]}}}}]}}]}}]}}"#
        )
    };
    for (counts, expected) in [(2_400, 200), (2_600, 413), (9_000, 413)] {
        assert_eq!(stage.post("/v1/metrics", &[JSON], text(counts)).await.status, expected, "{counts}");
    }
    // What it grows by is charged to the budget of all requests before it is there.
    let small = with_limit(20_000).replace("20000B", "20000B, inflight_bytes_max: 20000B");
    let stage = Stage::start_with(&small).await;
    for (counts, expected) in [(1_500, 200), (2_400, 503)] {
        assert_eq!(stage.post("/v1/metrics", &[JSON], text(counts)).await.status, expected, "{counts}");
    }
}

#[tokio::test]
async fn a_bomb_is_refused_while_a_normal_request_passes() {
    let stage = Stage::start_with(&with_limit(1 << 20)).await;
    let zeros = vec![0; 256 << 20];
    let bombs: Vec<_> = ["gzip", "zstd", "zlib"].map(|encoding| (encoding, compress(encoding, &zeros))).into();
    drop(zeros);
    let mut answers = Vec::new();
    for (encoding, bomb) in bombs {
        let token = if encoding == "zlib" { "deflate" } else { encoding };
        let headers = [PROTOBUF, ("content-encoding", token)];
        let bomb = stage.post("/v1/traces", &headers, bomb);
        let normal = stage.post("/v1/traces", &[PROTOBUF], request(&["normal"]).encode_to_vec());
        let (bomb, normal) = tokio::join!(bomb, normal);
        assert_eq!(normal.status, 200);
        answers.push(bomb.status);
    }
    assert_eq!(answers, [413, 413, 413]);
}

#[tokio::test]
async fn a_zstd_frame_with_a_huge_window_is_refused() {
    let stage = Stage::start(NOWHERE).await;
    // Magic number, a frame header without content size, and a window descriptor of 512 MiB (exponent 19).
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 19 << 3, 0x01, 0x00, 0x00];
    let answer = stage.post("/v1/traces", &[PROTOBUF, ("content-encoding", "zstd")], frame.to_vec()).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn requests_over_the_budget_of_all_are_told_to_come_again() {
    let yaml = format!(
        "admin: {{ listen: \"127.0.0.1:0\" }}\nreceivers: {{ otlp: {{ listen: [\"127.0.0.1:0\", \"127.0.0.1:0\"], \
         body_bytes_max: 10KB, inflight_bytes_max: 20KB }} }}\n{NOWHERE}"
    );
    let stage = Stage::start_with(&yaml).await;
    // Two requests of 10 KB that never send their last byte hold the whole budget.
    let mut holders = Vec::new();
    for _ in 0..2 {
        let mut stream = tokio::net::TcpStream::connect(stage.otlp[1]).await.unwrap();
        let head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 10000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        stream.write_all(&[0; 9_999]).await.unwrap();
        holders.push(stream);
    }
    let body = request(&["a"]).encode_to_vec();
    let answer = loop {
        let answer = stage.post("/v1/traces", &[PROTOBUF], body.clone()).await;
        if answer.status != 200 {
            break answer;
        }
    };
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!((answer.status, (1..=4).contains(&wait)), (503, true));
    let mut client = TraceServiceClient::connect(format!("http://{}", stage.otlp[0])).await.unwrap();
    let refused = client.export(request(&["a"])).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    assert!(refused.metadata().get_bin("google.rpc.retryinfo-bin").is_some());
    assert!(!refused.details().is_empty());
    drop(holders);
    while stage.post("/v1/traces", &[PROTOBUF], body.clone()).await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let stage = Stage::start(NOWHERE).await;
    let mut stream = tokio::net::TcpStream::connect(stage.otlp[1]).await.unwrap();
    let one = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}")
    };
    stream.write_all(format!("{}{}", one("/v1/traces"), one("/v1/none")).as_bytes()).await.unwrap();
    let mut answers = String::new();
    while answers.matches("HTTP/1.1").count() < 2 {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.unwrap().unwrap();
        answers.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    assert!(answers.find("200 OK").unwrap() < answers.find("404 Not Found").unwrap());
}

#[tokio::test]
async fn a_hundred_requests_at_once_all_arrive() {
    let stage = Stage::start(NOWHERE).await;
    let body = request(&["a", "b", "c"]).encode_to_vec();
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let post = stage.http.post(stage.url("/v1/traces")).header(PROTOBUF.0, PROTOBUF.1).body(body.clone());
        posts.spawn(async move { post.send().await.unwrap().status().as_u16() });
    }
    assert_eq!(posts.join_all().await, vec![200; 100]);
    assert_eq!(accepted(&stage), 300);
}
