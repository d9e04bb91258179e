//! What can go wrong with output files.

use std::path::{Path, PathBuf};

/// Why an output file was not opened, or not written. Every variant names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// A collection's name cannot be made into a file's.
    #[error("collection `{collection}` cannot be a file name: {why}; rename the collection")]
    BadName {
        /// The collection.
        collection: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Committed documents are gone.
    #[error(
        "`{}` has {found} bytes and {committed} are committed: documents were removed by something else; \
         put the file back, or start the capture over in another folder",
        path.display()
    )]
    Shorter {
        /// The file.
        path: PathBuf,
        /// The committed length in bytes.
        committed: u64,
        /// The length found in bytes; 0 for a missing file.
        found: u64,
    },
    /// The committed part is no longer what was written.
    #[error(
        "`{}` does not end a document at its committed length of {committed} bytes: it was edited by something else; \
         put the file back, or start the capture over in another folder",
        path.display()
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// The committed length in bytes.
        committed: u64,
    },
    /// A file is in the way.
    #[error("`{}` exists and no capture has written it; move it away, then run again", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("no space left to write `{}`; nothing committed was lost: make room and run again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// A length was named for a file that is not open.
    #[error("`{path}` is not open; open its collection before rolling it back")]
    NotOpen {
        /// The file, relative to the output folder.
        path: String,
    },
    /// The operating system refused.
    #[error("{action} `{}` failed; check that the folder exists and can be written", path.display())]
    Io {
        /// What was tried, as a gerund.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl FilesError {
    /// A name that stays the same between versions, for scripts and exit codes.
    pub fn code(&self) -> &'static str {
        match self {
            FilesError::BadName { .. } => "files.bad_name",
            FilesError::Shorter { .. } => "files.shorter",
            FilesError::Altered { .. } => "files.altered",
            FilesError::Unknown { .. } => "files.unknown",
            FilesError::Full { .. } => "files.full",
            FilesError::NotOpen { .. } => "files.not_open",
            FilesError::Io { .. } => "files.io",
        }
    }

    pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> FilesError {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let path = path.to_owned();
        match source.kind() {
            StorageFull | QuotaExceeded => FilesError::Full { path },
            _ => FilesError::Io {
                action,
                path,
                source,
            },
        }
    }
}
