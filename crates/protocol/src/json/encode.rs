//! Messages to lines.

use memchr::memchr2;
use serde::Serialize;

use super::captured::append_captured;
use crate::{Request, Response};

/// Appends the request as one line, with its line feed.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) {
    let name = request.kind().as_str();
    match request {
        Request::Spec(message) => line(name, message, out),
        Request::Discover(message) => line(name, message, out),
        Request::Validate(message) => line(name, message, out),
        Request::Apply(message) => line(name, message, out),
        Request::Open(message) => line(name, message, out),
        Request::Acknowledge(message) => line(name, message, out),
    }
}

/// Appends the response as one line, with its line feed.
pub fn encode_response(response: &Response<'_>, out: &mut Vec<u8>) {
    let name = response.kind().as_str();
    match response {
        Response::Spec(message) => line(name, message, out),
        Response::Discovered(message) => line(name, message, out),
        Response::Validated(message) => line(name, message, out),
        Response::Applied(message) => line(name, message, out),
        Response::Opened(message) => line(name, message, out),
        Response::Captured(message) => {
            append_captured(message.binding, message.doc.get().as_bytes(), out);
        }
        Response::Checkpoint(message) => line(name, message, out),
        Response::SourcedSchema(message) => line(name, message, out),
        Response::BackfillBegin(message) | Response::BackfillComplete(message) => {
            line(name, message, out);
        }
    }
}

fn line(name: &str, message: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    serde_json::to_writer(&mut *out, message)
        .expect("messages have string keys, and memory can be written to");
    keep_to_one_line(&mut out[start..]);
    out.extend_from_slice(b"}\n");
}

/// Replaces line breaks of JSON text by spaces. Raw ones occur between tokens only: in strings they
/// are escaped. So the text means what it did.
fn keep_to_one_line(mut text: &mut [u8]) {
    while let Some(at) = memchr2(b'\n', b'\r', text) {
        text[at] = b' ';
        text = &mut text[at + 1..];
    }
}
