//! An entry for each subtask that is configured.

use super::super::{Transform, ensure_subtasks, flat_to_keyed};
use super::{becomes, binding_of, keeps, node, one, refuses, state_of};
use crate::migration::Chain;
use crate::migration::transform::EnsureSubtasks;

const WITH_BACKFILL: &str = r#"{"inc":{"cursor":90},"backfill":{"cutoff":90}}"#;
const WITHOUT_BACKFILL: &str = r#"{"inc":{"cursor":5}}"#;

fn each(names: &[&str], initial: &str) -> Transform<EnsureSubtasks> {
    let initial = node(initial).into_object().unwrap();
    let subtasks: Vec<_> = names.iter().map(|name| (*name, initial.clone())).collect();
    ensure_subtasks(subtasks)
}

#[test]
fn what_is_absent_begins_and_what_is_there_goes_on() {
    let new = "REWRITE: subtask `b` is new, and begins by itself";
    becomes(
        &one(each(&["a", "b"], WITH_BACKFILL)),
        &[
            (
                r#"{"inc":{"a":{"cursor":7,"mark":[1]}}}"#,
                r#"{"inc":{"a":{"cursor":7,"mark":[1]},"b":{"cursor":90}},"backfill":{"b":{"cutoff":90}}}"#,
                new,
            ),
            (
                r#"{"inc":{"a":{"cursor":7},"b":null},"backfill":{"a":{"cutoff":7,"next_page":"p"},"b":null}}"#,
                r#"{"inc":{"a":{"cursor":7},"b":{"cursor":90}},"backfill":{"a":{"cutoff":7,"next_page":"p"},"b":{"cutoff":90}}}"#,
                new,
            ),
            // An interrupted start.
            (
                r#"{"inc":{"a":{"cursor":7}},"backfill":{"b":{"cutoff":80,"next_page":"p","try":2}}}"#,
                r#"{"inc":{"a":{"cursor":7},"b":{"cursor":80}},"backfill":{"b":{"cutoff":80,"next_page":"p","try":2}}}"#,
                new,
            ),
            (
                r#"{"backfill":{"a":{"cutoff":70},"b":{"cutoff":80}}}"#,
                r#"{"backfill":{"a":{"cutoff":70},"b":{"cutoff":80}},"inc":{"a":{"cursor":70},"b":{"cursor":80}}}"#,
                "REWRITE: subtask `a` is new, and begins by itself; subtask `b` is new, and begins by itself",
            ),
        ],
    );
    becomes(
        &one(each(&["a", "b"], WITHOUT_BACKFILL)),
        &[(
            r#"{"inc":{"a":{"cursor":7}}}"#,
            r#"{"inc":{"a":{"cursor":7},"b":{"cursor":5}}}"#,
            new,
        )],
    );
    keeps(
        &one(each(&["a", "b"], WITH_BACKFILL)),
        &[
            "null",
            r#"{"inc":{"b":{"cursor":7},"a":{"cursor":7}}}"#,
            r#"{"inc":{"a":{"cursor":7},"b":{"cursor":7},"gone":{"cursor":7}},"backfill":{}}"#,
            // Flat: it has no key yet.
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"cursor":7},"backfill":{"cutoff":7}}"#,
        ],
    );
}

#[test]
fn what_cannot_be_told_from_something_else_is_refused_and_not_begun() {
    refuses(
        &one(each(&["a", "b"], WITH_BACKFILL)),
        &[
            (
                r#"{"inc":7}"#,
                "/inc",
                "is no object",
                "a migration of its own",
            ),
            (
                r#"{"inc":{"a":7}}"#,
                "/inc",
                "the subtask `a` already",
                "remove one",
            ),
            (
                r#"{"inc":{"a":{"cursor":7}},"backfill":{"cutoff":7}}"#,
                "/backfill",
                "`b` cannot stand beside it",
                "give that entry a key",
            ),
            (
                r#"{"backfill":{"a":{"next_page":"p"}}}"#,
                "/backfill/a/cutoff",
                "is absent",
                "remove the entry",
            ),
        ],
    );
    // A part that is not written to may be flat.
    becomes(
        &one(each(&["a", "b"], WITHOUT_BACKFILL)),
        &[(
            r#"{"inc":{"a":{"cursor":7}},"backfill":{"cutoff":7}}"#,
            r#"{"inc":{"a":{"cursor":7},"b":{"cursor":5}},"backfill":{"cutoff":7}}"#,
            "REWRITE: subtask `b` is new, and begins by itself",
        )],
    );
}

#[test]
fn a_subtask_of_snapshots_is_told_by_its_snapshot() {
    let snapshot = r#"{"snapshot":{"a":{"updated_at":"2025-06-10T08:00:00Z","last_count":1,"last_digest":"d"}}}"#;
    keeps(&one(each(&["a", "b"], "{}")), &["null", "{}", snapshot]);
    becomes(
        &one(each(&["a"], "{}").dropping_others()),
        &[(
            r#"{"snapshot":{"a":{"updated_at":"2025-06-10T08:00:00Z","last_count":1,"last_digest":"d"},"b":{"updated_at":"2025-06-10T08:00:00Z","last_count":2,"last_digest":"e"}}}"#,
            snapshot,
            "REWRITE",
        )],
    );
    // Changes that were once read are not begun again.
    keeps(
        &one(each(&["b"], "{}")),
        &[r#"{"backfill":{"b":{"cutoff":7}}}"#],
    );
}

#[test]
fn subtasks_that_are_not_listed_are_kept_dropped_or_archived_as_declared() {
    let before = r#"{"inc":{"a":{"cursor":7},"gone":{"cursor":3}},"backfill":{"gone":{"cutoff":3,"next_page":"p"}}}"#;
    keeps(&one(each(&["a"], WITHOUT_BACKFILL)), &[before]);
    becomes(
        &one(each(&["a"], WITHOUT_BACKFILL).dropping_others()),
        &[(
            before,
            r#"{"inc":{"a":{"cursor":7}},"backfill":{}}"#,
            "REWRITE: the cursor of `gone` is given up, as declared",
        )],
    );
    let archived = r#"{"inc":{"a":{"cursor":7}},"backfill":{},"archived":{"inc":{"gone":{"cursor":3}},"backfill":{"gone":{"cutoff":3,"next_page":"p"}}}}"#;
    becomes(
        &one(each(&["a"], WITHOUT_BACKFILL).archiving_others()),
        &[(before, archived, "REWRITE: subtask `gone` is archived")],
    );
    // Listed again it resumes, whatever a new one would begin with.
    becomes(
        &one(each(&["a", "gone"], WITH_BACKFILL).archiving_others()),
        &[(
            archived,
            before,
            "REWRITE: subtask `gone` resumes from the archive",
        )],
    );
    becomes(
        &one(each(&["a", "gone"], WITH_BACKFILL)),
        &[(
            r#"{"inc":{"a":{"cursor":7}},"archived":{"inc":{"gone":{"cursor":3},"x":{"cursor":1}},"notes":1}}"#,
            r#"{"inc":{"a":{"cursor":7},"gone":{"cursor":3}},"archived":{"inc":{"x":{"cursor":1}},"notes":1}}"#,
            "REWRITE: subtask `gone` resumes from the archive",
        )],
    );
}

#[test]
fn a_flat_state_gets_its_key_and_then_what_it_lacks() {
    let chain = Chain::new()
        .with(flat_to_keyed("a"))
        .with(each(&["a", "b"], WITH_BACKFILL));
    becomes(
        &chain,
        &[(
            r#"{"inc":{"cursor":7},"backfill":{"cutoff":7,"next_page":"p"}}"#,
            r#"{"inc":{"a":{"cursor":7},"b":{"cursor":90}},"backfill":{"a":{"cutoff":7,"next_page":"p"},"b":{"cutoff":90}}}"#,
            "REWRITE: subtask `b` is new, and begins by itself",
        )],
    );
    let after = chain.run(&state_of("null"), &[]).unwrap().after;
    assert_eq!(
        binding_of(&after),
        "null",
        "what is fresh is initialised, not migrated"
    );
}
