//! Towards destinations: checks 115 to 130 of the specification, by a stand-in that answers as it is told.
//!
//! Checks 122 and 123 are about gRPC destinations, which this gateway does not have: it sends OTLP over HTTP.

use std::time::{Duration, Instant};

use crate::support::stage::{Answered, Stage};
use crate::support::traces;
use crate::support::vendor::Vendor;
use telemetry_gateway::gateway::ExporterStatus;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

async fn stage(vendor: &Vendor, more: &str) -> Stage {
    Stage::start(&format!(
        "exporters: {{ otlp: {{ endpoint: '{}', compression: none, retry: {{ initial: 10ms, max: 40ms }}{more} }} }}\ndefault: [otlp]",
        vendor.url()
    ))
    .await
}

async fn post(stage: &Stage, spans: usize) -> Answered {
    stage.post("/v1/traces", &[PROTOBUF], traces("shop", &vec![""; spans]).body).await
}

/// Waits until nothing is left to do.
async fn settled(stage: &Stage) -> ExporterStatus {
    let waited = async {
        loop {
            let status = stage.status().exporters.remove("otlp").unwrap();
            if status.figures.waiting == 0 && status.figures.accepted > 0 {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.expect("in time")
}

#[tokio::test]
async fn check_115_busy_answers_are_tried_again_until_they_are_not_and_count_once() {
    for status in [429, 502, 503, 504] {
        let vendor = Vendor::start().await;
        vendor.then(status, None, b"busy");
        vendor.then(status, None, b"busy");
        let stage = stage(&vendor, "").await;
        post(&stage, 3).await;
        let status = settled(&stage).await;
        assert_eq!((status.figures.delivered, vendor.received().len()), (3, 3));
    }
}

#[tokio::test]
async fn check_116_what_will_never_be_taken_is_not_sent_again_as_it_is() {
    for (status, reason) in [(400, "refused_400"), (408, "refused_4xx"), (500, "refused_5xx"), (501, "refused_5xx")] {
        let vendor = Vendor::start().await;
        vendor.then(status, None, b"no");
        let stage = stage(&vendor, "").await;
        post(&stage, 1).await;
        let found = settled(&stage).await;
        assert_eq!((found.figures.dropped.get(reason), vendor.received().len()), (Some(&1), 1), "{status}");
    }
    // The exporter pauses, and keeps everything.
    for status in [401, 403, 404] {
        let vendor = Vendor::start().await;
        vendor.then(status, None, b"who are you");
        let stage = stage(&vendor, "").await;
        post(&stage, 1).await;
        vendor.wait_for(1).await;
        let state = async {
            while stage.status().exporters["otlp"].state != "unauthorized" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), state).await.expect("it pauses");
        assert_eq!(stage.status().exporters["otlp"].figures.waiting, 1, "{status}");
    }
    // Too much at once goes in halves.
    let vendor = Vendor::start().await;
    vendor.then(413, None, b"too large");
    let stage = stage(&vendor, "").await;
    post(&stage, 4).await;
    assert_eq!(settled(&stage).await.figures.delivered, 4);
    let sizes: Vec<usize> =
        vendor.received().iter().map(|request| crate::support::span_names(&request.body).len()).collect();
    assert_eq!(sizes, [4, 2, 2]);
}

/// How long after the first request the second came: at least, and at most. The test hears of the first one later than the
/// gateway has its answer, which on a busy machine is a while.
async fn waited(header: &str) -> (Duration, Duration) {
    let vendor = Vendor::start().await;
    vendor.then(503, Some(("retry-after", header)), b"busy");
    let stage = stage(&vendor, "").await;
    let begun_at = Instant::now();
    post(&stage, 1).await;
    vendor.wait_for(1).await;
    let heard_at = Instant::now();
    settled(&stage).await;
    (heard_at.elapsed(), begun_at.elapsed())
}

#[tokio::test]
async fn check_117_and_118_retry_after_is_kept_in_seconds_and_as_a_date() {
    // Dates have no fractions of a second: this one is a whole second.
    let at = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 4).unwrap();
    let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let by_date = async {
        waited(&date).await;
        jiff::Timestamp::now().as_duration().as_secs_f64() - at.as_duration().as_secs_f64()
    };
    let ((at_least, at_most), late) = tokio::join!(waited("2"), by_date);
    assert!(at_most.as_secs_f64() >= 2.0 && at_least.as_secs_f64() <= 2.9, "{at_least:?} to {at_most:?}");
    assert!((0.0..=0.9).contains(&late), "{late} s after the date");
}

#[tokio::test]
async fn check_119_retry_after_that_makes_no_sense_is_as_good_as_none() {
    for garbage in ["soon", "-5", "", "1.5.2"] {
        assert!(waited(garbage).await.0 < Duration::from_secs(2), "{garbage}");
    }
}

#[tokio::test]
async fn check_121_whatever_breaks_before_a_status_is_tried_again() {
    use tokio::io::AsyncReadExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let stage = Stage::start(&format!(
        "exporters:
  otlp: {{ endpoint: 'http://{address}', compression: none, timeout: 300ms, retry: {{ initial: 10ms, max: 40ms }} }}
  otlp/dns: {{ endpoint: 'http://no-such-host.invalid', retry: {{ initial: 10ms, max: 40ms }} }}
default: [otlp, otlp/dns]"
    ))
    .await;
    post(&stage, 1).await;
    let failures = |exporter: &'static str| {
        let stage = &stage;
        async move {
            while stage.status().exporters[exporter].failed_requests < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(failures("otlp"), failures("otlp/dns")) })
        .await
        .expect("connection refused, and no such host");
    // Reset before a status, then a reader that says nothing.
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    drop(stream);
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = [0; 16];
    stream.read_exact(&mut bytes).await.unwrap();
    let (mut again, _) = listener.accept().await.unwrap();
    again.read_exact(&mut bytes).await.unwrap();
    assert_eq!(stage.status().exporters["otlp"].figures.waiting, 1, "nothing is lost meanwhile");
}

#[tokio::test]
async fn check_124_partial_success_is_counted_and_not_sent_again() {
    let vendor = Vendor::start().await;
    vendor.then(200, None, br#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"old"}}"#);
    let stage = stage(&vendor, "").await;
    post(&stage, 5).await;
    let status = settled(&stage).await;
    assert_eq!((status.figures.delivered, status.figures.dropped["rejected_by_vendor"]), (3, 2));
    assert!(status.last_error.unwrap().message.contains("old"));
    assert_eq!(vendor.received().len(), 1);
}

#[tokio::test]
async fn check_125_and_126_whatever_stands_in_an_answer_its_status_decides() {
    for body in [&b""[..], b"{}", b"\x0a\x00", b"<html>fine</html>", b"\xff\xff\xff"] {
        let vendor = Vendor::start().await;
        vendor.then(200, None, body);
        let stage = stage(&vendor, "").await;
        post(&stage, 1).await;
        assert_eq!(settled(&stage).await.figures.delivered, 1, "{body:?}");
    }
    let long = vec![b'x'; 100_000];
    for body in [&b"plain words"[..], b"<html><h1>no</h1></html>", b"{\"message\":\"no\"}", &long] {
        let vendor = Vendor::start().await;
        vendor.then(400, None, body);
        let stage = stage(&vendor, "").await;
        post(&stage, 1).await;
        let status = settled(&stage).await;
        assert_eq!(status.figures.dropped["refused_400"], 1);
        assert!(status.last_error.unwrap().message.chars().count() < 400);
    }
}

#[tokio::test]
async fn check_128_a_redirect_is_not_followed_with_the_credentials() {
    for status in [301, 302, 307] {
        let (vendor, elsewhere) = (Vendor::start().await, Vendor::start().await);
        vendor.then(status, Some(("location", &format!("{}/v1/traces", elsewhere.url()))), b"");
        let stage = stage(&vendor, ", headers: { x-key: secret }").await;
        post(&stage, 1).await;
        vendor.wait_for(1).await;
        let state = async {
            while stage.status().exporters["otlp"].failed_requests == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), state).await.expect("it is an error");
        assert_eq!(elsewhere.received().len(), 0, "{status}");
        assert_eq!(stage.status().exporters["otlp"].figures.waiting, 1, "kept until the file is mended");
    }
}

#[tokio::test]
async fn check_129_failures_in_a_row_open_the_breaker_and_one_success_closes_it() {
    let vendor = Vendor::start().await;
    for _ in 0..12 {
        vendor.then(503, None, b"down");
    }
    let stage = stage(&vendor, ", linger: 0ms, concurrency: 4").await;
    for _ in 0..4 {
        post(&stage, 1).await;
    }
    let opened = async {
        while stage.status().exporters["otlp"].state != "open" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), opened).await.expect("it opens");
    let metrics = stage.get_admin("/metrics").await;
    assert!(metrics.text().contains("telemetry_gateway_exporter_state{exporter=\"otlp\",state=\"open\"} 1\n"));
    let status = settled(&stage).await;
    assert_eq!((status.state, status.figures.delivered), ("ok", 4));
}
