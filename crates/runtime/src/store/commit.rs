//! The one transaction that makes documents and state durable together.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use staunch_state::StateUpdate;

use super::read::unsigned;
use super::{Store, StoreError, history};
use crate::crash::point;

/// How far a file is written, or committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLength {
    /// Relative to the output folder, with `/`.
    pub path: std::sync::Arc<str>,
    /// Bytes from the start of the file.
    pub committed_bytes: u64,
    /// Documents within them, from the start of the file.
    pub committed_documents: u64,
}

/// What becomes durable together, or not at all.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The capture.
    pub capture: &'a str,
    /// The revision this commit builds on; 0 for a capture that was never committed.
    pub expected_revision: u64,
    /// The whole new state, JSON text; `None` when it did not change, and then it is not written again.
    pub state: Option<&'a str>,
    /// The new absolute lengths of the files that grew. Their bytes must have been synced before.
    pub files: &'a [FileLength],
    /// Documents in this transaction; added to the capture's count.
    pub documents: u64,
    /// Checkpoints in this transaction; added to the capture's count.
    pub checkpoints: u64,
    /// Which connector, in words that identify its version.
    pub connector: &'a str,
    /// Now, by the caller's clock, RFC 3339.
    pub at: &'a str,
    /// What makes the new state of the one before; where it is not told, the whole new state is recorded.
    pub update: Option<&'a StateUpdate>,
    /// Why the state changes, where that is not a checkpoint.
    pub cause: Option<Cause<'a>>,
}

/// Why a state was changed, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// `migration`, or what a person did.
    pub kind: &'a str,
    /// Which migrations, by name and checksum: JSON text.
    pub migrations: &'a str,
    /// What was consented to: JSON text.
    pub consents: &'a str,
    /// The person; empty for what a connector did.
    pub author: &'a str,
    /// Why, in their words.
    pub reason: &'a str,
}

impl Default for Cause<'_> {
    fn default() -> Self {
        Self {
            kind: "",
            migrations: "[]",
            consents: "[]",
            author: "",
            reason: "",
        }
    }
}

impl Store {
    /// Makes `commit` durable and returns the new revision.
    ///
    /// When this returns, the commit survives a loss of power; when it fails, the store is as it was. A failure
    /// of the last step alone leaves open which of the two it is: load the capture again to know.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the capture is not at `expected_revision`; [`StoreError::FileUnclaimed`] and
    /// [`StoreError::FileShrinks`] when a file is not this capture's or would lose committed documents.
    pub fn commit(&mut self, commit: &Commit<'_>) -> Result<u64, StoreError> {
        self.commit_after(None, commit)
    }

    /// As [`Store::commit`], of what is committed in this database already.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn commit_after(
        &mut self,
        sink: Option<&str>,
        commit: &Commit<'_>,
    ) -> Result<u64, StoreError> {
        let capture = || commit.capture.to_owned();
        if commit.cause.is_some() && commit.state.is_none() {
            return Err(StoreError::CauseWithoutState { capture: capture() });
        }
        // Whatever becomes of this one: until it is there, the next one looks for itself.
        let is_known = self.recorded.remove(commit.capture);
        let retention = self.retention;
        let revision = self.transact("committing", |transaction| {
            let made = match advance(transaction, commit)? {
                Some(made) => made,
                None => {
                    let found = revision_of(transaction, commit.capture)?;
                    return Ok(Err(StoreError::Conflict {
                        capture: capture(),
                        expected: commit.expected_revision,
                        found,
                    }));
                }
            };
            point("store.commit.after_progress");
            if let Some(state) = commit.state {
                history::record(transaction, commit, state, made, is_known, &retention)?;
                point(match commit.cause {
                    Some(_) => "store.commit.after_journal",
                    None => "store.commit.after_history",
                });
                write_state(transaction, commit.capture, state)?;
                point("store.commit.after_state");
            }
            for file in commit.files {
                if let Err(refusal) = advance_file(transaction, commit.capture, file)? {
                    return Ok(Err(refusal));
                }
                point("store.commit.after_file");
            }
            if let Some(sink) = sink {
                transaction
                    .prepare_cached(
                        "UPDATE sinks SET revision = ?3 WHERE capture = ?1 AND sink = ?2",
                    )?
                    .execute(params![commit.capture, sink, signed(made.revision)?])?;
                point("store.commit.after_sink");
            }
            Ok(Ok(made.revision))
        })?;
        if is_known || commit.state.is_some() {
            self.recorded.insert(commit.capture.to_owned());
        }
        Ok(revision)
    }

    /// Makes `path` this capture's file, for good. Claiming a file again is allowed.
    ///
    /// Claim a file only after it was opened: a claim says that every byte past the committed length (0 at first)
    /// may be cut, and opening is what refuses a file with someone else's bytes in it.
    ///
    /// # Errors
    /// [`StoreError::FileClaimed`] when another capture writes it.
    pub fn claim_file(
        &mut self,
        path: &str,
        capture: &str,
        collection: &str,
    ) -> Result<(), StoreError> {
        self.transact("claiming a file", |transaction| {
            ensure_capture(transaction, capture)?;
            let owner: Option<String> = transaction
                .prepare_cached("SELECT capture FROM files WHERE path = ?1")?
                .query_row([path], |row| row.get(0))
                .optional()?;
            match owner {
                Some(owner) if owner == capture => Ok(Ok(())),
                Some(owner) => Ok(Err(StoreError::FileClaimed {
                    path: path.to_owned(),
                    owner,
                    capture: capture.to_owned(),
                })),
                None => {
                    transaction
                        .prepare_cached(
                            "INSERT INTO files (path, capture, collection) VALUES (?1, ?2, ?3)",
                        )?
                        .execute(params![path, capture, collection])?;
                    Ok(Ok(()))
                }
            }
        })
    }

    /// Keeps what was last applied to the endpoint, JSON text; `None` forgets it.
    ///
    /// # Errors
    /// Those of writing the database.
    pub fn set_applied_spec(
        &mut self,
        capture: &str,
        spec: Option<&str>,
    ) -> Result<(), StoreError> {
        self.transact("keeping the applied spec", |transaction| {
            ensure_capture(transaction, capture)?;
            match spec {
                Some(spec) => transaction
                    .prepare_cached(
                        "INSERT INTO applied_specs (capture, spec) VALUES (?1, ?2) \
                         ON CONFLICT (capture) DO UPDATE SET spec = excluded.spec",
                    )?
                    .execute(params![capture, spec])?,
                None => transaction
                    .prepare_cached("DELETE FROM applied_specs WHERE capture = ?1")?
                    .execute([capture])?,
            };
            Ok(Ok(()))
        })
    }

    /// Runs `body` in one immediate transaction; commits if it is content, rolls back otherwise.
    pub(super) fn transact<T>(
        &mut self,
        action: &'static str,
        body: impl FnOnce(&Connection) -> rusqlite::Result<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let path = &self.reader.path;
        let failed = |source| StoreError::sqlite(action, path, source);
        point("store.before_begin");
        let transaction = self
            .reader
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction: Transaction<'_> = transaction.map_err(failed)?;
        point("store.after_begin");
        let value = body(&transaction).map_err(failed)??;
        point("store.before_commit");
        transaction.commit().map_err(failed)?;
        point("store.after_commit");
        Ok(value)
    }
}

pub(super) fn ensure_capture(transaction: &Connection, capture: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO progress (capture) VALUES (?1)")?
        .execute([capture])?;
    Ok(())
}

/// What a commit makes of a capture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub(super) revision: u64,
    /// All that the capture has committed by then.
    pub(super) documents: u64,
}

/// Moves the capture to its next revision, or answers `None` when it is not at the expected one.
fn advance(transaction: &Connection, commit: &Commit<'_>) -> rusqlite::Result<Option<Made>> {
    if commit.expected_revision == 0 {
        ensure_capture(transaction, commit.capture)?;
    }
    transaction
        .prepare_cached(
            "UPDATE progress SET revision = revision + 1, connector = ?3, documents = documents + ?4, \
             checkpoints = checkpoints + ?5, updated_at = ?6 WHERE capture = ?1 AND revision = ?2 RETURNING revision, documents",
        )?
        .query_row(
            params![
                commit.capture,
                signed(commit.expected_revision)?,
                commit.connector,
                signed(commit.documents)?,
                signed(commit.checkpoints)?,
                commit.at
            ],
            |row| {
                Ok(Made {
                    revision: unsigned(row, 0)?,
                    documents: unsigned(row, 1)?,
                })
            },
        )
        .optional()
}

fn revision_of(transaction: &Connection, capture: &str) -> rusqlite::Result<u64> {
    transaction
        .prepare_cached("SELECT revision FROM progress WHERE capture = ?1")?
        .query_row([capture], |row| unsigned(row, 0))
        .optional()
        .map(Option::unwrap_or_default)
}

fn write_state(transaction: &Connection, capture: &str, state: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO states (capture, state) VALUES (?1, ?2) \
             ON CONFLICT (capture) DO UPDATE SET state = excluded.state",
        )?
        .execute(params![capture, state])?;
    Ok(())
}

fn advance_file(
    transaction: &Connection,
    capture: &str,
    file: &FileLength,
) -> rusqlite::Result<Result<(), StoreError>> {
    let bytes = signed(file.committed_bytes)?;
    let changed = transaction
        .prepare_cached(
            "UPDATE files SET committed_bytes = ?3, committed_documents = ?4 \
             WHERE path = ?1 AND capture = ?2 AND committed_bytes <= ?3",
        )?
        .execute(params![
            &*file.path,
            capture,
            bytes,
            signed(file.committed_documents)?
        ])?;
    if changed == 1 {
        return Ok(Ok(()));
    }
    let committed = transaction
        .prepare_cached("SELECT committed_bytes FROM files WHERE path = ?1 AND capture = ?2")?
        .query_row([&*file.path, capture], |row| unsigned(row, 0))
        .optional()?;
    let path = file.path.to_string();
    Ok(Err(match committed {
        Some(committed) => StoreError::FileShrinks {
            path,
            committed,
            found: file.committed_bytes,
        },
        None => StoreError::FileUnclaimed {
            path,
            capture: capture.to_owned(),
        },
    }))
}

pub(super) fn signed(value: u64) -> rusqlite::Result<i64> {
    i64::try_from(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
