//! The pieces of one request, each with the record that it belongs to.

use std::sync::Arc;

use super::settle::Settler;
use crate::exporter::contract::{Limits, Piece};
use crate::journal::Done;

/// Pieces that travel together. The two lists have the same length.
#[derive(Default)]
pub(super) struct Parcel {
    pieces: Vec<Piece>,
    origins: Vec<Origin>,
}

/// Where a piece comes from.
#[derive(Clone)]
pub(super) struct Origin {
    pub settler: Arc<Settler>,
    /// Its place among the pieces of the record.
    pub ordinal: u32,
}

impl Origin {
    /// The same place, held open once more: for the other half of a piece.
    pub(super) fn open_one(&self) -> Self {
        Origin { settler: self.settler.open_one(), ordinal: self.ordinal }
    }
}

/// How the journal knows a piece again.
pub(super) fn done(piece: &Piece, ordinal: u32) -> Done {
    Done { ordinal, crc: crc32fast::hash(&piece.bytes), weight: piece.weight }
}

impl Parcel {
    pub(super) fn push(&mut self, piece: Piece, origin: Origin) {
        self.pieces.push(piece);
        self.origins.push(origin);
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Spans, log records and data points.
    pub(super) fn weight(&self) -> u32 {
        self.pieces.iter().map(|piece| piece.weight).sum()
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (Piece, Origin)> {
        self.pieces.into_iter().zip(self.origins)
    }

    /// Notes that every piece is done with.
    pub(super) fn settle(self) {
        let mut pieces = &self.pieces[..];
        for of_record in self.origins.chunk_by(|one, other| Arc::ptr_eq(&one.settler, &other.settler)) {
            let (own, rest) = pieces.split_at(of_record.len());
            pieces = rest;
            let made = || own.iter().zip(of_record).map(|(piece, origin)| done(piece, origin.ordinal)).collect();
            of_record[0].settler.settle(of_record.len(), made);
        }
    }

    /// The two halves of several pieces; gives a single one back.
    pub(super) fn halves(mut self) -> Result<[Parcel; 2], Parcel> {
        if self.pieces.len() < 2 {
            return Err(self);
        }
        let half = self.pieces.len() / 2;
        let second = Parcel { pieces: self.pieces.split_off(half), origins: self.origins.split_off(half) };
        Ok([self, second])
    }

    /// Packs pieces of one signal into requests: in order, full, never two keys in one. A piece larger than the limits
    /// travels alone.
    pub(super) fn pack(self, limits: Limits) -> Vec<Parcel> {
        let mut requests: Vec<(Parcel, usize)> = Vec::new();
        for (piece, origin) in self.into_iter() {
            let bytes = piece.bytes.len();
            // Only the newest request of the same key has room: those before it were closed because they had none.
            let newest = requests.iter_mut().rev().find(|(request, _)| request.pieces[0].key == piece.key);
            match newest {
                Some((request, used))
                    if request.pieces.len() < limits.pieces_max && *used + bytes <= limits.bytes_max =>
                {
                    *used += bytes;
                    request.push(piece, origin);
                }
                _ => {
                    let mut request = Parcel::default();
                    request.push(piece, origin);
                    requests.push((request, bytes));
                }
            }
        }
        requests.into_iter().map(|(request, _)| request).collect()
    }
}
