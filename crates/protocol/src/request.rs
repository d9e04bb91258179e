//! What the runtime says: one request per line of the connector's standard input.
//!
//! Members that are JSON text are kept as they came. A `config` is the inner endpoint configuration in
//! plain text, except in `last_capture`, where it is the wrapper that the catalog had, perhaps sealed.

use serde::{Deserialize, Serialize};

use crate::RawValue;
use crate::flow::{CaptureSpec, CollectionSpec, ConnectorType, Inline, Linked, RangeSpec};
use crate::hidden::debug_hiding;
use crate::kind::RequestKind;
use crate::read;
use crate::write::{empty_object, is_zero};

/// One request: exactly one member of the envelope.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the message of the same name")]
pub enum Request {
    Spec(Spec),
    Discover(Discover),
    Validate(Validate),
    Apply(Apply),
    Open(Open),
    Acknowledge(Acknowledge),
}

impl Request {
    /// Which request it is.
    pub fn kind(&self) -> RequestKind {
        match self {
            Self::Spec(_) => RequestKind::Spec,
            Self::Discover(_) => RequestKind::Discover,
            Self::Validate(_) => RequestKind::Validate,
            Self::Apply(_) => RequestKind::Apply,
            Self::Open(_) => RequestKind::Open,
            Self::Acknowledge(_) => RequestKind::Acknowledge,
        }
    }
}

/// Asks what the connector is: always the first request of a process, with the configuration `{}`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// How the connector was started.
    #[serde(default, alias = "connector_type")]
    pub connector_type: ConnectorType,
    /// The endpoint configuration: `{}`, also when absent.
    #[serde(default = "empty_object", alias = "config_json", alias = "configJson")]
    pub config: Box<RawValue>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            connector_type: ConnectorType::default(),
            config: empty_object(),
        }
    }
}

debug_hiding!(Spec { connector_type; config });

/// Asks which resources there are.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discover {
    /// How the connector was started.
    #[serde(default, alias = "connector_type")]
    pub connector_type: ConnectorType,
    /// The endpoint configuration.
    #[serde(alias = "config_json", alias = "configJson")]
    pub config: Box<RawValue>,
    /// The capture's name; empty when there is none yet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

debug_hiding!(Discover { connector_type, name; config });

/// Asks whether the configuration works, and which resource each binding is of.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "ValidateWire")]
pub struct Validate {
    /// The capture's name.
    pub name: String,
    /// How the connector was started.
    pub connector_type: ConnectorType,
    /// The endpoint configuration.
    pub config: Box<RawValue>,
    /// The enabled bindings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<ValidateBinding>,
    /// The capture as it was applied last; its `config` is the wrapper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_capture: Option<CaptureSpec>,
    /// The version that was applied last; empty when none was.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_version: String,
}

debug_hiding!(Validate { name, connector_type, bindings, last_capture, last_version; config });

/// One binding to validate.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidateBinding {
    /// The resource configuration; may have a `_meta` member, which is not the user's.
    pub resource_config: Box<RawValue>,
    /// The collection that it is bound to.
    pub collection: CollectionSpec,
    /// How often the binding was asked to start over.
    #[serde(skip_serializing_if = "is_zero")]
    pub backfill: u32,
}

debug_hiding!(ValidateBinding { collection, backfill; resource_config });

/// `Validate` as it is read: collections inline, or linked from a list beside the bindings.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename = "Validate")]
struct ValidateWire {
    #[serde(default)]
    name: String,
    #[serde(default, alias = "connector_type")]
    connector_type: ConnectorType,
    #[serde(alias = "config_json", alias = "configJson")]
    config: Box<RawValue>,
    #[serde(default, deserialize_with = "read::messages")]
    bindings: Vec<ValidateBindingWire>,
    #[serde(default, deserialize_with = "read::message", alias = "last_capture")]
    last_capture: Option<CaptureSpec>,
    #[serde(default, alias = "last_version")]
    last_version: String,
    #[serde(
        default,
        deserialize_with = "read::messages",
        alias = "linked_collections"
    )]
    linked_collections: Vec<CollectionSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename = "ValidateBinding")]
struct ValidateBindingWire {
    #[serde(
        alias = "resource_config",
        alias = "resource_config_json",
        alias = "resourceConfigJson"
    )]
    resource_config: Box<RawValue>,
    #[serde(default, deserialize_with = "read::message")]
    collection: Option<CollectionSpec>,
    #[serde(default, deserialize_with = "read::uint32", alias = "collection_index")]
    collection_index: u32,
    #[serde(default, deserialize_with = "read::uint32")]
    backfill: u32,
}

impl TryFrom<ValidateWire> for Validate {
    type Error = Linked;

    fn try_from(wire: ValidateWire) -> Result<Self, Linked> {
        let inline = Inline::of(&wire.linked_collections);
        let resolve = |(index, binding): (usize, ValidateBindingWire)| {
            Ok(ValidateBinding {
                resource_config: binding.resource_config,
                collection: inline.resolve(
                    "bindings",
                    index,
                    binding.collection,
                    binding.collection_index,
                )?,
                backfill: binding.backfill,
            })
        };
        Ok(Self {
            name: wire.name,
            connector_type: wire.connector_type,
            config: wire.config,
            bindings: wire
                .bindings
                .into_iter()
                .enumerate()
                .map(resolve)
                .collect::<Result<_, _>>()?,
            last_capture: wire.last_capture,
            last_version: wire.last_version,
        })
    }
}

/// Tells the connector that a capture is about to run as said. May be repeated after a crash.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Apply {
    /// The capture; with no bindings when absent.
    #[serde(default, deserialize_with = "read::message_or_default")]
    pub capture: CaptureSpec,
    /// Names the build of the capture; opaque.
    #[serde(default)]
    pub version: String,
    /// The capture as it was applied last, if it was; its `config` is the wrapper.
    #[serde(
        default,
        deserialize_with = "read::message",
        alias = "last_capture",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_capture: Option<CaptureSpec>,
    /// The version that was applied last; empty when none was.
    #[serde(
        default,
        alias = "last_version",
        skip_serializing_if = "String::is_empty"
    )]
    pub last_version: String,
    /// The connector state; older runtimes do not tell.
    #[serde(
        default,
        alias = "state_json",
        alias = "stateJson",
        skip_serializing_if = "Option::is_none"
    )]
    pub state: Option<Box<RawValue>>,
}

debug_hiding!(Apply { capture, version, last_capture, last_version; state });

/// Opens the capture: from here on the connector captures until its input ends or it is done.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    /// The capture; with no bindings when absent.
    #[serde(default, deserialize_with = "read::message_or_default")]
    pub capture: CaptureSpec,
    /// Names the build of the capture; opaque.
    #[serde(default)]
    pub version: String,
    /// The part of the key space that this process is to capture; all of it when absent.
    #[serde(default, deserialize_with = "read::message_or_default")]
    pub range: RangeSpec,
    /// The connector state, reduced; `{}` also when absent or null.
    #[serde(
        default = "empty_object",
        deserialize_with = "read::state",
        alias = "state_json",
        alias = "stateJson"
    )]
    pub state: Box<RawValue>,
}

debug_hiding!(Open { capture, version, range; state });

/// Tells how many further checkpoints, in order, are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledge {
    /// Checkpoints that became durable since the last acknowledgement.
    #[serde(default, deserialize_with = "read::uint32")]
    pub checkpoints: u32,
}
