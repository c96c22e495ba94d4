//! The whole gateway in this process, between a client and stand-ins of vendors.

use std::io::Read;
use std::time::Duration;

use telemetry_gateway::otlp::{Signal, json};

use crate::support::stage::Stage;
use crate::support::vendor::Vendor;
use crate::support::{span_names, traces, traces_json};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::bufread::MultiGzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    flate2::bufread::GzEncoder::new(bytes, flate2::Compression::best()).read_to_end(&mut compressed).unwrap();
    compressed
}

#[tokio::test]
async fn spans_reach_an_otlp_destination_byte_for_byte() {
    let vendor = Vendor::start().await;
    let stage = Stage::start(&format!(
        "exporters: {{ otlp: {{ endpoint: '{}', compression: none, headers: {{ x-key: secret }} }} }}\ndefault: [otlp]",
        vendor.url()
    ))
    .await;
    let batch = traces("shop", &[r#""name":"a""#, r#""name":"b""#]);
    let answer = stage.post("/v1/traces", &[PROTOBUF], batch.body.clone()).await;
    assert_eq!(
        (answer.status, answer.body.len(), answer.header("content-type")),
        (200, 0, Some("application/x-protobuf"))
    );
    let request = vendor.wait_for(1).await.remove(0);
    assert_eq!((request.path.as_str(), &request.body), ("/v1/traces", &batch.body));
    assert_eq!(request.headers["content-type"], "application/x-protobuf");
    assert_eq!(request.header("content-encoding"), None);
    assert_eq!(request.header("x-key"), Some("secret"));
    assert!(request.header("user-agent").unwrap().starts_with("telemetry-gateway/"));
    let status = stage.stop(Duration::from_secs(5)).await;
    let figures = &status.exporters["otlp"].figures;
    assert_eq!((figures.accepted, figures.delivered, figures.waiting), (2, 2, 0));
}

#[tokio::test]
async fn the_clients_compressed_original_goes_on_untouched() {
    let vendor = Vendor::start().await;
    let stage =
        Stage::start(&format!("exporters: {{ otlp: {{ endpoint: '{}' }} }}\ndefault: [otlp]", vendor.url())).await;
    let compressed = gzip(&traces("shop", &[r#""name":"a""#]).body);
    stage.post("/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], compressed.clone()).await;
    let request = vendor.wait_for(1).await.remove(0);
    assert_eq!((request.header("content-encoding"), &request.body[..]), (Some("gzip"), &compressed[..]));
}

#[tokio::test]
async fn a_part_of_a_request_is_spliced_and_compressed_anew() {
    let vendor = Vendor::start().await;
    let stage = Stage::start(&format!(
        "exporters: {{ otlp: {{ endpoint: '{}' }} }}
routes: [{{ name: health, when: {{ name: health }}, to: [] }}]\ndefault: [otlp]",
        vendor.url()
    ))
    .await;
    let batch = traces("shop", &[r#""name":"a""#, r#""name":"health""#, r#""name":"b""#]);
    stage.post("/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], gzip(&batch.body)).await;
    let request = vendor.wait_for(1).await.remove(0);
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    assert_eq!(span_names(&gunzip(&request.body)), ["a", "b"]);
    let status = stage.status();
    assert_eq!(status.exporters["otlp"].figures.accepted, 2);
    assert_eq!(status.routes[0].matched, 1);
}

#[tokio::test]
async fn honeycomb_gets_its_key_and_its_datasets() {
    let vendor = Vendor::start().await;
    let stage = Stage::start(&format!(
        "exporters: {{ honeycomb: {{ api_key: hcaik_test, endpoint: '{}', metrics_dataset: numbers }} }}\ndefault: [honeycomb]",
        vendor.url()
    ))
    .await;
    let post = |path: &'static str, text: String| stage.post(path, &[("content-type", "application/json")], text);
    assert_eq!(post("/v1/traces", traces_json("shop", &[""])).await.text(), "{}");
    vendor.wait_for(1).await;
    let metrics =
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}"#;
    assert_eq!(post("/v1/metrics", metrics.to_owned()).await.status, 200);
    vendor.wait_for(2).await;
    let logs = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}"#;
    assert_eq!(post("/v1/logs", logs.to_owned()).await.status, 200);
    let requests = vendor.wait_for(3).await;
    let seen: Vec<_> =
        requests.iter().map(|request| (request.path.as_str(), request.header("x-honeycomb-dataset"))).collect();
    assert_eq!(
        seen,
        [("/v1/traces", None), ("/v1/metrics", Some("numbers")), ("/v1/logs", Some("unknown_log_source"))]
    );
    for request in &requests {
        assert_eq!(request.header("x-honeycomb-team"), Some("hcaik_test"));
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(request.header("content-encoding"), Some("zstd"));
    }
    let plain = zstd::decode_all(&requests[2].body[..]).unwrap();
    assert_eq!(plain, json::read(Signal::Logs, logs.as_bytes()).unwrap().body);
}

#[tokio::test]
async fn one_vendors_trouble_is_its_own() {
    let (healthy, dead) = (Vendor::start().await, Vendor::start().await);
    for _ in 0..100 {
        dead.then(503, None, b"down");
    }
    let stage = Stage::start(&format!(
        "exporters:
  otlp/healthy: {{ endpoint: '{}', compression: none }}
  otlp/dead: {{ endpoint: '{}', compression: none, retry: {{ initial: 10ms, max: 20ms }} }}
default: [otlp/healthy, otlp/dead]",
        healthy.url(),
        dead.url()
    ))
    .await;
    for round in 0..3 {
        let name = format!(r#""name":"{round}""#);
        stage.post("/v1/traces", &[PROTOBUF], traces("shop", &[&name]).body).await;
        healthy.wait_for(round + 1).await;
    }
    dead.wait_for(5).await;
    let status = stage.status();
    let (healthy_figures, dead_figures) =
        (&status.exporters["otlp/healthy"].figures, &status.exporters["otlp/dead"].figures);
    assert_eq!((dead_figures.accepted, dead_figures.delivered, dead_figures.waiting), (3, 0, 3));
    assert_eq!(healthy_figures.accepted, 3);
    assert!(["retrying", "open"].contains(&status.exporters["otlp/dead"].state));
    let last_error = status.exporters["otlp/dead"].last_error.as_ref().unwrap();
    assert!(last_error.message.contains("503") && last_error.message.contains("down"), "{last_error:?}");
    // Recovered, it gets everything, once.
    dead.wait_for(101).await;
    let status = stage.stop(Duration::from_secs(10)).await;
    assert_eq!(status.exporters["otlp/dead"].figures.delivered, 3);
    assert_eq!(healthy.received().len(), 3);
}

#[tokio::test]
async fn a_stop_delivers_what_is_left_within_the_grace_time() {
    let vendor = Vendor::start().await;
    let stage = Stage::start(&format!(
        "exporters: {{ otlp: {{ endpoint: '{}', compression: none, linger: 1h }} }}\ndefault: [otlp]",
        vendor.url()
    ))
    .await;
    stage.post("/v1/traces", &[PROTOBUF], traces("shop", &[r#""name":"last""#]).body).await;
    let (http, url) = (stage.http.clone(), stage.url("/v1/traces"));
    let status = stage.stop(Duration::from_secs(10)).await;
    assert_eq!((status.ready, status.exporters["otlp"].figures.delivered), (false, 1));
    assert!(http.post(url).send().await.is_err(), "the listener is closed");
}

#[tokio::test]
async fn what_cannot_be_delivered_in_time_is_counted_as_waiting() {
    let vendor = Vendor::start().await;
    for _ in 0..1000 {
        vendor.then(503, None, b"");
    }
    let stage =
        Stage::start(&format!("exporters: {{ otlp: {{ endpoint: '{}' }} }}\ndefault: [otlp]", vendor.url())).await;
    stage.post("/v1/traces", &[PROTOBUF], traces("shop", &[""]).body).await;
    vendor.wait_for(1).await;
    let status = stage.stop(Duration::from_millis(50)).await;
    assert_eq!(status.exporters["otlp"].figures.waiting, 1);
}

#[tokio::test]
async fn signals_that_a_vendor_does_not_take_are_counted_as_such() {
    let vendor = Vendor::start().await;
    let stage = Stage::start(&format!(
        "exporters: {{ rollbar: {{ access_token: t, endpoint: '{}' }}, console: {{}} }}\ndefault: [rollbar]",
        vendor.url()
    ))
    .await;
    let metrics = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"1"},{"asInt":"2"}]}}]}]}]}"#;
    let answer = stage.post("/v1/metrics", &[("content-type", "application/json")], metrics).await;
    assert_eq!(answer.status, 200);
    let figures = &stage.status().exporters["rollbar"].figures;
    assert_eq!((figures.accepted, figures.dropped["unsupported_signal"], figures.waiting), (2, 2, 0));
}

#[tokio::test]
async fn a_full_journal_drops_the_laggards_oldest_and_never_passes_its_bound() {
    let vendor = Vendor::start().await;
    for _ in 0..10_000 {
        vendor.then(503, None, b"");
    }
    let stage = Stage::start(&format!(
        "exporters: {{ otlp: {{ endpoint: '{}', concurrency: 1, request_bytes_max: 1KB }} }}
default: [otlp]\njournal: {{ max_bytes: 64KB }}",
        vendor.url()
    ))
    .await;
    let long = format!(r#""name":"{}""#, "x".repeat(1000));
    let body = traces("shop", &[&long]).body;
    for _ in 0..200 {
        assert_eq!(stage.post("/v1/traces", &[PROTOBUF], body.clone()).await.status, 200);
    }
    let status = stage.status();
    let figures = &status.exporters["otlp"].figures;
    assert_eq!(figures.accepted, 200);
    assert!(figures.dropped["journal_full"] > 100, "{figures:?}");
    assert_eq!(figures.accepted, figures.delivered + figures.dropped_total() + figures.waiting);
    assert!(status.journal.bytes <= 64_000);
}

#[tokio::test]
async fn a_full_journal_refuses_the_client_where_it_is_told_to() {
    let vendor = Vendor::start().await;
    for _ in 0..10_000 {
        vendor.then(503, None, b"");
    }
    let stage = Stage::start(&format!(
        "exporters: {{ otlp: {{ endpoint: '{}' }} }}\ndefault: [otlp]\njournal: {{ max_bytes: 4KB, when_full: refuse }}",
        vendor.url()
    ))
    .await;
    let body = traces("shop", &[&format!(r#""name":"{}""#, "x".repeat(1000))]).body;
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(stage.post("/v1/traces", &[PROTOBUF], body.clone()).await);
    }
    let refused = answers.iter().find(|answer| answer.status == 503).expect("one is refused");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=4).contains(&wait), "{wait}");
    let accepted = answers.iter().filter(|answer| answer.status == 200).count() as u64;
    assert_eq!(stage.status().exporters["otlp"].figures.accepted, accepted);
}

/// Sends three spans, one a request, through a `file` exporter that rotates after about two of them.
async fn write_three_spans(path: &std::path::Path) {
    let stage = Stage::start(&format!(
        "exporters: {{ file: {{ path: '{}', file_bytes_max: 400B, files_kept: 2 }} }}\ndefault: [file]",
        path.display()
    ))
    .await;
    for round in 0..3u64 {
        let name = format!(r#""name":"round {round}""#);
        stage.post("/v1/traces", &[PROTOBUF], traces("shop", &[&name]).body).await;
        while stage.status().exporters["file"].figures.delivered <= round {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A device was renamed away with its name in `/dev`, and the machine had no `/dev/null` any more. Here the name is a link,
/// so that a failing test takes nothing but the link.
#[tokio::test]
async fn the_file_exporter_never_rotates_what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("null");
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    write_three_spans(&path).await;
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["null"]);
    assert!(path.is_symlink());
}

#[tokio::test]
async fn the_file_exporter_writes_otlp_json_lines_and_rotates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    write_three_spans(&path).await;
    let names = |path: &std::path::Path| -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| json::read(Signal::Traces, line.as_bytes()).unwrap().body);
        lines.flat_map(|body| span_names(&body)).collect()
    };
    let mut rotated = path.clone().into_os_string();
    rotated.push(".1");
    let all = [names(std::path::Path::new(&rotated)), names(&path)].concat();
    assert_eq!(all[all.len() - 2..], ["round 1", "round 2"]);
}

#[tokio::test]
async fn admin_answers_health_status_and_metrics() {
    let stage = Stage::start("exporters: { console: {} }\ndefault: []").await;
    assert_eq!(stage.get_admin("/livez").await.status, 200);
    assert_eq!(stage.get_admin("/readyz").await.status, 200);
    assert_eq!(stage.get_admin("/nothing").await.status, 404);
    stage.post("/v1/traces", &[PROTOBUF], traces("shop", &["", ""]).body).await;
    let status = stage.get_admin("/status").await.json();
    assert_eq!(status["receiver"]["accepted"]["traces"], 2);
    assert_eq!(status["exporters"]["console"]["accepted"], 0);
    let metrics = stage.get_admin("/metrics").await;
    let text = metrics.text();
    assert!(text.contains("telemetry_gateway_receiver_items_total{signal=\"traces\"} 2\n"), "{text}");
    stage.gateway.set_ready(false);
    assert_eq!(stage.get_admin("/readyz").await.status, 503);
    assert_eq!(stage.get_admin("/livez").await.status, 200);
    assert_eq!(stage.post("/v1/traces", &[PROTOBUF], "").await.status, 503);
}

#[tokio::test]
async fn secrets_are_on_no_page() {
    let stage = Stage::start(
        "exporters:
  honeycomb: { api_key: hcaik_topsecret, endpoint: 'http://127.0.0.1:9' }
  rollbar: { access_token: topsecret, endpoint: 'http://user:topsecret@127.0.0.1:9' }
  otlp: { endpoint: 'http://topsecret:x@127.0.0.1:9', headers: { authorization: topsecret } }
default: [honeycomb, rollbar, otlp]",
    )
    .await;
    stage.post("/v1/traces", &[PROTOBUF], traces("shop", &[r#""status":{"code":2},"kind":2"#]).body).await;
    while stage.status().exporters.values().any(|exporter| exporter.last_error.is_none()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for path in ["/status", "/metrics"] {
        let page = stage.get_admin(path).await;
        assert!(!page.text().contains("topsecret"), "{}", page.text());
    }
}
