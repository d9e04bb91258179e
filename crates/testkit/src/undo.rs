//! The laws of reverses: undone right away, and undone after the capture has gone on.

use std::collections::BTreeMap;

use staunch_state::{
    BINDING_STATES, Chain, ConnectorState, Migrated, Node, Object, Outcome, Terms, survey,
};

use crate::allowed;
use crate::case::{self, Case, Subject};
use crate::law::{Law, Violation};
use crate::laws::Sound;
use crate::progress::progressed;
use crate::random::Random;
use crate::reading::{self, Reading};
use crate::shape::{self, tidy};

/// What came of undoing.
#[derive(Debug, Default)]
pub(crate) struct Undone {
    /// Bindings that were undone.
    pub(crate) bindings: usize,
    /// Why some were not.
    pub(crate) left_out: Option<String>,
}

/// A binding that a step changed: its keys now and before, and the places of the steps.
struct Changed<'a> {
    after: &'a str,
    before: &'a str,
    places: Vec<usize>,
}

/// Undoes a migration, as far as it can be undone, and holds what comes out against the laws.
pub(crate) fn check(
    subject: &Subject,
    case: &Case,
    sound: &Sound,
    random: &mut Random,
) -> Result<Undone, Violation> {
    let mut undone = Undone::default();
    check_beside(subject, case, sound)?;
    for (first, bindings) in groups(subject, sound) {
        let Some(back) = &subject.back_before[first] else {
            undone.left_out = Some(subject.why_not_back_before(first));
            continue;
        };
        let kept: Vec<&str> = bindings.iter().map(|changed| changed.after).collect();
        let after = restricted(&sound.after, &kept);
        undone.bindings += at_once(subject, case, sound, back, &bindings, &after)?;
        later(subject, case, back, &bindings, &progressed(&after, random))?;
    }
    Ok(undone)
}

/// Bindings that were changed, by the first step that changed each: undone from there on, they are what they were.
fn groups<'a>(subject: &Subject, sound: &'a Sound) -> BTreeMap<usize, Vec<Changed<'a>>> {
    let mut groups: BTreeMap<usize, Vec<Changed<'a>>> = BTreeMap::new();
    for (after, before) in sound.pairs() {
        if shape::binding(&sound.after, after).is_none() {
            continue; // Removed: there is nothing to be undone.
        }
        let concerned = sound.applied.iter().filter(|applied| {
            let mut keys = applied.state_keys.iter();
            keys.any(|key| **key == *after || **key == *before)
        });
        let mut places: Vec<usize> = concerned
            .filter_map(|applied| subject.place(&applied.migration))
            .collect();
        places.sort_unstable();
        if let Some(&first) = places.first() {
            groups.entry(first).or_default().push(Changed {
                after,
                before,
                places,
            });
        }
    }
    groups
}

/// The state of these bindings, with what belongs to none.
fn restricted(state: &Node, keys: &[&str]) -> Node {
    let mut state = state.clone();
    if let Some(states) = shape::states_mut(&mut state) {
        states.retain(|key, _| keys.contains(&key));
    }
    state
}

/// What belongs to no binding, where a step changed nothing else.
fn check_beside(subject: &Subject, case: &Case, sound: &Sound) -> Result<(), Violation> {
    let beside: Vec<usize> = sound
        .applied
        .iter()
        .filter(|applied| applied.state_keys.iter().any(|key| key.is_empty()))
        .map(|applied| match applied.state_keys.len() {
            1 => subject.place(&applied.migration),
            _ => None, // It carries state between bindings and what is beside them: neither can be undone alone.
        })
        .collect::<Option<_>>()
        .unwrap_or_default();
    let Some(back) = beside
        .iter()
        .min()
        .and_then(|first| subject.back_before[*first].as_ref())
    else {
        return Ok(());
    };
    let down = undo(Law::Undone, back, case, &restricted(&sound.after, &[]))?;
    let members = |state: &Node| {
        let mut root = state.as_object().cloned().unwrap_or_default();
        root.remove(BINDING_STATES);
        Node::Object(root)
    };
    let (was, is) = (members(&case.state), members(&down.after));
    if was.same_state(&is) {
        return Ok(());
    }
    Err(Violation::new(
        Law::Undone,
        format!(
            "beside the bindings, before: {}\nundone: {}",
            was.to_json(),
            is.to_json()
        ),
        "correct the reverse, or declare none",
    ))
}

fn at_once(
    subject: &Subject,
    case: &Case,
    sound: &Sound,
    back: &Chain,
    bindings: &[Changed<'_>],
    after: &Node,
) -> Result<usize, Violation> {
    let down = undo(Law::Undone, back, case, after)?;
    let mut undone = 0;
    for changed in bindings {
        // What went beyond the shape that this binding had is another release's.
        if !places(subject, back, &down, changed).all(|place| changed.places.contains(&place)) {
            continue;
        }
        undone += 1;
        let was = shape::binding(&case.state, changed.before);
        let is = shape::binding(&down.after, changed.before);
        if same(was, is) {
            continue;
        }
        let allowed = allowed::of(
            &subject.declared,
            &sound.applied,
            &[changed.after, changed.before],
        );
        let (old, new) = (Reading::of(was), Reading::of(is));
        // A conversion cuts off what is finer, and that does not come back: what is read on is what counts.
        let is_coarser =
            !allowed.rules().is_empty() && reading::missed(&old, &new, &allowed).is_none();
        if !is_coarser {
            return Err(Violation::new(
                Law::Undone,
                format!(
                    "binding `{}` before: {}\nundone: {}",
                    changed.before,
                    told(was),
                    told(is)
                ),
                "correct the reverse, or declare none",
            ));
        }
    }
    Ok(undone)
}

/// The places, in the chain forth, of the steps whose reverses changed a binding.
fn places<'a>(
    subject: &'a Subject,
    back: &'a Chain,
    down: &'a Migrated,
    changed: &'a Changed<'_>,
) -> impl Iterator<Item = usize> + 'a {
    let concerned = down.applied.iter().filter(|applied| {
        let mut keys = applied.state_keys.iter();
        keys.any(|key| **key == *changed.after || **key == *changed.before)
    });
    concerned.filter_map(|applied| {
        let at = back.names().position(|name| name == applied.migration)?;
        subject.names.len().checked_sub(at + 1)
    })
}

fn later(
    subject: &Subject,
    case: &Case,
    back: &Chain,
    bindings: &[Changed<'_>],
    progressed: &Node,
) -> Result<(), Violation> {
    let down = undo(Law::UndoneLater, back, case, progressed)?;
    let wrong = |came_out: String| {
        Violation::new(
            Law::UndoneLater,
            format!(
                "{came_out}\ngone on: {}\nundone: {}",
                progressed.to_json(),
                down.after.to_json()
            ),
            "have the reverse take the earliest of what it joins, and keep what is unfinished",
        )
    };
    let declared = back.declared();
    for changed in bindings {
        let allowed = allowed::of(&declared, &down.applied, &[changed.after, changed.before]);
        let (old, new) = (
            Reading::of(shape::binding(progressed, changed.after)),
            Reading::of(shape::binding(&down.after, changed.before)),
        );
        let ahead = reading::is_ahead(&old, &new).or_else(|| reading::missed(&old, &new, &allowed));
        if let Some(ahead) = ahead {
            return Err(wrong(format!("of binding `{}`: {ahead}", changed.before)));
        }
    }
    if !decodes(&restricted(
        &case.state,
        &bindings
            .iter()
            .map(|changed| changed.before)
            .collect::<Vec<_>>(),
    )) {
        return Ok(()); // Before there was a shape that today's model does not know: no plan could be made of it.
    }
    let terms = Terms {
        declared,
        consents: Vec::new(),
        budget: subject.budget,
    };
    let plan = survey(
        progressed,
        &down.after,
        &case.bindings,
        &down.applied,
        &terms,
    )
    .map_err(|refused| wrong(format!("a plan of the way back is refused: {refused}")))?;
    let harmless = [Outcome::Keep, Outcome::Rewrite, Outcome::Rewind];
    match plan
        .groups
        .iter()
        .find(|group| !harmless.contains(&group.outcome))
    {
        None => Ok(()),
        Some(group) => Err(wrong(format!(
            "the way back is a {:?} of {} bindings: {}",
            group.outcome,
            group.bindings.len(),
            group.notes.join(", ")
        ))),
    }
}

fn undo(law: Law, back: &Chain, case: &Case, state: &Node) -> Result<Migrated, Violation> {
    case::run(back, state, &case.bindings)?.map_err(|error| {
        Violation::new(
            law,
            format!("the reverse refuses: {error}\nof: {}", state.to_json()),
            "correct the reverse, or declare none",
        )
    })
}

fn decodes(state: &Node) -> bool {
    ConnectorState::new(state.clone())
        .and_then(|state| state.decode())
        .is_ok()
}

fn same(was: Option<&Object>, is: Option<&Object>) -> bool {
    match (was, is) {
        (Some(was), Some(is)) => Node::Object(tidy(was)).same_state(&Node::Object(tidy(is))),
        (was, is) => was.is_none() && is.is_none(),
    }
}

fn told(state: Option<&Object>) -> String {
    state.map_or_else(
        || format!("absent from `{BINDING_STATES}`"),
        |state| Node::Object(state.clone()).to_json(),
    )
}
