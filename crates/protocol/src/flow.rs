//! What requests are about: captures, their bindings and the collections they are bound to.
//!
//! These types read and write the protocol's JSON by serde, so that a runtime can also keep them.
//! Reading takes camelCase and snake_case names, and collections inline or linked (1.9 of the
//! protocol); linked ones are resolved, so that nobody behind the codec knows of the difference.

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::RawValue;
use crate::hidden::debug_hiding;
use crate::read;
use crate::write::{empty_object, is_false, is_zero};

/// How a connector is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConnectorType {
    /// From a container image. Also what an absent type reads as.
    #[default]
    Image,
    /// By a command on this machine.
    Local,
}

impl<'de> Deserialize<'de> for ConnectorType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = ConnectorType;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`IMAGE` or `LOCAL`")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ConnectorType, E> {
                match name {
                    "IMAGE" => Ok(ConnectorType::Image),
                    "LOCAL" => Ok(ConnectorType::Local),
                    _ => Err(E::invalid_value(Unexpected::Str(name), &self)),
                }
            }

            // The numbers of the enum; readers of the protocol's JSON take either.
            fn visit_u64<E: Error>(self, number: u64) -> Result<ConnectorType, E> {
                match number {
                    7 => Ok(ConnectorType::Image),
                    8 => Ok(ConnectorType::Local),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }
        }

        deserializer.deserialize_any(Name)
    }
}

/// A capture, as it was built.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "CaptureSpecWire")]
pub struct CaptureSpec {
    /// The capture's name.
    pub name: String,
    /// How its connector is started.
    pub connector_type: ConnectorType,
    /// The endpoint configuration; in a `last_capture` it is the wrapper that the catalog had.
    pub config: Box<RawValue>,
    /// The enabled bindings. A binding's index here is what responses name it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<CaptureBinding>,
    /// Seconds from the start of one session to that of the next, if the connector exits before.
    /// Always written: some connectors demand it.
    pub interval_seconds: u32,
    /// Template of the shards that run the capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard_template: Option<Box<RawValue>>,
    /// Template of the logs that the shards' stores are recovered from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_log_template: Option<Box<RawValue>>,
    /// Ports that the connector listens on: objects of `number`, `protocol` and `public`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network_ports: Vec<Box<RawValue>>,
    /// Bindings that were active, and are now disabled or removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inactive_bindings: Vec<CaptureBinding>,
    /// Salt of redacted values, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redact_salt: Option<String>,
}

impl Default for CaptureSpec {
    /// A capture of no name and no bindings, with the configuration `{}`.
    fn default() -> Self {
        Self {
            name: String::new(),
            connector_type: ConnectorType::default(),
            config: empty_object(),
            bindings: Vec::new(),
            interval_seconds: 0,
            shard_template: None,
            recovery_log_template: None,
            network_ports: Vec::new(),
            inactive_bindings: Vec::new(),
            redact_salt: None,
        }
    }
}

debug_hiding!(CaptureSpec {
    name, connector_type, bindings, interval_seconds, shard_template, recovery_log_template,
    network_ports, inactive_bindings; config, redact_salt
});

/// One resource bound to one collection.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaptureBinding {
    /// The resource configuration; may have a `_meta` member, which is not the user's.
    pub resource_config: Box<RawValue>,
    /// The resource's path, as the connector validated it.
    pub resource_path: Vec<String>,
    /// The collection that it is bound to.
    pub collection: CollectionSpec,
    /// How often the binding was asked to start over.
    #[serde(skip_serializing_if = "is_zero")]
    pub backfill: u32,
    /// The key of the binding's state, for ever: see [`state_key`](crate::state_key).
    pub state_key: String,
}

debug_hiding!(CaptureBinding { resource_path, collection, backfill, state_key; resource_config });

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename = "CaptureSpec")]
struct CaptureSpecWire {
    #[serde(default)]
    name: String,
    #[serde(default, alias = "connector_type")]
    connector_type: ConnectorType,
    #[serde(alias = "config_json", alias = "configJson")]
    config: Box<RawValue>,
    #[serde(default, deserialize_with = "read::messages")]
    bindings: Vec<CaptureBindingWire>,
    #[serde(default, deserialize_with = "read::uint32", alias = "interval_seconds")]
    interval_seconds: u32,
    #[serde(default, alias = "shard_template")]
    shard_template: Option<Box<RawValue>>,
    #[serde(default, alias = "recovery_log_template")]
    recovery_log_template: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "read::list", alias = "network_ports")]
    network_ports: Vec<Box<RawValue>>,
    #[serde(
        default,
        deserialize_with = "read::messages",
        alias = "inactive_bindings"
    )]
    inactive_bindings: Vec<CaptureBindingWire>,
    #[serde(default, alias = "redact_salt")]
    redact_salt: Option<String>,
    #[serde(
        default,
        deserialize_with = "read::messages",
        alias = "linked_collections"
    )]
    linked_collections: Vec<CollectionSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename = "CaptureBinding")]
struct CaptureBindingWire {
    #[serde(
        alias = "resource_config",
        alias = "resource_config_json",
        alias = "resourceConfigJson"
    )]
    resource_config: Box<RawValue>,
    #[serde(default, deserialize_with = "read::list", alias = "resource_path")]
    resource_path: Vec<String>,
    #[serde(default, deserialize_with = "read::message")]
    collection: Option<CollectionSpec>,
    #[serde(default, deserialize_with = "read::uint32", alias = "collection_index")]
    collection_index: u32,
    #[serde(default, deserialize_with = "read::uint32")]
    backfill: u32,
    #[serde(default, alias = "state_key")]
    state_key: String,
}

impl TryFrom<CaptureSpecWire> for CaptureSpec {
    type Error = Linked;

    fn try_from(wire: CaptureSpecWire) -> Result<Self, Linked> {
        let inline = Inline::of(&wire.linked_collections);
        Ok(Self {
            name: wire.name,
            connector_type: wire.connector_type,
            config: wire.config,
            bindings: inline.bindings("bindings", wire.bindings)?,
            interval_seconds: wire.interval_seconds,
            shard_template: wire.shard_template,
            recovery_log_template: wire.recovery_log_template,
            network_ports: wire.network_ports,
            inactive_bindings: inline.bindings("inactiveBindings", wire.inactive_bindings)?,
            redact_salt: wire.redact_salt.filter(|salt| !salt.is_empty()),
        })
    }
}

/// Puts linked collections where bindings refer to them.
#[derive(Clone, Copy)]
pub(crate) struct Inline<'a> {
    linked: &'a [CollectionSpec],
}

impl<'a> Inline<'a> {
    /// Of a message's `linkedCollections`; without any, its bindings must carry their own.
    pub(crate) fn of(linked: &'a [CollectionSpec]) -> Self {
        Self { linked }
    }

    /// The collection of the binding at `index` of `list`.
    pub(crate) fn resolve(
        self,
        list: &'static str,
        index: usize,
        collection: Option<CollectionSpec>,
        collection_index: u32,
    ) -> Result<CollectionSpec, Linked> {
        match (collection, self.linked) {
            (Some(_), []) if collection_index != 0 => Err(Linked::Both { list, index }),
            (Some(collection), []) => Ok(collection),
            (None, []) => Err(Linked::Missing { list, index }),
            (Some(_), _) => Err(Linked::Both { list, index }),
            (None, linked) => {
                let found = usize::try_from(collection_index)
                    .ok()
                    .and_then(|i| linked.get(i));
                found.cloned().ok_or(Linked::OutOfRange {
                    list,
                    index,
                    collection_index,
                    linked: linked.len(),
                })
            }
        }
    }

    fn bindings(
        self,
        list: &'static str,
        bindings: Vec<CaptureBindingWire>,
    ) -> Result<Vec<CaptureBinding>, Linked> {
        let resolve = |(index, binding): (usize, CaptureBindingWire)| {
            Ok(CaptureBinding {
                resource_config: binding.resource_config,
                resource_path: binding.resource_path,
                collection: self.resolve(
                    list,
                    index,
                    binding.collection,
                    binding.collection_index,
                )?,
                backfill: binding.backfill,
                state_key: binding.state_key,
            })
        };
        bindings.into_iter().enumerate().map(resolve).collect()
    }
}

/// Why the collection of a binding could not be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Linked {
    #[error("`{list}[{index}]` has no `collection`")]
    Missing { list: &'static str, index: usize },
    #[error(
        "`{list}[{index}]` mixes `collection` with `linkedCollections` and `collectionIndex`; \
         a message uses one form or the other"
    )]
    Both { list: &'static str, index: usize },
    #[error(
        "`{list}[{index}].collectionIndex` is {collection_index}, but `linkedCollections` has {linked} entries"
    )]
    OutOfRange {
        list: &'static str,
        index: usize,
        collection_index: u32,
        linked: usize,
    },
}

/// A collection that documents are captured into.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionSpec {
    /// The collection's name.
    #[serde(default)]
    pub name: String,
    /// The schema that documents are written under.
    #[serde(
        alias = "write_schema",
        alias = "write_schema_json",
        alias = "writeSchemaJson"
    )]
    pub write_schema: Box<RawValue>,
    /// The schema that documents are read under; that of writing if absent.
    #[serde(
        default,
        alias = "read_schema",
        alias = "read_schema_json",
        alias = "readSchemaJson",
        skip_serializing_if = "Option::is_none"
    )]
    pub read_schema: Option<Box<RawValue>>,
    /// JSON pointers of the key.
    #[serde(default, deserialize_with = "read::list")]
    pub key: Vec<String>,
    /// Where documents carry their UUID: `/_meta/uuid`.
    #[serde(default, alias = "uuid_ptr", skip_serializing_if = "String::is_empty")]
    pub uuid_ptr: String,
    /// Projections that the collection is partitioned by.
    #[serde(
        default,
        deserialize_with = "read::list",
        alias = "partition_fields",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub partition_fields: Vec<String>,
    /// Named locations, sorted by `field`.
    #[serde(
        default,
        deserialize_with = "read::messages",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub projections: Vec<Projection>,
    /// Template of the documents that acknowledge a transaction.
    #[serde(
        default,
        alias = "ack_template",
        alias = "ack_template_json",
        alias = "ackTemplateJson",
        skip_serializing_if = "Option::is_none"
    )]
    pub ack_template: Option<Box<RawValue>>,
    /// Template of the journals of partitions.
    #[serde(
        default,
        alias = "partition_template",
        skip_serializing_if = "Option::is_none"
    )]
    pub partition_template: Option<Box<RawValue>>,
}

/// A named location of a collection's documents.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Projection {
    /// JSON pointer of the location; empty is the whole document.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ptr: String,
    /// Its name.
    #[serde(default)]
    pub field: String,
    /// Whether a user named it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub explicit: bool,
    /// Whether the collection is partitioned by it.
    #[serde(default, alias = "is_partition_key", skip_serializing_if = "is_false")]
    pub is_partition_key: bool,
    /// Whether it is part of the collection's key.
    #[serde(default, alias = "is_primary_key", skip_serializing_if = "is_false")]
    pub is_primary_key: bool,
    /// What is known of the location's values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<Box<RawValue>>,
}

/// A part of the key space, and of the clocks within a key. Both ends belong to it.
///
/// An absent end reads as the last one: writers leave out zeros, but no range ends at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RangeSpec {
    /// First key hash.
    #[serde(
        default,
        deserialize_with = "read::uint32",
        alias = "key_begin",
        skip_serializing_if = "is_zero"
    )]
    pub key_begin: u32,
    /// Last key hash.
    #[serde(default = "last", deserialize_with = "read::uint32", alias = "key_end")]
    pub key_end: u32,
    /// First rotated clock.
    #[serde(
        default,
        deserialize_with = "read::uint32",
        alias = "r_clock_begin",
        skip_serializing_if = "is_zero"
    )]
    pub r_clock_begin: u32,
    /// Last rotated clock.
    #[serde(
        default = "last",
        deserialize_with = "read::uint32",
        alias = "r_clock_end"
    )]
    pub r_clock_end: u32,
}

fn last() -> u32 {
    u32::MAX
}

impl RangeSpec {
    /// All keys and all clocks: what an unsharded capture covers.
    pub const fn full() -> Self {
        Self {
            key_begin: 0,
            key_end: u32::MAX,
            r_clock_begin: 0,
            r_clock_end: u32::MAX,
        }
    }
}

impl Default for RangeSpec {
    fn default() -> Self {
        Self::full()
    }
}
