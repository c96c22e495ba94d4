//! From an attribute's name to what is done with it, in one look: the slot it fills, whether it is to be an annotation,
//! whether it names the user.

use super::slots::Slot;
use crate::exporter::xray::config::Indexed;

/// Slots of the hash table: a power of two, several times the names.
const TABLE: usize = 1024;

/// Names beyond this many are not looked at: each is a row of somebody's `gateway.yaml`.
const ENTRIES_MAX: usize = TABLE / 2;

/// What is known about one name.
#[derive(Debug, Clone)]
pub struct Entry {
    name: Box<str>,
    pub slot: Option<Slot>,
    /// Position among the attributes that may name the user.
    pub user: Option<u8>,
    /// Position among the indexed attributes.
    pub indexed: Option<u16>,
}

/// All names that mean something.
#[derive(Debug, Clone)]
pub struct Index {
    table: Box<[u16; TABLE]>,
    entries: Vec<Entry>,
    /// Names with `*`, with their positions.
    patterns: Vec<(Box<str>, u16)>,
    aliases: Vec<Option<Box<str>>>,
}

/// A name after hashing: also where a set of names remembers it.
#[derive(Debug, Clone, Copy)]
pub struct Hash(u64);

impl Hash {
    /// The first and the last eight bytes, and the length. `client.address` and `server.address` must differ: a span has
    /// both, and the same hash would look like a repeated name.
    #[inline]
    pub fn of(name: &str) -> Self {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 divided by the golden ratio
        let bytes = name.as_bytes();
        let (head, tail) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (0, bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))),
        };
        let mixed = (tail ^ (bytes.len() as u64) << 56).wrapping_mul(ODD).rotate_left(29) ^ head;
        Hash(mixed.wrapping_mul(ODD))
    }

    #[inline]
    fn place(self) -> usize {
        (self.0 >> 54) as usize % TABLE
    }
}

/// A set that may hold more than was put in, never less: whether a name may have been seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen([u64; 64]);

impl Seen {
    pub fn new() -> Self {
        Seen([0; 64])
    }

    /// Notes a name and says whether it, or another with its hash, was noted before.
    #[inline]
    pub fn note(&mut self, hash: Hash) -> bool {
        let (word, bit) = ((hash.0 >> 58) as usize, 1 << (hash.0 >> 52 & 63));
        let before = self.0[word] & bit != 0;
        self.0[word] |= bit;
        before
    }
}

impl Index {
    /// The names of the slots, the user attributes and the indexed ones.
    pub fn of_span(users: &[String], indexed: &[Indexed]) -> Self {
        let mut index = Index::empty();
        for slot in Slot::ALL {
            index.entry(slot.name(), |entry| entry.slot = Some(*slot));
        }
        for (rank, name) in users.iter().enumerate().take(usize::from(u8::MAX)) {
            index.entry(name, |entry| entry.user = entry.user.or(Some(rank as u8)));
        }
        for (rank, row) in indexed.iter().enumerate().take(usize::from(u16::MAX)) {
            index.add(&row.from, rank as u16, row.alias.as_deref());
        }
        index
    }

    /// The indexed names of the resource: those with `prefix` in front.
    pub fn of_resource(prefix: &str, indexed: &[Indexed]) -> Self {
        let mut index = Index::empty();
        for (rank, row) in indexed.iter().enumerate().take(usize::from(u16::MAX)) {
            match row.from.strip_prefix(prefix) {
                Some(name) => index.add(name, rank as u16, row.alias.as_deref()),
                None => index.aliases.push(None),
            }
        }
        index
    }

    fn empty() -> Self {
        Index { table: Box::new([0; TABLE]), entries: Vec::new(), patterns: Vec::new(), aliases: Vec::new() }
    }

    fn add(&mut self, name: &str, rank: u16, alias: Option<&str>) {
        self.aliases.push(alias.map(Box::from));
        if name.contains('*') {
            self.patterns.push((name.into(), rank));
        } else {
            self.entry(name, |entry| entry.indexed = entry.indexed.or(Some(rank)));
        }
    }

    fn entry(&mut self, name: &str, change: impl FnOnce(&mut Entry)) {
        let mut at = Hash::of(name).place();
        while let Some(found) = usize::from(self.table[at]).checked_sub(1) {
            if *self.entries[found].name == *name {
                return change(&mut self.entries[found]);
            }
            at = (at + 1) % TABLE;
        }
        if self.entries.len() < ENTRIES_MAX {
            let mut entry = Entry { name: name.into(), slot: None, user: None, indexed: None };
            change(&mut entry);
            self.entries.push(entry);
            self.table[at] = self.entries.len() as u16;
        }
    }

    /// Whether any name or pattern is to be indexed.
    pub fn indexes_any(&self) -> bool {
        !self.patterns.is_empty() || self.entries.iter().any(|entry| entry.indexed.is_some())
    }

    /// What is known about a name.
    #[inline]
    pub fn find(&self, name: &str, hash: Hash) -> Option<&Entry> {
        let mut at = hash.place();
        while let Some(found) = usize::from(self.table[at]).checked_sub(1) {
            let entry = &self.entries[found];
            if *entry.name == *name {
                return Some(entry);
            }
            at = (at + 1) % TABLE;
        }
        None
    }

    /// The position of a name among the indexed ones, patterns included.
    #[inline]
    pub fn rank(&self, entry: Option<&Entry>, name: &str) -> Option<u16> {
        let exact = entry.and_then(|entry| entry.indexed);
        if self.patterns.is_empty() {
            return exact;
        }
        let matching = self.patterns.iter().find(|(pattern, _)| matches(pattern, name)).map(|(_, rank)| *rank);
        exact.into_iter().chain(matching).min()
    }

    /// The annotation's name for an indexed position.
    pub fn alias(&self, rank: u16) -> Option<&str> {
        self.aliases.get(usize::from(rank)).and_then(Option::as_deref)
    }
}

/// Whether a text matches a pattern in which `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_found_by_its_name() {
        let index = Index::of_span(&["user.id".to_owned()], &["user.id".into(), "order.*".into()]);
        for slot in Slot::ALL {
            assert_eq!(index.find(slot.name(), Hash::of(slot.name())).unwrap().slot, Some(*slot));
        }
        let user = index.find("user.id", Hash::of("user.id")).unwrap();
        assert_eq!((user.slot, user.user, user.indexed), (None, Some(0), Some(0)));
        assert!(index.find("no.such.name", Hash::of("no.such.name")).is_none());
        assert_eq!(index.rank(None, "order.id"), Some(1));
        assert_eq!(index.rank(None, "orders"), None);
    }

    #[test]
    fn no_two_slots_look_like_one_name_repeated() {
        let mut hashes: Vec<u64> = Slot::ALL.iter().map(|slot| Hash::of(slot.name()).0).collect();
        hashes.sort_unstable();
        assert!(hashes.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn more_names_than_the_table_takes_are_left_out() {
        let many: Vec<Indexed> = (0..5000).map(|number| format!("name.{number}").as_str().into()).collect();
        let index = Index::of_span(&[], &many);
        assert!(index.find("name.1", Hash::of("name.1")).is_some());
        assert!(index.find("name.4999", Hash::of("name.4999")).is_none());
    }

    #[test]
    fn a_star_stands_for_any_run() {
        let cases =
            [("a*", "abc", true), ("*c", "abc", true), ("a*c", "abc", true), ("a*b*c", "a-b-c", true), ("*", "", true)];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        for (pattern, text) in [("a*", "ba"), ("*c", "cb"), ("ab*ba", "aba"), ("a", "ab")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
