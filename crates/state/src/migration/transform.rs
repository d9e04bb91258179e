//! Ready-made migrations for what connectors do in practice.

use std::time::Duration;

use crate::cursor::Cursor;
use crate::model::check_subtask_name;
use crate::node::{Node, Object};

use super::{Binding, Effects, Migration, MigrationError};

/// `inc: {cursor}` becomes `inc: {<key>: {cursor}}`, and an unfinished flat backfill moves with it.
///
/// A finished backfill is no entry before and none after: `inc` says that the subtask is not new. A snapshot, and
/// every other member, stays as it is. Named `flat-to-keyed`.
pub fn flat_to_keyed(key: impl Into<String>) -> FlatToKeyed {
    FlatToKeyed {
        key: key.into(),
        name: "flat-to-keyed".to_owned(),
    }
}

/// `inc: {cursor}` becomes an entry for each subtask, whose cursor is earlier by its lag.
///
/// Lags need a date-time cursor, and are declared as a rewind. Backfills stay as they are. Named
/// `flat-to-subtasks`.
pub fn flat_to_subtasks<S: Into<String>>(
    subtasks: impl IntoIterator<Item = (S, Duration)>,
) -> FlatToSubtasks {
    FlatToSubtasks {
        subtasks: subtasks
            .into_iter()
            .map(|(name, lag)| (name.into(), lag))
            .collect(),
        name: "flat-to-subtasks".to_owned(),
    }
}

/// See [`flat_to_keyed`].
#[derive(Clone, Debug)]
pub struct FlatToKeyed {
    key: String,
    name: String,
}

/// See [`flat_to_subtasks`].
#[derive(Clone, Debug)]
pub struct FlatToSubtasks {
    subtasks: Vec<(String, Duration)>,
    name: String,
}

impl FlatToKeyed {
    /// Gives it a name of its own, where a chain has two of them.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl FlatToSubtasks {
    /// Gives it a name of its own, where a chain has two of them.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl Migration for FlatToKeyed {
    fn name(&self) -> &str {
        &self.name
    }

    fn applies(&self, _binding: &Binding, state: &Object) -> bool {
        is_flat(state, "inc", &["cursor"])
    }

    fn migrate(&self, _binding: &Binding, mut state: Object) -> Result<Object, MigrationError> {
        let entry = take_flat(&mut state, "inc", "cursor")?;
        put_keyed(&mut state, "inc", [(self.key.as_str(), entry)])?;
        if is_flat(&state, "backfill", &["cutoff", "next_page"]) {
            let entry = take_flat(&mut state, "backfill", "cutoff")?;
            put_keyed(&mut state, "backfill", [(self.key.as_str(), entry)])?;
        }
        Ok(state)
    }
}

impl Migration for FlatToSubtasks {
    fn name(&self) -> &str {
        &self.name
    }

    fn applies(&self, _binding: &Binding, state: &Object) -> bool {
        is_flat(state, "inc", &["cursor"])
    }

    fn migrate(&self, _binding: &Binding, mut state: Object) -> Result<Object, MigrationError> {
        let entry = take_flat(&mut state, "inc", "cursor")?;
        let subtasks = self.subtasks.iter().map(|(name, lag)| {
            let mut entry = entry.clone();
            if !lag.is_zero() {
                let cursor = entry
                    .get("cursor")
                    .map(earlier_by(*lag))
                    .unwrap_or(Ok(Node::Null))?;
                entry.insert("cursor", cursor);
            }
            Ok((name.as_str(), entry))
        });
        let subtasks = subtasks.collect::<Result<Vec<_>, MigrationError>>()?;
        put_keyed(&mut state, "inc", subtasks)?;
        Ok(state)
    }

    fn declares(&self) -> Effects {
        let lag = self
            .subtasks
            .iter()
            .map(|(_, lag)| *lag)
            .max()
            .unwrap_or_default();
        if lag.is_zero() {
            Effects::NONE
        } else {
            Effects::NONE.rewind(lag)
        }
    }
}

fn earlier_by(lag: Duration) -> impl Fn(&Node) -> Result<Node, MigrationError> {
    move |node| {
        let cursor = Cursor::from_node(node)
            .map_err(|error| MigrationError::failed("/inc/cursor", error.to_string()))?;
        let earlier = cursor.earlier_by(lag).ok_or_else(|| {
            MigrationError::failed(
                "/inc/cursor",
                "is no date-time that a lag can be taken from; use one without a lag",
            )
        })?;
        Ok(earlier.to_node())
    }
}

fn is_flat(state: &Object, part: &str, names: &[&str]) -> bool {
    let part = state.get(part).and_then(Node::as_object);
    part.is_some_and(|part| names.iter().any(|name| part.present(name).is_some()))
}

/// Takes the entry of a flat part out of the state, all its members with it.
fn take_flat(state: &mut Object, part: &str, member: &str) -> Result<Object, MigrationError> {
    let entry = state
        .get_mut(part)
        .and_then(Node::as_object_mut)
        .map(std::mem::take)
        .unwrap_or_default();
    let subtask = entry.iter().find(|(name, node)| {
        *name != "next_page"
            && node
                .as_object()
                .is_some_and(|inner| inner.present(member).is_some())
    });
    match subtask {
        Some((name, _)) => Err(MigrationError::failed(
            format!("/{part}"),
            format!(
                "it has an entry of its own and the subtask `{name}`, and nothing tells which of the two is ahead; \
                 remove one of them"
            ),
        )),
        None => Ok(entry),
    }
}

fn put_keyed<'a>(
    state: &mut Object,
    part: &str,
    entries: impl IntoIterator<Item = (&'a str, Object)>,
) -> Result<(), MigrationError> {
    let mut keyed = Object::new();
    for (name, entry) in entries {
        check_subtask_name(name)
            .map_err(|error| MigrationError::failed(format!("/{part}"), error.message))?;
        keyed.insert(name, entry);
    }
    state.insert(part, keyed);
    Ok(())
}
