//! Kills a process that writes files and commits at every point it passes, runs it again, and compares with the run
//! that was not killed.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use super::*;
use crate::store::{Cause, Commit, Store};

const CAPTURE: &str = "acmeCo/git";
const TRANSACTIONS: u64 = 5;

/// What the other tests run in a process of its own; on its own it does nothing.
#[test]
fn child() {
    let Some(folder) = std::env::var_os("STAUNCH_CRASH_CHILD") else {
        return;
    };
    capture(Path::new(&folder));
}

/// A capture that goes on from where its state says it was.
fn capture(folder: &Path) {
    let mut store = Store::open(&folder.join(".staunch"), CAPTURE).unwrap();
    let (mut revision, mut at) = match store.load(CAPTURE).unwrap() {
        Some(row) => (row.revision, state_of(&row.state)),
        None => (0, 0),
    };
    let mut files = OutputFiles::open(&folder.join("out"), &store.files(CAPTURE).unwrap()).unwrap();
    let ids: Vec<FileId> = ["acmeCo/a", "acmeCo/b"]
        .iter()
        .map(|collection| {
            let id = files.open_collection(collection).unwrap();
            store
                .claim_file(files.path(id), CAPTURE, collection)
                .unwrap();
            id
        })
        .collect();
    while at < TRANSACTIONS {
        at += 1;
        for (index, id) in ids.iter().enumerate().take(if at == 2 { 1 } else { 2 }) {
            files
                .append(*id, format!(r#"{{"at":{at},"file":{index}}}"#).as_bytes())
                .unwrap();
            files
                .append(*id, "x".repeat(BUFFER_BYTES / 2 + 1).as_bytes())
                .unwrap();
            files
                .append(*id, "y".repeat(BUFFER_BYTES / 2 + 1).as_bytes())
                .unwrap();
        }
        let mark = files.mark().unwrap();
        mark.sync().unwrap();
        let state = format!(r#"{{"at":{at}}}"#);
        let cause = Cause {
            kind: "migration",
            ..Cause::default()
        };
        let documents = mark.lengths().len() as u64 * 3;
        revision = store
            .commit(&Commit {
                capture: CAPTURE,
                expected_revision: revision,
                state: Some(&state),
                files: mark.lengths(),
                documents,
                checkpoints: 1,
                connector: "test",
                at: "2026-11-22T13:00:00Z",
                update: None,
                cause: (at == 3).then_some(cause),
            })
            .unwrap();
    }
}

fn state_of(text: &str) -> u64 {
    serde_json::from_str::<serde_json::Value>(text).unwrap()["at"]
        .as_u64()
        .unwrap_or(0)
}

fn run(folder: &Path, orders: &[(&str, &str)]) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["files::crash_tests::child", "--exact"])
        .env("STAUNCH_CRASH_CHILD", folder);
    command
        .envs(orders.iter().copied())
        .output()
        .unwrap()
        .status
}

/// Everything that must be the same however often the capture was killed.
fn outcome(folder: &Path) -> (Vec<Vec<u8>>, String) {
    let store = Store::open_readonly(&folder.join(".staunch")).unwrap();
    let row = store.load(CAPTURE).unwrap().unwrap();
    let rows = store.files(CAPTURE).unwrap();
    let journal: Vec<u64> = store
        .journal(CAPTURE)
        .unwrap()
        .iter()
        .map(|entry| entry.revision)
        .collect();
    let bytes = rows
        .iter()
        .map(|file| std::fs::read(folder.join("out").join(&file.path)).unwrap())
        .collect();
    (bytes, format!("{row:?} {rows:?} {journal:?}"))
}

#[test]
fn a_capture_killed_at_any_point_ends_as_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("points");
    assert!(
        run(
            folder.path(),
            &[("STAUNCH_CRASH_LOG", log.to_str().unwrap())]
        )
        .success()
    );
    let expected = outcome(folder.path());
    let points = std::fs::read_to_string(&log).unwrap();
    let points: Vec<&str> = points.lines().collect();
    assert!(points.len() > 80, "{points:?}");
    for kind in [
        "store.create",
        "store.before_commit",
        "store.commit.after_journal",
        "files.before_create",
        "files.before_sync",
    ] {
        assert!(
            points.iter().any(|point| point.contains(kind)),
            "no point `{kind}`"
        );
    }
    for (index, point) in points.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let number = (index + 1).to_string();
        let status = run(folder.path(), &[("STAUNCH_CRASH_AT", &number)]);
        assert_eq!(status.signal(), Some(9), "at {point}");
        // Whoever looks now sees a whole store, or none yet.
        match Store::open_readonly(&folder.path().join(".staunch")) {
            Ok(reader) => drop(reader.load(CAPTURE).unwrap()),
            Err(error) => assert_eq!(error.code(), "store.not_found", "after {point}: {error}"),
        }
        // Killed again early in its recovery, if it has that much left to do.
        let again = (index % 9 + 1).to_string();
        let status = run(folder.path(), &[("STAUNCH_CRASH_AT", &again)]);
        assert!(
            status.success() || status.signal() == Some(9),
            "second run after {point}: {status}"
        );
        assert!(run(folder.path(), &[]).success(), "last run after {point}");
        let found = outcome(folder.path());
        assert_eq!(found.1, expected.1, "after {point}");
        assert!(found.0 == expected.0, "files differ after {point}");
    }
}
