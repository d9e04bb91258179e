//! Whether a project is well: its store, its files, its connectors. Looks, and changes nothing.

use std::path::Path;

use serde::Serialize;
use staunch_state::{ConnectorState, Node};

use crate::catalog::Capture;
use crate::project::Project;
use crate::store::{FileRow, Store, StoreError, StoreReader};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Good,
    /// Worth a look.
    Odd,
    /// A run would fail, or has lost something.
    Bad,
}

/// What was looked at, and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// What: `store`, or a capture's `connector`, `state`, `history` or `files`.
    pub what: &'static str,
    /// The capture, if it is about one.
    pub capture: Option<String>,
    /// How it is.
    pub health: Health,
    /// In what way, and what to do.
    pub detail: String,
}

/// Examines a project. A deep look reads the whole database, and makes every state anew that is kept.
#[must_use]
pub fn examine(project: &Project, is_deep: bool) -> Vec<Examined> {
    let mut examined = vec![temporary(&std::env::temp_dir())];
    let store = match Store::open_readonly(&project.state_dir) {
        Ok(store) => Some(store),
        Err(StoreError::NotFound { .. }) => {
            examined.push(of(
                "store",
                None,
                Health::Good,
                "there is none yet: nothing was ever committed",
            ));
            None
        }
        Err(error) => {
            examined.push(of("store", None, Health::Bad, error));
            None
        }
    };
    if let Some(store) = &store {
        examined.push(match store.check_database(is_deep) {
            Ok(()) => of("store", None, Health::Good, "the database is whole"),
            Err(error) => of("store", None, Health::Bad, error),
        });
    }
    for capture in project.catalog.captures.values() {
        examined.push(connector(project, capture));
        if let Some(store) = &store {
            examined.extend(committed(project, capture, store, is_deep));
        }
    }
    examined
}

fn of(
    what: &'static str,
    capture: Option<&Capture>,
    health: Health,
    detail: impl std::fmt::Display,
) -> Examined {
    Examined {
        what,
        capture: capture.map(|capture| capture.name.clone()),
        health,
        detail: detail.to_string(),
    }
}

/// Where connectors of the kit put the documents that wait for their checkpoint.
fn temporary(folder: &Path) -> Examined {
    const TMPFS: u64 = 0x0102_1994;
    let what = "temporary folder";
    let shown = folder.display();
    match rustix::fs::statfs(folder) {
        Ok(found) if u64::try_from(found.f_type) == Ok(TMPFS) => of(
            what,
            None,
            Health::Odd,
            format!(
                "{shown} is in memory, and so is what waits for a checkpoint there; set TMPDIR to a folder on a disk"
            ),
        ),
        Ok(_) => of(what, None, Health::Good, format!("{shown} is on a disk")),
        Err(error) => of(
            what,
            None,
            Health::Bad,
            format!("{shown} cannot be used ({error}); set TMPDIR to a folder that can"),
        ),
    }
}

fn connector(project: &Project, capture: &Capture) -> Examined {
    let health = |health, detail: String| of("connector", Some(capture), health, detail);
    match project.command(capture) {
        Err(error) => health(Health::Bad, error.to_string()),
        Ok(command) if command.is_found() => health(Health::Good, command.version()),
        Ok(command) => health(
            Health::Bad,
            format!(
                "`{}` was not found; check `command`, or build the connector first",
                command.program()
            ),
        ),
    }
}

/// What a capture has committed.
fn committed(
    project: &Project,
    capture: &Capture,
    store: &StoreReader,
    is_deep: bool,
) -> Vec<Examined> {
    let bad = |what, error: &dyn std::fmt::Display| of(what, Some(capture), Health::Bad, error);
    let row = match store.load(&capture.name) {
        Err(error) => return vec![bad("state", &error)],
        Ok(None) => return Vec::new(),
        Ok(Some(row)) => row,
    };
    let state = match Node::parse(&row.state) {
        Err(error) => bad("state", &format!("it cannot be read: {error}")),
        Ok(state) => match ConnectorState::new(state).and_then(|state| state.decode().map(drop)) {
            Ok(()) => of(
                "state",
                Some(capture),
                Health::Good,
                format!("at revision {}", row.revision),
            ),
            Err(error) => of(
                "state",
                Some(capture),
                Health::Odd,
                format!(
                    "it does not have the shape of a connector of the kit ({error}), as those of others need not"
                ),
            ),
        },
    };
    let history = match is_deep {
        true => store
            .check_history(&capture.name)
            .map(|count| format!("{count} changes, all as they were written")),
        false => store
            .check_head(&capture.name)
            .map(|()| "its last change made the state that is stored".to_owned()),
    };
    let history = match history {
        Ok(detail) => of("history", Some(capture), Health::Good, detail),
        Err(error) => bad("history", &error),
    };
    let files = match store.files(&capture.name) {
        Err(error) => vec![bad("files", &error)],
        Ok(rows) => match project.folder(project.sink_name(capture)) {
            Some(folder) => files(capture, &folder, &rows),
            None => Vec::new(), // Its documents go elsewhere by now.
        },
    };
    let mut examined = vec![state, history];
    examined.extend(files);
    examined
}

/// Whether what is committed of each file is there.
fn files(capture: &Capture, folder: &Path, rows: &[FileRow]) -> Vec<Examined> {
    let mut examined = Vec::new();
    for row in rows {
        let found = std::fs::metadata(folder.join(&row.path)).map_or(0, |found| found.len());
        let detail = match found.cmp(&row.committed_bytes) {
            std::cmp::Ordering::Equal => continue,
            std::cmp::Ordering::Less => format!(
                "`{}` has {found} bytes, and {} are committed of it; put it back, or start over in another folder",
                row.path, row.committed_bytes
            ),
            std::cmp::Ordering::Greater => format!(
                "`{}` has {} bytes that are not committed: the next run cuts them off, or one is under way",
                row.path,
                found - row.committed_bytes
            ),
        };
        let health = match found < row.committed_bytes {
            true => Health::Bad,
            false => Health::Odd,
        };
        examined.push(of("files", Some(capture), health, detail));
    }
    if examined.is_empty() {
        let detail = format!("{} as long as they are committed", rows.len());
        examined.push(of("files", Some(capture), Health::Good, detail));
    }
    examined
}
