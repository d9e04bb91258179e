//! The protobuf codec: frames of a length and one message.
//!
//! ```text
//! 08 00 00 00  0a 06 08 07 12 02 7b 7d                  request `spec`, 8 bytes: type IMAGE, config `{}`
//! 0d 00 00 00  32 0b 08 03 12 07 7b 22 61 22 3a 31 7d   response `captured`, 13 bytes: binding 3, doc `{"a":1}`
//! └ u32, LE    └ fields: tag and wire type, value
//! ```
//!
//! Written: canonical protobuf, fields in the order of their tags, defaults left out. Read: any order, padded numbers, tags that are
//! not known stepped over; a member that is not a list and comes twice is refused, as in JSON. Tags that are not certain are
//! neither written nor read.
//!
//! The wire is read and written by hand (`wire`), not by a library: a document is lent by the frame that it came in, and appended
//! to the buffer that it leaves from, and the messages are those of the JSON codec, whose members are JSON text. Generated types
//! would be a second set of all messages, and copy every document. `prost` judges this in the tests.
//!
//! Members that are JSON text are checked to be JSON when they are read, once. Some members are messages in protobuf and JSON text
//! here (templates, inferences, OAuth2 settings, ports): `tables` says what is in them.

mod captured;
mod embedded;
mod error;
mod fault;
mod flow;
mod frames;
mod message;
mod request;
mod response;
pub(crate) mod tables;
mod wire;

use std::ops::RangeInclusive;

pub use captured::{append_captured, begin_captured, end_captured, split_captured};
pub use error::{DecodeError, EncodeError, FrameError};
pub use frames::Frames;
pub use request::{decode_request, encode_request};
pub use response::{decode_response, encode_response};

use crate::json::Malformed;
use wire::Fields;

/// The one message of an envelope that is set, and its tag.
fn only(
    what: Malformed,
    frame: &[u8],
    known: RangeInclusive<u32>,
) -> Result<(u32, &[u8]), DecodeError> {
    let (mut first, mut kinds) = (None, 0);
    let mut fields = Fields::new(frame, &[]);
    while let Some((tag, value)) = fields.next().map_err(|fault| fault.of(what))? {
        if known.contains(&tag) {
            let body = value.bytes().map_err(|fault| fault.at_tag(tag).of(what))?;
            first.get_or_insert((tag, body));
            kinds += 1;
        }
    }
    match (first, kinds) {
        (Some(message), 1) => Ok(message),
        (None, _) => Err(DecodeError::NoKind { what }),
        (Some(_), kinds) => Err(DecodeError::SeveralKinds { what, kinds }),
    }
}

#[cfg(test)]
mod tests;
