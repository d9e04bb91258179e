//! The state store: taken, damaged, foreign, newer, gone, and a state in it that cannot be read.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::support::{Project, cursor, until};

#[test]
fn a_second_run_is_told_who_holds_the_lease_and_the_first_goes_on() {
    let project = Project::new(&["steady"]);
    let first = project.start(&["run"]);
    until("the first commits", || {
        cursor(project.stored().as_ref()) >= 2
    });
    let process = format!("process {}", first.id());
    project.run().failed(
        7,
        &[
            "store.locked",
            "locked by another run",
            &process,
            "wait for it or stop it",
        ],
        "second",
    );
    let shown = project.staunch(&["state", "show"]);
    shown.succeeded("looking needs no lease");
    assert!(shown.stdout.contains("\"cursor\""), "{shown:#?}");

    let seen = cursor(project.stored().as_ref());
    until("more commits of the first", || {
        cursor(project.stored().as_ref()) > seen
    });
    first.signal(Signal::INT);
    let outcome = first.wait();
    assert_eq!(outcome.code, Some(130), "{outcome:#?}");
    let n = cursor(project.stored().as_ref());
    project.assert_committed(n, "first");
    project.assert_completes(n + 5, "after both");
}

/// All of a folder's files with their bytes, without those that SQLite keeps beside a database while it is open.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_file() && name != "lock" && !name.ends_with("-shm") && !name.ends_with("-wal") {
            files.push((name, fs::read(&path).expect("the file can be read")));
        }
    }
    files.sort();
    files
}

#[test]
fn a_store_that_cannot_be_used_is_refused_and_left_as_it_is() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage, i32, &[&str]); 6] = [
        (
            "its header overwritten",
            |path| damage(path, 0, b"not a database at all"),
            3,
            &["store.corrupt", "damaged", "restore"],
        ),
        (
            "pages overwritten",
            |path| scramble(path),
            3,
            &["store.corrupt", "damaged", "nothing was changed"],
        ),
        (
            "cut in half",
            |path| halve(path),
            3,
            &["store.corrupt", "damaged"],
        ),
        (
            "of another application",
            |path| set(path, "application_id", 77),
            3,
            &["store.foreign", "another application"],
        ),
        (
            "of a newer version",
            |path| set(path, "user_version", 99),
            6,
            &["store.newer", "99", "newer program"],
        ),
        (
            "of no version",
            |path| set(path, "user_version", -1),
            3,
            &["store.corrupt", "-1"],
        ),
    ];
    for (what, spoil, code, said) in cases {
        let project = Project::new(&["good", "4"]);
        project.run().succeeded(what);
        let folder = project.path(".staunch");
        let kept = fs::read(folder.join("state.db")).unwrap();
        spoil(&folder.join("state.db"));
        let (before, documents) = (files(&folder), project.ids());
        project.connector(&["good", "10"]);
        project
            .run()
            .failed(code, said, what)
            .failed(code, &["state.db"], what);
        project.staunch(&["state", "show"]).failed(code, said, what);
        assert_eq!(files(&folder), before, "{what}: the store is left as it is");
        assert_eq!(
            project.ids(),
            documents,
            "{what}: the documents are left as they are"
        );
        // As the message says: from a backup, all goes on.
        fs::write(folder.join("state.db"), kept).unwrap();
        project.assert_committed(4, what);
        project.assert_completes(10, what);
    }
}

fn damage(path: &Path, at: usize, with: &[u8]) {
    let mut bytes = fs::read(path).expect("the store is there");
    bytes[at..at + with.len()].copy_from_slice(with);
    fs::write(path, bytes).expect("the store can be written");
}

/// All pages but the first.
fn scramble(path: &Path) {
    let bytes = fs::read(path).expect("the store is there").len();
    damage(path, 4096, &vec![0xA5; bytes - 4096]);
}

fn halve(path: &Path) {
    let bytes = fs::read(path).expect("the store is there");
    fs::write(path, &bytes[..bytes.len() / 2]).expect("the store can be written");
}

fn set(path: &Path, pragma: &str, value: i64) {
    let database = rusqlite::Connection::open(path).expect("the store can be opened");
    database
        .pragma_update(None, pragma, value)
        .expect("the store can be changed");
    // So that nothing is left in the log.
    database
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("the log can be emptied");
}

#[test]
fn a_store_that_went_away_does_not_make_documents_that_are_there_come_twice() {
    for what in ["state.db", ".staunch"] {
        let project = Project::new(&["good", "4"]);
        project.run().succeeded(what);
        let backup = project.path("backup");
        fs::rename(project.path(".staunch"), &backup).unwrap();
        if what == "state.db" {
            fs::create_dir(project.path(".staunch")).unwrap();
        }
        project.run().failed(
            1,
            &[
                "files.unknown",
                "numbers.jsonl",
                "no capture has written it",
                "move it away",
            ],
            what,
        );
        assert_eq!(project.ids(), [1, 2, 3, 4], "{what}");
        fs::remove_dir_all(project.path(".staunch")).unwrap();
        fs::rename(&backup, project.path(".staunch")).unwrap();
        project.assert_completes(10, what);
    }
}

#[test]
fn a_state_that_is_no_json_object_is_refused_and_left_as_it_is() {
    for (what, text) in [
        ("not JSON", "{\"bindingStateV1\":"),
        ("too deep", &"{\"a\":".repeat(200)),
        ("empty", ""),
    ] {
        let project = Project::new(&["good", "4"]);
        project.run().succeeded(what);
        let before = project.stored();
        project.tamper(&format!(
            "CREATE TABLE kept AS SELECT * FROM states; UPDATE states SET state = '{text}'"
        ));
        let spoilt = project.stored();
        project.connector(&["good", "10"]);
        project.run().failed(
            3,
            &[
                "state.unreadable",
                "`acme/numbers`",
                "nothing was done to it",
            ],
            what,
        );
        assert_eq!(project.stored(), spoilt, "{what}: it is left as it is");
        assert_eq!(project.ids(), [1, 2, 3, 4], "{what}");
        project.tamper("UPDATE states SET state = (SELECT state FROM kept); DROP TABLE kept");
        assert_eq!(project.stored(), before, "{what}");
        project.assert_completes(10, what);
    }
}

#[test]
fn a_state_that_the_connector_does_not_understand_is_never_taken_for_an_empty_one() {
    let project = Project::new(&["good", "4"]);
    project.run().succeeded("first");
    project.tamper("CREATE TABLE kept AS SELECT * FROM states; UPDATE states SET state = replace(state, ':4', ':\"four\"')");
    let spoilt = project.stored();
    project.connector(&["good", "10"]);
    project.run().failed(
        1,
        &["connector.failed", "no whole number at /inc/cursor"],
        "a text for a cursor",
    );
    assert_eq!(project.stored(), spoilt);
    assert_eq!(project.ids(), [1, 2, 3, 4]);
    project.tamper("UPDATE states SET state = (SELECT state FROM kept); DROP TABLE kept");
    project.assert_completes(10, "put right");
}

#[test]
fn the_store_does_not_have_the_secrets_of_the_config() {
    let project = Project::new(&["good", "4"]);
    project.run().succeeded("first");
    assert_eq!(project.files_with_the_secret(), [project.path("flow.yaml")]);
}
