//! The fast way for documents: their envelope as bytes, with nothing parsed or copied.
//!
//! ```text
//! length  32 n  08 binding  12 m  document
//! u32 LE  └ captured: n bytes     └ doc: m bytes
//! ```

use super::error::EncodeError;
use super::wire::{put_head, put_length, put_number, take_varint, varint_len};
use crate::MAX_RESPONSE_BYTES;

/// Keys of the fields: a tag and the wire type of bytes, or of a number.
const CAPTURED: u8 = 6 << 3 | 2;
const BINDING: u8 = 1 << 3;
const DOC: u8 = 2 << 3 | 2;

/// Bytes left for each of the two lengths of a document that is being serialised: those of 128 to 16,383.
const ROOM: usize = 2;

/// Appends a document that is JSON text already, as one frame. That it is one JSON object is the caller's promise.
///
/// # Errors
/// [`EncodeError::TooLong`]; nothing is appended then.
#[inline]
pub fn append_captured(
    binding: u32,
    document: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let of_binding = match binding {
        0 => 0,
        _ => 1 + varint_len(u64::from(binding)),
    };
    let body = of_binding + 1 + varint_len(document.len() as u64) + document.len();
    let frame = 1 + varint_len(body as u64) + body;
    out.extend_from_slice(&frame_length(frame)?.to_le_bytes());
    put_head(6, body, out);
    put_number(1, u64::from(binding), out);
    put_head(2, document.len(), out);
    out.extend_from_slice(document);
    Ok(())
}

#[inline]
fn frame_length(bytes: usize) -> Result<u32, EncodeError> {
    match u32::try_from(bytes) {
        Ok(length) if bytes <= MAX_RESPONSE_BYTES => Ok(length),
        _ => Err(too_long(bytes)),
    }
}

#[cold]
fn too_long(bytes: usize) -> EncodeError {
    EncodeError::TooLong {
        kind: "captured",
        bytes,
        limit: MAX_RESPONSE_BYTES,
    }
}

/// Appends what comes before a document that is about to be serialised, with room for its lengths.
///
/// Two bytes are left for each, as most documents need; [`end_captured`] moves the others by one or two. Padding the lengths would
/// spare that, and protobuf allows it, but then every reader's tolerance would be relied on; so what is written is canonical.
#[inline]
pub fn begin_captured(binding: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0, 0, 0, CAPTURED, 0, 0]);
    put_number(1, u64::from(binding), out);
    out.extend_from_slice(&[DOC, 0, 0]);
}

/// Puts in the lengths of the document that was appended after [`begin_captured`], which was called when `out` had `start` bytes.
///
/// # Errors
/// [`EncodeError::TooLong`]; `out` then ends at `start`.
#[inline]
pub fn end_captured(binding: u32, start: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let inside = start + 4 + 1 + ROOM; // Behind the length of `captured`.
    let doc_length = match binding {
        0 => inside + 1,
        _ => inside + 1 + varint_len(u64::from(binding)) + 1,
    };
    let document = out.len() - doc_length - ROOM;
    put_length(doc_length, ROOM, document, out);
    let body = out.len() - inside;
    put_length(inside - ROOM, ROOM, body, out);
    match frame_length(out.len() - start - 4) {
        Ok(length) => {
            out[start..start + 4].copy_from_slice(&length.to_le_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// Takes the binding and the document out of a `captured` frame of the common form: no other field, in the order of their tags.
///
/// **The document is not checked.** If it parses as exactly one JSON value, then the frame is that message; if not, the frame may
/// be anything, and [`decode_response`](super::decode_response) tells what. `None` says nothing about the frame.
#[inline]
pub fn split_captured(frame: &[u8]) -> Option<(u32, &[u8])> {
    let body = whole(CAPTURED, frame)?;
    match body.split_first()? {
        (&BINDING, rest) => {
            let (binding, rest) = take_varint(rest).ok()?;
            Some((u32::try_from(binding).ok()?, whole(DOC, rest)?))
        }
        _ => Some((0, whole(DOC, body)?)),
    }
}

/// The bytes of a field that fills the rest of its message.
#[inline]
fn whole(key: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = take_varint(rest).ok()?;
    (*first == key && length == rest.len() as u64).then_some(rest)
}
