//! What can go wrong with a place that documents go to.

use std::path::PathBuf;

/// Why documents could not be put where they are to go. No variant tells a value of a document, or a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// It cannot be reached, or used at all.
    #[error("sink `{sink}` cannot be used: {problem}")]
    Unreachable {
        /// What it is called.
        sink: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// It went away, and may come back.
    #[error(
        "sink `{sink}` is down: {problem}; nothing that was committed is lost, and what was not is captured again"
    )]
    Down {
        /// What it is called.
        sink: String,
        /// What it was.
        problem: String,
    },
    /// What was asked of it failed, and would again.
    #[error("sink `{sink}`: {action} failed: {problem}")]
    Failed {
        /// What it is called.
        sink: String,
        /// What was being done.
        action: &'static str,
        /// What the database said.
        problem: String,
    },
    /// Somebody else writes there as the same capture.
    #[error(
        "another store writes `{capture}` into sink `{sink}`, which has it at revision {found}: only one may. Where that is an old one, whose \
         state folder is gone, remove the row of `{capture}` from `staunch_checkpoints` there: this one goes on from its own state then"
    )]
    Taken {
        /// What it is called.
        sink: String,
        /// The capture.
        capture: String,
        /// Its revision there.
        found: u64,
    },
    /// What is committed there does not follow from what is committed here.
    #[error(
        "sink `{sink}` has `{capture}` at revision {there} (after {prior}), and the store has committed {known} there: one of them was put back \
         from an older copy. Put the other one back, too; or, to go on from the state that is here, remove the row of `{capture}` from \
         `staunch_checkpoints` there: documents since then may be missing or there twice"
    )]
    Diverged {
        /// What it is called.
        sink: String,
        /// The capture.
        capture: String,
        /// The revision there.
        there: u64,
        /// The one before that.
        prior: u64,
        /// The last one that is known here.
        known: u64,
    },
    /// It does not know a capture any more.
    #[error(
        "sink `{sink}` knows nothing of `{capture}`, which has committed revision {known} there: it was emptied, or is another database. Put it \
         back; or give the sink another name in staunch.yaml, to go on there from here; or reset the bindings too, to capture everything again"
    )]
    Emptied {
        /// What it is called.
        sink: String,
        /// The capture.
        capture: String,
        /// The last revision that is known here.
        known: u64,
    },
    /// What is committed there cannot be looked at.
    #[error(
        "`{capture}` has committed into sink `{sink}`, and it is not known whether the last transaction there is all here: {problem}"
    )]
    Unsettled {
        /// What it is called.
        sink: String,
        /// The capture.
        capture: String,
        /// Why it cannot be looked at, and what to do.
        problem: String,
    },
    /// There is no such sink.
    #[error(
        "there is no sink `{name}`: staunch.yaml names them under `sinks` (there are: {known})"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A table is not as it has to be.
    #[error("table `{table}` of sink `{sink}`, for collection `{collection}`: {problem}")]
    Table {
        /// What it is called.
        sink: String,
        /// The table.
        table: String,
        /// The collection.
        collection: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A document cannot be kept there.
    #[error(
        "document {ordinal} of collection `{collection}` in this transaction cannot go into sink `{sink}`: {at}{problem}; nothing of it was committed"
    )]
    Document {
        /// What it is called.
        sink: String,
        /// The collection.
        collection: String,
        /// Which, counted from one.
        ordinal: u64,
        /// Where: a JSON pointer and a colon, or nothing.
        at: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file of ours cannot be used.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SinkError {
    /// A name for scripts, which stays the same.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Unsettled { .. } => "sink.unreachable",
            Self::Down { .. } => "sink.down",
            Self::Failed { .. } => "sink.failed",
            Self::Taken { .. } => "sink.taken",
            Self::Diverged { .. } => "sink.diverged",
            Self::Emptied { .. } => "sink.emptied",
            Self::Unknown { .. } => "sink.unknown",
            Self::Table { .. } => "sink.table",
            Self::Document { .. } => "sink.document",
            Self::Io { .. } => "io.write",
        }
    }

    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Down { .. })
    }
}
