//! What an exporter in preview would have sent: the newest few, small enough to be looked at.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::exporter::contract::{Exporter, Piece};
use crate::otlp::Signal;

/// How many are kept.
const PREVIEWS_MAX: usize = 3;

/// Nobody looks faster than this, and each one costs a conversion to JSON.
const INTERVAL: Duration = Duration::from_millis(500);

/// Larger pieces are cut before they are shown.
const PIECE_BYTES_MAX: usize = 32 * 1024;

/// The newest payloads of an exporter in preview.
#[derive(Debug, Default)]
pub struct Previews(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    newest: VecDeque<Arc<Json>>,
    shown_at: Option<Instant>,
}

impl Previews {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A list of pictures is whole at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a piece, unless one was shown just now.
    pub(super) async fn show(&self, exporter: &Arc<dyn Exporter>, signal: Signal, piece: &Piece) {
        if self.inner().shown_at.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        let (exporter, piece) = (Arc::clone(exporter), piece.clone());
        let Ok(shown) = tokio::task::spawn_blocking(move || show(&*exporter, signal, piece)).await else { return };
        let mut inner = self.inner();
        inner.newest.truncate(PREVIEWS_MAX - 1);
        inner.newest.push_front(Arc::new(shown));
        inner.shown_at = Some(Instant::now());
    }

    /// Newest first.
    pub fn read(&self) -> Vec<Arc<Json>> {
        self.inner().newest.iter().cloned().collect()
    }
}

/// A piece as JSON: its first items where it is too large, a word where even one item is.
pub(super) fn show(exporter: &dyn Exporter, signal: Signal, mut piece: Piece) -> Json {
    while piece.bytes.len() > PIECE_BYTES_MAX {
        match exporter.halve(signal, &piece) {
            Some((first, _)) => piece = first,
            None => return Json::String(format!("too large to be shown: {} bytes", piece.bytes.len())),
        }
    }
    exporter.show(signal, &piece)
}
