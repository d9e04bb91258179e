//! The state store: what every capture has committed, in one SQLite database.
//!
//! ```text
//! <dir>/state.db   captures (view), progress, states, applied_specs, files, sinks, changes, history (view), journal (view)
//! <dir>/leases/    a lock for each capture, held by the one process that writes it; has its process id
//! <dir>/lock       held while somebody opens the database
//! ```
//!
//! A transaction of a capture is durable when [`Store::commit`] returns: its documents' files were synced before, up to
//! the lengths that the commit records, and its state is in the same commit. A state is written whole each time it
//! changes; SQLite in its write-ahead mode makes that one sync. States of many megabytes that change with every
//! checkpoint would be cheaper as patches, at the price of a history to replay at each opening.

mod commit;
mod error;
mod history;
mod lease;
mod open;
mod probation;
mod read;
mod sinks;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

pub use commit::{Cause, Commit, FileLength};
pub use error::StoreError;
pub use history::ChangeRow;
pub use probation::ProbationRow;
pub use read::{CaptureRow, FileRow, JournalRow, StoreReader};
pub use sinks::SinkRow;

use lease::Lease;

/// The store, open for writing one capture. There is one at a time for each capture, over all processes.
#[derive(Debug)]
pub struct Store {
    // Before the lease, because fields are dropped in this order: the database is closed under the lock.
    reader: StoreReader,
    /// The captures whose last change was recorded by this process: what is stored is what that made.
    recorded: HashSet<String>,
    retention: Retention,
    _lease: Lease,
}

/// How much is kept of what was done to each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Changes, at least; the last ones, and as many more as their segment has. Where they are large, fewer.
    pub changes: usize,
    /// What was no checkpoint, with the state that it found, beyond those.
    pub snapshots: usize,
    /// For how long.
    pub max_age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            changes: 1000,
            snapshots: 50,
            max_age: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

impl Retention {
    /// Whether something is older than is kept. What has no time is not.
    fn is_past(&self, at: &str, now: &str) -> bool {
        let times = at.parse::<Timestamp>().ok().zip(now.parse().ok());
        times.is_some_and(|(at, now): (Timestamp, Timestamp)| {
            Duration::try_from(now.duration_since(at)).is_ok_and(|age| age > self.max_age)
        })
    }
}

impl Store {
    /// Opens the store in `dir` (a project's `.staunch`) to write `capture`, creating both where they are missing.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another process writes that capture; [`StoreError::Foreign`], [`StoreError::Newer`] and
    /// [`StoreError::Corrupt`] for a database that is not one we can use. None of these changes the database.
    pub fn open(dir: &Path, capture: &str) -> Result<Store, StoreError> {
        open::create_dir(&dir.join("leases"))?;
        let lease = Lease::take(&lease::lease_path(dir, capture))?;
        let opening = Lease::of_opening(dir)?;
        let path = database(dir);
        let connection = open::writable(&path)?;
        open::sync_dir(dir)?;
        drop(opening);
        Ok(Store {
            reader: StoreReader {
                connection,
                path,
                version: open::USER_VERSION,
            },
            recorded: HashSet::new(),
            retention: Retention::default(),
            _lease: lease,
        })
    }

    /// The process that writes a capture of the store in `dir`, if one seems to. Takes no lease.
    #[must_use]
    pub fn holder(dir: &Path, capture: &str) -> Option<u32> {
        lease::holder(dir, capture)
    }

    /// Keeps so much of what is done to states from now on. What is kept already goes with the changes to come.
    pub fn retain(&mut self, retention: Retention) {
        self.retention = retention;
    }

    /// Opens the store in `dir` to look at it, also while a run is on. Takes no lock and changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none; otherwise as [`Store::open`], but never `Locked`.
    pub fn open_readonly(dir: &Path) -> Result<StoreReader, StoreError> {
        let path = database(dir);
        let (connection, version) = open::read_only(&path)?;
        Ok(StoreReader {
            connection,
            path,
            version,
        })
    }

    /// The questions that need no write.
    pub fn reader(&self) -> &StoreReader {
        &self.reader
    }

    /// As [`StoreReader::load`].
    ///
    /// # Errors
    /// Those of reading the database.
    pub fn load(&self, capture: &str) -> Result<Option<CaptureRow>, StoreError> {
        self.reader.load(capture)
    }

    /// As [`StoreReader::files`].
    ///
    /// # Errors
    /// Those of reading the database.
    pub fn files(&self, capture: &str) -> Result<Vec<FileRow>, StoreError> {
        self.reader.files(capture)
    }
}

fn database(dir: &Path) -> PathBuf {
    dir.join("state.db")
}
