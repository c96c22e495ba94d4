//! [`Bag`]: a list of attributes read once, asked often, remembering what nobody has asked for.

use std::cell::Cell;

use crate::otlp::{Attributes, Key, Value};

/// How many attributes of one list are looked at. SDKs keep 128.
const ATTRIBUTES_MAX: usize = 512;

/// Attributes, unpacked; of a repeated name the first counts.
#[derive(Debug, Default)]
pub struct Bag<'a>(Vec<Entry<'a>>);

#[derive(Debug)]
struct Entry<'a> {
    name: &'a str,
    value: Value<'a>,
    used: Cell<bool>,
}

impl<'a> Bag<'a> {
    pub fn new(attributes: Attributes<'a>) -> Self {
        Bag(attributes
            .iter()
            .take(ATTRIBUTES_MAX)
            .map(|(name, value)| Entry { name, value, used: Cell::new(false) })
            .collect())
    }

    /// The value under exactly this name.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        let entry = self.0.iter().find(|entry| entry.name == name)?;
        entry.used.set(true);
        Some(entry.value)
    }

    /// The value under the key's present name, else under its old ones in the order of the table.
    pub fn find(&self, key: Key) -> Option<Value<'a>> {
        self.get(key.name())
            .or_else(|| key.old_names().iter().find_map(|(name, reading)| reading.read(self.get(name)?)))
    }

    /// The text under a name, where it is not blank.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    }

    /// The text under a key, old names included, where it is not blank.
    pub fn find_text(&self, key: Key) -> Option<&'a str> {
        self.find(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    }

    /// The attributes whose names begin like this, with the rest of the name.
    pub fn with_prefix(&self, prefix: &'static str) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.0.iter().filter_map(move |entry| {
            let rest = entry.name.strip_prefix(prefix)?;
            entry.used.set(true);
            Some((rest, entry.value))
        })
    }

    /// Every attribute.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.0.iter().map(|entry| (entry.name, entry.value))
    }

    /// The attributes that nobody has asked for.
    pub fn unused(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.0.iter().filter(|entry| !entry.used.get()).map(|entry| (entry.name, entry.value))
    }
}

/// Several bags asked as one: the first that has an answer counts.
#[derive(Debug, Clone, Copy)]
pub struct Bags<'b, 'a>(pub &'b [&'b Bag<'a>]);

impl<'a> Bags<'_, 'a> {
    /// Counts these keys, old names included, as asked for in every bag: what may not be shown in its own field may not be
    /// told among the rest of the attributes either.
    pub fn withhold(&self, keys: &[Key]) {
        for key in keys {
            for name in key.old_names().iter().map(|(old, _)| *old).chain([key.name()]) {
                self.withhold_name(name);
            }
        }
    }

    /// As [`Bags::withhold`], for one name that is in no table.
    pub fn withhold_name(&self, name: &str) {
        for bag in self.0 {
            bag.get(name);
        }
    }

    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.0.iter().find_map(|bag| bag.get(name))
    }

    pub fn find(&self, key: Key) -> Option<Value<'a>> {
        self.0.iter().find_map(|bag| bag.find(key))
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find_map(|bag| bag.text(name))
    }

    pub fn find_text(&self, key: Key) -> Option<&'a str> {
        self.0.iter().find_map(|bag| bag.find_text(key))
    }
}
