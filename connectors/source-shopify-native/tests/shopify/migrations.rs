//! From one store to many.

use serde_json::{Value, json};
use source_shopify_native::migrations::{RESERVED, Stores, back_to_one, chain, check_names};
use source_shopify_native::streams::Stream;
use staunch::state::{Binding, Chain, Node};

use crate::support::recorded;

const NOW: &str = "2025-06-15T12:00:00Z";
const START: &str = "2025-05-01T00:00:00Z";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn chain_for(configured: &[&str], of_flat_config: Option<&str>) -> Chain {
    chain_with(configured, of_flat_config, |_, _| true)
}

fn chain_with(
    configured: &[&str],
    of_flat_config: Option<&str>,
    has_access: impl Fn(&Stream, &str) -> bool,
) -> Chain {
    let configured = names(configured);
    let stores = Stores {
        configured: &configured,
        of_flat_config,
        now: NOW.parse().unwrap(),
        start_date: START.parse().unwrap(),
    };
    chain(&stores, has_access)
}

fn binding(state_key: &str, resource: &str) -> Binding {
    Binding {
        state_key: state_key.to_owned(),
        resource: Some(Node::parse(&json!({ "name": resource }).to_string()).unwrap()),
        is_active: true,
    }
}

fn state(of: &Value) -> Node {
    Node::parse(&of.to_string()).unwrap()
}

/// The state of a binding after the chain, and whether a second run leaves it alone.
fn migrated(chain: &Chain, before: &Value, bindings: &[Binding]) -> Result<Value, String> {
    let after = chain
        .run(&state(before), bindings)
        .map_err(|error| error.to_string())?
        .after;
    let again = chain.run(&after, bindings).unwrap().after;
    assert_eq!(after, again, "a second run has nothing to do");
    Ok(serde_json::from_str(&after.to_json()).unwrap())
}

#[test]
fn every_recorded_migration_comes_out_as_recorded_or_as_is_recommended() {
    let Some(recorded) = recorded("shopify-state-migration-cases.json") else {
        return;
    };
    assert_eq!(
        (&recorded["now"], &recorded["startDate"]),
        (&json!(NOW), &json!(START))
    );
    let key = recorded["stateKey"].as_str().unwrap();
    for case in recorded["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let stores: Vec<&str> = case["stores"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let resource = match case["resourceKind"].as_str().unwrap() {
            "bulk" => "products",
            _ => "customers",
        };
        let is_guessed = name.contains("names no legacy store");
        let owner = case["legacyStore"].as_str().filter(|_| !is_guessed);
        let found = migrated(
            &chain_for(&stores, owner),
            &case["stateBefore"],
            &[binding(key, resource)],
        );
        if is_guessed {
            let error = found.unwrap_err();
            assert!(error.contains("nothing says of which"), "{name}: {error}");
            continue;
        }
        let mut expected = case["stateAfter"].clone();
        if name.contains("no backfill key at all") {
            // As is recommended: without it the new store's history would never be captured.
            expected["bindingStateV1"][key]["backfill"] = json!({ "beta": { "cutoff": NOW } });
        }
        assert_eq!(found.unwrap(), expected, "{name}");
    }
}

#[test]
fn m22_a_store_that_is_named_like_a_member_of_a_state_is_refused() {
    assert_eq!(RESERVED, ["cursor", "cutoff", "next_page"]);
    for name in RESERVED {
        let error = check_names(&names(&["alpha", name])).unwrap_err();
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
    assert_eq!(check_names(&names(&["alpha", "Cursor", "page"])), Ok(()));
}

#[test]
fn m06_and_m07_a_finished_backfill_is_not_begun_again_in_whatever_shape_it_is() {
    let bindings = [
        binding("c", "customers"),
        binding("p", "products"),
        binding("m", "markets"),
    ];
    let chain = chain_for(&["alpha"], Some("alpha"));
    for backfill in [json!(null), json!({}), json!({ "alpha": null })] {
        let mut of = json!({ "inc": { "alpha": { "cursor": START } } });
        if !backfill.is_null() {
            of["backfill"] = backfill.clone();
        }
        let before = json!({ "bindingStateV1": { "c": of, "p": { "inc": { "alpha": { "cursor": START } } }, "m": {} } });
        let after = migrated(&chain, &before, &bindings).unwrap();
        for key in ["c", "p"] {
            let backfill = &after["bindingStateV1"][key]["backfill"]["alpha"];
            assert!(backfill.is_null(), "{before}: {after}");
        }
        assert_eq!(
            after["bindingStateV1"]["m"],
            json!({}),
            "a snapshot begins with nothing"
        );
    }
}

#[test]
fn a_store_that_may_not_be_read_gets_no_entry_and_one_that_was_removed_keeps_its_own() {
    let chain = chain_with(&["alpha", "beta"], None, |_, store| store == "alpha");
    let before = json!({ "bindingStateV1": { "c": { "inc": { "gone": { "cursor": START } }, "backfill": { "gone": { "cutoff": START } } } } });
    let after = migrated(&chain, &before, &[binding("c", "customers")]).unwrap();
    assert_eq!(
        after["bindingStateV1"]["c"],
        json!({
            "inc": { "gone": { "cursor": START }, "alpha": { "cursor": NOW } },
            "backfill": { "gone": { "cutoff": START }, "alpha": { "cutoff": NOW } },
        })
    );
}

#[test]
fn the_state_of_a_binding_that_is_disabled_or_gone_is_given_its_store_as_well() {
    let disabled = Binding {
        is_active: false,
        ..binding("c", "customers")
    };
    let flat = json!({ "inc": { "cursor": START } });
    let before = json!({ "bindingStateV1": { "c": flat, "orphan": flat } });
    let after = migrated(&chain_for(&["alpha"], Some("alpha")), &before, &[disabled]).unwrap();
    for key in ["c", "orphan"] {
        assert_eq!(
            after["bindingStateV1"][key]["inc"],
            json!({ "alpha": { "cursor": START } }),
            "{key}"
        );
    }
}

#[test]
fn every_law_of_migrations_holds_of_every_released_state() {
    staunch_testkit::check_migrations(
        chain_for(&["alpha"], Some("alpha")),
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states"),
    );
}

#[test]
fn a_single_store_can_be_taken_back_to_the_first_release() {
    let bindings = [binding("c", "customers")];
    let chain = chain_for(&["alpha"], Some("alpha"));
    let before = json!({ "bindingStateV1": { "c": {
        "inc": { "cursor": START }, "backfill": { "cutoff": NOW, "next_page": START },
    } } });
    let migrated = chain.run(&state(&before), &bindings).unwrap();
    let back = migrated_back("alpha", &migrated.after, &bindings).unwrap();
    assert_eq!(back, before);

    let chain = chain_for(&["alpha", "beta"], None);
    let two = chain.run(&migrated.after, &bindings).unwrap();
    let refused = migrated_back("alpha", &two.after, &bindings).unwrap_err();
    assert!(refused.contains("`beta`"), "{refused}");
}

fn migrated_back(store: &str, state: &Node, bindings: &[Binding]) -> Result<Value, String> {
    let back = back_to_one(store).run(state, bindings);
    let back = back.map_err(|error| error.to_string())?;
    Ok(serde_json::from_str(&back.after.to_json()).unwrap())
}
