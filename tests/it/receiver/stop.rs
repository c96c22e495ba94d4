//! The stop of the process, from outside: signals, exit codes, and what must not hold it up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::support::traces_json;

/// A process that says nothing for so long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// The binary, and its log. Killed when dropped.
struct Process {
    child: Child,
    log: Receiver<String>,
    otlp: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Process {
    fn start(rest: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateway.yaml");
        let yaml = format!(
            "admin: {{ listen: \"127.0.0.1:0\" }}\nreceivers: {{ otlp: {{ listen: [\"127.0.0.1:0\"] }} }}
journal: {{ durability: memory }}\n{rest}"
        );
        std::fs::write(&path, yaml).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_telemetry-gateway"))
            .args(["run", "--config", path.to_str().unwrap()])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut process = Process { child, log, otlp: nowhere, _directory: directory };
        let line = process.wait_for("listening for OTLP");
        process.otlp = line.split_once("address=").unwrap().1.trim().parse().unwrap();
        process
    }

    /// Reads the log until a line has these words.
    fn wait_for(&mut self, words: &str) -> String {
        let mut before = Vec::new();
        while let Ok(line) = self.log.recv_timeout(SILENCE_MAX) {
            if line.contains(words) {
                return line;
            }
            before.push(line);
        }
        panic!("the log ended without {words:?}: {before:#?}");
    }

    fn post(&self, body: &str) {
        let mut stream = TcpStream::connect(self.otlp).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Its exit code, and how long it took.
    fn end(&mut self) -> (Option<i32>, Duration) {
        let from = Instant::now();
        // The log ends with the process: no polling.
        let ended = loop {
            if let Err(error) = self.log.recv_timeout(SILENCE_MAX) {
                break error;
            }
        };
        assert_eq!(ended, RecvTimeoutError::Disconnected, "the process hangs");
        (self.child.wait().unwrap().code(), from.elapsed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_full_pipe_and_an_unfinished_request_do_not_hold_up_the_stop() {
    let mut process = Process::start("exporters: { console: {} }\ndefault: [console]\nstop: { grace: 600ms }");
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
        "exporters: {{ otlp: {{ endpoint: \"http://{}\", timeout: 1h }} }}\ndefault: [otlp]\nstop: {{ grace: 1h }}",
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
