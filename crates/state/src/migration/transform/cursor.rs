//! Another kind of cursor.

use super::shape::{BACKFILL, INC, PartShape};
use super::{Rule, Transform, sealed};
use crate::cursor::Cursor;
use crate::migration::{Binding, CursorRule, Effects, MigrationError};
use crate::node::{Node, Object};

/// Every cursor, and every cutoff of an unfinished backfill, becomes what the rule makes of it.
///
/// Pages stay as they are: they are in the words of the source. Undone by the reverse of the rule, where it has one.
/// Named `convert-cursors`.
pub fn convert_cursors(rule: CursorRule) -> Transform<ConvertCursors> {
    Transform::new("convert-cursors", ConvertCursors { rule })
}

/// See [`convert_cursors`].
#[derive(Clone, Debug)]
pub struct ConvertCursors {
    rule: CursorRule,
}

/// Where cursors stand: the part, and the member of its entries.
const PLACES: [(PartShape, &str); 2] = [(INC, "cursor"), (BACKFILL, "cutoff")];

/// A cursor that changes: where it is, and what it becomes.
struct Converted {
    part: PartShape,
    subtask: Option<String>,
    member: &'static str,
    new: Node,
}

impl ConvertCursors {
    /// What becomes of a cursor; `None` where the rule is not about it, or what is there is none.
    fn converted(&self, node: &Node) -> Result<Option<Node>, String> {
        let Ok(cursor) = Cursor::from_node(node) else {
            return Ok(None); // What cannot be read is said so when the result is decoded.
        };
        let converted = self.rule.apply(&cursor)?;
        Ok(converted
            .filter(|new| *new != cursor)
            .map(|new| new.to_node()))
    }

    /// Each cursor that changes.
    fn changes(&self, state: &Object) -> Result<Vec<Converted>, MigrationError> {
        let mut changes = Vec::new();
        for (part, member) in PLACES {
            let flat = part
                .of(state)
                .filter(|_| part.is_flat(state))
                .map(|entry| (None, entry));
            let keyed = part
                .subtasks(state)
                .map(|(name, entry)| (Some(name), entry));
            for (subtask, entry) in flat.into_iter().chain(keyed) {
                let Some(node) = entry.present(member) else {
                    continue;
                };
                let converted = self
                    .converted(node)
                    .map_err(|message| part.failed_at(subtask, member, message))?;
                changes.extend(converted.map(|new| Converted {
                    part,
                    subtask: subtask.map(str::to_owned),
                    member,
                    new,
                }));
            }
        }
        Ok(changes)
    }
}

impl sealed::Sealed for ConvertCursors {}

impl Rule for ConvertCursors {
    type Reverse = ConvertCursors;

    fn applies(&self, _: &Binding, state: &Object) -> bool {
        self.changes(state)
            .map_or(true, |changes| !changes.is_empty())
    }

    fn migrate(&self, _: &Binding, mut state: Object) -> Result<Object, MigrationError> {
        for Converted {
            part,
            subtask,
            member,
            new,
        } in self.changes(&state)?
        {
            let of = state.get_mut(part.name).and_then(Node::as_object_mut);
            let entry = match &subtask {
                None => of,
                Some(name) => of.and_then(|of| of.get_mut(name)?.as_object_mut()),
            };
            if let Some(entry) = entry {
                entry.insert(member, new);
            }
        }
        Ok(state)
    }

    fn declares(&self) -> Effects {
        let effects = Effects::NONE.converts(self.rule.clone());
        if self.rule.rewinds().is_zero() {
            effects
        } else {
            effects.rewind(self.rule.rewinds())
        }
    }

    fn reverse(&self) -> Option<ConvertCursors> {
        Some(ConvertCursors {
            rule: self.rule.reversed()?,
        })
    }

    fn definition(&self) -> String {
        format!("cursors and cutoffs: {}", self.rule.name())
    }
}
