//! [`NodeReader`]: a serde deserializer over a [`Node`], which says of every error where it arose.

use serde::de::value::MapDeserializer;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use crate::config::read::collections::{Entries, Items, Variant, WhenOut};
use crate::config::read::error::ReadError;
use crate::config::read::name_reader::PlaceAndValue;
use crate::config::read::session::Session;
use crate::config::yaml::{Node, Origin, Scalar, Style, Value};
use crate::stdx::located::{LOCATED, WRITTEN};

#[derive(Clone, Copy)]
pub struct NodeReader<'t> {
    node: &'t Node,
    session: &'t Session<'t>,
}

impl<'t> NodeReader<'t> {
    pub fn new(node: &'t Node, session: &'t Session<'t>) -> Self {
        Self { node, session }
    }

    /// Ties an error to this node, unless it came from further inside.
    pub fn tied<T>(self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.map_err(|error| error.about(self.node.id, self.node.place))
    }

    fn refuse<'de, V: Visitor<'de>>(self, visitor: &V) -> ReadError {
        let found = match &self.node.value {
            Value::Null => Unexpected::Unit,
            Value::Sequence(_) => Unexpected::Seq,
            Value::Mapping(_) => Unexpected::Map,
            Value::Scalar(scalar) => sort_of(scalar),
        };
        ReadError::invalid_type(found, visitor)
    }

    fn scalar(self) -> Option<&'t Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    fn read_integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Some(number) = self.scalar().and_then(Scalar::integer) else {
            return Err(self.refuse(&visitor));
        };
        if let Ok(number) = u64::try_from(number) {
            visitor.visit_u64(number)
        } else if let Ok(number) = i64::try_from(number) {
            visitor.visit_i64(number)
        } else {
            visitor.visit_i128(number)
        }
    }

    fn read_float<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.scalar().and_then(Scalar::float) {
            Some(number) => visitor.visit_f64(number),
            None => Err(self.refuse(&visitor)),
        }
    }

    fn read_bool<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.scalar().and_then(Scalar::boolean) {
            Some(value) => visitor.visit_bool(value),
            None => Err(self.refuse(&visitor)),
        }
    }

    fn read_text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.scalar() {
            Some(scalar) => visitor.visit_str(&scalar.text),
            None => Err(self.refuse(&visitor)),
        }
    }

    fn read_unit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.value {
            Value::Null => visitor.visit_unit(),
            _ => Err(self.refuse(&visitor)),
        }
    }

    fn read_list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Sequence(items) => visitor.visit_seq(Items::new(items, self.session, WhenOut::Skip)),
            _ => Err(self.refuse(&visitor)),
        }
    }

    /// Reads a list in which each position has a type of its own.
    fn read_tuple<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Value::Sequence(items) = &self.node.value else {
            return Err(self.refuse(&visitor));
        };
        if items.iter().any(|item| !self.session.is_sound(item.id)) {
            self.session.made_up(self.node.id);
        }
        visitor.visit_seq(Items::new(items, self.session, WhenOut::StandIn))
    }

    fn read_mapping<'de, V: Visitor<'de>>(
        self,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match &self.node.value {
            // `console:` alone is a section in which everything is left to its default.
            Value::Mapping(_) | Value::Null => visitor.visit_map(Entries::new(self.node, self.session, known)),
            _ => Err(self.refuse(&visitor)),
        }
    }

    /// Reads anything, a number with its text: see [`WRITTEN`].
    fn read_written<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.scalar().and_then(|scalar| Some((scalar.text.as_str(), scalar.float()?))) {
            Some(number) => visitor.visit_newtype_struct(MapDeserializer::new(std::iter::once(number))),
            None => self.read_any(visitor),
        }
    }

    /// Reads what the YAML core schema makes of it; text that came from a variable stays text.
    fn read_any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let scalar = match &self.node.value {
            Value::Null => return visitor.visit_unit(),
            Value::Sequence(_) => return self.read_list(visitor),
            Value::Mapping(_) => return self.read_mapping(None, visitor),
            Value::Scalar(scalar) => scalar,
        };
        match sort_of(scalar) {
            Unexpected::Bool(value) => visitor.visit_bool(value),
            Unexpected::Unsigned(number) => visitor.visit_u64(number),
            Unexpected::Signed(number) => visitor.visit_i64(number),
            Unexpected::Float(number) => visitor.visit_f64(number),
            _ => visitor.visit_str(&scalar.text),
        }
    }
}

/// Gives what a scalar is where its type is not asked for.
fn sort_of(scalar: &Scalar) -> Unexpected<'_> {
    if scalar.origin == Origin::Environment {
        return Unexpected::Str(&scalar.text);
    }
    if let Some(value) = scalar.boolean() {
        return Unexpected::Bool(value);
    }
    if let Some(number) = scalar.integer() {
        if let Ok(number) = u64::try_from(number) {
            return Unexpected::Unsigned(number);
        }
        if let Ok(number) = i64::try_from(number) {
            return Unexpected::Signed(number);
        }
    }
    match scalar.float() {
        Some(number) => Unexpected::Float(number),
        None => Unexpected::Str(&scalar.text),
    }
}

macro_rules! read {
    ($($method:ident: $read:ident),* $(,)?) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
                self.tied(self.$read(visitor))
            }
        )*
    };
}

impl<'de> Deserializer<'de> for NodeReader<'_> {
    type Error = ReadError;

    read! {
        deserialize_any: read_any,
        deserialize_bool: read_bool,
        deserialize_i8: read_integer,
        deserialize_i16: read_integer,
        deserialize_i32: read_integer,
        deserialize_i64: read_integer,
        deserialize_i128: read_integer,
        deserialize_u8: read_integer,
        deserialize_u16: read_integer,
        deserialize_u32: read_integer,
        deserialize_u64: read_integer,
        deserialize_u128: read_integer,
        deserialize_f32: read_float,
        deserialize_f64: read_float,
        deserialize_char: read_text,
        deserialize_str: read_text,
        deserialize_string: read_text,
        deserialize_identifier: read_text,
        deserialize_unit: read_unit,
        deserialize_seq: read_list,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let absent = match &self.node.value {
            Value::Null => true,
            // `endpoint: ${ENDPOINT:-}` asks for the default.
            Value::Scalar(scalar) => scalar.text.is_empty() && scalar.style == Style::Plain,
            _ => false,
        };
        self.tied(if absent { visitor.visit_none() } else { visitor.visit_some(self) })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.tied(match name {
            LOCATED => visitor.visit_seq(PlaceAndValue::new(self.node.place, self)),
            WRITTEN => self.read_written(visitor),
            _ => visitor.visit_newtype_struct(self),
        })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        self.tied(self.read_unit(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.tied(self.read_tuple(visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.tied(self.read_tuple(visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.tied(self.read_mapping(None, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.tied(self.read_mapping(Some(known), visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let session = self.session;
        let mut entries = self.node.entries().iter().filter(|(_, value)| session.is_sound(value.id));
        self.tied(match (&self.node.value, entries.next(), entries.next()) {
            (Value::Scalar(scalar), ..) => visitor.visit_enum(Variant {
                name: &scalar.text,
                place: self.node.place,
                content: None,
                session,
                node: self.node,
            }),
            (_, Some((key, content)), None) => visitor.visit_enum(Variant {
                name: &key.text,
                place: key.place,
                content: Some(content),
                session,
                node: self.node,
            }),
            (Value::Mapping(_), ..) => Err(ReadError::custom("expected one key, the name of a choice")),
            _ => Err(self.refuse(&visitor)),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.tied(visitor.visit_unit())
    }

    forward_to_deserialize_any! { bytes byte_buf }
}
