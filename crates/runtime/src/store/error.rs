//! What can go wrong with the state store, in words for the person who has to go on.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the store did not open, or did not do what it was asked.
///
/// After any error of a write but [`StoreError::FileClaimed`], take nothing for granted: load the capture again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the lease.
    #[error(
        "`{}` is locked by another run{}; wait for it or stop it, then try again",
        path.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that wrote itself into the lock file, if it could be read.
        pid: Option<u32>,
    },
    /// There is no database where one was expected.
    #[error("there is no state store at `{}`; run a capture first, or name the right folder", path.display())]
    NotFound {
        /// The database file.
        path: PathBuf,
    },
    /// The database is somebody else's.
    #[error(
        "`{}` is a database of another application (id {application_id:#010x}); move it away or choose another folder",
        path.display()
    )]
    Foreign {
        /// The database file.
        path: PathBuf,
        /// The `application_id` found in it.
        application_id: i64,
    },
    /// A newer version of the program wrote this store.
    #[error(
        "`{}` has store version {found} and this program knows up to {known}; use the newer program that wrote it",
        path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The `user_version` found.
        found: i64,
        /// The newest one this program can read.
        known: i64,
    },
    /// The database cannot be read as what it is.
    #[error(
        "the state store `{}` is damaged ({detail}); nothing was changed: copy the folder, \
         then restore it from a backup or recover it with `sqlite3 … .recover`",
        path.display()
    )]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What SQLite says is wrong.
        detail: String,
    },
    /// The SQLite linked into the program has a known way to lose commits.
    #[error("sqlite {version} can lose committed data; build with 3.51.3 or newer")]
    OldSqlite {
        /// The version linked in.
        version: &'static str,
    },
    /// The capture moved on since it was loaded.
    #[error(
        "capture `{capture}` is at revision {found}, not {expected}: something else committed to it; \
         load its state again and start over from there"
    )]
    Conflict {
        /// The capture.
        capture: String,
        /// The revision that the caller had loaded.
        expected: u64,
        /// The revision that is stored.
        found: u64,
    },
    /// A file belongs to one capture, and this one is taken.
    #[error(
        "`{path}` is written by capture `{owner}`, so `{capture}` cannot write it; give its binding another collection"
    )]
    FileClaimed {
        /// The file, relative to the output folder.
        path: String,
        /// The capture it belongs to.
        owner: String,
        /// The capture that asked.
        capture: String,
    },
    /// A commit names a file that the capture never claimed.
    #[error(
        "capture `{capture}` commits `{path}`, which it has not claimed; claim a file before writing it"
    )]
    FileUnclaimed {
        /// The file, relative to the output folder.
        path: String,
        /// The capture that committed.
        capture: String,
    },
    /// A commit would take back documents that are committed.
    #[error(
        "`{path}` has {committed} committed bytes and a commit says {found}; a committed length never goes back"
    )]
    FileShrinks {
        /// The file, relative to the output folder.
        path: String,
        /// What is committed.
        committed: u64,
        /// What the commit said.
        found: u64,
    },
    /// A change was to be recorded without the state that it made.
    #[error("a change of capture `{capture}` came without its state; commit both together")]
    CauseWithoutState {
        /// The capture.
        capture: String,
    },
    /// What is kept of a history does not hold together.
    #[error(
        "the history of `{capture}` is damaged at revision {revision}: {detail}; the state of now is not touched by that: export it, \
         then look for a backup of the store"
    )]
    HistoryBroken {
        /// The capture.
        capture: String,
        /// The revision that a change made.
        revision: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// The disk is full.
    #[error("no space left for `{}`; nothing was lost: make room and run again", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
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
    /// SQLite refused.
    #[error("{action} in `{}` failed; see the cause", path.display())]
    Sqlite {
        /// What was tried, as a gerund.
        action: &'static str,
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// A name that stays the same between versions, for scripts and exit codes.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::Locked { .. } => "store.locked",
            StoreError::NotFound { .. } => "store.not_found",
            StoreError::Foreign { .. } => "store.foreign",
            StoreError::Newer { .. } => "store.newer",
            StoreError::Corrupt { .. } => "store.corrupt",
            StoreError::OldSqlite { .. } => "store.old_sqlite",
            StoreError::Conflict { .. } => "store.conflict",
            StoreError::FileClaimed { .. } => "store.file_claimed",
            StoreError::FileUnclaimed { .. } => "store.file_unclaimed",
            StoreError::FileShrinks { .. } => "store.file_shrinks",
            StoreError::CauseWithoutState { .. } => "store.cause_without_state",
            StoreError::HistoryBroken { .. } => "store.history_broken",
            StoreError::Full { .. } => "store.full",
            StoreError::Io { .. } => "store.io",
            StoreError::Sqlite { .. } => "store.sqlite",
        }
    }

    pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> StoreError {
        if source.kind() == std::io::ErrorKind::StorageFull {
            return StoreError::Full {
                path: path.to_owned(),
            };
        }
        StoreError::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// Tells apart what a person would treat differently: damage, a full disk, all else.
    pub(super) fn sqlite(action: &'static str, path: &Path, source: rusqlite::Error) -> StoreError {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt {
                path,
                detail: source.to_string(),
            },
            Some(ErrorCode::DiskFull) => StoreError::Full { path },
            // What a disk without room for SQLite's index of its log gives, where the log itself still fits.
            _ if extended_code(&source) == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => {
                StoreError::Full { path }
            }
            _ => StoreError::Sqlite {
                action,
                path,
                source,
            },
        }
    }
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => Some(failure.extended_code),
        _ => None,
    }
}
