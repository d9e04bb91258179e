//! What can go wrong with a run, each with its stable code and what it means for the command's exit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use staunch_protocol::json::excerpt;
use staunch_protocol::lifecycle::ProtocolError;
use staunch_protocol::{Codec, DecodeError, EncodeError, FrameError};

use crate::catalog::CatalogError;
use crate::files::FilesError;
use crate::schema::SchemaError;
use crate::store::StoreError;

/// A connector did not do what the protocol asks of it, or could not be run at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// The program is not there.
    #[error("connector `{program}` was not found from {}; check `command`, or build the connector first", dir.display())]
    NotFound {
        /// The program.
        program: String,
        /// From where it was looked for.
        dir: PathBuf,
    },
    /// The program cannot be run.
    #[error("connector `{program}` cannot be started; check that it is an executable file")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The program cannot be spoken to.
    #[error("connector `{program}`: {action} failed")]
    Io {
        /// The program.
        program: String,
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended with a failure.
    #[error("connector `{program}` {how}{}", said.as_ref().map_or_else(|| " and said nothing; run it by hand to see why".to_owned(), |said| format!(": {said}")))]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        how: String,
        /// Its last words.
        said: Option<String>,
    },
    /// It ended, though with success, before it had answered.
    #[error(
        "connector `{program}` ended before it answered `{request}`; run it by hand to see why"
    )]
    Silent {
        /// The program.
        program: String,
        /// What it was asked.
        request: &'static str,
    },
    /// It wrote something that is no message.
    #[error(
        "connector `{program}` wrote something that is not the protocol{}; its logs belong on standard error",
        excerpt.as_ref().map_or_else(String::new, |excerpt| format!(": {excerpt:?}"))
    )]
    Garbage {
        /// The program.
        program: String,
        /// The beginning of it. None for what begins like a message: it may hold somebody's data.
        excerpt: Option<String>,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// It wrote something that is no line or no frame, or too long a one.
    #[error("connector `{program}`: reading its output failed")]
    Frame {
        /// The program.
        program: String,
        /// What is wrong with it.
        source: FrameError,
    },
    /// What it is to be told is no message that any connector reads.
    #[error("connector `{program}` cannot be asked")]
    Unsendable {
        /// The program.
        program: String,
        /// Why not.
        source: EncodeError,
    },
    /// It wrote a message that has no place here.
    #[error("connector `{program}` broke the protocol")]
    Protocol {
        /// The program.
        program: String,
        /// The rule.
        source: ProtocolError,
    },
    /// It speaks another protocol.
    #[error(
        "connector `{program}` speaks protocol version {found}, and this is {}; use another build of it",
        staunch_protocol::PROTOCOL_VERSION
    )]
    Version {
        /// The program.
        program: String,
        /// What it speaks.
        found: u32,
    },
    /// It answered something that cannot be.
    #[error("connector `{program}` answered `{request}` with {problem}")]
    Answer {
        /// The program.
        program: String,
        /// What it was asked.
        request: &'static str,
        /// What is wrong with the answer.
        problem: String,
    },
    /// It does not answer.
    #[error("connector `{program}` did not answer `{request}` within {} s; it was ended", patience.as_secs())]
    Slow {
        /// The program.
        program: String,
        /// What it was asked.
        request: &'static str,
        /// How long was waited.
        patience: Duration,
    },
    /// It does not end.
    #[error("connector `{program}` did not exit within {} s of closing its output; it was ended", patience.as_secs())]
    Lingers {
        /// The program.
        program: String,
        /// How long was waited.
        patience: Duration,
    },
    /// It asks for acknowledgements and does not read them.
    #[error("connector `{program}` did not read its input for {} s, though it asked for acknowledgements", patience.as_secs())]
    Deaf {
        /// The program.
        program: String,
        /// How long was waited.
        patience: Duration,
    },
    /// It sent a state update that is none.
    #[error(
        "connector `{program}` sent a checkpoint whose state update cannot be read; nothing of it was committed"
    )]
    State {
        /// The program.
        program: String,
        /// What is wrong with it.
        source: staunch_state::ParseError,
    },
    /// It cannot be run by this version.
    #[error("{what} is not supported by this version; {instead}")]
    Unsupported {
        /// What.
        what: String,
        /// What to do.
        instead: String,
    },
}

impl ConnectorError {
    pub(crate) fn start(program: String, dir: &Path, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::NotFound {
            return Self::NotFound {
                program,
                dir: dir.to_owned(),
            };
        }
        Self::Start { program, source }
    }

    /// `message` is none. Of a frame nothing is shown: any may hold documents.
    pub(crate) fn garbage(
        program: &str,
        codec: Codec,
        message: &[u8],
        source: DecodeError,
    ) -> Self {
        let is_like_a_message =
            codec == Codec::Proto || message.trim_ascii_start().starts_with(b"{");
        Self::Garbage {
            program: program.to_owned(),
            excerpt: (!is_like_a_message).then(|| excerpt(message)),
            source,
        }
    }

    pub(crate) fn io(program: &str, action: &'static str, source: std::io::Error) -> Self {
        Self::Io {
            program: program.to_owned(),
            action,
            source,
        }
    }

    /// A name for scripts, which stays the same.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "connector.not_found",
            Self::Start { .. } => "connector.start",
            Self::Io { .. } => "connector.io",
            Self::Failed { .. } => "connector.failed",
            Self::Silent { .. } => "connector.silent",
            Self::Garbage { .. } => "connector.garbage",
            Self::Frame { source, .. } => source.code(),
            Self::Unsendable { source, .. } => source.code(),
            Self::Protocol { source, .. } => source.code(),
            Self::Version { .. } => "connector.version",
            Self::Answer { .. } => "connector.answer",
            Self::Slow { .. } => "connector.slow",
            Self::Lingers { .. } => "connector.lingers",
            Self::Deaf { .. } => "connector.deaf",
            Self::State { .. } => "connector.state",
            Self::Unsupported { .. } => "unsupported",
        }
    }
}

/// Why a command of the runtime failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The catalog has mistakes.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A connector failed.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output files cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The place for documents cannot be used.
    #[error(transparent)]
    Sink(#[from] crate::sink::SinkError),
    /// A collection's schema cannot be used.
    #[error("collection `{collection}`")]
    Schema {
        /// The collection.
        collection: String,
        /// What is wrong.
        source: SchemaError,
    },
    /// A document does not fit its collection.
    #[error(
        "document {ordinal} of binding `{binding}` does not fit collection `{collection}`: {violation}; \
         nothing since the last checkpoint was committed, and the document is in {}",
        saved.display()
    )]
    Rejected {
        /// The binding's resource path.
        binding: String,
        /// The collection.
        collection: String,
        /// Which document of its sequence, counted from one.
        ordinal: u64,
        /// What is wrong with it.
        violation: Box<crate::schema::Violation>,
        /// Where it was put.
        saved: PathBuf,
    },
    /// The state in the store cannot be read.
    #[error("the stored state of `{capture}` cannot be read; nothing was done to it")]
    State {
        /// The capture.
        capture: String,
        /// What is wrong with it.
        source: staunch_state::ParseError,
    },
    /// The state has become larger than a connector can be told.
    #[error(
        "the state of `{capture}` would have {bytes} bytes, and {limit} are the most that a connector can be opened with \
         (128 MiB for state and bindings together); nothing of this transaction was committed: have the connector keep less in its state"
    )]
    StateTooLarge {
        /// The capture.
        capture: String,
        /// What it would have.
        bytes: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The state is one that a later connector has made.
    #[error(
        "the state of `{capture}` was migrated at revision {revision} by `{by}`, and connector `{connector}` is from before that: it could \
         misread the state; nothing was done. Run the later one, or take the migration back: staunch migrate rollback {capture}"
    )]
    NewerState {
        /// The capture.
        capture: String,
        /// The revision that the migration made.
        revision: u64,
        /// The connector that migrated.
        by: String,
        /// The one that was to be run.
        connector: String,
    },
    /// A capture was not handed over.
    #[error(transparent)]
    Upgrade(#[from] crate::upgrade::UpgradeError),
    /// A file of ours cannot be written.
    #[error("writing {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A connector cannot tell what it would do.
    #[error("{0}")]
    Plan(String),
    /// An endpoint config that stands by itself cannot be used. No value of it is told.
    #[error("{file}:{line}:{column}: {problem}")]
    Config {
        /// What the file is called.
        file: String,
        /// Line, from 1.
        line: u64,
        /// Column in characters, from 1.
        column: u64,
        /// What is wrong there.
        problem: &'static str,
    },
}

impl RunError {
    /// A name for scripts, which stays the same.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Catalog(errors) => errors.code(),
            Self::Connector(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Files(error) => error.code(),
            Self::Sink(error) => error.code(),
            Self::Schema { source, .. } => source.code(),
            Self::Rejected { .. } => "document.rejected",
            Self::State { .. } => "state.unreadable",
            Self::StateTooLarge { .. } => "state.too_large",
            Self::NewerState { .. } => "state.newer_than_connector",
            Self::Upgrade(error) => error.code(),
            Self::Write { .. } => "io.write",
            Self::Plan(_) => "plan.failed",
            Self::Config { .. } => "config.invalid",
        }
    }
}
