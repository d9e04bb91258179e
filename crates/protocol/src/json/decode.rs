//! Lines to messages.

use serde::Deserialize;
use serde_json::error::Category;
use std::fmt;

use super::place::path_at;
use crate::read::{self, Object};
use crate::{Request, Response, request, response};

/// Reads a request from a line. A line feed at its end may be there or not.
///
/// # Errors
/// [`DecodeError`], whose text has the words `malformed request`.
pub fn decode_request(line: &[u8]) -> Result<Request, DecodeError> {
    let what = Malformed::Request;
    let envelope: RequestEnvelope = parse(what, line)?;
    let set = [
        envelope.spec.map(Request::Spec),
        envelope.discover.map(Request::Discover),
        envelope.validate.map(Request::Validate),
        envelope.apply.map(Request::Apply),
        envelope.open.map(Request::Open),
        envelope.acknowledge.map(Request::Acknowledge),
    ];
    only(what, set)
}

/// Reads a response from a line. A line feed at its end may be there or not.
///
/// Documents, states and sourced schemas are borrowed from the line.
///
/// # Errors
/// [`DecodeError`], whose text has the words `malformed response`.
pub fn decode_response(line: &[u8]) -> Result<Response<'_>, DecodeError> {
    let what = Malformed::Response;
    let envelope: ResponseEnvelope<'_> = parse(what, line)?;
    let set = [
        envelope.spec.map(Response::Spec),
        envelope.discovered.map(Response::Discovered),
        envelope.validated.map(Response::Validated),
        envelope.applied.map(Response::Applied),
        envelope.opened.map(Response::Opened),
        envelope.captured.map(Response::Captured),
        envelope.checkpoint.map(Response::Checkpoint),
        envelope.sourced_schema.map(Response::SourcedSchema),
        envelope.backfill_begin.map(Response::BackfillBegin),
        envelope.backfill_complete.map(Response::BackfillComplete),
    ];
    only(what, set)
}

// Plain structs of options: serde's tagged and flattened forms buffer values, and so lose the text.
#[derive(Deserialize)]
#[serde(rename = "Request")]
struct RequestEnvelope {
    #[serde(default, deserialize_with = "read::message")]
    spec: Option<request::Spec>,
    #[serde(default, deserialize_with = "read::message")]
    discover: Option<request::Discover>,
    #[serde(default, deserialize_with = "read::message")]
    validate: Option<request::Validate>,
    #[serde(default, deserialize_with = "read::message")]
    apply: Option<request::Apply>,
    #[serde(default, deserialize_with = "read::message")]
    open: Option<request::Open>,
    #[serde(default, deserialize_with = "read::message")]
    acknowledge: Option<request::Acknowledge>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename = "Response")]
struct ResponseEnvelope<'a> {
    #[serde(default, deserialize_with = "read::message")]
    spec: Option<response::Spec>,
    #[serde(default, deserialize_with = "read::message")]
    discovered: Option<response::Discovered>,
    #[serde(default, deserialize_with = "read::message")]
    validated: Option<response::Validated>,
    #[serde(default, deserialize_with = "read::message")]
    applied: Option<response::Applied>,
    #[serde(default, deserialize_with = "read::message")]
    opened: Option<response::Opened>,
    #[serde(borrow, default, deserialize_with = "read::message")]
    captured: Option<response::Captured<'a>>,
    #[serde(borrow, default, deserialize_with = "read::message")]
    checkpoint: Option<response::Checkpoint<'a>>,
    #[serde(
        borrow,
        default,
        deserialize_with = "read::message",
        alias = "sourced_schema"
    )]
    sourced_schema: Option<response::SourcedSchema<'a>>,
    #[serde(default, deserialize_with = "read::message", alias = "backfill_begin")]
    backfill_begin: Option<response::BackfillMarker>,
    #[serde(
        default,
        deserialize_with = "read::message",
        alias = "backfill_complete"
    )]
    backfill_complete: Option<response::BackfillMarker>,
}

fn parse<'a, T: Deserialize<'a>>(what: Malformed, line: &'a [u8]) -> Result<T, DecodeError> {
    let text = std::str::from_utf8(line).map_err(|error| DecodeError::NotUtf8 {
        what,
        offset: error.valid_up_to(),
    })?;
    match serde_json::from_str::<Object<T>>(text) {
        Ok(object) => Ok(object.0),
        Err(error) => Err(DecodeError::of(what, text, &error)),
    }
}

fn only<T, const N: usize>(what: Malformed, set: [Option<T>; N]) -> Result<T, DecodeError> {
    let mut set = set.into_iter().flatten();
    let message = set.next().ok_or(DecodeError::NoKind { what })?;
    match set.count() {
        0 => Ok(message),
        more => Err(DecodeError::SeveralKinds {
            what,
            kinds: more + 1,
        }),
    }
}

/// What the line, or the frame, was to be. Displays as `malformed request` or `malformed response`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A message of the connector's input.
    Request,
    /// A message of the connector's output.
    Response,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "malformed request",
            Self::Response => "malformed response",
        })
    }
}

/// Why a line is not a message. Tells where, by the protocol's own names, and never what was there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The line is not UTF-8.
    #[error("{what}: not UTF-8 from byte {offset}; lines are JSON, in UTF-8")]
    NotUtf8 {
        /// What the line was to be.
        what: Malformed,
        /// Bytes of the line before the first wrong one.
        offset: usize,
    },
    /// The line is not JSON.
    #[error("{what}: not JSON at column {column}{}: {problem}; write one JSON object per line", within(.path))]
    NotJson {
        /// What the line was to be.
        what: Malformed,
        /// Where, in the protocol's names, as far as it can be told: `open.capture`.
        path: String,
        /// Where in the line, counted in bytes from one.
        column: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A member is missing, given twice, or not what it is to be.
    #[error("{what}{}: {problem} (column {column})", within(.path))]
    Shape {
        /// What the line was to be.
        what: Malformed,
        /// Where, in the protocol's names: `open.capture.bindings[3]`. Empty for the whole.
        path: String,
        /// Where in the line, counted in bytes from one.
        column: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// No message that is known is set.
    #[error("{what}: it has no member that is known; exactly one must be set")]
    NoKind {
        /// What the line was to be.
        what: Malformed,
    },
    /// Several messages are set.
    #[error("{what}: {kinds} messages in one line; exactly one must be set")]
    SeveralKinds {
        /// What the line was to be.
        what: Malformed,
        /// How many are set.
        kinds: usize,
    },
}

fn within(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(" in `{path}`")
    }
}

impl DecodeError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "protocol.not_utf8",
            Self::NotJson { .. } => "protocol.not_json",
            Self::Shape { .. } => "protocol.wrong_shape",
            Self::NoKind { .. } => "protocol.no_message",
            Self::SeveralKinds { .. } => "protocol.several_messages",
        }
    }

    fn of(what: Malformed, text: &str, error: &serde_json::Error) -> Self {
        let offset = offset_of(text, error.line(), error.column());
        let path = path_at(text, offset);
        let column = offset.max(1);
        let problem = problem(error);
        match error.classify() {
            Category::Data => Self::Shape {
                what,
                path,
                column,
                problem,
            },
            Category::Syntax | Category::Eof | Category::Io => Self::NotJson {
                what,
                path,
                column,
                problem,
            },
        }
    }
}

/// The parser's count of lines and columns as one offset: a line may be handed over with feeds in it.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (start + column).min(text.len())
}

/// What the parser says, without its place and without the value it found, which may be a secret.
pub(crate) fn problem(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(place) = text.rfind(" at line ") {
        text.truncate(place);
    }
    for cause in ["invalid type: ", "invalid value: "] {
        if let Some(found) = text.strip_prefix(cause) {
            // `string "hunter2", expected a boolean`: the kind, and what comes after the last mark.
            let kind: String = found
                .chars()
                .take_while(|c| c.is_ascii_alphabetic() || *c == ' ')
                .collect();
            let expected = found.rfind(", expected ").map_or("", |at| &found[at..]);
            return format!("{cause}{}{expected}", kind.trim_end());
        }
    }
    text
}
