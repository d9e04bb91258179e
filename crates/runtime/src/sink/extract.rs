//! Takes single values out of a document, without making a tree of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The places in a document that are looked for.
#[derive(Debug, Default)]
pub(crate) struct Places {
    root: Node,
    count: usize,
}

#[derive(Debug, Default)]
struct Node {
    /// The places that are this value.
    here: Vec<usize>,
    /// The members or items below that are looked into.
    below: Vec<(String, Node)>,
}

impl Places {
    /// Adds one more, by its JSON pointer. Answers with the number under which its value will be found.
    pub(crate) fn add(&mut self, pointer: &str) -> usize {
        let mut node = &mut self.root;
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            let at = match node.below.iter().position(|(known, _)| *known == name) {
                Some(at) => at,
                None => {
                    node.below.push((name, Node::default()));
                    node.below.len() - 1
                }
            };
            node = &mut node.below[at].1;
        }
        node.here.push(self.count);
        self.count += 1;
        self.count - 1
    }

    /// The values that stand at the places of `document`, by their numbers. Of a member that is there twice, the last one counts.
    pub(crate) fn find<'d>(
        &self,
        document: &'d [u8],
    ) -> Result<Vec<Option<&'d RawValue>>, serde_json::Error> {
        let mut found = vec![None; self.count];
        let mut deserializer = serde_json::Deserializer::from_slice(document);
        let look = Look {
            node: &self.root,
            found: &mut found,
        };
        look.deserialize(&mut deserializer)?;
        Ok(found)
    }
}

struct Look<'n, 'f, 'd> {
    node: &'n Node,
    found: &'f mut Vec<Option<&'d RawValue>>,
}

impl<'d> DeserializeSeed<'d> for Look<'_, '_, 'd> {
    type Value = ();

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.node.here.is_empty() {
            return deserializer.deserialize_any(self);
        }
        let value = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
        for &place in &self.node.here {
            self.found[place] = Some(value);
        }
        if self.node.below.is_empty() {
            return Ok(());
        }
        let mut again = serde_json::Deserializer::from_str(value.get());
        again
            .deserialize_any(self)
            .map_err(<D::Error as serde::de::Error>::custom)
    }
}

impl<'d> Visitor<'d> for Look<'_, '_, 'd> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'d>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(below) = members.next_key_seed(Name(self.node))? {
            match below {
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
                Some(node) => {
                    forget(node, self.found);
                    members.next_value_seed(Look {
                        node,
                        found: self.found,
                    })?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            let wanted = self.node.below.iter();
            let mut wanted = wanted.filter(|(name, _)| name.parse() == Ok(index));
            let is_over = match wanted.next() {
                None => items.next_element::<IgnoredAny>()?.is_none(),
                Some((_, node)) => items
                    .next_element_seed(Look {
                        node,
                        found: self.found,
                    })?
                    .is_none(),
            };
            if is_over {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A member that comes again begins anew.
fn forget(node: &Node, found: &mut [Option<&RawValue>]) {
    for &place in &node.here {
        found[place] = None;
    }
    for (_, below) in &node.below {
        forget(below, found);
    }
}

/// A member's name, as what is looked for below it.
struct Name<'n>(&'n Node);

impl<'d, 'n> DeserializeSeed<'d> for Name<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'d, 'n> Visitor<'d> for Name<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let mut below = self.0.below.iter();
        Ok(below.find(|(known, _)| known == name).map(|(_, node)| node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pointers: &[&str], document: &str) -> Vec<Option<String>> {
        let mut places = Places::default();
        for (number, pointer) in pointers.iter().enumerate() {
            assert_eq!(places.add(pointer), number);
        }
        let found = places.find(document.as_bytes()).unwrap();
        let texts = found.into_iter();
        texts
            .map(|value| value.map(|value| value.get().to_owned()))
            .collect()
    }

    #[test]
    fn values_are_found_wherever_they_stand_and_as_they_stand() {
        let document = r#"{"x":[1,{"id":"a\u0062"}],"_meta":{"op":"d","n":1.50},"a/b":{"~":true},"null":null}"#;
        let pointers = [
            "/_meta/op",
            "/_meta/n",
            "/x/1/id",
            "/a~1b/~0",
            "/null",
            "/gone",
            "/_meta",
            "/x/7",
            "/x/1/id",
        ];
        let texts = found(&pointers, document);
        let expected = [
            Some(r#""d""#),
            Some("1.50"),
            Some(r#""a\u0062""#),
            Some("true"),
            Some("null"),
            None,
            Some(r#"{"op":"d","n":1.50}"#),
            None,
            Some(r#""a\u0062""#),
        ];
        assert_eq!(texts, expected.map(|text| text.map(str::to_owned)));
    }

    #[test]
    fn of_members_of_one_name_the_last_counts() {
        let texts = found(
            &["/a/b", "/a/c", "/d"],
            r#"{"a":{"b":1,"c":2},"a":{"b":3},"d":1,"d":2}"#,
        );
        assert_eq!(texts, [Some("3".to_owned()), None, Some("2".to_owned())]);
    }

    #[test]
    fn scalars_have_no_members_and_what_is_no_json_is_an_error() {
        assert_eq!(found(&["/a"], "7"), [None]);
        assert_eq!(found(&["/a"], r#""a""#), [None]);
        let mut places = Places::default();
        places.add("/a");
        assert!(places.find(br#"{"a":"#).is_err());
    }
}
