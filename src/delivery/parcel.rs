//! The pieces of one request, each with the record that it belongs to.

use std::sync::Arc;

use super::settle::Settler;
use crate::exporter::contract::{Limits, Piece};

/// Pieces that travel together. The two lists have the same length.
#[derive(Default)]
pub(super) struct Parcel {
    pieces: Vec<Piece>,
    settlers: Vec<Arc<Settler>>,
}

impl Parcel {
    pub(super) fn push(&mut self, piece: Piece, settler: Arc<Settler>) {
        self.pieces.push(piece);
        self.settlers.push(settler);
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

    pub(super) fn into_iter(self) -> impl Iterator<Item = (Piece, Arc<Settler>)> {
        self.pieces.into_iter().zip(self.settlers)
    }

    /// Notes that every piece is done with.
    pub(super) fn settle(self) {
        for (piece, settler) in self.into_iter() {
            settler.settle_one(piece.weight);
        }
    }

    /// The two halves of several pieces; gives a single one back.
    pub(super) fn halves(mut self) -> Result<[Parcel; 2], Parcel> {
        if self.pieces.len() < 2 {
            return Err(self);
        }
        let half = self.pieces.len() / 2;
        let second = Parcel { pieces: self.pieces.split_off(half), settlers: self.settlers.split_off(half) };
        Ok([self, second])
    }

    /// Packs pieces of one signal into requests: in order, full, never two keys in one. A piece larger than the limits
    /// travels alone.
    pub(super) fn pack(self, limits: Limits) -> Vec<Parcel> {
        let mut requests: Vec<(Parcel, usize)> = Vec::new();
        for (piece, settler) in self.into_iter() {
            let bytes = piece.bytes.len();
            // Only the newest request of the same key has room: those before it were closed because they had none.
            let newest = requests.iter_mut().rev().find(|(request, _)| request.pieces[0].key == piece.key);
            match newest {
                Some((request, used))
                    if request.pieces.len() < limits.pieces_max && *used + bytes <= limits.bytes_max =>
                {
                    *used += bytes;
                    request.push(piece, settler);
                }
                _ => {
                    let mut request = Parcel::default();
                    request.push(piece, settler);
                    requests.push((request, bytes));
                }
            }
        }
        requests.into_iter().map(|(request, _)| request).collect()
    }
}
