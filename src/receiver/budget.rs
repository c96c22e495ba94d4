//! The bytes that all requests under way may hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound in bytes, shared.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    used: AtomicUsize,
    bytes_max: usize,
}

/// Bytes taken from a budget; dropping it gives them back.
#[derive(Debug)]
pub struct Charge {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub fn new(bytes_max: usize) -> Self {
        Budget(Arc::new(Inner { used: AtomicUsize::new(0), bytes_max }))
    }

    /// A charge of nothing, to be grown.
    pub fn charge(&self) -> Charge {
        Charge { budget: self.clone(), bytes: 0 }
    }

    #[cfg(test)]
    fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }
}

impl Charge {
    /// Takes so many bytes more, or nothing where that would pass the bound.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let Inner { used, bytes_max } = &*self.budget.0;
        let taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|sum| sum <= bytes_max)
        });
        match taken {
            Ok(_) => {
                self.bytes += bytes;
                Ok(())
            }
            Err(_) => Err(Exhausted { bytes_max: *bytes_max }),
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The requests under way hold all the bytes that they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    pub bytes_max: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back_and_the_bound_holds() {
        let budget = Budget::new(100);
        let mut first = budget.charge();
        let mut second = budget.charge();
        assert_eq!(first.grow(60), Ok(()));
        assert_eq!(second.grow(41), Err(Exhausted { bytes_max: 100 }));
        assert_eq!(second.grow(40), Ok(()));
        assert_eq!(second.grow(usize::MAX), Err(Exhausted { bytes_max: 100 }));
        drop(first);
        assert_eq!(budget.used(), 40);
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
