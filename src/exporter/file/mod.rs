//! A file of OTLP/JSON lines, one request a line, as the Collector's file exporter writes it; rotated by size.

pub mod writer;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;

use super::contract::{BoxFuture, Encoded, Exporter, Limits, Outcome, Piece, Request};
use super::pace::{Pace, RetryConfig};
use crate::otlp::{Part, Signal, json};
use crate::stdx::fault::Fault;
use crate::stdx::located::{Located, Place};
use crate::stdx::units::{ByteSize, Interval};
use writer::{Sink, WriterThread, Written};

/// `file` or `file/NAME` under `exporters`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The newest file; older ones have `.1`, `.2`, … behind it, the oldest the largest number.
    pub path: Option<Located<String>>,
    /// A file that has grown past it is rotated away.
    pub file_bytes_max: ByteSize,
    /// How many rotated files are kept.
    pub files_kept: usize,
    pub retry: RetryConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config { path: None, file_bytes_max: ByteSize::mebibytes(100), files_kept: 5, retry: RetryConfig::default() }
    }
}

impl Config {
    pub fn pace(&self) -> Pace {
        Pace {
            retry: self.retry,
            concurrency: 1, // one writer
            timeout: Interval::seconds(30).duration(),
            linger: Interval::millis(200).duration(),
        }
    }

    /// What is wrong with it beyond its form.
    pub fn faults(&self, place: Place) -> Vec<Fault> {
        let mut faults = self.pace().faults(place);
        match &self.path {
            None => {
                faults.push(Fault::at(place, "a `file` exporter needs a `path`").hint("path: ./telemetry.jsonl"));
            }
            Some(path) if path.value.is_empty() => faults.push(Fault::at(path.place, "`path` is empty")),
            Some(_) => {}
        }
        faults
    }

    pub fn build(&self) -> FileExporter {
        let rotation = Rotation {
            path: self.path.as_ref().map(|path| PathBuf::from(&path.value)).unwrap_or_default(),
            file_bytes_max: self.file_bytes_max.as_u64(),
            files_kept: self.files_kept,
        };
        FileExporter { writer: WriterThread::new("file-writer", rotation) }
    }
}

/// The exporter to one file.
#[derive(Debug)]
pub struct FileExporter {
    writer: WriterThread<Rotation>,
}

/// Which files there are.
#[derive(Debug, Clone)]
struct Rotation {
    path: PathBuf,
    file_bytes_max: u64,
    files_kept: usize,
}

impl Sink for Rotation {
    fn open(&self) -> impl FnMut(&[u8]) -> io::Result<()> + Send + 'static {
        let mut writer = Writer { rotation: self.clone(), open: None };
        move |lines| writer.append(lines)
    }
}

#[derive(Debug)]
struct Writer {
    rotation: Rotation,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// In bytes; `None` for a pipe or a device, which has none, and which a rename must not carry away: `/dev/null` is
    /// the whole machine's.
    length: Option<u64>,
}

impl Writer {
    /// Appends whole lines; the file is opened at the first line, and again after an error.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let result = self.try_append(lines);
        if result.is_err() {
            self.open = None;
        }
        result
    }

    fn try_append(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Some(Open { length: Some(length), .. }) = self.open
            && length > 0
            && length + lines.len() as u64 > self.rotation.file_bytes_max
        {
            self.open = None;
            self.rotation.rotate()?;
        }
        let Open { file, length } = match &mut self.open {
            Some(open) => open,
            None => {
                let file = OpenOptions::new().create(true).append(true).open(&self.rotation.path)?;
                let metadata = file.metadata()?;
                let length = metadata.is_file().then_some(metadata.len());
                self.open.insert(Open { file, length })
            }
        };
        let written = file.write_all(lines);
        if let Some(length) = length {
            // A write that failed half-way must not leave half a line for a reader to choke on.
            if written.is_err() {
                file.set_len(*length)?;
            }
            *length += lines.len() as u64;
        }
        written
    }
}

impl Rotation {
    fn rotate(&self) -> io::Result<()> {
        let numbered = |number: usize| {
            let mut path = self.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        if self.files_kept == 0 {
            return std::fs::remove_file(&self.path);
        }
        for number in (1..self.files_kept).rev() {
            rename_if_there(&numbered(number), &numbered(number + 1))?;
        }
        rename_if_there(&self.path, &numbered(1))
    }
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

impl Exporter for FileExporter {
    fn limits(&self) -> Limits {
        Limits { pieces_max: usize::MAX, bytes_max: 1024 * 1024, items_max: crate::exporter::contract::ITEMS_MAX }
    }

    fn takes(&self, _signal: Signal) -> bool {
        true
    }

    fn encode(&self, part: &Part) -> Encoded {
        let mut line = String::new();
        json::write(part.batch.signal, &part.body(), &mut line);
        line.push('\n');
        let piece = Piece { weight: part.weight(), bytes: Bytes::from(line), original: None, key: None };
        Encoded { pieces: vec![piece], refused: Vec::new() }
    }

    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.writer.write(request.pieces).await {
                Written::Done => Outcome::Accepted { except: Vec::new() },
                Written::Failed(error) => Outcome::Retry { after: None, message: format!("cannot write: {error}") },
                Written::ThreadFailed(error) => Outcome::Retry { after: None, message: error.to_string() },
                Written::Busy => Outcome::Retry { after: None, message: "an earlier write is still open".to_owned() },
            }
        })
    }

    fn show(&self, _signal: Signal, piece: &Piece) -> serde_json::Value {
        serde_json::from_slice(&piece.bytes).unwrap_or_default()
    }
}
