//! States that are half each: old members and new ones in one entry, or a beginning that was interrupted.
//!
//! Nothing tells what is right for them, so refusing is allowed. What is not allowed is a panic, and to come out whole with a
//! position lost on the way.

use std::cmp::Ordering;

use staunch_state::{ConnectorState, Cursor, Effects, Node, Object, plan};

use crate::allowed;
use crate::case::{Case, Subject};
use crate::cursors::{self, order};
use crate::law::{Law, Violation};
use crate::shape::{self, BACKFILL, INC, Part};

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residue {
    Refused,
    CarriedOver,
}

/// Migrates a state that is half each.
pub(crate) fn check(subject: &Subject, case: &Case) -> Result<Residue, Violation> {
    let Ok(migrated) = subject.run(&case.state, &case.bindings)? else {
        return Ok(Residue::Refused);
    };
    let decoded = ConnectorState::new(migrated.after.clone()).and_then(|state| state.decode());
    if decoded.is_err() {
        return Ok(Residue::Refused);
    }
    let terms = subject.terms(&case.consents);
    let Ok(plan) = plan(
        &case.state,
        &migrated.after,
        &case.bindings,
        &migrated.applied,
        &terms,
    ) else {
        return Ok(Residue::Refused);
    };
    for (_, binding) in plan.bindings() {
        let key = &*binding.state_key;
        let was = binding.moved_from.as_ref().map_or(key, |from| &**from);
        let allowed = allowed::of(&subject.declared, &migrated.applied, &[key, was]);
        if allowed.starts_over() || allowed.retires() {
            continue;
        }
        let (Some(was), Some(is)) = (
            shape::binding(&case.state, was),
            shape::binding(&migrated.after, key),
        ) else {
            continue;
        };
        if let Some(lost) = lost(was, is, &allowed) {
            return Err(Violation::new(
                Law::Residue,
                format!("{lost}\nafter: {}", Node::Object(is.clone()).to_json()),
                "refuse with `MigrationError::failed` where old and new members stand beside each other",
            ));
        }
    }
    Ok(Residue::CarriedOver)
}

/// The first position or page that nothing carries on.
fn lost(was: &Object, is: &Object, allowed: &Effects) -> Option<String> {
    let after: Vec<Cursor> = all(INC, is)
        .into_iter()
        .filter_map(|(_, entry)| cursors::read(entry.get("cursor")))
        .collect();
    for (name, entry) in all(INC, was) {
        let Some(cursor) = cursors::read(entry.get("cursor")) else {
            continue;
        };
        let carries_on = |theirs: &Cursor| match order(theirs, &cursor) {
            Some(order) => order != Ordering::Greater,
            None => theirs.parts().is_none() || cursor.parts().is_none(),
        };
        if !allowed.drops(name) && !after.iter().any(carries_on) {
            return Some(format!("nothing reads on from {cursor}"));
        }
    }
    let page = |entry: &Object| entry.get("next_page").cloned().unwrap_or(Node::Null);
    let pages: Vec<Node> = all(BACKFILL, is)
        .into_iter()
        .map(|(_, entry)| page(entry))
        .collect();
    let unfinished = all(BACKFILL, was)
        .into_iter()
        .filter(|(name, entry)| entry.present("cutoff").is_some() && !allowed.drops(*name))
        .find(|(_, entry)| !pages.iter().any(|theirs| theirs.same_state(&page(entry))));
    unfinished.map(|_| "an unfinished backfill goes on nowhere".to_owned())
}

/// Every entry, the flat one and those of subtasks, also where both are there.
fn all(part: Part, state: &Object) -> Vec<(Option<&str>, &Object)> {
    let Some(members) = state.get(part.name).and_then(Node::as_object) else {
        return Vec::new();
    };
    let has_entry = |entry: &Object| {
        part.members
            .iter()
            .any(|member| entry.present(member).is_some())
    };
    let subtasks = members
        .iter()
        .filter_map(|(name, node)| Some((name, node.as_object()?)))
        .filter(|(name, entry)| !part.members.contains(name) && has_entry(entry))
        .map(|(name, entry)| (Some(name), entry));
    let flat = has_entry(members).then_some((None, members));
    flat.into_iter().chain(subtasks).collect()
}
