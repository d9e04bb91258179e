//! The laws of the algebra, and the cases that they came from.

use proptest::prelude::*;

use super::*;

fn node(text: &str) -> Node {
    Node::parse(text).unwrap()
}

fn patch(text: &str) -> StateUpdate {
    StateUpdate::merge(node(text))
}

#[test]
fn merges_do_what_appendix_a_of_rfc_7396_says() {
    for (original, patched_with, result) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":{"b":"d","c":null}}"#,
            r#"{"a":{"b":"d"}}"#,
        ),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ] {
        let after = patch(patched_with).apply(node(original));
        assert_eq!(after.to_json(), result, "{original} and {patched_with}");
    }
}

#[test]
fn m28_a_delete_and_then_a_write_inside_does_not_bring_old_members_back() {
    let state = node(r#"{"inc":{"cursor":"a","old":1},"keep":true}"#);
    let both =
        patch(r#"{"inc":null}"#).then(patch(r#"{"inc":{"realtime":{"cursor":"a","x":null}}}"#));
    let want = r#"{"inc":{"realtime":{"cursor":"a"}},"keep":true}"#;
    assert_eq!(both.apply(state.clone()).to_json(), want);
    assert_eq!(both.as_merge_patch(), None, "no one merge patch says this");

    let wire = both.to_wire();
    let sent: Vec<_> = wire
        .iter()
        .map(|update| (update.updated.as_str(), update.merge_patch))
        .collect();
    assert_eq!(
        sent,
        [
            (r#"{"inc":null}"#, true),
            (r#"{"inc":{"realtime":{"cursor":"a"}}}"#, true)
        ]
    );
    assert_eq!(receive(&wire, state), node(want));
}

#[test]
fn m14_a_set_leaves_no_old_page_under_a_new_cutoff() {
    let state = node(r#"{"backfill":{"cutoff":1,"next_page":{"token":"old"}}}"#);
    let reset =
        patch(r#"{"backfill":null}"#).then(patch(r#"{"backfill":{"cutoff":2,"next_page":null}}"#));
    assert_eq!(reset.apply(state).to_json(), r#"{"backfill":{"cutoff":2}}"#);
}

#[test]
fn m13_a_field_at_its_default_is_still_written() {
    let old = node(r#"{"last_count":7,"flag":true}"#);
    let new = node(r#"{"last_count":0,"flag":false}"#);
    assert_eq!(StateUpdate::diff(&old, &new).as_merge_patch(), Some(new));
}

#[test]
fn m03_a_key_that_went_away_is_a_null_in_the_patch() {
    for (what, old, new, want) in [
        ("same", r#"{"cursor":7}"#, r#"{"cursor":7.0}"#, "{}"),
        (
            "renamed",
            r#"{"cursor":7}"#,
            r#"{"after":7}"#,
            r#"{"cursor":null,"after":7}"#,
        ),
        (
            "nulls",
            r#"{"a":null,"b":{"c":null}}"#,
            r#"{"b":{},"d":null}"#,
            "{}",
        ),
        (
            "new object",
            "{}",
            r#"{"a":{"b":1,"c":null,"d":{}}}"#,
            r#"{"a":{"b":1,"d":{}}}"#,
        ),
        (
            "leaf to object",
            r#"{"a":[1]}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":{"b":1}}"#,
        ),
        (
            "object to leaf",
            r#"{"a":{"b":1}}"#,
            r#"{"a":[1,2]}"#,
            r#"{"a":[1,2]}"#,
        ),
        ("order alone", r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, "{}"),
    ] {
        let update = StateUpdate::diff(&node(old), &node(new));
        assert_eq!(update.as_merge_patch().unwrap().to_json(), want, "{what}");
        assert_eq!(update.is_empty(), want == "{}", "{what}");
    }
}

#[test]
fn a_merge_keeps_numbers_and_order_to_the_letter() {
    let state = node(r#"{"z":12345678901234567890123,"a":1.10,"m":[1e2, -0.0]}"#);
    let after = patch(r#"{"n":98765432109876543210.50,"z":2.50e+1}"#).apply(state);
    assert_eq!(
        after.to_json(),
        r#"{"z":2.50e+1,"a":1.10,"m":[1e2,-0.0],"n":98765432109876543210.50}"#
    );
}

#[test]
fn what_a_merge_patch_cannot_say_becomes_a_replacement_with_its_reason() {
    let (old, new) = (
        node(r#"{"a":{"b":1},"c":2}"#),
        node(r#"{"a":{"b":null},"c":2}"#),
    );
    let ExactDiff::Replace { update, because } = StateUpdate::diff_exact(&old, &new) else {
        panic!("an explicit null needs a replacement")
    };
    assert_eq!(
        because,
        "`/a/b` is an explicit null, which a merge patch would remove"
    );
    assert_eq!(
        update.to_wire(),
        [WireUpdate {
            updated: new.to_json(),
            merge_patch: false
        }]
    );

    let (old, new) = (
        node(r#"{"a":null,"n":null,"c":1}"#),
        node(r#"{"a":null,"c":1.0}"#),
    );
    let ExactDiff::Merge(update) = StateUpdate::diff_exact(&old, &new) else {
        panic!("a patch can say this")
    };
    assert_eq!(update.apply(old).to_json(), new.to_json());
}

#[test]
fn a_checkpoint_whose_state_is_no_object_is_refused() {
    for text in ["null", "1", "[]", "\"s\""] {
        assert!(StateUpdate::from_wire(text, true).is_err(), "{text}");
        assert!(StateUpdate::from_wire(text, false).is_err(), "{text}");
    }
    assert!(StateUpdate::from_wire("{}", true).unwrap().is_empty());
    assert!(
        !StateUpdate::from_wire("{}", false).unwrap().is_empty(),
        "it resets the state"
    );
}

#[test]
fn a_patch_of_a_large_object_takes_time_in_proportion() {
    let keys = 100_000;
    let state: Object = (0..keys)
        .map(|n| (format!("key-{n}"), Node::integer(n)))
        .collect();
    let deletions: Object = (0..keys)
        .map(|n| (format!("key-{n}"), Node::Null))
        .collect();
    let state = Node::from(state);
    assert_eq!(
        StateUpdate::merge(deletions.into())
            .apply(state.clone())
            .to_json(),
        "{}"
    );
    assert_eq!(
        StateUpdate::diff(&state, &Object::new().into())
            .apply(state)
            .to_json(),
        "{}"
    );
}

/// What the other side makes of the checkpoints.
fn receive(wire: &[WireUpdate], state: Node) -> Node {
    wire.iter().fold(state, |state, update| {
        assert!(!update.updated.contains('\n'));
        StateUpdate::from_wire(&update.updated, update.merge_patch)
            .unwrap()
            .apply(state)
    })
}

fn leaf() -> impl Strategy<Value = Node> {
    prop::sample::select(vec![
        "1",
        "1.0",
        "2",
        "\"a\"",
        "\"\\u0061\"",
        "true",
        "[]",
        "[1,{\"a\":null}]",
    ])
    .prop_map(node)
}

fn tree() -> impl Strategy<Value = Node> {
    let small = prop_oneof![3 => leaf(), 1 => Just(Node::Null)];
    small.prop_recursive(4, 40, 4, |inner| object_of(inner, 4).prop_map(Node::from))
}

fn object_of(inner: impl Strategy<Value = Node>, members: usize) -> impl Strategy<Value = Object> {
    let key = prop::sample::select(vec!["a", "b", "c", "d"]);
    prop::collection::vec((key, inner), 0..=members)
        .prop_map(|members| members.into_iter().collect())
}

fn state() -> impl Strategy<Value = Node> {
    let wide = prop::collection::vec((0_u8..30, leaf()), 0..40).prop_map(|members| {
        members
            .into_iter()
            .map(|(n, node)| (format!("k{n}"), node))
            .collect::<Object>()
    });
    prop_oneof![6 => object_of(tree(), 4), 1 => wide].prop_map(Node::from)
}

fn update() -> impl Strategy<Value = StateUpdate> {
    let one = || prop_oneof![4 => state().prop_map(StateUpdate::merge), 1 => state().prop_map(StateUpdate::replace)];
    prop_oneof![
        1 => Just(StateUpdate::empty()),
        6 => one(),
        3 => (one(), one()).prop_map(|(first, second)| first.then(second)),
    ]
}

/// Each patch that is `patch` without one of its leaves.
fn without_a_leaf(patch: &Object) -> Vec<Object> {
    let mut all = Vec::new();
    for (key, value) in patch.iter() {
        match value {
            Node::Object(inner) if !inner.is_empty() => {
                for smaller in without_a_leaf(inner) {
                    let mut copy = patch.clone();
                    copy.insert(key, smaller);
                    all.push(copy);
                }
            }
            _ => {
                let mut copy = patch.clone();
                copy.remove(key);
                all.push(copy);
            }
        }
    }
    all
}

#[test]
fn an_update_that_forgets_a_deletion_is_found_out() {
    let (old, new) = (node(r#"{"cursor":7}"#), node(r#"{"after":7}"#));
    let right = Change::between(Some(&old), Some(&new), MAX_DEPTH);
    assert_eq!(check_exact(Some(&old), right.as_ref(), Some(&new)), Ok(()));
    let wrong = StateUpdate::merge(new.clone()).0.unwrap();
    assert_eq!(
        check_exact(Some(&old), Some(&wrong), Some(&new)),
        Err(Inexact)
    );
    assert_eq!(check_exact(Some(&old), None, Some(&new)), Err(Inexact));
    assert_eq!(check_exact(Some(&old), Some(&Change::Delete), None), Ok(()));
    assert_eq!(check_exact(None, None, Some(&new)), Err(Inexact));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn applying_two_updates_is_applying_their_composition(
        start in prop_oneof![4 => state(), 1 => tree()], first in update(), second in update(),
    ) {
        let one_by_one = second.apply(first.apply(start.clone()));
        prop_assert_eq!(first.then(second).apply(start), one_by_one);
    }

    #[test]
    fn the_difference_of_two_states_is_one_checkpoint(old in state(), new in state()) {
        let wire = StateUpdate::diff(&old, &new).to_wire();
        prop_assert_eq!(wire.len(), usize::from(!old.same_state(&new)));
        prop_assert!(wire.iter().all(|update| update.merge_patch));
    }

    #[test]
    fn the_checkpoint_that_is_written_at_once_is_that_of_the_difference(old in state(), new in state()) {
        let written = StateUpdate::checked_diff(&old, &new);
        prop_assert_eq!(written, Ok(StateUpdate::diff(&old, &new).to_wire().pop()));
    }

    #[test]
    fn composing_is_associative(a in update(), b in update(), c in update()) {
        let left = a.clone().then(b.clone()).then(c.clone());
        prop_assert_eq!(left, a.then(b.then(c)));
    }

    #[test]
    fn applying_the_difference_gives_the_new_state(old in state(), new in state()) {
        let update = StateUpdate::diff(&old, &new);
        let after = update.apply(old.clone());
        prop_assert!(after.same_state(&new), "{old} and {update:?} gave {after}, not {new}");
        prop_assert_eq!(update.is_empty(), old.same_state(&new));
        prop_assert!(update.as_merge_patch().is_some());
    }

    #[test]
    fn no_leaf_of_a_difference_can_be_dropped(old in state(), new in state()) {
        let patch = StateUpdate::diff(&old, &new).as_merge_patch().unwrap();
        for smaller in without_a_leaf(patch.as_object().unwrap()) {
            let after = StateUpdate::merge(smaller.clone().into()).apply(old.clone());
            prop_assert!(!after.same_state(&new), "{smaller:?} says as much as {patch}");
        }
    }

    #[test]
    fn an_exact_difference_keeps_nulls_and_text(old in state(), new in state()) {
        let update = match StateUpdate::diff_exact(&old, &new) {
            ExactDiff::Merge(update) => {
                prop_assert!(update.as_merge_patch().is_some());
                update
            }
            ExactDiff::Replace { update, .. } => update,
        };
        let after = update.apply(old);
        prop_assert_eq!(sorted(&after), sorted(&new));
    }

    #[test]
    fn what_is_sent_does_what_the_update_does(start in state(), update in update()) {
        let wire = update.to_wire();
        prop_assert_eq!(wire.is_empty(), update.is_empty());
        prop_assert_eq!(update.wire_len(), wire.iter().map(|one| one.updated.len()).sum::<usize>());
        prop_assert_eq!(receive(&wire, start.clone()), update.apply(start));
    }

    #[test]
    fn a_merge_patch_says_the_update_wherever_there_is_one(start in state(), update in update()) {
        if let Some(patch) = update.as_merge_patch() {
            prop_assert_eq!(StateUpdate::merge(patch).apply(start.clone()), update.apply(start));
        } else {
            prop_assert!(update.to_wire().len() == 2 || update.is_replacement());
        }
    }
}

/// JSON text with sorted members: equal to the letter, but for order.
fn sorted(node: &Node) -> String {
    match node {
        Node::Object(object) => {
            let mut members: Vec<_> = object
                .iter()
                .map(|(key, node)| format!("{key:?}:{}", sorted(node)))
                .collect();
            members.sort();
            format!("{{{}}}", members.join(","))
        }
        _ => node.to_json(),
    }
}
