//! The migration hook: what it sees, what comes of its answer on the wire, and what is recorded of that.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod support;

use std::sync::{Arc, Mutex};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use staunch::Migration;
use staunch::state::{Declared, Node};
use support::process::{Ended, Process};
use support::{Capture, Scripted, binding, open, open_with, update_of};

/// What a hook has seen.
#[derive(Default)]
struct Seen {
    tenant: String,
    state: String,
    /// State key, resource config, and whether it is open.
    bindings: Vec<(String, Option<String>, bool)>,
    range: (u32, u32),
}

#[test]
fn a_hook_sees_the_whole_state_every_binding_every_orphan_the_config_and_the_range() {
    // Nothing of this can be decoded, or held by a 64-bit number; members are not in the order of the alphabet.
    let state = r#"{"refresh_token":"r","bindingStateV1":{"z/1":{"later":-0.0,"inc":["no",{"cursor":1e400}]},"asleep":{"n":123456789012345678901234567890},"gone":{"inc":7},"null":null},"future":{"v":2.50}}"#;
    let config = |name: &str| json!({"name": name, "interval": "PT5M", "_meta": {"path": [name]}});
    let of = |name: &str, state_key: &str| {
        let mut binding = binding(name);
        binding["resourceConfig"] = config(name);
        binding["stateKey"] = json!(state_key);
        binding
    };
    let mut request = open(&[of("z", "z/1"), of("new", "new")], json!("@"));
    request["open"]["capture"]["config"] = json!({"tenant": "acme"});
    request["open"]["capture"]["inactiveBindings"] =
        json!([of("asleep", "asleep"), of("idle", "idle")]);
    request["open"]["range"] = json!({"keyBegin": 16, "keyEnd": 31, "rClockEnd": u32::MAX});
    let request = request.to_string().replace("\"@\"", state);

    let seen = Arc::new(Mutex::new(Seen::default()));
    let sees = Arc::clone(&seen);
    let connector = Scripted::new(Vec::new).hooked(move |migrating| {
        let text = |node: &Node| node.to_json();
        let mut seen = sees.lock().unwrap();
        seen.tenant = migrating.config.tenant.clone();
        seen.state = migrating.state.to_json();
        seen.range = (migrating.range.key_begin, migrating.range.key_end);
        let bindings = migrating.bindings.iter();
        seen.bindings = bindings
            .map(|of| {
                (
                    of.state_key.clone(),
                    of.resource.as_ref().map(text),
                    of.is_active,
                )
            })
            .collect();
        Ok(Migration::Unchanged)
    });
    let (output, outcome) = Capture::open(connector, request).join();
    assert!(output.is_empty(), "{output:?}");
    outcome.expect_err("the hook has left a state that cannot be decoded");

    let seen = seen.lock().unwrap();
    assert_eq!((&*seen.tenant, seen.range), ("acme", (16, 31)));
    assert_eq!(seen.state, state);
    let whole = |name: &str| Some(config(name).to_string());
    let expected = [
        ("z/1", whole("z"), true),
        ("new", whole("new"), true),
        ("asleep", whole("asleep"), false),
        ("idle", whole("idle"), false),
        ("gone", None, false),
    ];
    let expected = expected.map(|(key, resource, is_active)| (key.to_owned(), resource, is_active));
    assert_eq!(seen.bindings, expected);
}

#[test]
fn a_hook_that_names_nothing_of_what_it_does_is_refused() {
    let connector = Scripted::new(Vec::new).hooked(|migrating| {
        let mut state = migrating.state.clone().into_object().unwrap();
        state.insert(
            "bindingStateV1",
            Node::parse(r#"{"a":{"inc":{"cursor":7}}}"#)?,
        );
        Ok(Migration::Migrated {
            state: Node::Object(state),
            applied: Vec::new(),
            declared: Declared::default(),
        })
    });
    let (output, outcome) = Capture::open(connector, open(&[], json!({}))).join();
    assert!(output.is_empty(), "{output:?}");
    let error = outcome.unwrap_err();
    assert!(error.contains("names no step"), "{error}");
}

const STAMP: &str = r#""last_initialized":"2026-01-01T00:00:00Z""#;

/// Opens the capture, acknowledges its migration if there is one, and ends it.
fn opened(chain: &str, bindings: &[Value], state: &str) -> Ended {
    let mut process = Process::start(&[]);
    process.send(open_with(json!({ "chain": chain }), bindings, state));
    if process.until(1)[0].contains("explicitAcknowledgements") {
        process.until(2);
        process.acknowledge(1);
    }
    process.stop()
}

fn digest(text: &str) -> String {
    format!("{:032x}", twox_hash::XxHash3_128::oneshot(text.as_bytes()))
}

#[test]
fn the_whole_state_is_replaced_only_where_a_step_asks_for_that_by_its_name() {
    let of_b = format!(r#""b":{{"inc":{{"cursor":8}},{STAMP}}}"#);
    let state = |old: &str| {
        format!(
            r#"{{"bindingStateV1":{{"a":{{"inc":{{"cursor":7}},{old}{STAMP}}},{of_b}}},"refresh_token":"t"}}"#
        )
    };
    let bindings = [binding("a"), binding("b")];

    let ended = opened("replaces", &bindings, &state(r#""old":1,"#));
    let (update, is_merge_patch) = update_of(&ended.lines[1]);
    assert!(!is_merge_patch);
    let whole = format!(
        r#"{{"bindingStateV1":{{"a":{{"inc":{{"main":{{"cursor":7}}}},{STAMP}}},"b":{{"inc":{{"main":{{"cursor":8}}}},{STAMP}}}}},"refresh_token":"t"}}"#
    );
    assert_eq!(
        update, whole,
        "every binding of it, and what is beside them"
    );
    let record = ended.migration();
    assert_eq!(record["mergePatch"], json!(false));
    let names: Vec<_> = record["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["name"])
        .collect();
    assert_eq!(names, ["flat-to-keyed", "anew"]);

    // The same connector, and a state that this step has nothing to do with.
    let ended = opened("replaces", &bindings, &state(""));
    let (update, is_merge_patch) = update_of(&ended.lines[1]);
    assert!(is_merge_patch);
    assert_eq!(
        update,
        r#"{"bindingStateV1":{"a":{"inc":{"cursor":null,"main":{"cursor":7}}},"b":{"inc":{"cursor":null,"main":{"cursor":8}}}}}"#
    );
    let record = ended.migration();
    assert_eq!(record["mergePatch"], json!(true));
    assert_eq!(record["migrations"][0]["name"], json!("flat-to-keyed"));
    assert_eq!(record["migrations"].as_array().unwrap().len(), 1);
}

#[test]
fn a_record_tells_the_steps_with_their_checksums_and_how_the_checkpoint_is_known() {
    let state = format!(
        r#"{{"bindingStateV1":{{"a":{{"inc":{{"cursor":7}},{STAMP}}},"z":{{"inc":{{"cursor":1}}}}}},"refresh_token":"r"}}"#
    );
    let ended = opened("whole", &[binding("a")], &state);
    let (update, _) = update_of(&ended.lines[1]);
    let chain = staunch::state::Chain::new().with(staunch::state::transform::flat_to_keyed("main"));
    let definition = chain.steps().next().unwrap().definition;
    let record = ended.migration();
    let token = &record["migrations"][1];
    assert_eq!(
        *record,
        json!({
            "migrations": [
                {"name": "flat-to-keyed", "checksum": digest(&definition), "bindings": 2},
                {"name": "without-token", "checksum": token["checksum"], "bindings": 0},
            ],
            "mergePatch": true,
            "updateBytes": update.len(),
            "updateDigest": digest(&update),
        }),
        "what is beside the bindings may be a secret, and is not shown"
    );
    assert_ne!(token["checksum"], record["migrations"][0]["checksum"]);
    assert_eq!(token["checksum"].as_str().unwrap().len(), 32);
    let again = opened("whole", &[binding("a")], &state);
    assert_eq!(again.migration(), record, "whoever asks");

    let ended = opened("keyed", &[binding("a")], &state);
    let (update, _) = update_of(&ended.lines[1]);
    assert_eq!(ended.migration()["update"].to_string(), update);
}

#[test]
fn what_a_person_consented_to_in_the_config_is_recorded_and_is_refused_where_nobody_did() {
    let state = r#"{"bindingStateV1":{"a":{"inc":{"main":{"cursor":7}},"old":true}}}"#;
    let open = |allow: &[&str]| {
        let config = json!({ "chain": "restarts", "allow": allow });
        let mut process = Process::start(&[]);
        process.send(open_with(config, &[binding("a")], state));
        if !allow.is_empty() {
            process.until(2);
            process.acknowledge(1);
        }
        process.stop()
    };
    let refused = open(&[]);
    assert_eq!(
        (refused.code, refused.lines.len()),
        (Some(1), 0),
        "{refused:?}"
    );
    let allowed = open(&["backfill:a", "skip:another"]);
    let record = allowed.migration();
    assert_eq!(record["consents"], json!(["backfill:a"]), "{record}");
}

#[test]
fn a_plan_shows_what_the_config_consents_to_and_what_still_needs_consent() {
    let state = r#"{"bindingStateV1":{"a":{"inc":{"main":{"cursor":7}},"old":true}}}"#;
    for (allow, given) in [
        (json!([]), json!([])),
        (json!(["skip:another", "yes"]), json!([])),
        (
            json!(["backfill:a"]),
            json!([{ "kind": "backfill", "stateKey": "a" }]),
        ),
    ] {
        let config = json!({ "chain": "restarts", "allow": allow });
        let ended = Process::run(&["plan"], &open_with(config, &[binding("a")], state));
        assert_eq!((ended.code, ended.lines.len()), (Some(0), 1), "{ended:?}");
        let plan: Value = serde_json::from_str(&ended.lines[0]).unwrap();
        let needs = json!([{ "kind": "backfill", "stateKey": "a" }]);
        assert_eq!((&plan["needs"], &plan["given"]), (&needs, &given));
    }
}

#[test]
fn a_hook_that_is_no_chain_names_its_own_steps() {
    let ended = opened("hand", &[], r#"{"old":1,"bindingStateV1":{}}"#);
    let step = json!({"name": "by-hand", "checksum": null, "bindings": 0});
    assert_eq!(ended.migration()["migrations"], json!([step]));
    assert_eq!(
        update_of(&ended.lines[1]),
        (r#"{"old":null}"#.to_owned(), true)
    );
}

#[test]
fn a_record_stays_small_however_many_bindings_there_are() {
    const BINDINGS: usize = 20_000;
    let entry = |n: usize| format!(r#""{n:06}":{{"inc":{{"cursor":{n}}}}}"#);
    let entries: Vec<_> = (0..BINDINGS).map(entry).collect();
    let state = format!(r#"{{"bindingStateV1":{{{}}}}}"#, entries.join(","));
    let ended = opened("keyed", &[], &state);
    let (update, _) = update_of(&ended.lines[1]);
    assert!(update.len() > 1 << 20, "long enough to be cut from a log");
    let record = ended.migration();
    assert_eq!(record["migrations"][0]["bindings"], json!(BINDINGS));
    assert_eq!(record["updateDigest"], json!(digest(&update)));
    assert_eq!(record.get("update"), None);
    assert!(record.to_string().len() < 1_000, "{record}");
}

/// The update of the plan that the connector makes for this request, as text.
fn planned(request: &str) -> Option<(String, bool)> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Plan {
        update: Box<RawValue>,
        merge_patch: bool,
        update_bytes: usize,
    }
    let ended = Process::run(&["plan"], request);
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 1), "{ended:?}");
    let plan: Option<Plan> = serde_json::from_str(&ended.lines[0]).unwrap();
    let plan = plan?;
    assert_eq!(plan.update_bytes, plan.update.get().len());
    Some((plan.update.get().to_owned(), plan.merge_patch))
}

#[test]
fn a_plan_has_byte_for_byte_the_update_that_opening_sends() {
    let flat = format!(r#"{{"inc":{{"cursor":7}},{STAMP}}}"#);
    let keyed = format!(r#"{{"inc":{{"main":{{"cursor":7}}}},{STAMP}}}"#);
    let paging = r#"{"inc":{"cursor":7},"backfill":{"cutoff":7,"next_page":{"at":123456789012345678901234567890,"x":1.50}}}"#;
    let bare = |entries: &str| format!(r#"{{"bindingStateV1":{{{entries}}}}}"#);
    for (what, chain, state, is_changed) in [
        (
            "flat",
            "keyed",
            bare(&format!(r#""a":{flat},"b":{flat}"#)),
            true,
        ),
        ("keyed", "keyed", bare(&format!(r#""a":{keyed}"#)), false),
        (
            "mixed",
            "keyed",
            bare(&format!(r#""a":{keyed},"b":{flat}"#)),
            true,
        ),
        ("disabled", "keyed", bare(&format!(r#""c":{flat}"#)), true),
        (
            "orphan",
            "keyed",
            bare(&format!(r#""a":{keyed},"x/y~z \u00e9 é":{flat}"#)),
            true,
        ),
        ("backfill", "keyed", bare(&format!(r#""a":{paging}"#)), true),
        (
            "members that no migration is about",
            "keyed",
            r#"{"refresh_token":{"n":1e400},"bindingStateV1":{"a":{"archived":{"z":[1, 2],"y":-0.0},"inc":{"cursor":7}}}}"#.to_owned(),
            true,
        ),
        (
            "whole",
            "whole",
            format!(r#"{{"refresh_token":"r","bindingStateV1":{{"b":{flat}}}}}"#),
            true,
        ),
        (
            "replaced",
            "replaces",
            bare(
                r#""a":{"inc":{"cursor":7},"old":[1.0, 2],"archived":123456789012345678901234567890}"#,
            ),
            true,
        ),
        ("no chain", "none", bare(&format!(r#""a":{keyed}"#)), false),
        ("empty", "keyed", "{}".to_owned(), false),
    ] {
        let mut request = open_with(
            json!({ "chain": chain }),
            &[binding("a"), binding("b")],
            &state,
        );
        let asleep = json!([binding("c")]);
        request = request.replacen(
            "\"bindings\":",
            &format!("\"inactiveBindings\":{asleep},\"bindings\":"),
            1,
        );
        let plan = planned(&request);
        assert_eq!(plan.is_some(), is_changed, "{what}");
        let mut process = Process::start(&[]);
        process.send(&request);
        let Some((update, is_merge_patch)) = plan else {
            assert_eq!(process.until(1), [r#"{"opened":{}}"#], "{what}");
            continue;
        };
        let lines = process.until(2);
        assert_eq!(
            lines[0], r#"{"opened":{"explicitAcknowledgements":true}}"#,
            "{what}"
        );
        assert_eq!(update_of(&lines[1]), (update, is_merge_patch), "{what}");
    }
}

#[test]
fn a_step_that_is_undone_is_planned_on_the_state_of_today() {
    let keyed = format!(r#"{{"inc":{{"main":{{"cursor":9}}}},{STAMP}}}"#);
    let state = format!(r#"{{"bindingStateV1":{{"a":{keyed},"b":{keyed}}}}}"#);
    let plan = |chain: &str, undo: &[&str], state: &str| {
        let request = open_with(json!({ "chain": chain }), &[binding("a")], state);
        let mut words = vec!["plan"];
        words.extend(undo.iter().flat_map(|step| ["--undo", *step]));
        Process::run(&words, &request)
    };
    let undone = plan("keyed", &["flat-to-keyed"], &state);
    assert_eq!(
        (undone.code, undone.lines.len()),
        (Some(0), 1),
        "{undone:?}"
    );
    let planned: Value = serde_json::from_str(&undone.lines[0]).unwrap();
    let flat = json!({ "inc": { "main": null, "cursor": 9 } });
    assert_eq!(
        (&planned["update"], planned["groups"][0]["outcome"].as_str()),
        (
            &json!({ "bindingStateV1": { "a": flat, "b": flat } }),
            Some("REWRITE")
        )
    );

    let unknown = plan("keyed", &["another"], &state);
    assert_eq!((unknown.code, &*unknown.lines[0]), (Some(0), "null"));
    let irreversible = plan("whole", &["another", "without-token"], &state);
    assert_eq!((irreversible.code, irreversible.lines.len()), (Some(1), 0));
    let error = irreversible.logged("error").join("\n");
    assert!(error.contains("without-token"), "{error}");
    let hand = plan("hand", &["by-hand"], r#"{"old":1,"bindingStateV1":{}}"#);
    assert_eq!((hand.code, hand.lines.len()), (Some(1), 0));
    let error = hand.logged("error").join("\n");
    assert!(error.contains("is no chain of steps"), "{error}");
    assert_eq!(Process::run(&["plan", "--undo"], "").code, Some(2));
}
