//! Several bindings at once: whose state became whose.
//!
//! The documents of a binding go into a collection of their own, and its cursor is a position of its own. So each state key is held against
//! itself, or against the one that it is declared to have moved from, and never against a neighbour.

use staunch_state::{Applied, Effects, Node, Outcome, Refused, Terms, plan};

/// The states of bindings, by their keys; a resource that has none is left out.
type Bindings<'a> = &'a [(&'a str, &'a str)];

fn root(bindings: Bindings<'_>) -> Node {
    let states = bindings
        .iter()
        .map(|(key, state)| format!(r#""{key}":{state}"#));
    let states: Vec<String> = states.collect();
    Node::parse(&format!(r#"{{"bindingStateV1":{{{}}}}}"#, states.join(","))).unwrap()
}

/// Plans a change by a migration of the whole state that declares this.
fn planned(
    before: &Node,
    after: &Node,
    effects: Effects,
) -> Result<Vec<(String, Outcome)>, Refused> {
    let terms = Terms {
        declared: [("step".to_owned(), effects)].into_iter().collect(),
        ..Terms::default()
    };
    let applied = [Applied {
        migration: "step".to_owned(),
        state_keys: ["", "a", "b", "c"].map(Into::into).to_vec(),
    }];
    let plan = plan(before, after, &[], &applied, &terms)?;
    let outcomes = plan
        .bindings()
        .map(|(group, binding)| (binding.state_key.to_string(), group.outcome));
    Ok(outcomes.collect())
}

const STATES: [&str; 6] = [
    r#"{"inc":{"cursor":1}}"#,
    r#"{"inc":{"cursor":2}}"#,
    r#"{"inc":{"x":{"cursor":2}}}"#,
    r#"{"inc":{"cursor":2},"backfill":{"cutoff":2,"next_page":"p"}}"#,
    r#"{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"d"}}"#,
    r#"{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"e"}}"#,
];

/// Whether a binding may go from one state to the other in silence: it stays, or gets a name.
fn may_become(old: &str, new: &str) -> bool {
    old == new || [old, new] == [STATES[1], STATES[2]] || [old, new] == [STATES[2], STATES[1]]
}

#[test]
fn each_binding_is_held_against_itself_however_its_neighbours_look() {
    let moved = || Effects::NONE.moves("a", "c");
    let mut planned_changes = 0;
    for a in STATES {
        for b in STATES {
            let before = root(&[("a", a), ("b", b)]);
            for (what, after, effects, may) in [
                (
                    "swapped",
                    root(&[("a", b), ("b", a)]),
                    Effects::NONE,
                    may_become(a, b) && may_become(b, a),
                ),
                ("one lost", root(&[("a", a)]), Effects::NONE, false),
                (
                    "one lost, the other moved",
                    root(&[("c", a)]),
                    moved(),
                    false,
                ),
                (
                    "moved, not declared",
                    root(&[("c", a), ("b", b)]),
                    Effects::NONE,
                    false,
                ),
                (
                    "copied",
                    root(&[("a", a), ("b", b), ("c", a)]),
                    Effects::NONE,
                    false,
                ),
                (
                    "copied, declared as moved",
                    root(&[("a", a), ("b", b), ("c", a)]),
                    moved(),
                    false,
                ),
                ("moved", root(&[("c", a), ("b", b)]), moved(), true),
                (
                    "moved, the other's state",
                    root(&[("c", b), ("b", b)]),
                    moved(),
                    may_become(a, b),
                ),
                (
                    "moved, and the other took it too",
                    root(&[("c", a), ("b", a)]),
                    moved(),
                    may_become(b, a),
                ),
                (
                    "swapped while moved",
                    root(&[("c", b), ("b", a)]),
                    moved(),
                    may_become(a, b) && may_become(b, a),
                ),
                (
                    "onto an occupied key",
                    root(&[("b", a)]),
                    Effects::NONE.moves("a", "b"),
                    false,
                ),
                (
                    "as declared, and the occupied key elsewhere",
                    root(&[("b", a), ("c", b)]),
                    Effects::NONE.moves("a", "b"),
                    false,
                ),
            ] {
                planned_changes += 1;
                let accepted = planned(&before, &after, effects);
                assert_eq!(
                    accepted.is_ok(),
                    may,
                    "{what}: {before} to {after}: {accepted:?}"
                );
            }
        }
    }
    assert_eq!(planned_changes, 6 * 6 * 12);
}

#[test]
fn what_is_moved_and_changed_at_once_is_held_against_where_it_was() {
    for old in STATES {
        for new in STATES {
            let before = root(&[("a", old), ("b", STATES[0])]);
            let after = root(&[("b", STATES[0]), ("c", new)]);
            let accepted = planned(&before, &after, Effects::NONE.moves("a", "c"));
            // Only a consent tells the rest: that it reads again, or that nobody knows.
            assert_eq!(
                accepted.is_ok(),
                may_become(old, new),
                "{old} to {new}: {accepted:?}"
            );
            if let Ok(outcomes) = accepted {
                assert!(
                    outcomes.contains(&("c".to_owned(), Outcome::Rewrite)),
                    "{outcomes:?}"
                );
                assert!(
                    outcomes.contains(&("b".to_owned(), Outcome::Keep)),
                    "{outcomes:?}"
                );
            }
        }
    }
    for (a, b) in STATES.into_iter().flat_map(|a| STATES.map(|b| (a, b))) {
        let before = root(&[("a", a), ("b", b)]);
        let each = Effects::NONE.moves("b", "c").moves("a", "b");
        let accepted = planned(&before, &root(&[("b", a), ("c", b)]), each.clone());
        assert!(accepted.is_ok(), "each by one: {before}: {accepted:?}");
        let accepted = planned(&before, &root(&[("b", b), ("c", a)]), each);
        assert_eq!(
            accepted.is_ok(),
            may_become(a, b) && may_become(b, a),
            "{before}: {accepted:?}"
        );
        let swap = Effects::NONE
            .moves("a", "t")
            .moves("b", "a")
            .moves("t", "b");
        let accepted = planned(&before, &root(&[("a", b), ("b", a)]), swap);
        assert!(
            accepted.is_ok(),
            "swapped, as declared: {before}: {accepted:?}"
        );
    }
    let twice = Effects::NONE.moves("a", "b").moves("b", "c");
    let (before, after) = (root(&[("a", STATES[0])]), root(&[("c", STATES[0])]));
    assert!(
        planned(&before, &after, twice).is_ok(),
        "one after the other"
    );
}

#[test]
fn two_bindings_that_move_to_one_key_are_one_binding_lost() {
    for (a, b) in STATES.into_iter().flat_map(|a| STATES.map(|b| (a, b))) {
        let before = root(&[("a", a), ("b", b)]);
        let both = Effects::NONE.moves("a", "c").moves("b", "c");
        for left in [a, b] {
            let refused = planned(&before, &root(&[("c", left)]), both.clone());
            assert!(refused.is_err(), "{before} to {left}: {refused:?}");
        }
        let chained = Effects::NONE.moves("a", "b").moves("b", "c");
        let refused = planned(&before, &root(&[("b", a), ("c", b)]), chained);
        assert!(
            refused.is_err() || may_become(b, a),
            "{before}: {refused:?}"
        );
    }
}

#[test]
fn a_member_beside_the_bindings_changes_only_as_declared() {
    let with = |member: &str| {
        Node::parse(&format!(
            r#"{{"bindingStateV1":{{"a":{}}}{member}}}"#,
            STATES[0]
        ))
        .unwrap()
    };
    let members = [
        "",
        r#","token":"x""#,
        r#","token":"y""#,
        r#","token":{"a":1}"#,
    ];
    for (old, new) in members
        .into_iter()
        .flat_map(|old| members.map(|new| (old, new)))
    {
        let (before, after) = (with(old), with(new));
        let undeclared = planned(&before, &after, Effects::NONE);
        assert_eq!(undeclared.is_ok(), old == new, "{before} to {after}");
        let other = planned(&before, &after, Effects::NONE.edits("/tok"));
        assert_eq!(other.is_ok(), old == new, "{before} to {after}");
        assert!(planned(&before, &after, Effects::NONE.edits("/token")).is_ok());
    }
    let requests = with(r#","backfillRequests":{"a":true}"#);
    assert!(
        planned(&requests, &with(""), Effects::NONE).is_err(),
        "a backfill was asked for"
    );
}
