//! Mistakes about bindings: which of them a migration sees, and what it must leave alone in each.

use std::sync::{Arc, Mutex};

use staunch_state::transform::{custom, flat_to_keyed, replace, set};
use staunch_state::{
    Applied, Binding, Budget, Chain, Effects, Node, Object, Outcome, ResourceState, Terms, plan,
};

use super::exhibit::{Exhibit, says};
use super::support::{bound, node, refusal, terms};
use super::updates::realtime_and_lookback;

#[test]
fn m02_members_beside_those_that_are_migrated_are_kept_or_named_in_the_refusal() {
    let exhibit = Exhibit::m(2);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "sibling-lost");
    says(
        &refused,
        &["`mistaken`", "`/last_initialized`", "`issues`"],
        "keep that member, or declare `edits(\"/last_initialized\")`",
    );
    let refused = exhibit.refused(Effects::NONE.edits("/last_initialized"));
    says(
        &refused,
        &["`/is_connector_initiated`", "`issues`"],
        "keep that member",
    );
    exhibit.is_put_right_by(&realtime_and_lookback(), &[bound("issues")], &[]);
}

#[test]
fn m11_whether_a_state_is_old_is_asked_of_each_binding_and_half_a_migration_is_completed() {
    let exhibit = Exhibit::m(11);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(
        refused.code(),
        "not-decodable",
        "`begun` would be half of each"
    );
    let chain = Chain::new().with(flat_to_keyed("alpha"));
    let bindings = ["new", "old", "empty", "begun"].map(bound);
    let migrated = exhibit.is_put_right_by(&chain, &bindings, &[]);
    let expected = [
        ("new", Outcome::Keep),
        ("old", Outcome::Rewrite),
        ("begun", Outcome::Rewrite),
    ];
    for (key, outcome) in expected {
        assert_eq!(migrated.outcome(key), outcome, "{key}");
    }
}

#[test]
fn m18_the_states_of_disabled_bindings_and_of_none_are_migrated_and_cannot_be_dropped() {
    let exhibit = Exhibit::m(18);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "binding-lost");
    says(
        &refused,
        &["`mistaken`", "`disabled`"],
        "keep it, or declare `reset()` or `retire()`",
    );

    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let look = custom(
        "look",
        move |binding, _| {
            let known = (
                binding.state_key.clone(),
                binding.resource.is_some(),
                binding.is_active,
            );
            log.lock().unwrap().push(known);
            false
        },
        |_, state| Ok(state),
    );
    let bindings = [
        bound("users"),
        Binding {
            is_active: false,
            ..bound("disabled")
        },
    ];
    Chain::new()
        .with(look)
        .run(&exhibit.before, &bindings)
        .unwrap();
    let seen = seen.lock().unwrap().clone();
    let expected = [
        ("users", true, true),
        ("disabled", true, false),
        ("orphan", false, false),
    ];
    assert_eq!(
        seen,
        expected.map(|(key, bound, active)| (key.to_owned(), bound, active))
    );

    let chain = Chain::new().with(flat_to_keyed("alpha"));
    let migrated = exhibit.is_put_right_by(&chain, &bindings, &[]);
    let (_, orphan) = migrated.plan.binding("orphan").unwrap();
    assert!(orphan.is_orphan);
}

#[test]
fn m23_members_of_a_newer_version_survive_and_a_state_that_is_newer_is_its_own_error() {
    let exhibit = Exhibit::m(23);
    let users = exhibit.before.pointer("/bindingStateV1/users").unwrap();
    ResourceState::decode("users", users).expect("one more member is no reason not to start");
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "sibling-lost");
    says(
        &refused,
        &["`mistaken`", "`/region`", "`users`"],
        "keep that member",
    );
    let refused = exhibit.refused(Effects::NONE.edits("/region"));
    says(
        &refused,
        &["`/inc/watermark`", "`users`"],
        "keep that member",
    );
    let refused = exhibit.refused(Effects::NONE.edits("/region").edits("/inc/watermark"));
    says(
        &refused,
        &["`/backfill/attempt`", "`users`"],
        "keep that member",
    );

    let chain = Chain::new().with(flat_to_keyed("alpha"));
    exhibit.is_put_right_by(&chain, &[bound("users")], &[]);
    chain.check_knows(["flat-to-keyed"]).unwrap();
    let error = chain
        .check_knows(["flat-to-keyed", "next-year", "later"])
        .unwrap_err();
    assert_eq!(error.code(), "state-newer-than-connector");
    says(
        &error,
        &["`next-year`", "`later`", "a newer version wrote it"],
        "run that version",
    );
    assert!(!error.to_string().contains("flat-to-keyed"), "{error}");
}

#[test]
fn m24_a_state_beyond_its_budget_is_refused_with_both_sizes() {
    let exhibit = Exhibit::m(24);
    let grown = |budget| {
        let terms = Terms {
            declared: [("grow".to_owned(), Effects::NONE.edits("/seen"))]
                .into_iter()
                .collect(),
            budget,
            ..Terms::default()
        };
        let applied = Applied {
            migration: "grow".to_owned(),
            state_keys: vec!["users".into()],
        };
        plan(&exhibit.before, &exhibit.mistaken, &[], &[applied], &terms)
    };
    assert!(grown(Budget::default()).is_ok());
    let bytes = exhibit.mistaken.serialized_len();
    let at_most = |state_bytes| Budget {
        state_bytes,
        ..Budget::default()
    };
    assert!(grown(at_most(bytes)).is_ok());
    let refused = grown(at_most(bytes - 1)).unwrap_err();
    assert_eq!(refused.code(), "too-large");
    let sizes = [
        format!("{bytes} bytes"),
        format!("{} are allowed", bytes - 1),
    ];
    says(
        &refused,
        &["migrated state", &sizes[0], &sizes[1]],
        "make the state smaller",
    );
    let update_bytes = 100;
    let refused = grown(Budget {
        update_bytes,
        ..Budget::default()
    })
    .unwrap_err();
    says(
        &refused,
        &["checkpoint of the migration", "100 are allowed"],
        "raise the budget",
    );
    exhibit.is_put_right_by(
        &Chain::new().with(flat_to_keyed("alpha")),
        &[bound("users")],
        &[],
    );
}

#[test]
fn m25_a_table_of_cursors_in_a_release_is_refused_for_each_binding_that_it_moves() {
    let exhibit = Exhibit::m(25);
    let table = |effects: Effects| {
        let mistaken = exhibit.mistaken.clone();
        let shipped = move |key: &str| -> Option<Object> {
            let states = mistaken.pointer("/bindingStateV1")?.as_object()?;
            states.get(key)?.as_object().cloned()
        };
        let lookup = shipped.clone();
        Chain::new().with(
            custom(
                "cursors-of-june",
                move |binding, state| shipped(&binding.state_key).is_some_and(|to| to != *state),
                move |binding, state| Ok(lookup(&binding.state_key).unwrap_or(state)),
            )
            .declaring(effects),
        )
    };
    let refused = refusal(&exhibit.before, &table(Effects::NONE), &[]);
    assert_eq!(refused.code(), "cursor-provenance");
    says(
        &refused,
        &[
            "`cursors-of-june`",
            "`/inc/cursor`",
            "`acme/users`",
            "forward by 16 h",
        ],
        "declare `forward",
    );

    // Declared as it is, each binding needs the word of a person, by its name.
    let hours = |hours: u64| std::time::Duration::from_secs(hours * 3600);
    let refused = refusal(
        &exhibit.before,
        &table(Effects::NONE.forward(hours(16))),
        &[],
    );
    says(
        &refused,
        &["3 effects"],
        "`--allow skip:acme/users` `--allow rewind:acme/orders` `--allow rewind:acme/payouts`",
    );

    // What a person sets, where it still stands as it was seen.
    let at = |text: &str| node(&format!("\"{text}\""));
    let compare_and_set = replace(
        "/inc/cursor",
        at("2025-06-10T08:00:00Z"),
        at("2025-06-09T00:00:00Z"),
    );
    let chain =
        Chain::new().with(compare_and_set.only(|binding| binding.state_key == "acme/orders"));
    let bindings = ["acme/orders", "acme/payouts", "acme/users"].map(bound);
    let migrated = exhibit.is_put_right_by(&chain, &bindings, &["rewind:acme/orders"]);
    assert_eq!(migrated.outcome("acme/orders"), Outcome::Rewind);
    let moved_on = exhibit.before.to_json().replace("10T08", "10T09");
    let kept = chain.run(&node(&moved_on), &bindings).unwrap();
    assert_eq!(kept.after.to_json(), moved_on, "it has gone on since");
}

#[test]
fn m26_each_binding_owns_its_state() {
    let exhibit = Exhibit::m(26);
    let smaller = set("/page_size", Node::integer(50)).only(|binding| binding.state_key == "a");
    let chain = Chain::new().with(smaller);
    let migrated = exhibit.is_put_right_by(&chain, &["a", "b"].map(bound), &[]);
    assert_eq!(migrated.outcome("b"), Outcome::Keep);
    let applied = Applied {
        migration: "set".to_owned(),
        state_keys: vec!["a".into()],
    };
    let terms = terms(&chain, &[]);
    let refused = plan(&exhibit.before, &exhibit.mistaken, &[], &[applied], &terms).unwrap_err();
    assert_eq!(refused.code(), "sibling-lost", "no step has changed `b`");
    says(
        &refused,
        &["`(not named)`", "`/page_size`", "`b`"],
        "keep that member",
    );

    // One value, handed to every binding, and changed for one of them afterwards.
    let initial = node(r#"{"inc":{"cursor":7},"pages":{"size":100}}"#)
        .into_object()
        .unwrap();
    let give = custom(
        "initial",
        |_, state| !state.contains("pages"),
        move |_, _| Ok(initial.clone()),
    );
    let fresh = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":7}},"b":{"inc":{"cursor":7}}}}"#);
    let mut after = Chain::new().with(give).run(&fresh, &[]).unwrap().after;
    let sibling = after.pointer("/bindingStateV1/b").unwrap().to_json();
    let pages = after.pointer_mut("/bindingStateV1/a/pages").unwrap();
    pages
        .as_object_mut()
        .unwrap()
        .insert("size", Node::integer(50));
    assert_eq!(
        after.pointer("/bindingStateV1/b").unwrap().to_json(),
        sibling
    );
    assert_eq!(fresh.to_json().matches("pages").count(), 0);
}
