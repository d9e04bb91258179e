//! What is given with a command: files named by a flag, `-` for standard input.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use serde::Deserialize;
use staunch_protocol::RawValue;
use staunch_runtime::catalog::Config;
use staunch_runtime::inspect;
use staunch_state::{BINDING_STATES, MAX_BYTES, Node, ParseError};

use crate::context::Context;
use crate::exit::Asked;
use crate::failure::Failure;
use crate::output::clean;

/// Bytes of the largest file that a state is read from: the largest state, and the envelope around it.
const STATE_FILE_BYTES: usize = MAX_BYTES + (1 << 20);

/// Bytes of the largest endpoint config.
const CONFIG_FILE_BYTES: usize = 16 << 20;

/// A connector state that was given.
#[derive(Debug)]
pub(crate) struct GivenState {
    /// What it was read from, for people.
    pub(crate) source: String,
    /// Always an object.
    pub(crate) state: Node,
}

/// Reads the connector state that `--state` names: the state itself, what `staunch state show --json` printed of it, or a fixture of a
/// connector's tests.
///
/// # Errors
/// When there is no such file, or it holds something else.
pub(crate) fn state(context: &Context, path: &Path) -> Result<GivenState, Failure> {
    let source = name(path);
    let bytes = read(context, path, "--state", STATE_FILE_BYTES)?;
    let state = of_fixture(connector_state(&bytes, &source)?);
    let is_bare = state
        .as_object()
        .is_some_and(|state| !state.is_empty() && !state.contains(BINDING_STATES));
    if is_bare {
        context.output.note(&format!(
            "{} has no member `{BINDING_STATES}`: no binding has state in it.",
            clean(&source)
        ));
    }
    Ok(GivenState { source, state })
}

/// The state of a fixture as connectors keep them: `{"state": …, "update": …}`.
fn of_fixture(given: Node) -> Node {
    let state = given.as_object().and_then(|given| given.get("state"));
    let is_state = |node: &&Node| node.pointer(&format!("/{BINDING_STATES}")).is_some();
    match state.filter(is_state) {
        Some(state) if given.pointer(&format!("/{BINDING_STATES}")).is_none() => state.clone(),
        _ => given,
    }
}

/// Reads a text that a flag names.
///
/// # Errors
/// When there is no such file, or it is no text.
pub(crate) fn text(context: &Context, path: &Path, flag: &'static str) -> Result<String, Failure> {
    let bytes = read(context, path, flag, STATE_FILE_BYTES)?;
    String::from_utf8(bytes).map_err(|error| {
        let (line, column) = place(error.as_bytes(), error.utf8_error().valid_up_to());
        let message = format!(
            "{}:{line}:{column}: the text is not UTF-8; save it as UTF-8",
            name(path)
        );
        Failure::new("input.syntax", message)
    })
}

/// Reads the endpoint config that `--config` names.
///
/// # Errors
/// When there is no such file, or it holds something else. No value of it is told.
pub(crate) fn config(context: &Context, path: &Path) -> Result<Config, Failure> {
    let source = name(path);
    let bytes = read(context, path, "--config", CONFIG_FILE_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let (line, column) = place(error.as_bytes(), error.utf8_error().valid_up_to());
        Failure::new(
            "config.invalid",
            format!("{source}:{line}:{column}: the text is not UTF-8; save it as UTF-8"),
        )
    })?;
    inspect::read_config(&text, &source).map_err(|error| Failure::of(&error, Asked::Plan))
}

/// Whether a path stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn name(path: &Path) -> String {
    match is_stdin(path) {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

fn read(
    context: &Context,
    path: &Path,
    flag: &'static str,
    limit: usize,
) -> Result<Vec<u8>, Failure> {
    let name = name(path);
    let unreadable = |error: io::Error| {
        let (code, message) = match error.kind() {
            io::ErrorKind::NotFound => (
                "input.not_found",
                format!("`{name}` (`{flag}`) is not there; name a file, or `-` for standard input"),
            ),
            io::ErrorKind::IsADirectory => (
                "input.unreadable",
                format!("`{name}` (`{flag}`) is a folder; name a file in it"),
            ),
            _ => {
                let message =
                    format!("cannot read `{name}` (`{flag}`); name a file that can be read");
                let causes = vec![error.to_string()];
                return Failure {
                    causes,
                    ..Failure::new("input.unreadable", message)
                };
            }
        };
        Failure::new(code, message)
    };
    let mut bytes = Vec::new();
    let outcome = if is_stdin(path) {
        if io::stdin().is_terminal() {
            context
                .output
                .note("Reading from standard input, until Ctrl-D.");
        }
        up_to(limit, io::stdin().lock(), &mut bytes)
    } else {
        File::open(path).and_then(|file| up_to(limit, file, &mut bytes))
    };
    match outcome {
        Err(error) => Err(unreadable(error)),
        Ok(true) => Err(Failure::new(
            "input.too_large",
            format!(
                "`{name}` (`{flag}`) has more than {limit} bytes, the most that can be read; is it the right file?"
            ),
        )),
        Ok(false) => Ok(bytes),
    }
}

/// Reads as much as is allowed, and answers whether there is more.
fn up_to(limit: usize, from: impl Read, bytes: &mut Vec<u8>) -> io::Result<bool> {
    from.take(limit as u64 + 1).read_to_end(bytes)?;
    Ok(bytes.len() > limit)
}

/// What every verb prints with `--json`; anything else is none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    command: String,
    ok: bool,
    #[serde(rename = "summary", borrow)]
    _summary: &'a RawValue,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(rename = "error", borrow)]
    _error: Option<&'a RawValue>,
}

/// The `result` of `staunch state show --json`, as far as it matters here.
#[derive(Deserialize)]
struct Shown<'a> {
    binding: Option<String>,
    #[serde(borrow)]
    state: Option<&'a RawValue>,
}

fn connector_state(bytes: &[u8], source: &str) -> Result<Node, Failure> {
    const EXPECTED: &str =
        "give it a connector state as JSON, or what `staunch state show --json` prints";
    let refused = |problem: String| {
        Failure::new(
            "input.not_a_state",
            format!("`{source}` {problem}; {EXPECTED}"),
        )
    };
    if bytes.trim_ascii().is_empty() {
        return Err(refused("is empty".into()));
    }
    let node = match serde_json::from_slice::<Envelope<'_>>(bytes) {
        Err(_) => parse(bytes, bytes, source)?,
        Ok(envelope) if envelope.command != "state show" => {
            return Err(refused(format!(
                "holds the answer of `staunch {}`",
                crate::output::clean(&envelope.command)
            )));
        }
        Ok(envelope) => {
            let result = envelope.result.filter(|_| envelope.ok);
            let shown =
                result.and_then(|result| serde_json::from_str::<Shown<'_>>(result.get()).ok());
            match shown {
                None => {
                    return Err(refused("holds the answer of a command that failed".into()));
                }
                Some(Shown {
                    binding: Some(_), ..
                }) => {
                    return Err(refused(
                        "holds one binding's part of a state, not all of it".into(),
                    ));
                }
                Some(Shown { state: None, .. }) => Node::Object(Default::default()), // It never committed.
                Some(Shown {
                    state: Some(state), ..
                }) => parse(bytes, state.get().as_bytes(), source)?,
            }
        }
    };
    let found = match &node {
        Node::Object(_) => return Ok(node),
        Node::Null => "nothing (`null`)",
        Node::Leaf(leaf) => match leaf.as_json().as_bytes().first() {
            Some(b'[') => "a list",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            _ => "a number",
        },
    };
    Err(refused(format!(
        "holds {found}, and a connector state is an object"
    )))
}

/// Parses `part` of the text `whole`, and tells where in the whole it is wrong.
fn parse(whole: &[u8], part: &[u8], source: &str) -> Result<Node, Failure> {
    Node::parse_bytes(part).map_err(|error: ParseError| {
        let start = part.as_ptr() as usize - whole.as_ptr() as usize;
        let (line, column) = place(whole, start + error.offset);
        let within = match error.pointer.as_deref() {
            None | Some("") => String::new(),
            Some(pointer) => format!(" (in `{pointer}`)"),
        };
        let message = format!(
            "{source}:{line}:{column}: {}{within}; a connector state is a JSON document, of 128 MiB at most",
            error.message
        );
        Failure::new("input.syntax", message)
    })
}

/// Line and column, in characters, of a place in a text; both from 1.
fn place(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    (
        line,
        String::from_utf8_lossy(&before[start..]).chars().count() + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Result<String, String> {
        let read = connector_state(text.as_bytes(), "old.json");
        read.map(|node| node.to_json())
            .map_err(|failure| format!("{}: {}", failure.code, failure.message))
    }

    #[test]
    fn a_state_is_taken_as_it_is_or_out_of_the_envelope_that_shows_it() {
        let state = r#"{"bindingStateV1":{"orders":{"inc":{"cursor":12345678901234567890123}}}}"#;
        let envelope = format!(
            r#"{{"command":"state show","ok":true,"summary":"s","result":{{"capture":"a/b","commit":{{}},"state":{state}}},"error":null}}"#
        );
        assert_eq!(given(state).unwrap(), state);
        assert_eq!(given(&envelope).unwrap(), state);
        let never = r#"{"command":"state show","ok":true,"summary":"s","result":{"capture":"a/b","commit":null,"state":null},"error":null}"#;
        assert_eq!(given(never).unwrap(), "{}");
        let likeness = r#"{"command":"state show","bindingStateV1":{}}"#;
        assert_eq!(
            given(likeness).unwrap(),
            likeness,
            "a state may have any members"
        );
    }

    #[test]
    fn a_state_may_be_as_deep_in_an_envelope_as_by_itself() {
        let deep =
            |levels: usize| format!("{}{}", r#"{"a":"#.repeat(levels), "1") + &"}".repeat(levels);
        let envelope = |state: &str| {
            format!(
                "{{\"command\":\"state show\",\"ok\":true,\"summary\":\"s\",\"result\":{{\"capture\":\"a\",\"state\":\n{state}}},\"error\":null}}"
            )
        };
        assert!(given(&deep(128)).is_ok() && given(&envelope(&deep(128))).is_ok());
        for text in [deep(129), envelope(&deep(129))] {
            let refused = given(&text).unwrap_err();
            let line = text.lines().count();
            assert!(
                refused.starts_with(&format!("input.syntax: old.json:{line}:641: ")),
                "{refused}"
            );
        }
    }

    #[test]
    fn what_is_no_state_is_named() {
        const EXPECTED: &str =
            "; give it a connector state as JSON, or what `staunch state show --json` prints";
        for (text, problem) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("[1]", "holds a list, and a connector state is an object"),
            (
                "null",
                "holds nothing (`null`), and a connector state is an object",
            ),
            (
                "\"a\"",
                "holds a string, and a connector state is an object",
            ),
            (
                r#"{"command":"state show","ok":false,"summary":"s","result":null,"error":{"code":"x"}}"#,
                "holds the answer of a command that failed",
            ),
            (
                r#"{"command":"check","ok":true,"summary":"s","result":{},"error":null}"#,
                "holds the answer of `staunch check`",
            ),
            (
                r#"{"command":"state show","ok":true,"summary":"s","result":{"capture":"a","binding":"orders","state":{}},"error":null}"#,
                "holds one binding's part of a state, not all of it",
            ),
        ] {
            assert_eq!(
                given(text).unwrap_err(),
                format!("input.not_a_state: `old.json` {problem}{EXPECTED}"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_place_counts_characters_from_one() {
        for (text, offset, expected) in [
            ("", 0, (1, 1)),
            ("ab", 1, (1, 2)),
            ("a\nb", 2, (2, 1)),
            ("a\ndäb", 5, (2, 3)),
            ("a\n", 99, (2, 1)),
        ] {
            assert_eq!(place(text.as_bytes(), offset), expected, "{text:?}");
        }
        assert_eq!(place(b"\n\xff\xfe", 2), (2, 2));
    }
}
