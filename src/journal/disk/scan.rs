//! Reads a file from its beginning and tells what is whole, what was cut off, and what is damaged.

use std::ops::Range;

use bytes::Bytes;

use super::frame::{self, FileHeader, Frame, HEADER_BYTES, Kind};

/// A frame that is whole.
#[derive(Debug)]
pub struct Whole {
    pub frame: Frame,
    pub offset: usize,
    pub payload: Bytes,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Scan {
    pub frames: Vec<Whole>,
    /// Stretches that were confirmed once and cannot be read.
    pub damaged: Vec<Range<usize>>,
    /// Whether a write was cut off, whose record nobody was told to be safe.
    pub torn: bool,
}

/// Why a file is not read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaterVersion(pub u32);

/// Reads a file whose name says that it begins with `base`. Linear in its bytes, but for payloads that are claimed by
/// several headers, of which each is looked at once.
pub fn scan(bytes: &Bytes, base: u64) -> Result<Scan, LaterVersion> {
    let mut scan = Scan::default();
    let mut holes: Vec<Range<usize>> = Vec::new();
    let mut next = base;
    match frame::read_file_header(bytes) {
        FileHeader::Version(version) => return Err(LaterVersion(version)),
        // A spare file that was renamed and not begun: what it holds is another file's.
        FileHeader::Sound { base: other } if other != base => return Ok(scan),
        FileHeader::Sound { .. } => {}
        FileHeader::Damaged if bytes.len() < HEADER_BYTES => return Ok(scan),
        FileHeader::Damaged => holes.push(0..HEADER_BYTES),
    }
    let (mut offset, mut durable) = (HEADER_BYTES, 0);
    while let Some(found) = next_whole(bytes, offset, next) {
        if found.offset > offset {
            holes.push(offset..found.offset);
        }
        offset = found.offset + found.frame.bytes();
        durable = durable.max(found.frame.durable as usize);
        next = found.frame.position + u64::from(found.frame.kind == Kind::Record);
        scan.frames.push(found);
    }
    let is_cut = bytes.get(offset..).and_then(Frame::read).is_some_and(|frame| frame.position >= next);
    scan.torn = is_cut || holes.iter().any(|hole| hole.start >= durable);
    scan.damaged = holes.into_iter().filter(|hole| hole.start < durable).collect();
    Ok(scan)
}

/// The first whole frame at or behind an offset that is not a leftover of an older file.
fn next_whole(bytes: &Bytes, mut offset: usize, next: u64) -> Option<Whole> {
    loop {
        offset = frame::find(bytes, offset)?;
        let frame = Frame::read(&bytes[offset..])?;
        let payload = offset + HEADER_BYTES..offset + HEADER_BYTES + frame.length as usize;
        if frame.position < next {
            offset += HEADER_BYTES;
        } else if payload.end <= bytes.len() && frame.fits(&bytes[payload.clone()]) {
            return Some(Whole { frame, offset, payload: bytes.slice(payload) });
        } else {
            // Its payload is no place to look for frames, unless the header lies about its length.
            offset += if payload.end <= bytes.len() { frame.bytes() } else { HEADER_BYTES };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(file: &mut Vec<u8>, position: u64, payload: &[u8]) {
        let frame = Frame::new(Kind::Record, position, file.len() as u32, &[payload]);
        file.extend_from_slice(&frame.header());
        file.extend_from_slice(payload);
        file.extend_from_slice(frame.padding());
    }

    fn positions(file: &[u8], base: u64) -> Vec<u64> {
        let scan = scan(&Bytes::copy_from_slice(file), base).unwrap();
        assert!(scan.damaged.is_empty() && !scan.torn);
        scan.frames.iter().map(|whole| whole.frame.position).collect()
    }

    #[test]
    fn what_an_older_file_left_behind_the_end_is_not_read() {
        let mut file = frame::file_header(10).to_vec();
        push(&mut file, 9, b"the last of the file before");
        assert_eq!(positions(&file, 10), [0u64; 0]);
        let mut file = frame::file_header(10).to_vec();
        push(&mut file, 10, b"own");
        push(&mut file, 10, b"a copy");
        push(&mut file, 3, b"older");
        assert_eq!(positions(&file, 10), [10]);
    }

    #[test]
    fn a_spare_file_that_was_renamed_and_not_begun_is_empty() {
        let mut file = frame::file_header(4).to_vec();
        push(&mut file, 4, b"another file's");
        assert_eq!(positions(&file, 10), [0u64; 0]);
    }
}
