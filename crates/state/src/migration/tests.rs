use std::time::Duration;

use super::transform::{flat_to_keyed, flat_to_subtasks};
use super::*;
use crate::update::StateUpdate;

fn node(text: &str) -> Node {
    Node::parse(text).unwrap()
}

fn state_of(binding: &str) -> Node {
    node(&format!(r#"{{"bindingStateV1":{{"K":{binding}}}}}"#))
}

fn binding_after(chain: &Chain, before: &str) -> String {
    let migrated = chain.run(&state_of(before), &[]).unwrap();
    migrated
        .after
        .pointer("/bindingStateV1/K")
        .map(Node::to_json)
        .unwrap_or_default()
}

/// A migration made of two closures.
struct Step<A, M>(&'static str, A, M, Effects);

impl<A, M> Migration for Step<A, M>
where
    A: Fn(&Binding, &Object) -> bool + Send + Sync,
    M: Fn(Object) -> Result<Object, MigrationError> + Send + Sync,
{
    fn name(&self) -> &str {
        self.0
    }
    fn applies(&self, binding: &Binding, state: &Object) -> bool {
        self.1(binding, state)
    }
    fn migrate(&self, _: &Binding, state: Object) -> Result<Object, MigrationError> {
        self.2(state)
    }
    fn declares(&self) -> Effects {
        self.3.clone()
    }
}

#[test]
fn the_update_of_flat_to_keyed_is_one_deletion_and_one_entry() {
    let before = state_of(
        r#"{"inc":{"cursor":"2025-06-10T08:00:00.123456Z"},"last_initialized":"2025-01-01T00:00:00Z"}"#,
    );
    let migrated = Chain::new()
        .with(flat_to_keyed("alpha"))
        .run(&before, &[])
        .unwrap();
    let update = StateUpdate::diff(&before, &migrated.after);
    assert_eq!(
        update.to_wire()[0].updated,
        r#"{"bindingStateV1":{"K":{"inc":{"cursor":null,"alpha":{"cursor":"2025-06-10T08:00:00.123456Z"}}}}}"#
    );
    assert_eq!(update.to_wire().len(), 1);
    assert_eq!(
        migrated.applied,
        [Applied {
            migration: "flat-to-keyed".into(),
            state_keys: vec!["K".into()]
        }]
    );
}

#[test]
fn flat_to_keyed_moves_cursor_and_backfill_and_nothing_else() {
    let chain = Chain::new().with(flat_to_keyed("alpha"));
    for (before, after) in [
        (
            r#"{"inc":{"cursor":["a\u0062",7]},"backfill":{"cutoff":1,"next_page":{"p":1.50}},"snapshot":{"last_count":1},"x":[1]}"#,
            r#"{"inc":{"alpha":{"cursor":["a\u0062",7]}},"backfill":{"alpha":{"cutoff":1,"next_page":{"p":1.50}}},"snapshot":{"last_count":1},"x":[1]}"#,
        ),
        (
            r#"{"inc":{"cursor":7,"extra":true}}"#,
            r#"{"inc":{"alpha":{"cursor":7,"extra":true}}}"#,
        ),
        (
            r#"{"inc":{"cursor":7},"backfill":null}"#,
            r#"{"inc":{"alpha":{"cursor":7}},"backfill":null}"#,
        ),
        (
            r#"{"inc":{"cursor":7},"backfill":{}}"#,
            r#"{"inc":{"alpha":{"cursor":7}},"backfill":{}}"#,
        ),
        (
            r#"{"inc":{"cursor":7},"backfill":{"cutoff":7,"next_page":{"cutoff":1}}}"#,
            r#"{"inc":{"alpha":{"cursor":7}},"backfill":{"alpha":{"cutoff":7,"next_page":{"cutoff":1}}}}"#,
        ),
        // These have no flat cursor: nothing to do.
        (
            r#"{"inc":{"alpha":{"cursor":7}},"backfill":{}}"#,
            r#"{"inc":{"alpha":{"cursor":7}},"backfill":{}}"#,
        ),
        (
            r#"{"inc":{"cursor":null,"alpha":{"cursor":7}}}"#,
            r#"{"inc":{"cursor":null,"alpha":{"cursor":7}}}"#,
        ),
        (
            r#"{"backfill":{"cutoff":7}}"#,
            r#"{"backfill":{"cutoff":7}}"#,
        ),
        (
            r#"{"snapshot":{"last_count":1}}"#,
            r#"{"snapshot":{"last_count":1}}"#,
        ),
        ("null", "null"),
    ] {
        assert_eq!(binding_after(&chain, before), after, "{before}");
    }
}

#[test]
fn flat_to_subtasks_takes_the_lag_off_and_keeps_the_text_form() {
    let lag = Duration::from_secs(6 * 3600);
    let chain = Chain::new().with(flat_to_subtasks([
        ("realtime", Duration::ZERO),
        ("lookback", lag),
    ]));
    let after = binding_after(
        &chain,
        r#"{"inc":{"cursor":"2025-06-10T08:00:00.250000Z"},"backfill":{"cutoff":1}}"#,
    );
    let want = r#"{"inc":{"realtime":{"cursor":"2025-06-10T08:00:00.250000Z"},"lookback":{"cursor":"2025-06-10T02:00:00.250000Z"}},"backfill":{"cutoff":1}}"#;
    assert_eq!(after, want);
    let error = chain
        .run(&state_of(r#"{"inc":{"cursor":7}}"#), &[])
        .unwrap_err();
    assert!(
        error.to_string().contains("`/bindingStateV1/K/inc/cursor`"),
        "{error}"
    );
}

#[test]
fn m11_every_binding_is_asked_for_itself_and_m18_so_are_disabled_and_orphaned_ones() {
    let before = node(
        r#"{"bindingStateV1":{"new":{"inc":{"a":{"cursor":1}}},"old":{"inc":{"cursor":2}},"off":{"inc":{"cursor":3}},"gone":{"inc":{"cursor":4}},"reset":null},"refresh_token":"kept"}"#,
    );
    let bound = |key: &str, is_active| Binding {
        state_key: key.into(),
        resource: Some(node("{}")),
        is_active,
    };
    let bindings = [
        bound("old", true),
        bound("new", true),
        bound("off", false),
        bound("unread", true),
    ];
    let migrated = Chain::new()
        .with(flat_to_keyed("a"))
        .run(&before, &bindings)
        .unwrap();
    assert_eq!(
        migrated.after.to_json(),
        r#"{"bindingStateV1":{"new":{"inc":{"a":{"cursor":1}}},"old":{"inc":{"a":{"cursor":2}}},"off":{"inc":{"a":{"cursor":3}}},"gone":{"inc":{"a":{"cursor":4}}},"reset":null},"refresh_token":"kept"}"#
    );
    let keys: Vec<&str> = migrated.applied[0]
        .state_keys
        .iter()
        .map(|key| &**key)
        .collect();
    assert_eq!(keys, ["old", "off", "gone"]);

    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = seen.clone();
    let look = Step(
        "look",
        move |binding: &Binding, _: &Object| {
            log.lock().unwrap().push((
                binding.state_key.clone(),
                binding.resource.is_some(),
                binding.is_active,
            ));
            false
        },
        Ok,
        Effects::NONE,
    );
    Chain::new().with(look).run(&before, &bindings).unwrap();
    let seen = seen.lock().unwrap();
    let seen: Vec<_> = seen
        .iter()
        .map(|(key, bound, active)| (key.as_str(), *bound, *active))
        .collect();
    assert_eq!(
        seen,
        [
            ("new", true, true),
            ("old", true, true),
            ("off", true, false),
            ("gone", false, false)
        ]
    );
}

#[test]
fn m20_a_chain_that_changes_its_own_result_is_refused() {
    let wrap = |state: Object| Ok([("inner", state)].into_iter().collect());
    let chain = Chain::new().with(Step(
        "wrap",
        |_: &Binding, _: &Object| true,
        wrap,
        Effects::NONE,
    ));
    let error = chain
        .run(&state_of(r#"{"inc":{"cursor":1}}"#), &[])
        .unwrap_err();
    assert_eq!(
        error,
        MigrationError::NotFixed {
            migration: "wrap".into(),
            state_key: "K".into()
        }
    );

    let chain = Chain::new().with(flat_to_keyed("alpha"));
    let once = chain
        .run(&state_of(r#"{"inc":{"cursor":1}}"#), &[])
        .unwrap();
    let twice = chain.run(&once.after, &[]).unwrap();
    assert_eq!((twice.after, twice.applied.len()), (once.after, 0));
}

#[test]
fn two_steps_that_undo_each_other_have_no_fixed_point_each_but_the_chain_has() {
    let rename = |from: &'static str, to: &'static str| {
        move |mut state: Object| {
            let node = state.remove(from).unwrap_or(Node::Null);
            state.insert(to, node);
            Ok(state)
        }
    };
    let has = |name: &'static str| move |_: &Binding, state: &Object| state.contains(name);
    let chain = Chain::new()
        .with(Step("there", has("a"), rename("a", "b"), Effects::NONE))
        .with(Step("back", has("b"), rename("b", "a"), Effects::NONE));
    assert_eq!(binding_after(&chain, r#"{"a":1}"#), r#"{"a":1}"#);
}

#[test]
fn m22_a_key_with_the_name_of_a_member_is_refused_and_named() {
    let chain = Chain::new().with(flat_to_keyed("cursor"));
    let error = chain
        .run(&state_of(r#"{"inc":{"cursor":1}}"#), &[])
        .unwrap_err()
        .to_string();
    for part in [
        "`flat-to-keyed`",
        "`K`",
        "`/bindingStateV1/K/inc`",
        "named `cursor`",
    ] {
        assert!(error.contains(part), "{error} lacks {part}");
    }
}

#[test]
fn m26_a_change_for_one_binding_leaves_its_siblings_alone() {
    let initial = Object::from_iter([("n", Node::integer(0))]);
    let put = move |_: Object| {
        let mut own = initial.clone();
        own.insert("inner", Object::new());
        Ok(own)
    };
    let fresh = |_: &Binding, state: &Object| !state.contains("inner");
    let before = node(r#"{"bindingStateV1":{"a":{"x":1},"b":{"x":1}}}"#);
    let mut after = Chain::new()
        .with(Step("initial", fresh, put, Effects::NONE))
        .run(&before, &[])
        .unwrap()
        .after;
    let inner = after
        .pointer_mut("/bindingStateV1/a/inner")
        .and_then(Node::as_object_mut)
        .unwrap();
    inner.insert("changed", Node::boolean(true));
    assert_eq!(
        after.pointer("/bindingStateV1/b").unwrap().to_json(),
        r#"{"n":0,"inner":{}}"#
    );
    assert_eq!(
        before.to_json(),
        r#"{"bindingStateV1":{"a":{"x":1},"b":{"x":1}}}"#
    );
}

#[test]
fn a_half_migrated_entry_is_not_guessed_at() {
    let chain = Chain::new().with(flat_to_keyed("alpha"));
    let error = chain
        .run(
            &state_of(r#"{"inc":{"cursor":1,"alpha":{"cursor":2}}}"#),
            &[],
        )
        .unwrap_err();
    assert!(error.to_string().contains("the subtask `alpha`"), "{error}");
}

#[test]
fn a_state_without_the_shape_of_one_is_an_error_or_left_alone() {
    let chain = Chain::new().with(flat_to_keyed("alpha"));
    for text in [
        "7",
        r#"{"bindingStateV1":[]}"#,
        r#"{"bindingStateV1":{"K":"x"}}"#,
    ] {
        assert!(
            matches!(
                chain.run(&node(text), &[]),
                Err(MigrationError::NotAnObject { .. })
            ),
            "{text}"
        );
    }
    for text in [
        "null",
        "{}",
        r#"{"bindingStateV1":null,"other":{"inc":{"cursor":1}}}"#,
    ] {
        assert_eq!(chain.run(&node(text), &[]).unwrap().after.to_json(), text);
    }
    let twice = Chain::new()
        .with(flat_to_keyed("a"))
        .with(flat_to_keyed("b"));
    assert!(matches!(
        twice.run(&node("{}"), &[]),
        Err(MigrationError::NameReused { .. })
    ));
}

#[test]
fn an_empty_state_is_removed_only_where_that_was_declared() {
    let clear = |_: Object| Ok(Object::new());
    let any = |_: &Binding, state: &Object| !state.is_empty();
    let declared = Chain::new().with(Step("reset", any, clear, Effects::NONE.reset()));
    assert_eq!(binding_after(&declared, r#"{"inc":{"cursor":1}}"#), "");
    let undeclared = Chain::new().with(Step("reset", any, clear, Effects::NONE));
    assert_eq!(binding_after(&undeclared, r#"{"inc":{"cursor":1}}"#), "{}");
}
