//! Where a capture's documents go, and how they become durable together with its state.
//!
//! ```text
//! reader ─► Intake ─► Batch ─► queue ─► committer: Destination::commit ─► Store::commit_after
//! ```
//!
//! Two kinds of place. **Files** have the documents before they count; what counts is the length that the store commits together with the
//! state. A **database** takes a transaction as a whole: the documents and a record with the state, in one SQL transaction; the store follows with
//! the same revision. Killed in between, the store is one revision behind, and catches up from the record at the next opening (`database`).
//! All documents of a capture go to one place, since a transaction of them is one commit. Several captures may share a database.
//!
//! A file for each destination: `jsonl`, `stdout`, `sqlite`, `postgres`; `spool` is where documents wait for a database, `table` what a
//! collection is there, `extract` how a key is taken out of a document.

mod database;
mod error;
mod extract;
mod jsonl;
mod postgres;
mod spool;
mod sqlite;
mod stdout;
mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::SinkError;
pub use postgres::PostgresSettings;
pub use table::{TableSettings, Updates};

use crate::catalog::Collection;
use crate::error::RunError;
use crate::events::Observer;
use crate::files::{FileId, Mark, OutputFiles, Recovered, file_path};
use crate::session::Stop;
use crate::store::{CaptureRow, Cause, FileLength, Store, StoreError};
pub(crate) use database::settle;
use database::{Database, Remote};
use spool::Spool;

/// The name of the sink that captures have which name none.
pub const DEFAULT: &str = "default";

/// Standard output, as a sink.
pub const STDOUT: &str = "stdout";

/// Bytes that may wait for a database before the connector has to.
const WAITING_BYTES: u64 = 256 << 20;

/// A place for documents, as `staunch.yaml` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SinkSettings {
    /// Files of newline-delimited JSON in a folder.
    JsonLines {
        /// The folder.
        dir: PathBuf,
    },
    /// A SQLite database.
    Sqlite {
        /// Its file.
        path: PathBuf,
        /// How collections become tables.
        tables: TableSettings,
    },
    /// A PostgreSQL database.
    Postgres(Box<PostgresSettings>),
    /// Standard output.
    Stdout,
}

impl SinkSettings {
    fn tables(&self) -> TableSettings {
        match self {
            Self::JsonLines { .. } | Self::Stdout => TableSettings::default(),
            Self::Sqlite { tables, .. } => tables.clone(),
            Self::Postgres(settings) => settings.tables.clone(),
        }
    }

    fn database(&self, name: &str) -> Result<Option<Box<dyn Database>>, SinkError> {
        Ok(match self {
            Self::JsonLines { .. } | Self::Stdout => None,
            Self::Sqlite { path, .. } => Some(Box::new(sqlite::Sqlite::open(name, path)?)),
            Self::Postgres(settings) => Some(Box::new(postgres::Postgres::open(name, settings)?)),
        })
    }
}

/// What is committed of documents and state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) capture: &'a str,
    /// The store's revision that this builds on.
    pub(crate) base: u64,
    /// The whole new state, if it changed.
    pub(crate) state: Option<&'a str>,
    pub(crate) documents: u64,
    pub(crate) checkpoints: u64,
    pub(crate) connector: &'a str,
    pub(crate) at: &'a str,
    pub(crate) cause: Option<Cause<'a>>,
}

/// Who may interrupt a wait, and who hears of it.
pub(crate) struct Waiting<'a> {
    pub(crate) stop: &'a Stop,
    pub(crate) observer: &'a dyn Observer,
}

/// Makes documents durable. Called from one thread.
pub(crate) trait Destination: Send {
    /// Makes ready what these collections need; from then on each is known by its place in the list.
    fn prepare(&mut self, collections: &[&Collection]) -> Result<(), SinkError>;

    /// Makes a batch durable, with its record where that is kept there. Answers with the lengths to commit of files.
    fn commit(
        &mut self,
        batch: &Batch,
        record: &Record<'_>,
        waiting: &Waiting<'_>,
    ) -> Result<Vec<FileLength>, RunError>;

    /// The database in which the record is, by its name.
    fn sink(&self) -> Option<&str>;

    /// Whether it is known what of it is committed.
    fn is_certain(&self) -> bool;
}

/// Where a binding's documents go in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    File(FileId),
    Table(usize),
}

/// Takes documents. Called from one thread.
pub(crate) enum Intake {
    Files(OutputFiles),
    Spool { current: Spool, dir: Arc<Path> },
}

/// Documents that commit together.
#[derive(Debug)]
pub(crate) enum Batch {
    Files(Mark),
    Spooled(Spool),
}

impl Intake {
    /// Adds a document, which is one line.
    pub(crate) fn append(&mut self, place: Place, document: &[u8]) -> Result<(), RunError> {
        match (self, place) {
            (Self::Files(files), Place::File(file)) => Ok(files.append(file, document)?),
            (Self::Spool { current, .. }, Place::Table(table)) => Ok(current.add(table, document)?),
            _ => unreachable!("places are of the intake that gave them"),
        }
    }

    /// Ends a sequence.
    pub(crate) fn seal(&mut self) -> Result<Batch, RunError> {
        Ok(match self {
            Self::Files(files) => Batch::Files(files.mark()?),
            Self::Spool { current, dir } => {
                let next = Spool::new(Arc::clone(dir));
                Batch::Spooled(std::mem::replace(current, next))
            }
        })
    }

    /// Forgets what is not committed.
    pub(crate) fn roll_back(&mut self, store: &Store, capture: &str) -> Result<(), RunError> {
        match self {
            Self::Files(files) => {
                let rows = store.files(capture)?;
                let committed: Vec<_> = rows.iter().map(crate::files::committed_length).collect();
                Ok(files.rollback_to(&committed)?)
            }
            Self::Spool { current, dir } => {
                *current = Spool::new(Arc::clone(dir));
                Ok(())
            }
        }
    }
}

impl Batch {
    /// This one, and then `next`, of the same intake.
    pub(crate) fn then(self, next: Batch) -> Result<Batch, SinkError> {
        Ok(match (self, next) {
            (Self::Files(mark), Self::Files(next)) => Self::Files(mark.then(next)),
            (Self::Spooled(spool), Self::Spooled(next)) => Self::Spooled(spool.then(next)?),
            _ => unreachable!("batches are of one intake"),
        })
    }

    /// Whether no more may wait with it.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Files(_) => false,
            Self::Spooled(spool) => spool.bytes() >= WAITING_BYTES,
        }
    }
}

/// A place for the documents of a capture, open.
pub(crate) struct Sink {
    pub(crate) intake: Intake,
    pub(crate) destination: Box<dyn Destination>,
}

/// What is needed to open a sink.
pub(crate) struct Opened<'a> {
    pub(crate) capture: &'a str,
    pub(crate) name: &'a str,
    pub(crate) settings: &'a SinkSettings,
    pub(crate) state_dir: &'a Path,
}

impl Sink {
    /// Opens the place for a capture's documents, and brings files back to what is committed of them.
    pub(crate) fn open(
        about: &Opened<'_>,
        stored: Option<&CaptureRow>,
        store: &mut Store,
    ) -> Result<Self, RunError> {
        let Opened {
            capture,
            name,
            settings,
            ..
        } = *about;
        if let SinkSettings::JsonLines { dir } = settings {
            let files = OutputFiles::open(dir, &store.files(capture)?)?;
            return Ok(Self::of_files(files));
        }
        let dir: Arc<Path> = about.state_dir.join("spool").into();
        let intake = Intake::Spool {
            current: Spool::new(Arc::clone(&dir)),
            dir,
        };
        let destination: Box<dyn Destination> = match settings.database(name)? {
            None => Box::new(stdout::Stdout {
                collections: Vec::new(),
            }),
            Some(database) => {
                let revision = stored.map_or(0, |stored| stored.revision);
                let tables = settings.tables();
                Box::new(Remote::open(
                    name, database, tables, capture, revision, store,
                )?)
            }
        };
        Ok(Self {
            intake,
            destination,
        })
    }

    /// Files that are open.
    pub(crate) fn of_files(files: OutputFiles) -> Self {
        Self {
            intake: Intake::Files(files),
            destination: Box::new(jsonl::JsonLines),
        }
    }

    /// The files that were longer than what is committed of them.
    pub(crate) fn recovered(&self) -> &[Recovered] {
        match &self.intake {
            Intake::Files(files) => files.recovered(),
            Intake::Spool { .. } => &[],
        }
    }

    /// Makes the collections of a capture's bindings ready, and says where the documents of each go in.
    pub(crate) fn places(
        &mut self,
        collections: &[&Collection],
        capture: &str,
        store: &mut Store,
    ) -> Result<Vec<Place>, RunError> {
        let Intake::Files(files) = &mut self.intake else {
            self.destination.prepare(collections)?;
            return Ok((0..collections.len()).map(Place::Table).collect());
        };
        let mut places = Vec::with_capacity(collections.len());
        for collection in collections {
            let path = file_path(&collection.name)?;
            match store.reader().file_owner(&path)? {
                // Asked first: opening would take the other capture's documents for somebody's that are in the way.
                Some(owner) if owner != capture => {
                    let capture = capture.to_owned();
                    return Err(StoreError::FileClaimed {
                        path,
                        owner,
                        capture,
                    }
                    .into());
                }
                _ => {}
            }
            let file = files.open_collection(&collection.name)?;
            store.claim_file(files.path(file), capture, &collection.name)?;
            places.push(Place::File(file));
        }
        Ok(places)
    }
}
