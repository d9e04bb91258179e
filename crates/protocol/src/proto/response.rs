//! Responses on the wire.

use super::captured::append_captured;
use super::embedded::{self, put_embedded};
use super::error::{DecodeError, EncodeError};
use super::fault::{Fault, Within};
use super::flow::put;
use super::frames;
use super::message::{lent, raw, read_fields, required, text};
use super::tables::OAUTH2;
use super::wire::{
    put_boolean, put_bytes, put_head, put_message, put_number, put_text, put_texts, varint_len,
};
use crate::json::Malformed;
use crate::{MAX_RESPONSE_BYTES, Response, response};

/// Reads a response from a frame, without the length before it.
///
/// Documents, states and sourced schemas are borrowed from the frame.
///
/// # Errors
/// [`DecodeError`], whose text has the words `malformed response`.
pub fn decode_response(frame: &[u8]) -> Result<Response<'_>, DecodeError> {
    let what = Malformed::Response;
    let (tag, body) = super::only(what, frame, 1..=10)?;
    let response = match tag {
        1 => spec(body).map(Response::Spec).within("spec"),
        2 => discovered(body)
            .map(Response::Discovered)
            .within("discovered"),
        3 => validated(body).map(Response::Validated).within("validated"),
        4 => applied(body).map(Response::Applied).within("applied"),
        5 => opened(body).map(Response::Opened).within("opened"),
        6 => captured(body).map(Response::Captured).within("captured"),
        7 => checkpoint(body)
            .map(Response::Checkpoint)
            .within("checkpoint"),
        8 => sourced_schema(body)
            .map(Response::SourcedSchema)
            .within("sourcedSchema"),
        9 => marker(body)
            .map(Response::BackfillBegin)
            .within("backfillBegin"),
        _ => marker(body)
            .map(Response::BackfillComplete)
            .within("backfillComplete"),
    };
    response.map_err(|fault| fault.of(what))
}

/// Appends the response as one frame, its length first.
///
/// # Errors
/// [`EncodeError`]; nothing is appended then.
pub fn encode_response(response: &Response<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if let Response::Captured(message) = response {
        return append_captured(message.binding, message.doc.get().as_bytes(), out);
    }
    frames::frame(response.kind().as_str(), MAX_RESPONSE_BYTES, out, |out| {
        match response {
            Response::Spec(message) => return put(1, out, |out| put_spec(message, out)),
            Response::Discovered(message) => put_message(2, out, |out| {
                for binding in &message.bindings {
                    put_message(1, out, |out| put_discovered_binding(binding, out));
                }
            }),
            Response::Validated(message) => put_message(3, out, |out| {
                for binding in &message.bindings {
                    put_message(1, out, |out| put_texts(1, &binding.resource_path, out));
                }
            }),
            Response::Applied(message) => put_message(4, out, |out| {
                put_text(1, &message.action_description, out);
                if let Some(state) = &message.state {
                    put_state(2, &state.as_state(), out);
                }
            }),
            Response::Opened(message) => put_message(5, out, |out| {
                put_boolean(1, message.explicit_acknowledgements, out);
            }),
            Response::Captured(_) => unreachable!("it was written above"),
            Response::Checkpoint(message) => match &message.state {
                Some(state) => {
                    let length = state_len(state);
                    put_head(7, 1 + varint_len(length as u64) + length, out);
                    put_state(1, state, out);
                }
                None => put_head(7, 0, out),
            },
            Response::SourcedSchema(message) => put_message(8, out, |out| {
                put_number(1, u64::from(message.binding), out);
                put_bytes(2, message.document_schema.get().as_bytes(), out);
            }),
            Response::BackfillBegin(message) => put_message(9, out, |out| {
                put_number(1, u64::from(message.binding), out);
            }),
            Response::BackfillComplete(message) => put_message(10, out, |out| {
                put_number(1, u64::from(message.binding), out);
            }),
        }
        Ok(())
    })
}

fn spec(message: &[u8]) -> Result<response::Spec, Fault> {
    let (mut protocol, mut documentation_url, mut oauth2) = (0, String::new(), None);
    let (mut config_schema, mut resource_config_schema) = (None, None);
    let mut resource_path_pointers = Vec::new();
    read_fields!(message, value;
        once {
            1 "protocol" => protocol, value.uint32();
            2 "configSchema" => config_schema, raw(value);
            3 "resourceConfigSchema" => resource_config_schema, raw(value);
            4 "documentationUrl" => documentation_url, text(value);
            5 "oauth2" => oauth2, value.bytes().and_then(|oauth2| embedded::decode(&OAUTH2, oauth2)).map(Some);
        }
        many {
            6 "resourcePathPointers" => resource_path_pointers, text(value);
        }
    );
    Ok(response::Spec {
        protocol,
        config_schema: required(config_schema, "configSchema")?,
        resource_config_schema: required(resource_config_schema, "resourceConfigSchema")?,
        documentation_url,
        oauth2,
        resource_path_pointers,
    })
}

fn put_spec(this: &response::Spec, out: &mut Vec<u8>) -> Result<(), Fault> {
    put_number(1, u64::from(this.protocol), out);
    put_bytes(2, this.config_schema.get().as_bytes(), out);
    put_bytes(3, this.resource_config_schema.get().as_bytes(), out);
    put_text(4, &this.documentation_url, out);
    if let Some(oauth2) = &this.oauth2 {
        put_embedded(5, &OAUTH2, oauth2, out).within("oauth2")?;
    }
    put_texts(6, &this.resource_path_pointers, out);
    Ok(())
}

fn discovered(message: &[u8]) -> Result<response::Discovered, Fault> {
    let mut this = response::Discovered::default();
    read_fields!(message, value;
        once {}
        many {
            1 "bindings" => this.bindings, value.bytes().and_then(discovered_binding);
        }
    );
    Ok(this)
}

fn discovered_binding(message: &[u8]) -> Result<response::DiscoveredBinding, Fault> {
    let (mut recommended_name, mut disable, mut is_fallback_key) = (String::new(), false, false);
    let (mut resource_config, mut document_schema) = (None, None);
    let (mut key, mut resource_path) = (Vec::new(), Vec::new());
    read_fields!(message, value;
        once {
            1 "recommendedName" => recommended_name, text(value);
            2 "resourceConfig" => resource_config, raw(value);
            3 "documentSchema" => document_schema, raw(value);
            5 "disable" => disable, value.boolean();
            7 "isFallbackKey" => is_fallback_key, value.boolean();
        }
        many {
            4 "key" => key, text(value);
            6 "resourcePath" => resource_path, text(value);
        }
    );
    Ok(response::DiscoveredBinding {
        recommended_name, // An empty one is absent on this wire: it cannot be asked for here.
        resource_config: required(resource_config, "resourceConfig")?,
        document_schema: required(document_schema, "documentSchema")?,
        key,
        disable,
        resource_path,
        is_fallback_key,
    })
}

fn put_discovered_binding(this: &response::DiscoveredBinding, out: &mut Vec<u8>) {
    put_text(1, &this.recommended_name, out);
    put_bytes(2, this.resource_config.get().as_bytes(), out);
    put_bytes(3, this.document_schema.get().as_bytes(), out);
    put_texts(4, &this.key, out);
    put_boolean(5, this.disable, out);
    put_texts(6, &this.resource_path, out);
    put_boolean(7, this.is_fallback_key, out);
}

fn validated(message: &[u8]) -> Result<response::Validated, Fault> {
    let mut this = response::Validated::default();
    read_fields!(message, value;
        once {}
        many {
            1 "bindings" => this.bindings, value.bytes().and_then(validated_binding);
        }
    );
    Ok(this)
}

fn validated_binding(message: &[u8]) -> Result<response::ValidatedBinding, Fault> {
    let mut this = response::ValidatedBinding::default();
    read_fields!(message, value;
        once {}
        many {
            1 "resourcePath" => this.resource_path, text(value);
        }
    );
    Ok(this)
}

fn applied(message: &[u8]) -> Result<response::Applied, Fault> {
    let mut this = response::Applied::default();
    let mut of_state = None;
    read_fields!(message, value;
        once {
            1 "actionDescription" => this.action_description, text(value);
            2 "state" => of_state, value.bytes().and_then(state).map(Some);
        }
        many {}
    );
    this.state = of_state.map(|state| state.to_owned_state());
    Ok(this)
}

fn opened(message: &[u8]) -> Result<response::Opened, Fault> {
    let mut this = response::Opened::default();
    read_fields!(message, value;
        once {
            1 "explicitAcknowledgements" => this.explicit_acknowledgements, value.boolean();
        }
        many {}
    );
    Ok(this)
}

fn captured(message: &[u8]) -> Result<response::Captured<'_>, Fault> {
    let (mut binding, mut doc) = (0, None);
    read_fields!(message, value;
        once {
            1 "binding" => binding, value.uint32();
            2 "doc" => doc, lent(value);
        }
        many {}
    );
    Ok(response::Captured {
        binding,
        doc: required(doc, "doc")?,
    })
}

fn checkpoint(message: &[u8]) -> Result<response::Checkpoint<'_>, Fault> {
    let mut this = response::Checkpoint::default();
    read_fields!(message, value;
        once {
            1 "state" => this.state, value.bytes().and_then(state).map(Some);
        }
        many {}
    );
    Ok(this)
}

fn state(message: &[u8]) -> Result<response::ConnectorState<'_>, Fault> {
    let (mut updated, mut merge_patch) = (None, false);
    read_fields!(message, value;
        once {
            1 "updated" => updated, lent(value);
            2 "mergePatch" => merge_patch, value.boolean();
        }
        many {}
    );
    Ok(response::ConnectorState {
        updated: required(updated, "updated")?,
        merge_patch,
    })
}

/// A state may be large: its length is told beforehand rather than put in front of it afterwards.
fn state_len(this: &response::ConnectorState<'_>) -> usize {
    let updated = this.updated.get().len();
    1 + varint_len(updated as u64) + updated + if this.merge_patch { 2 } else { 0 }
}

fn put_state(tag: u32, this: &response::ConnectorState<'_>, out: &mut Vec<u8>) {
    put_head(tag, state_len(this), out);
    put_bytes(1, this.updated.get().as_bytes(), out);
    put_boolean(2, this.merge_patch, out);
}

fn sourced_schema(message: &[u8]) -> Result<response::SourcedSchema<'_>, Fault> {
    let (mut binding, mut schema) = (0, None);
    read_fields!(message, value;
        once {
            1 "binding" => binding, value.uint32();
            2 "documentSchema" => schema, lent(value);
        }
        many {}
    );
    Ok(response::SourcedSchema {
        binding,
        document_schema: required(schema, "documentSchema")?,
    })
}

fn marker(message: &[u8]) -> Result<response::BackfillMarker, Fault> {
    let mut this = response::BackfillMarker::default();
    read_fields!(message, value;
        once {
            1 "binding" => this.binding, value.uint32();
        }
        many {}
    );
    Ok(this)
}
