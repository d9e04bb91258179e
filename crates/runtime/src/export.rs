//! States in a file: written by one store, read by another, and known to be whole.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use staunch_state::Node;
use twox_hash::XxHash3_128;

use crate::store::CaptureRow;

/// What the file says it is.
const KIND: &str = "states";
const VERSION: u64 = 1;

/// The state of a capture, with where it came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedState {
    /// The capture.
    pub capture: String,
    /// Its revision then.
    pub revision: u64,
    /// The connector that made it.
    pub connector: String,
    /// When, RFC 3339.
    pub committed_at: String,
    /// The state, as it was committed.
    pub state: Box<RawValue>,
}

/// States that were exported together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    staunch: String,
    version: u64,
    checksum: String,
    captures: Box<RawValue>,
}

/// Why a text is no export that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It is something else.
    #[error("it is not what `staunch state export` prints{}", at.map(|(line, column)| format!(" (line {line}, column {column})")).unwrap_or_default())]
    NotAnExport {
        /// Where it stops being that.
        at: Option<(usize, usize)>,
    },
    /// A later version wrote it.
    #[error(
        "it has version {found}, and this program knows {VERSION}; import it with the program that exported it"
    )]
    Newer {
        /// Its version.
        found: u64,
    },
    /// It was changed.
    #[error(
        "its checksum is not that of what it holds: it was cut or changed since it was exported (a program that lays it out \
         anew changes it, too); export it once more"
    )]
    Changed,
    /// A state in it is none.
    #[error("the state of `{capture}` in it cannot be read")]
    Unreadable {
        /// Whose.
        capture: String,
    },
}

impl Export {
    /// Puts the states of captures together.
    ///
    /// # Errors
    /// [`ExportError::Unreadable`] for a state that is no JSON.
    pub fn of(rows: Vec<CaptureRow>) -> Result<Self, ExportError> {
        let states = rows.into_iter().map(|row| {
            let state = RawValue::from_string(row.state);
            Ok(ExportedState {
                state: state.map_err(|_| ExportError::Unreadable {
                    capture: row.capture.clone(),
                })?,
                capture: row.capture,
                revision: row.revision,
                connector: row.connector,
                committed_at: row.updated_at,
            })
        });
        let states = states.collect::<Result<Vec<_>, ExportError>>()?;
        let captures =
            serde_json::value::to_raw_value(&states).expect("texts and numbers are JSON");
        Ok(Self {
            staunch: KIND.to_owned(),
            version: VERSION,
            checksum: checksum(captures.get()),
            captures,
        })
    }

    /// Reads what was exported.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn read(text: &str) -> Result<Vec<ExportedState>, ExportError> {
        let export: Export =
            serde_json::from_str(text).map_err(|error| ExportError::NotAnExport {
                at: Some((error.line(), error.column())),
            })?;
        if export.staunch != KIND {
            return Err(ExportError::NotAnExport { at: None });
        }
        if export.version != VERSION {
            return Err(ExportError::Newer {
                found: export.version,
            });
        }
        if export.checksum != checksum(export.captures.get()) {
            return Err(ExportError::Changed);
        }
        serde_json::from_str(export.captures.get())
            .map_err(|_| ExportError::NotAnExport { at: None })
    }
}

impl ExportedState {
    /// The state.
    ///
    /// # Errors
    /// [`ExportError::Unreadable`] if it is none.
    pub fn node(&self) -> Result<Node, ExportError> {
        let node = Node::parse(self.state.get());
        node.ok()
            .filter(|node| node.as_object().is_some())
            .ok_or_else(|| ExportError::Unreadable {
                capture: self.capture.clone(),
            })
    }
}

fn checksum(text: &str) -> String {
    format!("xxh3-128:{:032x}", XxHash3_128::oneshot(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(state: &str) -> String {
        let captures = format!(
            r#"[{{"capture":"a/b","revision":7,"connector":"c@1","committedAt":"2026-01-01T00:00:00Z","state":{state}}}]"#
        );
        let export = Export {
            staunch: KIND.to_owned(),
            version: VERSION,
            checksum: checksum(&captures),
            captures: RawValue::from_string(captures).unwrap(),
        };
        serde_json::to_string(&export).unwrap()
    }

    #[test]
    fn a_state_comes_back_to_the_letter() {
        let state = r#"{"z":1.50,"a":{"cursor":12345678901234567890.10}}"#;
        let read = Export::read(&exported(state)).unwrap();
        assert_eq!(
            (&*read[0].capture, read[0].revision, read[0].state.get()),
            ("a/b", 7, state)
        );
        assert_eq!(read[0].node().unwrap().to_json(), state);
    }

    #[test]
    fn what_is_cut_changed_or_something_else_is_refused() {
        let whole = exported(r#"{"a":1}"#);
        for (text, message) in [
            (whole.replace(r#""a":1"#, r#""a":2"#), "its checksum is not"),
            (
                whole.replace(r#"{"a":1}"#, r#"{ "a":1}"#),
                "lays it out anew",
            ),
            (
                whole[..whole.len() / 2].to_owned(),
                "it is not what `staunch state export` prints (line 1",
            ),
            (
                whole.replace("states", "plan"),
                "it is not what `staunch state export` prints",
            ),
            (
                whole.replace(r#""version":1"#, r#""version":2"#),
                "it has version 2",
            ),
            ("{}".to_owned(), "it is not what"),
            (String::new(), "it is not what"),
        ] {
            let error = Export::read(&text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
        let read = Export::read(&exported("[1]")).unwrap();
        assert_eq!(
            read[0].node().unwrap_err().to_string(),
            "the state of `a/b` in it cannot be read"
        );
    }
}
