use std::path::Path;

use serde_json::{Value, json};
use staunch_protocol::log::Record;
use twox_hash::XxHash3_128;

use super::*;
use crate::events::Unobserved;
use crate::files::OutputFiles;
use crate::store::JournalRow;

const CAPTURE: &str = "acmeCo/git";
const BEFORE: &str = r#"{"bindingStateV1":{"a":{"inc":{"cursor":7}}}}"#;
const UPDATE: &str = r#"{"bindingStateV1":{"a":{"inc":{"cursor":null,"main":{"cursor":7}}}}}"#;

/// Runs one session with a connector that a shell plays: it says this after `Opened`, and then awaits one line.
fn session(folder: &Path, says: &str) -> (Result<SessionEnd, RunError>, Vec<Record>) {
    let script = format!(
        r#"
        read -r spec; echo '{{"spec":{{"protocol":3032023,"configSchema":{{}},"resourceConfigSchema":{{}},"documentationUrl":"https://example.com"}}}}'
        read -r open; echo '{{"opened":{{"explicitAcknowledgements":true}}}}'
        {says}
        read -r acknowledge; exit 0
        "#
    );
    let command = ConnectorCommand {
        argv: ["/bin/sh", "-c", &script].map(str::to_owned).into(),
        dir: folder.to_owned(),
        env: Default::default(),
        codec: Default::default(),
    };
    let mut store = Store::open(&folder.join(".staunch"), CAPTURE).unwrap();
    if store.load(CAPTURE).unwrap().is_none() {
        let first = Commit {
            capture: CAPTURE,
            expected_revision: 0,
            state: Some(BEFORE),
            files: &[],
            documents: 0,
            checkpoints: 1,
            connector: "sh",
            at: "2026-01-01T00:00:00Z",
            update: None,
            cause: None,
        };
        store.commit(&first).unwrap();
    }
    let row = store.load(CAPTURE).unwrap().unwrap();
    let files = store.files(CAPTURE).unwrap();
    let mut sink = Sink::of_files(OutputFiles::open(&folder.join("out"), &files).unwrap());
    let logged = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&logged);
    let mut state = RunState {
        watched: None,
        inbox: &Inbox::default(),
        capture: CAPTURE,
        command: &command,
        version: "sh",
        spec: &CaptureSpec::default(),
        targets: &[],
        store: &mut store,
        sink: &mut sink,
        state: Node::parse(&row.state).unwrap(),
        revision: row.revision,
        progress: Arc::new(Progress::new([])),
        stop: &Stop::new(),
        until_idle: None,
        observer: &Unobserved,
        log: Arc::new(move |record| log.lock().unwrap().push(record)),
        rejected_dir: folder.join("rejected"),
        totals: Totals::default(),
    };
    let outcome = run(&mut state);
    let logged = logged.lock().unwrap().clone();
    (outcome, logged)
}

fn steps() -> Value {
    json!([{"name": "flat-to-keyed", "checksum": "c0ffee", "bindings": 1}])
}

/// The record of a migration by this update, and a checkpoint, as the shell says them.
fn record_of(update: &str) -> String {
    let record = json!({"level": "info", "msg": "connector state is migrated", "fields": {"migration": {
        "migrations": steps(),
        "mergePatch": true,
        "updateBytes": update.len(),
        "updateDigest": format!("{:032x}", XxHash3_128::oneshot(update.as_bytes())),
    }}});
    format!("echo '{record}' >&2")
}

fn checkpoint(update: &str) -> String {
    format!(r#"echo '{{"checkpoint":{{"state":{{"updated":{update},"mergePatch":true}}}}}}'"#)
}

fn stored(folder: &Path) -> (String, Vec<JournalRow>) {
    let reader = Store::open_readonly(&folder.join(".staunch")).unwrap();
    let row = reader.load(CAPTURE).unwrap().unwrap();
    (row.state, reader.journal(CAPTURE).unwrap())
}

#[test]
fn a_migration_is_journaled_with_its_steps_the_update_and_the_state_before() {
    // The record may also be read after the checkpoint: the two come through different pipes.
    for says in [
        format!("{}\n{}", record_of(UPDATE), checkpoint(UPDATE)),
        format!("{}\nsleep 0.1\n{}", checkpoint(UPDATE), record_of(UPDATE)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (outcome, _) = session(folder.path(), &says);
        assert_eq!(outcome.unwrap(), SessionEnd::Exited);
        let (state, journal) = stored(folder.path());
        assert_eq!(
            state,
            r#"{"bindingStateV1":{"a":{"inc":{"main":{"cursor":7}}}}}"#
        );
        let [row] = &journal[..] else {
            panic!("{journal:?}");
        };
        assert_eq!(
            serde_json::from_str::<Value>(&row.migrations).unwrap(),
            steps()
        );
        assert_eq!((&*row.kind, &*row.state_update), ("migration", UPDATE));
        assert_eq!(row.state_before, BEFORE);
    }
}

#[test]
fn a_migration_of_what_is_beside_the_bindings_is_journaled_too() {
    let folder = tempfile::tempdir().unwrap();
    let update = r#"{"refresh_token":null}"#;
    let says = format!("{}\n{}", record_of(update), checkpoint(update));
    session(folder.path(), &says).0.unwrap();
    assert_eq!(stored(folder.path()).1.len(), 1);
}

#[test]
fn a_record_of_another_update_is_not_taken_for_the_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let other = r#"{"bindingStateV1":{"a":null}}"#;
    let says = format!("{}\n{}", record_of(other), checkpoint(UPDATE));
    let (outcome, logged) = session(folder.path(), &says);
    outcome.unwrap();
    let (state, journal) = stored(folder.path());
    assert!(state.contains("main"), "{state}");
    assert!(journal.is_empty(), "{journal:?}");
    let warned = logged
        .iter()
        .find(|record| record.level == staunch_protocol::log::Level::Warn);
    let fields = &warned.expect("there is a warning").fields;
    assert_eq!(fields["migrations"], json!(["flat-to-keyed"]));
}

#[test]
fn a_migration_that_is_sent_again_after_a_crash_is_journaled_once() {
    let folder = tempfile::tempdir().unwrap();
    let half = r#"printf '{"checkpoint":{"state":{"updated":{"binding'; exit 1"#;
    let dies = format!("{}\n{half}", record_of(UPDATE));
    let (outcome, _) = session(folder.path(), &dies);
    assert!(outcome.is_err());
    let (state, journal) = stored(folder.path());
    assert_eq!(
        (&*state, journal.len()),
        (BEFORE, 0),
        "nothing was committed"
    );

    let again = format!("{}\n{}", record_of(UPDATE), checkpoint(UPDATE));
    session(folder.path(), &again).0.unwrap();
    // Migrated by now: all that is left to say is where the capture is.
    let goes_on = checkpoint(r#"{"bindingStateV1":{"a":{"inc":{"main":{"cursor":8}}}}}"#);
    session(folder.path(), &goes_on).0.unwrap();
    let (state, journal) = stored(folder.path());
    assert_eq!(
        state,
        r#"{"bindingStateV1":{"a":{"inc":{"main":{"cursor":8}}}}}"#
    );
    assert_eq!(journal.len(), 1);
}
