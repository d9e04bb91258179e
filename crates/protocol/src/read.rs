//! How members are read: tolerant where peers differ, strict where a wrong guess would hide a fault.
//!
//! Integers come as numbers or as decimal strings, unset messages and lists also as `null`. A message
//! is an object only: serde's derived readers would also take an array of its members by position,
//! and `{"checkpoint":[]}` must not pass for a checkpoint.

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde_json::value::RawValue;
use std::fmt;

use crate::write::empty_object;

/// Reads a message-typed member; `null` is unset.
pub(crate) fn message<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let message = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(message.map(|object| object.0))
}

/// Reads a message-typed member that has a default; `null` is unset.
pub(crate) fn message_or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    message(deserializer).map(Option::unwrap_or_default)
}

/// Reads a list of messages; `null` is the empty list.
pub(crate) fn messages<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects = Option::<Vec<Object<T>>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(objects.into_iter().map(|object| object.0).collect())
}

/// Reads a list of scalars or of JSON text; `null` is the empty list.
pub(crate) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads a state: absent, `null` and `{}` are the same.
pub(crate) fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<RawValue>, D::Error> {
    let state = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(state.unwrap_or_else(empty_object))
}

/// Reads a `u32` from a number or from a string of decimal digits.
pub(crate) fn uint32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    struct Uint32;

    impl Visitor<'_> for Uint32 {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an integer from 0 to 4294967295")
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<u32, E> {
            u32::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
        }

        fn visit_str<E: Error>(self, value: &str) -> Result<u32, E> {
            // `parse` alone would take a sign, too.
            match value
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| value.parse())
            {
                Some(Ok(value)) => Ok(value),
                _ => Err(E::invalid_value(Unexpected::Str(value), &self)),
            }
        }
    }

    deserializer.deserialize_any(Uint32)
}

/// A message: `T` read from an object, and from nothing else.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(ObjectOnly(deserializer)).map(Object)
    }
}

/// Asks for a map where a derived reader asks for a struct, so that an array is refused.
struct ObjectOnly<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
