//! Mistakes that connectors have made, planted, and found.
//!
//! Each is a chain that moves one cursor under a name of its own, and gets one thing wrong.

use std::time::Duration;

use staunch_state::transform::{custom, custom_whole, flat_to_keyed, flat_to_subtasks};
use staunch_state::{
    BINDING_STATES, Chain, Consent, ConsentKind, Cursor, Effects, MigrationError, Node, Object,
};
use staunch_testkit::{Failure, Law};

use super::{fails, harness};

const STATE: &str = r#"{
    "orders":{"inc":{"cursor":"2025-06-10T08:00:00Z"},"last_initialized":"2025-01-01T00:00:00Z"},
    "items":{"inc":{"cursor":"2025-06-10T09:00:00Z"},"backfill":{"cutoff":"2025-06-01T00:00:00Z","next_page":"p7"}}}"#;

fn is_flat(state: &Object) -> bool {
    flat_cursor(state).is_some()
}

fn flat_cursor(state: &Object) -> Option<Cursor> {
    let cursor = state.get("inc")?.as_object()?.present("cursor")?;
    Cursor::from_node(cursor).ok()
}

/// The flat entry with all its members, under each name with a cursor of its own.
fn keyed(state: &Object, entries: &[(&str, &Cursor)]) -> Node {
    let entry = |cursor: &Cursor| {
        let mut entry = state
            .get("inc")
            .and_then(Node::as_object)
            .cloned()
            .unwrap_or_default();
        entry.insert("cursor", cursor.to_node());
        Node::Object(entry)
    };
    Node::Object(
        entries
            .iter()
            .map(|(name, cursor)| (*name, entry(cursor)))
            .collect(),
    )
}

/// A chain of one step, which is right but for what `spoil` does last.
fn spoiled(spoil: impl Fn(&Object, &Cursor, &mut Object) + Send + Sync + 'static) -> Chain {
    let migrate = move |before: Object| -> Option<Object> {
        let cursor = flat_cursor(&before)?;
        let mut after = before.clone();
        after.insert("inc", keyed(&before, &[("main", &cursor)]));
        if let Some(backfill) = before
            .get("backfill")
            .and_then(Node::as_object)
            .filter(|entry| entry.contains("cutoff"))
        {
            after.insert("backfill", Object::from_iter([("main", backfill.clone())]));
        }
        spoil(&before, &cursor, &mut after);
        Some(after)
    };
    Chain::new().with(custom(
        "spoiled",
        |_, state| is_flat(state),
        move |_, state| {
            migrate(state).ok_or_else(|| MigrationError::failed("/inc", "is not there; restore it"))
        },
    ))
}

fn found(chain: Chain) -> Failure {
    fails(harness(chain, &[STATE]))
}

/// The failure names the law, the state, what came out and what to do.
fn told(failure: &Failure, law: Law, words: &[&str]) {
    let text = failure.to_string();
    assert_eq!(failure.law(), law, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` in {text}");
    }
    for label in ["found in", "came out", "do "] {
        assert!(text.contains(label), "`{label}` in {text}");
    }
}

#[test]
fn nothing_is_found_where_nothing_is_spoiled() {
    super::passes(harness(spoiled(|_, _, _| {}), &[STATE]));
}

#[test]
fn a_forgotten_sibling() {
    let failure = found(spoiled(|_, _, after| {
        after.remove("last_initialized");
    }));
    told(&failure, Law::Accepted, &["/last_initialized", "v0"]);
    insta::assert_snapshot!("a_failure_for_people", failure);
    let smallest = r#"{"bindingStateV1":{"orders":{"inc":{"cursor":"2025-06-10T08:00:00Z"},"last_initialized":"2025-01-01T00:00:00Z"}}}"#;
    assert_eq!(
        failure.state().map(Node::to_json).as_deref(),
        Some(smallest)
    );
}

#[test]
fn an_old_cursor_beside_the_subtasks() {
    let failure = found(spoiled(|before, _, after| {
        if let (Some(inc), Some(Node::Object(old))) = (after.get_mut("inc"), before.get("inc"))
            && let (Some(inc), Some(cursor)) = (inc.as_object_mut(), old.get("cursor"))
        {
            inc.insert("cursor", cursor.clone());
        }
    }));
    // `applies` is true of it still, so that the fixed point sees it first.
    told(&failure, Law::FixedPoint, &["spoiled"]);
}

#[test]
fn an_old_cutoff_beside_the_subtasks() {
    let failure = found(spoiled(|before, _, after| {
        if let (Some(Node::Object(new)), Some(Node::Object(old))) =
            (after.get("backfill").cloned(), before.get("backfill"))
            && old.contains("cutoff")
        {
            let mut both = new;
            both.insert("cutoff", old.get("cutoff").cloned().unwrap_or(Node::Null));
            after.insert("backfill", both);
        }
    }));
    told(&failure, Law::Decodes, &["/backfill", "items"]);
}

#[test]
fn a_lookback_that_is_ahead_of_realtime() {
    let failure = found(spoiled(|before, cursor, after| {
        let later = cursor
            .as_datetime()
            .and_then(|at| at.later_by(Duration::from_secs(3600)));
        if let Some(later) = later.map(Cursor::from) {
            after.insert(
                "inc",
                keyed(before, &[("realtime", cursor), ("lookback", &later)]),
            );
        }
    }));
    told(&failure, Law::Accepted, &["forward by 1 h"]);
}

#[test]
fn disabled_bindings_that_are_dropped() {
    let chain = Chain::new()
        .with(flat_to_keyed("main"))
        .with_whole(custom_whole(
            "enabled-only",
            |bindings, state| !disabled(bindings, state).is_empty(),
            |bindings, mut state| {
                let dropped = disabled(bindings, &state);
                if let Some(states) = state.get_mut(BINDING_STATES).and_then(Node::as_object_mut) {
                    states.retain(|key, _| !dropped.contains(&key.to_owned()));
                }
                Ok(state)
            },
        ));
    // The released states have no disabled binding but in the file that shows what is meant, which is empty.
    let harness = harness(chain, &[STATE]).state(
        "disabled",
        Node::parse(r#"{"bindingStateV1":{"off":{}}}"#).unwrap(),
    );
    let bindings = [("orders", true), ("items", true), ("off", false)].map(|(key, is_active)| {
        staunch_state::Binding {
            state_key: key.to_owned(),
            resource: Some(Node::Object(Object::new())),
            is_active,
        }
    });
    let failure = fails(harness.bindings(bindings.to_vec()));
    told(
        &failure,
        Law::Accepted,
        &[
            "loses the state of binding",
            "(disabled)",
            "generated state",
        ],
    );
}

fn disabled(bindings: &[staunch_state::Binding], state: &Object) -> Vec<String> {
    let states = state.get(BINDING_STATES).and_then(Node::as_object);
    let has_state = |key: &str| states.is_some_and(|states| states.contains(key));
    let disabled = bindings
        .iter()
        .filter(|binding| !binding.is_active && has_state(&binding.state_key));
    disabled.map(|binding| binding.state_key.clone()).collect()
}

#[test]
fn a_finished_backfill_that_starts_again() {
    let failure = found(spoiled(|_, cursor, after| {
        if after.present("backfill").is_none() {
            let entry = Object::from_iter([("cutoff", cursor.to_node())]);
            after.insert(
                "backfill",
                Object::from_iter([("main", Node::Object(entry))]),
            );
        }
    }));
    told(
        &failure,
        Law::Accepted,
        &["`/backfill/main`", "that was finished"],
    );
}

#[test]
fn a_finished_backfill_that_starts_again_beside_what_goes_on() {
    let failure = found(spoiled(|before, cursor, after| {
        after.insert("inc", keyed(before, &[("main", cursor), ("again", cursor)]));
        if after.present("backfill").is_none() {
            let entry = Object::from_iter([
                ("cutoff", cursor.to_node()),
                ("next_page", Node::string("0")),
            ]);
            after.insert(
                "backfill",
                Object::from_iter([
                    ("main", Node::Object(entry.clone())),
                    ("again", Node::Object(entry)),
                ]),
            );
        }
    }));
    told(
        &failure,
        Law::Accepted,
        &["`/backfill/main`", "that was finished"],
    );
}

#[test]
fn a_chain_that_is_no_fixed_point() {
    let failure = found(
        Chain::new().with(
            custom(
                "adds-a-day",
                |_, state| is_flat(state),
                |_, mut state| {
                    let earlier = flat_cursor(&state)
                        .and_then(|cursor| cursor.earlier_by(Duration::from_secs(86_400)));
                    if let Some(earlier) = earlier {
                        state.insert("inc", Object::from_iter([("cursor", earlier.to_node())]));
                    }
                    Ok(state)
                },
            )
            .declaring(Effects::NONE.rewind(Duration::from_secs(86_400))),
        ),
    );
    told(&failure, Law::FixedPoint, &["adds-a-day"]);
}

#[test]
fn a_step_that_applies_to_everything() {
    let failure = found(Chain::new().with(custom(
        "always",
        |_, _| true,
        |_, mut state| {
            let inc = state.remove("inc").unwrap_or(Node::Null);
            state.insert("inc", Object::from_iter([("main", inc)]));
            Ok(state)
        },
    )));
    told(&failure, Law::FixedPoint, &["always"]);
}

#[test]
fn a_reverse_that_is_ahead() {
    let chain = Chain::new().with(
        custom(
            "two-subtasks",
            |_, state| is_flat(state),
            |_, mut state| {
                let cursor = flat_cursor(&state)
                    .ok_or_else(|| MigrationError::failed("/inc", "is not there; restore it"))?;
                let inc = keyed(&state, &[("a", &cursor), ("b", &cursor)]);
                state.insert("inc", inc);
                Ok(state)
            },
        )
        .undone_by(
            |_, state| {
                state
                    .get("inc")
                    .and_then(Node::as_object)
                    .is_some_and(|inc| inc.present("a").is_some())
            },
            |_, mut state| {
                // The latest of two, where only the earliest was captured by both.
                let entry = |name: &str| {
                    let entry = state.get("inc")?.as_object()?.get(name)?.as_object()?;
                    Some((Cursor::from_node(entry.get("cursor")?).ok()?, entry.clone()))
                };
                let both = entry("a").into_iter().chain(entry("b"));
                let later =
                    both.max_by(|(a, _), (b, _)| a.compare(b).unwrap_or(std::cmp::Ordering::Equal));
                if let Some((_, later)) = later {
                    state.insert("inc", later);
                }
                Ok(state)
            },
        ),
    );
    told(&found(chain), Law::UndoneLater, &["gone on", "earliest"]);
}

#[test]
fn a_reverse_that_does_not_give_back_what_was() {
    let chain = Chain::new().with(
        custom(
            "renamed",
            |_, state| is_flat(state),
            |_, mut state| {
                let cursor = flat_cursor(&state)
                    .ok_or_else(|| MigrationError::failed("/inc", "is not there; restore it"))?;
                let inc = keyed(&state, &[("a", &cursor)]);
                state.insert("inc", inc);
                Ok(state)
            },
        )
        .undone_by(|_, _| false, |_, state| Ok(state)),
    );
    told(&found(chain), Law::Undone, &["before: ", "undone: "]);
}

#[test]
fn a_panic() {
    let failure = found(spoiled(|before, _, _| {
        assert!(before.contains("last_initialized"), "every state has it");
    }));
    told(&failure, Law::NoPanic, &["every state has it", "items"]);
}

#[test]
fn a_step_that_knows_no_backfill_counter() {
    let chain = Chain::new().with(
        flat_to_keyed("main")
            .only(|binding| ["orders", "items"].contains(&binding.state_key.as_str())),
    );
    told(&found(chain), Law::Counter, &["orders.v7", ".v<n>"]);
}

#[test]
fn a_step_that_takes_only_the_cursors_it_knows() {
    let chain = Chain::new().with(custom(
        "seconds",
        |_, state| is_flat(state),
        |_, mut state| {
            let cursor =
                flat_cursor(&state).filter(|cursor| cursor.as_json().starts_with("\"2025-06"));
            let cursor = cursor.ok_or_else(|| {
                MigrationError::failed("/inc/cursor", "is not of this June; wait")
            })?;
            let inc = keyed(&state, &[("a", &cursor)]);
            state.insert("inc", inc);
            Ok(state)
        },
    ));
    told(
        &found(chain),
        Law::Migrates,
        &["not of this June", "generated state"],
    );
}

#[test]
fn a_lag_that_is_longer_than_what_is_declared() {
    let chain = Chain::new().with(
        custom(
            "lag",
            |_, state| is_flat(state),
            |_, mut state| {
                let cursor = flat_cursor(&state)
                    .and_then(|cursor| cursor.earlier_by(Duration::from_secs(7200)));
                let cursor = cursor
                    .ok_or_else(|| MigrationError::failed("/inc", "is not there; restore it"))?;
                let inc = keyed(&state, &[("a", &cursor)]);
                state.insert("inc", inc);
                Ok(state)
            },
        )
        .declaring(Effects::NONE.rewind(Duration::from_secs(3600))),
    );
    told(&found(chain), Law::Accepted, &["--allow rewind:"]);
}

#[test]
fn an_old_shape_that_no_released_state_has() {
    let chain = Chain::new()
        .with(flat_to_subtasks([("main", Duration::ZERO)]))
        .with(staunch_state::transform::rename_subtask("ancient", "main"));
    let failure = found(chain);
    told(
        &failure,
        Law::Fixtures,
        &["no fixture has the old shape of `rename-subtask`"],
    );
    assert!(failure.state().is_none());
}

#[test]
fn a_silent_loss_where_old_and_new_stand_beside_each_other() {
    let chain = || {
        Chain::new().with(custom(
            "takes-the-flat-one",
            |_, state| is_flat(state),
            |_, mut state| {
                let cursor = flat_cursor(&state)
                    .ok_or_else(|| MigrationError::failed("/inc", "is not there; restore it"))?;
                let flat = state
                    .get("inc")
                    .and_then(Node::as_object)
                    .cloned()
                    .unwrap_or_default();
                // Whatever subtasks there were before are gone without a word.
                let own = flat.iter().filter(|(_, node)| node.as_object().is_none());
                let mut entry: Object = own.map(|(name, node)| (name, node.clone())).collect();
                entry.insert("cursor", cursor.to_node());
                state.insert("inc", Object::from_iter([("main", Node::Object(entry))]));
                Ok(state)
            },
        ))
    };
    let states = [r#"{"a":{"inc":{"cursor":["8c42b44c4655ab68"]}}}"#];
    // A plan says of such a state that nobody can tell. With the consent to that, only the harness is left to see it.
    super::passes(harness(chain(), &states));
    let consent = Consent {
        kind: ConsentKind::Unknown,
        state_key: "a".to_owned(),
    };
    let failure = fails(harness(chain(), &states).consents([consent]));
    told(&failure, Law::Residue, &["nothing reads on from"]);
}

#[test]
fn a_step_that_does_something_else_each_time() {
    let runs = std::sync::atomic::AtomicU64::new(0);
    let chain = Chain::new().with(
        custom(
            "counts",
            |_, state| is_flat(state),
            move |_, mut state| {
                let seconds = runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 60;
                let cursor = flat_cursor(&state)
                    .and_then(|cursor| cursor.earlier_by(Duration::from_secs(seconds)));
                let cursor = cursor
                    .ok_or_else(|| MigrationError::failed("/inc", "is not there; restore it"))?;
                let inc = keyed(&state, &[("main", &cursor)]);
                state.insert("inc", inc);
                Ok(state)
            },
        )
        .declaring(Effects::NONE.rewind(Duration::from_secs(60))),
    );
    let failure = fails(harness(
        chain,
        &[r#"{"counted.v1":{"inc":{"cursor":"2025-06-10T08:00:00Z"}}}"#],
    ));
    told(
        &failure,
        Law::Pure,
        &["the first time: ", "the second time: "],
    );
}
