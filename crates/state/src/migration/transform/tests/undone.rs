//! The way back: right away it gives the state before, later one that is never ahead of what was captured.

use super::super::{
    convert_cursors, custom, ensure_subtasks, flat_to_keyed, flat_to_subtasks, keyed_to_earliest,
    keyed_to_flat, merge_subtasks, move_state, remove, rename, rename_subtask, replace, reset,
    retire, set, split_subtask,
};
use super::{HOUR, NO_LAG, binding_of, node, one, planned, said, state_of};
use crate::datetime::Granularity;
use crate::migration::{Chain, CursorRule, Effects};
use crate::node::Node;

fn realtime_and_lookback() -> Chain {
    one(flat_to_subtasks([
        ("realtime", NO_LAG),
        ("lookback", 6 * HOUR),
    ]))
}

/// The way there and back again gives the same, but for the order of members, and a plan accepts both.
fn is_undone(chain: &Chain, state: &str) {
    let before = state_of(state);
    let back = chain.back_to(None).unwrap();
    let (up, _) = planned(chain, &before).unwrap();
    assert_ne!(up, before, "something was to be undone in {state}");
    let (down, plan) = planned(&back, &up).unwrap();
    assert!(
        down.same_state(&before),
        "{state} came back as {}",
        binding_of(&down)
    );
    assert!(plan.needed().is_empty(), "{state}: {plan}");
    // And there once more: back and forth is no one-way street.
    let (again, _) = planned(chain, &down).unwrap();
    assert!(again.same_state(&up));
}

#[test]
fn undone_right_away_every_reversible_transform_gives_back_the_state_before() {
    let flat = r#"{"inc":{"cursor":"2025-06-10T08:00:00.250000+02:00","mark":[1]},"backfill":{"cutoff":"2025-06-01T00:00:00Z","next_page":{"p":1.50}},"last_initialized":"2025-01-01T00:00:00Z","x":null}"#;
    let finished =
        r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"},"last_initialized":"2025-01-01T00:00:00Z"}"#;
    let keyed = r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:00Z","mark":[1]}},"backfill":{"a":{"cutoff":"2025-06-01T00:00:00Z","next_page":7}},"newer":[1]}"#;
    let snapshot = r#"{"inc":{"a":{"cursor":7}},"snapshot":{"a":{"updated_at":"2025-06-10T08:00:00Z","last_count":1,"last_digest":"d"}}}"#;
    for state in [flat, finished, r#"{"inc":{"cursor":7},"backfill":null}"#] {
        is_undone(&one(flat_to_keyed("a")), state);
        is_undone(&one(flat_to_keyed("a").marking_finished()), state);
        is_undone(
            &one(flat_to_subtasks([("a", NO_LAG), ("b", NO_LAG)])),
            state,
        );
    }
    for state in [flat, finished] {
        is_undone(&realtime_and_lookback(), state);
        is_undone(
            &one(flat_to_subtasks([
                ("b", 6 * HOUR),
                ("c", HOUR),
                ("a", NO_LAG),
            ])),
            state,
        );
    }
    for state in [keyed, snapshot] {
        is_undone(&one(keyed_to_flat("a")), state);
        is_undone(&one(rename_subtask("a", "b/c")), state);
    }
    is_undone(
        &one(split_subtask("a", [("new", NO_LAG), ("old", HOUR)])),
        keyed,
    );
    is_undone(
        &one(split_subtask("a", [("new", NO_LAG), ("old", NO_LAG)])),
        snapshot,
    );
    let within = [("a", NO_LAG), ("more", HOUR)];
    is_undone(&one(split_subtask("a", within)), keyed);
    for (rule, state) in [
        (
            CursorRule::epoch_seconds_to_datetime(),
            r#"{"inc":{"cursor":1749542400},"backfill":{"cutoff":0}}"#,
        ),
        (
            CursorRule::epoch_millis_to_datetime(),
            r#"{"inc":{"a":{"cursor":1749542400007}}}"#,
        ),
        (
            CursorRule::datetime_to_epoch_seconds(),
            r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#,
        ),
        (
            CursorRule::datetime_to_epoch_millis(),
            r#"{"inc":{"cursor":"2025-06-10T08:00:00.007Z"}}"#,
        ),
    ] {
        is_undone(&one(convert_cursors(rule)), state);
    }
    let window = r#"{"inc":{"cursor":7,"window":"PT1H"}}"#;
    is_undone(&one(rename("/inc/window", "/window")), window);
    is_undone(
        &one(replace(
            "/inc/window",
            Node::string("PT1H"),
            Node::integer(1),
        )),
        window,
    );
    is_undone(
        &one(flat_to_keyed("a"))
            .with(rename_subtask("a", "b"))
            .with(split_subtask("b", [("b", NO_LAG), ("c", NO_LAG)])),
        r#"{"inc":{"cursor":7},"backfill":{"cutoff":7,"next_page":"p"}}"#,
    );
}

#[test]
fn a_move_is_undone_with_its_request() {
    let chain = Chain::new().with_whole(move_state("a", "b"));
    let before = node(
        r#"{"bindingStateV1":{"a.v1":{"inc":{"cursor":7}}},"backfillRequests":{"a.v1":true}}"#,
    );
    let (up, _) = planned(&chain, &before).unwrap();
    let back = chain.back_to(None).unwrap();
    assert_eq!(back.names().collect::<Vec<_>>(), ["undo-move-state"]);
    let (down, plan) = planned(&back, &up).unwrap();
    assert_eq!(down.to_json(), before.to_json());
    let (_, binding) = plan.binding("a.v1").unwrap();
    assert_eq!(binding.moved_from.as_deref(), Some("b.v1"));
}

#[test]
fn what_cannot_be_undone_says_so_by_its_name() {
    let initial = node(r#"{"inc":{"cursor":5}}"#).into_object().unwrap();
    let coarser = CursorRule::granularity(Granularity::SECONDS);
    let one_way = [
        one(keyed_to_flat("a").dropping_others()),
        one(keyed_to_earliest()),
        one(merge_subtasks(["a", "b"], "c")),
        one(flat_to_subtasks([("a", HOUR), ("b", 2 * HOUR)])),
        one(ensure_subtasks([("a", initial)])),
        one(convert_cursors(coarser)),
        one(convert_cursors(CursorRule::new("mine", |_| Ok(None)))),
        one(reset(|_, _| false)),
        one(retire(|_, _| false)),
        one(set("/a", Node::integer(1))),
        one(remove("/a")),
        one(custom("own", |_, _| false, |_, state| Ok(state))),
        Chain::new().with_whole(remove("/a").at_root()),
    ];
    for chain in one_way {
        let chain = chain.with(rename("/x", "/y").named("newest"));
        let name = chain.names().next().unwrap().to_owned();
        let error = chain.back_to(None).err().expect("it cannot");
        assert_eq!(error.code(), "migration-not-reversible");
        assert_eq!(
            error.to_string(),
            format!(
                "migration `{name}` cannot be undone: it declares no reverse; go back to the state before it instead"
            )
        );
        let kept = chain.back_to(Some(&name)).unwrap();
        assert_eq!(kept.names().collect::<Vec<_>>(), ["undo-newest"]);
    }
    let error = one(set("/a", Node::integer(1)))
        .back_to(Some("nope"))
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "the chain has no migration `nope`; it has `set`"
    );
}

/// What becomes of a state that has gone on, and what a plan says of it.
fn goes_back(chain: &Chain, cases: &[(&str, &str, &str)]) {
    let back = chain.back_to(None).unwrap();
    for (progressed, down, says) in cases {
        let result = planned(&back, &state_of(progressed));
        assert_eq!(said(&result), *says, "{progressed}");
        assert_eq!(binding_of(&result.unwrap().0), *down, "{progressed}");
    }
}

#[test]
fn later_it_is_never_ahead_of_what_was_captured() {
    let given_up = "the cursor of `lookback` is given up, as declared";
    goes_back(
        &realtime_and_lookback(),
        &[
            // Both have gone on.
            (
                r#"{"inc":{"realtime":{"cursor":"2025-06-10T12:00:00Z"},"lookback":{"cursor":"2025-06-10T06:00:00Z"}}}"#,
                r#"{"inc":{"cursor":"2025-06-10T12:00:00Z"}}"#,
                &format!("REWRITE: {given_up}"),
            ),
            // The late one is behind: what it has not read again is read again.
            (
                r#"{"inc":{"realtime":{"cursor":"2025-06-10T12:00:00Z"},"lookback":{"cursor":"2025-06-10T02:00:00Z"}},"backfill":{"cutoff":"2025-06-01T00:00:00Z"}}"#,
                r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"},"backfill":{"cutoff":"2025-06-01T00:00:00Z"}}"#,
                &format!("REWIND: the cursor moves back by 4 h, and reads that again; {given_up}"),
            ),
            // Further behind than the lag: a person is asked.
            (
                r#"{"inc":{"realtime":{"cursor":"2025-06-10T12:00:00Z"},"lookback":{"cursor":"2025-06-09T12:00:00Z"}}}"#,
                r#"{"inc":{"cursor":"2025-06-09T18:00:00Z"}}"#,
                &format!(
                    "REWIND needs rewind: the cursor moves back by 18 h, and reads that again; {given_up}"
                ),
            ),
            // The late one ahead of its lag does not pull the other along.
            (
                r#"{"inc":{"realtime":{"cursor":"2025-06-10T12:00:00Z"},"lookback":{"cursor":"2025-06-10T11:00:00Z"}}}"#,
                r#"{"inc":{"cursor":"2025-06-10T12:00:00Z"}}"#,
                &format!("REWRITE: {given_up}"),
            ),
            // Alone, it has read no further than its own cursor.
            (
                r#"{"inc":{"lookback":{"cursor":"2025-06-10T02:00:00Z"}}}"#,
                r#"{"inc":{"cursor":"2025-06-10T02:00:00Z"}}"#,
                &format!("REWRITE: {given_up}"),
            ),
        ],
    );
    goes_back(
        &one(flat_to_keyed("a")),
        &[
            (
                r#"{"inc":{"a":{"cursor":9}},"backfill":{}}"#,
                r#"{"inc":{"cursor":9}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"a":{"cursor":9}},"backfill":{"a":{"cutoff":7,"next_page":"p9"}}}"#,
                r#"{"inc":{"cursor":9},"backfill":{"cutoff":7,"next_page":"p9"}}"#,
                "REWRITE",
            ),
        ],
    );
    let error = one(flat_to_keyed("a"))
        .back_to(None)
        .unwrap()
        .run(
            &state_of(r#"{"inc":{"a":{"cursor":9},"b":{"cursor":3}}}"#),
            &[],
        )
        .unwrap_err();
    assert!(
        error.to_string().contains("the subtask `b` beside `a`"),
        "{error}"
    );
    goes_back(
        &one(split_subtask("all", [("all", NO_LAG), ("more", NO_LAG)])),
        &[(
            r#"{"inc":{"all":{"cursor":9},"more":{"cursor":8}}}"#,
            r#"{"inc":{"all":{"cursor":8}}}"#,
            "REWIND needs rewind: the cursor of `all` moves back by 1, and reads that again; the cursor of `more` is given up, as declared",
        )],
    );
    goes_back(
        &one(convert_cursors(CursorRule::epoch_seconds_to_datetime())),
        &[(
            r#"{"inc":{"cursor":"2025-06-10T08:00:00.999Z"}}"#,
            r#"{"inc":{"cursor":1749542400}}"#,
            "REWIND: the cursor moves back by 999000 µs, and reads that again; cursors are converted: date-time to epoch seconds",
        )],
    );
}

fn instant(seconds: i64) -> String {
    let at = jiff::Timestamp::from_second(1_749_542_400 + seconds).unwrap();
    format!(r#"{{"cursor":"{at}"}}"#)
}

proptest::proptest! {
    #[test]
    fn one_cursor_is_never_ahead_of_the_subtasks_that_it_is_made_of(
        lag in 1..100_000_i64,
        leading in 0..1_000_000_i64,
        behind in 0..1_000_000_i64,
    ) {
        // The late one stands anywhere from where it began up to the leading one.
        let late = (leading - behind).max(-lag);
        let chain = one(flat_to_subtasks([
            ("realtime", NO_LAG),
            ("lookback", std::time::Duration::from_secs(lag.unsigned_abs())),
        ]));
        let progressed = format!(
            r#"{{"inc":{{"realtime":{},"lookback":{}}}}}"#,
            instant(leading),
            instant(late)
        );
        let (down, plan) = planned(&chain.back_to(None).unwrap(), &state_of(&progressed)).unwrap();
        let joined = leading.min(late + lag);
        proptest::prop_assert_eq!(binding_of(&down), format!(r#"{{"inc":{}}}"#, instant(joined)));
        let is_within_lag = leading - joined <= lag;
        proptest::prop_assert_eq!(plan.needed().is_empty(), is_within_lag);
    }
}

#[test]
fn an_authors_own_step_goes_back_as_it_was_told() {
    let step = custom(
        "wrap",
        |_, state| state.contains("at"),
        |_, mut state| {
            let at = state.remove("at").unwrap_or(Node::Null);
            state.insert(
                "position",
                [("at", at)].into_iter().collect::<crate::Object>(),
            );
            Ok(state)
        },
    )
    .undone_by(
        |_, state| state.contains("position"),
        |_, mut state| {
            let position = state.remove("position").and_then(Node::into_object);
            state.insert(
                "at",
                position
                    .and_then(|mut of| of.remove("at"))
                    .unwrap_or(Node::Null),
            );
            Ok(state)
        },
    )
    .declaring(Effects::NONE.edits("/at").edits("/position"));
    is_undone(&one(step), r#"{"inc":{"cursor":7},"at":[1]}"#);
}
