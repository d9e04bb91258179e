//! Every shape of state that a release ever wrote, and what the present release makes of it. Add to them, change none.
#![forbid(unsafe_code)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use source_git::fixture::{EPOCH, GitFixture};

/// What opening with `state` would do to it.
fn update(repository: &Path, state: &Value) -> Value {
    let binding = |name: &str, key: &str| {
        json!({
            "resourceConfig": {"name": name}, "resourcePath": [name], "stateKey": name,
            "collection": {"name": format!("a/{name}"), "key": [key], "writeSchema": {}},
        })
    };
    let open = json!({"open": {
        "capture": {
            "name": "a/git", "connectorType": "LOCAL", "config": {"path": repository}, "intervalSeconds": 1,
            "bindings": [binding("commits", "/id"), binding("refs", "/_meta/row_id")],
        },
        "version": "1", "range": {}, "state": state,
    }});
    let mut connector = Command::new(env!("CARGO_BIN_EXE_source-git"))
        .args(["plan", "--ask-source"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the connector starts");
    let mut input = connector.stdin.take().expect("its input is piped");
    writeln!(input, "{open}").expect("it reads its input");
    drop(input);
    let outcome = connector.wait_with_output().expect("it ends");
    assert!(outcome.status.success());
    let plan: Value = serde_json::from_slice(&outcome.stdout).expect("a plan is JSON");
    plan.get("update").cloned().unwrap_or(Value::Null)
}

#[test]
fn every_released_state_is_carried_into_todays_shape() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let fixture = GitFixture::init(dir.path());
    fixture.commit("one", EPOCH, &[]);
    fixture.git(&["branch", "-M", "main"]);
    let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states"))
        .expect("the states are there")
        .map(|entry| entry.expect("a folder can be read").path())
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a state can be read");
        let case: Value = serde_json::from_str(&text).expect("a state is JSON");
        assert_eq!(
            update(fixture.path(), &case["state"]),
            case["update"],
            "{}",
            file.display()
        );
    }
}

#[test]
fn every_law_of_migrations_holds_of_every_released_state() {
    staunch_testkit::check_migrations(
        source_git::chain("refs/heads/main"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states"),
    );
}
