//! The binary as a process of its own: started, killed, started again on the same directory.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A process that says nothing for so long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// The binary, its directory and its log. Killed when dropped.
pub struct Process {
    child: Child,
    log: Receiver<String>,
    pub otlp: SocketAddr,
    pub admin: SocketAddr,
    directory: tempfile::TempDir,
}

/// An HTTP answer: its status, and all of it.
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.text.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

/// `gateway.yaml` with listeners on free ports.
fn yaml(rest: &str) -> String {
    format!("admin: {{ listen: \"127.0.0.1:0\" }}\nreceivers: {{ otlp: {{ listen: [\"127.0.0.1:0\"] }} }}\n{rest}")
}

impl Process {
    /// Starts it in a directory of its own, which is where its journal is.
    pub fn start(rest: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("gateway.yaml"), yaml(rest)).unwrap();
        Process::start_in(directory)
    }

    fn start_in(directory: tempfile::TempDir) -> Self {
        let mut child = command(directory.path())
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut process = Process { child, log, otlp: nowhere, admin: nowhere, directory };
        let address = |line: String| line.split_once("address=").unwrap().1.trim().parse().unwrap();
        // The two tasks start in any order.
        for _ in 0..2 {
            let line = process.wait_for("listening for ");
            let is_admin = line.contains("listening for admin");
            *(if is_admin { &mut process.admin } else { &mut process.otlp }) = address(line);
        }
        process
    }

    /// Kills it as kill -9 does, and starts it again.
    pub fn kill_and_restart(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap());
        drop(self);
        Process::start_in(directory)
    }

    /// Starts it again after it has ended.
    pub fn restart(mut self) -> Self {
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap());
        drop(self);
        Process::start_in(directory)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts another file in the place of `gateway.yaml`, by a rename.
    pub fn configure(&self, rest: &str) {
        std::fs::write(self.path("next"), yaml(rest)).unwrap();
        std::fs::rename(self.path("next"), self.path("gateway.yaml")).unwrap();
    }

    /// Another verb of the binary, in the same directory.
    pub fn verb(&self, arguments: &[&str]) -> Output {
        command(self.directory.path()).args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Reads the log until a line has these words.
    pub fn wait_for(&mut self, words: &str) -> String {
        let mut before = Vec::new();
        while let Ok(line) = self.log.recv_timeout(SILENCE_MAX) {
            if line.contains(words) {
                return line;
            }
            before.push(line);
        }
        panic!("the log ended without {words:?}: {before:#?}");
    }

    /// Posts OTLP/JSON.
    pub fn try_post(&self, body: &str) -> Answer {
        let length = body.len();
        let head = format!("POST /v1/traces HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {length}");
        exchange(self.otlp, &head, body)
    }

    /// The same, acknowledged.
    pub fn post(&self, body: &str) {
        let answer = self.try_post(body);
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    pub fn get(&self, path: &str) -> Answer {
        exchange(self.admin, &format!("GET {path} HTTP/1.1"), "")
    }

    /// `/status`, once it is as wanted.
    pub fn status_when(&self, holds: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let begun_at = Instant::now();
        loop {
            let status = self.get("/status").json();
            if holds(&status) {
                return status;
            }
            assert!(begun_at.elapsed() < SILENCE_MAX, "{status:#}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Its exit code, and how long it took.
    pub fn end(&mut self) -> (Option<i32>, Duration) {
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

fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telemetry-gateway"));
    command.current_dir(directory).env_remove("RUST_LOG");
    command
}

fn exchange(address: SocketAddr, head: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{head}\r\nhost: x\r\nconnection: close\r\n\r\n{body}").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.unwrap_or_else(|| panic!("no answer: {text:?}")), text }
}
