//! The files of a journal's directory: their names, writing at an end, reading a frame, using one again.
//!
//! ```text
//! lock                             held by the one gateway that writes
//! 00000000000000000001.journal     begins with position 1
//! 00000000000000000734.journal     …
//! spare-0                          used up, kept to be written over: twice as fast to sync as a file that grows
//! quarantine/                      stretches that could not be read
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::frame::{self, Frame, HEADER_BYTES};

const SUFFIX: &str = ".journal";

/// How many used-up files are kept to be written over.
const SPARES_MAX: usize = 2;

/// Telemetry is its owner's business.
const MODE: u32 = 0o600;

/// Where a record's frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The base of its file.
    pub file: u64,
    pub offset: u32,
    /// Of the payload.
    pub length: u32,
}

/// How bytes get into files; tests put a disk in its place that fills up, tears and fails.
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Writes some of the slices at the file's cursor, as [`Write::write_vectored`] does.
    fn write(&self, mut file: &File, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        file.write_vectored(slices)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// The system's.
#[derive(Debug)]
pub struct SystemDisk;

impl Disk for SystemDisk {}

/// A journal's directory.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    /// Whether what is done here must survive the machine's end.
    pub syncs: bool,
}

/// The file that is written at its end.
#[derive(Debug)]
pub struct Tail {
    pub base: u64,
    file: File,
    disk: Arc<dyn Disk>,
    /// Where the next frame begins.
    pub offset: u64,
    /// Up to here all is as safe as it will be.
    pub durable: u64,
    /// What the file takes on disk.
    pub file_bytes: u64,
    /// Whether its end could not be found again after a failed write.
    pub is_lost: bool,
}

impl Directory {
    pub fn new(path: PathBuf, disk: Arc<dyn Disk>, syncs: bool) -> io::Result<Self> {
        std::fs::create_dir_all(&path)?;
        Ok(Directory { path, disk, syncs })
    }

    /// Takes the lock; `None` where another process holds it. It is held until the file is dropped.
    pub fn lock(&self) -> io::Result<Option<File>> {
        let file = OpenOptions::new().create(true).append(true).mode(MODE).open(self.path.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub fn path_of(&self, base: u64) -> PathBuf {
        self.path.join(format!("{base:020}{SUFFIX}"))
    }

    /// The bases of the files there are, rising.
    pub fn bases(&self) -> io::Result<Vec<u64>> {
        let mut bases = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let base = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            bases.extend(base.and_then(|base| base.parse::<u64>().ok()));
        }
        bases.sort_unstable();
        Ok(bases)
    }

    /// Removes what an earlier process was in the midst of.
    pub fn sweep(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let is_spare = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("spare-"));
            if is_spare || path.extension().is_some_and(|extension| extension == "tmp") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn spare(&self, number: usize) -> PathBuf {
        self.path.join(format!("spare-{number}"))
    }

    /// Lets a file go: it becomes a spare one where there is use for it.
    pub fn retire(&self, base: u64, is_full_sized: bool) -> io::Result<()> {
        let path = self.path_of(base);
        let free = (0..SPARES_MAX).map(|number| self.spare(number)).find(|spare| !spare.exists());
        let gone = match free {
            Some(spare) if is_full_sized => std::fs::rename(&path, spare),
            _ => std::fs::remove_file(&path),
        };
        match gone {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            gone => gone,
        }
    }

    /// What the spare files take, in bytes.
    pub fn spare_bytes(&self) -> u64 {
        let lengths = (0..SPARES_MAX).filter_map(|number| Some(std::fs::metadata(self.spare(number)).ok()?.len()));
        lengths.sum()
    }

    /// Removes the spare files.
    pub fn drop_spares(&self) -> io::Result<()> {
        for spare in (0..SPARES_MAX).map(|number| self.spare(number)).filter(|spare| spare.exists()) {
            std::fs::remove_file(spare)?;
        }
        Ok(())
    }

    /// Begins a file.
    pub fn begin(&self, base: u64) -> io::Result<Tail> {
        let path = self.path_of(base);
        let spare = (0..SPARES_MAX).map(|number| self.spare(number)).find(|spare| spare.exists());
        if let Some(spare) = spare {
            std::fs::rename(spare, &path)?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(MODE).open(&path)?;
        let disk = Arc::clone(&self.disk);
        let mut tail = Tail { base, file, disk, offset: 0, durable: 0, file_bytes: 0, is_lost: false };
        tail.write(&mut [IoSlice::new(&frame::file_header(base))])?;
        tail.file_bytes = tail.file.metadata()?.len();
        tail.durable = tail.offset;
        self.sync()?;
        Ok(tail)
    }

    /// Puts a file with these bytes in the place of another one, whole or not at all.
    pub fn replace(&self, base: u64, bytes: &[u8]) -> io::Result<()> {
        let path = self.path_of(base);
        let unfinished = path.with_extension("tmp");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(MODE).open(&unfinished)?;
        file.write_all(bytes)?;
        if self.syncs {
            file.sync_data()?;
        }
        std::fs::rename(unfinished, path)?;
        self.sync()
    }

    /// Makes the names of files as safe as their contents.
    pub fn sync(&self) -> io::Result<()> {
        if self.syncs { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    /// All of a file.
    pub fn read(&self, base: u64) -> io::Result<Bytes> {
        let mut file = File::open(self.path_of(base))?;
        let mut bytes = Vec::with_capacity(file.metadata()?.len() as usize);
        file.read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    /// A file to read frames of.
    pub fn open(&self, base: u64) -> io::Result<Reader> {
        Ok(Reader(File::open(self.path_of(base))?))
    }

    /// Keeps bytes that cannot be read, for whoever wants to look at them; gives the file's name.
    pub fn quarantine(&self, base: u64, offset: usize, bytes: &[u8]) -> io::Result<PathBuf> {
        let folder = self.path.join("quarantine");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{base:020}-{offset}"));
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(MODE).open(&path)?;
        file.write_all(bytes)?;
        Ok(path)
    }
}

/// Reads frames of one file.
#[derive(Debug)]
pub struct Reader(File);

impl Reader {
    /// The payload of a record's frame; `None` where it does not stand as it was written.
    pub fn payload(&self, position: u64, place: Place) -> io::Result<Option<Bytes>> {
        let mut bytes = vec![0; HEADER_BYTES + place.length as usize];
        match self.0.read_exact_at(&mut bytes, u64::from(place.offset)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let payload = Bytes::from(bytes);
        let frame = Frame::read(&payload).filter(|frame| frame.position == position);
        let payload = payload.slice(HEADER_BYTES..);
        Ok(frame.filter(|frame| frame.fits(&payload)).map(|_| payload))
    }
}

impl Tail {
    /// Writes slices one behind the other. An error leaves the end where it was.
    pub fn write(&mut self, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let bytes: u64 = slices.iter().map(|slice| slice.len() as u64).sum();
        self.write_all(slices).inspect_err(|_| {
            // Nothing is written behind a place that is not known.
            self.is_lost = self.file.seek(SeekFrom::Start(self.offset)).is_err();
        })?;
        self.offset += bytes;
        self.file_bytes = self.file_bytes.max(self.offset);
        Ok(())
    }

    fn write_all(&mut self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match self.disk.write(&self.file, slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut slices, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes what was written survive the machine's end.
    pub fn sync(&mut self) -> io::Result<()> {
        self.disk.sync(&self.file)?;
        self.durable = self.offset;
        Ok(())
    }
}
