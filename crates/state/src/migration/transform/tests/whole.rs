//! States that move, begin again, or are given up; members that belong to no binding.

use super::super::{custom_whole, flat_to_keyed, move_state, remove, rename, reset, retire, set};
use super::{bound, is_done, node, planned};
use crate::migration::{Binding, Chain, Effects, MigrationError};
use crate::node::{Node, Object};
use crate::plan::{ConsentKind, Outcome, Refused, Terms, plan, survey};

/// The whole state after the chain, whose second run finds nothing.
fn after(chain: &Chain, before: &str) -> String {
    let migrated = chain.run(&node(before), &[]).unwrap();
    is_done(chain, &migrated.after);
    migrated.after.to_json()
}

#[test]
fn a_state_moves_to_its_new_key_with_its_counter_and_its_request() {
    let chain = Chain::new().with_whole(move_state("accounts", "customers"));
    for (before, moved) in [
        (
            r#"{"bindingStateV1":{"x":{"n":1},"accounts":{"inc":{"cursor":7}},"accounts.v2":{"inc":{"cursor":8}},"z":null}}"#,
            r#"{"bindingStateV1":{"x":{"n":1},"customers":{"inc":{"cursor":7}},"customers.v2":{"inc":{"cursor":8}},"z":null}}"#,
        ),
        // Not the same name.
        (
            r#"{"bindingStateV1":{"accounts2":{"n":1},"accounts.v":{"n":1},"accounts.vx":{"n":1},"my.accounts":{"n":1}}}"#,
            r#"{"bindingStateV1":{"accounts2":{"n":1},"accounts.v":{"n":1},"accounts.vx":{"n":1},"my.accounts":{"n":1}}}"#,
        ),
        // What is there is not overwritten; what was reset is.
        (
            r#"{"bindingStateV1":{"accounts":{"n":1},"customers":{"n":2},"accounts.v2":{"n":3},"customers.v2":null}}"#,
            r#"{"bindingStateV1":{"accounts":{"n":1},"customers":{"n":2},"customers.v2":{"n":3}}}"#,
        ),
        (
            r#"{"bindingStateV1":{"accounts":{"n":1}},"backfillRequests":{"a":true,"accounts":true}}"#,
            r#"{"bindingStateV1":{"customers":{"n":1}},"backfillRequests":{"a":true,"customers":true}}"#,
        ),
        // A request under the new name, made before the connector knew that name, is kept.
        (
            r#"{"bindingStateV1":{"accounts":{"n":1}},"backfillRequests":{"customers":true}}"#,
            r#"{"bindingStateV1":{"customers":{"n":1}},"backfillRequests":{"customers":true}}"#,
        ),
        (
            r#"{"bindingStateV1":{"accounts":{"n":1}},"backfillRequests":{"accounts":null,"customers":true}}"#,
            r#"{"bindingStateV1":{"customers":{"n":1}},"backfillRequests":{"accounts":null,"customers":true}}"#,
        ),
        (r#"{"other":1}"#, r#"{"other":1}"#),
        (r#"{"bindingStateV1":null}"#, r#"{"bindingStateV1":null}"#),
    ] {
        assert_eq!(after(&chain, before), moved);
    }
    let nowhere = Chain::new().with_whole(move_state("a", "a"));
    assert_eq!(
        after(&nowhere, r#"{"bindingStateV1":{"a":{"n":1}}}"#),
        r#"{"bindingStateV1":{"a":{"n":1}}}"#
    );
}

#[test]
fn a_plan_knows_where_a_moved_state_comes_from() {
    let chain = Chain::new().with_whole(move_state("accounts", "customers"));
    let before = node(
        r#"{"bindingStateV1":{"accounts.v2":{"inc":{"cursor":7}},"z":{"n":1}},"backfillRequests":{"accounts.v2":true}}"#,
    );
    let (_, plan) = planned(&chain, &before).unwrap();
    let (group, binding) = plan.binding("customers.v2").unwrap();
    assert_eq!((group.outcome, group.needs), (Outcome::Rewrite, None));
    assert_eq!(binding.moved_from.as_deref(), Some("accounts.v2"));
    assert_eq!(binding.before.to_string(), "7");
    assert_eq!(plan.binding("z").unwrap().0.outcome, Outcome::Keep);
    assert!(plan.binding("accounts.v2").is_none());
    assert!(plan.needed().is_empty());

    let further = chain.with_whole(move_state("customers", "people").named("people"));
    let further = further.with(flat_to_keyed("a"));
    let (migrated, plan) = planned(&further, &before).unwrap();
    assert_eq!(
        migrated.to_json(),
        r#"{"bindingStateV1":{"people.v2":{"inc":{"a":{"cursor":7}}},"z":{"n":1}},"backfillRequests":{"people.v2":true}}"#
    );
    let (group, binding) = plan.binding("people.v2").unwrap();
    assert_eq!((group.outcome, group.needs), (Outcome::Rewrite, None));
    assert_eq!(binding.moved_from.as_deref(), Some("accounts.v2"));
    assert_eq!(group.migrations, ["move-state", "people", "flat-to-keyed"]);
    is_done(&further, &migrated);
}

#[test]
fn a_chain_of_moves_that_meets_both_names_is_refused_and_loses_neither() {
    let chain = Chain::new()
        .with_whole(move_state("a", "b"))
        .with_whole(move_state("b", "c").named("further"));
    assert_eq!(
        after(&chain, r#"{"bindingStateV1":{"a":{"n":1}}}"#),
        r#"{"bindingStateV1":{"c":{"n":1}}}"#
    );
    assert_eq!(
        after(&chain, r#"{"bindingStateV1":{"b":{"n":2}}}"#),
        r#"{"bindingStateV1":{"c":{"n":2}}}"#
    );
    let both = node(r#"{"bindingStateV1":{"a":{"n":1},"b":{"n":2}}}"#);
    let error = chain.run(&both, &[]).unwrap_err();
    assert_eq!(error.code(), "migration-not-fixed");
}

#[test]
fn a_state_that_moves_by_an_authors_own_function_is_declared_or_lost() {
    let own = |effects: Effects| {
        let step = custom_whole(
            "own-move",
            |_, state| states(state).is_some_and(|states| states.contains("a")),
            |_, mut state| {
                let states = state
                    .get_mut("bindingStateV1")
                    .and_then(Node::as_object_mut);
                if let Some(states) = states
                    && let Some(moved) = states.remove("a")
                {
                    states.insert("b", moved);
                }
                Ok(state)
            },
        );
        Chain::new().with_whole(step.declaring(effects))
    };
    let before = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":7}}}}"#);
    let refused = planned(&own(Effects::NONE), &before).unwrap_err();
    assert!(
        matches!(&refused, Refused::BindingLost { state_key, .. } if state_key == "a"),
        "{refused}"
    );
    let (_, plan) = planned(&own(Effects::NONE.moves("a", "b")), &before).unwrap();
    assert_eq!(plan.binding("b").unwrap().0.outcome, Outcome::Rewrite);
}

fn states(state: &Object) -> Option<&Object> {
    state.get("bindingStateV1")?.as_object()
}

#[test]
fn steps_of_the_whole_state_stand_between_those_of_bindings_in_their_order() {
    let chain = Chain::new()
        .with(rename("/a", "/b").named("first"))
        .with_whole(move_state("old", "new"))
        .with(
            rename("/b", "/c")
                .named("second")
                .only(|binding| binding.state_key == "new"),
        )
        .with_whole(rename("/version", "/release").at_root().named("release"))
        .with(rename("/c", "/d").named("third"));
    let before = node(r#"{"bindingStateV1":{"old":{"a":1},"other":{"a":2}},"version":1}"#);
    let migrated = chain.run(&before, &[]).unwrap();
    assert_eq!(
        migrated.after.to_json(),
        r#"{"bindingStateV1":{"new":{"d":1},"other":{"b":2}},"release":1}"#
    );
    let applied: Vec<(&str, Vec<&str>)> = migrated
        .applied
        .iter()
        .map(|applied| {
            let keys = applied.state_keys.iter().map(|key| &**key).collect();
            (applied.migration.as_str(), keys)
        })
        .collect();
    assert_eq!(
        applied,
        [
            ("first", vec!["old", "other"]),
            ("move-state", vec!["old", "new"]),
            ("second", vec!["new"]),
            ("release", vec![""]),
            ("third", vec!["new"]),
        ]
    );
    let (_, plan) = planned(&chain, &before).unwrap();
    let (group, _) = plan.binding("new").unwrap();
    assert_eq!(group.migrations, ["first", "move-state", "second", "third"]);
    let (root, _) = plan.binding(crate::WHOLE_STATE).unwrap();
    assert_eq!(root.migrations, ["release"]);
    assert_eq!(
        root.notes,
        [
            "`version` of the connector state changes",
            "`release` of the connector state changes"
        ]
    );
    assert_eq!(chain.names().count(), 5);
}

#[test]
fn a_member_that_belongs_to_no_binding_is_edited_at_the_root_and_says_so() {
    let chain = Chain::new().with_whole(
        set("/legacy_store", Node::string("alpha"))
            .at_root()
            .named("remember"),
    );
    let before = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":7}}},"refresh_token":"x"}"#);
    let (migrated, plan) = planned(&chain, &before).unwrap();
    assert_eq!(
        migrated.to_json(),
        r#"{"bindingStateV1":{"a":{"inc":{"cursor":7}}},"refresh_token":"x","legacy_store":"alpha"}"#
    );
    assert_eq!(
        plan.update.as_ref().unwrap().updated,
        r#"{"legacy_store":"alpha"}"#
    );
    assert_eq!(plan.binding("a").unwrap().0.outcome, Outcome::Keep);
    assert_eq!(
        plan.binding(crate::WHOLE_STATE).unwrap().0.outcome,
        Outcome::Rewrite
    );

    let through = Chain::new().with_whole(remove("/bindingStateV1/a").at_root());
    let refused = planned(&through, &before).unwrap_err();
    assert_eq!(
        refused.code(),
        "binding-lost",
        "a pointer into a binding is no way around the checks"
    );

    let blocked = Chain::new().with_whole(set("/refresh_token/at", Node::integer(1)).at_root());
    let error = blocked.run(&before, &[]).unwrap_err();
    assert_eq!(
        error,
        MigrationError::Failed {
            migration: "set".into(),
            state_key: String::new(),
            pointer: "/refresh_token/at".into(),
            message: "cannot be written: `refresh_token` on the way to it is no object; correct the pointer".into(),
        }
    );
}

#[test]
fn a_reset_needs_consent_and_what_is_retired_is_listed() {
    let has_tuple = |_: &Binding, state: &Object| {
        let inc = state.get("inc").and_then(Node::as_object);
        let cursor = inc.and_then(|inc| inc.get("cursor")?.as_leaf());
        cursor.is_some_and(|leaf| leaf.elements().is_some())
    };
    let chain = Chain::new()
        .with(reset(has_tuple))
        .with(retire(|binding, _| binding.resource.is_none()));
    let before = node(
        r#"{"bindingStateV1":{"a":{"inc":{"cursor":["x"]}},"b":{"inc":{"cursor":7}},"gone":{"inc":{"cursor":7}},"both":{"inc":{"cursor":["y"]}}}}"#,
    );
    let bindings = [bound("a"), bound("b")];
    let migrated = chain.run(&before, &bindings).unwrap();
    assert_eq!(
        migrated.after.to_json(),
        r#"{"bindingStateV1":{"b":{"inc":{"cursor":7}}}}"#
    );
    is_done(&Chain::new().with(retire(|_, _| false)), &migrated.after);
    let terms = |consents: &[&str]| Terms {
        declared: chain.declared(),
        consents: consents.iter().map(|text| text.parse().unwrap()).collect(),
        ..Terms::default()
    };
    let looked_at = survey(
        &before,
        &migrated.after,
        &bindings,
        &migrated.applied,
        &terms(&[]),
    )
    .unwrap();
    for (key, outcome, needs, note) in [
        (
            "a",
            Outcome::Backfill,
            Some(ConsentKind::Backfill),
            Some("it starts over"),
        ),
        ("b", Outcome::Keep, None, None),
        ("gone", Outcome::Retire, None, Some("its state is archived")),
        (
            "both",
            Outcome::Backfill,
            Some(ConsentKind::Backfill),
            Some("it starts over"),
        ),
    ] {
        let (group, _) = looked_at.binding(key).unwrap();
        assert_eq!((group.outcome, group.needs), (outcome, needs), "{key}");
        assert_eq!(group.notes.first().map(String::as_str), note, "{key}");
    }
    let judged = |consents: &[&str]| {
        plan(
            &before,
            &migrated.after,
            &bindings,
            &migrated.applied,
            &terms(consents),
        )
    };
    assert_eq!(
        judged(&["backfill:a"]).unwrap_err().code(),
        "consent-missing"
    );
    let allowed = judged(&["backfill:a", "backfill:both"]).unwrap();
    assert_eq!(
        allowed.update.unwrap().updated,
        r#"{"bindingStateV1":{"a":null,"gone":null,"both":null}}"#
    );
}
