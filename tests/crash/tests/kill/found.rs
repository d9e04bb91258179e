//! What is on disk, whenever one looks; and what must be true of it, whatever was killed.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use staunch::state::{ConnectorState, Node};
use staunch_crash_tests::script::{self, LABELS, Shape, Told};
use staunch_runtime::store::{FileRow, Store, StoreReader};

use crate::project::{CAPTURE, Project};

/// What is committed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Checkpoints committed so far.
    pub(crate) checkpoints: u64,
    /// The state, without the times that are in it.
    pub(crate) state: Value,
    /// For each file its documents, in order.
    pub(crate) documents: BTreeMap<String, Vec<Value>>,
    /// For each migration: what was done, and to which state, without times.
    pub(crate) migrations: Vec<(Value, Value)>,
    /// Bytes in files after what is committed.
    pub(crate) uncommitted_bytes: u64,
}

/// Looks at a project, and finds fault with whatever is never allowed: a database that is damaged, documents that are torn,
/// repeated or of no transaction, a state that is between two shapes or does not go with the documents.
pub(crate) fn look(project: &Project) -> Result<Found, String> {
    let dir = project.path(".staunch");
    let reader = match Store::open_readonly(&dir) {
        Ok(reader) => reader,
        Err(error) if error.code() == "store.not_found" => return Ok(nothing()),
        Err(error) => return Err(format!("the store cannot be opened: {error}")),
    };
    check_database(project)?;
    let failed = |error| format!("the store cannot be read: {error}");
    let Some(capture) = reader.load(CAPTURE).map_err(failed)? else {
        return Ok(nothing());
    };
    let node =
        Node::parse(&capture.state).map_err(|error| format!("the state is no JSON: {error}"))?;
    let decoded = ConnectorState::new(node).and_then(|state| state.decode().map(|_| ()));
    decoded.map_err(|error| format!("the state does not decode: {error}"))?;
    let state = parse(&capture.state)?;
    let told = script::told(&state)?;
    let mut found = Found {
        checkpoints: capture.checkpoints,
        migrations: migrations(&reader)?,
        ..nothing()
    };
    for file in reader.files(CAPTURE).map_err(failed)? {
        let (documents, rest) = committed(project, &file)?;
        found.documents.insert(file.path, documents);
        found.uncommitted_bytes += rest;
    }
    agree(&told, &found)?;
    let history = reader.check_history(CAPTURE);
    found.state = without_times(state);
    let counted = found.documents.values().map(Vec::len).sum::<usize>() as u64;
    if counted != capture.documents {
        return Err(format!(
            "{} documents are committed, and {counted} are in the files",
            capture.documents
        ));
    }
    history.map_err(|error| error.to_string())?;
    Ok(found)
}

/// What there is before the first commit.
pub(crate) fn nothing() -> Found {
    Found {
        state: Value::Object(Default::default()),
        ..Found::default()
    }
}

/// Asks SQLite itself, and not the store.
fn check_database(project: &Project) -> Result<(), String> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let verdict = rusqlite::Connection::open_with_flags(project.path(".staunch/state.db"), flags)
        .and_then(|database| {
            database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
        });
    match verdict.as_deref() {
        Ok("ok") => Ok(()),
        Ok(damage) => Err(format!("the database is damaged: {damage}")),
        Err(error) => Err(format!("the database cannot be read: {error}")),
    }
}

/// The documents of a file up to its committed length, and how many bytes are after it.
fn committed(project: &Project, file: &FileRow) -> Result<(Vec<Value>, u64), String> {
    let path = project.path("out").join(&file.path);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        // Claimed, and lost before its name was durable: opening makes it anew.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.committed_bytes == 0 => {
            Vec::new()
        }
        Err(error) => return Err(format!("`{}` cannot be read: {error}", file.path)),
    };
    let length = usize::try_from(file.committed_bytes).expect("the script has few documents");
    let Some((committed, rest)) = bytes.split_at_checked(length) else {
        return Err(format!(
            "`{}` is shorter than what is committed of it",
            file.path
        ));
    };
    let text = std::str::from_utf8(committed)
        .map_err(|_| format!("`{}` is cut inside a character", file.path))?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(format!("the last document of `{}` is torn", file.path));
    }
    let documents = text.lines().map(parse).collect::<Result<Vec<_>, _>>()?;
    if documents.len() as u64 != file.committed_documents {
        return Err(format!(
            "`{}` has {} documents, and {} are committed",
            file.path,
            documents.len(),
            file.committed_documents
        ));
    }
    Ok((documents, rest.len() as u64))
}

/// Whether the documents are those that the state tells of, each once and as the script has it, and the journal what the
/// shape tells.
pub(crate) fn agree(told: &Told, found: &Found) -> Result<(), String> {
    for (path, documents) in &found.documents {
        let resource = path.trim_start_matches("crash/").trim_end_matches(".jsonl");
        let of_state = told.captured.get(resource).cloned().unwrap_or_default();
        let mut of_file = Vec::new();
        for document in documents {
            let (id, expected) = match resource {
                LABELS => {
                    let number = document["_meta"]["row_id"].as_u64().unwrap_or(u64::MAX);
                    let mut row = script::row(number);
                    row["_meta"] = serde_json::json!({ "op": "c", "row_id": number });
                    (number, row)
                }
                _ => {
                    let id = document["id"].as_u64().unwrap_or(u64::MAX);
                    (id, script::document(id))
                }
            };
            if *document != expected {
                return Err(format!(
                    "`{path}` has {document}, which is not in the script"
                ));
            }
            of_file.push(id);
        }
        of_file.sort_unstable();
        if !of_file.iter().eq(of_state.iter()) {
            return Err(format!(
                "`{path}` has {of_file:?}, where the state tells of {of_state:?}"
            ));
        }
    }
    let is_in_a_file = |resource: &str| {
        found
            .documents
            .contains_key(&format!("crash/{resource}.jsonl"))
    };
    if let Some(resource) = told
        .captured
        .keys()
        .find(|resource| !is_in_a_file(resource))
    {
        return Err(format!(
            "the state tells of `{resource}`, and there is no such file"
        ));
    }
    let expected = usize::from(told.shape == Some(Shape::Keyed));
    match found.migrations.len() {
        count if count == expected => Ok(()),
        count => Err(format!(
            "{count} migrations are journaled of a state that is {:?}",
            told.shape
        )),
    }
}

pub(crate) fn migrations(reader: &StoreReader) -> Result<Vec<(Value, Value)>, String> {
    let rows = reader
        .journal(CAPTURE)
        .map_err(|error| format!("the journal cannot be read: {error}"))?;
    let mut migrations = Vec::new();
    for row in &rows {
        match row.kind.as_str() {
            "migration" => migrations.push((
                parse(&row.state_update)?,
                without_times(parse(&row.state_before)?),
            )),
            // An upgrade that was taken back.
            "rollback" if migrations.pop().is_some() => {}
            other => return Err(format!("the journal has a `{other}`")),
        }
    }
    Ok(migrations)
}

pub(crate) fn parse(json: &str) -> Result<Value, String> {
    serde_json::from_str(json).map_err(|error| format!("{json} is no JSON: {error}"))
}

/// Takes out what is another in every run.
pub(crate) fn without_times(mut state: Value) -> Value {
    fn strip(value: &mut Value) {
        if let Value::Object(members) = value {
            members.retain(|name, _| name != "last_initialized" && name != "updated_at");
            members.values_mut().for_each(strip);
        }
    }
    strip(&mut state);
    state
}
