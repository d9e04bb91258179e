//! Whether a connector can go on with a state that says more than it understands.

use super::{
    BACKFILL_REQUESTS, BINDING_STATES, ConnectorState, ModelError, ResourceState, Unknown,
    binding_pointer,
};
use crate::leaf::Leaf;
use crate::node::{Node, Object, push_pointer_token};

/// Members of a connector state.
const ROOT: [&str; 3] = [BINDING_STATES, BACKFILL_REQUESTS, "refresh_token"];

/// Where a migration puts subtasks aside that are not configured any more. Nobody goes on with them.
const ARCHIVE: &str = "archived";

/// A member that whoever wrote it goes by, and this version does not know.
///
/// Every operation keeps such members. A capture that ran on without knowing what they mean might undo what they stand for, so it
/// does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{pointer}`{} is a member that this version does not know, as a newer version or another connector wrote it; \
     run the connector that wrote it, or have a migration remove it",
    of_binding(state_key)
)]
#[non_exhaustive]
pub struct UnknownMember {
    /// The binding whose state it is in; `None` for one beside the bindings' states.
    pub state_key: Option<String>,
    /// RFC 6901 pointer from the root of the connector state.
    pub pointer: String,
}

fn of_binding(state_key: &Option<String>) -> String {
    state_key
        .as_ref()
        .map(|key| format!(" of binding `{key}`"))
        .unwrap_or_default()
}

impl UnknownMember {
    /// A stable name of this kind of error.
    pub fn code(&self) -> &'static str {
        "state-unknown-member"
    }
}

impl ConnectorState {
    /// Refuses a state that has members which this version does not know; those of `decoded`, which is the state
    /// [decoded](ConnectorState::decode), among them. Null members count as absent, and what is archived may be anything.
    ///
    /// # Errors
    /// [`UnknownMember`], for the first.
    pub fn check_known(&self, decoded: &[(String, ResourceState)]) -> Result<(), UnknownMember> {
        let root = self.0.as_object().into_iter().flat_map(Object::iter);
        let mut others = root.filter(|(name, node)| !node.is_null() && !ROOT.contains(name));
        if let Some((name, _)) = others.next() {
            let mut pointer = String::new();
            push_pointer_token(&mut pointer, name);
            return Err(UnknownMember {
                state_key: None,
                pointer,
            });
        }
        decoded
            .iter()
            .try_for_each(|(state_key, state)| state.check_known(state_key))
    }

    /// Refuses a backfill request that is neither `true`, `false` nor `null`: what it asks for cannot be told.
    ///
    /// # Errors
    /// [`ModelError`], for the first.
    pub fn check_backfill_requests(&self) -> Result<(), ModelError> {
        let requests = self
            .0
            .as_object()
            .and_then(|root| root.get(BACKFILL_REQUESTS))
            .and_then(Node::as_object);
        for (state_key, request) in requests.into_iter().flat_map(Object::iter) {
            if request.is_null() || request.as_leaf().and_then(Leaf::as_bool).is_some() {
                continue;
            }
            let mut pointer = format!("/{BACKFILL_REQUESTS}");
            push_pointer_token(&mut pointer, state_key);
            return Err(ModelError {
                state_key: None,
                pointer,
                message:
                    "is neither `true` nor `false`; write `true` to have the binding backfilled"
                        .to_owned(),
            });
        }
        Ok(())
    }
}

impl ResourceState {
    /// As [`ConnectorState::check_known`], of one binding.
    ///
    /// # Errors
    /// [`UnknownMember`], for the first.
    pub fn check_known(&self, state_key: &str) -> Result<(), UnknownMember> {
        match self.unknown.first() {
            None => Ok(()),
            Some(path) => Err(UnknownMember {
                state_key: Some(state_key.to_owned()),
                pointer: binding_pointer(state_key, &path),
            }),
        }
    }
}

impl Unknown {
    /// The way from the binding's state to the first unknown member.
    fn first(&self) -> Option<Vec<&str>> {
        let members = self.0.as_deref().map(|unknown| &unknown.members);
        let mut names = members
            .into_iter()
            .flat_map(Object::iter)
            .map(|(name, _)| name);
        if let Some(name) = names.find(|name| *name != ARCHIVE) {
            return Some(vec![name]);
        }
        self.of_entries().find_map(|(part, subtask, members)| {
            let (name, _) = members.iter().next()?;
            Some(
                [Some(part), subtask, Some(name)]
                    .into_iter()
                    .flatten()
                    .collect(),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(json: &str) -> Option<UnknownMember> {
        let state = ConnectorState::parse(json).unwrap();
        let decoded = state.decode().unwrap();
        state.check_known(&decoded).err()
    }

    #[test]
    fn an_unknown_member_is_named_wherever_it_is() {
        for (json, pointer) in [
            (r#"{"bindingStateV1":{},"mystery":1}"#, "/mystery"),
            (
                r#"{"bindingStateV1":{"a":{},"k/l":{"inc":{"cursor":1},"extra":1}}}"#,
                "/bindingStateV1/k~1l/extra",
            ),
            (
                r#"{"bindingStateV1":{"k":{"inc":{"cursor":1,"seen":true}}}}"#,
                "/bindingStateV1/k/inc/seen",
            ),
            (
                r#"{"bindingStateV1":{"k":{"backfill":{"a":{"cutoff":1,"rows":2}}}}}"#,
                "/bindingStateV1/k/backfill/a/rows",
            ),
        ] {
            let error = unknown(json).expect(json);
            assert_eq!(error.pointer, pointer);
            assert_eq!(error.state_key.is_some(), pointer != "/mystery");
        }
        let error = unknown(r#"{"bindingStateV1":{"k":{"extra":1}}}"#).unwrap();
        assert_eq!(
            error.to_string(),
            "`/bindingStateV1/k/extra` of binding `k` is a member that this version does not know, as a newer version or another \
             connector wrote it; run the connector that wrote it, or have a migration remove it"
        );
    }

    #[test]
    fn what_is_null_or_archived_is_no_unknown_member() {
        for json in [
            "{}",
            r#"{"bindingStateV1":{"k":null,"l":{"extra":null}},"mystery":null}"#,
            r#"{"bindingStateV1":{"k":{"archived":{"inc":{"old":{"cursor":1,"seen":1}}}}},"backfillRequests":{},"refresh_token":"t"}"#,
        ] {
            assert_eq!(unknown(json), None, "{json}");
        }
    }

    #[test]
    fn a_backfill_request_is_a_boolean() {
        let check = |request: &str| {
            let json = format!(r#"{{"backfillRequests":{{"k":{request}}}}}"#);
            ConnectorState::parse(&json)
                .unwrap()
                .check_backfill_requests()
        };
        for request in ["true", "false", "null"] {
            assert_eq!(check(request), Ok(()), "{request}");
        }
        for request in ["1", "\"true\"", "{}"] {
            let error = check(request).unwrap_err().to_string();
            assert!(error.contains("/backfillRequests/k"), "{error}");
        }
    }
}
