//! Mistakes that connectors made with their state, each under its number in the bug museum, and what stands against it here.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use staunch::state::{Binding, Chain, ConnectorState, Node, Object, StateUpdate, transform};
use staunch::{Changes, Cursor, Resource};
use support::process::{Ended, Process};
use support::{Capture, Scripted, binding, docs, kind, open, open_with};

const STAMP: &str = "2026-01-01T00:00:00Z";

/// Long enough for whatever would come too early to come.
const A_WHILE: Duration = Duration::from_millis(300);

fn flat(cursor: u64) -> Value {
    json!({"inc": {"cursor": cursor}, "last_initialized": STAMP})
}

fn flat_state() -> Value {
    json!({"bindingStateV1": {"a": flat(7), "b": flat(8), "asleep": flat(4)}})
}

/// Captures one number after the cursor, up to 9, and counts how often it is asked to.
fn counted(name: &'static str, calls: &Arc<AtomicU64>) -> Resource {
    let calls = Arc::clone(calls);
    let fetch = move |subtask: Arc<str>, cursor: Cursor, mut emit: Changes| {
        calls.fetch_add(1, Ordering::SeqCst);
        async move {
            let next = cursor.as_u64().unwrap() + 1;
            if next < 10 {
                emit.document(&json!({ "id": format!("{name}-{subtask}-{next}") }))?;
                emit.checkpoint(Cursor::integer(next)).await?;
            }
            Ok(())
        }
    };
    Resource::new(name)
        .key(["/id"])
        .interval(Duration::from_millis(50))
        .incremental_each(fetch)
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + support::PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it is still not so that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn keyed() -> Chain {
    Chain::new().with(transform::flat_to_keyed("main"))
}

#[test]
fn m04_the_checkpoint_of_a_migration_never_precedes_opened_however_slow_the_output_is() {
    let calls = Arc::new(AtomicU64::new(0));
    let migrated = Arc::new(AtomicU64::new(0));
    let (counts, asked) = (Arc::clone(&calls), Arc::clone(&migrated));
    let connector = Scripted::new(move || vec![counted("a", &counts), counted("b", &counts)])
        .migrating(move || {
            asked.fetch_add(1, Ordering::SeqCst);
            keyed()
        });
    let request = open(&[binding("a"), binding("b")], flat_state());
    let (mut capture, gate) = Capture::open_slowly(connector, &request);
    until("it is migrated", || migrated.load(Ordering::SeqCst) == 1);
    capture.is_quiet(A_WHILE);
    gate.open();
    let before = capture.until(|lines| lines.len() == 2);
    assert_eq!(
        before[0],
        json!({"opened": {"explicitAcknowledgements": true}})
    );
    assert_eq!(kind(&before[1]), "checkpoint");
    capture.is_quiet(A_WHILE);
    assert_eq!(calls.load(Ordering::SeqCst), 0, "nothing has started");
    capture.send(&json!({"acknowledge": {"checkpoints": 1}}));
    let output = capture.until(|lines| docs(lines).len() == 2);
    assert_eq!(kind(&output[2]), "captured");
    drop(capture.stop());
}

#[test]
fn m05_a_hook_sees_and_saves_a_state_that_cannot_be_decoded() {
    const INC: &str = r#"{"old":{"deep":{"cursor":7},"n":1e400}}"#;
    let state =
        format!(r#"{{"bindingStateV1":{{"a":{{"inc":{INC},"last_initialized":"{STAMP}"}}}}}}"#);
    let calls = Arc::new(AtomicU64::new(0));
    let connector = |chain: fn() -> Chain| {
        let calls = Arc::clone(&calls);
        Scripted::new(move || vec![counted("a", &calls)]).migrating(chain)
    };
    let request = open_with(json!({}), &[binding("a")], &state);
    let (_, undecodable) = Capture::open(connector(Chain::new), &request).join();
    let error = undecodable.expect_err("without a migration there is no way in");
    assert!(error.contains("`/bindingStateV1/a/inc/old"), "{error}");

    let saves = || {
        let is_old = |_: &Binding, state: &Object| {
            let inc = state.get("inc").map(Node::to_json);
            inc.is_some_and(|inc| inc.contains(r#""n":1e400"#))
        };
        let migrate = |_: &Binding, mut state: Object| {
            state.insert("inc", Node::parse(r#"{"main":{"cursor":7}}"#).unwrap());
            Ok(state)
        };
        Chain::new().with(transform::custom("save", is_old, migrate))
    };
    let mut capture = Capture::open(connector(saves), &request);
    let output = capture.until(|lines| lines.len() == 2);
    let update = json!({"bindingStateV1": {"a": {"inc": {"old": null, "main": {"cursor": 7}}}}});
    assert_eq!(output[1]["checkpoint"]["state"]["updated"], update);
    capture.stop().unwrap();
}

/// Where the binding's state says that reading resumes: in the old shape, or in the new one.
fn place(state: &Value, binding: &str) -> Option<u64> {
    let inc = &state["bindingStateV1"][binding]["inc"];
    match (inc["cursor"].as_u64(), inc["main"]["cursor"].as_u64()) {
        (Some(place), None) | (None, Some(place)) => Some(place),
        _ => None,
    }
}

#[test]
fn m10_no_prefix_of_the_output_leaves_a_state_without_the_old_place_and_the_new() {
    let calls = Arc::new(AtomicU64::new(0));
    let connector =
        Scripted::new(move || vec![counted("a", &calls), counted("b", &calls)]).migrating(keyed);
    let before = flat_state();
    let mut capture = Capture::open(
        connector,
        open(&[binding("a"), binding("b")], before.clone()),
    );
    capture.until(|lines| lines.len() == 2);
    capture.send(&json!({"acknowledge": {"checkpoints": 1}}));
    let is_done = |lines: &[Value]| {
        docs(lines).len() == 3 && lines.last().is_some_and(|line| kind(line) == "checkpoint")
    };
    capture.until(is_done);
    let output = capture.stop().unwrap();

    let mut places = vec![(7, 8, 4)];
    let mut state = Node::from_value(&before);
    for line in &output {
        // A line that is cut is no message: prefixes of lines are all there are.
        let Some(update) = line.pointer("/checkpoint/state") else {
            continue;
        };
        assert_eq!(update["mergePatch"], json!(true));
        state = StateUpdate::merge(Node::from_value(&update["updated"])).apply(state);
        ConnectorState::new(state.clone())
            .unwrap()
            .decode()
            .unwrap();
        let state = state.to_value();
        let of = |binding| place(&state, binding).unwrap_or_else(|| panic!("{binding}: {state}"));
        places.push((of("a"), of("b"), of("asleep")));
    }
    assert_eq!(
        places[..2],
        [(7, 8, 4), (7, 8, 4)],
        "the migration is the first checkpoint"
    );
    assert_eq!(places.last(), Some(&(9, 9, 4)));
    assert!(places.is_sorted(), "{places:?}");
}

/// One error, a failure, and nothing on standard output.
fn refusal(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.lines, [""; 0], "{ended:?}");
    match ended.logged("error")[..] {
        [error] => error,
        _ => panic!("{ended:?}"),
    }
}

#[test]
fn m12_a_state_that_cannot_be_carried_over_ends_the_process_and_is_never_taken_for_none() {
    let of_a = |state: Value| json!({"bindingStateV1": {"a": state}}).to_string();
    let keyed = json!({"inc": {"main": {"cursor": 7}}, "last_initialized": STAMP});
    let cases: [(&str, &str, String, &[&str]); 10] = [
        (
            "it cannot be decoded, and no migration is about it",
            "none",
            of_a(json!({"inc": {"cursor": -1}})),
            &["binding `a`", "`/bindingStateV1/a/inc/cursor`", "; "],
        ),
        (
            "it cannot be decoded after a migration of another binding",
            "keyed",
            json!({"bindingStateV1": {"a": flat(7), "b": {"backfill": {"cutoff": "soon"}}}})
                .to_string(),
            &["binding `b`", "`/bindingStateV1/b/backfill/cutoff`", "; "],
        ),
        (
            "a migration leaves what cannot be decoded",
            "spoils",
            of_a(keyed.clone()),
            &[
                "migration `spoils`",
                "binding `a`",
                "`/bindingStateV1/a/snapshot`",
                "; ",
            ],
        ),
        (
            "a migration fails",
            "fails",
            of_a(keyed.clone()),
            &[
                "migration `fails`",
                "binding `a`",
                "`/bindingStateV1/a/inc`",
                "; add one",
            ],
        ),
        (
            "a check refuses",
            "forgets",
            of_a(keyed.clone()),
            &[
                "migration `forgets`",
                "binding `a`",
                "`/last_initialized`",
                "; ",
            ],
        ),
        (
            "there is no fixed point",
            "restless",
            of_a(keyed),
            &["migration `restless`", "binding `a`", "; "],
        ),
        (
            "it is no object",
            "keyed",
            "[1]".into(),
            &["the connector state is not an object", "; "],
        ),
        (
            "its bindings are no object",
            "keyed",
            r#"{"bindingStateV1":[1]}"#.into(),
            &["`/bindingStateV1`", "; "],
        ),
        (
            "a binding's is no object",
            "keyed",
            of_a(json!("x")),
            &["`/bindingStateV1/a`", "; "],
        ),
        (
            "a backfill is asked for in a way that is not known",
            "keyed",
            r#"{"backfillRequests":{"a":1}}"#.into(),
            &["`/backfillRequests/a`", "; "],
        ),
    ];
    for (what, chain, state, expected) in cases {
        let request = open_with(
            json!({ "chain": chain }),
            &[binding("a"), binding("b")],
            &state,
        );
        for arguments in [&[][..], &["plan"]] {
            let ended = Process::run(arguments, &request);
            let error = refusal(&ended);
            for part in expected {
                assert!(error.contains(part), "{what}: `{part}` in {error}");
            }
        }
    }
}

#[test]
fn m18_the_state_of_a_disabled_binding_and_of_one_that_is_gone_are_migrated_with_the_others() {
    let calls = Arc::new(AtomicU64::new(0));
    let connector = Scripted::new(move || vec![counted("a", &calls)]).migrating(keyed);
    let mut request = open(&[binding("a")], flat_state());
    request["open"]["capture"]["inactiveBindings"] = json!([binding("asleep")]);
    let mut capture = Capture::open(connector, &request);
    let output = capture.until(|lines| lines.len() == 2);
    capture.stop().unwrap();
    let keyed = |cursor: u64| json!({"inc": {"cursor": null, "main": {"cursor": cursor}}});
    assert_eq!(
        output[1]["checkpoint"]["state"]["updated"],
        json!({"bindingStateV1": {"a": keyed(7), "b": keyed(8), "asleep": keyed(4)}})
    );
}

fn keyed_request(bindings: &[Value]) -> String {
    open_with(json!({}), bindings, &flat_state().to_string())
}

const CALLED: &str = "a function is called";

#[test]
fn m19_nothing_starts_or_ends_before_the_migrated_state_is_acknowledged() {
    let mut process = Process::start(&[]);
    process.send(keyed_request(&[binding("a"), binding("b")]));
    process.until(2);
    assert_eq!(process.is_waiting(A_WHILE).len(), 2);
    process.acknowledge(1);
    assert!(process.until(3)[2].starts_with(r#"{"captured":"#));
    let ended = process.stop();
    assert_eq!(ended.code, Some(0));
    let record = ended
        .logs
        .iter()
        .position(|record| !record["fields"]["migration"].is_null());
    let called = ended.logs.iter().position(|record| record["msg"] == CALLED);
    assert!(record.unwrap() < called.unwrap(), "{ended:?}");
}

#[test]
fn m19_a_capture_with_nothing_to_do_but_to_migrate_waits_too() {
    let mut process = Process::start(&[]);
    process.send(keyed_request(&[]));
    process.until(2);
    process.is_waiting(A_WHILE);
    process.acknowledge(1);
    let ended = process.wait();
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 2), "{ended:?}");
}

#[test]
fn m19_a_process_that_is_asked_to_end_awaits_the_acknowledgement_and_captures_nothing() {
    let mut process = Process::start(&[]);
    process.send(keyed_request(&[binding("a")]));
    process.until(2);
    process.signal("-TERM");
    process.is_waiting(A_WHILE);
    process.acknowledge(1);
    let ended = process.wait();
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 2), "{ended:?}");
    assert_eq!(ended.count(CALLED), 0);
}

#[test]
fn m19_a_process_that_is_killed_before_migrates_again_in_the_same_way() {
    let request = keyed_request(&[binding("a"), binding("b")]);
    let ended: Vec<_> = (0..2)
        .map(|_| {
            let mut process = Process::start(&[]);
            process.send(&request);
            process.until(2);
            process.kill()
        })
        .collect();
    assert_eq!(ended[0].code, None, "it was killed");
    assert_eq!(ended[0].lines, ended[1].lines);
    assert_eq!(ended[0].migration(), ended[1].migration());
    assert_eq!(ended[0].count(CALLED) + ended[1].count(CALLED), 0);
}

const HOOK: &str = "the hook is called";

#[test]
fn m21_opening_and_planning_call_the_hook_once_and_nothing_else_does() {
    let collection = support::collection("a/a", &["/id"]);
    let bound = json!({"resourceConfig": {"name": "a"}, "collection": collection});
    let others = [
        json!({"spec": {"config": {}}}),
        json!({"discover": {"connectorType": "LOCAL", "config": {}}}),
        json!({"validate": {"name": "a/b", "connectorType": "LOCAL", "config": {}, "bindings": [bound]}}),
        json!({"apply": {"capture": {"name": "a/b", "connectorType": "LOCAL", "config": {}, "intervalSeconds": 1},
            "version": "1", "state": flat_state()}}),
    ];
    let others = others.map(|request| request.to_string()).join("\n");
    let ended = Process::run(&[], &others);
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 4), "{ended:?}");
    assert_eq!(ended.count(HOOK), 0);

    let migrated = r#"{"bindingStateV1":{"a":{"inc":{"main":{"cursor":7}}}}}"#;
    let absent = {
        let mut request = open(&[binding("a")], json!({}));
        request["open"].as_object_mut().unwrap().remove("state");
        request.to_string()
    };
    let of = |state: &str| open_with(json!({}), &[binding("a")], state);
    for (what, request) in [
        ("flat", of(&flat_state().to_string())),
        ("migrated", of(migrated)),
        ("empty", of("{}")),
        ("null", of("null")),
        ("absent", absent),
    ] {
        // The second process is a restart before anything was committed.
        for arguments in [&[][..], &[], &["plan"]] {
            let mut process = Process::start(arguments);
            process.send(&request);
            process.until(1);
            let ended = process.stop();
            assert_eq!(
                (ended.code, ended.count(HOOK)),
                (Some(0), 1),
                "{what}: {ended:?}"
            );
        }
    }
}

#[test]
fn m22_a_migration_to_a_subtask_with_the_name_of_a_member_is_refused() {
    let calls = Arc::new(AtomicU64::new(0));
    let connector = Scripted::new(move || vec![counted("a", &calls)])
        .migrating(|| Chain::new().with(transform::flat_to_keyed("cursor")));
    let (output, outcome) = Capture::open(connector, open(&[binding("a")], flat_state())).join();
    assert!(output.is_empty(), "{output:?}");
    let error = outcome.unwrap_err();
    assert!(error.contains("a subtask named `cursor`"), "{error}");
}

/// Code of the kit, file by file, without comments and without the tests in it.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, root: &Path, files: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, files);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if !name.ends_with(".rs") || name.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let code: String = code.flat_map(|line| line.trim().chars()).collect();
            files.push((name, code));
        }
    }
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut files = Vec::new();
    walk(root, root, &mut files);
    files
}

#[test]
fn m21_there_is_one_place_that_migrates_and_every_way_to_open_leads_through_it() {
    let sources = sources();
    for (code, places) in [
        // The hook is called in one place, and so is the engine that checks what it answers.
        ("connector.migrate_state(", &["migrate.rs"][..]),
        (".migrate_state(", &["migrate.rs"]),
        ("::migrate_state(", &[]),
        ("staunch_state::plan", &["migrate.rs"]),
        ("staunch_state::survey", &["migrate.rs"]),
        ("plan,survey", &[]),
        // A chain is run there too, by the default hook or by an author's.
        ("chain.run(", &["migrate.rs"]),
        (".migrations(", &["connector.rs"]),
        // From there one way leads to a state that is decoded, and two ways lead to that: a plan's, and a capture's.
        ("migrate::plan(", &["open.rs"]),
        ("fnmigrate<", &["open.rs"]),
        ("ConnectorState::new(", &["open.rs"]),
        ("ConnectorState::parse(", &[]),
        ("open::migrate(", &["plan.rs"]),
        ("=migrate(connector", &["open.rs"]),
        ("open::prepare(", &["serve.rs"]),
        // And only that one looks at the state of an `open` request.
        ("open.state,", &["open.rs"]),
        ("open.state.get()", &[]),
        (".start(&session)", &["serve.rs"]),
    ] {
        let squeezed = |text: &str| -> String { text.split_whitespace().collect() };
        let found: Vec<_> = sources
            .iter()
            .flat_map(|(name, text)| {
                squeezed(text)
                    .matches(&squeezed(code))
                    .map(|_| name.as_str())
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(found, places, "`{code}`");
    }
}
