//! The run that was not killed: which points there are, what it led to, and every state on its way.

use std::sync::OnceLock;

use serde_json::Value;
use staunch_crash_tests::script::{self, Release};

use crate::found::{self, Found, without_times};
use crate::point::{Point, Victim};
use crate::project::{Ended, Pace, Project};

/// How often a run that ended before its end is run again.
const ATTEMPTS: usize = 5;

/// What one release did.
struct Played {
    ended: Ended,
    project: Project,
    found: Found,
    /// Every state that was committed, oldest first; the first is that which it began with.
    states: Vec<Value>,
}

/// The scenario, played to its end.
pub(crate) struct Reference {
    pub(crate) pace: Pace,
    first: Played,
    second: Played,
}

impl Reference {
    /// That of a pace, played once for all tests.
    pub(crate) fn of(pace: Pace) -> &'static Reference {
        static PACED: OnceLock<Reference> = OnceLock::new();
        static FREE: OnceLock<Reference> = OnceLock::new();
        let of_pace = match pace {
            Pace::Paced => &PACED,
            Pace::Free => &FREE,
        };
        of_pace.get_or_init(|| {
            let nothing = found::look(&Project::new(pace)).expect("an empty folder is no fault");
            let first = play(Release::First, &Project::new(pace), &nothing);
            let second = play(Release::Second, &first.project, &first.found);
            Reference {
                pace,
                first,
                second,
            }
        })
    }

    /// A project at the place where a release begins.
    pub(crate) fn begin(&self, release: Release) -> Project {
        match release {
            Release::First => Project::new(self.pace),
            Release::Second => self.first.project.copy(),
        }
    }

    /// A project at the place where a release ends.
    pub(crate) fn begin_after(&self, release: Release) -> Project {
        self.played(release).project.copy()
    }

    /// Every message, with the one who is killed at it.
    pub(crate) fn messages(&self, victim: Victim) -> Vec<Point> {
        let points = |release| {
            let count = self.played(release).ended.log.messages.len();
            (1..=count).map(move |number| Point::message(release, number, victim))
        };
        points(Release::First)
            .chain(points(Release::Second))
            .collect()
    }

    /// Every store step.
    pub(crate) fn steps(&self) -> Vec<Point> {
        let points = |release| {
            let names = &self.played(release).ended.steps;
            names
                .iter()
                .enumerate()
                .map(move |(index, name)| Point::step(release, index + 1, name))
        };
        points(Release::First)
            .chain(points(Release::Second))
            .collect()
    }

    /// The first step of this name in the second release.
    pub(crate) fn step_of(&self, name: &str) -> Point {
        let steps = self
            .steps()
            .into_iter()
            .filter(|point| point.release == Release::Second);
        steps
            .into_iter()
            .find(|point| point.is_named(name))
            .unwrap_or_else(|| panic!("no run passes a step `{name}`"))
    }

    /// The step that comes so many after another.
    pub(crate) fn step_after(&self, point: &Point, count: usize) -> Point {
        let steps = self.steps();
        let at = steps
            .iter()
            .position(|step| step == point)
            .expect("the point is one of the steps");
        steps[at + count].clone()
    }

    /// Whether a state is one that the run which was not killed has committed. Where tasks race, nobody knows: then any.
    pub(crate) fn was_at(&self, release: Release, state: &Value) -> bool {
        self.pace == Pace::Free || self.played(release).states.contains(state)
    }

    /// Whether a run that was killed at a point came there as the run that was not. Where tasks race, no two do.
    pub(crate) fn is_reached(&self, point: &Point, killed: &Ended) -> bool {
        self.pace == Pace::Free || point.is_reached_as_in(killed, &self.played(point.release).ended)
    }

    /// What differs from the run that was not killed, now that a release is at its end.
    pub(crate) fn compare(&self, release: Release, found: &Found) -> Result<(), String> {
        let expected = &self.played(release).found;
        let differ = |what: &str, found: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
            Err(format!(
                "{what} differ: {found:?}, and without the kill {expected:?}"
            ))
        };
        if found.state != expected.state {
            return differ("states", &found.state, &expected.state);
        }
        if self.documents(found) != self.documents(expected) {
            return differ("documents", &found.documents, &expected.documents);
        }
        if found.migrations != expected.migrations {
            return differ("migrations", &found.migrations, &expected.migrations);
        }
        match found.uncommitted_bytes {
            0 => Ok(()),
            bytes => Err(format!(
                "{bytes} bytes after the committed length were left in files"
            )),
        }
    }

    /// Documents as they can be compared: in order, where tasks take turns.
    fn documents(&self, found: &Found) -> Vec<(String, Vec<String>)> {
        let of_file = |(path, documents): (&String, &Vec<Value>)| {
            let mut documents: Vec<String> = documents.iter().map(Value::to_string).collect();
            if self.pace == Pace::Free {
                documents.sort_unstable();
            }
            (path.clone(), documents)
        };
        found.documents.iter().map(of_file).collect()
    }

    fn played(&self, release: Release) -> &Played {
        match release {
            Release::First => &self.first,
            Release::Second => &self.second,
        }
    }
}

/// Whether a release has nothing more to do.
pub(crate) fn is_at_end(release: Release, found: &Found) -> bool {
    script::told(&found.state).is_ok_and(|told| told.captured == script::end(release))
}

/// Plays a release in one run. A run that a slow machine has ended early is no reference.
fn play(release: Release, begin: &Project, before: &Found) -> Played {
    for _ in 0..ATTEMPTS {
        let project = begin.copy();
        let ended = project.run(release, &[]);
        assert!(
            ended.status.success(),
            "{release:?} fails by itself: {}",
            ended.said
        );
        let found = found::look(&project).expect("a run that was not killed leaves all in order");
        if is_at_end(release, &found) {
            let states = states(&before.state, &ended);
            assert_eq!(
                states.last(),
                Some(&found.state),
                "the checkpoints lead to the state"
            );
            return Played {
                ended,
                project,
                found,
                states,
            };
        }
    }
    panic!(
        "{release:?} does not come to its end in one run, {ATTEMPTS} times; is the machine this slow?"
    )
}

/// The states that the checkpoints of a run lead to, one by one.
fn states(before: &Value, ended: &Ended) -> Vec<Value> {
    let mut state = before.clone();
    let mut states = vec![state.clone()];
    for checkpoint in ended.log.responses("checkpoint") {
        assert_eq!(
            checkpoint["state"]["mergePatch"], true,
            "the script replaces no state"
        );
        merge(&mut state, &checkpoint["state"]["updated"]);
        states.push(without_times(state.clone()));
    }
    states
}

/// RFC 7396, once more: what is tested is not what tells whether it is right.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Default::default());
    }
    let members = target.as_object_mut().expect("it was made one");
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}
