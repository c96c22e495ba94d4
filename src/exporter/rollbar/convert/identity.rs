//! Names for occurrences that come out the same wherever and however often they are made: uuids and digests.
//!
//! Rollbar discards a second item with a uuid that the project has already seen, so a deterministic uuid makes sending
//! again safe, and makes two gateways one. The key of an exception does not depend on the signal that carried it.

use sha1::{Digest, Sha1};

use super::trace::Trace;
use crate::otlp::{SpanId, TraceId};

/// The name space of all uuids made here: a version 4 uuid, drawn once. Changing it makes every occurrence new.
const NAMESPACE: [u8; 16] =
    [0x6d, 0x1f, 0x3b, 0x52, 0x90, 0xe7, 0x4c, 0x0a, 0x8e, 0x54, 0x2a, 0x77, 0xd3, 0x19, 0xc6, 0x41];

/// How many of the newest frames tell one place of an error from another.
const FRAMES_TOLD: usize = 10;

/// The pieces of a key, hashed as they come; each ends with a byte that no text holds.
#[derive(Debug, Clone)]
pub struct Name(Sha1);

impl Name {
    /// Begins the name of something of a trace; `resource` stands in where there is no trace.
    pub fn of(trace_id: Option<TraceId>, span_id: Option<SpanId>, resource: &str) -> Self {
        let mut name = Name(Sha1::new_with_prefix(NAMESPACE));
        match trace_id {
            Some(id) => name.add(&id.0),
            None => name.add(resource.as_bytes()),
        }
        name.add(&span_id.map_or([0; 8], |id| id.0));
        name
    }

    /// Adds a piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
        self.0.update([0xff]);
    }

    /// Adds what an exception is: class, message, and the newest frames.
    pub fn add_trace(&mut self, trace: &Trace<'_>) {
        self.add(trace.class.as_bytes());
        self.add(trace.message.as_deref().unwrap_or_default().trim().as_bytes());
        for frame in trace.frames.iter().take(FRAMES_TOLD) {
            self.add(frame.file.as_deref().unwrap_or_default().as_bytes());
            self.add(frame.function.as_deref().unwrap_or_default().as_bytes());
            self.add(&frame.line.unwrap_or_default().to_le_bytes());
        }
    }

    /// The uuid of version 5. <https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5>
    pub fn uuid(self) -> String {
        let digest = self.0.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        id[6] = id[6] & 0x0f | 0x50;
        id[8] = id[8] & 0x3f | 0x80;
        let mut out = String::with_capacity(36);
        for (index, byte) in id.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                out.push('-');
            }
            push_hex(&mut out, *byte);
        }
        out
    }
}

/// The SHA-1 of some texts, joined by `|`, in 40 hex digits: what Rollbar makes of a long fingerprint itself.
pub fn digest(parts: &[&str]) -> String {
    let mut sha1 = Sha1::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            sha1.update(b"|");
        }
        sha1.update(part.as_bytes());
    }
    let mut out = String::with_capacity(40);
    sha1.finalize().iter().for_each(|byte| push_hex(&mut out, *byte));
    out
}

fn push_hex(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_of_version_5_and_depends_on_every_piece() {
        let trace_id = TraceId::parse(&[7; 16]);
        let uuid = |piece: &str| {
            let mut name = Name::of(trace_id, None, "");
            name.add(piece.as_bytes());
            name.uuid()
        };
        assert_eq!(uuid("a"), uuid("a"));
        assert_ne!(uuid("a"), uuid("b"));
        let text = uuid("a");
        assert_eq!((text.len(), &text[14..15]), (36, "5"));
        assert!("89ab".contains(&text[19..20]), "{text}");
    }

    #[test]
    fn a_digest_is_the_sha_1_of_the_joined_parts() {
        assert_eq!(digest(&["abc"]), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_ne!(digest(&["a", "b"]), digest(&["ab"]));
    }
}
