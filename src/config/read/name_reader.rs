//! [`NameReader`]: a serde deserializer over a name: the key of a mapping, or the variant of an enum.

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::config::read::error::ReadError;
use crate::stdx::located::{LOCATED, Place};

/// Reads as text, as a number where the text is one, or as a variant without content.
#[derive(Clone, Copy)]
pub struct NameReader<'t> {
    pub text: &'t str,
    pub place: Place,
}

macro_rules! number {
    ($($method:ident: $number:ty, $visit:ident),* $(,)?) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
                match self.text.parse::<$number>() {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => visitor.visit_str(self.text),
                }
            }
        )*
    };
}

impl<'de> Deserializer<'de> for NameReader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_str(self.text)
    }

    number! {
        deserialize_i8: i64, visit_i64,
        deserialize_i16: i64, visit_i64,
        deserialize_i32: i64, visit_i64,
        deserialize_i64: i64, visit_i64,
        deserialize_u8: u64, visit_u64,
        deserialize_u16: u64, visit_u64,
        deserialize_u32: u64, visit_u64,
        deserialize_u64: u64, visit_u64,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name == LOCATED {
            visitor.visit_seq(PlaceAndValue::new(self.place, self))
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for NameReader<'_> {
    type Error = ReadError;
    type Variant = NameOnly;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, NameOnly), ReadError> {
        Ok((seed.deserialize(self)?, NameOnly))
    }
}

/// A variant that has no content, because a key cannot have any.
pub struct NameOnly;

impl<'de> VariantAccess<'de> for NameOnly {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, ReadError> {
        Err(ReadError::invalid_type(Unexpected::UnitVariant, &"newtype variant "))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        Err(ReadError::invalid_type(Unexpected::UnitVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, ReadError> {
        Err(ReadError::invalid_type(Unexpected::UnitVariant, &visitor))
    }
}

/// What a [`Located`](crate::stdx::located::Located) reads: line, column, value.
pub struct PlaceAndValue<D> {
    place: Place,
    value: Option<D>,
    given: u8,
}

impl<D> PlaceAndValue<D> {
    pub fn new(place: Place, value: D) -> Self {
        Self { place, value: Some(value), given: 0 }
    }
}

impl<'de, D: Deserializer<'de, Error = ReadError>> SeqAccess<'de> for PlaceAndValue<D> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        self.given += 1;
        let number: U32Deserializer<ReadError> = match self.given {
            1 => self.place.line.into_deserializer(),
            2 => self.place.column.into_deserializer(),
            _ => {
                return self.value.take().map(|value| seed.deserialize(value)).transpose();
            }
        };
        seed.deserialize(number).map(Some)
    }
}
