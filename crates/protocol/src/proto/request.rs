//! Requests on the wire.

use super::error::{DecodeError, EncodeError};
use super::fault::{Fault, Within};
use super::flow::{capture, collection, put, put_capture, put_collection, put_range, range};
use super::frames;
use super::message::{connector_type, number_of, raw, read_fields, required, set_raw, text};
use super::wire::{put_bytes, put_message, put_number, put_text};
use crate::flow::{CaptureSpec, RangeSpec};
use crate::json::Malformed;
use crate::write::empty_object;
use crate::{MAX_REQUEST_BYTES, Request, request};

/// Reads a request from a frame, without the length before it.
///
/// # Errors
/// [`DecodeError`], whose text has the words `malformed request`.
pub fn decode_request(frame: &[u8]) -> Result<Request, DecodeError> {
    let what = Malformed::Request;
    let (tag, body) = super::only(what, frame, 1..=6)?;
    let request = match tag {
        1 => spec(body).map(Request::Spec).within("spec"),
        2 => discover(body).map(Request::Discover).within("discover"),
        3 => validate(body).map(Request::Validate).within("validate"),
        4 => apply(body).map(Request::Apply).within("apply"),
        5 => open(body).map(Request::Open).within("open"),
        _ => acknowledge(body)
            .map(Request::Acknowledge)
            .within("acknowledge"),
    };
    request.map_err(|fault| fault.of(what))
}

/// Appends the request as one frame, its length first.
///
/// # Errors
/// [`EncodeError`]; nothing is appended then.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    frames::frame(
        request.kind().as_str(),
        MAX_REQUEST_BYTES,
        out,
        |out| match request {
            Request::Spec(message) => {
                put_message(1, out, |out| put_spec(message, out));
                Ok(())
            }
            Request::Discover(message) => {
                put_message(2, out, |out| put_discover(message, out));
                Ok(())
            }
            Request::Validate(message) => put(3, out, |out| put_validate(message, out)),
            Request::Apply(message) => put(4, out, |out| put_apply(message, out)),
            Request::Open(message) => put(5, out, |out| put_open(message, out)),
            Request::Acknowledge(message) => {
                put_message(6, out, |out| {
                    put_number(1, u64::from(message.checkpoints), out);
                });
                Ok(())
            }
        },
    )
}

fn spec(message: &[u8]) -> Result<request::Spec, Fault> {
    let mut this = request::Spec::default();
    let mut config = None;
    read_fields!(message, value;
        once {
            1 "connectorType" => this.connector_type, connector_type(value);
            2 "config" => config, raw(value);
        }
        many {}
    );
    this.config = config.unwrap_or_else(empty_object);
    Ok(this)
}

fn put_spec(this: &request::Spec, out: &mut Vec<u8>) {
    put_number(1, number_of(this.connector_type), out);
    put_bytes(2, this.config.get().as_bytes(), out);
}

fn discover(message: &[u8]) -> Result<request::Discover, Fault> {
    let (mut of_type, mut config, mut name) = (Default::default(), None, String::new());
    read_fields!(message, value;
        once {
            1 "connectorType" => of_type, connector_type(value);
            2 "config" => config, raw(value);
            3 "name" => name, text(value);
        }
        many {}
    );
    Ok(request::Discover {
        connector_type: of_type,
        config: required(config, "config")?,
        name,
    })
}

fn put_discover(this: &request::Discover, out: &mut Vec<u8>) {
    put_number(1, number_of(this.connector_type), out);
    put_bytes(2, this.config.get().as_bytes(), out);
    put_text(3, &this.name, out);
}

fn validate(message: &[u8]) -> Result<request::Validate, Fault> {
    let (mut name, mut of_type, mut config) = (String::new(), Default::default(), None);
    let (mut bindings, mut last_capture, mut last_version) = (Vec::new(), None, String::new());
    read_fields!(message, value;
        once {
            1 "name" => name, text(value);
            2 "connectorType" => of_type, connector_type(value);
            3 "config" => config, raw(value);
            5 "lastCapture" => last_capture, value.bytes().and_then(capture).map(Some);
            6 "lastVersion" => last_version, text(value);
        }
        many {
            4 "bindings" => bindings, value.bytes().and_then(validate_binding);
        }
    );
    Ok(request::Validate {
        name,
        connector_type: of_type,
        config: required(config, "config")?,
        bindings,
        last_capture,
        last_version,
    })
}

fn put_validate(this: &request::Validate, out: &mut Vec<u8>) -> Result<(), Fault> {
    put_text(1, &this.name, out);
    put_number(2, number_of(this.connector_type), out);
    put_bytes(3, this.config.get().as_bytes(), out);
    for (index, binding) in this.bindings.iter().enumerate() {
        put(4, out, |out| put_validate_binding(binding, out)).within_item("bindings", index)?;
    }
    put_last(5, 6, this.last_capture.as_ref(), &this.last_version, out)
}

/// What was applied last, if anything was.
fn put_last(
    capture_tag: u32,
    version_tag: u32,
    capture: Option<&CaptureSpec>,
    version: &str,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    if let Some(capture) = capture {
        put(capture_tag, out, |out| put_capture(capture, out)).within("lastCapture")?;
    }
    put_text(version_tag, version, out);
    Ok(())
}

fn validate_binding(message: &[u8]) -> Result<request::ValidateBinding, Fault> {
    let (mut resource_config, mut collection_spec, mut backfill) = (None, None, 0);
    read_fields!(message, value;
        once {
            1 "resourceConfig" => resource_config, raw(value);
            2 "collection" => collection_spec, value.bytes().and_then(collection).map(Some);
            3 "backfill" => backfill, value.uint32();
        }
        many {}
    );
    Ok(request::ValidateBinding {
        resource_config: required(resource_config, "resourceConfig")?,
        collection: required(collection_spec, "collection")?,
        backfill,
    })
}

fn put_validate_binding(this: &request::ValidateBinding, out: &mut Vec<u8>) -> Result<(), Fault> {
    put_bytes(1, this.resource_config.get().as_bytes(), out);
    put(2, out, |out| put_collection(&this.collection, out)).within("collection")?;
    put_number(3, u64::from(this.backfill), out);
    Ok(())
}

// The tag of Apply's `state` is not certain: it is neither written nor read, as by older runtimes.
fn apply(message: &[u8]) -> Result<request::Apply, Fault> {
    let (mut of_capture, mut version) = (CaptureSpec::default(), String::new());
    let (mut last_capture, mut last_version) = (None, String::new());
    read_fields!(message, value;
        once {
            1 "capture" => of_capture, value.bytes().and_then(capture);
            2 "version" => version, text(value);
            4 "lastCapture" => last_capture, value.bytes().and_then(capture).map(Some);
            5 "lastVersion" => last_version, text(value);
        }
        many {}
    );
    Ok(request::Apply {
        capture: of_capture,
        version,
        last_capture,
        last_version,
        state: None,
    })
}

fn put_apply(this: &request::Apply, out: &mut Vec<u8>) -> Result<(), Fault> {
    put(1, out, |out| put_capture(&this.capture, out)).within("capture")?;
    put_text(2, &this.version, out);
    put_last(4, 5, this.last_capture.as_ref(), &this.last_version, out)
}

fn open(message: &[u8]) -> Result<request::Open, Fault> {
    let (mut of_capture, mut version) = (CaptureSpec::default(), String::new());
    let (mut of_range, mut state) = (RangeSpec::full(), None);
    read_fields!(message, value;
        once {
            1 "capture" => of_capture, value.bytes().and_then(capture);
            2 "version" => version, text(value);
            3 "range" => of_range, value.bytes().and_then(range);
            4 "state" => state, set_raw(value);
        }
        many {}
    );
    Ok(request::Open {
        capture: of_capture,
        version,
        range: of_range,
        state: state.unwrap_or_else(empty_object),
    })
}

fn put_open(this: &request::Open, out: &mut Vec<u8>) -> Result<(), Fault> {
    put(1, out, |out| put_capture(&this.capture, out)).within("capture")?;
    put_text(2, &this.version, out);
    put_message(3, out, |out| put_range(&this.range, out));
    put_bytes(4, this.state.get().as_bytes(), out);
    Ok(())
}

fn acknowledge(message: &[u8]) -> Result<request::Acknowledge, Fault> {
    let mut this = request::Acknowledge { checkpoints: 0 };
    read_fields!(message, value;
        once {
            1 "checkpoints" => this.checkpoints, value.uint32();
        }
        many {}
    );
    Ok(this)
}
