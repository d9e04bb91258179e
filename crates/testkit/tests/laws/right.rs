//! Chains that are right, of every ready-made transform.

use std::time::Duration;

use staunch_state::transform::{
    convert_cursors, ensure_subtasks, flat_to_keyed, flat_to_subtasks, keyed_to_flat,
    merge_subtasks, move_state, remove, rename, rename_subtask, reset, retire, split_subtask,
};
use staunch_state::{Binding, Chain, Consent, ConsentKind, CursorRule, Node, Object};
use staunch_testkit::Mutation;

use super::{harness, passes};

const LAG: Duration = Duration::from_secs(6 * 3600);

const FLAT: &str = r#"{
    "orders":{"inc":{"cursor":"2025-06-10T08:00:00.250000Z"},"last_initialized":"2025-01-01T00:00:00Z"},
    "items":{"inc":{"cursor":"2025-06-11T08:00:00Z"},"backfill":{"cutoff":"2025-06-01T00:00:00Z","next_page":"p7"},
             "last_initialized":"2025-01-01T00:00:00Z","is_connector_initiated":true},
    "shops":{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"0af1"},"last_initialized":"2025-01-01T00:00:00Z"}}"#;

fn object(text: &str) -> Object {
    let node = Node::parse(text).expect("a state is JSON");
    node.into_object().expect("a state is an object")
}

#[test]
fn from_one_cursor_to_realtime_and_lookback() {
    let chain = Chain::new().with(flat_to_subtasks([
        ("realtime", Duration::ZERO),
        ("lookback", LAG),
    ]));
    let report = passes(harness(chain, &[FLAT, r#"{"orders":{"inc":{"realtime":{"cursor":"2025-06-10T08:00:00Z"},"lookback":{"cursor":"2025-06-10T02:00:00Z"}}}}"#]).kills(200));
    assert!(report.kills > 40, "{report}");
    assert!(report.undone > 100, "{report}");
    assert!(report.residues_refused > 0, "{report}");
    assert!(report.skipped.is_empty(), "{report}");
    assert_eq!(report.mutations_not_made().count(), 0, "{report}");
}

#[test]
fn from_flat_to_keyed_with_subtasks_that_are_configured() {
    let initial =
        r#"{"inc":{"cursor":"2024-01-01T00:00:00Z"},"backfill":{"cutoff":"2024-01-01T00:00:00Z"}}"#;
    let chain = Chain::new()
        .with(flat_to_keyed("main").only(|binding| !binding.state_key.starts_with("shops")))
        .with(
            ensure_subtasks([("main", object(initial)), ("second", object(initial))])
                .only(|binding| !binding.state_key.starts_with("shops")),
        );
    let report = passes(harness(chain, &[FLAT]));
    assert!(
        report
            .skipped
            .iter()
            .any(|what| what.contains("ensure-subtasks")),
        "{report}"
    );
}

#[test]
fn integers_that_count_seconds_become_date_times() {
    let chain = Chain::new().with(convert_cursors(CursorRule::epoch_seconds_to_datetime()));
    let report = passes(harness(
        chain,
        &[
            r#"{"a":{"inc":{"cursor":1749542400},"backfill":{"cutoff":1749000000,"next_page":17}},"b":{"inc":{"x":{"cursor":1749542400},"y":{"cursor":1749542000}}}}"#,
        ],
    ));
    assert!(report.undone > 100, "{report}");
}

#[test]
fn date_times_become_integers_and_what_is_cut_off_is_read_again() {
    let chain = Chain::new().with(convert_cursors(CursorRule::datetime_to_epoch_seconds()));
    passes(harness(
        chain,
        &[
            r#"{"a":{"inc":{"cursor":"2025-06-10T08:00:00.250+02:00"},"backfill":{"cutoff":"2025-06-01T00:00:00Z"}}}"#,
        ],
    ));
}

#[test]
fn subtasks_are_renamed() {
    let chain = Chain::new().with(rename_subtask("old", "new"));
    passes(harness(
        chain,
        &[
            r#"{"a":{"inc":{"old":{"cursor":7},"other":{"cursor":["b"]}},"backfill":{"old":{"cutoff":7,"next_page":{"n":1}}}}}"#,
        ],
    ));
}

#[test]
fn a_subtask_is_split_and_others_are_merged() {
    let split = Chain::new().with(split_subtask(
        "all",
        [("realtime", Duration::ZERO), ("lookback", LAG)],
    ));
    passes(harness(
        split,
        &[
            r#"{"a":{"inc":{"all":{"cursor":"2025-06-10T08:00:00Z"},"other":{"cursor":"2025-06-10T09:00:00Z"}}}}"#,
        ],
    ));
    let merge = Chain::new().with(merge_subtasks(["x", "y"], "z").rewinding(LAG));
    let report = passes(harness(
        merge,
        &[
            r#"{"a":{"inc":{"x":{"cursor":"2025-06-10T08:00:00Z"},"y":{"cursor":"2025-06-10T09:00:00Z"}}}}"#,
        ],
    ));
    assert_eq!(report.undone, 0, "{report}");
}

#[test]
fn state_moves_to_another_key() {
    let chain = Chain::new().with_whole(move_state("accounts", "customers"));
    let report = passes(harness(
        chain,
        &[
            r#"{"accounts.v2":{"inc":{"cursor":7}},"orders":{"inc":{"cursor":"2025-06-10T08:00:00Z"}}}"#,
        ],
    ));
    assert!(report.undone > 0, "{report}");
}

#[test]
fn keyed_becomes_flat_and_members_are_edited() {
    let chain = Chain::new()
        .with(keyed_to_flat("main"))
        .with(remove("/legacy"))
        .with(rename("/old", "/new"))
        .with(remove("/new").named("remove-new"))
        .with_whole(remove("/stale").named("remove-stale").at_root());
    let state = r#"{"bindingStateV1":{"a":{"inc":{"main":{"cursor":["8c42b44c"]}},"backfill":{"main":{"cutoff":["8c42b44c"]}},"legacy":1,"old":{"x":[1,2]}}},"stale":{"a":1},"refresh_token":"kept"}"#;
    let harness = harness(chain, &[]).state("v1", Node::parse(state).unwrap());
    let report = passes(harness);
    assert!(
        report.mutations.contains_key(&Mutation::ForgetsRootMember),
        "{report}"
    );
}

#[test]
fn what_is_given_up_on_purpose_passes_with_consent() {
    let chain = Chain::new()
        .with(retire(|binding, _| binding.resource.is_none()))
        .with(reset(|_, state| state.contains("restart")));
    let bindings = vec![Binding {
        state_key: "a".to_owned(),
        resource: Some(Node::Object(Object::new())),
        is_active: true,
    }];
    let consent = Consent {
        kind: ConsentKind::Backfill,
        state_key: "a".to_owned(),
    };
    let harness = harness(
        chain,
        &[r#"{"gone":{"inc":{"cursor":7}},"a":{"inc":{"cursor":7},"restart":true}}"#],
    );
    passes(harness.bindings(bindings).consents([consent]));
}

#[test]
fn several_steps_and_the_states_between_them() {
    let chain = Chain::new()
        .with(convert_cursors(CursorRule::epoch_seconds_to_datetime()))
        .with(flat_to_keyed("all"))
        .with(rename_subtask("all", "main"))
        .with(split_subtask(
            "main",
            [("realtime", Duration::ZERO), ("lookback", LAG)],
        ));
    let report = passes(harness(
        chain,
        &[
            r#"{"a":{"inc":{"cursor":1749542400},"backfill":{"cutoff":1749000000,"next_page":"x"}}}"#,
        ],
    ));
    assert!(report.undone > 100, "{report}");
}

#[test]
fn a_chain_without_steps_changes_nothing() {
    passes(harness(Chain::new(), &[FLAT]));
}
