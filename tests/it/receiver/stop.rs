//! The stop of the process, from outside: signals, exit codes, and what must not hold it up.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::support::process::Process;
use crate::support::traces_json;

#[test]
fn a_full_pipe_and_an_unfinished_request_do_not_hold_up_the_stop() {
    let mut process = Process::start(
        "journal: { durability: memory }\nexporters: { console: {} }\ndefault: [console]\nstop: { grace: 600ms }",
    );
    // More than a pipe holds, and nobody reads it.
    let long = format!("\"name\":\"{}\"", "x".repeat(1000));
    process.post(&traces_json("shop", &vec![long.as_str(); 500]));
    let mut unfinished = TcpStream::connect(process.otlp).unwrap();
    write!(unfinished, "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n").unwrap();
    write!(unfinished, "expect: 100-continue\r\ncontent-length: 100\r\n\r\n").unwrap();
    // Its body is being awaited.
    let mut interim = [0; 12];
    unfinished.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100");
    process.terminate();
    let (code, took) = process.end();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_second_signal_ends_the_process_at_once_with_code_1() {
    // Nobody accepts here: what is sent waits.
    let vendor = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut process = Process::start(&format!(
        "journal: {{ durability: memory }}\nexporters: {{ otlp: {{ endpoint: \"http://{}\", timeout: 1h }} }}\ndefault: [otlp]\nstop: {{ grace: 1h }}",
        vendor.local_addr().unwrap()
    ));
    process.post(&traces_json("shop", &[""]));
    process.terminate();
    process.wait_for("stopping");
    process.terminate();
    process.wait_for("told to stop a second time");
    process.wait_for("they are lost");
    let (code, took) = process.end();
    assert_eq!(code, Some(1));
    assert!(took < Duration::from_secs(5), "{took:?}");
}
