//! What can be wrong with a frame, and with the message in it.

use crate::json::Malformed;

/// Why a frame is not a message. Tells where, by the protocol's own names, and never what was there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are not protobuf.
    #[error("{what}{}: it is not protobuf: {problem}", within(.path))]
    NotProto {
        /// What the frame was to be.
        what: Malformed,
        /// Where, in the protocol's names as far as they are known: `open.capture`. Empty for the whole.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A text is not UTF-8.
    #[error("{what}{}: it is not UTF-8", within(.path))]
    NotUtf8 {
        /// What the frame was to be.
        what: Malformed,
        /// Where, in the protocol's names.
        path: String,
    },
    /// A member that is JSON text is not JSON.
    #[error("{what}{}: it is not JSON: {problem}", within(.path))]
    NotJson {
        /// What the frame was to be.
        what: Malformed,
        /// Where, in the protocol's names.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A member is missing, or not what it is to be.
    #[error("{what}{}: {problem}", within(.path))]
    Shape {
        /// What the frame was to be.
        what: Malformed,
        /// Where, in the protocol's names.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No message that is known is set.
    #[error("{what}: it has no member that is known; exactly one must be set")]
    NoKind {
        /// What the frame was to be.
        what: Malformed,
    },
    /// Several messages are set.
    #[error("{what}: {kinds} messages in one frame; exactly one must be set")]
    SeveralKinds {
        /// What the frame was to be.
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
            Self::NotProto { .. } => "protocol.not_proto",
            Self::NotUtf8 { .. } => "protocol.not_utf8",
            Self::NotJson { .. } => "protocol.not_json",
            Self::Shape { .. } => "protocol.wrong_shape",
            Self::NoKind { .. } => "protocol.no_message",
            Self::SeveralKinds { .. } => "protocol.several_messages",
        }
    }
}

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame says that it is longer than the bound.
    #[error("a frame of {bytes} bytes is announced, and {limit} are the most; {}", remedy(*.is_text))]
    TooLong {
        /// What the frame says.
        bytes: u32,
        /// The bound, in bytes without the length before them.
        limit: usize,
        /// Whether what stands for the length is text, and so was no length.
        is_text: bool,
    },
    /// The stream ended inside a frame.
    #[error(
        "the stream ended {bytes} bytes into a frame; its writer stopped inside a message, or speaks another codec"
    )]
    Partial {
        /// Bytes of the unfinished frame, with the length before it.
        bytes: usize,
    },
    /// The stream could not be read.
    #[error("a frame could not be read")]
    Io(#[from] std::io::Error),
}

fn remedy(is_text: bool) -> &'static str {
    if is_text {
        "it begins with text: write nothing but frames here, and have both sides speak the same codec (FLOW_RUNTIME_CODEC)"
    } else {
        "send less in one message, and nothing but frames"
    }
}

impl FrameError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "protocol.frame_too_long",
            Self::Partial { .. } => "protocol.partial_frame",
            Self::Io(_) => "protocol.read_failed",
        }
    }
}

/// Why a message cannot be written. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// It is longer than any reader takes.
    #[error(
        "the message `{kind}` has {bytes} bytes, and {limit} are the most; send less in one message"
    )]
    TooLong {
        /// Which message it is.
        kind: &'static str,
        /// What it has.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// A member that is a message of its own in protobuf is not that message in JSON.
    #[error("`{path}` cannot be written as protobuf: {problem}")]
    Shape {
        /// Where, in the protocol's names.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl EncodeError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "protocol.message_too_long",
            Self::Shape { .. } => "protocol.wrong_shape",
        }
    }
}
