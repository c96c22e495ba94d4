//! The items of one batch that are meant for one place, and the walk past them.

use bytes::Bytes;

use super::{Batch, Group, Item, ScopeGroup, groups, select};

/// Some items of one batch: what an exporter is given.
#[derive(Debug, Clone)]
pub struct Part {
    pub batch: Batch,
    pub kept: Kept,
}

/// Which items of a batch are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    All,
    /// One flag an item, in the order of the batch; at least one is set and one is not.
    Some(Box<[bool]>),
}

impl Kept {
    #[inline]
    pub fn holds(&self, index: usize) -> bool {
        match self {
            Kept::All => true,
            Kept::Some(flags) => flags.get(index).copied().unwrap_or_default(),
        }
    }
}

/// One item on its walk past a converter.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'v, 'a> {
    /// Position in the batch, counted from 0.
    pub index: usize,
    /// Position of the group in the batch: changes where the resource changes.
    pub group_index: usize,
    pub group: &'v Group<'a>,
    pub scope: &'v ScopeGroup<'a>,
    /// The item's message.
    pub message: &'a [u8],
}

impl Part {
    /// All of a batch.
    pub fn whole(batch: Batch) -> Self {
        Part { batch, kept: Kept::All }
    }

    /// Spans, log records or metrics.
    pub fn items(&self) -> u32 {
        match &self.kept {
            Kept::All => self.batch.items,
            Kept::Some(flags) => flags.iter().filter(|flag| **flag).count() as u32,
        }
    }

    /// Spans, log records or data points.
    pub fn weight(&self) -> u32 {
        match &self.kept {
            Kept::All => self.batch.weight,
            Kept::Some(_) => {
                let mut weight = 0;
                self.walk(|visit| weight += Item::weight(self.batch.signal, visit.message));
                weight
            }
        }
    }

    /// The request that holds just these items; the batch's own bytes where it is all of them.
    pub fn body(&self) -> Bytes {
        match &self.kept {
            Kept::All => self.batch.body.clone(),
            Kept::Some(flags) => select(&self.batch.body, |index| flags.get(index).copied().unwrap_or_default()),
        }
    }

    /// Shows each item in the order of the batch.
    pub fn walk<'a>(&'a self, mut each: impl FnMut(Visit<'_, 'a>)) {
        let mut index = 0;
        for (group_index, group) in groups(&self.batch.body).enumerate() {
            for scope in group.scopes() {
                for message in scope.items() {
                    if self.kept.holds(index) {
                        each(Visit { index, group_index, group: &group, scope: &scope, message });
                    }
                    index += 1;
                }
            }
        }
    }

    /// Cuts a part into parts of so many items at most, one after the other.
    pub fn slices(self, items_max: usize) -> impl Iterator<Item = Part> {
        let total = self.batch.items as usize;
        let whole = self.items() as usize <= items_max;
        let mut next = 0;
        std::iter::from_fn(move || {
            if next >= total {
                return None;
            }
            if whole {
                next = total;
                return Some(self.clone());
            }
            let mut flags = vec![false; total].into_boxed_slice();
            let mut taken = 0;
            while next < total && taken < items_max {
                flags[next] = self.kept.holds(next);
                taken += usize::from(flags[next]);
                next += 1;
            }
            Some(Part { batch: self.batch.clone(), kept: Kept::Some(flags) }).filter(|_| taken > 0)
        })
    }
}
