//! Upgrades that are on probation: what is needed to take one back.

use rusqlite::{OptionalExtension as _, params};

use super::commit::{ensure_capture, signed};
use super::open::RUNS_SINCE;
use super::read::unsigned;
use super::{Store, StoreError, StoreReader};

/// An upgrade that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbationRow {
    /// The capture.
    pub capture: String,
    /// The last revision of before.
    pub revision_before: u64,
    /// How many documents were committed by then.
    pub documents: u64,
    /// The program and arguments of the candidate.
    pub command: Vec<String>,
    /// What identifies the candidate.
    pub connector: String,
    /// What identifies the connector of before; empty if there was none.
    pub before: String,
    /// When it began, RFC 3339.
    pub began_at: String,
}

impl Store {
    /// Remembers that a candidate is about to be opened.
    ///
    /// # Errors
    /// Those of writing the database.
    pub fn begin_probation(&mut self, row: &ProbationRow) -> Result<(), StoreError> {
        self.transact("beginning a probation", |transaction| {
            ensure_capture(transaction, &row.capture)?;
            let command = serde_json::to_string(&row.command).expect("words are JSON");
            transaction.execute(
                "INSERT OR REPLACE INTO probations (capture, revision_before, documents, command, connector, before, began_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    row.capture,
                    signed(row.revision_before)?,
                    signed(row.documents)?,
                    command,
                    row.connector,
                    row.before,
                    row.began_at
                ],
            )?;
            Ok(Ok(()))
        })
    }

    /// Forgets a probation: its candidate has passed, or was taken back.
    ///
    /// # Errors
    /// Those of writing the database.
    pub fn end_probation(&mut self, capture: &str) -> Result<(), StoreError> {
        self.transact("ending a probation", |transaction| {
            transaction.execute("DELETE FROM probations WHERE capture = ?1", [capture])?;
            Ok(Ok(()))
        })
    }
}

impl StoreReader {
    /// The upgrade of a capture that has not come to its end, if there is one.
    ///
    /// # Errors
    /// Those of reading the database.
    pub fn probation(&self, capture: &str) -> Result<Option<ProbationRow>, StoreError> {
        if self.version < RUNS_SINCE {
            return Ok(None);
        }
        self.query("looking for a probation", |connection| {
            connection
                .prepare_cached(
                    "SELECT capture, revision_before, documents, command, connector, before, began_at FROM probations \
                     WHERE capture = ?1",
                )?
                .query_row([capture], |row| {
                    let command: String = row.get(3)?;
                    Ok(ProbationRow {
                        capture: row.get(0)?,
                        revision_before: unsigned(row, 1)?,
                        documents: unsigned(row, 2)?,
                        command: serde_json::from_str(&command).unwrap_or_default(),
                        connector: row.get(4)?,
                        before: row.get(5)?,
                        began_at: row.get(6)?,
                    })
                })
                .optional()
        })
    }
}
