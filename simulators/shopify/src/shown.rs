//! What an object shows of a field: what was written into it, or else what is drawn.

use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::ExtendedType;
use serde_json::{Map, Value};

use crate::catalog;
use crate::time::{self, DAY, Micros, SECOND};

/// An object: a record, or a part of one. All that is not written in it is drawn from its seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'a> {
    /// Its type.
    pub(crate) kind: &'a str,
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) created_at: Micros,
    pub(crate) updated_at: Micros,
    pub(crate) fields: Option<&'a Map<String, Value>>,
    /// What it is a part of.
    pub(crate) of: Option<&'a Object<'a>>,
}

/// What a field is.
pub(crate) enum Field<'a> {
    Null,
    /// JSON text of a scalar.
    Scalar(String),
    /// What was written, to be shown as its type wants it.
    Written(&'a Value),
    Object(Object<'a>),
    List(Vec<Field<'a>>),
}

impl<'a> Object<'a> {
    /// One that shows what is written, and nothing else.
    pub(crate) fn written(kind: &'a str, fields: &'a Map<String, Value>) -> Self {
        Self {
            kind,
            number: 1,
            seed: 0,
            created_at: 0,
            updated_at: 0,
            fields: Some(fields),
            of: None,
        }
    }

    /// Its global id.
    pub(crate) fn gid(&self) -> String {
        if let Some(Value::String(id)) = self.fields.and_then(|fields| fields.get("id")) {
            return id.clone();
        }
        catalog::gid(self.kind, self.number, self.of.map(|of| of.number))
    }

    /// A part of it.
    pub(crate) fn part<'b>(
        &'b self,
        schema: &'b Schema,
        kind: &'b str,
        field: &str,
        nth: u64,
    ) -> Object<'b> {
        let seed = mixed(self.seed, field, nth);
        Object {
            kind: concrete(schema, kind, seed),
            number: self.number * 1000 + nth + 1,
            seed,
            fields: None,
            of: Some(self),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// How many parts of a list there are.
    pub(crate) fn count(&self, field: &str) -> u64 {
        catalog::count(self.kind, field, mixed(self.seed, field, u64::MAX))
    }

    /// What it shows of a field that is no connection.
    pub(crate) fn field<'b>(&'b self, schema: &'b Schema, name: &str, ty: &'b Type) -> Field<'b> {
        if let Some(value) = self.fields.and_then(|fields| fields.get(name)) {
            return Field::Written(value);
        }
        // A part that leads back to what it is part of.
        let mut of = self.of;
        while let Some(object) = of {
            if object.kind == ty.inner_named_type().as_str() && !ty.is_list() {
                return Field::Object(*object);
            }
            of = object.of;
        }
        self.drawn(schema, name, ty, mixed(self.seed, name, 0))
    }

    fn drawn<'b>(&'b self, schema: &'b Schema, name: &str, ty: &'b Type, seed: u64) -> Field<'b> {
        match ty {
            Type::Named(_) | Type::List(_) if is_kept_null(name, seed) => Field::Null,
            Type::Named(kind) | Type::NonNullNamed(kind) => {
                match schema.types.get(kind) {
                    Some(ExtendedType::Scalar(_)) => {
                        Field::Scalar(self.scalar(name, kind.as_str(), seed))
                    }
                    Some(ExtendedType::Enum(values)) => {
                        let nth = seed as usize % values.values.len().max(1);
                        let value = values.values.get_index(nth);
                        Field::Scalar(value.map_or("null".to_owned(), |(name, _)| text(name)))
                    }
                    _ => {
                        let part = self.part(schema, kind.as_str(), name, 0);
                        // What is not a part of a list is something else's, most often.
                        let number = seed % 100_000 + 1;
                        Field::Object(Object { number, ..part })
                    }
                }
            }
            Type::List(of) | Type::NonNullList(of) => {
                let (count, kind) = (self.count(name), of.inner_named_type());
                let is_composite = schema
                    .types
                    .get(kind)
                    .is_some_and(|ty| !ty.is_scalar() && !ty.is_enum());
                let items = (0..count).map(|nth| match is_composite {
                    true => Field::Object(self.part(schema, kind.as_str(), name, nth)),
                    false => self.drawn(schema, name, of, mixed(seed, name, nth)),
                });
                Field::List(items.collect())
            }
        }
    }

    fn scalar(&self, name: &str, kind: &str, seed: u64) -> String {
        let small = seed % 100;
        match (kind, name) {
            ("ID", "id") => text(&self.gid()),
            ("UnsignedInt64", "legacyResourceId") => text(&self.number.to_string()),
            ("DateTime", "createdAt" | "initiatedAt") => text(&time::print(self.created_at)),
            ("DateTime", "updatedAt") => text(&time::print(self.updated_at)),
            ("ID", _) => text(&format!("gid://shopify/Node/{}", seed % 100_000)),
            ("DateTime", _) => {
                let after = (seed % (30 * 86_400)) as Micros * SECOND;
                text(&time::print(self.created_at + after))
            }
            ("Date", _) => {
                let day = self.created_at + (small as Micros) * DAY;
                text(&time::instant(day).strftime("%Y-%m-%d").to_string())
            }
            ("Decimal" | "Money", _) => text(&format!("{small}.{:02}", (seed >> 8) % 100)),
            ("UnsignedInt64", _) => text(&(seed % 1_000_000).to_string()),
            ("Int", _) => small.to_string(),
            ("Float", _) => format!("{small}.{}", (seed >> 8) % 9 + 1),
            ("Boolean", _) => (seed & 1 == 1).to_string(),
            ("JSON", _) => format!(r#"{{"{name}":{small}}}"#),
            ("URL", _) => text(&format!(
                "https://cdn.example.com/{name}/{:x}",
                seed & 0xff_ffff
            )),
            ("HTML", _) => text(&format!("<p>{name} {:x}</p>", seed & 0xff_ffff)),
            _ => {
                let accent = if seed.is_multiple_of(5) { "é/\"" } else { "" };
                text(&format!("{name} {accent}{:x}", seed & 0xff_ffff))
            }
        }
    }
}

/// Something that may be null is so now and then.
fn is_kept_null(name: &str, seed: u64) -> bool {
    name != "id" && (seed >> 32).is_multiple_of(7)
}

/// A type that objects of this type can be of.
fn concrete<'a>(schema: &'a Schema, kind: &'a str, seed: u64) -> &'a str {
    let mut concrete: Vec<&str> = match schema.types.get(kind) {
        Some(ExtendedType::Union(union)) => {
            union.members.iter().map(|name| name.as_str()).collect()
        }
        Some(ExtendedType::Interface(_)) => {
            let objects = schema.types.iter().filter_map(|(name, ty)| match ty {
                ExtendedType::Object(object) => object
                    .implements_interfaces
                    .contains(kind)
                    .then_some(name.as_str()),
                _ => None,
            });
            objects.collect()
        }
        _ => return kind,
    };
    concrete.sort_unstable();
    concrete
        .get(seed as usize % concrete.len().max(1))
        .copied()
        .unwrap_or(kind)
}

/// JSON text of a text.
pub(crate) fn text(value: &str) -> String {
    Value::from(value).to_string()
}

/// Another seed for each name and number.
pub(crate) fn mixed(seed: u64, name: &str, nth: u64) -> u64 {
    let named = name
        .bytes()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let mut z = named.wrapping_add(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
