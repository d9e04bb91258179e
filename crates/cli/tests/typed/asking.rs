//! Verbs that look, and the one that edits the catalog.

use serde_json::{Value, json};

use crate::project::{CAPTURES, CATALOG, Shop, assert_shown};

#[test]
fn spec_shows_what_a_connector_needs_to_be_told() {
    let shop = Shop::that(CAPTURES);
    assert_shown!(shop.staunch("spec"));
    let schemas = shop.staunch("spec --format schema").json();
    assert_eq!(schemas["endpoint"]["required"], json!(["url"]));
    assert_eq!(
        schemas["resource"]["properties"]["stream"]["type"],
        json!("string")
    );
}

#[test]
fn discover_lists_what_is_new_and_changes_nothing() {
    let shop = Shop::that(CAPTURES);
    assert_shown!(shop.staunch("discover"));
    assert_eq!(shop.read("flow.yaml"), CATALOG);
}

#[test]
fn discover_write_adds_what_is_new_and_keeps_the_rest() {
    use std::os::unix::fs::PermissionsExt as _;
    let shop = Shop::that(CAPTURES);
    let path = shop.dir().join("flow.yaml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_shown!(shop.staunch("discover --write"));
    let text = shop.read("flow.yaml");
    assert!(
        text.starts_with("# The shop.\n") && text.contains("acme/refunds"),
        "{text}"
    );
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);

    let again = shop.staunch("discover --write --json").json();
    assert_eq!(
        (&again["result"]["written"], &again["result"]["added"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(shop.read("flow.yaml"), text);
}

#[test]
fn discover_write_keeps_a_link_to_the_catalog() {
    let shop = Shop::that(CAPTURES);
    std::fs::rename(shop.dir().join("flow.yaml"), shop.dir().join("real.yaml")).unwrap();
    std::os::unix::fs::symlink("real.yaml", shop.dir().join("flow.yaml")).unwrap();
    assert_eq!(shop.staunch("discover --write").code, Some(0));
    assert!(
        shop.dir().join("flow.yaml").is_symlink()
            && shop.read("real.yaml").contains("acme/refunds")
    );
}

#[test]
fn check_says_what_is_right() {
    assert_shown!(Shop::that(CAPTURES).staunch("check"));
}

#[test]
fn a_capture_without_a_commit_has_no_state_yet() {
    let shop = Shop::that(CAPTURES);
    assert_shown!(shop.staunch("state"));
    assert!(
        !shop.dir().join(".staunch").exists(),
        "looking makes nothing"
    );
}

#[test]
fn state_is_data_on_stdout_and_talk_on_stderr() {
    let shop = Shop::that(CAPTURES);
    assert_eq!(shop.staunch("run --once").code, Some(0));
    assert_shown!(shop.staunch("state"));
    assert_eq!(
        shop.staunch("state show shop --binding orders").json(),
        json!({ "inc": { "cursor": 2 } })
    );
    assert_eq!(shop.staunch("state show -q").stderr, "");
    let unknown = shop.staunch("state show --binding order");
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("name one of `orders`"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn every_verb_answers_in_one_envelope() {
    let shop = Shop::that(CAPTURES);
    for (line, command) in [
        ("spec --json", "spec"),
        ("discover --json", "discover"),
        ("--json check", "check"),
        ("state --json", "state show"),
    ] {
        let typed = shop.staunch(line);
        assert_eq!(
            (
                typed.code,
                typed.stderr.as_str(),
                typed.stdout.lines().count()
            ),
            (Some(0), "", 1),
            "{line}: {typed:?}"
        );
        let envelope = typed.json();
        let members: Vec<&String> = envelope.as_object().unwrap().keys().collect();
        assert_eq!(members.len(), 5, "{members:?}");
        assert_eq!(
            (&envelope["command"], &envelope["ok"], &envelope["error"]),
            (&json!(command), &json!(true), &Value::Null)
        );
        assert!(
            envelope["summary"].is_string() && envelope["result"]["capture"] == "acme/shop",
            "{envelope}"
        );
    }
    let failed = shop.staunch("migrate plan --json");
    assert_eq!(
        (failed.code, &failed.json()["error"]["code"]),
        (Some(1), &json!("plan.failed")),
        "{failed:?}"
    );
}

/// A connector that can plan, and says that `orders` is rewritten.
fn planner() -> Shop {
    let shop = Shop::that(CAPTURES);
    let plan = json!({
        "groups": [{
            "outcome": "REWRITE", "change": "inc {cursor} to inc {realtime}", "notes": [], "migrations": ["realtime"], "needs": null,
            "example": { "lines": [], "more": 0 },
            "bindings": [{ "stateKey": "orders", "movedFrom": null, "before": "2", "after": "2", "isOrphan": false }],
        }],
        "steps": [{ "migration": "realtime", "declares": "", "bindings": 1 }],
        "mergePatch": true,
        "update": { "bindingStateV1": { "orders": { "inc": { "cursor": null, "realtime": { "cursor": 2 } } } } },
        "updateBytes": 70, "beforeBytes": 50, "afterBytes": 60,
    });
    shop.plans(&plan);
    shop
}

#[test]
fn a_plan_is_shown_and_nothing_is_changed() {
    let shop = planner();
    assert_eq!(shop.staunch("run --once").code, Some(0));
    let before = shop.staunch("state --json").stdout;
    assert_shown!(shop.staunch("migrate plan --out plan.json"));
    let written: Value = serde_json::from_str(&shop.read("plan.json")).unwrap();
    assert_eq!(
        (
            &written["revision"],
            &written["plan"]["groups"][0]["outcome"]
        ),
        (&json!(1), &json!("REWRITE"))
    );
    assert_eq!(shop.staunch("migrate --exit-code").code, Some(5));
    let json = shop.staunch("migrate plan --exit-code --json");
    assert_eq!((json.code, &json.json()["ok"]), (Some(5), &json!(true)));
    assert_eq!(shop.staunch("state --json").stdout, before);

    shop.write(
        ".staunch/leases/acme%2Fshop.lease",
        &format!("{}\n", std::process::id()),
    );
    let running = shop.staunch("migrate plan");
    assert!(
        running
            .stderr
            .contains("a plan of its last committed state"),
        "{}",
        running.stderr
    );
}

#[test]
fn a_connector_that_would_leave_the_state_alone_has_nothing_to_do() {
    let shop = planner();
    shop.script("case \"$1 $2\" in 'plan --probe') echo '{\"staunch\":{\"plan\":1}}'; exit 0;; plan*) cat > /dev/null; echo null; exit 0;; esac
read -r line; echo '{\"spec\":{\"protocol\":3032023,\"configSchema\":{},\"resourceConfigSchema\":{},\"documentationUrl\":\"\",\"resourcePathPointers\":[\"/stream\"]}}'");
    assert_shown!(shop.staunch("migrate plan --exit-code"));
}

#[test]
fn a_connector_that_refuses_to_migrate_is_a_refusal() {
    let shop = planner();
    std::fs::copy(shop.dir().join("connector"), shop.dir().join("current")).unwrap();
    let refusing = shop.read("connector.new").replace(
        "cat > /dev/null; echo",
        "cat > /dev/null; echo 'SKIP of orders is not consented to' >&2; exit 6; echo",
    );
    shop.script(refusing.trim_start_matches("#!/bin/sh"));
    assert_shown!(shop.staunch("migrate plan"));
    assert_eq!(
        shop.staunch("migrate plan --to ./current").code,
        Some(0),
        "another connector may be asked"
    );
}
