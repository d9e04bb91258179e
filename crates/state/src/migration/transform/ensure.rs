//! An entry for each subtask that is configured, and what becomes of those that are not any more.

use super::shape::{ARCHIVE, BACKFILL, INC, PARTS, PartShape, SNAPSHOT};
use super::{Never, Rule, Transform, sealed};
use crate::cursor::Cursor;
use crate::migration::{Binding, Effects, MigrationError};
use crate::node::{Node, Object};

/// Every subtask has its entries: one that is new gets its initial state, in the flat shape of a binding's state.
///
/// Whether a subtask is new is decided by `inc` alone (by `snapshot`, for an initial state without `inc`): one that is there and has no
/// backfill has finished it. One with a backfill and no `inc`, which an interrupted start leaves behind, gets the cutoff of that backfill as
/// its cursor and goes on with it. An initial state with a backfill has its cursor at the cutoff; one without is declared to begin
/// at its cursor.
///
/// Subtasks that are not listed are kept, and resume where they stand when they are listed again;
/// [`dropping_others`](Transform::dropping_others) and [`archiving_others`](Transform::archiving_others) do otherwise. A flat state is left
/// alone: give it a key first, with [`flat_to_keyed`](super::flat_to_keyed). Named `ensure-subtasks`. It has no reverse: an earlier release with the same
/// shape reads the state as it is.
///
/// ```
/// use staunch_state::transform::{ensure_subtasks, flat_to_keyed};
/// use staunch_state::{Chain, Node};
///
/// let initial = Node::parse(r#"{"inc":{"cursor":90},"backfill":{"cutoff":90}}"#)?.into_object().unwrap();
/// let chain = Chain::new()
///     .with(flat_to_keyed("alpha"))
///     .with(ensure_subtasks(["alpha", "beta"].map(|store| (store, initial.clone()))));
///
/// let before = Node::parse(r#"{"bindingStateV1":{"orders":{"inc":{"cursor":70}}}}"#)?;
/// let after = chain.run(&before, &[])?.after;
/// assert_eq!(
///     after.pointer("/bindingStateV1/orders").unwrap().to_json(),
///     r#"{"inc":{"alpha":{"cursor":70},"beta":{"cursor":90}},"backfill":{"beta":{"cutoff":90}}}"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn ensure_subtasks<S: Into<String>>(
    subtasks: impl IntoIterator<Item = (S, Object)>,
) -> Transform<EnsureSubtasks> {
    let subtasks = subtasks
        .into_iter()
        .map(|(name, initial)| (name.into(), initial));
    Transform::new(
        "ensure-subtasks",
        EnsureSubtasks {
            subtasks: subtasks.collect(),
            others: Others::Kept,
        },
    )
}

/// See [`ensure_subtasks`].
#[derive(Clone, Debug)]
pub struct EnsureSubtasks {
    subtasks: Vec<(String, Object)>,
    others: Others,
}

/// What becomes of the subtasks that are not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    Kept,
    Dropped,
    Archived,
}

impl Transform<EnsureSubtasks> {
    /// Gives up the subtasks that are not listed: listed again, they start over.
    #[must_use]
    pub fn dropping_others(mut self) -> Self {
        self.rule.others = Others::Dropped;
        self
    }

    /// Puts the subtasks that are not listed aside, under `archived` of the binding's state: nothing runs for them, and listed again they
    /// resume from there. A connector whose model of the state is closed, as estuary-cdk's is, cannot read such a state.
    #[must_use]
    pub fn archiving_others(mut self) -> Self {
        self.rule.others = Others::Archived;
        self
    }
}

impl EnsureSubtasks {
    fn is_listed(&self, name: &str) -> bool {
        self.subtasks.iter().any(|(listed, _)| listed == name)
    }

    fn ensured(&self, mut state: Object) -> Result<Object, MigrationError> {
        for (name, initial) in &self.subtasks {
            let decides = if initial.present(INC.name).is_some() {
                INC
            } else {
                SNAPSHOT
            };
            if decides.entry(&state, name).is_none() && !restore(&mut state, name)? {
                begin(&mut state, name, initial)?;
            }
        }
        for part in PARTS {
            let others: Vec<String> = part
                .subtasks(&state)
                .filter(|(name, _)| !self.is_listed(name))
                .map(|(name, _)| name.to_owned())
                .collect();
            for name in others {
                match self.others {
                    Others::Kept => {}
                    Others::Dropped => {
                        part.take(&mut state, &name);
                    }
                    Others::Archived => archive(&mut state, part, &name),
                }
            }
        }
        Ok(state)
    }
}

/// Gives a new subtask its entries. A backfill that it has already goes on, from where it was cut off.
fn begin(state: &mut Object, name: &str, initial: &Object) -> Result<(), MigrationError> {
    let is_incremental = initial.present(INC.name).is_some();
    if let Some(backfill) = BACKFILL.entry(state, name).filter(|_| is_incremental) {
        let cutoff = backfill.present("cutoff").cloned().ok_or_else(|| {
            BACKFILL.failed_at(
                Some(name),
                "cutoff",
                "is absent, so that nothing tells where to go on; remove the entry to start that subtask over",
            )
        })?;
        return INC.put(state, name, Object::from_iter([("cursor", cutoff)]));
    }
    for part in PARTS {
        if let Some(entry) = initial.present(part.name).and_then(Node::as_object)
            && part.entry(state, name).is_none()
        {
            part.put(state, name, entry.clone())?;
        }
    }
    Ok(())
}

fn archived(state: &Object) -> Option<&Object> {
    state.get(ARCHIVE)?.as_object()
}

/// Whether the entries of a subtask were in the archive; they are back then.
fn restore(state: &mut Object, name: &str) -> Result<bool, MigrationError> {
    let mut is_restored = false;
    for part in PARTS {
        if archived(state).is_none_or(|archive| part.entry(archive, name).is_none()) {
            continue;
        }
        let Some(archive) = state.get_mut(ARCHIVE).and_then(Node::as_object_mut) else {
            continue;
        };
        if let Some(entry) = part.take(archive, name) {
            part.put(state, name, entry)?;
            is_restored = true;
        }
    }
    if is_restored {
        tidy(state);
    }
    Ok(is_restored)
}

/// An archive of nothing is none.
fn tidy(state: &mut Object) {
    if let Some(archive) = state.get_mut(ARCHIVE).and_then(Node::as_object_mut) {
        archive.retain(|_, part| part.as_object().is_none_or(|part| !part.is_empty()));
    }
    if archived(state).is_some_and(Object::is_empty) {
        state.remove(ARCHIVE);
    }
}

fn archive(state: &mut Object, part: PartShape, name: &str) {
    let Some(entry) = part.take(state, name) else {
        return;
    };
    let mut archive = archived(state).cloned().unwrap_or_default();
    let mut entries = part.of(&archive).cloned().unwrap_or_default();
    entries.insert(name, entry);
    archive.insert(part.name, entries);
    state.insert(ARCHIVE, archive);
}

impl sealed::Sealed for EnsureSubtasks {}

impl Rule for EnsureSubtasks {
    type Reverse = Never;

    fn applies(&self, _: &Binding, state: &Object) -> bool {
        if INC.is_flat(state) || SNAPSHOT.is_flat(state) {
            return false;
        }
        // What cannot be ensured is said so by `migrate`.
        self.ensured(state.clone())
            .map_or(true, |ensured| ensured != *state)
    }

    fn migrate(&self, _: &Binding, state: Object) -> Result<Object, MigrationError> {
        self.ensured(state)
    }

    fn declares(&self) -> Effects {
        let mut effects = Effects::NONE;
        for (name, initial) in &self.subtasks {
            let cursor = initial
                .get(INC.name)
                .and_then(|inc| inc.as_object()?.get("cursor"));
            if initial.present(BACKFILL.name).is_none()
                && let Some(Ok(cursor)) = cursor.map(Cursor::from_node)
            {
                effects = effects.begins(name, cursor);
            }
        }
        match self.others {
            Others::Kept | Others::Archived => effects,
            Others::Dropped => effects.drops_all_but(self.subtasks.iter().map(|(name, _)| name)),
        }
    }

    fn reverse(&self) -> Option<Never> {
        None
    }

    fn definition(&self) -> String {
        let subtasks: Vec<String> = self
            .subtasks
            .iter()
            .map(|(name, initial)| format!("{name} {}", Node::Object(initial.clone())))
            .collect();
        format!(
            "each of {} has its entries; others are {:?}",
            subtasks.join(", "),
            self.others
        )
    }
}
