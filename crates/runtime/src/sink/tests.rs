//! A database and the store, of one mind after every way in which a commit can end.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::database::{Database, Entry, Recorded};
use super::*;
use crate::catalog::Location;
use crate::events::Event;
use crate::store::Commit;

const CAPTURE: &str = "acme/shop";
const SINK: &str = "lake";

/// A database in memory that does what it is told: its record outlives it, as that of a real one does.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    record: Option<(String, u64, u64, u64, Option<String>, String)>,
    documents: Vec<String>,
    /// What happens to the next commits, in order.
    next: Vec<Fate>,
    /// How often it does not come back.
    away: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// It is committed, and nobody hears of it.
    CommittedAndGone,
    /// It is not, and nobody hears of that.
    Gone,
    Refused,
}

fn down() -> SinkError {
    SinkError::Down {
        sink: SINK.to_owned(),
        problem: "it has gone".to_owned(),
    }
}

impl Database for Fake {
    fn record(&mut self, _: &str) -> Result<Option<Recorded>, SinkError> {
        let told = self.0.lock().unwrap();
        Ok(told
            .record
            .clone()
            .map(|(token, prior, base, revision, state, details)| Recorded {
                token,
                prior,
                base,
                revision,
                state,
                details,
            }))
    }

    fn register(&mut self, _: &str, token: &str, revision: u64) -> Result<(), SinkError> {
        let mut told = self.0.lock().unwrap();
        let new = (
            token.to_owned(),
            revision,
            revision,
            revision,
            None,
            "{}".to_owned(),
        );
        told.record.get_or_insert(new);
        Ok(())
    }

    fn prepare(&mut self, _: Vec<table::Layout>) -> Result<(), SinkError> {
        Ok(())
    }

    fn commit(&mut self, spool: &Spool, entry: &Entry<'_>) -> Result<(), SinkError> {
        let mut told = self.0.lock().unwrap();
        let fate = (!told.next.is_empty()).then(|| told.next.remove(0));
        match fate {
            Some(Fate::Gone) => return Err(down()),
            Some(Fate::Refused) => {
                return Err(SinkError::Failed {
                    sink: SINK.to_owned(),
                    action: "committing",
                    problem: "no".to_owned(),
                });
            }
            _ => {}
        }
        let (token, _, _, revision, ..) = told.record.clone().unwrap();
        assert_eq!((token.as_str(), revision), (entry.token, entry.prior));
        for table in spool.tables() {
            spool.each(table, |document| {
                let document = String::from_utf8(document.to_vec()).unwrap();
                told.documents.push(document);
                Ok(())
            })?;
        }
        let before = told.record.take().unwrap().4;
        told.record = Some((
            token,
            entry.prior,
            entry.base,
            entry.revision,
            entry.state.map(str::to_owned).or(before),
            entry.details.clone(),
        ));
        match fate {
            Some(Fate::CommittedAndGone) => Err(down()),
            _ => Ok(()),
        }
    }

    fn reconnect(&mut self) -> Result<(), SinkError> {
        let mut told = self.0.lock().unwrap();
        if told.away > 0 {
            told.away -= 1;
            return Err(down());
        }
        Ok(())
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<&'static str>>);

impl Observer for Heard {
    fn event(&self, event: Event<'_>) {
        let mut heard = self.0.lock().unwrap();
        match event {
            Event::SinkDown { .. } => heard.push("down"),
            Event::SinkUp { .. } => heard.push("up"),
            _ => {}
        }
    }
}

/// A store, a fake, and what a committer does with both.
struct World {
    folder: tempfile::TempDir,
    fake: Fake,
    heard: Heard,
    stop: Stop,
}

impl World {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            fake: Fake::default(),
            heard: Heard::default(),
            stop: Stop::new(),
        }
    }

    fn store(&self) -> Store {
        Store::open(self.folder.path(), CAPTURE).unwrap()
    }

    fn open(&self, store: &mut Store) -> Result<Remote, RunError> {
        let revision = store.load(CAPTURE).unwrap().map_or(0, |row| row.revision);
        let database = Box::new(self.fake.clone());
        let tables = TableSettings::default();
        Remote::open(SINK, database, tables, CAPTURE, revision, store)
    }

    /// Commits a document into the database, and answers with what the store would commit then.
    fn land(&self, remote: &mut Remote, base: u64, document: &str) -> Result<(), RunError> {
        let mut spool = Spool::new(self.folder.path().into());
        spool.add(0, document.as_bytes()).unwrap();
        let state = format!(r#"{{"at":"{document}"}}"#);
        let record = Record {
            capture: CAPTURE,
            base,
            state: Some(&state),
            documents: 1,
            checkpoints: 1,
            connector: "test",
            at: "2026-01-01T00:00:00Z",
            cause: None,
        };
        let waiting = Waiting {
            stop: &self.stop,
            observer: &self.heard,
        };
        remote.commit(&Batch::Spooled(spool), &record, &waiting)?;
        Ok(())
    }

    fn follow(&self, store: &mut Store, base: u64, document: &str) -> u64 {
        let state = format!(r#"{{"at":"{document}"}}"#);
        let commit = Commit {
            capture: CAPTURE,
            expected_revision: base,
            state: Some(&state),
            files: &[],
            documents: 1,
            checkpoints: 1,
            connector: "test",
            at: "2026-01-01T00:00:00Z",
            update: None,
            cause: None,
        };
        store.commit_after(Some(SINK), &commit).unwrap()
    }

    fn settle(&self, store: &mut Store) -> Result<(), RunError> {
        let rows = store.reader().unsettled_sinks(CAPTURE).unwrap();
        for row in rows.iter().filter(|row| row.is_registered) {
            database::catch_up(row, &mut self.fake.clone(), CAPTURE, store)?;
            store.settle_sink(CAPTURE, SINK, true).unwrap();
        }
        Ok(())
    }

    fn documents(&self) -> Vec<String> {
        self.fake.0.lock().unwrap().documents.clone()
    }
}

fn code<T>(outcome: Result<T, RunError>) -> &'static str {
    outcome.err().map_or("none", |error| error.code())
}

#[test]
fn a_store_that_did_not_come_to_its_commit_catches_up_and_nothing_is_there_twice() {
    let world = World::new();
    let mut store = world.store();
    let mut remote = world.open(&mut store).unwrap();
    world.land(&mut remote, 0, "1").unwrap();
    world.follow(&mut store, 0, "1");
    world.land(&mut remote, 1, "2").unwrap();
    drop((remote, store)); // Killed between the two.

    let mut store = world.store();
    world.settle(&mut store).unwrap();
    let row = store.load(CAPTURE).unwrap().unwrap();
    assert_eq!((row.revision, row.documents), (2, 2));
    assert_eq!(row.state, r#"{"at":"2"}"#);
    store.reader().check_history(CAPTURE).unwrap();
    let mut remote = world.open(&mut store).unwrap();
    world.land(&mut remote, 2, "3").unwrap();
    assert_eq!(world.documents(), ["1", "2", "3"]);
}

#[test]
fn catching_up_twice_is_catching_up_once() {
    let world = World::new();
    let mut store = world.store();
    let mut remote = world.open(&mut store).unwrap();
    world.land(&mut remote, 0, "1").unwrap();
    drop(remote);
    world.settle(&mut store).unwrap();
    store.settle_sink(CAPTURE, SINK, false).unwrap();
    world.settle(&mut store).unwrap();
    assert_eq!(store.load(CAPTURE).unwrap().unwrap().revision, 1);
}

#[test]
fn a_state_that_a_person_changed_in_between_does_not_come_between_them() {
    let world = World::new();
    let mut store = world.store();
    let mut remote = world.open(&mut store).unwrap();
    world.land(&mut remote, 0, "1").unwrap();
    world.follow(&mut store, 0, "1");
    drop(remote);
    world.settle(&mut store).unwrap();
    let by_hand = Commit {
        capture: CAPTURE,
        expected_revision: 1,
        state: Some("{}"),
        files: &[],
        documents: 0,
        checkpoints: 0,
        connector: "test",
        at: "2026-01-01T00:00:00Z",
        update: None,
        cause: None,
    };
    store.commit(&by_hand).unwrap();
    let mut remote = world.open(&mut store).unwrap();
    world.land(&mut remote, 2, "3").unwrap();
    drop((remote, store)); // Killed before the store followed: the record builds on what the person made.
    let mut store = world.store();
    world.settle(&mut store).unwrap();
    assert_eq!(store.load(CAPTURE).unwrap().unwrap().revision, 3);
}

#[test]
fn what_a_database_that_went_away_has_committed_is_not_committed_again() {
    let world = World::new();
    let mut store = world.store();
    let mut remote = world.open(&mut store).unwrap();
    {
        let mut told = world.fake.0.lock().unwrap();
        told.next = vec![Fate::CommittedAndGone];
        told.away = 1;
    }
    world.land(&mut remote, 0, "1").unwrap();
    assert_eq!(world.documents(), ["1"]);
    assert_eq!(*world.heard.0.lock().unwrap(), ["down", "down", "up"]);
    assert!(remote.is_certain());
}

#[test]
fn what_a_database_that_went_away_has_not_committed_is_committed_once_it_is_back() {
    let world = World::new();
    let mut store = world.store();
    let mut remote = world.open(&mut store).unwrap();
    world.fake.0.lock().unwrap().next = vec![Fate::Gone, Fate::Gone];
    world.land(&mut remote, 0, "1").unwrap();
    assert_eq!(world.documents(), ["1"]);
}

#[test]
fn a_stop_ends_the_wait_for_a_database_and_what_it_did_is_asked_of_it_later() {
    let world = World::new();
    let mut store = world.store();
    let mut remote = world.open(&mut store).unwrap();
    world.fake.0.lock().unwrap().next = vec![Fate::CommittedAndGone];
    world.stop.request();
    assert_eq!(code(world.land(&mut remote, 0, "1")), "sink.down");
    assert!(!remote.is_certain());
    drop((remote, store));
    let mut store = world.store();
    world.settle(&mut store).unwrap();
    assert_eq!(store.load(CAPTURE).unwrap().unwrap().documents, 1);
}

#[test]
fn what_a_database_refuses_is_refused_at_once_and_it_is_known_that_nothing_was_done() {
    let world = World::new();
    let mut store = world.store();
    let mut remote = world.open(&mut store).unwrap();
    world.fake.0.lock().unwrap().next = vec![Fate::Refused];
    assert_eq!(code(world.land(&mut remote, 0, "1")), "sink.failed");
    assert!(remote.is_certain());
    assert!(world.heard.0.lock().unwrap().is_empty());
}

#[test]
fn another_store_that_writes_as_the_same_capture_is_refused() {
    let world = World::new();
    let mut store = world.store();
    world.open(&mut store).unwrap();
    let mut other = World::new();
    other.fake = world.fake.clone();
    let mut theirs = other.store();
    assert_eq!(code(other.open(&mut theirs)), "sink.taken");
}

#[test]
fn a_database_that_was_emptied_or_put_back_is_refused_and_so_is_an_older_store() {
    let world = World::new();
    let mut store = world.store();
    let mut remote = world.open(&mut store).unwrap();
    let empty = world.fake.0.lock().unwrap().record.clone();
    world.land(&mut remote, 0, "1").unwrap();
    world.follow(&mut store, 0, "1");
    world.land(&mut remote, 1, "2").unwrap();
    world.follow(&mut store, 1, "2");
    drop(remote);
    let now = world.fake.0.lock().unwrap().record.clone();
    for (record, expected) in [(None, "sink.emptied"), (empty, "sink.diverged")] {
        world.fake.0.lock().unwrap().record = record;
        assert_eq!(code(world.settle(&mut store)), expected);
        assert_eq!(code(world.open(&mut store)), expected);
    }
    // Two transactions ahead of a store from an older copy.
    world.fake.0.lock().unwrap().record =
        now.map(|(token, _, _, _, state, details)| (token, 6, 6, 7, state, details));
    assert_eq!(code(world.settle(&mut store)), "sink.diverged");
    assert_eq!(store.load(CAPTURE).unwrap().unwrap().revision, 2);
}

#[test]
fn an_opening_that_was_killed_at_any_step_is_taken_up_again() {
    let world = World::new();
    let mut store = world.store();
    let row = added(&mut store);
    assert!(!row.is_registered, "the database has not heard of it");
    let mut remote = world.open(&mut store).unwrap();
    world.land(&mut remote, 0, "1").unwrap();

    // The database has the token, and the store was killed before it knew.
    let world = World::new();
    let mut store = world.store();
    let row = added(&mut store);
    world.fake.clone().register(CAPTURE, &row.token, 0).unwrap();
    world.open(&mut store).unwrap();
}

/// A sink that the store has just heard of.
fn added(store: &mut Store) -> crate::store::SinkRow {
    let row = crate::store::SinkRow {
        sink: SINK.to_owned(),
        token: "token".to_owned(),
        revision: 0,
        is_registered: false,
        is_settled: true,
    };
    store.add_sink(CAPTURE, &row).unwrap();
    row
}

#[test]
fn another_sink_begins_at_the_revision_at_which_it_is_first_used() {
    let world = World::new();
    let mut store = world.store();
    for (base, document) in [(0, "1"), (1, "2")] {
        world.follow(&mut store, base, document);
    }
    let mut remote = world.open(&mut store).unwrap();
    world.land(&mut remote, 2, "3").unwrap();
    assert_eq!(world.follow(&mut store, 2, "3"), 3);
    assert_eq!(
        store
            .reader()
            .sink(CAPTURE, SINK)
            .unwrap()
            .unwrap()
            .revision,
        3
    );
}

#[test]
fn a_sink_that_is_not_named_any_more_is_asked_for_only_while_something_may_be_there() {
    let world = World::new();
    let mut store = world.store();
    drop(world.open(&mut store).unwrap());
    assert_eq!(
        code(settle(CAPTURE, &mut store, |_| None)),
        "sink.unreachable"
    );
    store.settle_sink(CAPTURE, SINK, true).unwrap();
    settle(CAPTURE, &mut store, |_| None).unwrap();
}

// SQLite, as a database.

fn orders() -> Collection {
    Collection {
        name: "acme/orders".to_owned(),
        write_schema: json!({ "properties": { "id": { "type": "integer" }, "at": { "type": "string" } } }),
        read_schema: None,
        key: vec!["/id".to_owned()],
        location: Location {
            file: "flow.yaml".into(),
            line: 1,
            column: 1,
            pointer: String::new(),
        },
    }
}

struct Lake {
    store: Store,
    sink: Sink,
    revision: u64,
    stop: Stop,
}

impl Lake {
    fn open(folder: &Path, settings: &SinkSettings) -> Result<Self, RunError> {
        Self::with(folder, settings, CAPTURE, &[&orders()])
    }

    fn with(
        folder: &Path,
        settings: &SinkSettings,
        capture: &str,
        collections: &[&Collection],
    ) -> Result<Self, RunError> {
        let mut store = Store::open(&folder.join(".staunch"), capture).unwrap();
        settle(capture, &mut store, |_| Some(settings))?;
        let stored = store.load(capture).unwrap();
        let about = Opened {
            capture,
            name: SINK,
            settings,
            state_dir: &folder.join(".staunch"),
        };
        let mut sink = Sink::open(&about, stored.as_ref(), &mut store)?;
        sink.places(collections, capture, &mut store)?;
        Ok(Self {
            store,
            sink,
            revision: stored.map_or(0, |stored| stored.revision),
            stop: Stop::new(),
        })
    }

    fn land(&mut self, documents: &[&str]) -> Result<(), RunError> {
        for document in documents {
            self.sink
                .intake
                .append(Place::Table(0), document.as_bytes())?;
        }
        let batch = self.sink.intake.seal()?;
        let state = format!(r#"{{"n":{}}}"#, self.revision);
        let record = Record {
            capture: CAPTURE,
            base: self.revision,
            state: Some(&state),
            documents: documents.len() as u64,
            checkpoints: 1,
            connector: "test",
            at: "2026-01-01T00:00:00Z",
            cause: None,
        };
        let waiting = Waiting {
            stop: &self.stop,
            observer: &crate::events::Unobserved,
        };
        self.sink.destination.commit(&batch, &record, &waiting)?;
        self.revision = self.store.commit_after(
            self.sink.destination.sink(),
            &Commit {
                capture: CAPTURE,
                expected_revision: self.revision,
                state: Some(&state),
                files: &[],
                documents: documents.len() as u64,
                checkpoints: 1,
                connector: "test",
                at: "2026-01-01T00:00:00Z",
                update: None,
                cause: None,
            },
        )?;
        Ok(())
    }
}

fn sqlite(folder: &Path, tables: TableSettings) -> SinkSettings {
    SinkSettings::Sqlite {
        path: folder.join("lake.db"),
        tables,
    }
}

fn rows(folder: &Path, sql: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(folder.join("lake.db")).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_table_has_the_last_document_of_each_key_and_none_of_what_was_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = sqlite(folder.path(), TableSettings::default());
    let mut lake = Lake::open(folder.path(), &settings).unwrap();
    lake.land(&[
        r#"{"id":1,"at":"a"}"#,
        r#"{"id":2,"at":"a"}"#,
        r#"{"id":1,"at":"b"}"#,
    ])
    .unwrap();
    lake.land(&[
        r#"{"id":3,"at":"c"}"#,
        r#"{"id":2,"_meta":{"op":"d"}}"#,
        r#"{"id":3.0,"at":"d"}"#,
    ])
    .unwrap();
    let documents = rows(
        folder.path(),
        "SELECT flow_document FROM acme_orders ORDER BY id",
    );
    assert_eq!(
        documents,
        [r#"{"id":1,"at":"b"}"#, r#"{"id":3.0,"at":"d"}"#]
    );
    let states = rows(folder.path(), "SELECT state FROM staunch_checkpoints");
    assert_eq!(states, [r#"{"n":1}"#]);
}

#[test]
fn a_table_that_is_appended_to_has_every_document() {
    let folder = tempfile::tempdir().unwrap();
    let tables = TableSettings {
        updates: Updates::Append,
        ..TableSettings::default()
    };
    let settings = sqlite(folder.path(), tables);
    let mut lake = Lake::open(folder.path(), &settings).unwrap();
    let documents = [
        r#"{"id":1,"at":"a"}"#,
        r#"{"id":1,"at":"b"}"#,
        r#"{"id":1,"_meta":{"op":"d"}}"#,
    ];
    lake.land(&documents).unwrap();
    let found = rows(
        folder.path(),
        "SELECT flow_document FROM acme_orders ORDER BY flow_sequence",
    );
    assert_eq!(found, documents);
}

#[test]
fn fields_come_as_columns_also_when_they_are_asked_for_later() {
    let folder = tempfile::tempdir().unwrap();
    let settings = sqlite(folder.path(), TableSettings::default());
    let mut lake = Lake::open(folder.path(), &settings).unwrap();
    lake.land(&[r#"{"id":1,"at":"a"}"#]).unwrap();
    drop(lake);
    let mut tables = TableSettings::default();
    let fields = [("changed".to_owned(), "/at".to_owned())].into();
    tables.fields.insert("acme/orders".to_owned(), fields);
    let settings = sqlite(folder.path(), tables);
    let mut lake = Lake::open(folder.path(), &settings).unwrap();
    lake.land(&[r#"{"id":2,"at":"b"}"#, r#"{"id":3}"#]).unwrap();
    let found = rows(
        folder.path(),
        "SELECT id || coalesce(changed, '-') FROM acme_orders ORDER BY id",
    );
    assert_eq!(found, ["1-", "2b", "3-"]);
}

#[test]
fn a_document_without_the_key_is_told_and_nothing_of_its_transaction_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let settings = sqlite(folder.path(), TableSettings::default());
    let mut lake = Lake::open(folder.path(), &settings).unwrap();
    let error = lake
        .land(&[r#"{"id":1}"#, r#"{"at":"secret"}"#])
        .unwrap_err();
    assert_eq!(error.code(), "sink.document");
    let text = error.to_string();
    assert!(
        text.contains("document 2 of collection `acme/orders`") && text.contains("/id"),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
    assert!(rows(folder.path(), "SELECT flow_document FROM acme_orders").is_empty());
    lake.land(&[r#"{"id":1}"#]).unwrap();
}

#[test]
fn two_captures_may_share_a_table_but_not_with_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let settings = sqlite(folder.path(), TableSettings::default());
    let mut lake = Lake::open(folder.path(), &settings).unwrap();
    lake.land(&[r#"{"id":1}"#]).unwrap();
    Lake::with(folder.path(), &settings, "acme/other", &[&orders()]).unwrap();
    let mut keyed = orders();
    keyed.key = vec!["/at".to_owned()];
    let error = Lake::with(folder.path(), &settings, "acme/third", &[&keyed]);
    let error = error.err().unwrap();
    assert_eq!(error.code(), "sink.table");
    let text = error.to_string();
    assert!(
        text.contains("/id (integer)") && text.contains("/at (text)"),
        "{text}"
    );
    let mut named = orders();
    named.name = "acme_orders".to_owned();
    let error = Lake::with(folder.path(), &settings, "acme/third", &[&named]);
    assert!(error.err().unwrap().to_string().contains("`acme/orders`"));
    let error = Lake::with(folder.path(), &settings, "acme/4th", &[&orders(), &named]);
    assert!(
        error
            .err()
            .unwrap()
            .to_string()
            .contains("is called so, too")
    );
}

#[test]
fn a_table_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("lake.db")).unwrap();
    connection
        .execute_batch("CREATE TABLE acme_orders (a)")
        .unwrap();
    let settings = sqlite(folder.path(), TableSettings::default());
    let error = Lake::open(folder.path(), &settings).err().unwrap();
    assert_eq!(error.code(), "sink.table");
    assert!(
        error.to_string().contains("no capture has made it"),
        "{error}"
    );
}

#[test]
fn a_database_that_is_none_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lake.db"), "x".repeat(5000)).unwrap();
    let settings = sqlite(folder.path(), TableSettings::default());
    let error = Lake::open(folder.path(), &settings).err().unwrap();
    assert_eq!(error.code(), "sink.unreachable");
    assert!(error.to_string().contains("lake.db"), "{error}");
}

#[test]
fn a_database_that_another_process_holds_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let settings = sqlite(folder.path(), TableSettings::default());
    let mut lake = Lake::open(folder.path(), &settings).unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("lake.db")).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        connection.execute_batch("COMMIT").unwrap();
    });
    lake.land(&[r#"{"id":1}"#]).unwrap();
    release.join().unwrap();
}
