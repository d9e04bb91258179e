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
