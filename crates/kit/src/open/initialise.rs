//! The state that a binding opens with.
//!
//! [`begin`] decides, from plain values. What it decides is done with one checkpoint for each binding, and one before it for each
//! backfill that was requested:
//!
//! | the binding | its state | its checkpoint |
//! | --- | --- | --- |
//! | is new, or was requested to begin anew | the initial one, stamped with the present | that state, whole |
//! | has a state without a stamp | that, stamped | that state, whole |
//! | missed its schedule, and its cursors say up to where a backfill has to go | that, with the initial backfill up to there | that state, whole |
//! | missed its schedule otherwise | the initial one | that state, and a removal of whatever else there was |
//! | anything else | as it came | none |
//!
//! A request removes the old state and itself in one checkpoint, so that a crash after it finds a new binding, and nothing of the
//! old one to resume. It wins over a missed schedule: somebody asked.

use jiff::Timestamp;
use staunch_protocol::RawValue;
use staunch_state::{Backfill, Cursor, DateTime, ModelError, Node, Object, Part, ResourceState};

use crate::capture::{OpenBinding, Session, TaskError, state_patch};
use crate::schedule::Schedule;
use crate::spool::Spool;
use crate::transactor::Await;

/// What decides how a binding begins.
pub(super) struct Terms<'a> {
    pub(super) state_key: &'a str,
    /// Its state as it is stored, and what that means. None if it has none.
    pub(super) stored: Option<(&'a Node, ResourceState)>,
    /// Whether it was requested to begin anew.
    pub(super) is_requested: bool,
    /// Whether one of its functions goes on with a backfill of its state. No schedule is acted upon meanwhile.
    pub(super) is_backfilling: bool,
    pub(super) schedule: Option<Schedule>,
    /// The state with which it begins when it is new.
    pub(super) initial: &'a Node,
    pub(super) now: Timestamp,
}

/// How a binding begins.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) state: Node,
    pub(super) typed: ResourceState,
    /// The merge patch that makes this the stored state, below the binding's state key. None where it is.
    pub(super) patch: Option<Node>,
    /// Whether all of it is the resource's initial state.
    pub(super) is_initial: bool,
}

/// Decides how a binding begins.
///
/// # Errors
/// When the initial state cannot be read.
pub(super) fn begin(terms: Terms<'_>) -> Result<Beginning, ModelError> {
    let now = terms.now.to_string();
    let stored = terms.stored.filter(|_| !terms.is_requested);
    let Some((node, typed)) = stored else {
        return initial(terms.state_key, terms.initial, &now, Why::New);
    };
    let Some(since) = &typed.last_initialized else {
        let state = with_members(node, [("last_initialized", Node::string(&now))]);
        let typed = ResourceState {
            last_initialized: stamp(&now),
            ..typed
        };
        return Ok(Beginning {
            patch: Some(state.clone()),
            state,
            typed,
            is_initial: false,
        });
    };
    let due = terms
        .schedule
        .and_then(|schedule| schedule.next_after(since.timestamp()));
    if terms.is_backfilling || due.is_none_or(|due| due > terms.now) {
        return Ok(Beginning {
            state: node.clone(),
            typed,
            patch: None,
            is_initial: false,
        });
    }
    let anew = initial(terms.state_key, terms.initial, &now, Why::Missed(node))?;
    Ok(keep_cursors(node, typed, &anew, &now).unwrap_or(anew))
}

enum Why<'a> {
    New,
    /// Its schedule came round while it had this state.
    Missed(&'a Node),
}

/// Begins with the initial state.
fn initial(
    state_key: &str,
    initial: &Node,
    now: &str,
    why: Why<'_>,
) -> Result<Beginning, ModelError> {
    let mut state = with_members(initial, [("last_initialized", Node::string(now))]);
    let patch = match why {
        Why::New => state.clone(),
        Why::Missed(stored) => {
            state = with_members(&state, [("is_connector_initiated", Node::boolean(true))]);
            replacing(stored, &state)
        }
    };
    Ok(Beginning {
        typed: ResourceState::decode(state_key, &state)?,
        state,
        patch: Some(patch),
        is_initial: true,
    })
}

/// Begins the initial backfill beside cursors that stay where they are. None unless there is one for the whole resource, up to a
/// date-time, and a cursor that can take its place: the earliest, before which everything is the backfill's.
fn keep_cursors(
    stored: &Node,
    typed: ResourceState,
    anew: &Beginning,
    now: &str,
) -> Option<Beginning> {
    let first = anew.typed.backfill.flat()?;
    first.cutoff.as_datetime()?;
    let cutoff = earliest(&typed)?.clone();
    let backfill = with_members(
        anew.state.as_object()?.get("backfill")?,
        [("cutoff", cutoff.to_node())],
    );
    let old_backfill = stored.as_object()?.present("backfill");
    let state = with_members(
        stored,
        [
            ("backfill", backfill),
            ("is_connector_initiated", Node::boolean(true)),
            ("last_initialized", Node::string(now)),
        ],
    );
    let patch = match old_backfill {
        None => state.clone(),
        Some(_) => replacing(stored, &state), // What no function goes on with is no part of the new one.
    };
    let next_page = first.next_page.clone();
    let typed = ResourceState {
        backfill: Part::Flat(Backfill { cutoff, next_page }),
        is_connector_initiated: true,
        last_initialized: stamp(now),
        ..typed
    };
    Some(Beginning {
        state,
        typed,
        patch: Some(patch),
        is_initial: false,
    })
}

/// The earliest of the date-times up to which the binding is captured.
fn earliest(state: &ResourceState) -> Option<&Cursor> {
    let cursors = state.inc.entries().map(|(_, inc)| &inc.cursor);
    cursors
        .filter(|cursor| cursor.as_datetime().is_some())
        .min_by_key(|cursor| cursor.timestamp())
}

/// The merge patch that leaves `new` of `old`, and says all of `new`: whoever reads it need not know what was there.
fn replacing(old: &Node, new: &Node) -> Node {
    let (Some(was), Some(is)) = (old.as_object(), new.as_object()) else {
        return new.clone();
    };
    let mut patch = is.clone();
    for (name, old) in was.iter().filter(|(_, old)| !old.is_null()) {
        let value = is.get(name).map_or(Node::Null, |new| replacing(old, new));
        patch.insert(name, value);
    }
    Node::Object(patch)
}

fn with_members<const N: usize>(state: &Node, members: [(&str, Node); N]) -> Node {
    let mut state = state.as_object().cloned().unwrap_or_default();
    for (name, value) in members {
        state.insert(name, value);
    }
    Node::Object(state)
}

fn stamp(now: &str) -> Option<DateTime> {
    Some(DateTime::parse(now).expect("a timestamp is written as RFC 3339 says"))
}

/// Removes the state of a binding that is requested to begin anew, and the request with it.
pub(super) async fn clear(session: &Session, state_key: &str) -> Result<(), TaskError> {
    tracing::info!(state_key, "a backfill was requested: the state is removed");
    let key: Object = [(state_key, Node::Null)].into_iter().collect();
    let members = ["backfillRequests", "bindingStateV1"];
    let update: Object = members
        .map(|member| (member, Node::Object(key.clone())))
        .into_iter()
        .collect();
    checkpoint(session, Node::Object(update).to_json()).await
}

/// Makes the state of a binding the one that it begins with.
pub(super) async fn store(
    session: &Session,
    open: &OpenBinding,
    patch: &Node,
) -> Result<(), TaskError> {
    checkpoint(session, state_patch(&[&open.state_key], &patch.to_json())).await
}

async fn checkpoint(session: &Session, update: String) -> Result<(), TaskError> {
    let updated = RawValue::from_string(update).expect("a state patch is valid JSON");
    let nothing = Spool::new(&session.budget);
    session
        .transactor
        .checkpoint(nothing, &updated, true, Await::Turn)
        .await
}

#[cfg(test)]
mod tests;
