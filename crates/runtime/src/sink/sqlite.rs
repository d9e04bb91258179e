//! A SQLite database: `<table>` for each collection, and `staunch_checkpoints` and `staunch_tables` beside them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, ToSql, TransactionBehavior, params};

use super::SinkError;
use super::database::{Database, Entry, Recorded};
use super::spool::Spool;
use super::table::{Cell, Column, DOCUMENT, Kind, Layout, Remembered, Updates, quoted};
use crate::crash::point;

/// How long a commit waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS staunch_checkpoints (
    capture TEXT NOT NULL PRIMARY KEY, token TEXT NOT NULL, revision INTEGER NOT NULL, prior INTEGER NOT NULL, base INTEGER NOT NULL,
    state TEXT, details TEXT NOT NULL, updated_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS staunch_tables (
    name TEXT NOT NULL PRIMARY KEY, collection TEXT NOT NULL, layout TEXT NOT NULL
) STRICT;";

/// A SQLite database, open.
pub(super) struct Sqlite {
    name: String,
    path: PathBuf,
    connection: Connection,
    tables: Vec<Layout>,
}

impl Sqlite {
    pub(super) fn open(name: &str, path: &Path) -> Result<Self, SinkError> {
        let unreachable = |problem: String| SinkError::Unreachable {
            sink: name.to_owned(),
            problem: format!("{}: {problem}", path.display()),
        };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| unreachable(error.to_string()))?;
        }
        let connection = connect(path).map_err(|error| unreachable(error.to_string()))?;
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            connection,
            tables: Vec::new(),
        })
    }

    fn failed(&self, action: &'static str, error: &rusqlite::Error) -> SinkError {
        failed(&self.name, &self.path, action, error)
    }
}

fn failed(sink: &str, path: &Path, action: &'static str, error: &rusqlite::Error) -> SinkError {
    let (sink, problem) = (sink.to_owned(), format!("{}: {error}", path.display()));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull) => {
            SinkError::Down { sink, problem }
        }
        _ => SinkError::Failed {
            sink,
            action,
            problem,
        },
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(&format!("BEGIN IMMEDIATE;{TABLES}COMMIT;"))?;
    Ok(connection)
}

impl Database for Sqlite {
    fn record(&mut self, capture: &str) -> Result<Option<Recorded>, SinkError> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT token, prior, base, revision, state, details FROM staunch_checkpoints WHERE capture = ?1",
            )
            .and_then(|mut statement| {
                let row = statement.query_row([capture], |row| {
                    Ok(Recorded {
                        token: row.get(0)?,
                        prior: unsigned(row.get(1)?),
                        base: unsigned(row.get(2)?),
                        revision: unsigned(row.get(3)?),
                        state: row.get(4)?,
                        details: row.get(5)?,
                    })
                });
                row.optional()
            });
        found.map_err(|error| self.failed("reading its record", &error))
    }

    fn register(&mut self, capture: &str, token: &str, revision: u64) -> Result<(), SinkError> {
        let revision = signed(revision);
        self.connection
            .execute(
                "INSERT INTO staunch_checkpoints (capture, token, revision, prior, base, details, updated_at) \
                 VALUES (?1, ?2, ?3, ?3, ?3, '{}', '') ON CONFLICT DO NOTHING",
                params![capture, token, revision],
            )
            .map_err(|error| self.failed("registering the capture", &error))?;
        Ok(())
    }

    fn prepare(&mut self, layouts: Vec<Layout>) -> Result<(), SinkError> {
        let (name, path) = (self.name.clone(), self.path.clone());
        let failed = |error| failed(&name, &path, "making tables", &error);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        for layout in &layouts {
            match prepare(&transaction, layout).map_err(failed)? {
                Ok(()) => point("sink.table"),
                Err(problem) => {
                    return Err(SinkError::Table {
                        sink: name,
                        table: layout.table.clone(),
                        collection: layout.collection.clone(),
                        problem,
                    });
                }
            }
        }
        transaction.commit().map_err(failed)?;
        self.tables = layouts;
        Ok(())
    }

    fn commit(&mut self, spool: &Spool, entry: &Entry<'_>) -> Result<(), SinkError> {
        let (name, path) = (self.name.clone(), self.path.clone());
        let failed = |error: rusqlite::Error| failed(&name, &path, "committing", &error);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        point("sink.begun");
        let changed = transaction
            .prepare_cached(
                "UPDATE staunch_checkpoints SET revision = ?4, prior = ?3, base = ?5, state = coalesce(?6, state), details = ?7, updated_at = ?8 \
                 WHERE capture = ?1 AND token = ?2 AND revision = ?3",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    entry.capture,
                    entry.token,
                    signed(entry.prior),
                    signed(entry.revision),
                    signed(entry.base),
                    entry.state,
                    entry.details,
                    entry.at
                ])
            })
            .map_err(failed)?;
        if changed != 1 {
            drop(transaction);
            let found = self.record(entry.capture)?;
            return Err(SinkError::Taken {
                sink: self.name.clone(),
                capture: entry.capture.to_owned(),
                found: found.map_or(0, |found| found.revision),
            });
        }
        point("sink.recorded");
        for table in spool.tables() {
            let layout = &self.tables[table];
            let (insert, delete) = statements(layout);
            let mut insert = transaction.prepare_cached(&insert).map_err(failed)?;
            let mut delete = match &delete {
                Some(delete) => Some(transaction.prepare_cached(delete).map_err(failed)?),
                None => None,
            };
            let mut ordinal = 0;
            spool.each(table, |document| {
                ordinal += 1;
                let row = layout.row(document).map_err(|unfit| SinkError::Document {
                    sink: name.clone(),
                    collection: layout.collection.clone(),
                    ordinal,
                    at: match unfit.pointer.as_str() {
                        "" => String::new(),
                        pointer => format!("{pointer}: "),
                    },
                    problem: unfit.problem,
                })?;
                let executed = match &mut delete {
                    Some(delete) if row.is_deletion => {
                        delete.execute(rusqlite::params_from_iter(&row.cells[..layout.keys]))
                    }
                    _ => {
                        let document = std::str::from_utf8(document)
                            .map(|text| ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())));
                        let document = document.expect("a document that was validated is UTF-8");
                        let cells = row.cells.iter().map(|cell| cell as &dyn ToSql);
                        let values = cells.chain([&document as &dyn ToSql]);
                        insert.execute(rusqlite::params_from_iter(values))
                    }
                };
                executed.map(drop).map_err(failed)
            })?;
            point("sink.documents");
        }
        transaction.commit().map_err(failed)
    }

    fn reconnect(&mut self) -> Result<(), SinkError> {
        self.connection =
            connect(&self.path).map_err(|error| self.failed("opening the database", &error))?;
        Ok(())
    }
}

/// Makes a table, or adds to it what it has not.
fn prepare(connection: &Connection, layout: &Layout) -> rusqlite::Result<Result<(), String>> {
    let known: Option<(String, String)> = connection
        .prepare_cached("SELECT collection, layout FROM staunch_tables WHERE name = ?1")?
        .query_row([&layout.table], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let table = quoted(&layout.table);
    let Some((collection, known)) = known else {
        let is_there: bool = connection.query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE",
            [&layout.table],
            |row| row.get(0),
        )?;
        if is_there {
            return Ok(Err(
                "it is there, and no capture has made it; rename it, or name another one under `tables`".to_owned(),
            ));
        }
        let mut columns: Vec<String> = Vec::new();
        if layout.updates == Updates::Append {
            columns.push("flow_sequence INTEGER PRIMARY KEY AUTOINCREMENT".to_owned());
            columns.push(
                "flow_published_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"
                    .to_owned(),
            );
        }
        for (at, column) in layout.columns.iter().enumerate() {
            let null = if at < layout.keys { " NOT NULL" } else { "" };
            columns.push(format!("{}{null}", defined(column)));
        }
        columns.push(format!("{DOCUMENT} TEXT NOT NULL"));
        if layout.updates == Updates::Standard {
            columns.push(format!(
                "PRIMARY KEY ({})",
                names(&layout.columns[..layout.keys])
            ));
        }
        connection.execute_batch(&format!("CREATE TABLE {table} ({})", columns.join(", ")))?;
        remember(connection, layout, &layout.remembered())?;
        return Ok(Ok(()));
    };
    if collection != layout.collection {
        return Ok(Err(format!(
            "it is that of collection `{collection}`; name another one under `tables`"
        )));
    }
    let mut known: Remembered = match serde_json::from_str(&known) {
        Ok(known) => known,
        Err(error) => return Ok(Err(format!("what is known of it cannot be read: {error}"))),
    };
    let added: Vec<Column> = match layout.widens(&known) {
        Ok(added) => added.into_iter().cloned().collect(),
        Err(problem) => return Ok(Err(problem)),
    };
    if added.is_empty() {
        return Ok(Ok(()));
    }
    for column in &added {
        connection.execute_batch(&format!(
            "ALTER TABLE {table} ADD COLUMN {}",
            defined(column)
        ))?;
    }
    known.fields.extend(added);
    remember(connection, layout, &known)?;
    Ok(Ok(()))
}

fn remember(
    connection: &Connection,
    layout: &Layout,
    remembered: &Remembered,
) -> rusqlite::Result<()> {
    let text = serde_json::to_string(remembered).expect("layouts are JSON");
    connection.execute(
        "INSERT OR REPLACE INTO staunch_tables (name, collection, layout) VALUES (?1, ?2, ?3)",
        params![layout.table, layout.collection, text],
    )?;
    Ok(())
}

fn defined(column: &Column) -> String {
    let kind = match column.kind {
        Kind::Text | Kind::Timestamp | Kind::Json => "TEXT",
        Kind::Integer => "INTEGER",
        // As it is written: a float would make one of two keys.
        Kind::Number => "TEXT",
        Kind::Boolean => "INTEGER",
    };
    format!("{} {kind}", quoted(&column.name))
}

fn names(columns: &[Column]) -> String {
    let names = columns.iter().map(|column| quoted(&column.name));
    names.collect::<Vec<_>>().join(", ")
}

/// How a document is put in, and how the row of its key is removed.
fn statements(layout: &Layout) -> (String, Option<String>) {
    let table = quoted(&layout.table);
    let mut columns = names(&layout.columns);
    columns.push_str(&format!(", {DOCUMENT}"));
    let values = vec!["?"; layout.columns.len() + 1].join(", ");
    let insert = format!("INTO {table} ({columns}) VALUES ({values})");
    match layout.updates {
        Updates::Append => (format!("INSERT {insert}"), None),
        Updates::Standard => {
            let key = layout.columns[..layout.keys].iter();
            let is_key: Vec<_> = key
                .map(|column| format!("{} = ?", quoted(&column.name)))
                .collect();
            (
                format!("INSERT OR REPLACE {insert}"),
                Some(format!(
                    "DELETE FROM {table} WHERE {}",
                    is_key.join(" AND ")
                )),
            )
        }
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Text(text) | Cell::Timestamp(text) => ValueRef::Text(text.as_bytes()),
            Cell::Integer(value) => ValueRef::Integer(*value),
            Cell::Number(text) | Cell::Json(text) => ValueRef::Text(text.as_bytes()),
            Cell::Boolean(value) => ValueRef::Integer(i64::from(*value)),
        }))
    }
}

fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or_default()
}
