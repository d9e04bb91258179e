//! The state that a binding opens with.

use jiff::Timestamp;
use staunch_protocol::RawValue;
use staunch_state::{Node, Object};

use crate::capture::{OpenBinding, Session, TaskError, state_patch};
use crate::resource::Resource;
use crate::spool::Spool;
use crate::transactor::Await;

/// The state that the binding opens with: its initial one if it is new, and stamped with when that was if it is not.
pub(super) async fn initialise(
    session: &Session,
    open: &OpenBinding,
    resource: &Resource,
    state: Option<Node>,
) -> Result<Node, TaskError> {
    let state = match state {
        Some(Node::Object(state))
            if state
                .get("last_initialized")
                .is_some_and(|at| !at.is_null()) =>
        {
            return Ok(Node::Object(state));
        }
        Some(Node::Object(state)) => stamped(state, session.clock.now()),
        _ => stamped(
            resource
                .initial_state
                .clone()
                .into_object()
                .unwrap_or_default(),
            session.clock.now(),
        ),
    };
    let patch = state_patch(&[&open.state_key], &state.to_json());
    let updated = RawValue::from_string(patch).expect("a state patch is valid JSON");
    let nothing = Spool::new(&session.budget);
    session
        .transactor
        .checkpoint(nothing, &updated, true, Await::Turn)
        .await?;
    Ok(state)
}

fn stamped(mut state: Object, now: Timestamp) -> Node {
    state.insert("last_initialized", Node::string(now.to_string()));
    Node::Object(state)
}
