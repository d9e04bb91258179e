//! What a connector is told about a capture: the specs that Flow would have built from the catalog.
//!
//! Peers check more than they use. Connectors in Go refuse a collection without a primary-key projection for
//! each part of its key, and a capture whose shard, journal and recovery-log templates do not hold; connectors
//! of the Python kit refuse an interval that is left out. So the templates here name journals that never exist.
//!
//! # Source
//! Flow's capture protocol: its messages, what its peers demand of them, and the two forms of `config`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use staunch_protocol::{
    RawValue,
    flow::{CaptureBinding, CaptureSpec, CollectionSpec, ConnectorType, Projection},
    request::{Validate, ValidateBinding},
    state_key,
};
use twox_hash::XxHash3_128;

use super::{Binding, Capture, Catalog, CatalogError, Collection, Endpoint, Hint};

/// Where documents carry their UUID, if nothing else is asked for.
const UUID_POINTER: &str = "/_meta/uuid";

/// Name of the projection of a whole document.
const DOCUMENT_FIELD: &str = "flow_document";

/// The capture as it is told in Apply and Open: `config` is the endpoint config alone.
///
/// `paths` are the resource paths of the connector's `Validated`, one per enabled binding, in order.
///
/// # Errors
/// [`CatalogError::BadResourcePath`] if the paths do not fit the bindings, or one is empty;
/// [`CatalogError::StateKeyCollision`] if two bindings would share one state, which paths can bring about
/// that differ (`["a/b"]` and `["a", "b"]`); [`CatalogError::UnknownCollection`] if `catalog` is not the one
/// that the capture is from.
pub fn capture_spec(
    capture: &Capture,
    catalog: &Catalog,
    paths: &[Vec<String>],
) -> Result<CaptureSpec, CatalogError> {
    if paths.len() != capture.bindings.len() {
        let reason = format!(
            "{} resource paths for {} bindings",
            paths.len(),
            capture.bindings.len()
        );
        return Err(CatalogError::BadResourcePath {
            capture: capture.name.clone(),
            reason,
        });
    }
    let mut bindings = Vec::with_capacity(paths.len());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, (binding, path)) in capture.bindings.iter().zip(paths).enumerate() {
        if path.is_empty() || path.iter().any(String::is_empty) {
            let reason =
                format!("the resource path of binding {index} is empty, or a part of it is");
            return Err(CatalogError::BadResourcePath {
                capture: capture.name.clone(),
                reason,
            });
        }
        let state_key = state_key(path, binding.backfill);
        if let Some(first) = seen.insert(state_key.clone(), index) {
            return Err(CatalogError::StateKeyCollision {
                capture: capture.name.clone(),
                state_key,
                first,
                second: index,
            });
        }
        bindings.push(CaptureBinding {
            resource_config: raw(&binding.resource),
            resource_path: path.clone(),
            collection: collection_spec(target(binding, catalog)?),
            backfill: binding.backfill,
            state_key,
        });
    }
    let shard = format!("capture/{}", capture.name);
    Ok(CaptureSpec {
        name: capture.name.clone(),
        connector_type: connector_type(capture),
        config: config(capture),
        bindings,
        // Left out when zero, and connectors demand it.
        interval_seconds: u32::try_from(capture.interval.as_secs())
            .unwrap_or(u32::MAX)
            .max(1),
        shard_template: Some(raw(&json!({
            "id": shard,
            "recoveryLogPrefix": "recovery",
            "hintPrefix": "/hints",
            "hintBackups": 1,
            "maxTxnDuration": "1s",
        }))),
        recovery_log_template: Some(raw(&journal(&format!("recovery/{shard}")))),
        ..CaptureSpec::default()
    })
}

/// The disabled bindings of a capture, as `CaptureSpec.inactiveBindings` tells them: their state is still there, and a
/// migration is about it too. One whose path or collection cannot be told is left out.
#[must_use]
pub fn inactive_bindings(
    capture: &Capture,
    catalog: &Catalog,
    path_pointers: &[String],
) -> Vec<CaptureBinding> {
    let inactive = |binding: &Binding| {
        let path = resource_path(path_pointers, &binding.resource).ok()?;
        Some(CaptureBinding {
            resource_config: raw(&binding.resource),
            collection: collection_spec(target(binding, catalog).ok()?),
            backfill: binding.backfill,
            state_key: state_key(&path, binding.backfill),
            resource_path: path,
        })
    };
    capture.disabled.iter().filter_map(inactive).collect()
}

/// The path of a resource, as the pointers of the connector's `Spec` find it in the resource config.
///
/// # Errors
/// The first pointer at which there is no part of a path.
pub fn resource_path<'p>(
    path_pointers: &'p [String],
    resource: &Value,
) -> Result<Vec<String>, &'p str> {
    let part = |pointer: &'p String| match resource.pointer(pointer) {
        Some(Value::String(part)) if !part.is_empty() => Ok(part.clone()),
        Some(Value::Number(part)) => Ok(part.to_string()),
        _ => Err(pointer.as_str()),
    };
    path_pointers.iter().map(part).collect()
}

/// A spec in the form in which it is kept, and told as the last one: `config` is the whole endpoint, but for digests in place
/// of what may be secret.
#[must_use]
pub fn stored_spec(spec: &CaptureSpec, capture: &Capture) -> CaptureSpec {
    CaptureSpec {
        config: wrapped_config(&capture.endpoint),
        ..spec.clone()
    }
}

/// Asks whether the enabled bindings can be captured. `last` is the capture as it was applied last
/// ([`stored_spec`]) and its version.
///
/// # Errors
/// [`CatalogError::UnknownCollection`] if `catalog` is not the one that the capture is from.
pub fn validate_request(
    capture: &Capture,
    catalog: &Catalog,
    last: Option<(CaptureSpec, String)>,
) -> Result<Validate, CatalogError> {
    let binding = |binding: &Binding| {
        Ok(ValidateBinding {
            resource_config: raw(&binding.resource),
            collection: collection_spec(target(binding, catalog)?),
            backfill: binding.backfill,
        })
    };
    let (last_capture, last_version) = last.unzip();
    Ok(Validate {
        name: capture.name.clone(),
        connector_type: connector_type(capture),
        config: config(capture),
        bindings: capture
            .bindings
            .iter()
            .map(binding)
            .collect::<Result<_, CatalogError>>()?,
        last_capture,
        last_version: last_version.unwrap_or_default(),
    })
}

/// A collection as connectors are told of it, always in full.
#[must_use]
pub fn collection_spec(collection: &Collection) -> CollectionSpec {
    CollectionSpec {
        name: collection.name.clone(),
        write_schema: raw(&collection.write_schema),
        read_schema: collection.read_schema.as_ref().map(raw),
        key: collection.key.clone(),
        uuid_ptr: UUID_POINTER.to_owned(),
        partition_fields: Vec::new(),
        projections: projections(&collection.key),
        ack_template: Some(raw(&json!({
            "_meta": { "ack": true, "uuid": "00000000-0000-1000-8000-000000000000" }
        }))),
        partition_template: Some(raw(&journal(&collection.name))),
    }
}

/// How the connector of the capture is started, in the protocol's words.
#[must_use]
pub fn connector_type(capture: &Capture) -> ConnectorType {
    match capture.endpoint {
        Endpoint::Local { .. } => ConnectorType::Local,
        Endpoint::Image { .. } => ConnectorType::Image,
    }
}

/// The endpoint config alone: what a connector sees as `config`.
#[must_use]
pub fn config(capture: &Capture) -> Box<RawValue> {
    RawValue::from_string(capture.endpoint.config().as_json().to_owned()).expect("a config is JSON")
}

/// One projection per part of the key, and that of the whole document; strictly sorted by field.
fn projections(key: &[String]) -> Vec<Projection> {
    let mut fields: BTreeMap<&str, (&str, bool)> = BTreeMap::from([(DOCUMENT_FIELD, ("", false))]);
    for pointer in key {
        let field = pointer
            .strip_prefix('/')
            .filter(|field| !field.is_empty())
            .unwrap_or(pointer);
        fields.insert(field, (pointer, true));
    }
    let projection = |(field, (pointer, is_primary_key)): (&str, (&str, bool))| Projection {
        ptr: pointer.to_owned(),
        field: field.to_owned(),
        is_primary_key,
        ..Projection::default()
    };
    fields.into_iter().map(projection).collect()
}

fn wrapped_config(endpoint: &Endpoint) -> Box<RawValue> {
    raw(&match endpoint {
        Endpoint::Local {
            command,
            config,
            env,
            protobuf,
            ..
        } => {
            let env: BTreeMap<_, _> = env
                .iter()
                .map(|(name, value)| (name, sealed(value)))
                .collect();
            json!({ "command": command, "config": sealed(config.as_json()), "env": env, "protobuf": protobuf })
        }
        Endpoint::Image { image, config } => {
            json!({ "image": image, "config": sealed(config.as_json()) })
        }
    })
}

/// What stands for a text that may hold secrets: it differs when the text does, and does not tell it.
fn sealed(text: &str) -> Value {
    json!({ "digest": format!("xxh3:{:032x}", XxHash3_128::oneshot(text.as_bytes())) })
}

fn target<'c>(binding: &Binding, catalog: &'c Catalog) -> Result<&'c Collection, CatalogError> {
    catalog
        .collections
        .get(&binding.target)
        .ok_or_else(|| CatalogError::UnknownCollection {
            at: Box::new(binding.location.clone()),
            name: binding.target.clone(),
            hint: Hint::none(),
        })
}

/// The least that peers accept as a journal.
fn journal(name: &str) -> Value {
    json!({
        "name": name,
        "replication": 1,
        "fragment": { "length": "1048576", "compressionCodec": "NONE", "refreshInterval": "300s" },
    })
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).expect("a value is JSON")
}

#[cfg(test)]
mod tests {
    use staunch_protocol::{
        Request,
        json::{decode_request, encode_request},
        request::Apply,
    };

    use super::*;
    use crate::catalog::tests::folder;

    fn catalog() -> Catalog {
        let dir = folder(&[(
            "flow.yaml",
            r#"
captures:
  acme/shop:
    endpoint: { local: { command: [c, -v], config: { token: t }, env: { A: b } } }
    interval: 0s
    bindings:
      - { resource: { stream: orders, limit: 5 }, target: acme/orders, backfill: 2 }
      - { resource: { stream: refunds }, target: acme/refunds }
      - { resource: { stream: old }, target: acme/none, disable: true }
collections:
  acme/orders: { schema: { type: object }, key: [/z, /a~1b, /a/c] }
  acme/refunds: { writeSchema: {}, readSchema: { title: read }, key: [/flow_document] }
"#,
        )]);
        Catalog::load(&dir.path().join("flow.yaml")).unwrap()
    }

    fn path(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    fn spec(catalog: &Catalog) -> CaptureSpec {
        capture_spec(
            &catalog.captures["acme/shop"],
            catalog,
            &[path(&["orders"]), path(&["a", "b"])],
        )
        .unwrap()
    }

    #[test]
    fn a_capture_is_told_as_peers_demand() {
        let catalog = catalog();
        let spec = spec(&catalog);
        assert_eq!(spec.interval_seconds, 1);
        assert_eq!(spec.connector_type, ConnectorType::Local);
        assert_eq!(spec.config.get(), r#"{"token":"t"}"#);
        let keys: Vec<_> = spec
            .bindings
            .iter()
            .map(|b| (b.state_key.as_str(), b.backfill, b.resource_config.get()))
            .collect();
        assert_eq!(
            keys,
            [
                ("orders.v2", 2, r#"{"limit":5,"stream":"orders"}"#),
                ("a%2Fb", 0, r#"{"stream":"refunds"}"#)
            ]
        );
        for binding in &spec.bindings {
            let collection = &binding.collection;
            assert_eq!(collection.uuid_ptr, "/_meta/uuid");
            assert!(
                collection
                    .projections
                    .windows(2)
                    .all(|pair| pair[0].field < pair[1].field)
            );
            assert!(
                collection
                    .projections
                    .iter()
                    .all(|projection| !projection.field.is_empty())
            );
            for pointer in &collection.key {
                assert!(
                    collection
                        .projections
                        .iter()
                        .any(|p| &p.ptr == pointer && p.is_primary_key),
                    "{pointer}"
                );
            }
        }
        insta::assert_snapshot!("spec", serde_json::to_string_pretty(&spec).unwrap());
    }

    #[test]
    fn what_is_told_survives_the_wire() {
        let catalog = catalog();
        let capture = &catalog.captures["acme/shop"];
        let spec = spec(&catalog);
        let stored = stored_spec(&spec, capture);
        let kept: Value = serde_json::from_str(stored.config.get()).unwrap();
        assert_eq!(kept["command"], json!(["c", "-v"]));
        for sealed in [&kept["config"], &kept["env"]["A"]] {
            assert!(
                sealed["digest"].as_str().unwrap().starts_with("xxh3:"),
                "{kept}"
            );
        }
        assert_ne!(kept["config"], kept["env"]["A"]);
        let validate =
            validate_request(capture, &catalog, Some((stored.clone(), "v1".into()))).unwrap();
        assert_eq!(validate.bindings.len(), 2);
        for request in [
            Request::Validate(validate),
            Request::Apply(Apply {
                capture: spec,
                version: "v2".into(),
                last_capture: Some(stored),
                last_version: "v1".into(),
                state: None,
            }),
        ] {
            let (mut line, mut again) = (Vec::new(), Vec::new());
            encode_request(&request, &mut line);
            encode_request(&decode_request(line.trim_ascii_end()).unwrap(), &mut again);
            assert_eq!(
                String::from_utf8(line).unwrap(),
                String::from_utf8(again).unwrap()
            );
        }
    }

    #[test]
    fn paths_that_do_not_fit_are_refused() {
        let catalog = catalog();
        let capture = &catalog.captures["acme/shop"];
        for (paths, message) in [
            (
                vec![path(&["a"])],
                "capture `acme/shop`: 1 resource paths for 2 bindings; this is a fault of its connector",
            ),
            (
                vec![path(&["a"]), path(&[])],
                "capture `acme/shop`: the resource path of binding 1 is empty, or a part of it is; this is a fault of its connector",
            ),
            (
                vec![path(&["a", ""]), path(&["b"])],
                "capture `acme/shop`: the resource path of binding 0 is empty, or a part of it is; this is a fault of its connector",
            ),
            (
                vec![path(&["t"]), path(&["t.v2"])],
                "bindings 0 and 1 of capture `acme/shop` have the state key `t.v2`; change the backfill counter or the resource of one of them",
            ),
        ] {
            assert_eq!(
                capture_spec(capture, &catalog, &paths)
                    .unwrap_err()
                    .to_string(),
                message
            );
        }
    }
}
