//! A database that takes documents and state in one transaction, and how it and the store stay of one mind.
//!
//! ```text
//! the database   commits documents, and a record: token, revision, the one before, the state
//! the store      commits the same revision, and that the database has it
//! ```
//!
//! Where the record is one transaction ahead of the store, the store did not come to its commit: it takes over from the record what that has
//! committed, and nothing is captured twice. Anything else is refused: one of both was put back from an older copy, or somebody else writes there.
//!
//! A database that goes away is waited for. Whether it has committed what was under way then, its record tells when it is back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spool::Spool;
use super::table::{Layout, TableSettings};
use super::{Batch, Destination, Record, SinkError, SinkSettings, Waiting};
use crate::catalog::Collection;
use crate::crash::point;
use crate::error::RunError;
use crate::events::Event;
use crate::session::Urgency;
use crate::store::{Cause, Commit, FileLength, SinkRow, Store};

/// How long is waited before a database that went away is tried again, at first and at most.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What a database does.
pub(super) trait Database: Send {
    /// What it has of a capture.
    fn record(&mut self, capture: &str) -> Result<Option<Recorded>, SinkError>;

    /// Takes a capture in, unless it is there.
    fn register(&mut self, capture: &str, token: &str, revision: u64) -> Result<(), SinkError>;

    /// Makes the tables, or adds to them what they have not. From then on each is known by its place in the list.
    fn prepare(&mut self, layouts: Vec<Layout>) -> Result<(), SinkError>;

    /// Commits documents and record in one transaction, if the capture is at `entry.prior`.
    fn commit(&mut self, spool: &Spool, entry: &Entry<'_>) -> Result<(), SinkError>;

    /// Connects anew.
    fn reconnect(&mut self) -> Result<(), SinkError>;
}

/// A record that is to be.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) capture: &'a str,
    pub(super) token: &'a str,
    /// The revision that the database is to have of it.
    pub(super) prior: u64,
    /// The revision that the store has.
    pub(super) base: u64,
    pub(super) revision: u64,
    pub(super) state: Option<&'a str>,
    /// What else the store commits, as JSON.
    pub(super) details: String,
    pub(super) at: &'a str,
}

/// A record that is there.
#[derive(Debug, PartialEq)]
pub(super) struct Recorded {
    pub(super) token: String,
    pub(super) prior: u64,
    pub(super) base: u64,
    pub(super) revision: u64,
    /// The whole state, if there ever was one.
    pub(super) state: Option<String>,
    pub(super) details: String,
}

/// What the store commits beside the state.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Details {
    has_state: bool,
    documents: u64,
    checkpoints: u64,
    connector: String,
    at: String,
    cause: Option<Because>,
}

/// As [`Cause`], to be kept.
#[derive(Debug, Serialize, Deserialize)]
struct Because {
    kind: String,
    migrations: String,
    consents: String,
    author: String,
    reason: String,
}

/// A database, as the destination of one capture.
pub(super) struct Remote {
    name: String,
    database: Box<dyn Database>,
    tables: TableSettings,
    token: String,
    /// The revision that it has.
    prior: u64,
    is_certain: bool,
}

impl Remote {
    /// Sees that the database and the store are of one mind about a capture.
    pub(super) fn open(
        name: &str,
        mut database: Box<dyn Database>,
        tables: TableSettings,
        capture: &str,
        revision: u64,
        store: &mut Store,
    ) -> Result<Self, RunError> {
        let row = match store.reader().sink(capture, name)? {
            Some(row) => row,
            None => {
                let row = SinkRow {
                    sink: name.to_owned(),
                    token: token()?,
                    revision,
                    is_registered: false,
                    is_settled: true,
                };
                store.add_sink(capture, &row)?;
                point("sink.added");
                row
            }
        };
        let prior = match row.is_registered {
            true => check(&row, &mut *database, capture)?.revision,
            false => {
                database.register(capture, &row.token, revision)?;
                point("sink.registered");
                let found = database.record(capture)?;
                let found =
                    found.map_or_else(|| (String::new(), 0), |found| (found.token, found.revision));
                if found.0 != row.token {
                    return Err(SinkError::Taken {
                        sink: name.to_owned(),
                        capture: capture.to_owned(),
                        found: found.1,
                    }
                    .into());
                }
                store.register_sink(capture, name, found.1)?;
                found.1
            }
        };
        if row.is_settled {
            store.settle_sink(capture, name, false)?;
        }
        Ok(Self {
            name: name.to_owned(),
            database,
            tables,
            token: row.token,
            prior,
            is_certain: true,
        })
    }
}

impl Destination for Remote {
    fn prepare(&mut self, collections: &[&Collection]) -> Result<(), SinkError> {
        let mut layouts: Vec<Layout> = Vec::with_capacity(collections.len());
        for collection in collections {
            let unfit = |table: &str, problem| SinkError::Table {
                sink: self.name.clone(),
                table: table.to_owned(),
                collection: collection.name.clone(),
                problem,
            };
            let layout = Layout::new(collection, &self.tables)
                .map_err(|problem| unfit(&collection.name, problem))?;
            if let Some(other) = layouts.iter().find(|other| other.table == layout.table) {
                let problem = format!(
                    "that of collection `{}` is called so, too; name another one under `tables`",
                    other.collection
                );
                return Err(unfit(&layout.table, problem));
            }
            layouts.push(layout);
        }
        self.database.prepare(layouts)
    }

    fn commit(
        &mut self,
        batch: &Batch,
        record: &Record<'_>,
        waiting: &Waiting<'_>,
    ) -> Result<Vec<FileLength>, RunError> {
        let Batch::Spooled(spool) = batch else {
            unreachable!("documents are spooled for what is no file");
        };
        let details = Details {
            has_state: record.state.is_some(),
            documents: record.documents,
            checkpoints: record.checkpoints,
            connector: record.connector.to_owned(),
            at: record.at.to_owned(),
            cause: record.cause.map(|cause| Because {
                kind: cause.kind.to_owned(),
                migrations: cause.migrations.to_owned(),
                consents: cause.consents.to_owned(),
                author: cause.author.to_owned(),
                reason: cause.reason.to_owned(),
            }),
        };
        let entry = Entry {
            capture: record.capture,
            token: &self.token,
            prior: self.prior,
            base: record.base,
            revision: record.base + 1,
            state: record.state,
            details: serde_json::to_string(&details).expect("details are JSON"),
            at: record.at,
        };
        point("sink.before_commit");
        self.is_certain = false;
        if let Err(error) = self.database.commit(spool, &entry) {
            if !error.is_transient() {
                self.is_certain = true; // It has said that it did not.
                return Err(error.into());
            }
            insist(
                &mut *self.database,
                &self.name,
                spool,
                &entry,
                error,
                waiting,
            )?;
        }
        point("sink.after_commit");
        self.prior = record.base + 1;
        self.is_certain = true;
        Ok(Vec::new())
    }

    fn sink(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn is_certain(&self) -> bool {
        self.is_certain
    }
}

/// Commits to a database that went away while it was asked to, once it is back, unless it has.
fn insist(
    database: &mut dyn Database,
    name: &str,
    spool: &Spool,
    entry: &Entry<'_>,
    mut error: SinkError,
    waiting: &Waiting<'_>,
) -> Result<(), SinkError> {
    let mut wait = FIRST_WAIT;
    loop {
        waiting.observer.event(Event::SinkDown {
            sink: name,
            problem: &error,
            next_in: wait,
        });
        let rings = waiting.stop.rings();
        if waiting.stop.wait(rings, Urgency::None, wait) != Urgency::None {
            return Err(error);
        }
        wait = (wait * 2).min(LONGEST_WAIT);
        let outcome = database
            .reconnect()
            .and_then(|()| database.record(entry.capture))
            .and_then(|found| match found {
                Some(found) if found.token == entry.token && found.revision == entry.revision => {
                    Ok(()) // It had committed before it went.
                }
                Some(found) if found.token == entry.token && found.revision == entry.prior => {
                    database.commit(spool, entry)
                }
                found => Err(SinkError::Taken {
                    sink: name.to_owned(),
                    capture: entry.capture.to_owned(),
                    found: found.map_or(0, |found| found.revision),
                }),
            });
        match outcome {
            Ok(()) => {
                waiting.observer.event(Event::SinkUp { sink: name });
                return Ok(());
            }
            // Its answer may be that it is not ready yet, in whatever words.
            Err(SinkError::Unreachable { sink, problem }) => {
                error = SinkError::Down { sink, problem };
            }
            Err(again) if again.is_transient() => error = again,
            Err(other) => return Err(other),
        }
    }
}

/// What a database has of a capture that the store knows there.
fn check(row: &SinkRow, database: &mut dyn Database, capture: &str) -> Result<Recorded, SinkError> {
    let sink = || row.sink.clone();
    let found = database.record(capture)?;
    match found {
        None => Err(SinkError::Emptied {
            sink: sink(),
            capture: capture.to_owned(),
            known: row.revision,
        }),
        Some(found) if found.token != row.token => Err(SinkError::Taken {
            sink: sink(),
            capture: capture.to_owned(),
            found: found.revision,
        }),
        Some(found) if found.revision != row.revision => Err(SinkError::Diverged {
            sink: sink(),
            capture: capture.to_owned(),
            there: found.revision,
            prior: found.prior,
            known: row.revision,
        }),
        Some(found) => Ok(found),
    }
}

/// Has the store catch up with every database of which it is not known that all it has of the capture is here.
pub(crate) fn settle<'s>(
    capture: &str,
    store: &mut Store,
    settings: impl Fn(&str) -> Option<&'s SinkSettings>,
) -> Result<(), RunError> {
    for row in store.reader().unsettled_sinks(capture)? {
        if row.is_registered {
            let unsettled = |problem: String| SinkError::Unsettled {
                sink: row.sink.clone(),
                capture: capture.to_owned(),
                problem,
            };
            let named = settings(&row.sink).ok_or_else(|| {
                unsettled("staunch.yaml has no such sink any more; name it there".to_owned())
            })?;
            let database = match named.database(&row.sink) {
                Err(SinkError::Unreachable { problem, .. }) => {
                    return Err(unsettled(problem).into());
                }
                other => other?,
            };
            let mut database = database.ok_or_else(|| {
                unsettled(
                    "staunch.yaml says it is no database any more; give the new one another name"
                        .to_owned(),
                )
            })?;
            catch_up(&row, &mut *database, capture, store)?;
        }
        store.settle_sink(capture, &row.sink, true)?;
    }
    Ok(())
}

/// Commits here what is committed there, if that is one transaction more.
pub(super) fn catch_up(
    row: &SinkRow,
    database: &mut dyn Database,
    capture: &str,
    store: &mut Store,
) -> Result<(), RunError> {
    let stored = store.load(capture)?.map_or(0, |stored| stored.revision);
    let ahead = database.record(capture)?.filter(|found| {
        found.token == row.token && found.prior == row.revision && found.revision != row.revision
    });
    let Some(found) = ahead.filter(|found| found.base == stored) else {
        check(row, database, capture)?;
        return Ok(());
    };
    let details: Details =
        serde_json::from_str(&found.details).map_err(|error| SinkError::Failed {
            sink: row.sink.clone(),
            action: "reading its record",
            problem: error.to_string(),
        })?;
    point("sink.before_catching_up");
    store.commit_after(
        Some(&row.sink),
        &Commit {
            capture,
            expected_revision: stored,
            state: found.state.as_deref().filter(|_| details.has_state),
            files: &[],
            documents: details.documents,
            checkpoints: details.checkpoints,
            connector: &details.connector,
            at: &details.at,
            update: None,
            cause: details.cause.as_ref().map(|cause| Cause {
                kind: &cause.kind,
                migrations: &cause.migrations,
                consents: &cause.consents,
                author: &cause.author,
                reason: &cause.reason,
            }),
        },
    )?;
    Ok(())
}

/// What no other store has.
fn token() -> Result<String, RunError> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut bytes))
        .map_err(|source| SinkError::Io {
            action: "reading",
            path: "/dev/urandom".into(),
            source,
        })?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}
