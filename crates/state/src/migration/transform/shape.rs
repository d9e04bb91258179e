//! The three parts of a binding's state as JSON: whether each is flat or keyed, and its entries.

use crate::cursor::Cursor;
use crate::migration::MigrationError;
use crate::model::check_subtask_name;
pub(super) use crate::model::part::{ARCHIVE, BACKFILL, INC, PARTS, PartShape, SNAPSHOT};
use crate::node::{Node, Object, push_pointer_token};

impl PartShape {
    pub(super) fn is_flat(self, state: &Object) -> bool {
        self.of(state).is_some_and(|part| self.is_flat_entry(part))
    }

    /// The entry of a subtask; a flat part has none.
    pub(super) fn entry<'a>(self, state: &'a Object, subtask: &str) -> Option<&'a Object> {
        if self.is_flat(state) {
            return None;
        }
        self.of(state)?.present(subtask)?.as_object()
    }

    /// The subtasks that have an entry; none of a flat part.
    pub(super) fn subtasks(self, state: &Object) -> impl Iterator<Item = (&str, &Object)> {
        let keyed = self.of(state).filter(|_| !self.is_flat(state));
        let entries = keyed.into_iter().flat_map(Object::iter);
        entries.filter_map(|(name, node)| Some((name, node.as_object()?)))
    }

    /// Takes the flat entry out of the state, all its members with it; the part stays, empty.
    ///
    /// # Errors
    /// When there are entries of subtasks too: nothing tells which of the two is ahead.
    pub(super) fn take_flat(self, state: &mut Object) -> Result<Object, MigrationError> {
        let entry = self.of_mut(state).map(std::mem::take).unwrap_or_default();
        let is_entry = |node: &Node| {
            node.as_object()
                .is_some_and(|inner| inner.present(self.members[0]).is_some())
        };
        let subtask = entry
            .iter()
            .find(|(name, node)| *name != "next_page" && is_entry(node));
        match subtask {
            None => Ok(entry),
            Some((name, _)) => Err(self.failed(format!(
                "it has an entry of its own and the subtask `{name}`, and nothing tells which of the two is ahead; \
                 remove one of them"
            ))),
        }
    }

    /// Puts the entry of a subtask into the part; those of other subtasks stay.
    ///
    /// # Errors
    /// When the name is reserved, and where something stands already: what is there is not taken for nothing.
    pub(super) fn put(
        self,
        state: &mut Object,
        subtask: &str,
        entry: Object,
    ) -> Result<(), MigrationError> {
        check_subtask_name(subtask).map_err(|error| self.failed(error.message))?;
        if self.is_flat(state) {
            return Err(self.failed(format!(
                "it has an entry of its own, and the subtask `{subtask}` cannot stand beside it; \
                 give that entry a key first, as `flat_to_keyed` does"
            )));
        }
        match state.present(self.name) {
            None => {
                let part = Object::from_iter([(subtask, Node::Object(entry))]);
                state.insert(self.name, part);
                return Ok(());
            }
            Some(Node::Object(part)) if part.present(subtask).is_none() => {}
            Some(Node::Object(_)) => {
                return Err(self.failed(format!(
                    "it has something under the name of the subtask `{subtask}` already, and nothing tells which of the two \
                     is ahead; remove one of them"
                )));
            }
            Some(_) => {
                return Err(self.failed(
                    "it is no object, so that no subtask can be put into it; correct it with a migration of its own",
                ));
            }
        }
        if let Some(part) = self.of_mut(state) {
            part.insert(subtask, entry);
        }
        Ok(())
    }

    /// Removes a part that holds no entry: a flat state says so by not having it.
    pub(super) fn remove_empty(self, state: &mut Object) {
        let holds_nothing = |part: &Object| part.iter().all(|(_, node)| node.is_null());
        if self.of(state).is_some_and(holds_nothing) {
            state.remove(self.name);
        }
    }

    /// Takes the entry of a subtask out of the state.
    pub(super) fn take(self, state: &mut Object, subtask: &str) -> Option<Object> {
        self.entry(state, subtask)?;
        self.of_mut(state)?.remove(subtask)?.into_object()
    }

    fn of_mut(self, state: &mut Object) -> Option<&mut Object> {
        state.get_mut(self.name).and_then(Node::as_object_mut)
    }

    /// A refusal at this part.
    pub(super) fn failed(self, message: impl Into<String>) -> MigrationError {
        MigrationError::failed(format!("/{}", self.name), message)
    }

    /// A refusal at a member of an entry.
    pub(super) fn failed_at(
        self,
        subtask: Option<&str>,
        member: &str,
        message: impl Into<String>,
    ) -> MigrationError {
        let mut pointer = format!("/{}", self.name);
        for token in subtask.into_iter().chain([member]) {
            push_pointer_token(&mut pointer, token);
        }
        MigrationError::failed(pointer, message)
    }
}

/// The cursor of an entry of `inc`.
pub(super) fn cursor_of(entry: &Object, subtask: Option<&str>) -> Result<Cursor, MigrationError> {
    Cursor::from_node(entry.get("cursor").unwrap_or(&Node::Null))
        .map_err(|error| INC.failed_at(subtask, "cursor", error.to_string()))
}
