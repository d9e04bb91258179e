//! Documents, as the text that is captured.
//!
//! A script spells its documents with blanks and escapes; captured they are compact, with members in the order of the script and
//! text that is not ASCII as it is. Numbers keep their digits: an integer of twenty digits is none that a float could hold.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// A document in compact JSON, one object.
#[derive(Clone, Debug)]
pub(crate) struct Document(pub(crate) String);

/// Many documents that differ in their `id`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Documents {
    #[serde(default)]
    from: i64,
    count: u64,
    /// How many letters their `pad` has.
    #[serde(default)]
    pad: usize,
    #[serde(default)]
    set: Members,
}

/// Members in the order in which they came, in compact JSON.
#[derive(Debug, Default)]
struct Members(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Members::deserialize(from).map(|members| Document(members.to_json()))
    }
}

impl Documents {
    /// The documents, one after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = String> + '_ {
        let pad = (self.pad > 0).then(|| format!("\"{}\"", "x".repeat(self.pad)));
        (0..self.count).map(move |at| {
            let id = i128::from(self.from) + i128::from(at);
            let mut members = Members(vec![("id".to_owned(), id.to_string())]);
            for (name, json) in &self.set.0 {
                members.put(name, json);
            }
            if let Some(pad) = &pad {
                members.put("pad", pad);
            }
            members.to_json()
        })
    }
}

impl Members {
    /// A member that is there keeps its place.
    fn put(&mut self, name: &str, json: &str) {
        match self.0.iter_mut().find(|(theirs, _)| theirs == name) {
            Some((_, value)) => json.clone_into(value),
            None => self.0.push((name.to_owned(), json.to_owned())),
        }
    }

    fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (at, (name, value)) in self.0.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json.push_str(&quoted(name));
            json.push(':');
            json.push_str(value);
        }
        json.push('}');
        json
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.put(&name, &compact(&value).map_err(A::Error::custom)?);
                }
                Ok(members)
            }
        }

        from.deserialize_map(Object)
    }
}

/// The same value without blanks and needless escapes.
fn compact(value: &RawValue) -> serde_json::Result<String> {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'{') => Ok(serde_json::from_str::<Members>(json)?.to_json()),
        Some(b'[') => {
            let elements: Vec<Box<RawValue>> = serde_json::from_str(json)?;
            let elements: Vec<String> = elements
                .iter()
                .map(|element| compact(element))
                .collect::<Result<_, _>>()?;
            Ok(format!("[{}]", elements.join(",")))
        }
        Some(b'"') => Ok(quoted(&serde_json::from_str::<String>(json)?)),
        _ => Ok(json.to_owned()), // Digits are kept as they are.
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_compact_and_keeps_its_order_its_text_and_its_digits() {
        let json = r#" {"b": [1, {"z": null, "a": "caf\u00e9"}], "a": 12345678901234567890123, "f": 1.50, "\u0022": "\n"}"#;
        let document: Document = serde_json::from_str(json).unwrap();
        assert_eq!(
            document.0,
            r#"{"b":[1,{"z":null,"a":"café"}],"a":12345678901234567890123,"f":1.50,"\"":"\n"}"#
        );
    }

    #[test]
    fn many_documents_count_from_their_first() {
        let documents: Documents =
            serde_json::from_str(r#"{"from": 7, "count": 2, "pad": 3, "set": {"a": true}}"#)
                .unwrap();
        let all: Vec<String> = documents.iter().collect();
        assert_eq!(
            all,
            [
                r#"{"id":7,"a":true,"pad":"xxx"}"#,
                r#"{"id":8,"a":true,"pad":"xxx"}"#
            ]
        );
    }
}
