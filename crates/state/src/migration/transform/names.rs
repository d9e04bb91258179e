//! Another name for a subtask.

use super::shape::{PARTS, PartShape};
use super::{Rule, Transform, sealed};
use crate::migration::{Binding, MigrationError};
use crate::model::check_subtask_name;
use crate::node::{Node, Object};

/// The entries of subtask `from` become those of `to`, at their place. Undone by the same the other way. Named `rename-subtask`.
pub fn rename_subtask(from: impl Into<String>, to: impl Into<String>) -> Transform<RenameSubtask> {
    Transform::new(
        "rename-subtask",
        RenameSubtask {
            from: from.into(),
            to: to.into(),
        },
    )
}

/// See [`rename_subtask`].
#[derive(Clone, Debug)]
pub struct RenameSubtask {
    from: String,
    to: String,
}

impl sealed::Sealed for RenameSubtask {}

impl Rule for RenameSubtask {
    type Reverse = RenameSubtask;

    fn applies(&self, _: &Binding, state: &Object) -> bool {
        self.from != self.to
            && PARTS
                .iter()
                .any(|part| part.entry(state, &self.from).is_some())
    }

    fn migrate(&self, _: &Binding, mut state: Object) -> Result<Object, MigrationError> {
        for part in PARTS {
            if part.entry(&state, &self.from).is_some() {
                self.rename(part, &mut state)?;
            }
        }
        Ok(state)
    }

    fn reverse(&self) -> Option<RenameSubtask> {
        Some(RenameSubtask {
            from: self.to.clone(),
            to: self.from.clone(),
        })
    }

    fn definition(&self) -> String {
        format!("subtask {} becomes {}", self.from, self.to)
    }
}

impl RenameSubtask {
    fn rename(&self, part: PartShape, state: &mut Object) -> Result<(), MigrationError> {
        check_subtask_name(&self.to).map_err(|error| part.failed(error.message))?;
        if part.entry(state, &self.to).is_some() {
            return Err(part.failed(format!(
                "it has entries of `{}` and of `{}`, and nothing tells which is ahead; remove one of them",
                self.from, self.to
            )));
        }
        let entries = part.of(state).into_iter().flat_map(Object::iter);
        let renamed: Object = entries
            .filter(|(name, _)| *name != self.to)
            .map(|(name, node)| {
                let name = if name == self.from {
                    self.to.as_str()
                } else {
                    name
                };
                (name, node.clone())
            })
            .collect();
        state.insert(part.name, Node::Object(renamed));
        Ok(())
    }
}
