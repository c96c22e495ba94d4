//! What one pass over a span's attributes found: a value for each slot, and which of them the document has used.

use super::slots::Slot;
use crate::otlp::Value;

/// The values of a span that have a place of their own.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    values: [Value<'a>; Slot::COUNT],
    present: u128,
    used: u128,
    /// The user by the best attribute so far: its position in the configured list, its name, its value.
    pub user: Option<(u8, &'a str, Value<'a>)>,
}

impl Default for Facts<'_> {
    fn default() -> Self {
        Facts { values: [Value::Empty; Slot::COUNT], present: 0, used: 0, user: None }
    }
}

impl<'a> Facts<'a> {
    /// Forgets everything; only what was noted has to be touched.
    pub fn clear(&mut self) {
        let mut left = self.present;
        while let Some(value) = self.values.get_mut(left.trailing_zeros() as usize) {
            *value = Value::Empty;
            left &= left - 1;
        }
        (self.present, self.used, self.user) = (0, 0, None);
    }

    /// Notes a value; the first one counts where a sender repeats a name.
    #[inline]
    pub fn put(&mut self, slot: Slot, value: Value<'a>) {
        if self.present & slot.bit() == 0 {
            self.present |= slot.bit();
            self.values[slot as usize] = value;
        }
    }

    #[inline]
    pub fn has_any(&self, mask: u128) -> bool {
        self.present & mask != 0
    }

    /// The value of a slot, [`Value::Empty`] where it was not sent.
    #[inline]
    pub fn value(&self, slot: Slot) -> Value<'a> {
        self.values[slot as usize]
    }

    /// The text of a slot, where it is not empty.
    #[inline]
    pub fn text(&self, slot: Slot) -> Option<&'a str> {
        match self.values[slot as usize] {
            Value::Str(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The first text among several slots.
    #[inline(never)]
    pub fn first(&self, slots: &[Slot]) -> Option<&'a str> {
        slots.iter().find_map(|slot| self.text(*slot))
    }

    /// The first text among several slots; it counts as used, and so does the same text under another of the names.
    #[inline(never)]
    pub fn take(&mut self, slots: &[Slot]) -> Option<&'a str> {
        let text = self.first(slots)?;
        for slot in slots {
            if self.text(*slot) == Some(text) {
                self.mark(*slot);
            }
        }
        Some(text)
    }

    /// The first whole number within bounds among several slots; used, as with [`Facts::take`].
    #[inline(never)]
    pub fn take_int(&mut self, slots: &[Slot], bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let within = |value: Value<'_>| whole_number(value).filter(|number| bounds.contains(number));
        let number = slots.iter().find_map(|slot| within(self.value(*slot)))?;
        for slot in slots {
            if within(self.value(*slot)) == Some(number) {
                self.mark(*slot);
            }
        }
        Some(number)
    }

    /// Notes that the document shows a slot's value.
    #[inline]
    pub fn mark(&mut self, slot: Slot) {
        self.used |= slot.bit();
    }

    /// Notes the same of several.
    #[inline]
    pub fn mark_all(&mut self, mask: u128) {
        self.used |= mask;
    }

    /// What was sent and is not shown, in the order of the table.
    #[inline]
    pub fn unused(&self) -> impl Iterator<Item = (Slot, Value<'a>)> + use<'a, '_> {
        let mut left = self.present & !self.used;
        std::iter::from_fn(move || {
            let at = left.trailing_zeros() as usize;
            let slot = *Slot::ALL.get(at)?;
            left &= left - 1;
            Some((slot, self.values[at]))
        })
    }
}

/// A whole number, also as the first of a list: captured headers are lists, and nearly always of one.
fn whole_number(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Array(list) => list.iter().next().and_then(Value::as_int),
        single => single.as_int(),
    }
}
