//! Captures, bindings, collections and ranges on the wire.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::embedded::{self, put_embedded};
use super::fault::{Fault, Within};
use super::message::{connector_type, number_of, raw, read_fields, required, set_raw, text};
use super::tables::{INFERENCE, JOURNAL_SPEC, Message, NETWORK_PORT, SHARD_SPEC};
use super::wire::{
    Wire, put_boolean, put_bytes, put_fixed32, put_message, put_number, put_text, put_texts,
};
use crate::flow::{CaptureBinding, CaptureSpec, CollectionSpec, Projection, RangeSpec};

/// A message that is JSON text here.
fn embedded_message(
    message: &'static Message,
    value: Wire<'_>,
) -> Result<Option<Box<RawValue>>, Fault> {
    embedded::decode(message, value.bytes()?).map(Some)
}

pub(super) fn capture(message: &[u8]) -> Result<CaptureSpec, Fault> {
    let mut this = CaptureSpec::default();
    let mut config = None;
    read_fields!(message, value;
        once {
            1 "name" => this.name, text(value);
            2 "connectorType" => this.connector_type, connector_type(value);
            3 "config" => config, raw(value);
            5 "intervalSeconds" => this.interval_seconds, value.uint32();
            6 "shardTemplate" => this.shard_template, embedded_message(&SHARD_SPEC, value);
            7 "recoveryLogTemplate" => this.recovery_log_template, embedded_message(&JOURNAL_SPEC, value);
            10 "redactSalt" => this.redact_salt, salt(value);
        }
        many {
            4 "bindings" => this.bindings, value.bytes().and_then(capture_binding);
            8 "networkPorts" => this.network_ports, value.bytes().and_then(|port| embedded::decode(&NETWORK_PORT, port));
            9 "inactiveBindings" => this.inactive_bindings, value.bytes().and_then(capture_binding);
        }
    );
    this.config = required(config, "config")?;
    Ok(this)
}

/// Bytes, and base64 in JSON.
fn salt(value: Wire<'_>) -> Result<Option<String>, Fault> {
    let bytes = value.bytes()?;
    Ok((!bytes.is_empty()).then(|| STANDARD.encode(bytes)))
}

pub(super) fn put_capture(this: &CaptureSpec, out: &mut Vec<u8>) -> Result<(), Fault> {
    put_text(1, &this.name, out);
    put_number(2, number_of(this.connector_type), out);
    put_bytes(3, this.config.get().as_bytes(), out);
    for (index, binding) in this.bindings.iter().enumerate() {
        put(4, out, |out| put_capture_binding(binding, out)).within_item("bindings", index)?;
    }
    put_number(5, u64::from(this.interval_seconds), out);
    if let Some(template) = &this.shard_template {
        put_embedded(6, &SHARD_SPEC, template, out).within("shardTemplate")?;
    }
    if let Some(template) = &this.recovery_log_template {
        put_embedded(7, &JOURNAL_SPEC, template, out).within("recoveryLogTemplate")?;
    }
    for (index, port) in this.network_ports.iter().enumerate() {
        put_embedded(8, &NETWORK_PORT, port, out).within_item("networkPorts", index)?;
    }
    for (index, binding) in this.inactive_bindings.iter().enumerate() {
        put(9, out, |out| put_capture_binding(binding, out))
            .within_item("inactiveBindings", index)?;
    }
    if let Some(salt) = &this.redact_salt {
        let bytes = STANDARD
            .decode(salt)
            .map_err(|_| Fault::shape("expected base64").within("redactSalt"))?;
        put_bytes(10, &bytes, out);
    }
    Ok(())
}

/// Appends a message that can fail to be written.
pub(super) fn put(
    tag: u32,
    out: &mut Vec<u8>,
    fields: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut outcome = Ok(());
    put_message(tag, out, |out| outcome = fields(out));
    outcome
}

fn capture_binding(message: &[u8]) -> Result<CaptureBinding, Fault> {
    let (mut resource_config, mut collection_spec) = (None, None);
    let (mut resource_path, mut backfill, mut state_key) = (Vec::new(), 0, String::new());
    read_fields!(message, value;
        once {
            1 "resourceConfig" => resource_config, raw(value);
            3 "collection" => collection_spec, value.bytes().and_then(collection).map(Some);
            4 "backfill" => backfill, value.uint32();
            5 "stateKey" => state_key, text(value);
        }
        many {
            2 "resourcePath" => resource_path, text(value);
        }
    );
    Ok(CaptureBinding {
        resource_config: required(resource_config, "resourceConfig")?,
        resource_path,
        collection: required(collection_spec, "collection")?,
        backfill,
        state_key,
    })
}

fn put_capture_binding(this: &CaptureBinding, out: &mut Vec<u8>) -> Result<(), Fault> {
    put_bytes(1, this.resource_config.get().as_bytes(), out);
    put_texts(2, &this.resource_path, out);
    put(3, out, |out| put_collection(&this.collection, out)).within("collection")?;
    put_number(4, u64::from(this.backfill), out);
    put_text(5, &this.state_key, out);
    Ok(())
}

pub(super) fn collection(message: &[u8]) -> Result<CollectionSpec, Fault> {
    let (mut name, mut uuid_ptr) = (String::new(), String::new());
    let (mut key, mut partition_fields, mut projections) = (Vec::new(), Vec::new(), Vec::new());
    let (mut write_schema, mut read_schema) = (None, None);
    let (mut ack_template, mut partition_template) = (None, None);
    read_fields!(message, value;
        once {
            1 "name" => name, text(value);
            4 "uuidPtr" => uuid_ptr, text(value);
            7 "ackTemplate" => ack_template, set_raw(value);
            8 "writeSchema" => write_schema, raw(value);
            9 "partitionTemplate" => partition_template, embedded_message(&JOURNAL_SPEC, value);
            11 "readSchema" => read_schema, set_raw(value);
        }
        many {
            3 "key" => key, text(value);
            5 "partitionFields" => partition_fields, text(value);
            6 "projections" => projections, value.bytes().and_then(projection);
        }
    );
    Ok(CollectionSpec {
        name,
        write_schema: required(write_schema, "writeSchema")?,
        read_schema,
        key,
        uuid_ptr,
        partition_fields,
        projections,
        ack_template,
        partition_template,
    })
}

pub(super) fn put_collection(this: &CollectionSpec, out: &mut Vec<u8>) -> Result<(), Fault> {
    put_text(1, &this.name, out);
    put_texts(3, &this.key, out);
    put_text(4, &this.uuid_ptr, out);
    put_texts(5, &this.partition_fields, out);
    for (index, projection) in this.projections.iter().enumerate() {
        put(6, out, |out| put_projection(projection, out)).within_item("projections", index)?;
    }
    if let Some(template) = &this.ack_template {
        put_bytes(7, template.get().as_bytes(), out);
    }
    put_bytes(8, this.write_schema.get().as_bytes(), out);
    if let Some(template) = &this.partition_template {
        put_embedded(9, &JOURNAL_SPEC, template, out).within("partitionTemplate")?;
    }
    if let Some(schema) = &this.read_schema {
        put_bytes(11, schema.get().as_bytes(), out);
    }
    Ok(())
}

fn projection(message: &[u8]) -> Result<Projection, Fault> {
    let mut this = Projection::default();
    read_fields!(message, value;
        once {
            1 "ptr" => this.ptr, text(value);
            2 "field" => this.field, text(value);
            3 "explicit" => this.explicit, value.boolean();
            4 "isPartitionKey" => this.is_partition_key, value.boolean();
            5 "isPrimaryKey" => this.is_primary_key, value.boolean();
            6 "inference" => this.inference, embedded_message(&INFERENCE, value);
        }
        many {}
    );
    Ok(this)
}

fn put_projection(this: &Projection, out: &mut Vec<u8>) -> Result<(), Fault> {
    put_text(1, &this.ptr, out);
    put_text(2, &this.field, out);
    put_boolean(3, this.explicit, out);
    put_boolean(4, this.is_partition_key, out);
    put_boolean(5, this.is_primary_key, out);
    match &this.inference {
        Some(inference) => put_embedded(6, &INFERENCE, inference, out).within("inference"),
        None => Ok(()),
    }
}

/// An end that is absent is the last one, as in JSON: no range ends at zero.
pub(super) fn range(message: &[u8]) -> Result<RangeSpec, Fault> {
    let mut this = RangeSpec::full();
    read_fields!(message, value;
        once {
            2 "keyBegin" => this.key_begin, value.fixed32();
            3 "keyEnd" => this.key_end, value.fixed32();
            4 "rClockBegin" => this.r_clock_begin, value.fixed32();
            5 "rClockEnd" => this.r_clock_end, value.fixed32();
        }
        many {}
    );
    Ok(this)
}

pub(super) fn put_range(this: &RangeSpec, out: &mut Vec<u8>) {
    if this.key_begin != 0 {
        put_fixed32(2, this.key_begin, out);
    }
    put_fixed32(3, this.key_end, out);
    if this.r_clock_begin != 0 {
        put_fixed32(4, this.r_clock_begin, out);
    }
    put_fixed32(5, this.r_clock_end, out);
}
