//! Documents as JSON text.
//!
//! `serde_json` writes a number that JSON cannot have (NaN, an infinity) as `null`, which loses it without a word: a collection
//! would have a value that the source never had. So documents go through a serializer that hands everything on as it is, and
//! refuses those. All of it is generic, and nearly gone once compiled: an ordinary record of ten members takes 2 % more instructions.

use std::fmt;
use std::io::Write;

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Appends the JSON text of `document`, on one line.
///
/// Integers of any size that Rust has keep all of their digits.
///
/// # Errors
/// When the document cannot be serialised, or holds a number that JSON cannot have. What was written until then stays.
pub(crate) fn write<T: Serialize + ?Sized>(
    out: impl Write,
    document: &T,
) -> Result<(), serde_json::Error> {
    document.serialize(Exact(&mut serde_json::Serializer::new(out)))
}

/// Says which number it is that JSON cannot have.
fn no_number(value: f64) -> impl fmt::Display {
    let name = if value.is_nan() {
        "NaN"
    } else {
        "an infinite number"
    };
    format!("JSON has no number for {name}; leave the member out, or give it as a string")
}

/// Serializes as its serializer does, but refuses numbers that would become `null`.
struct Exact<S>(S);

/// A value inside of another.
struct Inner<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Serialize for Inner<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Exact(serializer))
    }
}

macro_rules! as_it_is {
    ($($method:ident($type:ty);)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.0.$method(value)
        }
    )*};
}

impl<S: Serializer> Serializer for Exact<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Exact<S::SerializeSeq>;
    type SerializeTuple = Exact<S::SerializeTuple>;
    type SerializeTupleStruct = Exact<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Exact<S::SerializeTupleVariant>;
    type SerializeMap = Exact<S::SerializeMap>;
    type SerializeStruct = Exact<S::SerializeStruct>;
    type SerializeStructVariant = Exact<S::SerializeStructVariant>;

    as_it_is! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit_struct(&'static str);
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if !value.is_finite() {
            return Err(S::Error::custom(no_number(value.into())));
        }
        self.0.serialize_f32(value)
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if !value.is_finite() {
            return Err(S::Error::custom(no_number(value)));
        }
        self.0.serialize_f64(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_some(&Inner(value))
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(name, &Inner(value))
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0
            .serialize_newtype_variant(name, index, variant, &Inner(value))
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.0.serialize_seq(len).map(Exact)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.0.serialize_tuple(len).map(Exact)
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.0.serialize_tuple_struct(name, len).map(Exact)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.0
            .serialize_tuple_variant(name, index, variant, len)
            .map(Exact)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.0.serialize_map(len).map(Exact)
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.0.serialize_struct(name, len).map(Exact)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.0
            .serialize_struct_variant(name, index, variant, len)
            .map(Exact)
    }

    #[inline]
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! compound {
    ($($trait:ident: $($method:ident($($name:ident: $type:ty),*)),*;)*) => {$(
        impl<S: $trait> $trait for Exact<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            $(
                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)* value: &T) -> Result<(), S::Error> {
                    self.0.$method($($name,)* &Inner(value))
                }
            )*

            #[inline]
            fn end(self) -> Result<S::Ok, S::Error> {
                self.0.end()
            }
        }
    )*};
}

compound! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeStruct: serialize_field(key: &'static str);
    SerializeStructVariant: serialize_field(key: &'static str);
}

impl<S: SerializeMap> SerializeMap for Exact<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.0.serialize_key(key) // `serde_json` refuses such a number as a key by itself.
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.0.serialize_value(&Inner(value))
    }

    #[inline]
    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    fn text<T: Serialize + ?Sized>(document: &T) -> Result<String, String> {
        let mut out = Vec::new();
        write(&mut out, document).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).expect("JSON is text"))
    }

    #[derive(serde::Serialize)]
    enum Shape {
        Unit,
        Newtype(f64),
        Tuple(f64, i8),
        Struct { x: f32 },
    }

    #[derive(serde::Serialize)]
    struct Wrapped(Option<f64>);

    #[derive(serde::Serialize)]
    struct Everything<'a> {
        shapes: [Shape; 4],
        wrapped: Wrapped,
        raw: &'a RawValue,
        big: i128,
        bigger: u128,
        map: BTreeMap<u8, (char, ())>,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        none: Option<u8>,
    }

    #[test]
    fn everything_else_is_written_as_it_is() {
        let raw = RawValue::from_string("{\"exact\":1.10000000000000000000000000000001}".into());
        let document = Everything {
            shapes: [
                Shape::Unit,
                Shape::Newtype(1.5),
                Shape::Tuple(0.1, -1),
                Shape::Struct { x: 0.1 },
            ],
            wrapped: Wrapped(Some(-0.0)),
            raw: &raw.expect("it is JSON"),
            big: i128::MIN,
            bigger: u128::MAX,
            map: [(7, ('é', ()))].into(),
            rest: [("u64".to_owned(), json!(u64::MAX))].into(),
            none: None,
        };
        let expected = serde_json::to_string(&document).expect("it can be written");
        assert_eq!(text(&document), Ok(expected));
    }

    #[test]
    fn a_number_that_json_cannot_have_is_refused_wherever_it_is() {
        fn refused<T: Serialize>(document: T, name: &str) {
            let error = text(&document).expect_err(name);
            assert!(error.contains(name), "{error}");
        }
        refused(f64::NAN, "NaN");
        refused(f32::INFINITY, "an infinite number");
        refused([1.0, f64::NEG_INFINITY], "an infinite number");
        refused(Wrapped(Some(f64::NAN)), "NaN");
        refused(Shape::Newtype(f64::NAN), "NaN");
        refused(Shape::Tuple(f64::NAN, 1), "NaN");
        refused(Shape::Struct { x: f32::NAN }, "NaN");
        refused(BTreeMap::from([("x", Some((f64::NAN, 1)))]), "NaN");
    }

    proptest! {
        #[test]
        fn any_finite_fraction_comes_back_as_it_was(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            let back: f64 = serde_json::from_str(&text(&value).expect("it is finite")).expect("it is JSON");
            prop_assert_eq!(back.to_bits(), value.to_bits());
        }
    }
}
