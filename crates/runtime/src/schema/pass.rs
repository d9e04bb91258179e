//! One pass over a document's bytes, along a plan.
//!
//! The parser is the one that makes trees for the full validator, asked for everything it would be asked for then, so
//! what passes here parses there: numbers in range, escapes whole, nesting bounded. No tree is built, and most strings
//! are looked at where they lie.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::bounds::Number;
use super::plan::{ANY, Members, Node, Plan, RAW_VALUE, Scalar, Ticks, Types};

/// Whether `document` is certainly one JSON object that the plan allows.
pub(super) fn accepts(plan: &Plan, document: &[u8]) -> bool {
    if document.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return false;
    }
    // Once for the whole document is faster than once per string.
    let Ok(text) = std::str::from_utf8(document) else {
        return false;
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    let place = Place {
        plan,
        node: plan.node(plan.root),
    };
    place.deserialize(&mut parser).is_ok() && parser.end().is_ok()
}

/// A node, waiting for the value at its place.
#[derive(Clone, Copy)]
struct Place<'p> {
    plan: &'p Plan,
    node: &'p Node,
}

fn refused<E: Error>() -> E {
    // Nobody reads it: the full validator finds the words.
    E::custom("")
}

impl Place<'_> {
    fn admits<E: Error>(self, types: Types, is_choice: impl Fn(&Scalar) -> bool) -> Result<(), E> {
        let node = self.node;
        if !node.types.contain(types) {
            return Err(refused());
        }
        match &node.choices {
            Some(choices) if !choices.iter().any(is_choice) => Err(refused()),
            _ => Ok(()),
        }
    }

    fn number<E: Error>(self, number: Number) -> Result<(), E> {
        let types = if number.is_integer() {
            Types::INTEGER
        } else {
            Types::NUMBER
        };
        self.admits(types, |choice| match choice {
            Scalar::Number(choice) => number
                .compare(*choice)
                .is_some_and(std::cmp::Ordering::is_eq),
            _ => false,
        })?;
        match &self.node.bounds {
            Some(bounds) if !bounds.admit(number) => Err(refused()),
            _ => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.node.or_null {
            return Ok(());
        }
        self.admits(Types::NULL, |choice| *choice == Scalar::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.admits(Types::BOOLEAN, |choice| *choice == Scalar::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(Number::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(Number::Integer(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.number(Number::Float(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.admits(
            Types::STRING,
            |choice| matches!(choice, Scalar::Text(choice) if **choice == *text),
        )?;
        if let Some((shortest, longest)) = self.node.length {
            let characters = text.chars().count() as u64;
            if characters < shortest || characters > longest {
                return Err(refused());
            }
        }
        match self.node.format {
            Some(format) if !format.admits(text) => Err(refused()),
            _ => Ok(()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.admits(Types::ARRAY, |_| false)?;
        let place = Place {
            plan: self.plan,
            node: self.plan.node(self.node.items),
        };
        while items.next_element_seed(place)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.admits(Types::OBJECT, |_| false)?;
        let plan = self.plan;
        let Some(members) = &self.node.members else {
            let place = Place {
                plan,
                node: plan.node(ANY),
            };
            while map.next_key_seed(Unnamed)?.is_some() {
                map.next_value_seed(place)?;
            }
            return Ok(());
        };
        let mut seen = Ticks::default();
        let mut before = 0;
        while let Some(found) = map.next_key_seed(Named { members, before })? {
            let node = match found {
                Some(index) => {
                    before = index + 1;
                    let member = members.member(index);
                    if let Some(tick) = member.tick {
                        seen[usize::from(tick / 64)] |= 1 << (tick % 64);
                    }
                    member.node
                }
                None => members.others,
            };
            // A member that occurs twice is checked twice: stricter than the last one alone, which decides.
            map.next_value_seed(Place {
                plan,
                node: plan.node(node),
            })?;
        }
        if seen != members.required {
            Err(refused())
        } else {
            Ok(())
        }
    }
}

/// Finds a member's name among the named ones.
struct Named<'p> {
    members: &'p Members,
    before: usize,
}

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Named<'_> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<usize>, E> {
        match self.members.find(name, self.before) {
            None if name == RAW_VALUE => Err(refused()),
            found => Ok(found),
        }
    }
}

/// Reads over a member's name.
struct Unnamed;

impl<'de> DeserializeSeed<'de> for Unnamed {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Unnamed {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        if name == RAW_VALUE {
            Err(refused())
        } else {
            Ok(())
        }
    }
}
