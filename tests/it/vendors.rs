//! What the exporters make of vendors that answer badly: too much, too slowly, or without saying what is meant.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use telemetry_gateway::config::Config;
use telemetry_gateway::exporter::contract::{Exporter, Outcome, Piece, Request};
use telemetry_gateway::exporter::file;
use telemetry_gateway::exporter::otlp::{Compression, Destination, OtlpExporter};
use telemetry_gateway::gateway::ExporterStatus;
use telemetry_gateway::otlp::Signal;
use telemetry_gateway::stdx::located::Located;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::stage::Stage;
use crate::support::traces;
use crate::support::vendor::Vendor;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

/// What the AWS SDK looks for; none of it is real.
const AWS_ENVIRONMENT: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "example"), ("AWS_EC2_METADATA_DISABLED", "true")];

/// Runs this very test once more in a process that has AWS credentials, as they are read from the environment, which a
/// process cannot change safely for itself. False in that process.
fn ran_with_credentials() -> bool {
    if std::env::var("AWS_ACCESS_KEY_ID").is_ok_and(|id| id == AWS_ENVIRONMENT[0].1) {
        return false;
    }
    let test = std::thread::current().name().expect("tests run in threads named after them").to_owned();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--test-threads", "1"])
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .envs(AWS_ENVIRONMENT)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    true
}

async fn until(stage: &Stage, exporter: &str, holds: impl Fn(&ExporterStatus) -> bool) -> ExporterStatus {
    let waited = async {
        loop {
            let status = stage.status().exporters.remove(exporter).unwrap();
            if holds(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.expect("it holds in time")
}

/// A server that speaks no more HTTP than it must: for each connection `answer` writes what it likes.
async fn raw<F, A>(answer: F) -> (SocketAddr, watch::Receiver<usize>)
where
    F: Fn(TcpStream, usize) -> A + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (requests, seen) = watch::channel(0);
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            requests.send_modify(|count| *count += 1);
            let count = *requests.borrow();
            tokio::spawn(answer(stream, count));
        }
    });
    (address, seen)
}

async fn xray(endpoint: &str) -> Stage {
    Stage::start(&format!(
        "exporters: {{ xray: {{ region: us-east-1, endpoint: '{endpoint}', retry: {{ initial: 10ms, max: 20ms }} }} }}
default: [xray]"
    ))
    .await
}

const SERVER: &str =
    r#""name":"a","kind":2,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000""#;

#[tokio::test]
async fn an_endless_answer_of_xray_is_cut_off_and_costs_no_memory() {
    if ran_with_credentials() {
        return;
    }
    const OFFERED: usize = 256 * 1024 * 1024;
    let (taken, mut bytes) = watch::channel(None);
    let taken = Arc::new(taken);
    let (address, _) = raw(move |mut stream, count| {
        let taken = Arc::clone(&taken);
        async move {
            if count > 1 {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
                return;
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {OFFERED}\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            let (chunk, mut sent) = (vec![b' '; 64 * 1024], 0);
            while sent < OFFERED && stream.write_all(&chunk).await.is_ok() {
                sent += chunk.len();
            }
            taken.send_replace(Some(sent));
        }
    })
    .await;
    let stage = xray(&format!("http://{address}")).await;
    stage.post("/v1/traces", &[PROTOBUF], traces("shop", &[SERVER]).body).await;
    let status = until(&stage, "xray", |status| status.figures.waiting == 0).await;
    assert_eq!((status.figures.delivered, status.failed_requests), (1, 1));
    let taken = bytes.wait_for(Option::is_some).await.unwrap().unwrap();
    assert!(taken < OFFERED / 4, "{taken} bytes were taken; what exceeds the bound lay in the sockets' buffers");
}

#[tokio::test]
async fn a_segment_that_xray_refuses_without_its_name_is_found_by_halving() {
    if ran_with_credentials() {
        return;
    }
    let vendor = Vendor::start().await;
    let nameless = br#"{"UnprocessedTraceSegments":[{"Id":null,"ErrorCode":"JSONFormatError","Message":"no JSON"}]}"#;
    vendor.then(200, None, nameless); // both
    vendor.then(200, None, nameless); // one of them; the other is taken
    let stage = xray(&vendor.url()).await;
    stage.post("/v1/traces", &[PROTOBUF], traces("shop", &[SERVER, SERVER]).body).await;
    let status = until(&stage, "xray", |status| status.figures.waiting == 0).await;
    assert_eq!(status.figures.delivered, 1);
    assert_eq!(status.figures.dropped.into_iter().collect::<Vec<_>>(), [("invalid_segment", 1)]);
    let documents = vendor.received().into_iter().map(|request| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        body["TraceSegmentDocuments"].as_array().unwrap().len()
    });
    assert_eq!(documents.collect::<Vec<_>>(), [2, 1, 1]);
}

#[tokio::test]
async fn credentials_and_clocks_that_xray_refuses_with_400_lose_nothing() {
    if ran_with_credentials() {
        return;
    }
    let vendor = Vendor::start().await;
    vendor.then(400, Some(("x-amzn-errortype", "RequestExpired")), br#"{"message":"Request has expired"}"#);
    let stage = xray(&vendor.url()).await;
    stage.post("/v1/traces", &[PROTOBUF], traces("shop", &[SERVER]).body).await;
    let status = until(&stage, "xray", |status| status.last_error.is_some()).await;
    assert_eq!((status.state, status.figures.waiting), ("unauthorized", 1));
    let message = status.last_error.unwrap().message;
    assert_eq!(message, "400: RequestExpired: Request has expired");
}

/// Answers with a head that promises a body, and keeps the connection open without one.
async fn hanging(head: &'static str) -> (SocketAddr, watch::Receiver<usize>) {
    raw(move |mut stream, _| async move {
        let _ = stream.write_all(head.as_bytes()).await;
        while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {}
    })
    .await
}

#[tokio::test]
async fn an_otlp_answer_without_an_end_is_what_its_status_says() {
    for (head, accepted) in [
        ("HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\n\x0a", true),
        ("HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nno", false),
    ] {
        let (address, seen) = hanging(head).await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let destination = Destination::new(&format!("http://{address}"), HeaderMap::new(), None);
        let timeout = Duration::from_millis(500);
        let exporter = OtlpExporter::new(destination, Compression::None, 1024, 1).answering_within(timeout);
        let bytes = traces("shop", &[SERVER]).body;
        let pieces = [Piece { weight: 1, bytes, original: None, key: None }];
        let attempt = exporter.send(Request { signal: Signal::Traces, pieces: &pieces });
        let outcome = tokio::time::timeout(timeout, attempt).await.expect("before delivery gives the attempt up");
        if accepted {
            assert_eq!(outcome, Outcome::Accepted { except: Vec::new() });
        } else {
            assert_eq!(outcome, Outcome::Refused { reason: "refused_400", message: "400: no".to_owned() });
        }
        assert_eq!(*seen.borrow(), 1);
    }
}

#[tokio::test]
async fn an_item_that_rollbar_took_is_not_sent_again_because_the_answer_has_no_end() {
    let (address, seen) =
        hanging("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{").await;
    let stage = Stage::start(&format!(
        "exporters: {{ rollbar: {{ access_token: t, endpoint: 'http://{address}', timeout: 2s }} }}
default: [rollbar]"
    ))
    .await;
    stage.post("/v1/traces", &[PROTOBUF], traces("shop", &[r#""name":"a","kind":2,"status":{"code":2}"#]).body).await;
    let status = until(&stage, "rollbar", |status| status.figures.waiting == 0).await;
    assert_eq!((status.figures.delivered, status.failed_requests, *seen.borrow()), (1, 0, 1));
}

#[tokio::test]
async fn a_wrong_url_is_called_so_and_loses_nothing() {
    for (code, header, expected) in [
        (404, None, "404: nothing is served at this URL"),
        (302, Some(("location", "http://elsewhere.invalid/")), "302: redirects are not followed"),
    ] {
        let vendor = Vendor::start().await;
        vendor.then(code, header, b"");
        let stage =
            Stage::start(&format!("exporters: {{ otlp: {{ endpoint: '{}' }} }}\ndefault: [otlp]", vendor.url())).await;
        stage.post("/v1/traces", &[PROTOBUF], traces("shop", &[""]).body).await;
        let status = until(&stage, "otlp", |status| status.last_error.is_some()).await;
        assert_eq!((status.state, status.figures.waiting), ("unauthorized", 1));
        assert_eq!(status.last_error.unwrap().message, expected);
    }
}

#[tokio::test]
async fn a_file_that_blocks_is_written_once_however_often_it_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    if !std::process::Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()) {
        println!("skipped: no mkfifo here");
        return;
    }
    let config = file::Config { path: Some(Located::nowhere(path.display().to_string())), ..file::Config::default() };
    let exporter = config.build();
    let piece = |text: &'static str| [Piece { weight: 1, bytes: text.into(), original: None, key: None }];
    let (first, second) = (piece("first\n"), piece("second\n"));
    let send = |pieces| exporter.send(Request { signal: Signal::Traces, pieces });
    for _ in 0..3 {
        // Nobody reads: opening the pipe blocks the writer, as a dead mount would.
        tokio::time::timeout(Duration::from_millis(20), send(&first)).await.expect_err("it blocks");
    }
    assert!(matches!(send(&second).await, Outcome::Retry { .. }), "nothing is begun beside it");
    let reading = std::thread::spawn(move || std::fs::read_to_string(path).unwrap());
    assert_eq!(send(&first).await, Outcome::Accepted { except: Vec::new() });
    assert_eq!(send(&second).await, Outcome::Accepted { except: Vec::new() });
    drop(exporter);
    assert_eq!(reading.join().unwrap(), "first\nsecond\n", "and the thread ends with its exporter");
}

#[test]
fn numbers_and_urls_that_make_no_sense_are_faults() {
    for (exporter, expected) in [
        ("xray: { endpoint: 'https://host?x=1' }", "has a query"),
        ("rollbar: { access_token: t, endpoint: 'https://host#x' }", "has a fragment"),
        ("rollbar: { access_token: t, timeout: 0s }", "`timeout` is 0"),
        ("xray: { retry: { initial: 0s } }", "`retry.initial` is 0"),
        ("file: { path: x, retry: { max: 0s } }", "`retry.max` is 0"),
        ("xray: { concurrency: 1025 }", "`concurrency` is above 1024"),
    ] {
        let yaml = format!("exporters: {{ {exporter} }}\ndefault: []\n");
        let problems = Config::parse("gateway.yaml", yaml, &|_| None).map(|_| ()).unwrap_err().to_string();
        assert!(problems.contains(expected), "{exporter}: {problems}");
    }
}

/// The bug: a write to a pipe that nobody reads held a thread that the runtime waited for when the process should end.
#[tokio::test]
async fn a_console_that_nobody_reads_does_not_keep_the_process_from_exiting() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gateway.yaml");
    // Free a moment ago; both are asked for at once, so that they differ.
    let free = [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let [otlp, admin] = free.map(|listener| listener.local_addr().unwrap());
    let yaml = format!(
        "admin: {{ listen: '{admin}' }}
receivers: {{ otlp: {{ listen: ['{otlp}'] }} }}
stop: {{ grace: 100ms }}
exporters: {{ console: {{}} }}
default: [console]
"
    );
    std::fs::write(&config, yaml).unwrap();
    let gateway = std::process::Command::new(env!("CARGO_BIN_EXE_telemetry-gateway"))
        .args(["run", "--config"])
        .arg(&config)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped()) // and never read
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut gateway = Killed(gateway);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let name = format!(r#""name":"{}""#, "x".repeat(100));
    let spans = vec![name.as_str(); 2000]; // far more than a pipe holds
    let body = traces("shop", &spans).body;
    let sent = async {
        loop {
            let post = http.post(format!("http://{otlp}/v1/traces")).header(PROTOBUF.0, PROTOBUF.1).body(body.clone());
            if post.send().await.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await; // it is starting
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sent).await.expect("it takes telemetry");
    // Its first byte shows that the write has begun; it cannot end, because the rest does not fit into the pipe.
    let mut stdout = gateway.0.stdout.take().unwrap();
    let stdout = tokio::task::spawn_blocking(move || {
        std::io::Read::read_exact(&mut stdout, &mut [0]).unwrap();
        stdout
    });
    let stdout = stdout.await.unwrap();
    let id = gateway.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let ended = async {
        loop {
            if let Some(status) = gateway.0.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    assert!(ended.expect("it exits in time").success());
    drop(stdout); // open until now: a closed pipe would have ended the write
}

/// A process that does not outlive its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
