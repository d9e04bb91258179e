//! `migrate apply`: a migration that is carried out, and all that keeps it from being.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use twox_hash::XxHash3_128;

use crate::project::{CAPTURES, Shop, assert_shown, interrupt};

/// What the migration sends, as the wire has it.
const UPDATE: &str =
    r#"{"bindingStateV1":{"orders":{"inc":{"cursor":null,"realtime":{"cursor":1}}}}}"#;

/// What a connector says once it is opened that migrates, and then waits to be stopped.
pub(crate) fn migrates() -> String {
    let record = json!({ "level": "info", "msg": "connector state is migrated", "fields": { "migration": {
        "migrations": [{ "name": "realtime", "checksum": null, "bindings": 1 }], "mergePatch": true, "updateBytes": UPDATE.len(),
        "updateDigest": format!("{:032x}", XxHash3_128::oneshot(UPDATE.as_bytes())),
    } } });
    format!(
        "echo '{record}' >&2; echo '{{\"opened\":{{\"explicitAcknowledgements\":true}}}}'
         echo '{{\"checkpoint\":{{\"state\":{{\"updated\":{UPDATE},\"mergePatch\":true}}}}}}'; cat > /dev/null; exit 0"
    )
}

/// What a planner says: orders change, and that needs a consent or none.
pub(crate) fn plan(needs: &Value, given: &[Value]) -> Value {
    json!({
        "groups": [{
            "outcome": "REWIND", "change": "inc {cursor} to inc {realtime}", "notes": [], "migrations": ["realtime"], "needs": needs,
            "example": { "lines": [], "more": 0 },
            "bindings": [{ "stateKey": "orders", "movedFrom": null, "before": "2", "after": "realtime 1", "isOrphan": false }],
        }],
        "steps": [{ "migration": "realtime", "declares": "", "bindings": 1 }],
        "mergePatch": true, "update": serde_json::from_str::<Value>(UPDATE).unwrap(), "given": given,
        "updateBytes": UPDATE.len(), "beforeBytes": 50, "afterBytes": 60,
    })
}

/// A shop that was captured once, and a connector in it that plans this, and does `after_open` when it is opened.
pub(crate) fn shop(plan: &Value, after_open: &str) -> Shop {
    let shop = Shop::that(CAPTURES);
    assert_eq!(shop.staunch("run --once").code, Some(0));
    let answers = shop.read("connector.new");
    let answers = answers.replace(CAPTURES, &format!(": > opened; {after_open}"));
    shop.script(answers.trim_start_matches("#!/bin/sh"));
    shop.plans(plan);
    shop
}

fn is_opened(shop: &Shop) -> bool {
    shop.dir().join("opened").exists()
}

#[test]
fn a_migration_is_committed_and_the_connector_stopped() {
    let shop = shop(&plan(&Value::Null, &[]), &migrates());
    assert_shown!(shop.staunch("migrate apply"));
    assert_eq!(
        shop.staunch("state show -q").json(),
        json!({ "bindingStateV1": { "orders": { "inc": { "realtime": { "cursor": 1 } } } } })
    );
    assert_eq!(
        shop.read("out/acme/orders.jsonl").lines().count(),
        2,
        "what was captured before is there, and nothing else"
    );
}

#[test]
fn a_plan_that_was_written_to_a_file_is_applied_as_long_as_it_holds() {
    let shop = shop(&plan(&Value::Null, &[]), &migrates());
    assert_eq!(shop.staunch("migrate plan --out shop.plan").code, Some(0));
    let saved = shop.read("shop.plan");
    for (what, change, expected) in [
        (
            "another revision",
            ("\"revision\":1", "\"revision\":7"),
            "is of revision 7, and the capture is at revision 1",
        ),
        (
            "another connector",
            ("connector@", "connector@0"),
            "the plan is one of connector@0",
        ),
        (
            "another update",
            ("\"realtime\":{\"cursor\":1}", "\"realtime\":{\"cursor\":2}"),
            "plans something else by now",
        ),
    ] {
        assert!(saved.contains(change.0), "{what}: {saved}");
        shop.write("other.plan", &saved.replace(change.0, change.1));
        let typed = shop.staunch("migrate apply other.plan");
        assert_eq!(typed.code, Some(6), "{what}: {}", typed.stderr);
        assert!(typed.stderr.contains(expected), "{what}: {}", typed.stderr);
    }
    assert!(!is_opened(&shop));
    for (text, expected) in [
        ("{}", "is not what `staunch migrate plan --out` writes"),
        (
            r#"{"capture":null,"revision":null,"connector":"c","plan":null}"#,
            "of a state that was given in a file",
        ),
    ] {
        shop.write("other.plan", text);
        let typed = shop.staunch("migrate apply other.plan");
        assert_eq!(typed.code, Some(2), "{text}: {}", typed.stderr);
        assert!(typed.stderr.contains(expected), "{text}: {}", typed.stderr);
    }
    let typed = shop.staunch("migrate apply shop.plan");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    let again = shop.staunch("migrate apply shop.plan --json");
    assert_eq!(
        (again.code, &again.json()["error"]["code"]),
        (Some(6), &json!("plan.stale"))
    );
}

#[test]
fn a_machine_reads_what_was_done_in_one_envelope() {
    let shop = shop(&plan(&Value::Null, &[]), &migrates());
    let typed = shop.staunch("migrate apply shop --json");
    assert_eq!((typed.code, typed.stderr.as_str()), (Some(0), ""));
    let envelope = typed.json();
    assert_eq!(envelope["command"], json!("migrate apply"));
    let mut result = envelope["result"].clone();
    result.as_object_mut().unwrap().remove("connector");
    let pause = result.as_object_mut().unwrap().remove("pauseSeconds");
    assert!(pause.unwrap().as_f64().unwrap() > 0.0);
    assert_eq!(
        result,
        json!({ "capture": "acme/shop", "revisionBefore": 1, "migrated": 2, "revision": 2, "migrations": ["realtime"], "documents": 0 })
    );
}

#[test]
fn another_connector_can_be_given_the_capture_and_is_to_be_named_from_then_on() {
    let shop = shop(&plan(&Value::Null, &[]), &migrates());
    std::fs::rename(shop.dir().join("connector"), shop.dir().join("next")).unwrap();
    shop.script("exit 1");
    assert_shown!(shop.staunch("migrate apply --to ./next"));
}

#[test]
fn what_it_captures_before_it_stops_is_committed() {
    let after = migrates().replace(
        "cat > /dev/null",
        "read -r line; echo '{\"captured\":{\"binding\":0,\"doc\":{\"id\":3}}}'
         echo '{\"checkpoint\":{\"state\":{\"updated\":{\"bindingStateV1\":{\"orders\":{\"inc\":{\"realtime\":{\"cursor\":3}}}}},\"mergePatch\":true}}}'",
    );
    let shop = shop(&plan(&Value::Null, &[]), &after);
    assert_shown!(shop.staunch("migrate apply"));
    assert_eq!(shop.read("out/acme/orders.jsonl").lines().count(), 3);
}

#[test]
fn where_nothing_would_change_the_capture_is_not_opened() {
    let shop = shop(&Value::Null, &migrates());
    assert_shown!(shop.staunch("migrate apply"));
    assert!(!is_opened(&shop));
}

#[test]
fn what_nobody_consented_to_is_refused_before_the_capture_is_opened() {
    let shop = shop(&plan(&json!("rewind"), &[]), &migrates());
    let before = shop.staunch("state --json").stdout;
    assert_shown!(shop.staunch("migrate apply"));
    assert!(!is_opened(&shop));
    assert_eq!(shop.staunch("state --json").stdout, before);
}

#[test]
fn what_the_config_consents_to_is_done() {
    let given = json!({ "kind": "rewind", "stateKey": "orders" });
    let shop = shop(&plan(&json!("rewind"), &[given]), &migrates());
    assert_eq!(shop.staunch("migrate apply").code, Some(0));
}

#[test]
fn a_capture_that_runs_is_left_alone() {
    let shop = shop(&plan(&Value::Null, &[]), &migrates());
    let lock = std::fs::File::open(shop.dir().join(".staunch/leases/acme%2Fshop.lease")).unwrap();
    lock.lock().unwrap();
    let typed = shop.staunch("migrate apply --json");
    assert_eq!(
        (typed.code, &typed.json()["error"]["code"]),
        (Some(7), &json!("store.locked"))
    );
    assert!(!is_opened(&shop));
}

#[test]
fn a_connector_that_does_something_else_than_it_planned_is_told_of() {
    let shop = shop(&plan(&Value::Null, &[]), CAPTURES);
    let typed = shop.staunch("migrate apply");
    assert_eq!(typed.code, Some(1));
    assert!(
        typed.stderr.contains("upgrade.taken_back")
            && typed
                .stderr
                .contains("did not migrate the state as it had planned to"),
        "{}",
        typed.stderr
    );
    assert_eq!(
        shop.read("out/acme/orders.jsonl").lines().count(),
        2,
        "nothing that it captured is there"
    );
}

#[test]
fn a_connector_that_fails_before_it_migrates_leaves_the_state_as_it_was() {
    let shop = shop(&plan(&Value::Null, &[]), "echo 'no such shop' >&2; exit 3");
    let before = shop.staunch("state --json").stdout;
    let typed = shop.staunch("migrate apply");
    assert_eq!(typed.code, Some(1));
    assert!(typed.stderr.contains("no such shop"), "{}", typed.stderr);
    assert_eq!(shop.staunch("state --json").stdout, before);
}

#[test]
fn an_interrupt_before_the_migration_changes_nothing() {
    let silent = "echo '{\"opened\":{\"explicitAcknowledgements\":true}}'; cat > /dev/null; exit 0";
    let shop = shop(&plan(&Value::Null, &[]), silent);
    let before = shop.staunch("state --json").stdout;
    let child = shop.command("migrate apply").spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_opened(&shop) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let said = shop.stable(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("it is as it was before"), "{said}");
    assert_eq!(shop.staunch("state --json").stdout, before);
}

#[test]
fn a_connector_that_cannot_plan_is_not_opened_unseen() {
    let shop = Shop::that(CAPTURES);
    let typed = shop.staunch("migrate apply --json");
    assert_eq!(
        (typed.code, &typed.json()["error"]["code"]),
        (Some(6), &json!("consent.missing"))
    );
    assert!(!shop.dir().join("out").exists());
}
