//! Whether a document can be keyed: one that cannot would end the whole capture at the other end, and again when it is sent again.

use serde_json::value::RawValue;

use super::rules::{Found, Members, Scalar, tokens};

/// The key of a collection, as far as senders must see to it.
#[derive(Debug, Default)]
pub(crate) struct Key {
    pointers: Vec<String>,
    members: Members,
}

/// A document that the collection has no place for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a document has no text, integer or truth value at `{0}`, by which it is told from others")]
pub(crate) struct Unkeyed(String);

impl Key {
    /// The key of these pointers, but for those into `_meta`, which is ours.
    pub(crate) fn new(pointers: &[String]) -> Self {
        let is_ours = |pointer: &str| pointer == "/_meta" || pointer.starts_with("/_meta/");
        let theirs = pointers.iter().filter(|pointer| !is_ours(pointer));
        let theirs = theirs.filter_map(|pointer| Some((pointer.clone(), tokens(pointer).ok()?)));
        let (pointers, tokens): (Vec<String>, Vec<Vec<String>>) = theirs.unzip();
        Self {
            members: Members::new(&tokens),
            pointers,
        }
    }

    pub(crate) fn check(&self, document: &RawValue) -> Result<(), Unkeyed> {
        if self.pointers.is_empty() {
            return Ok(());
        }
        let found = self.members.find(document, self.pointers.len());
        for (pointer, found) in self.pointers.iter().zip(found) {
            match found {
                Found::Scalar(Scalar::Bool(_) | Scalar::String(_)) => {}
                Found::Scalar(number @ Scalar::Number(_)) if number.is_integer() => {}
                _ => return Err(Unkeyed(pointer.clone())),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_has_no_key_is_told_by_what_it_lacks() {
        let key = Key::new(&["/_meta/webhookId", "/id", "/a/b"].map(str::to_owned));
        for (json, missing) in [
            (r#"{"id":1,"a":{"b":"x"}}"#, None),
            (r#"{"id":1e2,"a":{"b":true}}"#, None),
            (r#"{"id":1.5,"a":{"b":true}}"#, Some("/id")),
            (r#"{"id":null,"a":{"b":true}}"#, Some("/id")),
            (r#"{"id":"","a":{"b":[]}}"#, Some("/a/b")),
            (r#"{"id":"","a":7}"#, Some("/a/b")),
            ("{}", Some("/id")),
        ] {
            let document: &RawValue = serde_json::from_str(json).unwrap();
            let expected = missing.map_or(Ok(()), |pointer| Err(Unkeyed(pointer.to_owned())));
            assert_eq!(key.check(document), expected, "{json}");
        }
        let ours = Key::new(&["/_meta/webhookId".to_owned()]);
        let document: &RawValue = serde_json::from_str("{}").unwrap();
        assert_eq!(ours.check(document), Ok(()));
    }
}
