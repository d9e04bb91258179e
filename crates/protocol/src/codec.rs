//! Which of the two codecs a conversation is in, for those who speak either.

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use crate::json::{self, Lines};
use crate::proto::{self, EncodeError, Frames};
use crate::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, Request, Response};

/// How messages are written: both sides must use the same, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Codec {
    /// Newline JSON, of [`json`].
    #[default]
    Json,
    /// Protobuf frames, of [`proto`].
    Proto,
}

impl Codec {
    /// The variable of a connector's environment that says which codec it is to speak: `json` or `proto`.
    pub const VARIABLE: &'static str = "FLOW_RUNTIME_CODEC";

    /// Its name: `json` or `proto`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Proto => "proto",
        }
    }

    /// Appends a request.
    ///
    /// # Errors
    /// [`EncodeError`]; nothing is appended then.
    pub fn encode_request(self, request: &Request, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Json => {
                let start = out.len();
                json::encode_request(request, out);
                keep_to(MAX_REQUEST_BYTES, request.kind().as_str(), start, out)
            }
            Self::Proto => proto::encode_request(request, out),
        }
    }

    /// Appends a response.
    ///
    /// # Errors
    /// [`EncodeError`]; nothing is appended then.
    pub fn encode_response(
        self,
        response: &Response<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match self {
            Self::Json => {
                let start = out.len();
                json::encode_response(response, out);
                keep_to(MAX_RESPONSE_BYTES, response.kind().as_str(), start, out)
            }
            Self::Proto => proto::encode_response(response, out),
        }
    }

    /// Reads a request from a message that [`Messages`] lent.
    ///
    /// # Errors
    /// [`DecodeError`], whose text has the words `malformed request`.
    pub fn decode_request(self, message: &[u8]) -> Result<Request, DecodeError> {
        Ok(match self {
            Self::Json => json::decode_request(message)?,
            Self::Proto => proto::decode_request(message)?,
        })
    }

    /// Reads a response from a message that [`Messages`] lent. Documents, states and sourced schemas are borrowed from it.
    ///
    /// # Errors
    /// [`DecodeError`], whose text has the words `malformed response`.
    pub fn decode_response(self, message: &[u8]) -> Result<Response<'_>, DecodeError> {
        Ok(match self {
            Self::Json => json::decode_response(message)?,
            Self::Proto => proto::decode_response(message)?,
        })
    }

    /// Takes the binding and the document out of a `captured` message of the common form, without checking the document.
    ///
    /// If it parses as exactly one JSON value, then the message is that one; if not, [`decode_response`](Self::decode_response)
    /// tells what it is. `None` says nothing about the message.
    #[inline]
    pub fn split_captured(self, message: &[u8]) -> Option<(u32, &[u8])> {
        match self {
            Self::Json => json::split_captured(message),
            Self::Proto => proto::split_captured(message),
        }
    }

    /// Appends a document that is JSON text already. That it is one JSON object is the caller's promise.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`]; nothing is appended then.
    #[inline]
    pub fn append_captured(
        self,
        binding: u32,
        document: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match self {
            Self::Json => {
                let start = out.len();
                json::append_captured(binding, document, out);
                keep_to(MAX_RESPONSE_BYTES, CAPTURED, start, out)
            }
            Self::Proto => proto::append_captured(binding, document, out),
        }
    }

    /// Appends what comes before a document. Its JSON text comes next, on one line, and then [`Begun::end`].
    #[inline]
    pub fn begin_captured(self, binding: u32, out: &mut Vec<u8>) -> Begun {
        let start = out.len();
        match self {
            Self::Json => json::begin_captured(binding, out),
            Self::Proto => proto::begin_captured(binding, out),
        }
        Begun {
            codec: self,
            binding,
            start,
            document: out.len(),
        }
    }
}

const CAPTURED: &str = "captured";

/// A `captured` message whose document is being serialised.
#[derive(Debug, Clone, Copy)]
#[must_use = "what was begun must be ended, or undone"]
pub struct Begun {
    codec: Codec,
    binding: u32,
    start: usize,
    document: usize,
}

impl Begun {
    /// Where the document begins.
    #[inline]
    pub fn document(&self) -> usize {
        self.document
    }

    /// Ends the message behind its document, which is all that was appended since.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`]; nothing of the message is left then.
    #[inline]
    pub fn end(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self.codec {
            Codec::Json => {
                json::end_captured(out);
                keep_to(MAX_RESPONSE_BYTES, CAPTURED, self.start, out)
            }
            Codec::Proto => proto::end_captured(self.binding, self.start, out),
        }
    }

    /// Takes the message back, however much of its document was appended.
    #[inline]
    pub fn undo(self, out: &mut Vec<u8>) {
        out.truncate(self.start);
    }
}

/// Holds the line that begins at `start` to the bound, which does not count its line feed.
#[inline]
fn keep_to(
    limit: usize,
    kind: &'static str,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    if out.len() - start - 1 <= limit {
        return Ok(());
    }
    Err(take_back(limit, kind, start, out))
}

/// Apart, so that the documents that fit do not pay for it.
#[cold]
fn take_back(limit: usize, kind: &'static str, start: usize, out: &mut Vec<u8>) -> EncodeError {
    let bytes = out.len() - start - 1;
    out.truncate(start);
    EncodeError::TooLong { kind, bytes, limit }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The codec has a name that is neither `json` nor `proto`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no codec of the capture protocol; it is `json` or `proto`")]
pub struct UnknownCodec {
    /// The name.
    pub found: String,
}

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        match name {
            "json" => Ok(Self::Json),
            "proto" => Ok(Self::Proto),
            _ => Err(UnknownCodec {
                found: name.to_owned(),
            }),
        }
    }
}

/// Messages out of a stream, lent one at a time: lines or frames.
#[derive(Debug)]
pub enum Messages<R> {
    /// Newline JSON.
    Json(Lines<R>),
    /// Protobuf.
    Proto(Frames<R>),
}

impl<R: Read> Messages<R> {
    /// What a connector says.
    pub fn responses(codec: Codec, output: R) -> Self {
        match codec {
            Codec::Json => Self::Json(Lines::new(output, MAX_RESPONSE_BYTES)),
            Codec::Proto => Self::Proto(Frames::new(output, MAX_RESPONSE_BYTES)),
        }
    }

    /// What a runtime says. A last line may lack its line feed, as connectors accept.
    pub fn requests(codec: Codec, input: R) -> Self {
        match codec {
            Codec::Json => Self::Json(Lines::new(input, MAX_REQUEST_BYTES).accept_unterminated()),
            Codec::Proto => Self::Proto(Frames::new(input, MAX_REQUEST_BYTES)),
        }
    }

    /// Which codec they are in.
    pub fn codec(&self) -> Codec {
        match self {
            Self::Json(_) => Codec::Json,
            Self::Proto(_) => Codec::Proto,
        }
    }

    /// The next message, or `None` at the end of the stream. Blocks until there is one.
    ///
    /// # Errors
    /// [`FrameError`], and again at every later call.
    #[inline]
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, FrameError> {
        Ok(match self {
            Self::Json(lines) => lines.next_line()?,
            Self::Proto(frames) => frames.next_frame()?,
        })
    }
}

/// Why a line or a frame is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each is the error of the codec of the same name"
)]
pub enum DecodeError {
    #[error(transparent)]
    Json(#[from] json::DecodeError),
    #[error(transparent)]
    Proto(#[from] proto::DecodeError),
}

impl DecodeError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.code(),
            Self::Proto(error) => error.code(),
        }
    }
}

/// Why there is no next line or frame.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each is the error of the codec of the same name"
)]
pub enum FrameError {
    #[error(transparent)]
    Json(#[from] json::FrameError),
    #[error(transparent)]
    Proto(#[from] proto::FrameError),
}

impl FrameError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.code(),
            Self::Proto(error) => error.code(),
        }
    }

    /// Whether the stream ended inside a message.
    pub fn is_partial(&self) -> bool {
        matches!(
            self,
            Self::Json(json::FrameError::Partial { .. })
                | Self::Proto(proto::FrameError::Partial { .. })
        )
    }
}
