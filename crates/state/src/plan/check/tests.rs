//! What each check is for: a mistake that it refuses, and that nothing else would.

use super::super::{Budget, Plan, Refused, Terms, states, survey};
use super::{Check, Checks};
use crate::migration::transform::custom;
use crate::migration::{Applied, Chain, Declared};
use crate::node::Node;
use crate::update::StateUpdate;

const BEFORE: &str = r#"{"bindingStateV1":{
    "accounts":{"inc":{"cursor":"2025-06-10T08:00:00Z"},"backfill":{"cutoff":"2025-06-01T00:00:00Z","next_page":"p7"},
                "last_initialized":"2025-01-01T00:00:00Z"},
    "shops":{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"d"}},
    "disabled":{"inc":{"cursor":7}}}}"#;

fn node(text: &str) -> Node {
    Node::parse(text).unwrap()
}

/// The state after a migration that got all right but for what `from` becomes `to` in its text.
fn mistaken(from: &str, to: &str) -> Node {
    let right = node(BEFORE).to_json().replace(
        r#""inc":{"cursor":"2025-06-10T08:00:00Z"}"#,
        r#""inc":{"all":{"cursor":"2025-06-10T08:00:00Z"}}"#,
    );
    let wrong = right.replace(from, to);
    assert_ne!(wrong, right, "the mistake is made");
    node(&wrong)
}

fn checked(after: &Node, checks: Checks) -> Result<(), Refused> {
    let applied = [Applied {
        migration: "step".to_owned(),
        state_keys: ["accounts", "shops", "disabled"].map(Into::into).to_vec(),
    }];
    states::groups(
        &node(BEFORE),
        after,
        &[],
        &applied,
        &Declared::default(),
        checks,
    )
    .map(|_| ())
}

#[test]
fn each_check_of_a_binding_catches_a_mistake_that_only_it_catches() {
    for (check, code, from, to) in [
        (
            Check::BindingKept,
            "binding-lost",
            r#","disabled":{"inc":{"cursor":7}}"#,
            "",
        ),
        (
            Check::SiblingsKept,
            "sibling-lost",
            r#","last_initialized":"2025-01-01T00:00:00Z""#,
            "",
        ),
        (
            Check::SiblingsKept,
            "sibling-lost",
            r#""last_initialized""#,
            r#""is_connector_initiated":true,"last_initialized""#,
        ),
        (
            Check::CursorProvenance,
            "cursor-provenance",
            r#"{"cursor":"2025-06-10T08:00:00Z"}"#,
            r#"{"cursor":"2025-06-10T08:00:01Z"}"#,
        ),
        (
            Check::CursorKindKept,
            "cursor-kind-changed",
            r#"{"cursor":"2025-06-10T08:00:00Z"}"#,
            r#"{"cursor":"2025-06-10T08:00:00.000000Z"}"#,
        ),
        (
            Check::BackfillKept,
            "backfill-lost",
            r#","backfill":{"cutoff":"2025-06-01T00:00:00Z","next_page":"p7"}"#,
            "",
        ),
        (
            Check::BackfillKept,
            "backfill-reopened",
            r#""disabled":{"inc":{"cursor":7}}"#,
            r#""disabled":{"inc":{"cursor":7},"backfill":{"cutoff":7}}"#,
        ),
        (
            Check::SnapshotKept,
            "snapshot-lost",
            r#""last_digest":"d""#,
            r#""last_digest":"""#,
        ),
    ] {
        let after = mistaken(from, to);
        let refused = checked(&after, Check::all()).expect_err(code);
        assert_eq!(refused.code(), code, "{refused}");
        let without = checked(&after, check.all_but());
        assert!(
            without.is_ok(),
            "{check:?} alone refuses {from}: {without:?}"
        );
    }
}

#[test]
fn only_the_fixed_point_catches_a_step_that_applies_again() {
    let again = Chain::new().with(
        custom(
            "again",
            |_, _| true,
            |_, mut state| {
                let cursor = state
                    .get("count")
                    .and_then(|node| node.as_leaf()?.as_u64())
                    .unwrap_or(0);
                state.insert("count", Node::integer(cursor + 1));
                Ok(state)
            },
        )
        .declaring(crate::Effects::NONE.edits("/count")),
    );
    let before = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":7}}}}"#);
    assert_eq!(
        again.run(&before, &[]).unwrap_err().code(),
        "migration-not-fixed"
    );

    let after = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":7},"count":1}}}"#);
    let applied = [Applied {
        migration: "again".to_owned(),
        state_keys: vec!["a".into()],
    }];
    let terms = Terms {
        declared: again.declared(),
        ..Terms::default()
    };
    assert!(
        survey(&before, &after, &[], &applied, &terms).is_ok(),
        "nothing else sees it"
    );
}

fn sound_plan() -> (Node, Node, Plan) {
    let before = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":7}}}}"#);
    let after = node(r#"{"bindingStateV1":{"a":{"inc":{"x":{"cursor":7}}}}}"#);
    let plan = survey(&before, &after, &[], &[], &Terms::default()).unwrap();
    (before, after, plan)
}

#[test]
fn only_size_catches_a_state_that_outgrows_its_budget() {
    let (before, after, plan) = sound_plan();
    let budget = Budget {
        state_bytes: plan.after_bytes - 1,
        ..Budget::default()
    };
    let refused = plan.check_size(&budget).unwrap_err();
    assert_eq!(refused.code(), "too-large");
    let wire = plan.update.unwrap();
    let update = StateUpdate::from_wire(&wire.updated, wire.merge_patch).unwrap();
    assert_eq!(update.apply(before), after, "all else is right");
}
