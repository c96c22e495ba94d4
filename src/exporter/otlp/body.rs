//! The body of one request: pieces joined, compressed once at most.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use crate::exporter::contract::Piece;
use crate::otlp::batch::Encoding;

/// What a destination is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    #[default]
    Gzip,
    Zstd,
}

/// Which of the clients' compressed bytes a destination can take as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Originals {
    /// A single one in the configured encoding.
    Single,
    /// Any that it is known to decode, several of one encoding behind each other: members of gzip, frames of zstd.
    /// Only for receivers known to read all members: one that stops after the first would lose the rest unseen.
    Joined,
}

/// A request's body, in chunks that are written one after the other, and its `Content-Encoding`.
#[derive(Debug)]
pub struct Body {
    pub chunks: Chunks,
    pub encoding: Option<Encoding>,
}

/// Bytes that were never copied together.
#[derive(Debug)]
pub struct Chunks(VecDeque<Bytes>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(http_body::Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.0.iter().map(|chunk| chunk.len() as u64).sum())
    }
}

impl From<Bytes> for Chunks {
    fn from(bytes: Bytes) -> Self {
        Chunks(VecDeque::from([bytes]))
    }
}

/// zstd at level 1 has the ratio of gzip at 6 for less than gzip's cost at 1.
const ZSTD_LEVEL: i32 = 1;
const GZIP_LEVEL: u32 = 1;

/// Compressing more than so many bytes leaves the async threads: about half a millisecond of work.
const INLINE_BYTES_MAX: usize = 256 * 1024;

impl Body {
    pub async fn of(pieces: &[Piece], compression: Compression, originals: Originals) -> Body {
        if let Some(body) = Self::of_originals(pieces, compression, originals) {
            return body;
        }
        if compression == Compression::None {
            let chunks = pieces.iter().map(|piece| piece.bytes.clone()).collect();
            return Body { chunks: Chunks(chunks), encoding: None };
        }
        let plain = join(pieces);
        if plain.len() <= INLINE_BYTES_MAX {
            return compress(plain, compression);
        }
        let input = plain.clone();
        tokio::task::spawn_blocking(move || compress(input, compression))
            .await
            .unwrap_or_else(|_| Body { chunks: plain.into(), encoding: None })
    }

    fn of_originals(pieces: &[Piece], compression: Compression, originals: Originals) -> Option<Body> {
        let encoding = pieces.first()?.original.as_ref()?.encoding;
        let fits = match originals {
            Originals::Single => pieces.len() == 1 && Some(encoding) == encoding_of(compression),
            Originals::Joined => compression != Compression::None && encoding != Encoding::Deflate,
        };
        let of_piece = |piece: &Piece| {
            let original = piece.original.as_ref().filter(|original| original.encoding == encoding);
            original.map(|original| original.bytes.clone())
        };
        let chunks = pieces.iter().map(of_piece).collect::<Option<VecDeque<Bytes>>>()?;
        fits.then(|| Body { chunks: Chunks(chunks), encoding: Some(encoding) })
    }
}

fn encoding_of(compression: Compression) -> Option<Encoding> {
    match compression {
        Compression::None => None,
        Compression::Gzip => Some(Encoding::Gzip),
        Compression::Zstd => Some(Encoding::Zstd),
    }
}

fn join(pieces: &[Piece]) -> Bytes {
    if let [only] = pieces {
        return only.bytes.clone();
    }
    let mut joined = BytesMut::with_capacity(pieces.iter().map(|piece| piece.bytes.len()).sum());
    for piece in pieces {
        joined.extend_from_slice(&piece.bytes);
    }
    joined.freeze()
}

/// Compresses; what cannot be compressed goes plain.
fn compress(plain: Bytes, compression: Compression) -> Body {
    use std::io::Write;
    let compressed = match compression {
        Compression::None => None,
        Compression::Zstd => zstd::bulk::compress(&plain, ZSTD_LEVEL).ok(),
        Compression::Gzip => {
            let room = Vec::with_capacity(plain.len() / 3);
            let mut encoder = flate2::write::GzEncoder::new(room, flate2::Compression::new(GZIP_LEVEL));
            encoder.write_all(&plain).and_then(|()| encoder.finish()).ok()
        }
    };
    match compressed {
        Some(bytes) => Body { chunks: Bytes::from(bytes).into(), encoding: encoding_of(compression) },
        None => Body { chunks: plain.into(), encoding: None },
    }
}
