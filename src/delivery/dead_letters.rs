//! What vendors refused for good, kept in a folder for people to look at and for `replay` to send again.
//!
//! Each letter is a file of JSON: why and when, what was to be sent in a form for people, and its exact bytes. The folder is
//! bounded; the oldest letters make way. A letter holds what would have been sent, so what an exporter scrubs is in none.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Files in the folder at most; a filesystem and the list of them in memory stay quick.
const LETTERS_MAX: usize = 10_000;

/// So many names are listed.
const LISTED_MAX: usize = 20;

/// What is shown of a letter at most, in pieces.
pub(super) const SHOWN_MAX: usize = 10;

/// A request, or telemetry that could not be made one, which is given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// RFC 3339.
    pub at: String,
    pub exporter: String,
    pub signal: String,
    pub reason: String,
    /// The vendor's words.
    pub message: String,
    pub form: Form,
    pub pieces: Vec<LetterPiece>,
    /// The first pieces for people; not read again.
    #[serde(default)]
    pub shown: Vec<Json>,
}

/// What the bytes of a letter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// What the exporter made, to be sent as it is.
    Encoded,
    /// OTLP, to be encoded again: the conversion had failed.
    Otlp,
}

/// One piece of a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterPiece {
    pub weight: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(with = "base64_bytes")]
    pub bytes: Vec<u8>,
}

/// How full the folder is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    pub folder: PathBuf,
    pub letters: usize,
    pub bytes: u64,
    pub bytes_max: u64,
    /// Letters that made way for newer ones, or could not be written, since the start.
    pub lost: u64,
    /// The file names of the newest letters: when, and from which exporter.
    pub newest: Vec<String>,
}

/// The folder.
#[derive(Debug)]
pub struct DeadLetters {
    folder: PathBuf,
    bytes_max: u64,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// File names, oldest first, with their bytes; `None` before the folder was read.
    letters: Option<BTreeMap<String, u64>>,
    bytes: u64,
    lost: u64,
    number: u64,
}

impl DeadLetters {
    pub fn new(folder: PathBuf, bytes_max: u64) -> Self {
        DeadLetters { folder, bytes_max, shelf: Mutex::default() }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // A list that misses a file is put right at the next start.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a letter; older ones make way. Blocks.
    pub fn bury(&self, letter: &Letter) -> io::Result<()> {
        let mut shelf = self.shelf();
        let buried = self.write(&mut shelf, letter);
        shelf.lost += u64::from(buried.is_err());
        buried
    }

    fn write(&self, shelf: &mut Shelf, letter: &Letter) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        shelf.read(&self.folder)?;
        let text = serde_json::to_vec_pretty(letter)?;
        let bytes = text.len() as u64;
        if bytes > self.bytes_max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than all dead letters may be"));
        }
        self.make_way(shelf, bytes)?;
        let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        shelf.number += 1;
        let name = format!("{millis:013}-{:06}-{}.json", shelf.number % 1_000_000, file_name(&letter.exporter));
        let path = self.folder.join(&name);
        // Under another name until it is whole: `replay` must not read half of it.
        let unfinished = path.with_extension("tmp");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        let written =
            file.write_all(&text).and_then(|()| file.sync_data()).and_then(|()| std::fs::rename(&unfinished, path));
        if written.is_err() {
            // What is left of it is of no use; that it could not be written is told already.
            let _ = std::fs::remove_file(unfinished);
        }
        written?;
        shelf.letters.get_or_insert_default().insert(name, bytes);
        shelf.bytes += bytes;
        Ok(())
    }

    fn make_way(&self, shelf: &mut Shelf, bytes: u64) -> io::Result<()> {
        let Shelf { letters: Some(letters), bytes: used, lost, .. } = shelf else { return Ok(()) };
        while *used + bytes > self.bytes_max || letters.len() >= LETTERS_MAX {
            let Some((name, freed)) = letters.pop_first() else { break };
            match std::fs::remove_file(self.folder.join(name)) {
                // `replay` has taken it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => {
                    removed?;
                    *lost += 1;
                }
            }
            *used -= freed;
        }
        Ok(())
    }

    /// How full the folder is. Blocks the first time, for as long as it takes to list the folder.
    pub fn usage(&self) -> Usage {
        let mut shelf = self.shelf();
        // A folder that cannot be read shows as empty, and as an error when a letter comes.
        let _ = shelf.read(&self.folder);
        let names = || shelf.letters.iter().flat_map(BTreeMap::keys);
        Usage {
            folder: self.folder.clone(),
            letters: names().count(),
            bytes: shelf.bytes,
            bytes_max: self.bytes_max,
            lost: shelf.lost,
            newest: names().rev().take(LISTED_MAX).cloned().collect(),
        }
    }

    /// The files of an exporter's letters, oldest first.
    pub fn of(&self, exporter: &str) -> io::Result<Vec<PathBuf>> {
        let suffix = format!("-{}.json", file_name(exporter));
        let names = list(&self.folder)?.into_keys().filter(|name| name.ends_with(&suffix));
        Ok(names.map(|name| self.folder.join(name)).collect())
    }
}

impl Shelf {
    fn read(&mut self, folder: &Path) -> io::Result<()> {
        if self.letters.is_none() {
            let letters = list(folder)?;
            self.bytes = letters.values().sum();
            self.letters = Some(letters);
        }
        Ok(())
    }
}

fn list(folder: &Path) -> io::Result<BTreeMap<String, u64>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries?,
    };
    let mut letters = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if entry.path().extension().is_some_and(|extension| extension == "json") {
            letters.insert(name, entry.metadata()?.len());
        }
    }
    Ok(letters)
}

/// An exporter's name as part of a file name.
pub fn file_name(exporter: &str) -> String {
    exporter.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

mod base64_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{BASE64, Engine};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(exporter: &str, bytes: usize) -> Letter {
        Letter {
            at: "2026-11-25T10:00:00Z".to_owned(),
            exporter: exporter.to_owned(),
            signal: "traces".to_owned(),
            reason: "refused_400".to_owned(),
            message: "no".to_owned(),
            form: Form::Encoded,
            pieces: vec![LetterPiece { weight: 1, key: None, bytes: vec![7; bytes] }],
            shown: Vec::new(),
        }
    }

    #[test]
    fn letters_come_back_as_they_were_and_the_oldest_make_way() {
        let folder = tempfile::tempdir().unwrap();
        let dead_letters = DeadLetters::new(folder.path().join("letters"), 4096);
        assert_eq!(dead_letters.usage().letters, 0);
        for number in 0..20 {
            dead_letters.bury(&letter(if number % 2 == 0 { "otlp/a" } else { "otlp/b" }, 300)).unwrap();
            assert!(dead_letters.usage().bytes <= 4096);
        }
        let usage = dead_letters.usage();
        assert_eq!(usage.letters as u64 + usage.lost, 20);
        let of_a = dead_letters.of("otlp/a").unwrap();
        let read: Letter = serde_json::from_slice(&std::fs::read(&of_a[0]).unwrap()).unwrap();
        assert_eq!(read, letter("otlp/a", 300));
        assert_eq!(of_a.len() + dead_letters.of("otlp/b").unwrap().len(), usage.letters);
        let again = DeadLetters::new(folder.path().join("letters"), 4096).usage();
        assert_eq!((again.letters, again.bytes), (usage.letters, usage.bytes));
        assert!(dead_letters.bury(&letter("otlp/a", 5000)).is_err(), "larger than the folder may be");
    }
}
