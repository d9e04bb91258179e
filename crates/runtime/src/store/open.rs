//! Opening the database: whose it is, which version, whether it is whole; and only then the first write to it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::StoreError;

/// `Stau` in ASCII: tells `file(1)` and us that the database is ours.
pub(super) const APPLICATION_ID: i64 = 0x5374_6175;
/// The version of the tables; goes up when they change.
pub(super) const USER_VERSION: i64 = 4;
/// The version with which histories came.
pub(super) const HISTORY_SINCE: i64 = 2;
/// The version with which came what runs know beside the states.
pub(super) const RUNS_SINCE: i64 = 3;
/// The version with which came the databases that documents go into.
pub(super) const SINKS_SINCE: i64 = 4;
/// Up to here a database is checked page by page at each opening (about 1 s per GB).
const QUICK_CHECK_LIMIT_BYTES: u64 = 64 << 20;
/// A state of 100 MiB passes through the log; afterwards the log is cut back to this.
const WAL_KEPT_BYTES: i64 = 16 << 20;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The first SQLite whose checkpoints cannot lose a commit to a racing writer.
const OLDEST_SQLITE: i32 = 3_051_003;

const TABLES: &str = include_str!("tables.sql");
const HISTORY: &str = include_str!("history.sql");
const RUNS: &str = include_str!("runs.sql");
const SINKS: &str = include_str!("sinks.sql");

/// Opens for writing; makes the tables when the database is new.
pub(super) fn writable(path: &Path) -> Result<Connection, StoreError> {
    refuse_old_sqlite()?;
    let failed = |action| move |source| StoreError::sqlite(action, path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(failed("opening the database"))?;
    harden(&connection).map_err(failed("setting up the connection"))?;
    // Until we know that the database is ours, nothing is written to it: not even its journal mode.
    if is_empty(&connection).map_err(failed("reading the database"))? {
        // In the rollback mode that a new database has, so that the tables are in the main file, durably, before there
        // is a log beside it. An empty main file is therefore always a store that never was, not one that was lost.
        create_tables(&mut connection).map_err(failed("creating the tables"))?;
    }
    let version = check_identity(&connection, path)?;
    check_pages(&connection, path)?;
    if version < HISTORY_SINCE {
        add_history(&mut connection).map_err(failed("adding the history"))?;
    }
    if version < RUNS_SINCE {
        add_tables(&mut connection, RUNS, RUNS_SINCE).map_err(failed("adding tables"))?;
    }
    if version < SINKS_SINCE {
        add_tables(&mut connection, SINKS, SINKS_SINCE).map_err(failed("adding tables"))?;
    }
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(failed("switching to the write-ahead log"))?;
    if mode != "wal" {
        let detail = format!("its journal mode is `{mode}` and cannot become `wal`");
        return Err(StoreError::Corrupt {
            path: path.to_owned(),
            detail,
        });
    }
    connection
        .pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)
        .map_err(failed("setting up the connection"))?;
    Ok(connection)
}

/// Opens for looking only; never changes the database. Answers with its version, too.
pub(super) fn read_only(path: &Path) -> Result<(Connection, i64), StoreError> {
    refuse_old_sqlite()?;
    if !path
        .try_exists()
        .map_err(|source| StoreError::io("looking for", path, source))?
    {
        return Err(StoreError::NotFound {
            path: path.to_owned(),
        });
    }
    let failed = |action| move |source| StoreError::sqlite(action, path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(failed("opening the database"))?;
    harden(&connection).map_err(failed("setting up the connection"))?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(failed("setting up the connection"))?;
    if is_empty(&connection).map_err(failed("reading the database"))? {
        return Err(StoreError::NotFound {
            path: path.to_owned(),
        });
    }
    let version = check_identity(&connection, path)?;
    Ok((connection, version))
}

/// Makes the names of new files in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    std::fs::File::open(dir)
        .and_then(|handle| handle.sync_all())
        .map_err(|source| StoreError::io("syncing the folder", dir, source))
}

/// Creates `dir` and what is missing above it.
pub(super) fn create_dir(dir: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(dir)
        .map_err(|source| StoreError::io("creating the folder", dir, source))
}

fn refuse_old_sqlite() -> Result<(), StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::OldSqlite {
            version: rusqlite::version(),
        });
    }
    Ok(())
}

/// What holds for every connection and writes nothing.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(32);
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // FULL, because an acknowledged commit must survive a loss of power.
    connection.pragma_update(None, "synchronous", "FULL")
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0
        && pragma(connection, "application_id")? == 0
        && pragma(connection, "user_version")? == 0)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn create_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(HISTORY)?;
    transaction.execute_batch(RUNS)?;
    transaction.execute_batch(SINKS)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", USER_VERSION)?;
    crate::crash::point("store.create.before_commit");
    transaction.commit()?;
    crate::crash::point("store.create.after_commit");
    Ok(())
}

/// Makes a store of version 2 of one of version 1, whose journal becomes the beginning of its history.
fn add_history(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    transaction.execute_batch(
        "DROP VIEW history; DROP TRIGGER journal_is_append_only_update; DROP TRIGGER journal_is_append_only_delete; \
         DROP INDEX journal_by_capture; ALTER TABLE journal RENAME TO journal_of_version_1;",
    )?;
    transaction.execute_batch(HISTORY)?;
    super::history::adopt_journal(&transaction)?;
    transaction.execute_batch("DROP TABLE journal_of_version_1")?;
    transaction.pragma_update(None, "user_version", HISTORY_SINCE)?;
    crate::crash::point("store.upgrade.before_commit");
    transaction.commit()?;
    crate::crash::point("store.upgrade.after_commit");
    Ok(())
}

/// Makes a store of this version of one of the version before, which has not these tables.
fn add_tables(connection: &mut Connection, tables: &str, version: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    transaction.execute_batch(tables)?;
    transaction.pragma_update(None, "user_version", version)?;
    crate::crash::point("store.upgrade.before_commit");
    transaction.commit()?;
    crate::crash::point("store.upgrade.after_commit");
    Ok(())
}

/// Whether the database is ours, and one that is known. Answers with its version.
fn check_identity(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let read = |name| {
        pragma(connection, name)
            .map_err(|source| StoreError::sqlite("reading the database", path, source))
    };
    let application_id = read("application_id")?;
    if application_id != APPLICATION_ID {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
            application_id,
        });
    }
    match read("user_version")? {
        found if found > USER_VERSION => Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: USER_VERSION,
        }),
        found @ 1..=USER_VERSION => Ok(found),
        found => {
            let detail = format!("its store version is {found}, which no release has written");
            Err(StoreError::Corrupt {
                path: path.to_owned(),
                detail,
            })
        }
    }
}

fn check_pages(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let size = std::fs::metadata(path)
        .map_err(|source| StoreError::io("looking at", path, source))?
        .len();
    if size > QUICK_CHECK_LIMIT_BYTES {
        return Ok(());
    }
    check_with(connection, path, "PRAGMA quick_check(1)")
}

/// Has SQLite look whether the database is whole.
pub(super) fn check_with(
    connection: &Connection,
    path: &Path,
    pragma: &str,
) -> Result<(), StoreError> {
    let verdict: String = connection
        .query_row(pragma, [], |row| row.get(0))
        .map_err(|source| StoreError::sqlite("checking the database", path, source))?;
    if verdict != "ok" {
        return Err(StoreError::Corrupt {
            path: path.to_owned(),
            detail: verdict,
        });
    }
    Ok(())
}
