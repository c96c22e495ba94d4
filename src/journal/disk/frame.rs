//! Frames: how a message stands in a file, so that what is torn, damaged or left over from another file shows.
//!
//! ```text
//! file    │ header 32 │ frame │ frame │ frame │ … what an older file left here │
//!
//! header  │ "TGJOURNL" 8 │ version 4 │ 0 4 │ base 8 │ 0 4 │ crc 4 │
//! frame   │ magic 4 │ kind 1 │ 0 3 │ position 8 │ length 4 │ durable 4 │ payload crc 4 │ crc 4 │ payload … │ 0 … │
//! ```
//!
//! All numbers are little-endian; a frame begins at a multiple of 8. `position` is a record's own, or that of the next
//! record for any other kind. It never falls within a file and never stands below the file's `base`, so frames that an older
//! file left behind the end are known by it. `durable` is how much of the file was known to be on disk when the frame was
//! written: a hole behind it is a write that was cut off and never confirmed, a hole in front of it is damage.

use crc32fast::Hasher;

/// What this build writes and reads.
pub const VERSION: u32 = 1;

/// Of a file's header and of a frame's.
pub const HEADER_BYTES: usize = 32;

const FILE_MAGIC: [u8; 8] = *b"TGJOURNL";
const FRAME_MAGIC: [u8; 4] = *b"TGF\x01";
const ALIGNMENT: usize = 8;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Record,
    Settled,
    Roster,
    Progress,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub position: u64,
    /// Of the payload, in bytes.
    pub length: u32,
    pub durable: u32,
    pub payload_crc: u32,
}

/// A file's header, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileHeader {
    Sound {
        base: u64,
    },
    /// A later build's.
    Version(u32),
    Damaged,
}

impl Kind {
    const NUMBERS: [(u8, Kind); 4] = [(1, Kind::Record), (2, Kind::Settled), (3, Kind::Roster), (4, Kind::Progress)];

    fn number(self) -> u8 {
        Self::NUMBERS.iter().find(|(_, kind)| *kind == self).map_or(0, |(number, _)| *number)
    }

    fn of(number: u8) -> Option<Kind> {
        Self::NUMBERS.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind)
    }
}

pub fn file_header(base: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&FILE_MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&base.to_le_bytes());
    seal(&mut header);
    header
}

pub fn read_file_header(bytes: &[u8]) -> FileHeader {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return FileHeader::Damaged };
    if header[..8] != FILE_MAGIC || !is_sealed(header) {
        return FileHeader::Damaged;
    }
    match u32_at(header, 8) {
        VERSION => FileHeader::Sound { base: u64_at(header, 16) },
        version => FileHeader::Version(version),
    }
}

impl Frame {
    /// For a payload given in parts.
    pub fn new(kind: Kind, position: u64, durable: u32, parts: &[&[u8]]) -> Self {
        let mut hasher = Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        let length = parts.iter().map(|part| part.len()).sum::<usize>() as u32;
        Frame { kind, position, length, durable, payload_crc: hasher.finalize() }
    }

    pub fn header(&self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&FRAME_MAGIC);
        header[4] = self.kind.number();
        header[8..16].copy_from_slice(&self.position.to_le_bytes());
        header[16..20].copy_from_slice(&self.length.to_le_bytes());
        header[20..24].copy_from_slice(&self.durable.to_le_bytes());
        header[24..28].copy_from_slice(&self.payload_crc.to_le_bytes());
        seal(&mut header);
        header
    }

    /// The frame that begins here, if one does; its payload is not looked at.
    pub fn read(bytes: &[u8]) -> Option<Frame> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        if header[..4] != FRAME_MAGIC || !is_sealed(header) {
            return None;
        }
        Some(Frame {
            kind: Kind::of(header[4])?,
            position: u64_at(header, 8),
            length: u32_at(header, 16),
            durable: u32_at(header, 20),
            payload_crc: u32_at(header, 24),
        })
    }

    /// Whether this is the payload that was written.
    pub fn fits(&self, payload: &[u8]) -> bool {
        payload.len() == self.length as usize && crc32fast::hash(payload) == self.payload_crc
    }

    /// Header, payload and what fills it up to where the next one may begin.
    pub fn bytes(&self) -> usize {
        HEADER_BYTES + (self.length as usize).next_multiple_of(ALIGNMENT)
    }

    /// What fills the payload up.
    pub fn padding(&self) -> &'static [u8] {
        let used = self.length as usize % ALIGNMENT;
        if used == 0 { &[] } else { &[0; ALIGNMENT][used..] }
    }
}

/// Where the next frame header that is whole begins, at or behind an offset. Linear in the bytes.
pub fn find(bytes: &[u8], from: usize) -> Option<usize> {
    let mut offset = from.next_multiple_of(ALIGNMENT);
    while offset + HEADER_BYTES <= bytes.len() {
        if bytes[offset..offset + 4] == FRAME_MAGIC && Frame::read(&bytes[offset..]).is_some() {
            return Some(offset);
        }
        offset += ALIGNMENT;
    }
    None
}

fn seal(header: &mut [u8; HEADER_BYTES]) {
    let crc = crc32fast::hash(&header[..HEADER_BYTES - 4]);
    header[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
}

fn is_sealed(header: &[u8; HEADER_BYTES]) -> bool {
    u32_at(header, HEADER_BYTES - 4) == crc32fast::hash(&header[..HEADER_BYTES - 4])
}

fn u32_at(header: &[u8; HEADER_BYTES], at: usize) -> u32 {
    header[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(header: &[u8; HEADER_BYTES], at: usize) -> u64 {
    header[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_as_it_was_written_and_any_flipped_bit_shows() {
        let frame = Frame::new(Kind::Settled, 7, 4096, &[b"pay", b"load"]);
        let header = frame.header();
        assert_eq!(Frame::read(&header), Some(frame));
        assert!(frame.fits(b"payload") && !frame.fits(b"payloat") && !frame.fits(b"payloa"));
        assert_eq!((frame.bytes(), frame.padding()), (HEADER_BYTES + 8, &[0][..]));
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = header;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Frame::read(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn a_file_of_a_later_version_is_told_from_a_damaged_one() {
        assert_eq!(read_file_header(&file_header(9)), FileHeader::Sound { base: 9 });
        let mut later = file_header(9);
        later[8] = 2;
        assert_eq!(read_file_header(&later), FileHeader::Damaged, "a flipped bit is no version");
        seal(&mut later);
        assert_eq!(read_file_header(&later), FileHeader::Version(2));
        assert_eq!(read_file_header(b"short"), FileHeader::Damaged);
    }

    #[test]
    fn the_next_whole_frame_is_found_behind_garbage() {
        let mut bytes = vec![0xaa; 41];
        bytes.extend_from_slice(&FRAME_MAGIC);
        bytes.resize(64, 0);
        bytes.extend_from_slice(&Frame::new(Kind::Record, 1, 0, &[]).header());
        assert_eq!(find(&bytes, 3), Some(64));
        assert_eq!(find(&bytes, 65), None);
    }
}
