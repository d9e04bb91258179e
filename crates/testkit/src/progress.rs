//! What a capture does to its state while it runs: cursors go on, backfills come to their end.

use std::cmp::Ordering;

use staunch_state::{Cursor, CursorKind, Node, Object};

use crate::cursors::{self, Shift, order};
use crate::random::Random;
use crate::shape::{self, BACKFILL, INC};

/// The state after every binding has read on for a while, each subtask by its own pace, and none beyond one that leads.
pub(crate) fn progressed(state: &Node, random: &mut Random) -> Node {
    let mut after = state.clone();
    let keys: Vec<String> = shape::bindings(state)
        .map(|(key, _)| key.to_owned())
        .collect();
    for key in keys {
        if let Some(binding) = shape::binding_mut(&mut after, &key) {
            read_on(binding, random);
            page_on(binding, random);
        }
    }
    after
}

fn read_on(binding: &mut Object, random: &mut Random) {
    let cursors: Vec<(Option<String>, Cursor)> = INC
        .entries(binding)
        .into_iter()
        .filter_map(|(name, entry)| {
            Some((name.map(str::to_owned), cursors::read(entry.get("cursor"))?))
        })
        .collect();
    let lead = cursors
        .iter()
        .map(|(_, cursor)| cursor)
        .max_by(|a, b| order(a, b).unwrap_or(Ordering::Equal))
        .and_then(|cursor| cursors::later(cursor, pace(random)));
    // Positions that only the source can order move together: whatever was one stays one.
    let tuples = Shift::random(random);
    let moves = !random.once_in(3);
    for (name, cursor) in cursors {
        let next = match cursor.kind() {
            CursorKind::Tuple => moves.then(|| tuples.of(&cursor, 0)),
            _ => cursors::later(&cursor, pace(random)).and_then(|next| behind(next, lead.as_ref())),
        };
        if let (Some(next), Some(entry)) = (next, INC.entry_mut(binding, name.as_deref())) {
            entry.insert("cursor", next.to_node());
        }
    }
}

/// A cursor that is not beyond the one that leads.
fn behind(next: Cursor, lead: Option<&Cursor>) -> Option<Cursor> {
    let lead = lead?;
    match order(&next, lead)? {
        Ordering::Greater if next.kind() == lead.kind() => Some(lead.clone()),
        Ordering::Greater => None,
        _ => Some(next),
    }
}

/// Units that a subtask reads on: none, some, or many.
fn pace(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => 0,
        1 => 1,
        2 => random.below(1_000),
        _ => random.below(10_000_000),
    }
}

fn page_on(binding: &mut Object, random: &mut Random) {
    for name in BACKFILL.names(binding) {
        if random.once_in(3) {
            BACKFILL.take(binding, name.as_deref());
            continue;
        }
        let Some(entry) = BACKFILL.entry_mut(binding, name.as_deref()) else {
            continue;
        };
        if let Some(page) = next_page(entry.get("next_page")) {
            entry.insert("next_page", page);
        }
    }
}

/// Another page of the same form.
pub(crate) fn next_page(page: Option<&Node>) -> Option<Node> {
    match page {
        None | Some(Node::Null) => Some(Node::string("p1")),
        Some(Node::Object(page)) => {
            let mut page = page.clone();
            page.insert("testkit_after", Node::string("p1"));
            Some(Node::Object(page))
        }
        Some(Node::Leaf(leaf)) => match leaf.as_str() {
            Some(text) => Some(Node::string(format!("{text}+"))),
            None => leaf.as_u64()?.checked_add(1).map(Node::integer),
        },
    }
}
