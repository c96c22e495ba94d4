//! Clients that are silent or slow, over real sockets on a clock that leaps: whenever nothing moves, time does.

use std::time::Duration;

use telemetry_gateway::admin::{self, Admin};
use telemetry_gateway::stdx::located::Located;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{JSON, NOWHERE};
use crate::support::stage::Stage;

const REQUEST: &[u8] =
    b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// Reads to the end of the connection: what came, and after how many seconds it ended.
async fn read_out(stream: &mut TcpStream) -> (String, u64) {
    let from = Instant::now();
    let mut bytes = Vec::new();
    // A connection may end with a reset, but it must end.
    let _ = timeout(Duration::from_hours(1), stream.read_to_end(&mut bytes)).await.expect("an end");
    (String::from_utf8_lossy(&bytes).into_owned(), from.elapsed().as_secs())
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let read = stream.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

fn with(receiver: &str) -> String {
    format!(
        "admin: {{ listen: \"127.0.0.1:0\" }}\n\
         receivers: {{ otlp: {{ listen: [\"127.0.0.1:0\", \"127.0.0.1:0\"], {receiver} }} }}\n{NOWHERE}"
    )
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_whole_head_ends_after_ten_seconds() {
    let stage = Stage::start(NOWHERE).await;
    for sent in [
        &b""[..],
        b"P",
        b"PRI",
        b"PRI * HTTP/2.0\r\n",
        b"PRI / HTTP/1.1\r\nhost: x\r\n",
        b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n",
    ] {
        let mut stream = TcpStream::connect(stage.otlp[0]).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let (answer, seconds) = read_out(&mut stream).await;
        assert!((10..12).contains(&seconds), "{seconds} s after {:?}: {answer}", String::from_utf8_lossy(sent));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_the_next_export() {
    let stage = Stage::start(NOWHERE).await;
    let mut stream = TcpStream::connect(stage.otlp[1]).await.unwrap();
    for _ in 0..3 {
        stream.write_all(REQUEST).await.unwrap();
        let answer = read_some(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        sleep(Duration::from_secs(80)).await;
    }
    stream.write_all(REQUEST).await.unwrap();
    read_some(&mut stream).await;
    let (rest, seconds) = read_out(&mut stream).await;
    assert!(rest.is_empty() && (90..92).contains(&seconds), "{seconds} s: {rest}");
}

#[tokio::test(start_paused = true)]
async fn a_body_in_drops_is_given_up() {
    let stage = Stage::start(NOWHERE).await;
    let mut stream = TcpStream::connect(stage.otlp[1]).await.unwrap();
    let head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let from = Instant::now();
    // Progress every 20 s, forever: each frame alone is in time.
    let (mut from_gateway, mut to_gateway) = stream.split();
    let drops = async {
        while to_gateway.write_all(b" ").await.is_ok() {
            sleep(Duration::from_secs(20)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = vec![0; 4096];
    let read = tokio::select! {
        read = from_gateway.read(&mut answer) => read.unwrap(),
        () = drops => unreachable!(),
    };
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too slow"), "{answer}");
    assert!((30..32).contains(&from.elapsed().as_secs()), "{:?}", from.elapsed());
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_and_no_listener_starves() {
    let stage = Stage::start_with(&with("connections_max: 1")).await;
    for _ in 0..3 {
        for address in &stage.otlp {
            // The place of the connection before comes free a moment after its end.
            let mut only = loop {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let _ = stream.write_all(REQUEST).await;
                let mut answer = vec![0; 4096];
                if matches!(stream.read(&mut answer).await, Ok(read) if read > 0) {
                    break stream;
                }
            };
            for other in &stage.otlp {
                let mut over = TcpStream::connect(other).await.unwrap();
                let (answer, _) = timeout(Duration::from_secs(10), read_out(&mut over)).await.expect("closed at once");
                assert_eq!(answer, "");
            }
            only.shutdown().await.unwrap();
        }
    }
}

#[tokio::test]
async fn bodies_that_are_only_declared_hold_nothing() {
    let stage = Stage::start_with(&with("body_bytes_max: 10KB, inflight_bytes_max: 20KB")).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(stage.otlp[1]).await.unwrap();
        let head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 10000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        // The body is being awaited: its request is under way.
        assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 100"));
        stream.write_all(b" ").await.unwrap();
        silent.push(stream);
    }
    let body = format!("{{}}{}", " ".repeat(9_900));
    assert_eq!(stage.post("/v1/traces", &[JSON], body).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn silent_admin_connections_do_not_keep_health_checks_out() {
    let stage = Stage::start(NOWHERE).await;
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(stage.admin).await.unwrap());
    }
    let mut over = TcpStream::connect(stage.admin).await.unwrap();
    assert_eq!(read_out(&mut over).await, (String::new(), 0), "closed at once");
    sleep(Duration::from_secs(6)).await;
    assert_eq!(stage.get_admin("/livez").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn admin_stops_at_once_while_clients_are_connected() {
    let stage = Stage::start(NOWHERE).await;
    let config = admin::Config { listen: Located::nowhere("127.0.0.1:0".to_owned()) };
    let admin = Admin::bind(&config, stage.gateway.clone()).await.unwrap();
    let (address, stop) = (admin.address().unwrap(), CancellationToken::new());
    let mut silent = Vec::new();
    for _ in 0..70 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let running = tokio::spawn(admin.run(stop.clone()));
    assert_eq!(read_out(&mut silent[69]).await.1, 0, "all were accepted");
    let from = Instant::now();
    stop.cancel();
    running.await.unwrap();
    assert!(from.elapsed() < Duration::from_secs(1), "{:?}", from.elapsed());
}
