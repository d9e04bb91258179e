//! Mistakes of updates: what a checkpoint says of a state, and what it leaves standing.

use std::time::Duration;

use staunch_state::transform::{
    custom, flat_to_subtasks, keyed_to_flat, remove, rename_subtask, set,
};
use staunch_state::{Chain, Effects, Node, Outcome, StateUpdate};

use super::exhibit::{Exhibit, planned, says};
use super::support::{bound, node};

/// A cursor of its own for what arrives late.
pub(crate) fn realtime_and_lookback() -> Chain {
    Chain::new().with(flat_to_subtasks([
        ("realtime", Duration::ZERO),
        ("lookback", Duration::from_secs(6 * 3600)),
    ]))
}

#[test]
fn m01_a_replacement_that_lacks_a_binding_is_refused_and_no_author_can_send_one() {
    let exhibit = Exhibit::m(1);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "sibling-lost", "the token goes first");
    says(&refused, &["`/refresh_token`"], "keep that member");

    let mut mistaken = exhibit.mistaken.clone();
    let token = Node::string("kept");
    mistaken
        .as_object_mut()
        .unwrap()
        .insert("refresh_token", token);
    let declared = Effects::NONE.rewind(Duration::MAX);
    let refused = planned(&exhibit.before, &mistaken, declared, &[]).unwrap_err();
    assert_eq!(refused.code(), "binding-lost");
    says(
        &refused,
        &["`mistaken`", "`boards`"],
        "keep it, or declare `reset()` or `retire()`",
    );

    // Answering with the one binding it was asked about, a step still changes that one only.
    let bindings = ["issues", "boards", "users"].map(bound);
    let migrated = exhibit.is_put_right_by(&realtime_and_lookback(), &bindings, &[]);
    assert_eq!(migrated.outcome("issues"), Outcome::Rewind);
    assert_eq!(migrated.outcome("users"), Outcome::Keep);
}

#[test]
fn m03_a_cursor_left_beside_subtasks_cannot_be_read_and_the_engine_derives_its_deletion() {
    let exhibit = Exhibit::m(3);
    let refused = exhibit.refused(Effects::NONE.rewind(Duration::MAX));
    assert_eq!(refused.code(), "not-decodable");
    says(
        &refused,
        &["`mistaken`", "cannot be read"],
        "correct the migration",
    );
    let source = std::error::Error::source(&refused).expect("where and why");
    says(
        source,
        &[
            "`issues`",
            "`/bindingStateV1/issues/inc`",
            "the subtask `realtime`",
        ],
        "remove one of the two",
    );

    // A capture that is in this state already is told so, and stays as it is.
    let error = realtime_and_lookback()
        .run(&exhibit.mistaken, &[])
        .unwrap_err();
    assert_eq!(error.code(), "migration-failed");
    says(
        &error,
        &[
            "`flat-to-subtasks`",
            "`issues`",
            "`/bindingStateV1/issues/inc`",
            "`realtime`",
        ],
        "remove one of them",
    );
    let migrated = exhibit.is_put_right_by(&realtime_and_lookback(), &[bound("issues")], &[]);
    assert!(migrated.updated().contains(r#""cursor":null"#));
}

#[test]
fn m08_the_null_for_each_key_that_went_is_derived() {
    let exhibit = Exhibit::m(8);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(
        refused.code(),
        "not-decodable",
        "the old keys are left beside the flat entry"
    );
    let source = std::error::Error::source(&refused).unwrap();
    says(
        source,
        &["`charges`", "`/bindingStateV1/charges/inc`", "`acct_1`"],
        "remove one of the two",
    );

    let chain = Chain::new().with(keyed_to_flat("acct_1"));
    let migrated = exhibit.is_put_right_by(&chain, &["charges", "payouts"].map(bound), &[]);
    assert_eq!(migrated.outcome("charges"), Outcome::Rewrite);
    let back = chain
        .back_to(None)
        .unwrap()
        .run(&migrated.after, &[])
        .unwrap();
    assert!(
        back.after.same_state(&exhibit.before),
        "reverted, and applied again"
    );
}

#[test]
fn m10_what_goes_and_what_comes_are_one_patch_of_which_there_is_no_half() {
    let exhibit = Exhibit::m(10);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "consent-missing");
    says(&refused, &["needs consent"], "`--allow backfill:changes`");

    let chain = Chain::new()
        .with(rename_subtask("db/main", "main").named("main"))
        .with(rename_subtask("db/other", "other").named("other"));
    let migrated = exhibit.is_put_right_by(&chain, &[bound("changes")], &[]);
    assert!(
        migrated
            .plan
            .update
            .is_some_and(|update| update.merge_patch)
    );
}

#[test]
fn m13_a_member_at_its_default_is_written_and_one_that_is_left_out_is_deleted() {
    let exhibit = Exhibit::m(13);
    assert!(
        exhibit.mistaken.same_state(&exhibit.before),
        "the old values stand"
    );
    let update = StateUpdate::diff(&exhibit.mistaken, &exhibit.right);
    assert!(!update.is_empty(), "and the next comparison sees it");

    let chain = Chain::new()
        .with(set("/lag_seconds", Node::integer(0)).named("no-lag"))
        .with(remove("/paused").named("never-paused"));
    exhibit.is_put_right_by(&chain, &[bound("events")], &[]);
}

#[test]
fn m14_a_reset_sets_the_subtree_and_nothing_of_the_old_page_is_left() {
    let exhibit = Exhibit::m(14);
    let page = "/bindingStateV1/events/backfill/next_page";
    let left = exhibit.mistaken.pointer(page).map(Node::to_json);
    assert_eq!(left.as_deref(), Some(r#"{"shard":3,"token":"t9"}"#));
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "cursor-provenance");
    says(
        &refused,
        &["`mistaken`", "`/inc/cursor`", "`events`", "forward by 20"],
        "declare `forward",
    );
    let refused = exhibit.refused(Effects::NONE.forward_by(20));
    assert_eq!(refused.code(), "backfill-lost");
    says(
        &refused,
        &["`mistaken`", "`/backfill`", "`events`"],
        "keep its cutoff and page",
    );

    // The initial state is all that a step which starts over has to return.
    let initial = r#"{"inc":{"cursor":90},"backfill":{"cutoff":90}}"#;
    let start_over = custom(
        "start-over",
        |_, state| state.get("inc") == Some(&node(r#"{"cursor":70}"#)),
        move |_, mut state| {
            for (part, entry) in node(initial).into_object().unwrap() {
                state.insert(part, entry);
            }
            Ok(state)
        },
    );
    let chain = Chain::new().with(start_over.declaring(Effects::NONE.backfill()));
    let migrated = exhibit.is_put_right_by(&chain, &[bound("events")], &["backfill:events"]);
    assert_eq!(migrated.outcome("events"), Outcome::Backfill);
}

#[test]
fn m28_a_deletion_and_what_is_then_written_inside_it_are_composed_without_the_old_members() {
    let exhibit = Exhibit::m(28);
    let patch = |text: &str| StateUpdate::merge(node(text));
    let deletes = patch(r#"{"bindingStateV1":{"issues":{"inc":null}}}"#);
    let writes = patch(r#"{"bindingStateV1":{"issues":{"inc":{"alpha":{"cursor":7}}}}}"#);
    let one_by_one = writes.apply(deletes.apply(exhibit.before.clone()));
    let composed = deletes.then(writes);
    assert_eq!(composed.apply(exhibit.before.clone()), one_by_one);
    assert_eq!(one_by_one.to_json(), {
        let mut right = exhibit.right.clone();
        let of = right
            .pointer_mut("/bindingStateV1/issues")
            .unwrap()
            .as_object_mut()
            .unwrap();
        let inc = of.remove("inc").unwrap();
        of.insert("inc", inc); // Written anew, it stands behind what was kept.
        right.to_json()
    });
    assert_eq!(composed.as_merge_patch(), None, "one patch cannot say it");
    assert_eq!(composed.to_wire().len(), 2);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(
        refused.code(),
        "not-decodable",
        "the old cursor beside the new subtask"
    );

    // The difference of two states is always one patch, for it knows what was there.
    let give_key = custom(
        "key-and-no-window",
        |_, state| {
            state
                .get("inc")
                .and_then(Node::as_object)
                .is_some_and(|inc| inc.contains("window"))
        },
        |_, mut state| {
            state.insert("inc", node(r#"{"alpha":{"cursor":7}}"#));
            Ok(state)
        },
    );
    let chain = Chain::new().with(give_key.declaring(Effects::NONE.edits("/inc/window")));
    exhibit.is_put_right_by(&chain, &[bound("issues")], &[]);
}
