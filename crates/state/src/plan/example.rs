//! What changes in one state, member by member.

use serde::{Deserialize, Serialize};

use super::resume::clipped;
use crate::leaf::LeafKind;
use crate::node::{Node, Object, push_pointer_token};

/// Lines of an example; the rest are counted.
const LINES: usize = 12;

/// Characters of a value that are shown.
const VALUE_CHARACTERS: usize = 40;

/// Members whose values are positions, which the owner of a capture may see. Others could be anything.
const POSITIONS: [&str; 8] = [
    "cursor",
    "cutoff",
    "next_page",
    "updated_at",
    "last_count",
    "last_digest",
    "last_initialized",
    "is_connector_initiated",
];

/// What changes in the state of one binding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The members that change, those that go first.
    pub lines: Vec<ExampleLine>,
    /// How many more there are.
    pub more: usize,
}

/// A member that goes or comes; one that changes does both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExampleLine {
    /// Which of the two.
    pub sign: Sign,
    /// From the root of the binding's state.
    pub pointer: String,
    /// Its JSON text, clipped; `…` where it is no position and could be private.
    pub value: String,
}

/// Whether a member goes or comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    /// It goes.
    Removed,
    /// It comes.
    Added,
}

/// What changes between two states of a binding.
pub(super) fn between(before: Option<&Node>, after: Option<&Node>) -> Example {
    let mut removed = Vec::new();
    let mut added = Vec::new();
    let mut pointer = String::new();
    walk(
        before,
        after,
        &mut pointer,
        "",
        &mut |sign, pointer, member, leaf| {
            let lines = match sign {
                Sign::Removed => &mut removed,
                Sign::Added => &mut added,
            };
            lines.push(ExampleLine {
                sign,
                pointer: pointer.to_owned(),
                value: shown(member, leaf),
            });
        },
    );
    let mut lines = removed;
    lines.append(&mut added);
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    Example { lines, more }
}

type Visit<'v> = dyn FnMut(Sign, &str, &str, &Node) + 'v;

fn walk(
    before: Option<&Node>,
    after: Option<&Node>,
    pointer: &mut String,
    member: &str,
    visit: &mut Visit<'_>,
) {
    let present = |node: Option<&'_ Node>| node.is_some_and(|node| !node.is_null());
    match (before, after) {
        (Some(Node::Object(old)), Some(Node::Object(new))) => {
            each(old, pointer, |key, node, pointer| {
                walk(Some(node), new.get(key), pointer, key, visit);
            });
            each(new, pointer, |key, node, pointer| {
                if !old.contains(key) {
                    walk(None, Some(node), pointer, key, visit);
                }
            });
        }
        (Some(old), Some(new)) if old == new => {}
        (old, new) => {
            for (sign, node) in [(Sign::Removed, old), (Sign::Added, new)] {
                match node {
                    Some(Node::Object(object)) if !object.is_empty() => {
                        each(object, pointer, |key, node, pointer| match sign {
                            Sign::Removed => walk(Some(node), None, pointer, key, visit),
                            Sign::Added => walk(None, Some(node), pointer, key, visit),
                        });
                    }
                    Some(node) if present(Some(node)) => visit(sign, pointer, member, node),
                    _ => {}
                }
            }
        }
    }
}

fn each(object: &Object, pointer: &mut String, mut of: impl FnMut(&str, &Node, &mut String)) {
    let parent = pointer.len();
    for (key, node) in object.iter() {
        push_pointer_token(pointer, key);
        of(key, node, pointer);
        pointer.truncate(parent);
    }
}

fn shown(member: &str, node: &Node) -> String {
    let is_plain = match node {
        Node::Null | Node::Object(_) => true,
        Node::Leaf(leaf) => matches!(leaf.kind(), LeafKind::Boolean | LeafKind::Number),
    };
    if is_plain || POSITIONS.contains(&member) {
        clipped(&node.to_json(), VALUE_CHARACTERS)
    } else {
        "…".to_owned()
    }
}
