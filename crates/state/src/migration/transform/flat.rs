//! From one entry to an entry under a key, and back.

use super::shape::{BACKFILL, INC, PARTS, SNAPSHOT};
use super::{Rule, Transform, sealed};
use crate::migration::{Binding, Effects, MigrationError};
use crate::node::Object;

/// `inc: {cursor}` becomes `inc: {<key>: {cursor}}`, and an unfinished flat backfill moves with it.
///
/// A finished backfill is no entry before and none after: `inc` says that the subtask is not new. A snapshot, and
/// every other member, stays as it is. Undone by [`keyed_to_flat`]. Named `flat-to-keyed`.
pub fn flat_to_keyed(key: impl Into<String>) -> Transform<FlatToKeyed> {
    Transform::new(
        "flat-to-keyed",
        FlatToKeyed {
            key: key.into(),
            is_marking: false,
            is_of_snapshots: false,
        },
    )
}

/// `inc: {<key>: {cursor}}` becomes `inc: {cursor}`, and so do an unfinished backfill and a snapshot of that key. A part without
/// entries, as finished backfills leave it, goes.
///
/// A binding with other subtasks is refused, unless [`dropping_others`](Transform::dropping_others) gives them up; one without that key
/// has the old shape of something else, and is left alone. To carry all of them on, from the earliest of their cursors, there is
/// [`keyed_to_earliest`](super::keyed_to_earliest). Undone by [`flat_to_keyed`], unless it drops others. Named `keyed-to-flat`.
pub fn keyed_to_flat(key: impl Into<String>) -> Transform<KeyedToFlat> {
    Transform::new(
        "keyed-to-flat",
        KeyedToFlat {
            key: key.into(),
            is_dropping: false,
        },
    )
}

/// See [`flat_to_keyed`].
#[derive(Clone, Debug)]
pub struct FlatToKeyed {
    key: String,
    is_marking: bool,
    /// Whether a snapshot moves too, as it does where this undoes [`keyed_to_flat`].
    is_of_snapshots: bool,
}

/// See [`keyed_to_flat`].
#[derive(Clone, Debug)]
pub struct KeyedToFlat {
    key: String,
    is_dropping: bool,
}

impl Transform<FlatToKeyed> {
    /// Leaves `backfill: {}` where no backfill is unfinished, as connectors do that ask this member whether the resource has backfills.
    #[must_use]
    pub fn marking_finished(mut self) -> Self {
        self.rule.is_marking = true;
        self
    }
}

impl Transform<KeyedToFlat> {
    /// Gives up every subtask but the one of the key: what they captured stays, where they stood is forgotten.
    #[must_use]
    pub fn dropping_others(mut self) -> Self {
        self.rule.is_dropping = true;
        self
    }
}

impl sealed::Sealed for FlatToKeyed {}

impl Rule for FlatToKeyed {
    type Reverse = KeyedToFlat;

    fn applies(&self, _: &Binding, state: &Object) -> bool {
        INC.is_flat(state)
    }

    fn migrate(&self, _: &Binding, mut state: Object) -> Result<Object, MigrationError> {
        for part in PARTS {
            let is_moved = part != SNAPSHOT || self.is_of_snapshots;
            if is_moved && part.is_flat(&state) {
                let entry = part.take_flat(&mut state)?;
                part.put(&mut state, &self.key, entry)?;
            }
        }
        if self.is_marking && BACKFILL.of(&state).is_none() {
            state.insert(BACKFILL.name, Object::new());
        }
        Ok(state)
    }

    fn reverse(&self) -> Option<KeyedToFlat> {
        Some(KeyedToFlat {
            key: self.key.clone(),
            is_dropping: false,
        })
    }

    fn definition(&self) -> String {
        let marking = if self.is_marking {
            ", marking finished backfills"
        } else {
            ""
        };
        let snapshots = if self.is_of_snapshots {
            ", snapshots too"
        } else {
            ""
        };
        format!(
            "the flat entry becomes that of subtask {}{marking}{snapshots}",
            self.key
        )
    }
}

impl sealed::Sealed for KeyedToFlat {}

impl Rule for KeyedToFlat {
    type Reverse = FlatToKeyed;

    fn applies(&self, _: &Binding, state: &Object) -> bool {
        INC.entry(state, &self.key).is_some()
    }

    fn migrate(&self, _: &Binding, mut state: Object) -> Result<Object, MigrationError> {
        for part in PARTS {
            let others = part.subtasks(&state).find(|(name, _)| *name != self.key);
            if let (Some((name, _)), false) = (others, self.is_dropping) {
                return Err(part.failed(format!(
                    "it has the subtask `{name}` beside `{}`, and nothing would carry that on; \
                     remove it first, or declare `dropping_others()` if giving it up is meant",
                    self.key
                )));
            }
        }
        for part in PARTS {
            match part.take(&mut state, &self.key) {
                Some(entry) => {
                    state.insert(part.name, entry);
                }
                // None is unfinished, which a flat state says by having no entry.
                None if part.subtasks(&state).next().is_some() => {
                    state.remove(part.name);
                }
                None => part.remove_empty(&mut state),
            }
        }
        Ok(state)
    }

    fn declares(&self) -> Effects {
        if self.is_dropping {
            Effects::NONE.drops_all_but([&self.key])
        } else {
            Effects::NONE
        }
    }

    fn reverse(&self) -> Option<FlatToKeyed> {
        (!self.is_dropping).then(|| FlatToKeyed {
            key: self.key.clone(),
            is_marking: false,
            is_of_snapshots: true,
        })
    }

    fn definition(&self) -> String {
        let dropping = if self.is_dropping {
            ", others are dropped"
        } else {
            ""
        };
        format!(
            "the entry of subtask {} becomes the flat one{dropping}",
            self.key
        )
    }
}
