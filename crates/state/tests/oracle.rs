//! Every small change of a state, planned, and held against what it would miss and read again.
//!
//! The plan is what stands between a mistaken migration and lost data. Here are all the changes of a binding that fit into a few names,
//! cursors, pages and digests, and an oracle (`oracle/law.rs`) that tells from first principles which of them may pass in
//! silence.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by failing"
)]

#[path = "oracle/bindings.rs"]
mod bindings;
#[path = "oracle/law.rs"]
mod law;
#[path = "oracle/random.rs"]
mod random;
#[path = "oracle/state.rs"]
mod state;
#[path = "oracle/transforms.rs"]
mod transforms;

use std::collections::BTreeMap;

use staunch_state::{Applied, Cursor, Declared, Effects, Node, Outcome, Terms, plan, survey};

use law::{Change, EFFECTS, Effect};
use random::Random;
use state::{Backfill, State, parts};

/// Pairs of states beyond those that are gone through one by one.
const SAMPLED: u64 = 60_000;

/// What a migration that changes `K` is held against, for each effect.
struct Migration {
    applied: [Applied; 1],
    terms: Vec<(Effect, Terms)>,
}

impl Migration {
    fn new() -> Self {
        let terms = EFFECTS.iter().map(|effect| {
            let declared: Declared = [("step".to_owned(), effects(*effect))]
                .into_iter()
                .collect();
            let terms = Terms {
                declared,
                ..Terms::default()
            };
            (*effect, terms)
        });
        Migration {
            applied: [Applied {
                migration: "step".to_owned(),
                state_keys: vec!["K".into()],
            }],
            terms: terms.collect(),
        }
    }
}

fn effects(effect: Effect) -> Effects {
    let none = Effects::NONE;
    match effect {
        Effect::None => none,
        Effect::RewindByOne => none.rewind_by(1),
        Effect::ForwardByOne => none.forward_by(1),
        Effect::Backfill => none.backfill(),
        Effect::Reset => none.reset(),
        Effect::Retire => none.retire(),
        Effect::DropsA => none.drops_subtask("a"),
        Effect::BeginsCAtOne => {
            let at = Node::parse("1").unwrap();
            none.begins("c", Cursor::from_node(&at).unwrap())
        }
    }
}

/// How many changes were planned, and what was found wrong with them: the smallest case of each kind.
#[derive(Default)]
struct Findings {
    changes: u64,
    silent: u64,
    found: BTreeMap<String, (u64, String)>,
}

impl Findings {
    fn add(&mut self, what: String, case: impl FnOnce() -> String) {
        let (count, smallest) = self.found.entry(what).or_insert_with(|| (0, String::new()));
        *count += 1;
        let case = case();
        if smallest.is_empty() || case.len() < smallest.len() {
            *smallest = case;
        }
    }

    fn assert_none(&self) {
        let found: Vec<String> = self
            .found
            .iter()
            .map(|(what, (count, smallest))| format!("{what}, {count} times:\n    {smallest}"))
            .collect();
        assert!(
            found.is_empty(),
            "of {} changes, {} silent:\n{}",
            self.changes,
            self.silent,
            found.join("\n")
        );
    }
}

/// Plans a change under each effect, and holds the plan against the laws.
fn judge(migration: &Migration, before: &State, after: &State, findings: &mut Findings) {
    let (old, new) = (before.to_node(), after.to_node());
    let is_same = old.same_state(&new);
    for (effect, terms) in &migration.terms {
        findings.changes += 1;
        let effect = *effect;
        let change = Change {
            before,
            after,
            effect,
        };
        let Ok(planned) = survey(&old, &new, &[], &migration.applied, terms) else {
            assert!(!is_same, "a state that stays as it is is refused: {before}");
            continue;
        };
        let case = || format!("{before}  to  {after}");
        for group in &planned.groups {
            let asks = matches!(
                group.outcome,
                Outcome::Skip | Outcome::Backfill | Outcome::Unknown
            );
            if asks && group.needs.is_none() {
                findings.add(format!("{effect:?}: {:?} asks nobody", group.outcome), case);
            }
            if (group.outcome == Outcome::Keep) != is_same {
                findings.add(format!("{effect:?}: {:?} of a change", group.outcome), case);
            }
            // To read again, or to start over, is not to miss anything.
            if matches!(group.outcome, Outcome::Rewind)
                && let Some(loss) = change.loss()
            {
                findings.add(
                    format!("{effect:?}: {:?}, and {loss:?}", group.outcome),
                    case,
                );
            }
        }
        let starts_over = planned
            .groups
            .iter()
            .any(|group| group.outcome == Outcome::Backfill);
        if starts_over && let Some(loss) = change.loss_of_starting_over() {
            findings.add(format!("{effect:?}: starts over, and {loss:?}"), case);
        }
        if planned.needed().is_empty() {
            findings.silent += 1;
            if let Some(wrong) = change.wrong() {
                findings.add(
                    format!("{effect:?}: passes in silence, and {wrong:?}"),
                    case,
                );
            }
        }
        if findings.changes.is_multiple_of(61) {
            let accepted = plan(&old, &new, &[], &migration.applied, terms).is_ok();
            assert_eq!(accepted, planned.needed().is_empty(), "{before} to {after}");
        }
    }
}

fn with_inc(part: &state::Part<u64>) -> State {
    State {
        inc: part.clone(),
        ..State::default()
    }
}

#[test]
fn no_change_of_cursors_passes_that_misses_something() {
    let migration = Migration::new();
    let mut findings = Findings::default();
    for before in parts(&["a", "b"], &[1, 2, 3]) {
        for after in parts(&["a", "b", "c"], &[1, 2, 3]) {
            for (is_before, is_after) in
                [(false, false), (true, true), (true, false), (false, true)]
            {
                let mut before = with_inc(&before);
                let mut after = with_inc(&after);
                before.is_initialized = is_before;
                after.is_initialized = is_after;
                judge(&migration, &before, &after, &mut findings);
            }
        }
    }
    assert_eq!(findings.changes, 19 * 67 * 4 * 8);
    findings.assert_none();
}

#[test]
fn no_change_of_a_backfill_passes_that_misses_something() {
    let migration = Migration::new();
    let mut findings = Findings::default();
    let of = |cutoff, page| Backfill { cutoff, page };
    let backfills = [of(1, None), of(1, Some("p")), of(3, None), of(3, Some("p"))];
    for inc in parts(&["a"], &[1, 2, 3]) {
        for backfill in parts(&["a"], &backfills) {
            let before = State {
                inc: inc.clone(),
                backfill,
                ..State::default()
            };
            for inc in parts(&["a", "c"], &[1, 2, 3]) {
                for backfill in parts(&["a", "c"], &backfills) {
                    let after = State {
                        inc: inc.clone(),
                        backfill,
                        ..State::default()
                    };
                    judge(&migration, &before, &after, &mut findings);
                }
            }
        }
    }
    assert_eq!(findings.changes, 7 * 9 * 19 * 29 * 8);
    findings.assert_none();
}

#[test]
fn no_change_of_a_snapshot_passes_that_forgets_something() {
    let migration = Migration::new();
    let mut findings = Findings::default();
    for inc in parts(&["a"], &[3]) {
        for snapshot in parts(&["a", "b"], &["d", "e"]) {
            let before = State {
                inc: inc.clone(),
                snapshot,
                ..State::default()
            };
            for inc in parts(&["a", "c"], &[3]) {
                for snapshot in parts(&["a", "b", "c"], &["d", "e"]) {
                    let after = State {
                        inc: inc.clone(),
                        snapshot,
                        ..State::default()
                    };
                    judge(&migration, &before, &after, &mut findings);
                }
            }
        }
    }
    assert_eq!(findings.changes, 3 * 11 * 5 * 29 * 8);
    findings.assert_none();
}

/// Changes of all parts at once, most of them a few edits away from the state before.
#[test]
fn no_change_of_several_parts_passes_that_misses_something() {
    let migration = Migration::new();
    let mut findings = Findings::default();
    let mut random = Random::new(7);
    for _ in 0..SAMPLED {
        let before = random.state(&["a", "b"]);
        let after = match random.below(4) {
            0 => random.state(&["a", "b", "c"]),
            edits => random.edited(&before, edits),
        };
        judge(&migration, &before, &after, &mut findings);
    }
    assert_eq!(findings.changes, SAMPLED * 8);
    assert!(findings.silent > SAMPLED / 4, "{} pass", findings.silent);
    findings.assert_none();
}
