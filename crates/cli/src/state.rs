//! `staunch state`: what a capture has committed, what was done to it, and changing it by hand.

pub(crate) mod change;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod show;

use staunch_protocol::state_key;
use staunch_runtime::inspect;
use staunch_runtime::store::{StoreError, StoreReader};
use staunch_runtime::{Project, catalog::Capture};
use staunch_state::{ConnectorState, Node};

use crate::context;
use crate::exit::Asked;
use crate::failure::Failure;

/// The store of a project that has one.
fn store(project: &Project, capture: &Capture) -> Result<StoreReader, Failure> {
    let store = inspect::store(project).map_err(context::failed(capture, Asked::Other))?;
    store.ok_or_else(|| {
        let message = format!(
            "`{}` has no state yet: it never committed; run it first",
            capture.name
        );
        Failure::new("state.none", message).about(&capture.name)
    })
}

/// A failure of the store, about a capture.
fn of_store(capture: &str) -> impl Fn(StoreError) -> Failure + '_ {
    move |error| Failure::of(&error.into(), Asked::Other).about(capture)
}

/// The state at a revision, as it was.
fn at_revision(store: &StoreReader, capture: &str, revision: u64) -> Result<Node, Failure> {
    let failed = of_store(capture);
    let state = store.state_at(capture, revision).map_err(&failed)?;
    let Some(state) = state else {
        let now = store.load(capture).map_err(failed)?;
        let now = now.map_or(0, |row| row.revision);
        let message = match revision > now {
            true => {
                format!("`{capture}` is at revision {now}; there is no revision {revision} yet")
            }
            false => format!(
                "the state of revision {revision} of `{capture}` is not kept; `staunch state history` lists what is"
            ),
        };
        return Err(Failure::new("state.not_kept", message).about(capture));
    };
    Node::parse(&state).map_err(|error| unreadable(capture, &error))
}

/// What is stored is no state.
pub(crate) fn unreadable(capture: &str, error: &dyn std::fmt::Display) -> Failure {
    let message = format!("the stored state of `{capture}` cannot be read; nothing was done to it");
    Failure {
        causes: vec![error.to_string()],
        ..Failure::new("state.unreadable", message)
    }
    .about(capture)
}

/// The binding that is meant: by its state key, or by its resource path whatever its backfill counter.
pub(crate) fn select<'a>(
    state: &'a ConnectorState,
    asked: &str,
) -> Result<(&'a str, &'a Node), Failure> {
    let path = state_key(&[asked.to_owned()], 0);
    let is_counted = |key: &str| {
        let counter = key
            .strip_prefix(path.as_str())
            .and_then(|rest| rest.strip_prefix(".v"));
        counter.is_some_and(|counter| {
            !counter.is_empty() && counter.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let find = |is: &dyn Fn(&str) -> bool| {
        state
            .bindings()
            .filter(|(key, _)| is(key))
            .collect::<Vec<_>>()
    };
    for candidates in [
        find(&|key| key == asked),
        find(&|key| key == path),
        find(&is_counted),
    ] {
        match candidates.as_slice() {
            [] => {}
            [only] => return Ok(*only),
            several => {
                return Err(unknown(
                    &format!("`{asked}` could be several bindings"),
                    several,
                ));
            }
        }
    }
    let all: Vec<_> = state.bindings().collect();
    Err(unknown(
        &format!("the state has no binding `{asked}`"),
        &all,
    ))
}

fn unknown(problem: &str, bindings: &[(&str, &Node)]) -> Failure {
    const SHOWN: usize = 20;
    let mut keys: Vec<String> = bindings
        .iter()
        .take(SHOWN)
        .map(|(key, _)| format!("`{key}`"))
        .collect();
    if bindings.len() > SHOWN {
        keys.push(format!("{} more", bindings.len() - SHOWN));
    }
    let keys = if keys.is_empty() {
        "it has none".to_owned()
    } else {
        format!("name one of {}", keys.join(", "))
    };
    Failure::new("state.unknown_binding", format!("{problem}; {keys}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_known_by_its_key_or_its_path() {
        let state =
            r#"{"bindingStateV1":{"orders":{},"a%2Fb.v2":{},"x.v1":{},"x.v2":{},"x.vy":{}}}"#;
        let state = ConnectorState::parse(state).unwrap();
        for (asked, key) in [
            ("orders", "orders"),
            ("a/b", "a%2Fb.v2"),
            ("a%2Fb.v2", "a%2Fb.v2"),
            ("x.v1", "x.v1"),
        ] {
            assert_eq!(select(&state, asked).unwrap().0, key);
        }
        for (asked, message) in [
            (
                "x",
                "`x` could be several bindings; name one of `x.v1`, `x.v2`",
            ),
            (
                "order",
                "the state has no binding `order`; name one of `orders`, `a%2Fb.v2`, `x.v1`, `x.v2`, `x.vy`",
            ),
        ] {
            assert_eq!(select(&state, asked).unwrap_err().message, message);
        }
    }
}
