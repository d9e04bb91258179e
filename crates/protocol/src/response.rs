//! What the connector says: one response per line of its standard output.
//!
//! The responses of a running capture borrow their JSON text from the line they were read from; those
//! to unary requests own it.

use serde::{Deserialize, Serialize};

use crate::RawValue;
use crate::hidden::debug_hiding;
use crate::kind::ResponseKind;
use crate::read;
use crate::write::{is_false, is_zero};

/// One response: exactly one member of the envelope.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the message of the same name")]
pub enum Response<'a> {
    Spec(Spec),
    Discovered(Discovered),
    Validated(Validated),
    Applied(Applied),
    Opened(Opened),
    Captured(Captured<'a>),
    Checkpoint(Checkpoint<'a>),
    SourcedSchema(SourcedSchema<'a>),
    BackfillBegin(BackfillMarker),
    BackfillComplete(BackfillMarker),
}

impl Response<'_> {
    /// Which response it is.
    pub fn kind(&self) -> ResponseKind {
        match self {
            Self::Spec(_) => ResponseKind::Spec,
            Self::Discovered(_) => ResponseKind::Discovered,
            Self::Validated(_) => ResponseKind::Validated,
            Self::Applied(_) => ResponseKind::Applied,
            Self::Opened(_) => ResponseKind::Opened,
            Self::Captured(_) => ResponseKind::Captured,
            Self::Checkpoint(_) => ResponseKind::Checkpoint,
            Self::SourcedSchema(_) => ResponseKind::SourcedSchema,
            Self::BackfillBegin(_) => ResponseKind::BackfillBegin,
            Self::BackfillComplete(_) => ResponseKind::BackfillComplete,
        }
    }
}

/// What the connector is, and what it needs to be told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The protocol's version; must be [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION).
    #[serde(default, deserialize_with = "read::uint32")]
    pub protocol: u32,
    /// JSON schema of the endpoint configuration.
    #[serde(
        alias = "config_schema",
        alias = "config_schema_json",
        alias = "configSchemaJson"
    )]
    pub config_schema: Box<RawValue>,
    /// JSON schema of the resource configuration.
    #[serde(
        alias = "resource_config_schema",
        alias = "resource_config_schema_json",
        alias = "resourceConfigSchemaJson"
    )]
    pub resource_config_schema: Box<RawValue>,
    /// Where the connector is documented. Some readers refuse an empty one.
    #[serde(default, alias = "documentation_url")]
    pub documentation_url: String,
    /// How to obtain OAuth credentials, if it takes such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<Box<RawValue>>,
    /// Where resource configurations have the components of the resource's path: JSON pointers.
    #[serde(
        default,
        deserialize_with = "read::list",
        alias = "resource_path_pointers",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub resource_path_pointers: Vec<String>,
}

/// Which resources there are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Discovered {
    /// A proposed binding for each.
    #[serde(
        default,
        deserialize_with = "read::messages",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub bindings: Vec<DiscoveredBinding>,
}

/// A resource, and the binding that is proposed for it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveredBinding {
    /// Proposed last component of the collection's name; free text.
    #[serde(alias = "recommended_name")]
    pub recommended_name: String,
    /// The resource configuration that reads the resource.
    #[serde(
        alias = "resource_config",
        alias = "resource_config_json",
        alias = "resourceConfigJson"
    )]
    pub resource_config: Box<RawValue>,
    /// The schema of its documents.
    #[serde(
        alias = "document_schema",
        alias = "document_schema_json",
        alias = "documentSchemaJson",
        alias = "schema_json",
        alias = "schemaJson"
    )]
    pub document_schema: Box<RawValue>,
    /// JSON pointers of the key; may be empty.
    #[serde(
        default,
        deserialize_with = "read::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub key: Vec<String>,
    /// Whether the binding is proposed disabled.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable: bool,
    /// The resource's path; often empty, and then found by the Spec's pointers.
    #[serde(
        default,
        deserialize_with = "read::list",
        alias = "resource_path",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub resource_path: Vec<String>,
    /// Whether the key is a guess, which must not overwrite a user's.
    #[serde(default, alias = "is_fallback_key", skip_serializing_if = "is_false")]
    pub is_fallback_key: bool,
}

debug_hiding!(DiscoveredBinding {
    recommended_name, document_schema, key, disable, resource_path, is_fallback_key; resource_config
});

/// The configuration works.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Validated {
    /// As many as were asked about, in their order. Always written: none is an answer, too.
    #[serde(default, deserialize_with = "read::messages")]
    pub bindings: Vec<ValidatedBinding>,
}

/// Which resource a binding is of.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidatedBinding {
    /// Components of the resource's path: none is empty, and no two bindings share a path.
    #[serde(
        default,
        deserialize_with = "read::list",
        alias = "resource_path",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub resource_path: Vec<String>,
}

/// The capture may run as it was applied.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// What was done, for a person to read; empty if nothing was.
    #[serde(
        default,
        alias = "action_description",
        skip_serializing_if = "String::is_empty"
    )]
    pub action_description: String,
    /// A state update. The runtime commits it and applies again, until there is none.
    #[serde(
        default,
        deserialize_with = "read::message",
        skip_serializing_if = "Option::is_none"
    )]
    pub state: Option<OwnedConnectorState>,
}

/// The capture is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opened {
    /// Whether the connector wants to hear which checkpoints are durable.
    #[serde(
        default,
        alias = "explicit_acknowledgements",
        skip_serializing_if = "is_false"
    )]
    pub explicit_acknowledgements: bool,
}

/// A document. It commits with the next checkpoint.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Captured<'a> {
    /// Index of the binding; always written.
    #[serde(default, deserialize_with = "read::uint32")]
    pub binding: u32,
    /// The document's JSON text.
    #[serde(borrow, alias = "doc_json", alias = "docJson")]
    pub doc: &'a RawValue,
}

debug_hiding!(Captured<'a> { binding; doc });

/// Everything since the last checkpoint, and this state update, commit together or not at all.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Checkpoint<'a> {
    /// The update; without one the documents commit and the state stays.
    #[serde(
        borrow,
        default,
        deserialize_with = "read::message",
        skip_serializing_if = "Option::is_none"
    )]
    pub state: Option<ConnectorState<'a>>,
}

/// A state update, lent by the line it was read from.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorState<'a> {
    /// The patch or the new state: JSON text, not looked at here.
    #[serde(borrow, alias = "updated_json", alias = "updatedJson")]
    pub updated: &'a RawValue,
    /// Whether it is a merge patch of the state (RFC 7396), or else replaces it.
    #[serde(default, alias = "merge_patch", skip_serializing_if = "is_false")]
    pub merge_patch: bool,
}

debug_hiding!(ConnectorState<'a> { merge_patch; updated });

impl ConnectorState<'_> {
    /// The same update, independent of the line.
    pub fn to_owned_state(&self) -> OwnedConnectorState {
        OwnedConnectorState {
            updated: self.updated.to_owned(),
            merge_patch: self.merge_patch,
        }
    }
}

/// A state update of its own.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnedConnectorState {
    /// The patch or the new state: JSON text, not looked at here.
    #[serde(alias = "updated_json", alias = "updatedJson")]
    pub updated: Box<RawValue>,
    /// Whether it is a merge patch of the state (RFC 7396), or else replaces it.
    #[serde(default, alias = "merge_patch", skip_serializing_if = "is_false")]
    pub merge_patch: bool,
}

debug_hiding!(OwnedConnectorState { merge_patch; updated });

impl OwnedConnectorState {
    /// The same update, lent.
    pub fn as_state(&self) -> ConnectorState<'_> {
        ConnectorState {
            updated: &self.updated,
            merge_patch: self.merge_patch,
        }
    }
}

/// A schema that the source says a binding's documents have.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourcedSchema<'a> {
    /// Index of the binding.
    #[serde(
        default,
        deserialize_with = "read::uint32",
        skip_serializing_if = "is_zero"
    )]
    pub binding: u32,
    /// The schema's JSON text.
    #[serde(
        borrow,
        alias = "document_schema",
        alias = "document_schema_json",
        alias = "documentSchemaJson",
        alias = "schema_json",
        alias = "schemaJson"
    )]
    pub document_schema: &'a RawValue,
}

/// The binding's backfill begins or is complete; alone in its sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BackfillMarker {
    /// Index of the binding.
    #[serde(
        default,
        deserialize_with = "read::uint32",
        skip_serializing_if = "is_zero"
    )]
    pub binding: u32,
}
