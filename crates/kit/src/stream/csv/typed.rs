//! Rows as types. Fields are text; what they are read as is what the type asks for.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, CowStrDeserializer};
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::{CsvError, CsvRow};

pub(super) fn deserialize<'de, T: Deserialize<'de>>(row: &CsvRow<'de>) -> Result<T, CsvError> {
    let mut at = None;
    let fields = Fields {
        row,
        next: 0,
        at: &mut at,
    };
    T::deserialize(fields).map_err(|Problem(problem)| {
        let line = row.line();
        match at {
            Some(position) => CsvError::Field {
                line,
                column: format!("`{}`", row.name(position)),
                problem,
            },
            None => CsvError::Row { line, problem },
        }
    })
}

/// What is wrong, never with which value: so only what was expected is taken from what serde has to say.
#[derive(Debug)]
struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self("its type does not take the value".to_owned())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("expected {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("expected {expected}"))
    }

    fn invalid_length(count: usize, expected: &dyn Expected) -> Self {
        Self(format!("expected {expected}, found {count} fields"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("expected one of `{}`", expected.join("`, `")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self(format!(
            "there is a column `{field}` beside `{}`",
            expected.join("`, `")
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("there is no column `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self(format!("there are two columns `{field}`"))
    }
}

/// The fields of a row that are still to be read. The position of the one that is being read stays when reading it fails.
struct Fields<'a, 'de> {
    row: &'a CsvRow<'de>,
    next: usize,
    at: &'a mut Option<usize>,
}

impl<'de> Fields<'_, 'de> {
    fn value<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Problem> {
        let position = self.next;
        self.next += 1;
        *self.at = Some(position);
        let value = seed.deserialize(Field(self.row.get(position).unwrap_or_default()))?;
        *self.at = None;
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for Fields<'_, 'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_map(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_seq(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let value = visitor.visit_seq(&mut self)?;
        let found = self.row.len();
        if found != len {
            return Err(Problem(format!("expected {len} fields, found {found}")));
        }
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit_struct map struct enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for Fields<'_, 'de> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Problem> {
        if self.next == self.row.len() {
            return Ok(None);
        }
        self.value(seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.row.len() - self.next)
    }
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Problem> {
        if self.next == self.row.len() {
            return Ok(None);
        }
        match self.row.name(self.next) {
            Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            name => seed.deserialize(CowStrDeserializer::new(name)),
        }
        .map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Problem> {
        self.value(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.row.len() - self.next)
    }
}

/// One field.
struct Field<'de>(&'de str);

macro_rules! parsed {
    ($($method:ident $visit:ident $what:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            let value = self.0.parse().map_err(|_| Problem(concat!("expected ", $what).to_owned()))?;
            visitor.$visit(value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Field<'de> {
    type Error = Problem;

    parsed! {
        deserialize_bool visit_bool "`true` or `false`";
        deserialize_i8 visit_i8 "an integer of 8 bits";
        deserialize_i16 visit_i16 "an integer of 16 bits";
        deserialize_i32 visit_i32 "an integer of 32 bits";
        deserialize_i64 visit_i64 "an integer of 64 bits";
        deserialize_i128 visit_i128 "an integer of 128 bits";
        deserialize_u8 visit_u8 "a natural number of 8 bits";
        deserialize_u16 visit_u16 "a natural number of 16 bits";
        deserialize_u32 visit_u32 "a natural number of 32 bits";
        deserialize_u64 visit_u64 "a natural number of 64 bits";
        deserialize_u128 visit_u128 "a natural number of 128 bits";
        deserialize_f32 visit_f32 "a number";
        deserialize_f64 visit_f64 "a number";
        deserialize_char visit_char "one character";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_borrowed_bytes(self.0.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_borrowed_bytes(self.0.as_bytes())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.0.is_empty() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        str string seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Field<'de> {
    type Error = Problem;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Problem> {
        let variant = seed.deserialize(BorrowedStrDeserializer::<Problem>::new(self.0))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Field<'de> {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Problem> {
        Err(Problem("expected a variant without fields".to_owned()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Problem> {
        Err(Problem("expected a variant without fields".to_owned()))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Problem> {
        Err(Problem("expected a variant without fields".to_owned()))
    }
}
