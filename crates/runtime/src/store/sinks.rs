//! What is committed in a database, and not only here.

use rusqlite::{OptionalExtension as _, Row, params};

use super::commit::{ensure_capture, signed};
use super::open::SINKS_SINCE;
use super::read::unsigned;
use super::{Store, StoreError, StoreReader};

/// A database that a capture's documents go into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkRow {
    /// What it is called in `staunch.yaml`.
    pub sink: String,
    /// What stands there, too, and in no other store.
    pub token: String,
    /// The capture's revision that was committed there last.
    pub revision: u64,
    /// Whether the database has the token.
    pub is_registered: bool,
    /// Whether nothing is committed there that is not here.
    pub is_settled: bool,
}

const COLUMNS: &str = "sink, token, revision, is_registered, is_settled";

fn row(row: &Row<'_>) -> rusqlite::Result<SinkRow> {
    Ok(SinkRow {
        sink: row.get(0)?,
        token: row.get(1)?,
        revision: unsigned(row, 2)?,
        is_registered: row.get(3)?,
        is_settled: row.get(4)?,
    })
}

impl Store {
    /// Remembers a database that the capture's documents will go into.
    ///
    /// # Errors
    /// Those of writing the database.
    pub fn add_sink(&mut self, capture: &str, new: &SinkRow) -> Result<(), StoreError> {
        self.transact("adding a sink", |transaction| {
            ensure_capture(transaction, capture)?;
            transaction.execute(
                "INSERT INTO sinks (capture, sink, token, revision, is_registered, is_settled) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    capture,
                    new.sink,
                    new.token,
                    signed(new.revision)?,
                    new.is_registered,
                    new.is_settled
                ],
            )?;
            Ok(Ok(()))
        })
    }

    /// The database has the token, with the capture at `revision`.
    ///
    /// # Errors
    /// Those of writing the database.
    pub fn register_sink(
        &mut self,
        capture: &str,
        sink: &str,
        revision: u64,
    ) -> Result<(), StoreError> {
        self.transact("registering a sink", |transaction| {
            transaction.execute(
                "UPDATE sinks SET is_registered = 1, revision = ?3 WHERE capture = ?1 AND sink = ?2",
                params![capture, sink, signed(revision)?],
            )?;
            Ok(Ok(()))
        })
    }

    /// Whether it is known that nothing is committed there that is not here.
    ///
    /// # Errors
    /// Those of writing the database.
    pub fn settle_sink(
        &mut self,
        capture: &str,
        sink: &str,
        is_settled: bool,
    ) -> Result<(), StoreError> {
        self.transact("settling a sink", |transaction| {
            transaction.execute(
                "UPDATE sinks SET is_settled = ?3 WHERE capture = ?1 AND sink = ?2",
                params![capture, sink, is_settled],
            )?;
            Ok(Ok(()))
        })
    }
}

impl StoreReader {
    /// One of the databases of a capture.
    ///
    /// # Errors
    /// Those of reading the database.
    pub fn sink(&self, capture: &str, sink: &str) -> Result<Option<SinkRow>, StoreError> {
        if self.version < SINKS_SINCE {
            return Ok(None);
        }
        self.query("looking for a sink", |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM sinks WHERE capture = ?1 AND sink = ?2"
                ))?
                .query_row([capture, sink], row)
                .optional()
        })
    }

    /// The databases of a capture of which it is not known that all they have is here.
    ///
    /// # Errors
    /// Those of reading the database.
    pub fn unsettled_sinks(&self, capture: &str) -> Result<Vec<SinkRow>, StoreError> {
        if self.version < SINKS_SINCE {
            return Ok(Vec::new());
        }
        self.query("looking for sinks", |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM sinks WHERE capture = ?1 AND NOT is_settled ORDER BY sink"
                ))?
                .query_map([capture], row)?
                .collect()
        })
    }
}
