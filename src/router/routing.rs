//! What the router decided: a set of exporters for each item of a batch.

use crate::otlp::Kept;
use crate::stdx::bit_set::BitSet;

/// A set of exporters, by their position in `gateway.yaml`.
pub type ExporterSet = BitSet;

/// Where each item of one batch goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    sets: Sets,
    /// Every exporter that gets something, with how much: spans, log records or data points.
    weights: Vec<(usize, u32)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sets {
    /// All items go the same way, as nearly always.
    Same(ExporterSet),
    /// One set an item.
    Each(Box<[ExporterSet]>),
}

impl Routing {
    /// The exporters that get at least one item.
    pub fn exporters(&self) -> ExporterSet {
        self.weights.iter().map(|(index, _)| *index).collect()
    }

    /// How much each exporter gets.
    pub fn weights(&self) -> &[(usize, u32)] {
        &self.weights
    }

    /// How much one exporter gets.
    pub fn weight_of(&self, exporter: usize) -> u32 {
        self.weights.iter().find(|(index, _)| *index == exporter).map_or(0, |(_, weight)| *weight)
    }

    /// The items that one exporter gets; all of them for one that gets none of a batch that goes one way.
    pub fn kept(&self, exporter: usize) -> Kept {
        self.kept_by_any([exporter].into_iter().collect())
    }

    /// The items that at least one of these exporters gets.
    pub fn kept_by_any(&self, exporters: ExporterSet) -> Kept {
        let is_kept = |set: &ExporterSet| !set.intersection(exporters).is_empty();
        match &self.sets {
            Sets::Same(_) => Kept::All,
            Sets::Each(sets) if sets.iter().all(is_kept) => Kept::All,
            Sets::Each(sets) => Kept::Some(sets.iter().map(is_kept).collect()),
        }
    }
}

/// Gathers the sets of the items of one batch.
pub(super) struct Builder {
    same: Option<ExporterSet>,
    each: Vec<ExporterSet>,
    count: usize,
    expected: usize,
    weights: Vec<(usize, u32)>,
    /// Weight of the items of the current run of equal sets, not yet in `weights`.
    run_weight: u32,
    run: ExporterSet,
}

impl Builder {
    pub(super) fn new(expected: usize) -> Self {
        Builder {
            same: None,
            each: Vec::new(),
            count: 0,
            expected,
            weights: Vec::new(),
            run_weight: 0,
            run: ExporterSet::EMPTY,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, set: ExporterSet, weight: u32) {
        if self.count > 0 && set == self.run {
            self.run_weight += weight;
        } else {
            self.settle_run();
            (self.run, self.run_weight) = (set, weight);
        }
        match self.same {
            None if self.count == 0 => self.same = Some(set),
            Some(same) if same != set => {
                self.each.reserve(self.expected);
                self.each.resize(self.count, same);
                self.each.push(set);
                self.same = None;
            }
            None => self.each.push(set),
            Some(_) => {}
        }
        self.count += 1;
    }

    fn settle_run(&mut self) {
        for index in self.run.iter() {
            match self.weights.iter_mut().find(|(known, _)| *known == index) {
                Some((_, weight)) => *weight += self.run_weight,
                None => self.weights.push((index, self.run_weight)),
            }
        }
        self.run_weight = 0;
    }

    pub(super) fn finish(mut self) -> Routing {
        self.settle_run();
        let sets = match self.same {
            Some(same) => Sets::Same(same),
            None if self.each.is_empty() => Sets::Same(ExporterSet::EMPTY),
            None => Sets::Each(self.each.into_boxed_slice()),
        };
        Routing { sets, weights: self.weights }
    }
}
