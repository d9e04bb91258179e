//! Reading the store: the same questions from a run that writes and from a command that only looks.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::StoreError;
use super::open::check_with;

/// One capture, as of its last commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptureRow {
    /// Its name.
    pub capture: String,
    /// Goes up by one with each commit; 0 before the first.
    pub revision: u64,
    /// The connector state: the text of one JSON object, as it was committed. `{}` before the first commit.
    pub state: String,
    /// The connector that made the last commit; empty before the first.
    pub connector: String,
    /// When that was, RFC 3339; empty before the first.
    pub updated_at: String,
    /// What was last applied to the endpoint, JSON text.
    pub applied_spec: Option<String>,
    /// Documents committed so far.
    pub documents: u64,
    /// Checkpoints committed so far.
    pub checkpoints: u64,
}

/// One output file and how much of it is committed; what is longer on disk is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// Relative to the output folder, with `/`.
    pub path: String,
    /// The capture that alone writes it.
    pub capture: String,
    /// The collection it holds.
    pub collection: String,
    /// Its committed length in bytes.
    pub committed_bytes: u64,
    /// Documents within that length.
    pub committed_documents: u64,
}

/// One entry of the journal: a change to a state that was not a plain checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalRow {
    /// Goes up with time, over all captures.
    pub id: i64,
    /// The capture.
    pub capture: String,
    /// The revision that the change made.
    pub revision: u64,
    /// When, RFC 3339.
    pub at: String,
    /// `migration`, or the caller's word for another kind of change.
    pub kind: String,
    /// By which connector.
    pub connector: String,
    /// JSON text: which migrations, by name and checksum.
    pub migrations: String,
    /// JSON text: the update that was applied.
    pub state_update: String,
    /// JSON text: the state before it.
    pub state_before: String,
    /// JSON text: what was consented to.
    pub consents: String,
}

/// A look at the store, without a lock: what it sees is committed.
#[derive(Debug)]
pub struct StoreReader {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// An older store has not all of the tables, until it is opened for writing.
    pub(super) version: i64,
}

impl StoreReader {
    /// The capture, or `None` if the store has never heard of it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the database is damaged: never taken for an absent capture.
    pub fn load(&self, capture: &str) -> Result<Option<CaptureRow>, StoreError> {
        self.query("loading a capture", |connection| {
            connection
                .prepare_cached(
                    "SELECT capture, revision, state, connector, updated_at, applied_spec, documents, checkpoints \
                     FROM captures WHERE capture = ?1",
                )?
                .query_row([capture], |row| {
                    Ok(CaptureRow {
                        capture: row.get(0)?,
                        revision: unsigned(row, 1)?,
                        state: row.get(2)?,
                        connector: row.get(3)?,
                        updated_at: row.get(4)?,
                        applied_spec: row.get(5)?,
                        documents: unsigned(row, 6)?,
                        checkpoints: unsigned(row, 7)?,
                    })
                })
                .optional()
        })
    }

    /// Checks the database page by page; `is_deep` also holds its indexes against its tables.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is damaged.
    pub fn check_database(&self, is_deep: bool) -> Result<(), StoreError> {
        let check = match is_deep {
            true => "PRAGMA integrity_check(1)",
            false => "PRAGMA quick_check(1)",
        };
        check_with(&self.connection, &self.path, check)
    }

    /// The names of all captures, sorted.
    ///
    /// # Errors
    /// Those of reading the database.
    pub fn captures(&self) -> Result<Vec<String>, StoreError> {
        self.query("listing the captures", |connection| {
            connection
                .prepare_cached("SELECT capture FROM progress ORDER BY capture")?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// The files that `capture` has claimed, sorted by path.
    ///
    /// # Errors
    /// Those of reading the database.
    pub fn files(&self, capture: &str) -> Result<Vec<FileRow>, StoreError> {
        self.query("listing the files", |connection| {
            connection
                .prepare_cached(
                    "SELECT path, capture, collection, committed_bytes, committed_documents \
                     FROM files WHERE capture = ?1 ORDER BY path",
                )?
                .query_map([capture], |row| {
                    Ok(FileRow {
                        path: row.get(0)?,
                        capture: row.get(1)?,
                        collection: row.get(2)?,
                        committed_bytes: unsigned(row, 3)?,
                        committed_documents: unsigned(row, 4)?,
                    })
                })?
                .collect()
        })
    }

    /// Which capture writes the file, if any does.
    ///
    /// # Errors
    /// Those of reading the database.
    pub fn file_owner(&self, path: &str) -> Result<Option<String>, StoreError> {
        self.query("looking for a file", |connection| {
            connection
                .prepare_cached("SELECT capture FROM files WHERE path = ?1")?
                .query_row([path], |row| row.get(0))
                .optional()
        })
    }

    /// The journal of `capture`, oldest first.
    ///
    /// # Errors
    /// Those of reading the database.
    pub fn journal(&self, capture: &str) -> Result<Vec<JournalRow>, StoreError> {
        self.query("reading the journal", |connection| {
            connection
                .prepare_cached(
                    "SELECT id, capture, revision, at, kind, connector, migrations, state_update, state_before, consents \
                     FROM journal WHERE capture = ?1 ORDER BY id",
                )?
                .query_map([capture], |row| {
                    Ok(JournalRow {
                        id: row.get(0)?,
                        capture: row.get(1)?,
                        revision: unsigned(row, 2)?,
                        at: row.get(3)?,
                        kind: row.get(4)?,
                        connector: row.get(5)?,
                        migrations: row.get(6)?,
                        state_update: row.get(7)?,
                        state_before: row.get(8)?,
                        consents: row.get(9)?,
                    })
                })?
                .collect()
        })
    }

    pub(super) fn query<T>(
        &self,
        action: &'static str,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        run(&self.connection).map_err(|source| StoreError::sqlite(action, &self.path, source))
    }
}

/// SQLite knows no unsigned integers; the tables' checks keep these from being negative.
pub(super) fn unsigned(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(index)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, value))
}
