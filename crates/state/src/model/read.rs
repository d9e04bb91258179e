//! Reads the state of a binding, strictly, and says where it does not fit.

use std::fmt::Display;

use super::part::{self, PartShape};
use super::{
    Backfill, Incremental, ModelError, Page, Part, RESERVED_SUBTASKS, ResourceState, Snapshot,
    Unknown, UnknownMembers, binding_pointer,
};
use crate::cursor::Cursor;
use crate::datetime::DateTime;
use crate::leaf::Leaf;
use crate::map::Map;
use crate::node::{Node, Object};

pub(super) struct Reader<'a> {
    state_key: &'a str,
    /// From the binding's state to what is being read.
    path: Vec<&'a str>,
}

/// How the entries of one part look.
struct Shape<T> {
    part: PartShape,
    read: for<'a> fn(&mut Reader<'a>, &'a Object) -> Result<T, ModelError>,
}

const INC: Shape<Incremental> = Shape {
    part: part::INC,
    read: |reader, entry| reader.incremental(entry),
};
const BACKFILL: Shape<Backfill> = Shape {
    part: part::BACKFILL,
    read: |reader, entry| reader.backfill(entry),
};
const SNAPSHOT: Shape<Snapshot> = Shape {
    part: part::SNAPSHOT,
    read: |reader, entry| reader.snapshot(entry),
};

impl<'a> Reader<'a> {
    pub(super) fn new(state_key: &'a str) -> Self {
        Reader {
            state_key,
            path: Vec::new(),
        }
    }

    pub(super) fn resource_state(&mut self, node: &'a Node) -> Result<ResourceState, ModelError> {
        let object = match node {
            Node::Null => return Ok(ResourceState::default()),
            Node::Object(object) => object,
            Node::Leaf(_) => return Err(self.error("is no object; the state of a binding is one")),
        };
        let (inc, unknown_inc) = self.part(object, &INC)?;
        let (backfill, unknown_backfill) = self.part(object, &BACKFILL)?;
        let (snapshot, unknown_snapshot) = self.part(object, &SNAPSHOT)?;
        let last_initialized = self.optional(object, "last_initialized", Self::datetime_or_utc)?;
        let is_connector_initiated =
            self.optional(object, "is_connector_initiated", Self::boolean)?;
        let known = [
            INC.part.name,
            BACKFILL.part.name,
            SNAPSHOT.part.name,
            "last_initialized",
            "is_connector_initiated",
        ];
        Ok(ResourceState {
            inc,
            backfill,
            snapshot,
            last_initialized,
            is_connector_initiated: is_connector_initiated.unwrap_or(false),
            unknown: Unknown::new(UnknownMembers {
                members: others(object, &known).unwrap_or_default(),
                inc: unknown_inc,
                backfill: unknown_backfill,
                snapshot: unknown_snapshot,
            }),
        })
    }

    fn part<T>(
        &mut self,
        state: &'a Object,
        shape: &Shape<T>,
    ) -> Result<(Part<T>, Part<Object>), ModelError> {
        let Some(node) = state.present(shape.part.name) else {
            return Ok((Part::None, Part::None));
        };
        self.within(shape.part.name, |reader| {
            let Some(object) = node.as_object() else {
                return Err(
                    reader.error("is no object; it holds one entry, or one for each subtask")
                );
            };
            if shape.part.is_flat_entry(object) {
                reader.refuse_mixture(object, shape)?;
                let entry = (shape.read)(reader, object)?;
                let unknown = others(object, shape.part.members);
                return Ok((Part::Flat(entry), unknown.map_or(Part::None, Part::Flat)));
            }
            reader.keyed(object, shape)
        })
    }

    fn keyed<T>(
        &mut self,
        object: &'a Object,
        shape: &Shape<T>,
    ) -> Result<(Part<T>, Part<Object>), ModelError> {
        let mut entries = Vec::with_capacity(object.len());
        let mut unknown = Vec::new();
        for (name, node) in object.iter() {
            let entry = match node {
                Node::Null if RESERVED_SUBTASKS.contains(&name) => continue,
                Node::Null => None,
                _ => Some(self.within(name, |reader| {
                    if RESERVED_SUBTASKS.contains(&name) {
                        return Err(reader.error(&format!(
                            "is a subtask named `{name}`, the name of a member; give the subtask another name"
                        )));
                    }
                    let Some(entry) = node.as_object() else {
                        return Err(reader.error("is no object; the entry of a subtask is one"));
                    };
                    if let Some(others) = others(entry, shape.part.members) {
                        unknown.push((name.to_owned(), Some(others)));
                    }
                    (shape.read)(reader, entry)
                })?),
            };
            entries.push((name.to_owned(), entry));
        }
        let unknown = if unknown.is_empty() {
            Part::None
        } else {
            Part::Keyed(unknown)
        };
        Ok((Part::Keyed(entries), unknown))
    }

    /// An entry of its own beside entries of subtasks: what a migration left half done.
    fn refuse_mixture<T>(&self, object: &Object, shape: &Shape<T>) -> Result<(), ModelError> {
        // A page may be an object, and says nothing then about the shape.
        let inner = |name: &&str| *name != "next_page" && object.get(name).is_some_and(is_object);
        if let Some(name) = shape.part.members.iter().find(|name| inner(name)) {
            return Err(self.error(&format!(
                "has an object as its `{name}`; if that is a subtask of this name, give it another name"
            )));
        }
        let is_entry = |node: &Node| {
            node.as_object().is_some_and(|entry| {
                let mut names = shape.part.members.iter();
                names.any(|member| entry.present(member).is_some())
            })
        };
        let mut subtasks = object
            .iter()
            .filter(|(name, node)| *name != "next_page" && is_entry(node));
        match subtasks.next() {
            None => Ok(()),
            Some((name, _)) => Err(self.error(&format!(
                "has an entry of its own and the subtask `{name}`; remove one of the two, or migrate again from the \
                 state before"
            ))),
        }
    }

    fn incremental(&mut self, entry: &'a Object) -> Result<Incremental, ModelError> {
        Ok(Incremental {
            cursor: self.required(entry, "cursor", Self::cursor)?,
        })
    }

    fn backfill(&mut self, entry: &'a Object) -> Result<Backfill, ModelError> {
        Ok(Backfill {
            cutoff: self.required(entry, "cutoff", Self::cursor)?,
            next_page: self.optional(entry, "next_page", Self::page)?,
        })
    }

    fn snapshot(&mut self, entry: &'a Object) -> Result<Snapshot, ModelError> {
        Ok(Snapshot {
            updated_at: self.required(entry, "updated_at", Self::datetime)?,
            last_count: self.required(entry, "last_count", Self::count)?,
            last_digest: self.required(entry, "last_digest", Self::string)?,
        })
    }

    fn cursor(&self, node: &Node) -> Result<Cursor, ModelError> {
        Cursor::from_node(node).map_err(|error| self.error(&error))
    }

    fn datetime(&self, node: &Node) -> Result<DateTime, ModelError> {
        match node.as_leaf().and_then(DateTime::of_leaf) {
            Some(read) => read.map_err(|error| self.error(&error)),
            None => Err(self.no_string()),
        }
    }

    /// As [`datetime`](Self::datetime), in UTC where no zone is written: nobody stamps a state in any other, and refusing it would
    /// stop a capture that runs.
    fn datetime_or_utc(&self, node: &Node) -> Result<DateTime, ModelError> {
        match node.as_leaf().and_then(DateTime::of_leaf_or_utc) {
            Some(read) => read.map_err(|error| self.error(&error)),
            None => Err(self.no_string()),
        }
    }

    fn page(&self, node: &Node) -> Result<Page, ModelError> {
        let leaf = match node {
            Node::Object(object) => return Ok(Page::Object(object.clone())),
            Node::Null => None,
            Node::Leaf(leaf) => Some(leaf),
        };
        let text = leaf
            .and_then(Leaf::as_str)
            .map(|text| Page::String(text.into_owned()));
        text.or_else(|| leaf.and_then(Leaf::as_i64).map(Page::Integer))
            .ok_or_else(|| {
                self.error("is no page; a page is a string, an integer of 64 bits or an object")
            })
    }

    fn string(&self, node: &Node) -> Result<String, ModelError> {
        node.as_str()
            .map(|text| text.into_owned())
            .ok_or_else(|| self.no_string())
    }

    fn no_string(&self) -> ModelError {
        self.error("is no string; it should be one")
    }

    fn count(&self, node: &Node) -> Result<u64, ModelError> {
        node.as_leaf()
            .and_then(Leaf::as_u64)
            .ok_or_else(|| self.error("is no count; an integer from 0 up is one"))
    }

    fn boolean(&self, node: &Node) -> Result<bool, ModelError> {
        node.as_leaf()
            .and_then(Leaf::as_bool)
            .ok_or_else(|| self.error("is neither `true` nor `false`; it should be"))
    }

    fn optional<T>(
        &mut self,
        object: &'a Object,
        name: &'static str,
        read: fn(&Self, &Node) -> Result<T, ModelError>,
    ) -> Result<Option<T>, ModelError> {
        object
            .present(name)
            .map(|node| self.within(name, |reader| read(reader, node)))
            .transpose()
    }

    fn required<T>(
        &mut self,
        object: &'a Object,
        name: &'static str,
        read: fn(&Self, &Node) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        match self.optional(object, name, read)? {
            Some(value) => Ok(value),
            None => Err(self.error(&format!(
                "lacks `{name}`; add it, or remove the whole entry to start it over"
            ))),
        }
    }

    fn within<T>(
        &mut self,
        token: &'a str,
        read: impl FnOnce(&mut Self) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        self.path.push(token);
        let result = read(self)?;
        self.path.pop();
        Ok(result)
    }

    fn error(&self, message: &(impl Display + ?Sized)) -> ModelError {
        ModelError {
            state_key: Some(self.state_key.to_owned()),
            pointer: binding_pointer(self.state_key, &self.path),
            message: message.to_string(),
        }
    }
}

fn is_object(node: &Node) -> bool {
    node.as_object().is_some()
}

/// The members that are none of `known`, and not `null`; `None` when there are none, as there nearly always are.
fn others(object: &Object, known: &[&str]) -> Option<Object> {
    let members = object.map().iter();
    let others: Vec<_> = members
        .filter(|(key, node)| !node.is_null() && !known.contains(&&***key))
        .map(|(key, node)| (key.clone(), node.clone()))
        .collect();
    (!others.is_empty()).then(|| Object::from_map(Map::of_distinct(others)))
}
