//! `staunch state show`: what a capture has committed.

use serde::Serialize;
use staunch_protocol::{RawValue, state_key};
use staunch_runtime::inspect;
use staunch_state::{ConnectorState, Node};

use crate::args::ShowArgs;
use crate::context::{self, Context};
use crate::events;
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::output::{Glyphs, Report};
use crate::pretty::pretty;
use crate::quantity::counted;

#[derive(Serialize)]
struct StateReport {
    capture: String,
    /// The state key of the binding that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    binding: Option<String>,
    /// None for a capture that never committed.
    commit: Option<Committed>,
    state: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Committed {
    revision: u64,
    at: String,
    connector: String,
    documents: u64,
    checkpoints: u64,
}

pub(crate) fn run(context: &Context, args: &ShowArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, &args.capture, Asked::Other)?;
    let row = inspect::state(&project, capture).map_err(context::failed(capture, Asked::Other))?;
    let Some(row) = row.filter(|row| row.revision > 0) else {
        let report = StateReport {
            capture: capture.name.clone(),
            binding: None,
            commit: None,
            state: None,
        };
        let exit = context.output.answer(&report)?;
        context.output.note(&report.summary());
        context.output.next(
            "capture",
            &context.command(&format!("run {}", capture.name)),
        );
        return Ok(exit);
    };
    let unreadable = |error: &dyn std::fmt::Display| unreadable(&capture.name, error);
    let (binding, text) = match &args.binding {
        None => (None, row.state),
        Some(asked) => {
            let state = ConnectorState::parse(&row.state).map_err(|error| unreadable(&error))?;
            let (key, node) =
                select(&state, asked).map_err(|failure| failure.about(&capture.name))?;
            (Some(key.to_owned()), node.to_json())
        }
    };
    let report = StateReport {
        capture: capture.name.clone(),
        binding,
        commit: Some(Committed {
            revision: row.revision,
            at: row.updated_at,
            connector: row.connector,
            documents: row.documents,
            checkpoints: row.checkpoints,
        }),
        state: Some(RawValue::from_string(text).map_err(|error| unreadable(&error))?),
    };
    context.output.note(&report.summary());
    context.output.answer(&report)
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
fn select<'a>(state: &'a ConnectorState, asked: &str) -> Result<(&'a str, &'a Node), Failure> {
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

/// A connector's version with as much of its digest as tells it from another; the JSON has all of it.
pub(crate) fn short_version(version: &str) -> &str {
    const DIGITS: usize = 8;
    match version.rsplit_once('@') {
        Some((name, digest)) if digest.len() > DIGITS && digest.is_ascii() => {
            &version[..name.len() + 1 + DIGITS]
        }
        _ => version,
    }
}

impl Report for StateReport {
    const COMMAND: &'static str = "state show";

    fn summary(&self) -> String {
        match &self.commit {
            None => format!("{} has no state yet: it never committed", self.capture),
            Some(Committed {
                revision,
                at,
                connector,
                documents,
                checkpoints,
            }) => format!(
                "{} at revision {revision}, committed {} by {}, {} in {}",
                self.capture,
                events::second(at),
                short_version(connector),
                counted(*documents, "document"),
                counted(*checkpoints, "checkpoint"),
            ),
        }
    }

    fn text(&self, _: &Glyphs) -> String {
        let Some(state) = &self.state else {
            return String::new();
        };
        match Node::parse(state.get()) {
            Ok(node) => format!("{}\n", pretty(&node)),
            Err(_) => format!("{}\n", state.get()), // Beyond the bounds of a state: as it is, then.
        }
    }
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
