//! Mistakes about subtasks: which are new, where they begin, what goes on in them.

use std::time::Duration;

use staunch_state::transform::{
    convert_cursors, custom, ensure_subtasks, flat_to_keyed, flat_to_subtasks, merge_subtasks,
    rename_subtask, split_subtask,
};
use staunch_state::{
    Chain, CursorRule, Effects, Granularity, Node, Object, Outcome, RESERVED_SUBTASKS,
};

use super::exhibit::{Exhibit, planned, says};
use super::support::{bound, node, refusal};
use super::updates::realtime_and_lookback;

fn object(text: &str) -> Object {
    node(text).into_object().unwrap()
}

/// What a store begins with that is read from the present on, and back.
fn with_backfill() -> Object {
    object(
        r#"{"inc":{"cursor":"2025-06-15T12:00:00Z"},"backfill":{"cutoff":"2025-06-15T12:00:00Z"}}"#,
    )
}

/// What a store begins with that is read from a date on.
fn without_backfill() -> Object {
    object(r#"{"inc":{"cursor":"2025-05-01T00:00:00Z"}}"#)
}

#[test]
fn m06_a_finished_backfill_is_not_begun_again_at_this_open_nor_at_any_later_one() {
    let exhibit = Exhibit::m(6);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "backfill-reopened");
    says(
        &refused,
        &["`orders`", "that was finished"],
        "leave its entry out",
    );
    let restarted = planned(&exhibit.right, &exhibit.mistaken, Effects::NONE, &[]).unwrap_err();
    assert_eq!(restarted.code(), "backfill-reopened", "as at every restart");
    says(
        &restarted,
        &["`mistaken`", "`/backfill/alpha`", "`orders`"],
        "leave its entry out",
    );

    let chain = Chain::new()
        .with(flat_to_keyed("alpha"))
        .with(ensure_subtasks([("alpha", with_backfill())]));
    exhibit.is_put_right_by(&chain, &[bound("orders")], &[]);
    for finished in [
        "null",
        "{}",
        r#"{"alpha":null}"#,
        r#"{"beta":{"cutoff":7}}"#,
    ] {
        let state = format!(
            r#"{{"bindingStateV1":{{"orders":{{"inc":{{"alpha":{{"cursor":7}}}},"backfill":{finished}}}}}}}"#
        );
        let again = chain.run(&node(&state), &[]).unwrap();
        assert_eq!(
            again.after.to_json(),
            state,
            "`inc` says that it is not new"
        );
    }
}

#[test]
fn m07_a_new_subtask_begins_with_and_without_a_backfill() {
    let exhibit = Exhibit::m(7);
    let beta = exhibit.mistaken.pointer("/bindingStateV1/orders/inc/beta");
    assert_eq!(beta, None, "the one without was lost");
    let stores = |initial: fn() -> Object| {
        ensure_subtasks(["alpha", "beta"].map(|store| (store, initial())))
    };
    let chain = Chain::new()
        .with(
            stores(without_backfill)
                .named("bulk-stores")
                .only(|binding| binding.state_key == "orders"),
        )
        .with(
            stores(with_backfill)
                .named("stores")
                .only(|binding| binding.state_key == "customers"),
        );
    let migrated = exhibit.is_put_right_by(&chain, &["orders", "customers"].map(bound), &[]);
    for key in ["orders", "customers"] {
        let (group, _) = migrated.plan.binding(key).unwrap();
        assert_eq!(group.outcome, Outcome::Rewrite);
        assert_eq!(group.notes, ["subtask `beta` is new, and begins by itself"]);
    }

    // By hand, a subtask that begins at the present and has no backfill is refused: its history would be missed.
    let before = node(r#"{"bindingStateV1":{"orders":{"inc":{"alpha":{"cursor":7}}}}}"#);
    let after =
        node(r#"{"bindingStateV1":{"orders":{"inc":{"alpha":{"cursor":7},"beta":{"cursor":9}}}}}"#);
    let refused = planned(&before, &after, Effects::NONE, &[]).unwrap_err();
    assert_eq!(refused.code(), "cursor-provenance");
    says(
        &refused,
        &["`mistaken`", "`/inc/beta/cursor`", "`orders`"],
        "keep the cursor",
    );
}

#[test]
fn m09_an_entry_that_was_half_begun_goes_on_from_its_cutoff_with_its_page() {
    let exhibit = Exhibit::m(9);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "backfill-lost");
    says(
        &refused,
        &["`mistaken`", "`/backfill/acct_2`", "`charges`"],
        "keep its cutoff and page",
    );

    let accounts = ["acct_1", "acct_2"].map(|account| (account, with_backfill()));
    let chain = Chain::new().with(ensure_subtasks(accounts));
    exhibit.is_put_right_by(&chain, &[bound("charges")], &[]);

    let torn = r#"{"bindingStateV1":{"charges":{"backfill":{"acct_2":{"next_page":"ch_9"}}}}}"#;
    let error = chain.run(&node(torn), &[]).unwrap_err();
    says(
        &error,
        &[
            "`ensure-subtasks`",
            "`charges`",
            "`/bindingStateV1/charges/backfill/acct_2/cutoff`",
            "is absent",
        ],
        "remove the entry to start that subtask over",
    );
}

#[test]
fn m15_cursors_that_jump_forward_are_refused_and_a_backfill_leaves_them_where_they_are() {
    let exhibit = Exhibit::m(15);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "cursor-provenance");
    says(
        &refused,
        &["`mistaken`", "`deals`", "forward by"],
        "keep the cursor, or declare `forward",
    );
    let forward = || Effects::NONE.forward(Duration::from_secs(30 * 86_400));
    let refused = exhibit.refused(forward());
    says(&refused, &["needs consent"], "`--allow skip:deals`");
    for other in ["rewind:deals", "backfill:deals", "skip:others"] {
        assert!(
            exhibit.planned(forward(), &[other]).is_err(),
            "{other} is another word"
        );
    }
    assert!(exhibit.planned(forward(), &["skip:deals"]).is_ok());

    let again = custom(
        "read-all-again",
        |_, state| !state.contains("backfill"),
        |_, mut state| {
            let cutoff = |entry: &Node| entry.pointer("/cursor").cloned().unwrap_or(Node::Null);
            let inc = state
                .get("inc")
                .and_then(Node::as_object)
                .cloned()
                .unwrap_or_default();
            let entries = inc
                .iter()
                .map(|(name, entry)| (name, Object::from_iter([("cutoff", cutoff(entry))])));
            let backfill: Object = entries.collect();
            let last = state.remove("last_initialized");
            state.insert("backfill", backfill);
            state.insert("last_initialized", last.unwrap_or(Node::Null));
            Ok(state)
        },
    );
    let chain = Chain::new().with(again.declaring(Effects::NONE.backfill()));
    let migrated = exhibit.is_put_right_by(&chain, &[bound("deals")], &["backfill:deals"]);
    assert_eq!(migrated.outcome("deals"), Outcome::Backfill);
}

#[test]
fn m16_no_transform_writes_a_cursor_finer_than_it_was_unless_it_is_declared_to() {
    let exhibit = Exhibit::m(16);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "cursor-kind-changed");
    says(
        &refused,
        &[
            "`mistaken`",
            "`/backfill/all/cutoff`",
            "`disputes`",
            "microseconds",
            "seconds",
        ],
        "keep the kind, or declare `changes_cursor_kind()`",
    );
    let chain = Chain::new().with(flat_to_keyed("all"));
    exhibit.is_put_right_by(&chain, &[bound("disputes")], &[]);

    let finer = CursorRule::granularity(Granularity::of_digits(6).unwrap());
    let stated = Chain::new().with(convert_cursors(finer));
    let after = stated.run(&exhibit.before, &[]).unwrap().after;
    let cutoff = after
        .pointer("/bindingStateV1/disputes/backfill/cutoff")
        .unwrap();
    assert_eq!(
        cutoff.to_json(),
        r#""2025-06-01T00:00:00.000000Z""#,
        "stated, it may be"
    );
}

#[test]
fn m22_no_transform_makes_a_subtask_of_a_reserved_name() {
    let exhibit = Exhibit::m(22);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "consent-missing");
    says(&refused, &["needs consent"], "`--allow backfill:orders`");

    let flat = r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#;
    let keyed = r#"{"inc":{"alpha":{"cursor":"2025-06-10T08:00:00Z"},"beta":{"cursor":"2025-06-10T08:00:00Z"}}}"#;
    let lag = Duration::from_secs(60);
    for name in RESERVED_SUBTASKS {
        let chains = [
            (flat, Chain::new().with(flat_to_keyed(name))),
            (
                flat,
                Chain::new().with(flat_to_subtasks([
                    ("realtime", Duration::ZERO),
                    (name, lag),
                ])),
            ),
            (
                keyed,
                Chain::new().with(split_subtask(
                    "alpha",
                    [(name, Duration::ZERO), ("late", lag)],
                )),
            ),
            (keyed, Chain::new().with(rename_subtask("alpha", name))),
            (
                keyed,
                Chain::new().with(merge_subtasks(["alpha", "beta"], name)),
            ),
            (
                keyed,
                Chain::new().with(ensure_subtasks([(name, without_backfill())])),
            ),
        ];
        for (state, chain) in chains {
            let state = format!(r#"{{"bindingStateV1":{{"orders":{state}}}}}"#);
            let error = chain.run(&node(&state), &[]).unwrap_err();
            assert_eq!(error.code(), "migration-failed");
            let step = chain.names().next().unwrap();
            says(
                &error,
                &[
                    step,
                    "`orders`",
                    "`/bindingStateV1/orders/inc`",
                    &format!("named `{name}`"),
                ],
                "give the subtask another name",
            );
        }
    }
    exhibit.is_put_right_by(
        &Chain::new().with(flat_to_keyed("shop-cursor")),
        &[bound("orders")],
        &[],
    );
}

#[test]
fn m27_subtasks_that_a_split_makes_begin_exactly_at_the_old_cursor() {
    let exhibit = Exhibit::m(27);
    let refused = exhibit.refused(Effects::NONE.rewind(Duration::from_secs(6 * 3600)));
    assert_eq!(refused.code(), "cursor-provenance");
    says(
        &refused,
        &[
            "`mistaken`",
            "`/inc/realtime/cursor`",
            "`prospects`",
            "forward by 1 s",
        ],
        "keep the cursor",
    );
    let migrated = exhibit.is_put_right_by(&realtime_and_lookback(), &[bound("prospects")], &[]);
    let cutoff = migrated
        .after
        .pointer("/bindingStateV1/prospects/backfill/cutoff");
    let begins = migrated
        .after
        .pointer("/bindingStateV1/prospects/inc/realtime/cursor");
    assert_eq!(
        begins, cutoff,
        "neither a record lost between them, nor one read twice"
    );

    let before = node(r#"{"bindingStateV1":{"prospects":{"inc":{"all":{"cursor":7}}}}}"#);
    let split = Chain::new().with(split_subtask(
        "all",
        [("new", Duration::ZERO), ("old", Duration::ZERO)],
    ));
    let after = split.run(&before, &[]).unwrap().after;
    let of = after.pointer("/bindingStateV1/prospects").unwrap();
    assert_eq!(
        of.to_json(),
        r#"{"inc":{"new":{"cursor":7},"old":{"cursor":7}}}"#
    );
    let off_by_one = Chain::new().with(custom(
        "off-by-one",
        |_, state| *state == object(r#"{"inc":{"all":{"cursor":7}}}"#),
        |_, _| Ok(object(r#"{"inc":{"new":{"cursor":8},"old":{"cursor":7}}}"#)),
    ));
    let refused = refusal(&before, &off_by_one, &[]);
    says(
        &refused,
        &["`off-by-one`", "`/inc/new/cursor`", "`prospects`"],
        "keep the cursor",
    );
}
