//! Looks into a document for the members that a rule asks for, and for nothing else.
//!
//! The text is read once, members that nobody asked for are skipped without a look, and no tree of values is made.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::scalar::Scalar;

/// What pointers there are, as a tree of their tokens.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// The pointer that ends here, by its number.
    slot: Option<usize>,
    children: Vec<(String, Members)>,
}

/// What is at a pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Found {
    #[default]
    Nothing,
    Scalar(Scalar),
    /// An array, an object, or a number beyond all bounds.
    Other,
}

impl Members {
    pub(crate) fn new<'a>(pointers: impl IntoIterator<Item = &'a Vec<String>>) -> Self {
        let mut root = Self::default();
        for (slot, tokens) in pointers.into_iter().enumerate() {
            let mut node = &mut root;
            for token in tokens {
                let found = node.children.iter().position(|(name, _)| name == token);
                let at = found.unwrap_or_else(|| {
                    node.children.push((token.clone(), Self::default()));
                    node.children.len() - 1
                });
                node = &mut node.children[at].1;
            }
            node.slot = Some(slot);
        }
        root
    }

    /// What is at each pointer of this document, by the pointers' numbers.
    pub(crate) fn find(&self, document: &RawValue, count: usize) -> Vec<Found> {
        let mut found = vec![Found::Nothing; count];
        self.visit(document.get(), &mut found);
        found
    }

    fn visit(&self, json: &str, found: &mut [Found]) {
        if let Some(slot) = self.slot {
            found[slot] = Scalar::parse(json).map_or(Found::Other, Found::Scalar);
        }
        if self.children.is_empty() || !json.trim_ascii_start().starts_with(['{', '[']) {
            return;
        }
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let inside = Inside {
            members: self,
            found,
        };
        // The text is known to be JSON; what could not be read is not there.
        let _ = deserializer.deserialize_any(inside);
    }

    /// Nothing of it is there.
    fn clear(&self, found: &mut [Found]) {
        if let Some(slot) = self.slot {
            found[slot] = Found::Nothing;
        }
        for (_, child) in &self.children {
            child.clear(found);
        }
    }

    fn child(&self, name: &str) -> Option<&Members> {
        let (_, child) = self.children.iter().find(|(token, _)| token == name)?;
        Some(child)
    }
}

/// An object or an array, as it is read.
struct Inside<'a> {
    members: &'a Members,
    found: &'a mut [Found],
}

impl<'de> Visitor<'de> for Inside<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(child) = map.next_key_seed(Name(self.members))? {
            match child {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some(child) => {
                    let json: &RawValue = map.next_value()?;
                    child.clear(self.found); // A member of the same name may have been there before.
                    child.visit(json.get(), self.found);
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let index = |token: &String| {
            let number = token.parse::<usize>().ok()?;
            (number.to_string() == *token).then_some(number)
        };
        let children = self.members.children.iter();
        let wanted: Vec<(usize, &Members)> = children
            .filter_map(|(token, child)| Some((index(token)?, child)))
            .collect();
        let mut at = 0;
        loop {
            match wanted.iter().find(|(index, _)| *index == at) {
                None => {
                    if seq.next_element::<IgnoredAny>()?.is_none() {
                        return Ok(());
                    }
                }
                Some((_, child)) => {
                    let Some(json) = seq.next_element::<&RawValue>()? else {
                        return Ok(());
                    };
                    child.visit(json.get(), self.found);
                }
            }
            at += 1;
        }
    }
}

/// The name of a member, read as what is wanted of it.
struct Name<'a>(&'a Members);

impl<'de, 'a> DeserializeSeed<'de> for Name<'a> {
    type Value = Option<&'a Members>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Name<'a> {
    type Value = Option<&'a Members>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.child(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pointers: &[&[&str]], json: &str) -> Vec<Found> {
        let pointers: Vec<Vec<String>> = pointers
            .iter()
            .map(|tokens| tokens.iter().map(|token| (*token).to_owned()).collect())
            .collect();
        let document: &RawValue = serde_json::from_str(json).unwrap();
        Members::new(&pointers).find(document, pointers.len())
    }

    fn scalar(json: &str) -> Found {
        Found::Scalar(Scalar::parse(json).unwrap())
    }

    #[test]
    fn what_is_asked_for_is_found_wherever_it_is() {
        let json = r#" { "a" : { "b" : [ 1, { "c~/" : "\u0041" } ], "x": 1e999 }, "n" : null, "\u0074": [] } "#;
        let found = find(
            &[
                &["a", "b", "0"],
                &["a", "b", "1", "c~/"],
                &["a", "x"],
                &["n"],
                &["t"],
                &["a"],
                &["n", "deeper"],
                &["a", "b", "00"],
                &["a", "b", "2"],
                &["missing"],
            ],
            json,
        );
        let expected = [
            scalar("1"),
            scalar(r#""A""#),
            scalar("1e999"),
            scalar("null"),
            Found::Other,
            Found::Other,
            Found::Nothing,
            Found::Nothing,
            Found::Nothing,
            Found::Nothing,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn of_members_of_the_same_name_the_last_one_counts() {
        let found = find(
            &[&["a", "b"], &["c"]],
            r#"{"a":{"b":1},"c":1,"a":{},"c":2}"#,
        );
        assert_eq!(found, [Found::Nothing, scalar("2")]);
    }

    #[test]
    fn a_document_of_any_depth_is_skipped() {
        let deep = format!(
            r#"{{"deep":{}{},"type":"x"}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        // The reader of requests refuses such depth or not; this one never recurses into what nobody asked for.
        let document = RawValue::from_string(deep);
        let Ok(document) = document else { return };
        let found = Members::new(&[vec!["type".to_owned()]]).find(&document, 1);
        assert_eq!(found, [scalar(r#""x""#)]);
    }
}
