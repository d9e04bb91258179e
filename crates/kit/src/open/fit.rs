//! Whether a resource can go on with its state.

use staunch_state::{Part, ResourceState};

use super::initialise::Beginning;
use crate::capture::{BackfillFn, IncrementalFn, SnapshotFn, TaskError};
use crate::resource::{Functions, Resource};

/// Sees that a resource can begin with a state.
pub(super) fn check_fit(
    state_key: &str,
    resource: &Resource,
    beginning: &Beginning,
) -> Result<(), TaskError> {
    let wrong = misfit(
        resource.incremental.as_ref(),
        resource.backfill.as_ref(),
        resource.snapshot.as_ref(),
        &beginning.typed,
    );
    let Some((pointer, problem)) = wrong else {
        return Ok(());
    };
    let problem = match beginning.is_initial {
        true => "its initial state does not fit its functions; give the resource one that does",
        false => problem,
    };
    Err(TaskError::State {
        state_key: state_key.to_owned(),
        binding: resource.name.clone(),
        pointer,
        problem: problem.to_owned(),
    })
}

/// Whether a function of the resource goes on with a backfill of the state. What no function goes on with is not in progress, or a
/// schedule would be put off for ever.
pub(super) fn is_backfilling(resource: &Resource, state: &ResourceState) -> bool {
    match (&resource.backfill, &state.backfill) {
        (Some(Functions::Flat(_)), Part::Flat(_)) => true,
        (Some(Functions::Named(named)), backfill) => named
            .iter()
            .any(|(name, _)| backfill.subtask(name).is_some()),
        (Some(Functions::Each(_)), Part::Keyed(_)) => !state.backfill.is_none(),
        _ => false,
    }
}

/// Where a state has another shape than the functions that are to go on with it: the place, and what is wrong there.
pub(super) fn misfit(
    incremental: Option<&Functions<IncrementalFn>>,
    backfill: Option<&Functions<BackfillFn>>,
    snapshot: Option<&Functions<SnapshotFn>>,
    state: &ResourceState,
) -> Option<(String, &'static str)> {
    let inc = wrong_shape(incremental, &state.inc);
    let backfill = wrong_shape(backfill, &state.backfill);
    let snapshot = wrong_shape(snapshot, &state.snapshot);
    let parts = [
        ("/inc", inc),
        ("/backfill", backfill),
        ("/snapshot", snapshot),
    ];
    let wrong = parts
        .into_iter()
        .find_map(|(pointer, problem)| Some((pointer.to_owned(), problem?)));
    wrong.or_else(|| without_cursor(incremental, state).map(|pointer| (pointer, NO_CURSOR)))
}

pub(super) const NO_CURSOR: &str = "there is no cursor; migrate the state, or reset the binding";

/// The place of a cursor that a function needs, and that is not there.
fn without_cursor(
    incremental: Option<&Functions<IncrementalFn>>,
    state: &ResourceState,
) -> Option<String> {
    match incremental? {
        Functions::Flat(_) => state.inc.is_none().then(|| "/inc".to_owned()),
        Functions::Named(named) => {
            let mut names = named.iter().map(|(name, _)| name);
            let missing = names.find(|name| state.inc.subtask(name).is_none())?;
            Some(format!("/inc/{missing}"))
        }
        Functions::Each(_) => None,
    }
}

fn wrong_shape<F, T>(functions: Option<&Functions<F>>, part: &Part<T>) -> Option<&'static str> {
    const FLAT: &str =
        "it is of the whole resource where the connector captures by subtask; migrate the state";
    const KEYED: &str =
        "it is by subtask where the connector captures the resource as a whole; migrate the state";
    match (functions?, part) {
        (Functions::Flat(_), Part::Keyed(subtasks)) if !subtasks.is_empty() => Some(KEYED),
        (Functions::Named(_) | Functions::Each(_), Part::Flat(_)) => Some(FLAT),
        _ => None,
    }
}
