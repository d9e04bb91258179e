//! A PostgreSQL database: `<table>` for each collection, and `staunch_checkpoints` and `staunch_tables` beside them, in one schema.
//!
//! Many new documents are copied straight into their table. If one of them has a key that is there, or is a deletion, that copy is undone (it
//! is a savepoint of the transaction), and rows are put in by key; a table in which that happens is copied into less often.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::SinkExt as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, CopyInSink, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::SinkError;
use super::database::{Database, Entry, Recorded};
use super::spool::Spool;
use super::table::{
    Cell, Column, DOCUMENT, Kind, Layout, Remembered, Row, TableSettings, Updates, quoted,
};
use crate::crash::point;

/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// How long a server may leave what was sent to it unacknowledged.
const SILENCE_PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a copy that are handed over at once.
const COPY_BYTES: usize = 256 << 10;

/// What is put in by key at once.
const CHUNK_ROWS: usize = 4096;
const CHUNK_BYTES: usize = 4 << 20;

/// Up to so many documents of a transaction are put in by key at once: a copy has more ways to go.
const FEW_ROWS: usize = 200;

/// How many transactions a table is not copied into, at most, after keys were found to be there.
const LONGEST_ABSTENTION: u32 = 1024;

/// What a setting up of a connection says. A lock that somebody holds for ever is waited for no longer than this.
const SESSION: &str = "SET lock_timeout = '60s'; SET idle_in_transaction_session_timeout = '10min'; SET client_min_messages = warning; \
                       SET standard_conforming_strings = on; SET DateStyle = ISO; SET synchronous_commit = on";

/// How a PostgreSQL database is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// `postgres://…` or `host=… user=…`; what it refers to in the environment is filled in when it is used.
    pub dsn: String,
    /// The schema of all tables.
    pub schema: String,
    /// The type of the column with the document: `jsonb` or `json`.
    pub document: &'static str,
    /// Certificates of authorities that are trusted, as PEM; those of the system otherwise.
    pub root_certificates: Option<PathBuf>,
    /// How collections become tables.
    pub tables: TableSettings,
}

impl std::fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("schema", &self.schema)
            .finish_non_exhaustive() // The address may have a password.
    }
}

/// A PostgreSQL database, connected.
pub(super) struct Postgres {
    name: String,
    config: Config,
    tls: MakeRustlsConnect,
    schema: String,
    document: &'static str,
    tables: Vec<Table>,
    statements: HashMap<String, Statement>,
    // The runtime is shut down after what runs on it.
    client: Client,
    runtime: Runtime,
}

struct Table {
    layout: Layout,
    /// How many transactions it is not to be copied into.
    abstain: u32,
    /// How many it was the last time.
    abstained: u32,
}

impl Postgres {
    pub(super) fn open(name: &str, settings: &PostgresSettings) -> Result<Self, SinkError> {
        let unreachable = |problem: String| SinkError::Unreachable {
            sink: name.to_owned(),
            problem,
        };
        let dsn = fill_in(&settings.dsn).map_err(unreachable)?;
        // What is wrong with it is not told in its own words: it may have a password.
        let mut config: Config = dsn.parse().map_err(|_| {
            unreachable("its `dsn` is no address of a PostgreSQL database: `postgres://user@host/database` or `host=… user=… dbname=…`".to_owned())
        })?;
        if config.get_password().is_none()
            && let Ok(password) = std::env::var("PGPASSWORD")
        {
            config.password(password);
        }
        config
            .application_name("staunch")
            .connect_timeout(CONNECT_PATIENCE)
            .tcp_user_timeout(SILENCE_PATIENCE)
            .keepalives_idle(SILENCE_PATIENCE);
        let tls = tls(settings.root_certificates.as_ref()).map_err(unreachable)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|error| unreachable(error.to_string()))?;
        let client = connect(&runtime, &config, &tls)
            .map_err(|error| unreachable(address(&config) + &said(&error)))?;
        let mut this = Self {
            name: name.to_owned(),
            config,
            tls,
            schema: settings.schema.clone(),
            document: settings.document,
            tables: Vec::new(),
            statements: HashMap::new(),
            client,
            runtime,
        };
        this.set_up()?;
        Ok(this)
    }

    /// Makes the tables for what is known of captures. Several may do so at once.
    fn set_up(&mut self) -> Result<(), SinkError> {
        let schema = quoted(&self.schema);
        let is_there = self.run("looking for its tables", async |client| {
            let row = client
                .query_one(
                    "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL",
                    &[
                        &format!("{schema}.staunch_checkpoints"),
                        &format!("{schema}.staunch_tables"),
                    ],
                )
                .await?;
            Ok(row.get::<_, bool>(0))
        })?;
        if is_there {
            return Ok(());
        }
        let sql = format!(
            "BEGIN; SELECT pg_advisory_xact_lock({LOCK}); \
             CREATE SCHEMA IF NOT EXISTS {schema}; \
             CREATE TABLE IF NOT EXISTS {schema}.staunch_checkpoints (\
               capture text PRIMARY KEY, token text NOT NULL, revision bigint NOT NULL, prior bigint NOT NULL, base bigint NOT NULL, \
               state text, details text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()); \
             CREATE TABLE IF NOT EXISTS {schema}.staunch_tables (\
               name text PRIMARY KEY, collection text NOT NULL, layout text NOT NULL); \
             COMMIT"
        );
        let made = self.run("making its tables", async |client| {
            client.batch_execute(&sql).await
        });
        self.undo_if(&made);
        made
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(name))
    }

    /// Asks the database for something.
    fn run<T>(
        &self,
        action: &'static str,
        ask: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, SinkError> {
        let outcome = self.runtime.block_on(ask(&self.client));
        outcome.map_err(|error| self.failed(action, &error))
    }

    fn failed(&self, action: &'static str, error: &tokio_postgres::Error) -> SinkError {
        let (sink, problem) = (self.name.clone(), said(error));
        match is_transient(error) {
            true => SinkError::Down { sink, problem },
            false => SinkError::Failed {
                sink,
                action,
                problem,
            },
        }
    }

    /// Leaves a transaction that has failed.
    fn undo_if<T>(&self, outcome: &Result<T, SinkError>) {
        if outcome.is_err() {
            let _ = self.runtime.block_on(self.client.batch_execute("ROLLBACK"));
        }
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, SinkError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.run("preparing a statement", async |client| {
            client.prepare(sql).await
        })?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// What is done between `BEGIN` and `COMMIT`.
    fn put(&mut self, spool: &Spool, entry: &Entry<'_>) -> Result<(), SinkError> {
        let sql = format!(
            "UPDATE {} SET revision = $4, prior = $3, base = $5, state = coalesce($6, state), details = $7, updated_at = now() \
             WHERE capture = $1 AND token = $2 AND revision = $3",
            self.table("staunch_checkpoints")
        );
        let update = self.statement(&sql)?;
        let changed = self.run("committing", async |client| {
            let (prior, revision, base) = (
                signed(entry.prior),
                signed(entry.revision),
                signed(entry.base),
            );
            client
                .execute(
                    &update,
                    &[
                        &entry.capture,
                        &entry.token,
                        &prior,
                        &revision,
                        &base,
                        &entry.state,
                        &entry.details,
                    ],
                )
                .await
        })?;
        if changed != 1 {
            let found = self.record(entry.capture)?;
            return Err(SinkError::Taken {
                sink: self.name.clone(),
                capture: entry.capture.to_owned(),
                found: found.map_or(0, |found| found.revision),
            });
        }
        point("sink.recorded");
        for table in spool.tables() {
            self.put_documents(spool, table)?;
            point("sink.documents");
        }
        Ok(())
    }

    fn put_documents(&mut self, spool: &Spool, table: usize) -> Result<(), SinkError> {
        if self.tables[table].layout.updates == Updates::Append {
            return match self.copy(spool, table)? {
                Copied::All => Ok(()),
                Copied::NotAsNew(error) => Err(error),
            };
        }
        let mut documents = 0;
        spool.each(table, |_| {
            documents += 1;
            Ok(())
        })?;
        let known = &mut self.tables[table];
        if documents > FEW_ROWS && known.abstain == 0 {
            match self.copy(spool, table)? {
                Copied::All => {
                    self.tables[table].abstained = 0;
                    return Ok(());
                }
                Copied::NotAsNew(_) => {
                    let known = &mut self.tables[table];
                    known.abstained = (known.abstained * 2).clamp(8, LONGEST_ABSTENTION);
                    known.abstain = known.abstained;
                }
            }
        } else if documents > FEW_ROWS {
            known.abstain -= 1;
        }
        self.put_by_key(spool, table)
    }

    /// Copies the documents straight into their table, all or none of them.
    fn copy(&mut self, spool: &Spool, table: usize) -> Result<Copied, SinkError> {
        let sql = {
            let layout = &self.tables[table].layout;
            format!(
                "COPY {} ({}, {DOCUMENT}) FROM STDIN",
                self.table(&layout.table),
                names(&layout.columns)
            )
        };
        self.run("copying", async |client| {
            client.batch_execute("SAVEPOINT copying").await
        })?;
        let mut has_deletions = false;
        let outcome = {
            let this = &*self;
            let layout = &this.tables[table].layout;
            let sink = this.run("copying", async |client| {
                client.copy_in::<_, Bytes>(&sql).await
            })?;
            let mut sink: Pin<Box<CopyInSink<Bytes>>> = Box::pin(sink);
            let mut buffer = BytesMut::with_capacity(COPY_BYTES + (COPY_BYTES >> 2));
            let mut ordinal = 0;
            let fed = spool.each(table, |document| {
                ordinal += 1;
                if has_deletions {
                    return Ok(());
                }
                let row = this.row(layout, document, ordinal)?;
                has_deletions = row.is_deletion;
                write_row(&mut buffer, &row, document);
                if buffer.len() >= COPY_BYTES {
                    let full = buffer.split().freeze();
                    let sent = this.runtime.block_on(sink.send(full));
                    sent.map_err(|error| this.failed("copying", &error))?;
                    buffer.reserve(COPY_BYTES + (COPY_BYTES >> 2));
                }
                Ok(())
            });
            match fed {
                // Dropped without its end, a copy is given up.
                Ok(()) if has_deletions => None,
                Ok(()) => Some(this.runtime.block_on(async {
                    sink.send(buffer.freeze()).await?;
                    sink.as_mut().finish().await
                })),
                Err(SinkError::Failed { .. } | SinkError::Down { .. }) => {
                    // The server said something while it was being sent more; that is what counts.
                    Some(this.runtime.block_on(sink.as_mut().finish()))
                }
                Err(error) => return Err(error),
            }
        };
        let error = match outcome {
            Some(Ok(_)) => {
                self.run("copying", async |client| {
                    client.batch_execute("RELEASE SAVEPOINT copying").await
                })?;
                return Ok(Copied::All);
            }
            Some(Err(error)) if error.code() != Some(&SqlState::UNIQUE_VIOLATION) => {
                return Err(self.document_failed(&error, spool, table));
            }
            Some(Err(error)) => self.failed("copying", &error),
            None => SinkError::Failed {
                sink: self.name.clone(),
                action: "copying",
                problem: "there are deletions".to_owned(),
            },
        };
        self.run("copying", async |client| {
            client.batch_execute("ROLLBACK TO SAVEPOINT copying").await
        })?;
        Ok(Copied::NotAsNew(error))
    }

    /// Puts each document in the place of the one of its key.
    fn put_by_key(&mut self, spool: &Spool, table: usize) -> Result<(), SinkError> {
        let sql = {
            let layout = &self.tables[table].layout;
            by_key(layout, &self.table(&layout.table), self.document)
        };
        let statement = self.statement(&sql)?;
        let this = &*self;
        let layout = &this.tables[table].layout;
        let mut chunk = Chunk::new(layout.columns.len());
        let mut ordinal = 0;
        let put = |chunk: &mut Chunk| -> Result<(), SinkError> {
            let parameters: Vec<&(dyn ToSql + Sync)> = chunk
                .columns
                .iter()
                .map(|column| column as &(dyn ToSql + Sync))
                .chain([
                    &chunk.documents as &(dyn ToSql + Sync),
                    &chunk.deletions as &(dyn ToSql + Sync),
                ])
                .collect();
            let done = this
                .runtime
                .block_on(this.client.execute(&statement, &parameters));
            done.map_err(|error| this.document_failed(&error, spool, table))?;
            chunk.clear();
            Ok(())
        };
        spool.each(table, |document| {
            ordinal += 1;
            let row = this.row(layout, document, ordinal)?;
            chunk.add(&row, document);
            match chunk.is_full() {
                true => put(&mut chunk),
                false => Ok(()),
            }
        })?;
        match chunk.documents.is_empty() {
            true => Ok(()),
            false => put(&mut chunk),
        }
    }

    fn row<'d>(
        &self,
        layout: &'d Layout,
        document: &'d [u8],
        ordinal: u64,
    ) -> Result<Row<'d>, SinkError> {
        let unfit = |pointer: &str, problem: String| SinkError::Document {
            sink: self.name.clone(),
            collection: layout.collection.clone(),
            ordinal,
            at: match pointer {
                "" => String::new(),
                pointer => format!("{pointer}: "),
            },
            problem,
        };
        if self.document == "jsonb"
            && memchr::memmem::find(document, b"\\u0000").is_some()
            && let Some(pointer) = nul(document)
        {
            let problem =
                "a character U+0000, which `jsonb` cannot have; say `document: json` for this sink";
            return Err(unfit(&pointer, problem.to_owned()));
        }
        let row = layout
            .row(document)
            .map_err(|error| unfit(&error.pointer, error.problem))?;
        for (cell, column) in row.cells.iter().zip(&layout.columns) {
            if let Cell::Text(text) | Cell::Timestamp(text) = cell
                && text.contains('\0')
            {
                let problem = "a character U+0000, which a column of text cannot have".to_owned();
                return Err(unfit(&column.pointer, problem));
            }
        }
        Ok(row)
    }

    /// What the database has against documents. Which one it is, it does not tell without telling what is in it.
    fn document_failed(&self, error: &tokio_postgres::Error, _: &Spool, table: usize) -> SinkError {
        match self.failed("putting in documents", error) {
            SinkError::Failed {
                sink,
                action,
                problem,
            } => SinkError::Failed {
                sink,
                action,
                problem: format!(
                    "{problem} (collection `{}`)",
                    self.tables[table].layout.collection
                ),
            },
            other => other,
        }
    }

    /// Makes a table, or adds to it what it has not.
    fn make(&self, layout: &Layout, known: Option<&(String, String)>) -> Result<(), SinkError> {
        let unfit = |problem: String| SinkError::Table {
            sink: self.name.clone(),
            table: layout.table.clone(),
            collection: layout.collection.clone(),
            problem,
        };
        let table = self.table(&layout.table);
        let (sql, remembered) = match known {
            None => {
                let is_there = self.run("looking for a table", async |client| {
                    let row = client
                        .query_one("SELECT to_regclass($1) IS NOT NULL", &[&table])
                        .await?;
                    Ok(row.get::<_, bool>(0))
                })?;
                if is_there {
                    return Err(unfit(
                        "it is there, and no capture has made it; rename it, or name another one under `tables`".to_owned(),
                    ));
                }
                (creation(layout, &table, self.document), layout.remembered())
            }
            Some((collection, _)) if *collection != layout.collection => {
                return Err(unfit(format!(
                    "it is that of collection `{collection}`; name another one under `tables`"
                )));
            }
            Some((_, known)) => {
                let mut known: Remembered = serde_json::from_str(known).map_err(|error| {
                    unfit(format!("what is known of it cannot be read: {error}"))
                })?;
                let added: Vec<Column> = layout
                    .widens(&known)
                    .map_err(unfit)?
                    .into_iter()
                    .cloned()
                    .collect();
                if added.is_empty() {
                    return Ok(());
                }
                let columns = added.iter();
                let columns: Vec<_> = columns
                    .map(|column| format!("ADD COLUMN {}", defined(column)))
                    .collect();
                known.fields.extend(added);
                (format!("ALTER TABLE {table} {}", columns.join(", ")), known)
            }
        };
        let text = serde_json::to_string(&remembered).expect("layouts are JSON");
        let remember = format!(
            "INSERT INTO {} (name, collection, layout) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET layout = excluded.layout",
            self.table("staunch_tables")
        );
        self.run("making a table", async |client| {
            client.batch_execute(&sql).await?;
            client
                .execute(&remember, &[&layout.table, &layout.collection, &text])
                .await
        })?;
        point("sink.table");
        Ok(())
    }
}

enum Copied {
    All,
    /// Some keys are there, or there are deletions. What it was.
    NotAsNew(SinkError),
}

/// What is locked while tables are made: `Stau`, as in the store.
const LOCK: i64 = 0x5374_6175;

impl Database for Postgres {
    fn record(&mut self, capture: &str) -> Result<Option<Recorded>, SinkError> {
        let sql = format!(
            "SELECT token, prior, base, revision, state, details FROM {} WHERE capture = $1",
            self.table("staunch_checkpoints")
        );
        let row = self.run("reading its record", async |client| {
            client.query_opt(&sql, &[&capture]).await
        })?;
        Ok(row.map(|row| Recorded {
            token: row.get(0),
            prior: unsigned(row.get(1)),
            base: unsigned(row.get(2)),
            revision: unsigned(row.get(3)),
            state: row.get(4),
            details: row.get(5),
        }))
    }

    fn register(&mut self, capture: &str, token: &str, revision: u64) -> Result<(), SinkError> {
        let sql = format!(
            "INSERT INTO {} (capture, token, revision, prior, base, details) VALUES ($1, $2, $3, $3, $3, '{{}}') ON CONFLICT DO NOTHING",
            self.table("staunch_checkpoints")
        );
        let revision = signed(revision);
        self.run("registering the capture", async |client| {
            client.execute(&sql, &[&capture, &token, &revision]).await
        })?;
        Ok(())
    }

    fn prepare(&mut self, layouts: Vec<Layout>) -> Result<(), SinkError> {
        let sql = format!(
            "SELECT name, collection, layout FROM {}",
            self.table("staunch_tables")
        );
        let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})");
        let prepared = (|| {
            let rows = self.run("looking for its tables", async |client| {
                client.batch_execute(&begin).await?;
                client.query(&sql, &[]).await
            })?;
            let known: HashMap<String, (String, String)> = rows
                .iter()
                .map(|row| (row.get(0), (row.get(1), row.get(2))))
                .collect();
            for layout in &layouts {
                self.make(layout, known.get(&layout.table))?;
            }
            self.run("making its tables", async |client| {
                client.batch_execute("COMMIT").await
            })
        })();
        self.undo_if(&prepared);
        prepared?;
        let tables = layouts.into_iter();
        self.tables = tables
            .map(|layout| Table {
                layout,
                abstain: 0,
                abstained: 0,
            })
            .collect();
        Ok(())
    }

    fn commit(&mut self, spool: &Spool, entry: &Entry<'_>) -> Result<(), SinkError> {
        self.run("beginning a transaction", async |client| {
            client.batch_execute("BEGIN").await
        })?;
        point("sink.begun");
        let put = self.put(spool, entry);
        self.undo_if(&put);
        put?;
        self.run("committing", async |client| {
            client.batch_execute("COMMIT").await
        })
    }

    fn reconnect(&mut self) -> Result<(), SinkError> {
        self.statements.clear();
        let connected = connect(&self.runtime, &self.config, &self.tls);
        self.client = connected.map_err(|error| SinkError::Down {
            sink: self.name.clone(),
            problem: address(&self.config) + &said(&error),
        })?;
        Ok(())
    }
}

fn connect(
    runtime: &Runtime,
    config: &Config,
    tls: &MakeRustlsConnect,
) -> Result<Client, tokio_postgres::Error> {
    runtime.block_on(async {
        let (client, connection) = config.connect(tls.clone()).await?;
        let connection: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(connection);
        tokio::spawn(connection); // Its error comes up wherever the client is asked for something.
        client.batch_execute(SESSION).await?;
        Ok(client)
    })
}

/// Certificates are always checked, also where the address does not ask for it.
fn tls(roots: Option<&PathBuf>) -> Result<MakeRustlsConnect, String> {
    let mut store = rustls::RootCertStore::empty();
    match roots {
        Some(path) => {
            let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let all = CertificateDer::pem_file_iter(path).map_err(|error| told(&error))?;
            for certificate in all {
                let certificate = certificate.map_err(|error| told(&error))?;
                store.add(certificate).map_err(|error| told(&error))?;
            }
            if store.is_empty() {
                return Err(told(&"there is no certificate in it"));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Puts in what `${env:NAME}` stands for.
fn fill_in(text: &str) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${env:") {
        let (name, after) = after
            .split_once('}')
            .ok_or("`${env:` in its `dsn` has no end")?;
        let value = std::env::var(name).map_err(|_| {
            format!("its `dsn` wants the environment variable `{name}`, which is not set")
        })?;
        filled.push_str(before);
        filled.push_str(&value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Where it was looked for.
fn address(config: &Config) -> String {
    use tokio_postgres::config::Host;
    let mut text = String::new();
    for (at, host) in config.get_hosts().iter().enumerate() {
        let port = config.get_ports().get(at).or(config.get_ports().first());
        let port = port.copied().unwrap_or(5432);
        let _ = match host {
            Host::Tcp(host) => write!(text, "{host}:{port}: "),
            Host::Unix(path) => write!(text, "{} (port {port}): ", path.display()),
        };
    }
    text
}

/// What a database said, but for what it tells of values.
fn said(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

/// Whether it may be otherwise the next time.
fn is_transient(error: &tokio_postgres::Error) -> bool {
    let Some(error) = error.as_db_error() else {
        return true; // It was not the database that said so.
    };
    let code = error.code().code();
    // Connections, resources such as disks, an operator's word, and whom another transaction was in the way of.
    let classes = ["08", "53", "57", "58", "40", "55"];
    let is_read_only = *error.code() == SqlState::READ_ONLY_SQL_TRANSACTION;
    is_read_only || classes.iter().any(|class| code.starts_with(class))
}

fn creation(layout: &Layout, table: &str, document: &str) -> String {
    let mut columns: Vec<String> = Vec::new();
    if layout.updates == Updates::Append {
        columns.push("flow_sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY".to_owned());
        columns.push("flow_published_at timestamptz NOT NULL DEFAULT now()".to_owned());
    }
    for (at, column) in layout.columns.iter().enumerate() {
        let null = if at < layout.keys { " NOT NULL" } else { "" };
        columns.push(format!("{}{null}", defined(column)));
    }
    columns.push(format!("{DOCUMENT} {document} NOT NULL"));
    if layout.updates == Updates::Standard {
        columns.push(format!(
            "PRIMARY KEY ({})",
            names(&layout.columns[..layout.keys])
        ));
    }
    format!("CREATE TABLE {table} ({})", columns.join(", "))
}

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Text => "text",
        Kind::Integer => "bigint",
        Kind::Number => "numeric",
        Kind::Boolean => "boolean",
        Kind::Timestamp => "timestamptz",
        Kind::Json => "jsonb",
    }
}

fn defined(column: &Column) -> String {
    let kind = kind(column);
    // Keys that are the same text are the same key, whatever the language of the database.
    let collation = if kind == "text" { " COLLATE \"C\"" } else { "" };
    format!("{} {kind}{collation}", quoted(&column.name))
}

fn names(columns: &[Column]) -> String {
    let names = columns.iter().map(|column| quoted(&column.name));
    names.collect::<Vec<_>>().join(", ")
}

/// Of the documents of each key, the last one takes the place of the one that is there, or removes it.
fn by_key(layout: &Layout, table: &str, document: &str) -> String {
    let columns = &layout.columns;
    let key = &columns[..layout.keys];
    let arrays: Vec<_> = (1..=columns.len() + 1)
        .map(|number| format!("${number}::text[]"))
        .collect();
    let taken: Vec<_> = (0..columns.len()).map(|at| format!("c{at}")).collect();
    let cast: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| format!("c{at}::{} AS c{at}", kind(column)))
        .collect();
    let keys: Vec<_> = (0..key.len()).map(|at| format!("c{at}")).collect();
    let same: Vec<_> = key
        .iter()
        .enumerate()
        .map(|(at, column)| format!("old.{} = c{at}", quoted(&column.name)))
        .collect();
    let set: Vec<_> = columns[layout.keys..]
        .iter()
        .map(|column| quoted(&column.name))
        .chain([DOCUMENT.to_owned()])
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    format!(
        "WITH given AS (SELECT {cast}, document, gone, place FROM unnest({arrays}, ${last}::bool[]) WITH ORDINALITY AS t({taken}, document, gone, place)), \
         latest AS (SELECT DISTINCT ON ({keys}) * FROM given ORDER BY {keys}, place DESC), \
         removed AS (DELETE FROM {table} AS old USING latest WHERE gone AND {same}) \
         INSERT INTO {table} ({names}, {DOCUMENT}) SELECT {taken}, document::{document} FROM latest WHERE NOT gone \
         ON CONFLICT ({key_names}) DO UPDATE SET {set}",
        cast = cast.join(", "),
        arrays = arrays.join(", "),
        last = columns.len() + 2,
        taken = taken.join(", "),
        keys = keys.join(", "),
        same = same.join(" AND "),
        names = names(columns),
        key_names = names(key),
        set = set.join(", "),
    )
}

/// Rows that are put in at once, column by column.
struct Chunk {
    columns: Vec<Vec<Option<String>>>,
    documents: Vec<String>,
    deletions: Vec<bool>,
    bytes: usize,
}

impl Chunk {
    fn new(columns: usize) -> Self {
        Self {
            columns: vec![Vec::new(); columns],
            documents: Vec::new(),
            deletions: Vec::new(),
            bytes: 0,
        }
    }

    fn add(&mut self, row: &Row<'_>, document: &[u8]) {
        for (column, cell) in self.columns.iter_mut().zip(&row.cells) {
            column.push(text(cell));
        }
        let document =
            std::str::from_utf8(document).expect("a document that was validated is UTF-8");
        self.documents.push(document.to_owned());
        self.deletions.push(row.is_deletion);
        self.bytes += document.len();
    }

    fn is_full(&self) -> bool {
        self.documents.len() >= CHUNK_ROWS || self.bytes >= CHUNK_BYTES
    }

    fn clear(&mut self) {
        self.columns.iter_mut().for_each(Vec::clear);
        self.documents.clear();
        self.deletions.clear();
        self.bytes = 0;
    }
}

fn text(cell: &Cell<'_>) -> Option<String> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Text(text) | Cell::Timestamp(text) => text.clone().into_owned(),
        Cell::Integer(value) => value.to_string(),
        Cell::Number(text) | Cell::Json(text) => (*text).to_owned(),
        Cell::Boolean(value) => value.to_string(),
    })
}

/// A line of a copy in text.
fn write_row(buffer: &mut BytesMut, row: &Row<'_>, document: &[u8]) {
    for cell in &row.cells {
        match cell {
            Cell::Null => buffer.extend_from_slice(b"\\N"),
            Cell::Text(text) | Cell::Timestamp(text) => escape(buffer, text.as_bytes()),
            Cell::Integer(value) => {
                let _ = write!(buffer, "{value}");
            }
            Cell::Number(text) | Cell::Json(text) => escape(buffer, text.as_bytes()),
            Cell::Boolean(value) => buffer.extend_from_slice(if *value { b"t" } else { b"f" }),
        }
        buffer.extend_from_slice(b"\t");
    }
    escape(buffer, document);
    buffer.extend_from_slice(b"\n");
}

fn escape(buffer: &mut BytesMut, mut text: &[u8]) {
    // Line breaks and tabs are rare: look for what is in most documents first.
    loop {
        let next = text
            .iter()
            .position(|byte| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t'));
        let Some(at) = next else {
            return buffer.extend_from_slice(text);
        };
        buffer.extend_from_slice(&text[..at]);
        buffer.extend_from_slice(match text[at] {
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => b"\\t",
        });
        text = &text[at + 1..];
    }
}

/// Where a document has the character U+0000, if it has.
fn nul(document: &[u8]) -> Option<String> {
    fn look(value: &serde_json::Value, path: &mut String) -> bool {
        let length = path.len();
        let mut below = |name: &str, value: &serde_json::Value| {
            path.push('/');
            path.push_str(&name.replace('~', "~0").replace('/', "~1"));
            let found = look(value, path);
            if !found {
                path.truncate(length);
            }
            found
        };
        match value {
            serde_json::Value::String(text) => text.contains('\0'),
            serde_json::Value::Array(items) => items
                .iter()
                .enumerate()
                .any(|(at, item)| below(&at.to_string(), item)),
            serde_json::Value::Object(members) => members
                .iter()
                .any(|(name, value)| name.contains('\0') || below(name, value)),
            _ => false,
        }
    }
    let value: serde_json::Value = serde_json::from_slice(document).ok()?;
    let mut path = String::new();
    look(&value, &mut path).then_some(path)
}

fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_line_of_a_copy_is_escaped() {
        let mut buffer = BytesMut::new();
        escape(&mut buffer, b"a\\n\tb\n\rc\\");
        assert_eq!(&buffer[..], br"a\\n\tb\n\rc\\");
    }

    #[test]
    fn a_nul_is_found_where_it_stands_and_nowhere_else() {
        assert_eq!(
            nul(br#"{"a":[{"b":"x\u0000"}]}"#).as_deref(),
            Some("/a/0/b")
        );
        assert_eq!(nul(br#"{"a":"\\u0000"}"#), None);
    }

    #[test]
    fn a_variable_that_is_not_set_is_named_and_the_rest_is_not_told() {
        let error = fill_in("postgres://u:secret@h/${env:STAUNCH_TEST_NOT_SET}").unwrap_err();
        assert!(
            error.contains("STAUNCH_TEST_NOT_SET") && !error.contains("secret"),
            "{error}"
        );
        assert_eq!(fill_in("host=a").unwrap(), "host=a");
    }
}
