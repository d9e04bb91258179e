use std::time::Duration;

use super::*;
use crate::migration::transform::{flat_to_keyed, flat_to_subtasks};
use crate::migration::{Chain, Effects};
use crate::node::Object;

fn node(text: &str) -> Node {
    Node::parse(text).unwrap()
}

fn state_of(binding: &str) -> Node {
    node(&format!(r#"{{"bindingStateV1":{{"K":{binding}}}}}"#))
}

/// The plan of one binding `K`, changed by a migration `step` that declares these effects.
fn changed(before: &str, after: &str, effects: Effects) -> Result<Group, Refused> {
    let terms = Terms {
        declared: [("step".to_owned(), effects)].into_iter().collect(),
        ..Terms::default()
    };
    let applied = [Applied {
        migration: "step".into(),
        state_keys: vec!["K".into()],
    }];
    let plan = survey(&state_of(before), &state_of(after), &[], &applied, &terms)?;
    Ok(plan.groups.into_iter().next().unwrap())
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

#[test]
fn each_change_of_a_resume_point_has_its_outcome() {
    use Outcome::{Backfill, Keep, Retire, Rewind, Rewrite, Skip, Unknown};
    let none = Effects::NONE;
    for (what, before, after, effects, outcome, needs) in [
        (
            "nothing",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"cursor":7.0},"x":null}"#,
            &none,
            Keep,
            None,
        ),
        (
            "flat to keyed",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"a":{"cursor":7}}}"#,
            &none,
            Rewrite,
            None,
        ),
        (
            "the whole way back",
            r#"{"inc":{"a":{"cursor":7}}}"#,
            r#"{"inc":{"cursor":7}}"#,
            &none,
            Rewrite,
            None,
        ),
        (
            "a declared lag",
            r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#,
            r#"{"inc":{"realtime":{"cursor":"2025-06-10T08:00:00Z"},"lookback":{"cursor":"2025-06-10T02:00:00Z"}}}"#,
            &none.clone().rewind(hours(6)),
            Rewind,
            None,
        ),
        (
            "more than the declared lag",
            r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#,
            r#"{"inc":{"cursor":"2025-06-10T01:59:59Z"}}"#,
            &none.clone().rewind(hours(6)),
            Rewind,
            Some(ConsentKind::Rewind),
        ),
        (
            "an integer back",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"cursor":6}}"#,
            &none.clone().rewind(hours(6)),
            Rewind,
            Some(ConsentKind::Rewind),
        ),
        (
            "forward, as declared",
            r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#,
            r#"{"inc":{"cursor":"2025-06-10T09:00:00Z"}}"#,
            &none.clone().forward(hours(1)),
            Skip,
            Some(ConsentKind::Skip),
        ),
        (
            "the earlier of two is not carried on",
            r#"{"inc":{"a":{"cursor":7},"b":{"cursor":9}}}"#,
            r#"{"inc":{"c":{"cursor":9}}}"#,
            &none,
            Skip,
            Some(ConsentKind::Skip),
        ),
        (
            "a subtask dropped",
            r#"{"inc":{"a":{"cursor":7},"b":{"cursor":9}}}"#,
            r#"{"inc":{"a":{"cursor":7}}}"#,
            &none,
            Backfill,
            Some(ConsentKind::Backfill),
        ),
        (
            "a reset",
            r#"{"inc":{"cursor":7}}"#,
            "null",
            &none.clone().reset(),
            Backfill,
            Some(ConsentKind::Backfill),
        ),
        (
            "retired",
            r#"{"inc":{"cursor":7}}"#,
            "null",
            &none.clone().retire(),
            Retire,
            None,
        ),
        (
            "a backfill again, as declared",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"cursor":9},"backfill":{"cutoff":9}}"#,
            &none.clone().backfill(),
            Backfill,
            Some(ConsentKind::Backfill),
        ),
        (
            "tuples",
            r#"{"inc":{"cursor":["a"]}}"#,
            r#"{"inc":{"cursor":["b"]}}"#,
            &none,
            Unknown,
            Some(ConsentKind::Unknown),
        ),
        (
            "the same tuple",
            r#"{"inc":{"cursor":["a"]}}"#,
            r#"{"inc":{"k":{"cursor":["a"]}}}"#,
            &none,
            Rewrite,
            None,
        ),
        (
            "an old shape, cursor found",
            r#"{"inc":{"position":{"at":7}}}"#,
            r#"{"inc":{"cursor":7}}"#,
            &none,
            Rewrite,
            None,
        ),
        (
            "an old shape, cursor not found",
            r#"{"inc":{"position":{"at":7}}}"#,
            r#"{"inc":{"cursor":6}}"#,
            &none,
            Unknown,
            Some(ConsentKind::Unknown),
        ),
    ] {
        let plan = changed(before, after, effects.clone())
            .unwrap_or_else(|refused| panic!("{what}: {refused}"));
        assert_eq!(
            (plan.outcome, plan.needs),
            (outcome, needs),
            "{what}: {:?}",
            plan.notes
        );
    }
}

#[test]
fn what_is_always_a_bug_is_refused_whatever_the_consent() {
    let none = Effects::NONE;
    for (code, before, after, effects) in [
        ("binding-lost", r#"{"inc":{"cursor":7}}"#, "null", &none),
        ("binding-lost", r#"{"inc":{"cursor":7}}"#, "{}", &none),
        (
            "sibling-lost",
            r#"{"inc":{"cursor":7},"last_initialized":"2025-01-01T00:00:00Z"}"#,
            r#"{"inc":{"a":{"cursor":7}}}"#,
            &none,
        ),
        (
            "sibling-lost",
            r#"{"inc":{"cursor":7},"is_connector_initiated":true}"#,
            r#"{"inc":{"cursor":7}}"#,
            &none,
        ),
        (
            "sibling-lost",
            r#"{"inc":{"cursor":7},"newer":1}"#,
            r#"{"inc":{"cursor":7},"newer":2}"#,
            &none,
        ),
        (
            "sibling-lost",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"cursor":7},"added":2}"#,
            &none,
        ),
        (
            "sibling-lost",
            r#"{"inc":{"cursor":7,"seen":[1]}}"#,
            r#"{"inc":{"a":{"cursor":7}}}"#,
            &none,
        ),
        (
            "cursor-provenance",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"cursor":8}}"#,
            &none,
        ),
        (
            "cursor-provenance",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"a":{"cursor":8}}}"#,
            &none,
        ),
        (
            "cursor-provenance",
            r#"{"inc":{"a":{"cursor":7}}}"#,
            r#"{"inc":{"a":{"cursor":7},"b":{"cursor":8}}}"#,
            &none,
        ),
        (
            "cursor-provenance",
            r#"{"snapshot":null}"#,
            r#"{"inc":{"cursor":8}}"#,
            &none,
        ),
        (
            "cursor-provenance",
            r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#,
            r#"{"inc":{"cursor":"2025-06-10T10:00:00Z"}}"#,
            &none.clone().forward(hours(1)),
        ),
        (
            "cursor-kind-changed",
            r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#,
            r#"{"inc":{"cursor":1749542400}}"#,
            &none,
        ),
        (
            "cursor-kind-changed",
            r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#,
            r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:00.000000Z"}}}"#,
            &none,
        ),
        (
            "backfill-lost",
            r#"{"inc":{"cursor":7},"backfill":{"cutoff":7,"next_page":"p"}}"#,
            r#"{"inc":{"a":{"cursor":7}}}"#,
            &none,
        ),
        (
            "backfill-lost",
            r#"{"inc":{"cursor":7},"backfill":{"cutoff":7,"next_page":"p"}}"#,
            r#"{"inc":{"a":{"cursor":7}},"backfill":{"a":{"cutoff":7}}}"#,
            &none,
        ),
        (
            "backfill-reopened",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"cursor":7},"backfill":{"cutoff":7}}"#,
            &none,
        ),
        (
            "snapshot-lost",
            r#"{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"d"},"inc":{"cursor":1}}"#,
            r#"{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":0,"last_digest":"d"},"inc":{"cursor":1}}"#,
            &none,
        ),
        (
            "not-decodable",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"cursor":7,"a":{"cursor":7}}}"#,
            &none,
        ),
    ] {
        let refused = changed(before, after, effects.clone()).expect_err(after);
        assert_eq!(refused.code(), code, "{before} to {after}: {refused}");
        assert!(
            refused.to_string().contains("`step`"),
            "{refused} names the migration"
        );
        assert!(
            refused.to_string().contains(';'),
            "{refused} says what to do"
        );
        if !matches!(refused, Refused::NotDecodable { .. }) {
            assert!(
                refused.to_string().contains("`K`"),
                "{refused} names the binding"
            );
        }
    }
}

#[test]
fn m01_a_state_without_its_other_bindings_is_refused() {
    let before = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":1}},"b":{"inc":{"cursor":2}}}}"#);
    let after = node(r#"{"bindingStateV1":{"a":{"inc":{"x":{"cursor":1}}}}}"#);
    let refused = plan(&before, &after, &[], &[], &Terms::default()).unwrap_err();
    assert!(
        matches!(&refused, Refused::BindingLost { state_key, .. } if state_key == "b"),
        "{refused}"
    );
    let refused = plan(
        &before,
        &node(r#"{"other":1}"#),
        &[],
        &[],
        &Terms::default(),
    )
    .unwrap_err();
    assert!(matches!(&refused, Refused::BindingLost { .. }), "{refused}");
}

#[test]
fn m02_siblings_of_what_is_migrated_are_kept_or_declared() {
    let before =
        r#"{"inc":{"cursor":7},"last_initialized":"2025-01-01T00:00:00Z","meta":{"a":1,"b":2}}"#;
    let rebuilt = r#"{"inc":{"k":{"cursor":7}},"meta":{"a":1,"b":2}}"#;
    let refused = changed(before, rebuilt, Effects::NONE).unwrap_err();
    assert!(
        matches!(&refused, Refused::SiblingLost { pointer, .. } if pointer == "/last_initialized"),
        "{refused}"
    );
    assert!(changed(before, rebuilt, Effects::NONE.edits("/last_initialized")).is_ok());

    let edited =
        r#"{"inc":{"cursor":7},"last_initialized":"2025-01-01T00:00:00Z","meta":{"a":9,"b":2}}"#;
    assert!(changed(before, edited, Effects::NONE.edits("/meta/a")).is_ok());
    assert!(
        changed(before, edited, Effects::NONE.edits("/meta/b")).is_err(),
        "only what is declared"
    );
}

#[test]
fn m16_microseconds_that_leak_into_a_cutoff_are_refused() {
    let before = r#"{"inc":{"cursor":"2025-06-10T08:00:00.250000Z"},"backfill":{"cutoff":"2025-06-10T08:00:00Z","next_page":"p"}}"#;
    let after = r#"{"inc":{"cursor":"2025-06-10T08:00:00.250000Z"},"backfill":{"cutoff":"2025-06-10T08:00:00.000000Z","next_page":"p"}}"#;
    let refused = changed(before, after, Effects::NONE).unwrap_err();
    assert_eq!(refused.code(), "cursor-kind-changed");
    assert!(
        refused.to_string().contains("`/backfill/cutoff`"),
        "{refused}"
    );
    assert!(refused.to_string().contains("microseconds"), "{refused}");
}

#[test]
fn m06_leaving_a_finished_backfill_out_is_no_start_over_and_writing_it_again_is_refused() {
    let before = r#"{"inc":{"cursor":7},"backfill":null}"#;
    let plan = changed(before, r#"{"inc":{"a":{"cursor":7}}}"#, Effects::NONE).unwrap();
    assert_eq!(plan.outcome, Outcome::Rewrite);
    let again = r#"{"inc":{"a":{"cursor":7}},"backfill":{"a":{"cutoff":9}}}"#;
    let refused = changed(r#"{"inc":{"a":{"cursor":7}}}"#, again, Effects::NONE).unwrap_err();
    assert_eq!(refused.code(), "backfill-reopened");
}

#[test]
fn a_new_subtask_with_a_backfill_of_its_own_is_named_and_is_neither_skip_nor_backfill() {
    let before = r#"{"inc":{"cursor":7},"backfill":{"cutoff":7,"next_page":"p"}}"#;
    let after = r#"{"inc":{"a":{"cursor":7},"b":{"cursor":9}},"backfill":{"a":{"cutoff":7,"next_page":"p"},"b":{"cutoff":9}}}"#;
    let plan = changed(before, after, Effects::NONE).unwrap();
    assert_eq!((plan.outcome, plan.needs), (Outcome::Rewrite, None));
    assert_eq!(plan.notes, ["subtask `b` is new, and begins by itself"]);

    let gap = r#"{"inc":{"a":{"cursor":7},"b":{"cursor":9}},"backfill":{"a":{"cutoff":7,"next_page":"p"},"b":{"cutoff":8}}}"#;
    let refused = changed(before, gap, Effects::NONE).unwrap_err();
    assert_eq!(
        refused.code(),
        "cursor-provenance",
        "what lies between cutoff and cursor would be missed"
    );
}

#[test]
fn consent_is_named_per_kind_and_binding() {
    let before = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":5}},"b":{"inc":{"cursor":5}}}}"#);
    let after = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":4}},"b":{"inc":{"cursor":4}}}}"#);
    let given = |texts: &[&str]| Terms {
        consents: texts.iter().map(|text| text.parse().unwrap()).collect(),
        ..Terms::default()
    };
    let refused = plan(&before, &after, &[], &[], &given(&["rewind:a", "skip:b"])).unwrap_err();
    assert!(
        matches!(&refused, Refused::ConsentMissing { needed } if needed[0].to_string() == "rewind:b")
    );
    assert_eq!(
        refused.to_string(),
        "an effect of the migration needs consent; look at the plan, and allow what is meant: `--allow rewind:b`"
    );
    assert!(plan(&before, &after, &[], &[], &given(&["rewind:a", "rewind:b"])).is_ok());
    for text in ["rewind", "rewind:", "everything:a", ""] {
        assert!(text.parse::<Consent>().is_err(), "{text}");
    }
    assert_eq!("skip:a:b".parse::<Consent>().unwrap().state_key, "a:b");
}

#[test]
fn a_plan_says_which_of_the_consents_it_needs_were_given_before_it_was_made() {
    let before = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":5}},"b":{"inc":{"cursor":5}}}}"#);
    let after = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":4}},"b":{"inc":{"cursor":4}}}}"#);
    let terms = Terms {
        consents: ["rewind:b", "skip:a"]
            .map(|text| text.parse().unwrap())
            .into(),
        ..Terms::default()
    };
    let plan = survey(&before, &after, &[], &[], &terms).unwrap();
    let named =
        |consents: Vec<Consent>| consents.iter().map(Consent::to_string).collect::<Vec<_>>();
    assert_eq!(named(plan.needed()), ["rewind:a", "rewind:b"]);
    assert_eq!(
        named(plan.given.clone()),
        ["rewind:b"],
        "what nothing needs is of no effect"
    );
    assert_eq!(named(plan.missing(&[])), ["rewind:a"]);
    assert!(plan.missing(&["rewind:a".parse().unwrap()]).is_empty());
    let text = plan.to_string();
    assert!(text.contains("needs   --allow rewind:a\n"), "{text}");
    assert!(
        text.contains("given   rewind:b, by the endpoint config\n"),
        "{text}"
    );
    let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(read, plan);
}

#[test]
fn what_is_too_large_or_too_deep_is_refused() {
    let (before, after) = (
        state_of(r#"{"inc":{"cursor":1}}"#),
        state_of(r#"{"inc":{"a":{"cursor":1}}}"#),
    );
    for (state_bytes, update_bytes, what) in [
        (40, 1000, "migrated state"),
        (1000, 40, "checkpoint of the migration"),
    ] {
        let terms = Terms {
            budget: Budget {
                state_bytes,
                update_bytes,
            },
            ..Terms::default()
        };
        let refused = plan(&before, &after, &[], &[], &terms).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with(&format!("the {what} would have")),
            "{refused}"
        );
    }
    let deep = format!("{}1{}", "[".repeat(126), "]".repeat(126));
    let mut after = state_of(r#"{"inc":{"cursor":1}}"#);
    let object = after
        .pointer_mut("/bindingStateV1/K")
        .and_then(Node::as_object_mut)
        .unwrap();
    object.insert("deep", Object::from_iter([("er", node(&deep))]));
    let terms = Terms {
        declared: Declared::default().everywhere(Effects::NONE.edits("/deep")),
        ..Terms::default()
    };
    assert_eq!(
        plan(&before, &after, &[], &[], &terms).unwrap_err(),
        Refused::TooDeep { depth: 130 }
    );
}

#[test]
fn a_state_that_is_not_made_of_bindings_can_only_be_kept() {
    let (before, other) = (node(r#"{"streams":[1]}"#), node(r#"{"streams":[2]}"#));
    assert!(
        plan(&before, &before, &[], &[], &Terms::default())
            .unwrap()
            .is_empty()
    );
    let refused = plan(&before, &other, &[], &[], &Terms::default()).unwrap_err();
    assert!(
        matches!(refused, Refused::ConsentMissing { needed } if needed[0].to_string() == "unknown:*")
    );
}

#[test]
fn a_member_beside_the_bindings_is_kept() {
    let before = node(r#"{"bindingStateV1":{},"refresh_token":"x"}"#);
    let refused = plan(
        &before,
        &node(r#"{"bindingStateV1":{}}"#),
        &[],
        &[],
        &Terms::default(),
    )
    .unwrap_err();
    assert!(matches!(refused, Refused::SiblingLost { pointer, .. } if pointer == "/refresh_token"));
}

/// A capture whose bindings change in every allowed way.
fn capture() -> (Node, Chain, Vec<Binding>) {
    let before = node(concat!(
        r#"{"bindingStateV1":{"#,
        r#""orders":{"inc":{"cursor":"2025-06-10T08:00:00Z"},"last_initialized":"2025-01-01T00:00:00Z"},"#,
        r#""payouts":{"inc":{"cursor":"2025-06-09T07:30:00Z"},"backfill":{"cutoff":"2025-06-01T00:00:00Z","next_page":"b3BhcXVl"}},"#,
        r#""refunds":{"inc":{"realtime":{"cursor":"2025-06-10T08:00:00Z"},"lookback":{"cursor":"2025-06-10T02:00:00Z"}}},"#,
        r#""shop":{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"d"}}}}"#,
    ));
    let chain = Chain::new().with(flat_to_subtasks([
        ("realtime", Duration::ZERO),
        ("lookback", hours(6)),
    ]));
    let bound = |key: &str| Binding {
        state_key: key.into(),
        resource: Some(node("{}")),
        is_active: true,
    };
    (
        before,
        chain,
        vec![bound("orders"), bound("refunds"), bound("shop")],
    )
}

#[test]
fn a_plan_reads_in_eighty_columns() {
    let (before, chain, bindings) = capture();
    let migrated = chain.run(&before, &bindings).unwrap();
    let terms = Terms {
        declared: chain.declared(),
        ..Terms::default()
    };
    let plan = plan(
        &before,
        &migrated.after,
        &bindings,
        &migrated.applied,
        &terms,
    )
    .unwrap();
    assert!(
        plan.to_string()
            .lines()
            .all(|line| line.chars().count() <= 80)
    );
    insta::assert_snapshot!(plan);

    let narrow = Terms {
        declared: Declared::default(),
        ..Terms::default()
    };
    let undeclared = survey(
        &before,
        &migrated.after,
        &bindings,
        &migrated.applied,
        &narrow,
    )
    .unwrap();
    insta::assert_snapshot!(undeclared);
}

#[test]
fn a_plan_is_the_same_for_machines() {
    let (before, chain, bindings) = capture();
    let migrated = chain.run(&before, &bindings).unwrap();
    let terms = Terms {
        declared: chain.declared(),
        ..Terms::default()
    };
    let plan = plan(
        &before,
        &migrated.after,
        &bindings,
        &migrated.applied,
        &terms,
    )
    .unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan).unwrap());
    let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(read, plan, "what one process planned, another shows");
    let wire = plan.update.unwrap();
    let update = StateUpdate::from_wire(&wire.updated, wire.merge_patch).unwrap();
    assert_eq!(update.apply(before), migrated.after);
}

#[test]
fn flat_to_keyed_is_a_rewrite_for_every_kind_of_cursor() {
    for cursor in [r#""2025-06-10T08:00:00.123456Z""#, "7", r#"["a",7]"#] {
        for backfill in [
            "null",
            r#"{"cutoff":7}"#,
            r#"{"cutoff":7,"next_page":{"a":{"n":1}}}"#,
        ] {
            let before = state_of(&format!(
                r#"{{"inc":{{"cursor":{cursor}}},"backfill":{backfill},"x":[1]}}"#
            ));
            let chain = Chain::new().with(flat_to_keyed("alpha"));
            let migrated = chain.run(&before, &[]).unwrap();
            let plan = plan(
                &before,
                &migrated.after,
                &[],
                &migrated.applied,
                &Terms::default(),
            )
            .unwrap();
            let (group, _) = plan.binding("K").unwrap();
            assert_eq!(group.outcome, Outcome::Rewrite, "{before}");
            assert_eq!(group.migrations, ["flat-to-keyed"]);
        }
    }
}

#[test]
fn each_unfinished_backfill_goes_on_once_and_under_its_own_name() {
    for (what, before, after, code) in [
        (
            "two that are alike become one",
            r#"{"inc":{"a":{"cursor":5},"b":{"cursor":5}},"backfill":{"a":{"cutoff":5},"b":{"cutoff":5}}}"#,
            r#"{"inc":{"a":{"cursor":5},"b":{"cursor":5}},"backfill":{"a":{"cutoff":5}}}"#,
            "backfill-lost",
        ),
        (
            "one moves to a subtask that had finished",
            r#"{"inc":{"a":{"cursor":5},"b":{"cursor":5}},"backfill":{"a":{"cutoff":5}}}"#,
            r#"{"inc":{"a":{"cursor":5},"b":{"cursor":5}},"backfill":{"b":{"cutoff":5}}}"#,
            "backfill-lost",
        ),
        (
            "a finished one begins under the new name",
            r#"{"inc":{"cursor":5}}"#,
            r#"{"inc":{"a":{"cursor":5}},"backfill":{"a":{"cutoff":9}}}"#,
            "backfill-reopened",
        ),
    ] {
        let refused = changed(before, after, Effects::NONE).expect_err(what);
        assert_eq!(refused.code(), code, "{what}: {refused}");
    }
    let before = r#"{"inc":{"cursor":5},"backfill":{"a":{"cutoff":5}}}"#;
    let after = r#"{"inc":{"a":{"cursor":5}},"backfill":{"a":{"cutoff":5}}}"#;
    let group = changed(before, after, Effects::NONE).unwrap();
    assert_eq!((group.outcome, group.needs), (Outcome::Rewrite, None));
}

#[test]
fn a_backfill_of_one_subtask_does_not_hide_what_another_skips() {
    let before = r#"{"inc":{"a":{"cursor":5},"b":{"cursor":3}}}"#;
    let after = r#"{"inc":{"a":{"cursor":9},"b":{"cursor":9}},"backfill":{"a":{"cutoff":9}}}"#;
    let refused = changed(before, after, Effects::NONE.backfill()).unwrap_err();
    assert_eq!(refused.code(), "cursor-provenance");
    assert!(refused.to_string().contains("`/inc/b/cursor`"), "{refused}");
    let declared = Effects::NONE.backfill().forward_by(6);
    let group = changed(before, after, declared).unwrap();
    assert_eq!(group.outcome, Outcome::Skip, "{:?}", group.notes);
}

#[test]
fn what_is_put_aside_is_compared_like_what_runs() {
    let running = r#"{"inc":{"a":{"cursor":5},"b":{"cursor":3,"seen":true}},"backfill":{"b":{"cutoff":3,"next_page":"p"}}}"#;
    let aside = r#"{"inc":{"a":{"cursor":5}},"archived":{"inc":{"b":{"cursor":3,"seen":true}},"backfill":{"b":{"cutoff":3,"next_page":"p"}}}}"#;
    for (before, after) in [(running, aside), (aside, running)] {
        let group = changed(before, after, Effects::NONE).unwrap();
        assert_eq!((group.outcome, group.needs), (Outcome::Rewrite, None));
    }
    for (what, from, to) in [
        ("sibling-lost", r#","seen":true"#, ""),
        ("cursor-provenance", r#""cursor":3"#, r#""cursor":4"#),
        ("backfill-lost", r#","next_page":"p""#, ""),
    ] {
        let refused = changed(running, &aside.replace(from, to), Effects::NONE).expect_err(what);
        assert_eq!(refused.code(), what, "{refused}");
    }
    let noted = aside.replace(r#""archived":{"#, r#""archived":{"notes":1,"#);
    let refused = changed(&noted, aside, Effects::NONE).unwrap_err();
    assert!(
        matches!(&refused, Refused::SiblingLost { pointer, .. } if pointer == "/archived/notes"),
        "{refused}"
    );
    let refused = changed(aside, r#"{"inc":{"a":{"cursor":5}}}"#, Effects::NONE).unwrap_err();
    assert_eq!(refused.code(), "sibling-lost");
}

#[test]
fn an_edit_may_make_and_unmake_the_objects_around_it() {
    let (bare, edited) = (
        r#"{"inc":{"cursor":5}}"#,
        r#"{"inc":{"cursor":5},"w":{"x":{"y":1}}}"#,
    );
    for (before, after) in [(bare, edited), (edited, bare)] {
        assert!(changed(before, after, Effects::NONE.edits("/w/x/y")).is_ok());
        assert!(changed(before, after, Effects::NONE.edits("/w/x/z")).is_err());
    }
}

#[test]
fn a_fraction_that_a_conversion_cuts_off_is_a_rewind_and_declared_as_one() {
    use crate::migration::CursorRule;
    use crate::migration::transform::convert_cursors;
    let chain = Chain::new().with(convert_cursors(CursorRule::datetime_to_epoch_seconds()));
    for (cursor, outcome) in [
        ("2025-06-10T08:00:00.250Z", Outcome::Rewind),
        ("2025-06-10T08:00:00Z", Outcome::Rewrite),
    ] {
        let before = state_of(&format!(r#"{{"inc":{{"cursor":"{cursor}"}}}}"#));
        let migrated = chain.run(&before, &[]).unwrap();
        let terms = Terms {
            declared: chain.declared(),
            ..Terms::default()
        };
        let plan = plan(&before, &migrated.after, &[], &migrated.applied, &terms).unwrap();
        let (group, _) = plan.binding("K").unwrap();
        assert_eq!(group.outcome, outcome, "{:?}", group.notes);
    }
}

#[test]
fn a_state_that_is_no_object_is_never_planned() {
    for before in ["{}", r#"{"streams":[1]}"#, r#"{"bindingStateV1":{}}"#] {
        for after in ["0", "[]", "null"] {
            let refused = survey(&node(before), &node(after), &[], &[], &Terms::default());
            let refused = refused.expect_err("it could not be sent");
            assert_eq!(refused.code(), "not-decodable", "{before} to {after}");
        }
    }
    for none in ["null", "0"] {
        let made = survey(&node(none), &node("{}"), &[], &[], &Terms::default()).unwrap();
        let read: Plan = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
        assert_eq!(read.apply(node(none)), node("{}"), "{none}");
    }
    for same in ["null", "0"] {
        let kept = plan(&node(same), &node(same), &[], &[], &Terms::default());
        assert!(kept.unwrap().is_empty(), "{same}");
    }
}

#[test]
fn a_subtask_that_begins_at_a_later_page_leaves_out_what_is_before_it() {
    let before = r#"{"inc":{"a":{"cursor":2}}}"#;
    let whole = r#"{"inc":{"a":{"cursor":2},"c":{"cursor":3}},"backfill":{"c":{"cutoff":3}}}"#;
    assert!(changed(before, whole, Effects::NONE).is_ok());
    let paged = whole.replace(r#""cutoff":3"#, r#""cutoff":3,"next_page":"p""#);
    let refused = changed(before, &paged, Effects::NONE).unwrap_err();
    assert_eq!(refused.code(), "cursor-provenance");
    let refused = changed(
        r#"{"snapshot":null}"#,
        r#"{"backfill":{"cutoff":1,"next_page":"p"}}"#,
        Effects::NONE,
    );
    assert_eq!(refused.unwrap_err().code(), "backfill-reopened");

    // One that an interrupted start left there goes on at its page, and at no other cutoff.
    let begun = r#"{"backfill":{"c":{"cutoff":3,"next_page":"p"}}}"#;
    let goes_on = r#"{"inc":{"c":{"cursor":3}},"backfill":{"c":{"cutoff":3,"next_page":"p"}}}"#;
    assert!(changed(begun, goes_on, Effects::NONE).is_ok());
    let twice = r#"{"backfill":{"c":{"cutoff":9},"d":{"cutoff":3,"next_page":"p"}}}"#;
    let refused = changed(begun, twice, Effects::NONE).unwrap_err();
    assert_eq!(refused.code(), "backfill-reopened");
}

#[test]
fn to_declare_that_a_backfill_starts_again_is_not_to_declare_that_it_is_finished() {
    let before = r#"{"inc":{"cursor":3},"backfill":{"cutoff":3,"next_page":"p"}}"#;
    for effects in [Effects::NONE.backfill(), Effects::NONE.reset()] {
        for (what, after) in [
            ("gone", r#"{"inc":{"cursor":3}}"#),
            ("gone, and the cursor back", r#"{"inc":{"cursor":2}}"#),
            ("gone with a rename", r#"{"inc":{"a":{"cursor":3}}}"#),
            (
                "not as far",
                r#"{"inc":{"cursor":3},"backfill":{"cutoff":2}}"#,
            ),
            (
                "from another page",
                r#"{"inc":{"cursor":3},"backfill":{"cutoff":3,"next_page":"q"}}"#,
            ),
        ] {
            let refused = changed(before, after, effects.clone()).expect_err(what);
            assert_eq!(refused.code(), "backfill-lost", "{what}");
        }
        for (what, after) in [
            (
                "from the first page",
                r#"{"inc":{"cursor":3},"backfill":{"cutoff":3}}"#,
            ),
            (
                "renamed",
                r#"{"inc":{"a":{"cursor":3}},"backfill":{"a":{"cutoff":3}}}"#,
            ),
            ("as a new subtask, by the connector", r#"{"inc":{}}"#),
        ] {
            let group = changed(before, after, effects.clone()).expect(what);
            let outcome = (group.outcome, group.needs);
            assert_eq!(
                outcome,
                (Outcome::Backfill, Some(ConsentKind::Backfill)),
                "{what}"
            );
        }
        let jump = r#"{"inc":{"cursor":9},"backfill":{"cutoff":9,"next_page":"p"}}"#;
        let refused = changed(r#"{"inc":{"cursor":3}}"#, jump, effects.clone()).unwrap_err();
        assert_eq!(
            refused.code(),
            "cursor-provenance",
            "what is before the page is missed"
        );
    }
}

#[test]
fn a_subtask_is_given_up_only_when_it_is_gone_from_every_part() {
    let drops = Effects::NONE.drops_subtask("a");
    for (code, before, after) in [
        (
            "backfill-lost",
            r#"{"inc":{"a":{"cursor":1}},"backfill":{"a":{"cutoff":1}}}"#,
            r#"{"inc":{"a":{"cursor":1}}}"#,
        ),
        (
            "snapshot-lost",
            r#"{"inc":{"a":{"cursor":1}},"snapshot":{"a":{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"d"}}}"#,
            r#"{"inc":{"a":{"cursor":1}}}"#,
        ),
        (
            "sibling-lost",
            r#"{"inc":{"a":{"cursor":1,"seen":true}}}"#,
            r#"{"inc":{"a":{"cursor":1}}}"#,
        ),
    ] {
        let refused = changed(before, after, drops.clone()).expect_err(before);
        assert_eq!(refused.code(), code, "{refused}");
    }
    let before = r#"{"inc":{"a":{"cursor":1}},"backfill":{"a":{"cutoff":1}}}"#;
    let group = changed(before, r#"{"backfill":{"a":{"cutoff":1}}}"#, drops).unwrap();
    assert_eq!(group.outcome, Outcome::Backfill);
}

#[test]
fn a_subtask_that_had_finished_does_not_go_on_with_the_backfill_of_another() {
    let before = r#"{"inc":{"a":{"cursor":3},"b":{"cursor":3}},"backfill":{"a":{"cutoff":3}}}"#;
    let after = r#"{"inc":{"b":{"cursor":3},"c":{"cursor":3}},"backfill":{"b":{"cutoff":3}}}"#;
    let refused = changed(before, after, Effects::NONE).unwrap_err();
    assert_eq!(refused.code(), "backfill-lost");
    let merged = r#"{"inc":{"b":{"cursor":3}},"backfill":{"b":{"cutoff":3}}}"#;
    let group = changed(before, merged, Effects::NONE.drops_subtask("a")).unwrap();
    assert_eq!((group.outcome, group.needs), (Outcome::Rewrite, None));
}

#[test]
fn each_snapshot_is_remembered_by_its_own_subtask_and_none_is_made_up() {
    let snapshots = |entries: &[(&str, &str)]| {
        let entries = entries.iter().map(|(name, digest)| {
            format!(
                r#""{name}":{{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"{digest}"}}"#
            )
        });
        let entries: Vec<String> = entries.collect();
        format!(
            r#"{{"inc":{{"cursor":1}},"snapshot":{{{}}}}}"#,
            entries.join(",")
        )
    };
    let both = snapshots(&[("a", "d"), ("b", "e")]);
    for (what, before, after, code) in [
        (
            "swapped",
            both.clone(),
            snapshots(&[("a", "e"), ("b", "d")]),
            "snapshot-lost",
        ),
        (
            "one of two that are alike",
            snapshots(&[("a", "d"), ("b", "d")]),
            snapshots(&[("a", "d")]),
            "snapshot-lost",
        ),
        (
            "made up",
            snapshots(&[]),
            snapshots(&[("a", "d")]),
            "snapshot-made-up",
        ),
        (
            "of a binding that is new",
            "null".to_owned(),
            snapshots(&[("a", "d")]).replace(r#""inc":{"cursor":1},"#, ""),
            "snapshot-made-up",
        ),
    ] {
        let refused = changed(&before, &after, Effects::NONE).expect_err(what);
        assert_eq!(refused.code(), code, "{what}: {refused}");
    }
    assert!(changed(&both, &snapshots(&[("a", "d"), ("c", "e")]), Effects::NONE).is_ok());
    let blank = snapshots(&[("a", "")]).replace(":3", ":0");
    assert!(changed(&snapshots(&[]), &blank, Effects::NONE).is_ok());

    // To start over is to be asked for, and to forget all of it.
    let reset = Effects::NONE.reset();
    let group = changed(&both, &snapshots(&[("a", "d")]), reset.clone()).unwrap();
    assert_eq!(
        (group.outcome, group.needs),
        (Outcome::Backfill, Some(ConsentKind::Backfill))
    );
    let refused = changed(&both, &snapshots(&[("a", "d"), ("b", "f")]), reset).unwrap_err();
    assert_eq!(refused.code(), "snapshot-made-up");
}

#[test]
fn a_new_subtask_may_begin_where_another_stands() {
    for (what, before, after, effects) in [
        (
            "with the cutoff of one whose backfill goes on",
            r#"{"inc":{"a":{"cursor":1}},"backfill":{"a":{"cutoff":3}}}"#,
            r#"{"inc":{"a":{"cursor":1},"c":{"cursor":3}},"backfill":{"a":{"cutoff":3},"c":{"cutoff":3}}}"#,
            Effects::NONE,
        ),
        (
            "at the cursor of one that another carries on",
            r#"{"inc":{"cursor":3}}"#,
            r#"{"inc":{"a":{"cursor":3},"c":{"cursor":3}},"backfill":{"c":{"cutoff":3}}}"#,
            Effects::NONE,
        ),
        (
            "with the cutoff of one whose backfill goes on under another name",
            r#"{"inc":{"cursor":1},"backfill":{"cutoff":3}}"#,
            r#"{"inc":{"a":{"cursor":1},"c":{"cursor":3}},"backfill":{"a":{"cutoff":3},"c":{"cutoff":3}}}"#,
            Effects::NONE,
        ),
        (
            "at the cursor of one that is given up",
            r#"{"inc":{"b":{"cursor":3}}}"#,
            r#"{"inc":{"a":{"cursor":3}},"backfill":{"a":{"cutoff":3}}}"#,
            Effects::NONE.drops_subtask("b"),
        ),
        (
            "and one that is given up takes no backfill from those that stay",
            r#"{"inc":{"a":{"cursor":1}},"backfill":{"a":{"cutoff":1},"b":{"cutoff":1}}}"#,
            r#"{"inc":{"cursor":1},"backfill":{"cutoff":1}}"#,
            Effects::NONE.drops_all_but(["a"]),
        ),
    ] {
        let group = changed(before, after, effects).expect(what);
        assert_eq!(
            (group.outcome, group.needs),
            (Outcome::Rewrite, None),
            "{what}"
        );
    }
    let renamed = r#"{"inc":{"c":{"cursor":3}},"backfill":{"c":{"cutoff":3}}}"#;
    let refused = changed(r#"{"inc":{"a":{"cursor":3}}}"#, renamed, Effects::NONE).unwrap_err();
    assert_eq!(
        refused.code(),
        "backfill-reopened",
        "nothing else carries it on"
    );
}

#[test]
fn two_state_keys_that_become_one_are_one_binding_lost() {
    let before = node(r#"{"bindingStateV1":{"a":{"inc":{"cursor":1}},"b":{"inc":{"cursor":2}}}}"#);
    let after = node(r#"{"bindingStateV1":{"c":{"inc":{"cursor":2}}}}"#);
    let each = node(r#"{"bindingStateV1":{"b":{"inc":{"cursor":1}},"c":{"inc":{"cursor":2}}}}"#);
    let terms = |effects: Effects| Terms {
        declared: Declared::default().everywhere(effects),
        ..Terms::default()
    };
    let onto_one = terms(Effects::NONE.moves("a", "c").moves("b", "c"));
    let refused = plan(&before, &after, &[], &[], &onto_one).unwrap_err();
    assert!(
        matches!(&refused, Refused::BindingLost { state_key, .. } if state_key == "b"),
        "{refused}"
    );
    let one_by_one = terms(Effects::NONE.moves("b", "c").moves("a", "b"));
    let plan = plan(&before, &each, &[], &[], &one_by_one).unwrap();
    let from = |key: &str| plan.binding(key).unwrap().1.moved_from.clone();
    assert_eq!(
        (from("b").as_deref(), from("c").as_deref()),
        (Some("a"), Some("b"))
    );
}

#[test]
fn what_the_model_does_not_know_of_an_entry_stays_with_its_name() {
    let entries =
        |a: &str, b: &str| format!(r#"{{"inc":{{"a":{{"cursor":1{a}}},"b":{{"cursor":1{b}}}}}}}"#);
    let (one, two) = (r#","seen":1"#, r#","seen":2"#);
    for (what, before, after) in [
        ("swapped", entries(one, two), entries(two, one)),
        (
            "one of two that are alike",
            entries(one, one),
            entries(one, ""),
        ),
    ] {
        for effects in [Effects::NONE, Effects::NONE.backfill()] {
            let refused = changed(&before, &after, effects).expect_err(what);
            assert_eq!(
                refused.code(),
                "sibling-lost",
                "{what}: nothing starts over"
            );
        }
    }
    let renamed = entries(one, two).replace(r#""a""#, r#""c""#);
    assert!(changed(&entries(one, two), &renamed, Effects::NONE).is_ok());
}
