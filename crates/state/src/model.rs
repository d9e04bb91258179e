//! The resource-state model: what the members of a connector state mean.
//!
//! Wire-compatible with estuary-cdk, so that a capture can move between a Python and a Rust build of its
//! connector in place. Flat and keyed forms are told apart by shape alone, which makes six names impossible
//! for subtasks ([`RESERVED_SUBTASKS`]). A `null` member is an absent one. Members that this version does not
//! know are kept, at their place, and written back.
//!
//! ```text
//! { "bindingStateV1": { "<stateKey>": { "inc":      {cursor}                            | { "<subtask>": … },
//!                                       "backfill": {cutoff, next_page?}                | { "<subtask>": … },
//!                                       "snapshot": {updated_at, last_count, last_digest} | { "<subtask>": … },
//!                                       "last_initialized": RFC 3339, "is_connector_initiated": bool } },
//!   "backfillRequests": { "<stateKey>": true } }
//! ```

mod known;
pub(crate) mod part;
mod read;
mod write;

use crate::cursor::Cursor;
use crate::datetime::DateTime;
use crate::node::{Node, Object, push_pointer_token};
use crate::parse::ParseError;

pub use known::UnknownMember;

/// The member of a connector state that holds the state of each binding, under its state key.
pub const BINDING_STATES: &str = "bindingStateV1";

/// The member of a connector state that asks for backfills.
pub const BACKFILL_REQUESTS: &str = "backfillRequests";

/// Names that no subtask may have: a flat entry has a member of that name, and shape is all that tells.
pub const RESERVED_SUBTASKS: [&str; 6] = [
    "cursor",
    "cutoff",
    "next_page",
    "updated_at",
    "last_count",
    "last_digest",
];

/// Why a state does not fit the model. Never quotes a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}`{pointer}` {message}", of_binding(state_key))]
#[non_exhaustive]
pub struct ModelError {
    /// The binding whose state it is; `None` for what belongs to no binding.
    pub state_key: Option<String>,
    /// RFC 6901 pointer from the root of the connector state.
    pub pointer: String,
    /// Reads on after the pointer: what is wrong there and, after a semicolon, what to do.
    pub message: String,
}

fn of_binding(state_key: &Option<String>) -> String {
    state_key
        .as_ref()
        .map(|key| format!("the state of binding `{key}` cannot be used: "))
        .unwrap_or_default()
}

impl ModelError {
    /// A stable name of this kind of error.
    pub fn code(&self) -> &'static str {
        "state-model"
    }
}

/// Refuses a name that would make the state of a subtask ambiguous.
///
/// # Errors
/// [`ModelError`] that names it, for each of [`RESERVED_SUBTASKS`].
pub fn check_subtask_name(name: &str) -> Result<(), ModelError> {
    if !RESERVED_SUBTASKS.contains(&name) {
        return Ok(());
    }
    Err(ModelError {
        state_key: None,
        pointer: String::new(),
        message: format!(
            "cannot hold a subtask named `{name}`, the name of a member; give the subtask another name"
        ),
    })
}

/// A whole connector state, as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectorState(Node);

/// An entry that is there once, or once for each subtask.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Part<T> {
    /// Absent, or `null`.
    #[default]
    None,
    /// One entry.
    Flat(T),
    /// An entry for each subtask, in the order of the state; `None` where it is `null`.
    Keyed(Vec<(String, Option<T>)>),
}

/// The state of one binding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceState {
    /// Where incremental reading stands.
    pub inc: Part<Incremental>,
    /// Backfills that are not finished. A finished one is absent: whether a subtask is new is decided by `inc`.
    pub backfill: Part<Backfill>,
    /// Snapshots that were taken.
    pub snapshot: Part<Snapshot>,
    /// When the binding's state was initialised last. Without a zone it is of UTC, which is what estuary-cdk writes and means.
    pub last_initialized: Option<DateTime>,
    /// Whether that was because the connector asked for it.
    pub is_connector_initiated: bool,
    /// Members that this version does not know. They are written back as they came.
    pub unknown: Unknown,
}

/// Where incremental reading stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Incremental {
    /// Everything up to here has been captured.
    pub cursor: Cursor,
}

/// A backfill that is not finished.
#[derive(Clone, Debug, PartialEq)]
pub struct Backfill {
    /// Where incremental reading began: what is older is the backfill's.
    pub cutoff: Cursor,
    /// Where the backfill goes on; `None` before its first page.
    pub next_page: Option<Page>,
}

/// A position in an enumeration, in the words of the source.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    /// A token, or a date-time.
    String(String),
    /// A number of a page or a row.
    Integer(i64),
    /// Several positions at once. A checkpoint may patch it.
    Object(Object),
}

/// The last snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// When it was taken.
    pub updated_at: DateTime,
    /// Documents in it. Fewer of them now means deletions.
    pub last_count: u64,
    /// What its documents hash to, as text.
    pub last_digest: String,
}

/// Members of a binding's state that this version does not know, at their places.
///
/// Those of a subtask leave with the subtask, and those of a flat entry when it becomes keyed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unknown(Option<Box<UnknownMembers>>);

/// Behind a pointer, because there are nearly never any.
#[derive(Clone, Debug, Default, PartialEq)]
struct UnknownMembers {
    members: Object,
    inc: Part<Object>,
    backfill: Part<Object>,
    snapshot: Part<Object>,
}

impl ConnectorState {
    /// Reads a connector state from its JSON text.
    ///
    /// # Errors
    /// [`ModelError`] when it is no JSON, or no object; what cannot be read is never taken for an empty state.
    pub fn parse(text: &str) -> Result<ConnectorState, ModelError> {
        let node = Node::parse(text).map_err(|error: ParseError| ModelError {
            state_key: None,
            pointer: error.pointer.clone().unwrap_or_default(),
            message: format!("cannot be read: {error}"),
        })?;
        ConnectorState::new(node)
    }

    /// Takes a connector state; `null` is the empty one.
    ///
    /// # Errors
    /// [`ModelError`] when it, or its map of bindings, is no object.
    pub fn new(node: Node) -> Result<ConnectorState, ModelError> {
        let refused = |pointer: &str, of: &str| ModelError {
            state_key: None,
            pointer: pointer.to_owned(),
            message: format!("is no object; {of} is one"),
        };
        let node = match node {
            Node::Null => Node::Object(Object::new()),
            Node::Leaf(_) => return Err(refused("", "a connector state")),
            Node::Object(_) => node,
        };
        for member in [BINDING_STATES, BACKFILL_REQUESTS] {
            if let Some(Node::Leaf(_)) = node.as_object().and_then(|root| root.get(member)) {
                return Err(refused(&format!("/{member}"), "the map of bindings"));
            }
        }
        Ok(ConnectorState(node))
    }

    /// The document.
    pub fn node(&self) -> &Node {
        &self.0
    }

    /// The document itself.
    pub fn into_node(self) -> Node {
        self.0
    }

    /// The state of each binding that has one, under its state key; `null` counts as none.
    pub fn bindings(&self) -> impl Iterator<Item = (&str, &Node)> {
        let map = self
            .0
            .as_object()
            .and_then(|root| root.get(BINDING_STATES))
            .and_then(Node::as_object);
        map.into_iter()
            .flat_map(Object::iter)
            .filter(|(_, node)| !node.is_null())
    }

    /// The state of one binding; `null` counts as none.
    pub fn binding(&self, state_key: &str) -> Option<&Node> {
        self.0
            .as_object()?
            .get(BINDING_STATES)?
            .as_object()?
            .present(state_key)
    }

    /// State keys whose bindings are asked to backfill.
    pub fn backfill_requests(&self) -> impl Iterator<Item = &str> {
        let map = self
            .0
            .as_object()
            .and_then(|root| root.get(BACKFILL_REQUESTS))
            .and_then(Node::as_object);
        let members = map.into_iter().flat_map(Object::iter);
        members
            .filter(|(_, node)| node.as_leaf().and_then(|leaf| leaf.as_bool()) == Some(true))
            .map(|(key, _)| key)
    }

    /// The state of every binding, in the order of the document.
    ///
    /// # Errors
    /// [`ModelError`] for the first that does not fit the model.
    pub fn decode(&self) -> Result<Vec<(String, ResourceState)>, ModelError> {
        let mut decoded = Vec::with_capacity(self.bindings().count());
        for (key, node) in self.bindings() {
            decoded.push((key.to_owned(), ResourceState::decode(key, node)?));
        }
        Ok(decoded)
    }
}

impl<T> Part<T> {
    /// Whether there is nothing: no entry, or only `null` ones.
    pub fn is_none(&self) -> bool {
        self.entries().next().is_none()
    }

    /// The flat entry.
    pub fn flat(&self) -> Option<&T> {
        match self {
            Part::Flat(entry) => Some(entry),
            _ => None,
        }
    }

    /// The entry of a subtask.
    pub fn subtask(&self, name: &str) -> Option<&T> {
        self.entries()
            .find(|(subtask, _)| *subtask == Some(name))
            .map(|(_, entry)| entry)
    }

    /// Every entry, with its subtask's name; the flat one has none.
    pub fn entries(&self) -> impl Iterator<Item = (Option<&str>, &T)> {
        let (flat, keyed): (_, &[(String, Option<T>)]) = match self {
            Part::None => (None, &[]),
            Part::Flat(entry) => (Some((None, entry)), &[]),
            Part::Keyed(entries) => (None, entries),
        };
        let keyed = keyed
            .iter()
            .filter_map(|(name, entry)| Some((Some(name.as_str()), entry.as_ref()?)));
        flat.into_iter().chain(keyed)
    }
}

impl ResourceState {
    /// Reads the state of a binding; `null` is the empty one.
    ///
    /// # Errors
    /// [`ModelError`] with the place of what does not fit.
    pub fn decode(state_key: &str, node: &Node) -> Result<ResourceState, ModelError> {
        read::Reader::new(state_key).resource_state(node)
    }

    /// Writes the state of a binding: what it says, then what it was read with and does not know.
    ///
    /// `is_connector_initiated` is written only when true, as estuary-cdk does.
    ///
    /// # Errors
    /// [`ModelError`] when a subtask has a reserved name.
    pub fn to_node(&self) -> Result<Node, ModelError> {
        write::resource_state(self)
    }
}

impl Unknown {
    fn new(unknown: UnknownMembers) -> Self {
        let is_empty = unknown == UnknownMembers::default();
        Unknown((!is_empty).then(|| Box::new(unknown)))
    }

    /// The members of each entry: its part, its subtask, and what is not known.
    pub(crate) fn of_entries(&self) -> impl Iterator<Item = (&'static str, Option<&str>, &Object)> {
        let parts = self.0.as_deref().map(|unknown| {
            [
                ("inc", &unknown.inc),
                ("backfill", &unknown.backfill),
                ("snapshot", &unknown.snapshot),
            ]
        });
        parts.into_iter().flatten().flat_map(|(part, of)| {
            of.entries()
                .map(move |(name, members)| (part, name, members))
        })
    }
}

impl Page {
    /// The value, to put into a state.
    pub fn to_node(&self) -> Node {
        match self {
            Page::String(text) => Node::string(text),
            Page::Integer(value) => Node::Leaf(crate::leaf::Leaf::signed(*value)),
            Page::Object(object) => Node::Object(object.clone()),
        }
    }
}

/// The pointer of a binding's state, or of something in it.
pub(crate) fn binding_pointer(state_key: &str, path: &[&str]) -> String {
    let mut pointer = format!("/{BINDING_STATES}");
    push_pointer_token(&mut pointer, state_key);
    for token in path {
        push_pointer_token(&mut pointer, token);
    }
    pointer
}

#[cfg(test)]
mod tests;
