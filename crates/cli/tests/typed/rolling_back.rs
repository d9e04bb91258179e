//! `migrate rollback` and `migrate history`: a migration that is taken back, in either way.

use serde_json::{Value, json};

use crate::applying::{migrates, plan, shop};
use crate::project::{CAPTURES, Shop, Typed, assert_shown};

/// A shop whose state was migrated, and whose connector then plans this.
fn migrated(then: &Value) -> Shop {
    let shop = shop(&plan(&Value::Null, &[]), &migrates());
    assert_eq!(shop.staunch("migrate apply").code, Some(0));
    shop.plans(then);
    shop
}

/// What taking the migration back does, as a connector plans it.
fn reverse() -> Value {
    let mut reverse = plan(&Value::Null, &[]);
    reverse["update"] =
        json!({ "bindingStateV1": { "orders": { "inc": { "realtime": null, "cursor": 1 } } } });
    reverse
}

fn state(shop: &Shop) -> Value {
    let mut state = shop.staunch("state show -q").json();
    state["bindingStateV1"]["orders"]["inc"].take()
}

fn code(typed: &Typed) -> (Option<i32>, String) {
    let code = typed.json()["error"]["code"].as_str().map(str::to_owned);
    (typed.code, code.unwrap_or_default())
}

#[test]
fn the_reverse_keeps_progress() {
    let shop = migrated(&reverse());
    assert_shown!(shop.staunch("migrate rollback --yes --author ada"));
    assert_eq!(state(&shop), json!({ "cursor": 1 }));
    assert_shown!(shop.staunch("migrate history"));
    assert_eq!(shop.staunch("state history --check").code, Some(0));
}

#[test]
fn the_state_of_before_is_another_way_and_has_to_be_named() {
    let shop = migrated(&Value::Null);
    assert_shown!(shop.staunch("migrate rollback --yes"));
    assert_eq!(state(&shop), json!({ "realtime": { "cursor": 1 } }));
    let typed = shop.staunch("migrate rollback --mode snapshot --yes --json");
    let result = &typed.json()["result"];
    assert_eq!(
        (typed.code, &result["mode"], &result["migration"]["steps"]),
        (Some(0), &json!("snapshot"), &json!(["realtime"]))
    );
    assert_eq!(state(&shop), json!({ "cursor": 2 }));
    assert_eq!(
        shop.read("out/acme/orders.jsonl").lines().count(),
        2,
        "no document is touched"
    );
}

#[test]
fn a_migration_is_taken_back_once() {
    let shop = migrated(&reverse());
    assert_eq!(shop.staunch("migrate rollback --yes").code, Some(0));
    for mode in ["down", "snapshot"] {
        let typed = shop.staunch(&format!("migrate rollback --mode {mode} --yes --json"));
        assert_eq!(code(&typed), (Some(2), "state.not_kept".to_owned()));
    }
    let never = Shop::that(CAPTURES);
    assert_eq!(never.staunch("run --once").code, Some(0));
    let typed = never.staunch("migrate rollback --yes --json");
    assert_eq!(code(&typed), (Some(2), "state.not_kept".to_owned()));
    assert_eq!(never.staunch("migrate history").code, Some(0));
}

#[test]
fn a_reverse_that_reads_again_needs_consent_and_nothing_is_done_where_nobody_is_asked() {
    let mut rewinds = reverse();
    rewinds["groups"][0]["needs"] = json!("rewind");
    let shop = migrated(&rewinds);
    for (flags, expected) in [
        ("--yes", "consent.missing"),
        ("--allow rewind:orders", "change.not_confirmed"),
        ("--mode snapshot", "change.not_confirmed"),
    ] {
        let typed = shop.staunch(&format!("migrate rollback {flags} --json"));
        assert_eq!(code(&typed), (Some(6), expected.to_owned()), "{flags}");
    }
    assert_eq!(state(&shop), json!({ "realtime": { "cursor": 1 } }));
    let typed = shop.staunch("migrate rollback --allow rewind:orders --yes");
    assert_eq!(
        (typed.code, state(&shop)),
        (Some(0), json!({ "cursor": 1 }))
    );
}

/// A shop that was captured by one connector and migrated by another, with the scripts of both.
fn of_two() -> (Shop, String, String) {
    let shop = Shop::that(CAPTURES);
    assert_eq!(shop.staunch("run --once").code, Some(0));
    let old = shop.read("connector.new");
    put(&shop, &old.replace(CAPTURES, &migrates()));
    shop.plans(&plan(&Value::Null, &[]));
    assert_eq!(shop.staunch("migrate apply").code, Some(0));
    let new = shop.read("connector.new");
    (shop, old, new)
}

/// Puts a connector in its place, as it was.
fn put(shop: &Shop, script: &str) {
    shop.script(script.trim_start_matches("#!/bin/sh\n").trim_end());
}

#[test]
fn a_connector_from_before_the_migration_is_not_run() {
    let (shop, old, new) = of_two();
    put(&shop, &old);
    assert_shown!(shop.staunch("run --once"));
    assert_eq!(state(&shop), json!({ "realtime": { "cursor": 1 } }));
    put(&shop, &new);
    let back = shop.staunch("migrate rollback --mode snapshot --yes");
    assert_eq!(back.code, Some(0), "{}", back.stderr);
    put(&shop, &old);
    assert_eq!(shop.staunch("run --once").code, Some(0));
}

#[test]
fn a_connector_from_before_the_migration_is_run_if_a_person_says_so() {
    let (shop, old, _) = of_two();
    put(&shop, &old);
    assert_eq!(shop.staunch("run --once").code, Some(6));
    let typed = shop.staunch("run --once --allow-older-connector");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
}
