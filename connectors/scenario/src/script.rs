//! The endpoint config: what there is to capture, and how each function behaves.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use staunch::Reduction;
use staunch::state::Node;

use crate::migrations::Migration;
use crate::step::Step;

/// How the connector is to behave.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    #[serde(default)]
    pub(crate) resources: Vec<ResourceScript>,
    /// The configuration that the connector asks for before it answers Open.
    pub(crate) config_update: Option<ConfigUpdate>,
}

/// The settings that the configuration ought to have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigUpdate {
    pub(crate) message: String,
    pub(crate) settings: Value,
}

/// A resource: how it is discovered, what its state begins with, and its functions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResourceScript {
    pub(crate) name: String,
    pub(crate) key: Vec<String>,
    #[serde(default, deserialize_with = "duration")]
    pub(crate) interval: Option<Duration>,
    pub(crate) schedule: Option<String>,
    pub(crate) initial_state: Option<Box<RawValue>>,
    pub(crate) schema: Option<Value>,
    #[serde(default = "yes")]
    pub(crate) schema_inference: bool,
    pub(crate) reduction_strategy: Option<Reduction>,
    #[serde(default)]
    pub(crate) disable: bool,
    #[serde(default)]
    pub(crate) explicit_acks: bool,
    pub(crate) incremental: Option<Functions>,
    pub(crate) backfill: Option<Functions>,
    pub(crate) snapshot: Option<Functions>,
    pub(crate) tombstone: Option<Map<String, Value>>,
    #[serde(default)]
    pub(crate) migrations: Vec<Migration>,
    pub(crate) open_sourced_schema: Option<Value>,
    pub(crate) open_error: Option<String>,
}

/// One function, or one for each subtask.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Functions {
    pub(crate) subtasks: Option<BTreeMap<String, FunctionScript>>,
    #[serde(default)]
    recurring: bool,
    #[serde(default)]
    invocations: Vec<Invocation>,
}

/// A function: what it does each time that it is invoked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionScript {
    /// Of a backfill: it is told who had the backfill begin.
    #[serde(default)]
    pub(crate) recurring: bool,
    #[serde(default)]
    pub(crate) invocations: Vec<Invocation>,
}

/// What is done where all that is said of the invocation is so.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invocation {
    /// The argument; the null page is a `null` that is there.
    #[serde(default, deserialize_with = "present")]
    pub(crate) at: Option<Node>,
    pub(crate) call: Option<u64>,
    pub(crate) connector_initiated: Option<bool>,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
}

impl Functions {
    /// The flat function, or those of the subtasks by name.
    pub(crate) fn into_parts(self) -> Result<FunctionScript, BTreeMap<String, FunctionScript>> {
        match self.subtasks {
            Some(subtasks) => Err(subtasks),
            None => Ok(FunctionScript {
                recurring: self.recurring,
                invocations: self.invocations,
            }),
        }
    }
}

fn yes() -> bool {
    true
}

/// A value that is there, be it `null`, to the last digit.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Node>, D::Error> {
    let json = Box::<RawValue>::deserialize(from)?;
    Node::parse(json.get()).map(Some).map_err(D::Error::custom)
}

/// An ISO 8601 duration of days and less.
pub(crate) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else {
        return Ok(None);
    };
    parse_duration(&text)
        .map(Some)
        .ok_or_else(|| D::Error::custom("it is no ISO 8601 duration"))
}

/// An ISO 8601 duration of days and less. None if it is none, or negative.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let duration: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok()
}
