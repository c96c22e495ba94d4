//! [`StandIn`]: something in the place of a missing key, so that reading goes on and finds what else is missing.
//!
//! It gives the emptiest value of whatever type is asked for. What is read with it is thrown away.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::config::read::error::{Cause, ReadError};

#[derive(Clone, Copy)]
pub struct StandIn;

/// Does not say anything: a type that refuses emptiness (an address) is no mistake of the file.
fn silent<T>(result: Result<T, ReadError>) -> Result<T, ReadError> {
    result.map_err(|_| ReadError::new(Cause::StandIn))
}

macro_rules! give {
    ($($method:ident: $visit:ident($($value:expr)?)),* $(,)?) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
                silent(visitor.$visit($($value)?))
            }
        )*
    };
}

impl<'de> Deserializer<'de> for StandIn {
    type Error = ReadError;

    give! {
        deserialize_any: visit_unit(),
        deserialize_bool: visit_bool(false),
        deserialize_i8: visit_i64(0),
        deserialize_i16: visit_i64(0),
        deserialize_i32: visit_i64(0),
        deserialize_i64: visit_i64(0),
        deserialize_u8: visit_u64(0),
        deserialize_u16: visit_u64(0),
        deserialize_u32: visit_u64(0),
        deserialize_u64: visit_u64(0),
        deserialize_f32: visit_f64(0.0),
        deserialize_f64: visit_f64(0.0),
        deserialize_char: visit_char(' '),
        deserialize_str: visit_str(""),
        deserialize_string: visit_str(""),
        deserialize_option: visit_none(),
        deserialize_seq: visit_seq(SeqDeserializer::<_, ReadError>::new(std::iter::empty::<u8>())),
        deserialize_map: visit_map(MapDeserializer::<'_, _, ReadError>::new(std::iter::empty::<(u8, u8)>())),
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        silent(visitor.visit_newtype_struct(self))
    }

    forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit unit_struct tuple tuple_struct struct enum identifier ignored_any
    }
}
