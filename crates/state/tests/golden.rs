//! The recorded state migrations of two connectors come out as they did, or as their notes recommend.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

#[allow(dead_code)] // The museum uses the rest.
#[path = "museum/support.rs"]
mod support;

use std::time::Duration;

use staunch_state::transform::{ensure_subtasks, flat_to_keyed, flat_to_subtasks};
use staunch_state::{Chain, Node, Object, Outcome};
use support::{Migrated, bound, node};

/// The recorded cases, as they are written; `None` in a checkout that has not the folder.
fn recorded(name: &str) -> Option<(Node, Vec<Node>)> {
    let path = format!(
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/reference/golden/{}"
        ),
        name
    );
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("skipped: the recorded cases `{name}` are not in this checkout");
        return None;
    };
    let recorded = node(&text);
    let cases = recorded.pointer("/cases").and_then(Node::as_leaf).unwrap();
    let cases = cases.elements().unwrap();
    Some((recorded, cases))
}

fn text(of: &Node, member: &str) -> String {
    of.pointer(member).and_then(Node::as_str).unwrap().into()
}

fn elements(of: &Node, member: &str) -> Vec<Node> {
    let array = of.pointer(member).and_then(Node::as_leaf).unwrap();
    array.elements().unwrap()
}

/// One binding's state is all that differs.
fn differs_in_this_binding_only(before: &Node, after: &Node, state_key: &str) {
    let without = |state: &Node| {
        let mut state = state.clone();
        let states = state.pointer_mut("/bindingStateV1").unwrap();
        states.as_object_mut().unwrap().remove(state_key);
        state.to_json()
    };
    assert_eq!(without(before), without(after));
}

#[test]
fn the_recorded_migrations_of_outreach_come_out_as_they_did() {
    let Some((recorded, cases)) = recorded("outreach-state-migration-cases.json") else {
        return;
    };
    let state_key = text(&recorded, "/stateKey");
    let chain = Chain::new().with(flat_to_subtasks([
        ("realtime", Duration::ZERO),
        ("lookback", Duration::from_secs(6 * 3600)),
    ]));
    assert_eq!(cases.len(), 4);
    for case in cases {
        let (name, before) = (text(&case, "/name"), case.pointer("/stateBefore").unwrap());
        let migrated = Migrated::of(before, &chain, &[bound(&state_key)], &[]);
        assert_eq!(
            migrated.after,
            *case.pointer("/stateAfter").unwrap(),
            "{name}"
        );
        let patches: Vec<String> = elements(&case, "/patches")
            .iter()
            .map(Node::to_json)
            .collect();
        assert_eq!(
            migrated.updated(),
            patches.concat(),
            "{name}: as it was sent"
        );
        assert!(elements(&case, "/secondOpenPatches").is_empty());
        let expected = match patches.len() {
            0 => Outcome::Keep,
            _ => Outcome::Rewind, // By the lag, as declared.
        };
        assert_eq!(migrated.outcome(&state_key), expected, "{name}");
        differs_in_this_binding_only(before, &migrated.after, &state_key);
    }
}

/// What a store that is new begins with.
fn initial(recorded: &Node, case: &Node) -> Object {
    let state = match text(case, "/resourceKind").as_str() {
        "bulk" => format!(
            r#"{{"inc":{{"cursor":"{}"}}}}"#,
            text(recorded, "/startDate")
        ),
        _ => {
            let now = text(recorded, "/now");
            format!(r#"{{"inc":{{"cursor":"{now}"}},"backfill":{{"cutoff":"{now}"}}}}"#)
        }
    };
    node(&state).into_object().unwrap()
}

fn stores(recorded: &Node, case: &Node) -> Chain {
    let initial = initial(recorded, case);
    let stores = elements(case, "/stores");
    let stores = stores
        .iter()
        .map(|store| (store.as_str().unwrap().into_owned(), initial.clone()));
    Chain::new()
        .with(flat_to_keyed(text(case, "/legacyStore")).marking_finished())
        .with(ensure_subtasks(stores))
}

#[test]
fn the_recorded_migrations_of_shopify_come_out_as_they_did_or_as_is_recommended() {
    let Some((recorded, cases)) = recorded("shopify-state-migration-cases.json") else {
        return;
    };
    let state_key = text(&recorded, "/stateKey");
    assert_eq!(cases.len(), 12);
    let mut recommended = 0;
    for case in cases {
        let (name, before) = (text(&case, "/name"), case.pointer("/stateBefore").unwrap());
        let migrated = Migrated::of(before, &stores(&recorded, &case), &[bound(&state_key)], &[]);
        let mut after = case.pointer("/stateAfter").unwrap().clone();
        let note = case.pointer("/note").and_then(Node::as_str);
        if note.is_some_and(|note| note.contains("recommended: seed the backfill")) {
            // The new store's history is captured too.
            recommended += 1;
            let of = after.pointer_mut(&format!("/bindingStateV1/{state_key}"));
            let backfill = r#"{"beta":{"cutoff":"2025-06-15T12:00:00Z"}}"#;
            of.and_then(Node::as_object_mut)
                .unwrap()
                .insert("backfill", node(backfill));
        }
        assert!(
            migrated.after.same_state(&after),
            "{name}: {}",
            migrated.after
        );
        assert!(elements(&case, "/secondOpenPatches").is_empty());
        let expected = match elements(&case, "/patches").len() {
            0 => Outcome::Keep,
            _ => Outcome::Rewrite,
        };
        assert_eq!(migrated.outcome(&state_key), expected, "{name}");
        assert_eq!(
            migrated.plan.is_empty(),
            expected == Outcome::Keep,
            "{name}"
        );
        differs_in_this_binding_only(before, &migrated.after, &state_key);
    }
    assert_eq!(recommended, 1);
}

#[test]
fn the_plan_of_a_recorded_migration_names_each_store_that_begins() {
    let Some((recorded, cases)) = recorded("shopify-state-migration-cases.json") else {
        return;
    };
    let state_key = text(&recorded, "/stateKey");
    for case in cases {
        let name = text(&case, "/name");
        let before = case.pointer("/stateBefore").unwrap();
        let chain = stores(&recorded, &case);
        let migrated = Migrated::of(before, &chain, &[bound(&state_key)], &[]);
        let (group, _) = migrated.plan.binding(&state_key).unwrap();
        let inc = |state: &Node| {
            let inc = state.pointer(&format!("/bindingStateV1/{state_key}/inc"));
            let inc = inc.and_then(Node::as_object).unwrap().clone();
            if inc.contains("cursor") {
                vec![text(&case, "/legacyStore")] // The flat one is carried on under this name.
            } else {
                inc.keys().map(str::to_owned).collect()
            }
        };
        let old = inc(before);
        let expected: Vec<String> = inc(&migrated.after)
            .iter()
            .filter(|store| !old.contains(store))
            .map(|store| format!("subtask `{store}` is new, and begins by itself"))
            .collect();
        assert_eq!(group.notes, expected, "{name}");
    }
}
