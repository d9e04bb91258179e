//! State updates, and their algebra.
//!
//! A checkpoint changes the state by a merge patch or replaces it. Two merge patches, one after the other, are
//! not always one merge patch: after "remove `a`", "write inside `a`" must not bring the old members of `a`
//! back. An update therefore says at each place whether that subtree is *set*, *deleted* or *merged into*, and
//! becomes merge patches again only when it is sent ([`StateUpdate::to_wire`]).
//!
//! ```text
//! update = nothing | change
//! change = Set(node) | Delete | Merge { key: change, … }
//! ```
//!
//! Nothing is merged into deeper than [`MAX_DEPTH`] objects: a state built in code may be deeper, though no document
//! is, and what stands there is set whole. So no update is deep, whatever it is made of.

use crate::map::{self, Key, Map};
use crate::node::{Node, Object, push_pointer_token};
use crate::parse::{MAX_DEPTH, ParseError};
use crate::text;

/// A change of a connector state: a merge patch, a replacement, or several of them composed.
///
/// ```
/// use staunch_state::{Node, StateUpdate};
///
/// let old = Node::parse(r#"{"inc":{"cursor":7}}"#)?;
/// let new = Node::parse(r#"{"inc":{"after":7}}"#)?;
/// let update = StateUpdate::diff(&old, &new);
/// assert_eq!(update.to_wire()[0].updated, r#"{"inc":{"cursor":null,"after":7}}"#);
/// assert_eq!(update.apply(old), new);
/// # Ok::<(), staunch_state::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateUpdate(Option<Change>);

#[derive(Clone, Debug, PartialEq)]
enum Change {
    /// The subtree becomes exactly this. Below the root never `null`, nor (unless deeper than any document) an object
    /// with a `null` in it.
    Set(Node),
    Delete,
    /// The subtree becomes an object, if it was none, and these members change.
    Merge(Map<Change>),
}

/// One checkpoint's state, as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireUpdate {
    /// JSON text, on one line.
    pub updated: String,
    /// Whether `updated` is an RFC 7396 merge patch; it replaces the whole state otherwise.
    pub merge_patch: bool,
}

/// What [`StateUpdate::diff_exact`] found.
#[derive(Clone, Debug, PartialEq)]
pub enum ExactDiff {
    /// A merge patch says it.
    Merge(StateUpdate),
    /// No merge patch can say it, for the reason given.
    Replace {
        /// The replacement of the whole state.
        update: StateUpdate,
        /// Names the place that a merge patch cannot express.
        because: String,
    },
}

impl StateUpdate {
    /// The update that changes nothing.
    pub const fn empty() -> Self {
        StateUpdate(None)
    }

    /// Whether it changes no state; the merge patch `{}` is empty too.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            None => true,
            Some(Change::Merge(members)) => members.is_empty(),
            Some(_) => false,
        }
    }

    /// Reads the state of a checkpoint: its `updated` document, and whether that is a merge patch.
    ///
    /// # Errors
    /// [`ParseError`] when it is no JSON object: whatever else it is, a connector state it is not.
    ///
    /// # Source
    /// Capture protocol, `ConnectorState`.
    pub fn from_wire(updated: &str, merge_patch: bool) -> Result<Self, ParseError> {
        let document = Node::parse(updated)?;
        if document.as_object().is_none() {
            return Err(ParseError::new(0, "a checkpoint's state is not an object"));
        }
        Ok(if merge_patch {
            StateUpdate::merge(document)
        } else {
            StateUpdate::replace(document)
        })
    }

    /// An RFC 7396 merge patch.
    pub fn merge(patch: Node) -> Self {
        StateUpdate(Some(match patch {
            Node::Object(members) => Change::merge(members, MAX_DEPTH),
            // RFC 7396: a patch that is no object replaces what it is applied to.
            other => Change::Set(other),
        }))
    }

    /// A replacement of the whole state.
    pub fn replace(document: Node) -> Self {
        StateUpdate(Some(Change::Set(document)))
    }

    /// The state after this update. What it does not touch is moved, not copied, and keeps its order and text.
    ///
    /// # Source
    /// RFC 7396 for a merge: a state that is no object counts as `{}`, and a new object has no `null` members.
    pub fn apply(&self, state: Node) -> Node {
        let mut state = state;
        if let Some(change) = &self.0 {
            change.apply(&mut state);
        }
        state
    }

    /// This update, and then `next`, as one: `s.apply(a).apply(b)` is `s.apply(a.then(b))` for every state.
    #[must_use]
    pub fn then(self, next: StateUpdate) -> StateUpdate {
        match (self.0, next.0) {
            (first, None) => StateUpdate(first),
            (None, second) => StateUpdate(second),
            (Some(first), Some(second)) => StateUpdate(Some(first.then(second))),
        }
    }

    /// The smallest merge patch that makes `new` of `old`, where a `null` member counts as absent.
    ///
    /// Leaves that differ by value are written with their new text, whole arrays at once.
    pub fn diff(old: &Node, new: &Node) -> StateUpdate {
        StateUpdate(Change::between(Some(old), Some(new), MAX_DEPTH))
    }

    /// The checkpoint of [`diff`](StateUpdate::diff), each part of it tried on the old state; `None` when nothing differs.
    ///
    /// Written as it is found, so that a large difference is never there but as its text.
    ///
    /// # Errors
    /// When what is written would not make `new` of `old`: a defect.
    pub(crate) fn checked_diff(old: &Node, new: &Node) -> Result<Option<WireUpdate>, Inexact> {
        // Room for what a large difference takes; what is not written to costs nothing.
        let mut updated = String::with_capacity(new.serialized_len());
        let is_written = write_difference(old, new, MEMBERS_WRITTEN_ONE_BY_ONE, &mut updated)?;
        updated.shrink_to_fit();
        Ok(is_written.then_some(WireUpdate {
            updated,
            merge_patch: true,
        }))
    }

    /// As [`diff`](StateUpdate::diff), but to the letter: explicit `null` members and the text of leaves are part of
    /// the state too. The order of members is not.
    pub fn diff_exact(old: &Node, new: &Node) -> ExactDiff {
        let mut pointer = String::new();
        match exact(old, new, &mut pointer, MAX_DEPTH) {
            Ok(change) => ExactDiff::Merge(StateUpdate(change)),
            Err(InexpressibleNull) => ExactDiff::Replace {
                update: StateUpdate::replace(new.clone()),
                because: format!(
                    "`{pointer}` is an explicit null, which a merge patch would remove"
                ),
            },
        }
    }

    /// The merge patch that says exactly this update, whatever the state; `None` when there is none.
    pub fn as_merge_patch(&self) -> Option<Node> {
        match &self.0 {
            None => Some(Node::Object(Object::new())),
            Some(Change::Set(Node::Object(_))) => None,
            Some(change) => change.as_patch(),
        }
    }

    /// The checkpoints that say this update, to be committed in their order. None when it is empty.
    ///
    /// Where an object was deleted and then written to, the first one deletes and the second one writes.
    pub fn to_wire(&self) -> Vec<WireUpdate> {
        if self.is_empty() {
            return Vec::new();
        }
        let Some(change) = &self.0 else {
            return Vec::new();
        };
        if let Change::Set(document) = change {
            return vec![WireUpdate {
                updated: document.to_json(),
                merge_patch: false,
            }];
        }
        let mut wire = Vec::with_capacity(1);
        if let Some(deletions) = change.deletions_first() {
            wire.push(WireUpdate {
                updated: deletions.to_json(),
                merge_patch: true,
            });
        }
        let mut updated = String::with_capacity(change.written_len());
        change.write(&mut updated);
        wire.push(WireUpdate {
            updated,
            merge_patch: true,
        });
        wire
    }

    /// The bytes of [`to_wire`](StateUpdate::to_wire), counted without writing them.
    pub fn wire_len(&self) -> usize {
        match &self.0 {
            _ if self.is_empty() => 0,
            None => 0,
            Some(Change::Set(document)) => document.serialized_len(),
            Some(change) => {
                change
                    .deletions_first()
                    .map_or(0, |first| first.serialized_len())
                    + change.written_len()
            }
        }
    }

    /// Whether it replaces the whole state.
    pub fn is_replacement(&self) -> bool {
        matches!(self.0, Some(Change::Set(_)))
    }
}

impl Change {
    fn merge(patch: Object, depth: usize) -> Change {
        let Some(depth) = depth.checked_sub(1) else {
            return Change::Set(Node::Object(patch));
        };
        let mut members = Vec::with_capacity(patch.len());
        for (key, node) in patch.into_map().into_members() {
            let change = match node {
                Node::Null => Change::Delete,
                Node::Leaf(_) => Change::Set(node),
                Node::Object(inner) => Change::merge(inner, depth),
            };
            members.push((key, change));
        }
        Change::Merge(Map::of_distinct(members))
    }

    /// Changes a node that is there. A deletion is the business of the object that holds it; of the whole
    /// state, it leaves `null`.
    fn apply(&self, node: &mut Node) {
        match self {
            Change::Set(value) => *node = value.clone(),
            Change::Delete => *node = Node::Null,
            Change::Merge(changes) => {
                if node.as_object().is_none() {
                    *node = Node::Object(Object::new());
                }
                let object = node.as_object_mut().expect("it was just made one");
                let mut added = Vec::new();
                for (key, change) in changes.iter() {
                    if matches!(change, Change::Delete) {
                        object.remove(key);
                    } else if let Some(member) = object.get_mut(key) {
                        change.apply(member);
                    } else {
                        let mut member = Node::Null;
                        change.apply(&mut member);
                        added.push((Key::clone(key), member));
                    }
                }
                object.extend_distinct(added);
            }
        }
    }

    fn then(self, next: Change) -> Change {
        let Change::Merge(second) = next else {
            return next;
        };
        match self {
            Change::Set(mut node) => {
                Change::Merge(second).apply(&mut node);
                Change::Set(node)
            }
            // What was deleted is not merged into: the subtree is set to what the patch makes of nothing.
            Change::Delete => {
                let mut node = Node::Null;
                Change::Merge(second).apply(&mut node);
                Change::Set(node)
            }
            Change::Merge(mut first) => {
                let mut added = Vec::new();
                for (key, change) in second.into_members() {
                    match first.get_mut(&key) {
                        Some(earlier) => {
                            let before = std::mem::replace(earlier, Change::Delete);
                            *earlier = before.then(change);
                        }
                        None => added.push((key, change)),
                    }
                }
                first.extend_distinct(added);
                Change::Merge(first)
            }
        }
    }

    /// What makes `new` of `old`, for a member; absent and `null` are the same.
    fn between(old: Option<&Node>, new: Option<&Node>, depth: usize) -> Option<Change> {
        let old = old.filter(|node| !node.is_null());
        match (old, new) {
            (None, None | Some(Node::Null)) => None,
            (Some(_), None | Some(Node::Null)) => Some(Change::Delete),
            (Some(Node::Object(old)), Some(Node::Object(new))) => {
                Change::between_objects(old, new, depth)
            }
            (_, Some(Node::Object(new))) => Some(Change::writing(new, depth)),
            (Some(old), Some(new)) if old == new => None,
            (_, Some(new)) => Some(Change::Set(new.clone())),
        }
    }

    fn between_objects(old: &Object, new: &Object, depth: usize) -> Option<Change> {
        if old.map().is_same(new.map()) {
            return None;
        }
        let Some(depth) = depth.checked_sub(1) else {
            let (old, new) = (Node::Object(old.clone()), Node::Object(new.clone()));
            return (!old.same_state(&new)).then_some(Change::Set(new));
        };
        let mut members = Vec::new();
        let mut there = 0;
        for (key, before, after) in map::beside(old.map(), new.map()) {
            there += usize::from(after.is_some());
            if let Some(change) = Change::between(Some(before), after, depth) {
                members.push((Key::clone(key), change));
            }
        }
        if there < new.len() {
            for (key, after, before) in map::beside(new.map(), old.map()) {
                if before.is_none()
                    && let Some(change) = Change::between(None, Some(after), depth)
                {
                    members.push((Key::clone(key), change));
                }
            }
        }
        (!members.is_empty()).then(|| Change::Merge(Map::of_distinct(members)))
    }

    /// What makes this object of nothing, or of a leaf.
    fn writing(object: &Object, depth: usize) -> Change {
        let Some(depth) = depth.checked_sub(1) else {
            return Change::Set(Node::Object(object.clone()));
        };
        let mut members = Vec::with_capacity(object.len());
        for (key, node) in object.map().iter() {
            let change = match node {
                Node::Null => continue,
                Node::Leaf(_) => Change::Set(node.clone()),
                Node::Object(inner) => Change::writing(inner, depth),
            };
            members.push((Key::clone(key), change));
        }
        Change::Merge(Map::of_distinct(members))
    }

    fn as_patch(&self) -> Option<Node> {
        match self {
            Change::Delete => Some(Node::Null),
            Change::Set(Node::Object(_)) => None,
            Change::Set(node) => Some(node.clone()),
            Change::Merge(changes) => {
                let patches = changes
                    .iter()
                    .map(|(key, change)| Some((Key::clone(key), change.as_patch()?)));
                let members = Map::of_distinct(patches.collect::<Option<_>>()?);
                Some(Node::Object(Object::from_map(members)))
            }
        }
    }

    /// The patch that deletes what is set to an object; `None` when nothing is.
    fn deletions_first(&self) -> Option<Node> {
        match self {
            Change::Set(Node::Object(_)) => Some(Node::Null),
            Change::Set(_) | Change::Delete => None,
            Change::Merge(changes) => {
                let members: Vec<_> = changes
                    .iter()
                    .filter_map(|(key, change)| Some((Key::clone(key), change.deletions_first()?)))
                    .collect();
                (!members.is_empty())
                    .then(|| Node::Object(Object::from_map(Map::of_distinct(members))))
            }
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Change::Delete => out.push_str("null"),
            Change::Set(node) => node.write_json(out),
            Change::Merge(changes) => {
                let mut before = '{';
                for (key, change) in changes.iter() {
                    out.push(before);
                    text::write_string(key, out);
                    out.push(':');
                    change.write(out);
                    before = ',';
                }
                out.push_str(if changes.is_empty() { "{}" } else { "}" });
            }
        }
    }

    fn written_len(&self) -> usize {
        match self {
            Change::Delete => 4,
            Change::Set(node) => node.serialized_len(),
            Change::Merge(changes) => {
                let members = changes
                    .iter()
                    .map(|(key, change)| text::written_len(key) + 2 + change.written_len());
                1 + members.sum::<usize>().max(1)
            }
        }
    }
}

/// Objects inside each other whose members are compared, tried and written one by one: the connector state, and the map of bindings.
const MEMBERS_WRITTEN_ONE_BY_ONE: usize = 2;

/// The update does not make the new state of the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inexact;

/// Appends what makes `new` of `old`; whether there is anything to append.
fn write_difference(
    old: &Node,
    new: &Node,
    levels: usize,
    out: &mut String,
) -> Result<bool, Inexact> {
    let (Node::Object(before), Node::Object(after), 1..) = (old, new, levels) else {
        let change = Change::between(Some(old), Some(new), MAX_DEPTH);
        check_exact(Some(old), change.as_ref(), Some(new))?;
        return Ok(change.map(|change| change.write(out)).is_some());
    };
    if before.map().is_same(after.map()) {
        return Ok(false);
    }
    let start = out.len();
    let mut there = 0;
    for (key, node, after) in map::beside(before.map(), after.map()) {
        there += usize::from(after.is_some());
        write_member(key, Some(node), after, levels - 1, start, out)?;
    }
    if there < after.len() {
        for (key, node, before) in map::beside(after.map(), before.map()) {
            if before.is_none() {
                write_member(key, None, Some(node), levels - 1, start, out)?;
            }
        }
    }
    let is_written = out.len() > start;
    if is_written {
        out.push('}');
    }
    Ok(is_written)
}

/// As [`write_difference`], for a member of an object whose text begins at `start`.
fn write_member(
    key: &Key,
    old: Option<&Node>,
    new: Option<&Node>,
    levels: usize,
    start: usize,
    out: &mut String,
) -> Result<(), Inexact> {
    let before = out.len();
    out.push(if before == start { '{' } else { ',' });
    text::write_string(key, out);
    out.push(':');
    let is_written = match (old, new) {
        (Some(old @ Node::Object(_)), Some(new @ Node::Object(_))) => {
            write_difference(old, new, levels, out)?
        }
        (old, new) => {
            let change = Change::between(old, new, MAX_DEPTH);
            check_exact(old, change.as_ref(), new)?;
            change.map(|change| change.write(out)).is_some()
        }
    };
    if !is_written {
        out.truncate(before);
    }
    Ok(())
}

/// Tries a change on what it was made for.
fn check_exact(
    old: Option<&Node>,
    change: Option<&Change>,
    new: Option<&Node>,
) -> Result<(), Inexact> {
    let mut made = old.cloned().unwrap_or(Node::Null);
    if let Some(change) = change {
        change.apply(&mut made);
    }
    if made.same_state(new.unwrap_or(&Node::Null)) {
        Ok(())
    } else {
        Err(Inexact)
    }
}

struct InexpressibleNull;

/// As [`Change::between`], to the letter. On failure, `pointer` names the place.
fn exact(
    old: &Node,
    new: &Node,
    pointer: &mut String,
    depth: usize,
) -> Result<Option<Change>, InexpressibleNull> {
    let (old, new) = match (old, new) {
        (Node::Null, Node::Null) => return Ok(None),
        (Node::Leaf(old), Node::Leaf(new)) if old.as_json() == new.as_json() => return Ok(None),
        (Node::Object(old), Node::Object(new)) => (Some(old), new),
        (_, Node::Object(new)) => (None, new),
        (_, _) => return Ok(Some(Change::Set(new.clone()))),
    };
    if old.is_some_and(|old| old.map().is_same(new.map())) {
        return Ok(None);
    }
    let Some(depth) = depth.checked_sub(1) else {
        let new = Node::Object(new.clone());
        let same = old.is_some_and(|old| Node::Object(old.clone()).to_json() == new.to_json());
        return Ok((!same).then_some(Change::Set(new)));
    };
    let nothing = Object::new();
    let before = old.unwrap_or(&nothing);
    let mut members = Vec::new();
    for (key, _, after) in map::beside(before.map(), new.map()) {
        if after.is_none() {
            members.push((Key::clone(key), Change::Delete));
        }
    }
    for (key, after, before) in map::beside(new.map(), before.map()) {
        let parent = pointer.len();
        push_pointer_token(pointer, key);
        if after.is_null() && !before.is_some_and(Node::is_null) {
            return Err(InexpressibleNull);
        }
        if let Some(change) = exact(before.unwrap_or(&Node::Null), after, pointer, depth)? {
            members.push((Key::clone(key), change));
        }
        pointer.truncate(parent);
    }
    Ok((old.is_none() || !members.is_empty()).then(|| Change::Merge(Map::of_distinct(members))))
}

#[cfg(test)]
mod tests;
