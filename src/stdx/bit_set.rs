//! [`BitSet`]: a set of small numbers that fits a register.

/// One more than the largest number that a [`BitSet`] can hold.
pub const NUMBERS_MAX: usize = 64;

/// A set of numbers below [`NUMBERS_MAX`], as the bits of one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct BitSet(u64);

impl BitSet {
    pub const EMPTY: BitSet = BitSet(0);

    pub fn insert(&mut self, index: usize) {
        debug_assert!(index < NUMBERS_MAX, "the configuration is checked for this");
        self.0 |= 1 << index;
    }

    pub fn remove(&mut self, index: usize) {
        self.0 &= !(1 << index);
    }

    #[inline]
    pub fn contains(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }

    #[inline]
    #[must_use]
    pub fn union(self, other: BitSet) -> BitSet {
        BitSet(self.0 | other.0)
    }

    #[inline]
    #[must_use]
    pub fn intersection(self, other: BitSet) -> BitSet {
        BitSet(self.0 & other.0)
    }

    #[inline]
    #[must_use]
    pub fn difference(self, other: BitSet) -> BitSet {
        BitSet(self.0 & !other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The numbers in it, lowest first.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..NUMBERS_MAX).filter(move |index| self.contains(*index))
    }
}

impl FromIterator<usize> for BitSet {
    fn from_iter<T: IntoIterator<Item = usize>>(indexes: T) -> Self {
        let mut set = BitSet::EMPTY;
        indexes.into_iter().for_each(|index| set.insert(index));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_in_and_nothing_else() {
        let mut set: BitSet = [0, 5, 63].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 5, 63]);
        set.remove(5);
        assert!(!set.contains(5) && set.contains(63) && !set.is_empty());
        assert!(set.union(BitSet::EMPTY) == set);
        let other: BitSet = [0, 7].into_iter().collect();
        assert_eq!(set.intersection(other).iter().collect::<Vec<_>>(), [0]);
        assert_eq!(set.difference(other).iter().collect::<Vec<_>>(), [63]);
    }
}
