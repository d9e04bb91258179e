//! Writes the state of a binding.

use super::{
    Backfill, Incremental, ModelError, Part, ResourceState, Snapshot, UnknownMembers,
    check_subtask_name,
};
use crate::node::{Node, Object};

pub(super) fn resource_state(state: &ResourceState) -> Result<Node, ModelError> {
    let mut object = Object::new();
    let nothing = UnknownMembers::default();
    let unknown = state.unknown.0.as_deref().unwrap_or(&nothing);
    part(&mut object, "inc", &state.inc, &unknown.inc, incremental)?;
    part(
        &mut object,
        "backfill",
        &state.backfill,
        &unknown.backfill,
        backfill,
    )?;
    part(
        &mut object,
        "snapshot",
        &state.snapshot,
        &unknown.snapshot,
        snapshot,
    )?;
    if let Some(at) = &state.last_initialized {
        object.insert("last_initialized", at.to_leaf());
    }
    if state.is_connector_initiated {
        object.insert("is_connector_initiated", Node::boolean(true));
    }
    add(&mut object, &unknown.members);
    Ok(Node::Object(object))
}

fn part<T>(
    state: &mut Object,
    member: &str,
    part: &Part<T>,
    unknown: &Part<Object>,
    write: fn(&T) -> Object,
) -> Result<(), ModelError> {
    let object = match part {
        Part::None => return Ok(()),
        Part::Flat(entry) => {
            let mut object = write(entry);
            if let Part::Flat(unknown) = unknown {
                add(&mut object, unknown);
            }
            object
        }
        Part::Keyed(entries) => {
            let mut object = Object::new();
            for (name, entry) in entries {
                check_subtask_name(name).map_err(|error| ModelError {
                    pointer: format!("/{member}"),
                    ..error
                })?;
                let node = match entry {
                    None => Node::Null,
                    Some(entry) => {
                        let mut written = write(entry);
                        if let (Part::Keyed(_), Some(unknown)) = (unknown, unknown.subtask(name)) {
                            add(&mut written, unknown);
                        }
                        Node::Object(written)
                    }
                };
                object.insert(name.as_str(), node);
            }
            object
        }
    };
    state.insert(member, object);
    Ok(())
}

/// Adds members that are not there.
fn add(object: &mut Object, more: &Object) {
    for (key, node) in more.map().iter() {
        if !object.contains(key) {
            object.insert_key(key.clone(), node.clone());
        }
    }
}

fn incremental(entry: &Incremental) -> Object {
    [("cursor", entry.cursor.to_node())].into_iter().collect()
}

fn backfill(entry: &Backfill) -> Object {
    let mut object: Object = [("cutoff", entry.cutoff.to_node())].into_iter().collect();
    if let Some(page) = &entry.next_page {
        object.insert("next_page", page.to_node());
    }
    object
}

fn snapshot(entry: &Snapshot) -> Object {
    let members = [
        ("updated_at", Node::Leaf(entry.updated_at.to_leaf())),
        ("last_count", Node::integer(entry.last_count)),
        ("last_digest", Node::string(&entry.last_digest)),
    ];
    members.into_iter().collect()
}
