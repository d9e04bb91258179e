//! The parts of a binding's state, and by which members a flat one is known.

use crate::node::{Node, Object};

/// A part of a binding's state: of the whole resource, or by subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartShape {
    pub(crate) name: &'static str,
    /// Members of an entry; if any of them is there, the part is flat.
    pub(crate) members: &'static [&'static str],
}

pub(crate) const INC: PartShape = PartShape {
    name: "inc",
    members: &["cursor"],
};
pub(crate) const BACKFILL: PartShape = PartShape {
    name: "backfill",
    members: &["cutoff", "next_page"],
};
pub(crate) const SNAPSHOT: PartShape = PartShape {
    name: "snapshot",
    members: &["updated_at", "last_count", "last_digest"],
};
pub(crate) const PARTS: [PartShape; 3] = [INC, BACKFILL, SNAPSHOT];

/// The member under which subtasks that are not configured any more are put aside, part by part.
pub(crate) const ARCHIVE: &str = "archived";

impl PartShape {
    /// The part, when it is an object.
    pub(crate) fn of(self, state: &Object) -> Option<&Object> {
        state.get(self.name).and_then(Node::as_object)
    }

    /// Whether this object, which is the part, is flat.
    pub(crate) fn is_flat_entry(self, part: &Object) -> bool {
        let mut members = self.members.iter();
        members.any(|member| part.present(member).is_some())
    }
}
