//! [`Items`], [`Entries`] and [`Variant`]: what is in a list, a mapping and a choice, without what is out.

use std::slice;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use crate::config::read::error::{Cause, ReadError};
use crate::config::read::name_reader::NameReader;
use crate::config::read::node_reader::NodeReader;
use crate::config::read::session::Session;
use crate::config::read::stand_in::StandIn;
use crate::config::yaml::{Key, Node, Value};
use crate::stdx::located::Place;

/// What becomes of an element that is out.
pub enum WhenOut {
    Skip,
    StandIn,
}

/// The elements of a list.
pub struct Items<'t> {
    rest: slice::Iter<'t, Node>,
    session: &'t Session<'t>,
    when_out: WhenOut,
}

impl<'t> Items<'t> {
    pub fn new(items: &'t [Node], session: &'t Session<'t>, when_out: WhenOut) -> Self {
        Self { rest: items.iter(), session, when_out }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        for item in self.rest.by_ref() {
            if self.session.is_sound(item.id) {
                return seed.deserialize(NodeReader::new(item, self.session)).map(Some);
            }
            if matches!(self.when_out, WhenOut::StandIn) {
                return seed.deserialize(StandIn).map(Some);
            }
        }
        Ok(None)
    }
}

/// The entries of a mapping; of nothing, none.
pub struct Entries<'t> {
    rest: slice::Iter<'t, (Key, Node)>,
    session: &'t Session<'t>,
    /// The keys of a struct; `None` for a map, which takes any.
    known: Option<&'static [&'static str]>,
    /// What belongs to the key given last; `None` for a stand-in.
    value: Option<&'t (Key, Node)>,
    stand_ins: Vec<&'static str>,
}

impl<'t> Entries<'t> {
    pub fn new(node: &'t Node, session: &'t Session<'t>, known: Option<&'static [&'static str]>) -> Self {
        Self { rest: node.entries().iter(), session, known, value: None, stand_ins: session.stand_ins(node.id) }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        for entry in self.rest.by_ref() {
            let (key, value) = entry;
            if !self.session.is_sound(value.id) {
                continue;
            }
            if let Some(known) = self.known
                && !known.contains(&key.text.as_str())
            {
                self.session.unknown_key(key, value, known);
                continue;
            }
            self.value = Some(entry);
            let reader = NameReader { text: &key.text, place: key.place };
            return seed.deserialize(reader).map(Some).map_err(|error| error.about(value.id, key.place));
        }
        self.value = None;
        let Some(text) = self.stand_ins.pop() else {
            return Ok(None);
        };
        let place = Place::NONE;
        seed.deserialize(NameReader { text, place }).map(Some).map_err(|_| ReadError::new(Cause::StandIn))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        match self.value {
            Some((_, value)) => seed.deserialize(NodeReader::new(value, self.session)),
            None => seed.deserialize(StandIn),
        }
    }
}

/// A variant of an enum: a name alone, or a key with its content.
pub struct Variant<'t> {
    pub name: &'t str,
    pub place: Place,
    pub content: Option<&'t Node>,
    /// The node that is name, or name and content.
    pub node: &'t Node,
    pub session: &'t Session<'t>,
}

impl<'t> Variant<'t> {
    /// Gives the content of a variant that needs some.
    fn content(&self) -> Result<NodeReader<'t>, ReadError> {
        let content = self.content.ok_or_else(|| {
            let expected = "a name with a value, `name: value`";
            ReadError::invalid_type(Unexpected::UnitVariant, &expected)
        })?;
        Ok(NodeReader::new(content, self.session))
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let name = NameReader { text: self.name, place: self.place };
        let about = self.content.unwrap_or(self.node).id;
        let variant = seed.deserialize(name).map_err(|error| error.about(about, self.place))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.content {
            Some(content) if content.value != Value::Null => {
                let expected = "nothing after this name";
                let reader = NodeReader::new(content, self.session);
                reader.tied(Err(ReadError::invalid_type(Unexpected::Other("a value"), &expected)))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.content()?.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.content()?.deserialize_struct("", known, visitor)
    }
}
