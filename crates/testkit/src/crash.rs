//! Kills at every boundary: the real kit in process, against a runtime that keeps its state in memory.
//!
//! A stub connector has the given chain, and a resource for each open binding, whose functions note that they were started and read on by
//! one position. The conversation is cut after each message in either direction, and after each commit; what was committed is what the
//! next session opens with. In the end the state must be that of the run which nobody cut.

mod session;
mod stub;

use std::sync::Arc;

use staunch_state::{BINDING_STATES, ConnectorState, Node, Object, plan};

use crate::case::{Case, Subject};
use crate::generate::UNKNOWN;
use crate::law::{Law, Violation};
use crate::laws::{self, Sound};
use crate::shape::{self, SNAPSHOT};

use session::{Cut, Session};
use stub::Script;

/// Bindings of a state that is killed at; more of them would only do the same again.
const BINDINGS: usize = 3;

/// Rows of the last snapshot: each that is gone would be told by a document of its own.
const ROWS: u64 = 3;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Killed {
    /// Sessions that were cut.
    pub(crate) kills: usize,
    /// Why some were not.
    pub(crate) left_out: Option<String>,
}

/// Cuts the conversation about a state at every boundary, at most so many times.
pub(crate) fn check(subject: &Subject, case: &Case, at_most: usize) -> Result<Killed, Violation> {
    let case = reduced(case);
    let Ok(sound) = laws::check(subject, &case) else {
        let left_out = format!(
            "kills of {}: its first bindings alone are another state",
            case.origin
        );
        return Ok(Killed {
            kills: 0,
            left_out: Some(left_out),
        });
    };
    let requests_backfill = ConnectorState::new(sound.after.clone())
        .is_ok_and(|state| state.backfill_requests().next().is_some());
    if requests_backfill {
        let left_out = format!(
            "kills of {}: it asks for a backfill, with which a binding begins anew",
            case.origin
        );
        return Ok(Killed {
            kills: 0,
            left_out: Some(left_out),
        });
    }
    let crash = Crash {
        subject,
        case: &case,
        sound: &sound,
    };
    if plan(
        &case.state,
        &sound.after,
        &case.bindings,
        &sound.applied,
        &subject.terms(&[]),
    )
    .is_err()
    {
        return crash.refusal();
    }
    crash.at_every_boundary(at_most)
}

struct Crash<'a> {
    subject: &'a Subject,
    case: &'a Case,
    sound: &'a Sound,
}

impl Crash<'_> {
    /// A migration that needs consent is refused, and nothing is written.
    fn refusal(&self) -> Result<Killed, Violation> {
        let session = self.session(&self.case.state, Cut::Never)?;
        if session.lines == 0 && session.error.is_some() {
            return Ok(Killed::default());
        }
        Err(wrong(
            format!("without consent {} messages were written", session.lines),
            "this is a defect of the kit; report it with this state",
        ))
    }

    fn at_every_boundary(&self, at_most: usize) -> Result<Killed, Violation> {
        let whole = self.session(&self.case.state, Cut::Never)?;
        self.check_session(&whole)?;
        if let Some(error) = &whole.error {
            return Err(wrong(
                format!("the capture does not go on: {error}"),
                "have the chain leave a state that a connector of this shape opens with",
            ));
        }
        let expected = self.comparable(&whole.committed);
        let mut killed = Killed::default();
        for boundary in 1..=whole.boundaries {
            if killed.kills == at_most {
                killed.left_out = Some(format!(
                    "kills of {} beyond boundary {} of {}",
                    self.case.origin,
                    boundary - 1,
                    whole.boundaries
                ));
                break;
            }
            let cut = self.session(&self.case.state, Cut::After(boundary))?;
            self.check_session(&cut)?;
            let after = self.session(&cut.committed, Cut::Never)?;
            let migrations =
                usize::from(cut.migration.is_some()) + usize::from(after.migration.is_some());
            let came_out = self.comparable(&after.committed);
            let is_planned = usize::from(!self.sound.plan.is_empty());
            if migrations != is_planned || !came_out.same_state(&expected) {
                return Err(wrong(
                    format!(
                        "cut after boundary {boundary} of {}, {migrations} migrations were committed\nthen: {}\nwithout the cut: {}",
                        whole.boundaries,
                        came_out.to_json(),
                        expected.to_json()
                    ),
                    "have the chain do the same from the state before, and nothing from the one after",
                ));
            }
            killed.kills += 1;
        }
        Ok(killed)
    }

    fn session(&self, state: &Node, cut: Cut) -> Result<Session, Violation> {
        let script = Script::new(
            Arc::clone(&self.subject.chain),
            self.case,
            &self.sound.after,
        );
        session::run(Arc::new(script), state, cut).map_err(|problem| {
            wrong(problem, "see whether a step takes very long; else it is a defect of the kit: report it with this state")
        })
    }

    /// Nothing begins before the migration is durable, and what is sent is what was planned.
    fn check_session(&self, session: &Session) -> Result<(), Violation> {
        let planned = self.sound.plan.update.as_ref();
        let planned = planned.map(|update| update.updated.as_str());
        let report = "this is a defect of the kit; report it with this state";
        match (&session.migration, planned) {
            (Some(sent), planned) if Some(sent.as_str()) != planned => {
                return Err(wrong(
                    format!(
                        "is sent: {sent}\nwas planned: {}",
                        planned.unwrap_or("nothing")
                    ),
                    report,
                ));
            }
            _ => {}
        }
        if session.started_early > 0 {
            let early = session.started_early;
            return Err(wrong(
                format!("{early} functions ran before the migration was durable"),
                report,
            ));
        }
        Ok(())
    }

    /// The state without what the clock told.
    fn comparable(&self, state: &Node) -> Node {
        let mut state = state.clone();
        let keys: Vec<String> = shape::bindings(&state)
            .map(|(key, _)| key.to_owned())
            .collect();
        for key in keys {
            let was_stamped = shape::binding(&self.sound.after, &key)
                .is_some_and(|binding| binding.present("last_initialized").is_some());
            let Some(binding) = shape::binding_mut(&mut state, &key) else {
                continue;
            };
            if !was_stamped {
                binding.remove("last_initialized");
            }
            for name in SNAPSHOT.names(binding) {
                if let Some(entry) = SNAPSHOT.entry_mut(binding, name.as_deref()) {
                    entry.remove("updated_at");
                }
            }
        }
        state
    }
}

fn wrong(came_out: impl Into<String>, remedy: &str) -> Violation {
    Violation::new(Law::Crash, came_out, remedy)
}

/// The case with its first bindings alone, and with small snapshots.
fn reduced(case: &Case) -> Case {
    let kept: Vec<String> = shape::bindings(&case.state)
        .take(BINDINGS)
        .map(|(key, _)| key.to_owned())
        .collect();
    let is_kept = |key: &str| kept.iter().any(|kept| kept == key);
    let mut reduced = case.clone();
    forget(&mut reduced.state, UNKNOWN); // No connector opens with members that nobody knows.
    if let Some(states) = reduced
        .state
        .as_object_mut()
        .and_then(|root| root.get_mut(BINDING_STATES)?.as_object_mut())
    {
        states.retain(|key, _| is_kept(key));
    }
    for key in &kept {
        let binding = shape::binding_mut(&mut reduced.state, key);
        binding.into_iter().for_each(keep_few_rows);
    }
    reduced
        .bindings
        .retain(|binding| is_kept(&binding.state_key));
    reduced
}

/// Removes the members of this name, at any depth.
fn forget(node: &mut Node, name: &str) {
    let Some(object) = node.as_object_mut() else {
        return;
    };
    object.remove(name);
    object.iter_mut().for_each(|(_, inner)| forget(inner, name));
}

fn keep_few_rows(binding: &mut Object) {
    for name in SNAPSHOT.names(binding) {
        let Some(entry) = SNAPSHOT.entry_mut(binding, name.as_deref()) else {
            continue;
        };
        let rows = entry
            .get("last_count")
            .and_then(|node| node.as_leaf()?.as_u64());
        if rows.is_some_and(|rows| rows > ROWS) {
            entry.insert("last_count", Node::integer(ROWS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use staunch_state::transform::flat_to_keyed;
    use staunch_state::{Binding, Budget, Chain};

    fn subject(name: &str) -> Subject {
        Subject::new(Chain::new().with(flat_to_keyed(name)), Budget::default())
    }

    fn case() -> Case {
        let state = r#"{"bindingStateV1":{"a":{"inc":{"cursor":7},"backfill":{"cutoff":7,"next_page":1}},
            "rows":{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":3000000000,"last_digest":"d"}},"off":{"inc":{"cursor":9}}}}"#;
        let binding = |(key, is_active): (&str, bool)| Binding {
            state_key: key.to_owned(),
            resource: Some(Node::Object(Object::new())),
            is_active,
        };
        Case {
            origin: "a state".to_owned(),
            state: Node::parse(state).unwrap(),
            bindings: [("a", true), ("rows", true), ("off", false)]
                .map(binding)
                .to_vec(),
            consents: Vec::new(),
        }
    }

    #[test]
    fn every_boundary_of_a_session_is_cut() {
        let killed = check(&subject("main"), &case(), 1_000).unwrap();
        // Open, Opened, the migration and its acknowledgement; a stamp for each of two bindings; a document and a checkpoint for each of
        // three functions, which are commits too.
        assert!(killed.kills >= 5 + 2 * 2 + 3 * 3, "{killed:?}");
        assert_eq!(killed.left_out, None);
        let few = check(&subject("main"), &case(), 3).unwrap();
        assert_eq!(few.kills, 3);
        assert!(few.left_out.is_some());
    }

    #[test]
    fn what_was_not_planned_is_told() {
        let (planned, case) = (subject("planned"), reduced(&case()));
        let sound = laws::check(&planned, &case).unwrap();
        let crash = Crash {
            subject: &subject("sent"),
            case: &case,
            sound: &sound,
        };
        let told = crash.session(&case.state, Cut::After(3)).unwrap();
        assert!(
            crash.check_session(&told).is_ok(),
            "nothing is committed yet"
        );
        let told = crash.session(&case.state, Cut::After(4)).unwrap();
        let wrong = crash.check_session(&told).unwrap_err();
        assert!(wrong.came_out.contains("was planned"), "{}", wrong.came_out);
    }

    #[test]
    fn functions_that_run_before_the_migration_is_durable_are_counted() {
        let (subject, case) = (subject("main"), reduced(&case()));
        let sound = laws::check(&subject, &case).unwrap();
        let script = |early: bool| {
            let script = Script::new(Arc::clone(&subject.chain), &case, &sound.after);
            if early {
                script.start();
            }
            Arc::new(script)
        };
        for (cut, early, expected) in [
            (Cut::After(4), false, 0),
            (Cut::After(4), true, 1),
            (Cut::Never, false, 0),
            (Cut::Never, true, 1),
        ] {
            let session = session::run(script(early), &case.state, cut).unwrap();
            assert_eq!(session.started_early, expected, "{cut:?}");
            assert_eq!(session.error, None);
        }
    }

    #[test]
    fn a_migration_that_needs_consent_writes_nothing() {
        let chain = Chain::new().with(staunch_state::transform::reset(|_, state| {
            state.contains("backfill")
        }));
        let subject = Subject::new(chain, Budget::default());
        let consented = Case {
            consents: vec!["backfill:a".parse().unwrap()],
            ..case()
        };
        assert_eq!(check(&subject, &consented, 10).unwrap().kills, 0);
    }
}
