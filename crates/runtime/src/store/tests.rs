mod history;

use std::path::Path;

use staunch_state::{Node, StateUpdate};

use super::*;

const CAPTURE: &str = "acmeCo/git";

fn fresh() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join(".staunch");
    (folder, dir)
}

fn plain<'a>(
    expected_revision: u64,
    state: Option<&'a str>,
    files: &'a [FileLength],
) -> Commit<'a> {
    Commit {
        capture: "acmeCo/git",
        expected_revision,
        state,
        files,
        documents: 3,
        checkpoints: 1,
        connector: "source-git 1.0.0",
        at: "2026-11-22T13:00:00Z",
        update: None,
        cause: None,
    }
}

fn length(path: &str, bytes: u64, documents: u64) -> FileLength {
    FileLength {
        path: path.into(),
        committed_bytes: bytes,
        committed_documents: documents,
    }
}

fn raw(dir: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(dir.join("state.db")).unwrap()
}

#[test]
fn the_sqlite_that_is_linked_in_does_not_lose_commits() {
    assert!(
        rusqlite::version_number() >= 3_051_003,
        "{}",
        rusqlite::version()
    );
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let (_folder, dir) = fresh();
    {
        let mut store = Store::open(&dir, CAPTURE).unwrap();
        assert_eq!(store.load("acmeCo/git").unwrap(), None);
        store.claim_file("a.jsonl", "acmeCo/git", "a").unwrap();
        let files = [length("a.jsonl", 100, 3)];
        assert_eq!(
            store.commit(&plain(0, Some(r#"{"n":1}"#), &files)).unwrap(),
            1
        );
        assert_eq!(
            store
                .commit(&plain(1, None, &[length("a.jsonl", 150, 6)]))
                .unwrap(),
            2
        );
        store
            .set_applied_spec("acmeCo/git", Some(r#"{"bindings":[]}"#))
            .unwrap();
    }
    let store = Store::open(&dir, CAPTURE).unwrap();
    let row = store.load("acmeCo/git").unwrap().unwrap();
    assert_eq!((row.revision, row.state.as_str()), (2, r#"{"n":1}"#));
    assert_eq!((row.documents, row.checkpoints), (6, 2));
    assert_eq!(row.connector, "source-git 1.0.0");
    assert_eq!(row.updated_at, "2026-11-22T13:00:00Z");
    assert_eq!(row.applied_spec.as_deref(), Some(r#"{"bindings":[]}"#));
    let files = store.files("acmeCo/git").unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(
        (files[0].committed_bytes, files[0].committed_documents),
        (150, 6)
    );
    assert_eq!(store.reader().captures().unwrap(), ["acmeCo/git"]);
    assert_eq!(
        store.reader().file_owner("a.jsonl").unwrap().as_deref(),
        Some("acmeCo/git")
    );
}

#[test]
fn the_connection_follows_the_rules_of_the_house() {
    let (_folder, dir) = fresh();
    let store = Store::open(&dir, CAPTURE).unwrap();
    let ask = |name: &str| -> String {
        let value: rusqlite::types::Value = store
            .reader
            .connection
            .pragma_query_value(None, name, |row| row.get(0))
            .unwrap();
        format!("{value:?}")
    };
    for (name, value) in [
        ("journal_mode", "Text(\"wal\")"),
        ("synchronous", "Integer(2)"),
        ("trusted_schema", "Integer(0)"),
        ("foreign_keys", "Integer(1)"),
        ("user_version", "Integer(4)"),
        ("application_id", "Integer(1400136053)"),
        ("busy_timeout", "Integer(10000)"),
    ] {
        assert_eq!(ask(name), value, "{name}");
    }
    let strict: i64 = store
        .reader
        .connection
        .query_row(
            "SELECT count(*) FROM pragma_table_list \
             WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND (strict = 0 OR wr = 1)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(strict, 0, "all tables are strict rowid tables");
}

#[test]
fn a_second_writer_is_told_who_holds_the_lock() {
    let (_folder, dir) = fresh();
    let store = Store::open(&dir, CAPTURE).unwrap();
    let error = Store::open(&dir, CAPTURE).unwrap_err();
    assert_eq!(error.code(), "store.locked");
    let StoreError::Locked { pid, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(*pid, Some(std::process::id()));
    assert!(
        error
            .to_string()
            .contains(&format!("(process {})", std::process::id())),
        "{error}"
    );
    drop(store);
    Store::open(&dir, CAPTURE).unwrap();
}

#[test]
fn a_reader_sees_commits_while_a_run_is_on_and_cannot_write() {
    let (_folder, dir) = fresh();
    assert!(matches!(
        Store::open_readonly(&dir),
        Err(StoreError::NotFound { .. })
    ));
    assert!(!dir.exists(), "looking creates nothing");
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    let reader = Store::open_readonly(&dir).unwrap();
    assert_eq!(reader.load("acmeCo/git").unwrap(), None);
    store.commit(&plain(0, Some("{}"), &[])).unwrap();
    assert_eq!(reader.load("acmeCo/git").unwrap().unwrap().revision, 1);
    assert!(reader.connection.execute("DELETE FROM states", []).is_err());
}

#[test]
fn looking_leaves_the_database_byte_for_byte() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    store.commit(&plain(0, Some("{}"), &[])).unwrap();
    drop(store);
    let before = std::fs::read(dir.join("state.db")).unwrap();
    let reader = Store::open_readonly(&dir).unwrap();
    assert_eq!(reader.load("acmeCo/git").unwrap().unwrap().revision, 1);
    drop(reader);
    assert_eq!(std::fs::read(dir.join("state.db")).unwrap(), before);
    Store::open(&dir, CAPTURE).unwrap();
}

#[test]
fn a_database_of_another_application_is_refused_untouched() {
    let (_folder, dir) = fresh();
    std::fs::create_dir_all(&dir).unwrap();
    raw(&dir).execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = std::fs::read(dir.join("state.db")).unwrap();
    let error = Store::open(&dir, CAPTURE).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Foreign {
                application_id: 0,
                ..
            }
        ),
        "{error}"
    );
    assert!(matches!(
        Store::open_readonly(&dir),
        Err(StoreError::Foreign { .. })
    ));
    assert_eq!(std::fs::read(dir.join("state.db")).unwrap(), before);
}

#[test]
fn a_store_of_a_newer_program_is_refused() {
    let (_folder, dir) = fresh();
    drop(Store::open(&dir, CAPTURE).unwrap());
    raw(&dir).pragma_update(None, "user_version", 5).unwrap();
    let error = Store::open(&dir, CAPTURE).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Newer {
                found: 5,
                known: 4,
                ..
            }
        ),
        "{error}"
    );
    assert!(matches!(
        Store::open_readonly(&dir),
        Err(StoreError::Newer { .. })
    ));
}

#[test]
fn a_damaged_database_is_refused_and_never_made_anew() {
    for (what, damage) in [
        (
            "no database at all",
            (|bytes| *bytes = b"not a database, but long enough to be looked at as one".repeat(20))
                as fn(&mut Vec<u8>),
        ),
        ("a page in the middle overwritten", |bytes| {
            bytes[4096..4096 * 3].fill(0x5a)
        }),
        ("cut in half", |bytes| bytes.truncate(bytes.len() / 2)),
    ] {
        let (_folder, dir) = fresh();
        let mut store = Store::open(&dir, CAPTURE).unwrap();
        let state = format!(r#"{{"a":"{}"}}"#, "x".repeat(50_000));
        store.commit(&plain(0, Some(&state), &[])).unwrap();
        drop(store);
        let path = dir.join("state.db");
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let error = Store::open(&dir, CAPTURE).unwrap_err();
        assert_eq!(error.code(), "store.corrupt", "{what}: {error}");
        assert!(error.to_string().contains("backup"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{what}");
    }
}

#[test]
fn a_commit_on_an_outdated_revision_changes_nothing() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    store.commit(&plain(0, Some(r#"{"n":1}"#), &[])).unwrap();
    for expected in [0, 7] {
        let error = store
            .commit(&plain(expected, Some(r#"{"n":2}"#), &[]))
            .unwrap_err();
        assert!(
            matches!(error, StoreError::Conflict { found: 1, .. }),
            "{error}"
        );
    }
    let mut unheard = plain(3, Some("{}"), &[]);
    unheard.capture = "nobody";
    assert!(matches!(
        store.commit(&unheard),
        Err(StoreError::Conflict { found: 0, .. })
    ));
    assert_eq!(store.load("nobody").unwrap(), None);
    let row = store.load("acmeCo/git").unwrap().unwrap();
    assert_eq!(
        (row.revision, row.state.as_str(), row.documents),
        (1, r#"{"n":1}"#, 3)
    );
}

#[test]
fn a_file_belongs_to_one_capture() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    store.claim_file("a.jsonl", "one", "a").unwrap();
    store.claim_file("a.jsonl", "one", "a").unwrap();
    let error = store.claim_file("a.jsonl", "two", "a").unwrap_err();
    assert_eq!(error.code(), "store.file_claimed");
    assert!(error.to_string().contains("`one`"), "{error}");
    assert_eq!(
        store.load("two").unwrap(),
        None,
        "a refused claim leaves no trace"
    );
}

#[test]
fn a_commit_of_a_file_that_is_not_the_captures_or_shrinks_changes_nothing() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    store.claim_file("a.jsonl", "acmeCo/git", "a").unwrap();
    store.claim_file("b.jsonl", "other", "b").unwrap();
    store
        .commit(&plain(0, Some("{}"), &[length("a.jsonl", 10, 1)]))
        .unwrap();
    for (path, bytes, code) in [
        ("b.jsonl", 10, "store.file_unclaimed"),
        ("c.jsonl", 10, "store.file_unclaimed"),
        ("a.jsonl", 9, "store.file_shrinks"),
    ] {
        let files = [length("a.jsonl", 20, 2), length(path, bytes, 1)];
        let error = store
            .commit(&plain(1, Some(r#"{"n":2}"#), &files))
            .unwrap_err();
        assert_eq!(error.code(), code, "{path}");
        assert_eq!(store.load("acmeCo/git").unwrap().unwrap().revision, 1);
        assert_eq!(store.files("acmeCo/git").unwrap()[0].committed_bytes, 10);
    }
}

#[test]
fn a_migration_is_journaled_with_the_state_that_it_found_and_stays() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    store.commit(&plain(0, Some(r#"{"old":1}"#), &[])).unwrap();
    let cause = Cause {
        kind: "migration",
        migrations: r#"[{"name":"rename","checksum":"ab"}]"#,
        consents: r#"["rewind:commits"]"#,
        ..Cause::default()
    };
    let update = StateUpdate::from_wire(r#"{"old":null,"new":1}"#, true).unwrap();
    let stateless = Commit {
        cause: Some(cause),
        ..plain(1, None, &[])
    };
    assert_eq!(
        store.commit(&stateless).unwrap_err().code(),
        "store.cause_without_state"
    );
    let outdated = Commit {
        cause: Some(cause),
        ..plain(0, Some(r#"{"new":1}"#), &[])
    };
    assert_eq!(
        store.commit(&outdated).unwrap_err().code(),
        "store.conflict"
    );
    assert_eq!(store.reader().journal("acmeCo/git").unwrap(), []);
    let commit = Commit {
        update: Some(&update),
        cause: Some(cause),
        ..plain(1, Some(r#"{"new":1}"#), &[])
    };
    assert_eq!(store.commit(&commit).unwrap(), 2);
    let journal = store.reader().journal("acmeCo/git").unwrap();
    assert_eq!(journal.len(), 1);
    assert_eq!(
        (journal[0].revision, journal[0].kind.as_str()),
        (2, "migration")
    );
    assert_eq!(journal[0].state_before, r#"{"old":1}"#);
    assert_eq!(journal[0].state_update, r#"{"old":null,"new":1}"#);
    assert_eq!(journal[0].consents, r#"["rewind:commits"]"#);
    let change = "UPDATE changes SET kind = 'x'";
    let error = store.reader.connection.execute(change, []).unwrap_err();
    assert!(error.to_string().contains("does not change"), "{error}");
}

#[test]
fn a_commit_without_a_new_state_does_not_write_the_state_again() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    let state = format!(r#"{{"a":"{}"}}"#, "x".repeat(4 << 20));
    store.commit(&plain(0, Some(&state), &[])).unwrap();
    // An emptied log is written from its start, so its length is what the commit after it wrote.
    store
        .reader
        .connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let log = dir.join("state.db-wal");
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);
    store.commit(&plain(1, None, &[])).unwrap();
    let written = std::fs::metadata(&log).unwrap().len();
    assert!(
        written < 64 << 10,
        "{written} bytes for a commit without a state"
    );
    assert_eq!(store.load("acmeCo/git").unwrap().unwrap().state, state);
}

#[test]
fn a_store_can_be_given_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Store>();
    is_send::<StoreReader>();
}
