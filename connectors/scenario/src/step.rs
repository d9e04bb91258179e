//! What an invocation does, one step at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use staunch::state::Node;

use crate::document::{Document, Documents};

/// One step.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Members")]
pub(crate) enum Step {
    /// Captures a document, for this binding or that of the named resource.
    Document(Document, Option<String>),
    /// Captures many.
    Documents(Documents, Option<String>),
    /// Captures a document that tells what the function was passed.
    Echo(String),
    Cursor(Node),
    Page(Node),
    SourcedSchema(Value, Option<String>),
    TriggerBackfill,
    Sleep(Duration),
    Signal(String),
    Await(String),
    Park,
    Mark(String),
    Fail(String),
    Return,
}

/// The members of a step. They are kept as text: a document must not lose digits on its way.
type Members = BTreeMap<String, Box<RawValue>>;

impl TryFrom<Members> for Step {
    type Error = serde_json::Error;

    fn try_from(mut members: Members) -> Result<Self, serde_json::Error> {
        let to = members
            .remove("to")
            .map(|to| serde_json::from_str(to.get()))
            .transpose()?;
        let (Some((kind, value)), None) = (members.pop_first(), members.pop_first()) else {
            return Err(problem("a step has one main key"));
        };
        let json = value.get();
        let text = || serde_json::from_str::<String>(json);
        let step = match kind.as_str() {
            "doc" => Step::Document(serde_json::from_str(json)?, to),
            "docs" => Step::Documents(serde_json::from_str(json)?, to),
            "echo" => Step::Echo(text()?),
            "cursor" => Step::Cursor(node(json)?),
            "page" => Step::Page(node(json)?),
            "sourced_schema" => Step::SourcedSchema(serde_json::from_str(json)?, to),
            "trigger_backfill" => Step::TriggerBackfill,
            "sleep_ms" => Step::Sleep(Duration::from_millis(serde_json::from_str(json)?)),
            "signal" => Step::Signal(text()?),
            "await" => Step::Await(text()?),
            "park" => Step::Park,
            "mark" => Step::Mark(text()?),
            "error" => Step::Fail(text()?),
            "return" => Step::Return,
            _ => return Err(problem("there is no step of that kind")),
        };
        Ok(step)
    }
}

/// To the last digit, unlike a number that has been a float.
fn node(json: &str) -> Result<Node, serde_json::Error> {
    Node::parse(json).map_err(serde::de::Error::custom)
}

fn problem(message: &str) -> serde_json::Error {
    serde::de::Error::custom(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_one_main_key() {
        for json in [
            r#"{}"#,
            r#"{"doc":{},"echo":"x"}"#,
            r#"{"to":"x"}"#,
            r#"{"dance":true}"#,
        ] {
            assert!(serde_json::from_str::<Step>(json).is_err(), "{json}");
        }
        let step: Step = serde_json::from_str(r#"{"doc": {"id": 1}, "to": "b"}"#).unwrap();
        assert!(
            matches!(step, Step::Document(document, Some(to)) if document.0 == r#"{"id":1}"# && to == "b")
        );
        let step: Step = serde_json::from_str(r#"{"page": null}"#).unwrap();
        assert!(matches!(step, Step::Page(Node::Null)));
    }
}
