//! The ways back from a migration, and what each of them costs.
//!
//! Two there are: the reverses that its steps declare, run on the state of today, which keep what was captured since; and the state that the
//! migration found, from which that is captured again.

use serde::Serialize;
use staunch_state::Plan;

use crate::catalog::Capture;
use crate::edit::{Edit, Proposal};
use crate::error::RunError;
use crate::inspect::{self, Question};
use crate::process::LogSink;
use crate::project::Project;
use crate::run::parse_state;
use crate::store::ChangeRow;

/// A migration that was committed and not taken back yet.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Committed {
    /// The revision that it made.
    pub revision: u64,
    /// When, RFC 3339.
    pub at: String,
    /// By which connector.
    pub connector: String,
    /// Its steps, in their order.
    pub steps: Vec<String>,
    /// The connector that made the revision before, if that is known.
    pub connector_before: Option<String>,
    /// Documents that were committed since.
    pub documents_since: u64,
}

/// How a migration can be taken back.
#[derive(Debug)]
pub struct WaysBack {
    /// The migration.
    pub migration: Committed,
    /// By the reverses of its steps; or why not.
    pub reverse: Result<(Plan, Proposal), String>,
    /// By the state that it found; none if that is not kept any longer.
    pub snapshot: Option<Proposal>,
}

/// The place of the last migration that was not taken back, in a history with the newest first.
fn last_migration(history: &[ChangeRow]) -> Option<usize> {
    let mut taken_back = 0;
    history
        .iter()
        .position(|change| match change.kind.as_str() {
            "rollback" => {
                taken_back += 1;
                false
            }
            "migration" if taken_back > 0 => {
                taken_back -= 1;
                false
            }
            kind => kind == "migration",
        })
}

/// The migration that made the state newer than this version of a connector: it was in charge before, and has not been since. None if
/// the state was put back to another in the meantime, or nobody can tell.
pub(crate) fn newer_than<'a>(history: &'a [ChangeRow], version: &str) -> Option<&'a ChangeRow> {
    let place = last_migration(history)?;
    let (since, before) = history.split_at(place + 1);
    let is_of_it = |change: &ChangeRow| change.connector == version;
    let is_put_back = |change: &ChangeRow| matches!(&*change.kind, "undo" | "import" | "copy");
    let is_newer = before.iter().any(is_of_it) && !since.iter().any(is_of_it);
    (is_newer && !since.iter().any(is_put_back)).then_some(&history[place])
}

/// How the last migration of a capture can be taken back; none if there is none that is recorded. `with` is the connector that knows the
/// reverses, in place of the capture's own.
///
/// # Errors
/// When the history cannot be read.
pub fn ways_back(
    project: &Project,
    capture: &Capture,
    edit: &Edit,
    with: Option<&[String]>,
    log: LogSink,
) -> Result<Option<WaysBack>, RunError> {
    let history = edit.reader().history(&capture.name, usize::MAX)?;
    let Some(place) = last_migration(&history) else {
        return Ok(None);
    };
    let row = &history[place];
    let before = history.get(place + 1).filter(|_| row.revision > 1);
    let documents = edit.reader().load(&capture.name)?;
    let documents = documents.map_or(0, |row| row.documents);
    let migration = Committed {
        revision: row.revision,
        at: row.at.clone(),
        connector: row.connector.clone(),
        steps: row.steps(),
        connector_before: before.map(|before| before.connector.clone()),
        documents_since: documents.saturating_sub(match row.steps().is_empty() {
            true => before.unwrap_or(row).documents, // Nobody told of it: it is in one commit with the first documents.
            false => row.documents,
        }),
    };
    let question = Question {
        to: with,
        state: Some(edit.state()),
        undo: &migration.steps,
        ..Question::default()
    };
    let reverse = match inspect::plan(project, capture, question, log) {
        Ok(planned) => match planned.plan {
            Some(plan) => {
                let state = plan.apply(edit.state().clone());
                Ok((plan, edit.propose(state)))
            }
            None => Err(format!(
                "connector `{}` has no step of that name, or the state is as before already",
                planned.connector.split('@').next().unwrap_or_default()
            )),
        },
        Err(error) => Err(error.to_string()),
    };
    let snapshot = edit
        .reader()
        .state_at(&capture.name, row.revision - 1)?
        .map(|state| parse_state(capture, &state))
        .transpose()?;
    Ok(Some(WaysBack {
        migration,
        reverse,
        snapshot: snapshot.map(|state| edit.propose(state)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_is_older_than_a_state_that_another_has_migrated_since() {
        let history = |rows: &[(&str, &str)]| -> Vec<ChangeRow> {
            let rows = rows.iter().map(|(kind, connector)| ChangeRow {
                kind: (*kind).to_owned(),
                connector: (*connector).to_owned(),
                ..ChangeRow::default()
            });
            rows.collect()
        };
        for (rows, is_older) in [
            (&[("checkpoint", "a")][..], false),
            (&[("migration", "b"), ("checkpoint", "a")], true),
            (
                &[("checkpoint", "b"), ("migration", "b"), ("checkpoint", "a")],
                true,
            ),
            (&[("migration", "a"), ("checkpoint", "a")], false),
            (
                &[("checkpoint", "a"), ("migration", "b"), ("checkpoint", "a")],
                false,
            ),
            (
                &[("rollback", "b"), ("migration", "b"), ("checkpoint", "a")],
                false,
            ),
            (
                &[("undo", "b"), ("migration", "b"), ("checkpoint", "a")],
                false,
            ),
            (
                &[("set", "b"), ("migration", "b"), ("checkpoint", "a")],
                true,
            ),
            (&[("migration", "b"), ("checkpoint", "c")], false),
        ] {
            let history = history(rows);
            assert_eq!(newer_than(&history, "a").is_some(), is_older, "{rows:?}");
        }
    }

    #[test]
    fn a_migration_that_was_taken_back_is_not_taken_back_again() {
        let history = |kinds: &[&str]| -> Vec<ChangeRow> {
            let rows = kinds.iter().map(|kind| ChangeRow {
                kind: (*kind).to_owned(),
                ..ChangeRow::default()
            });
            rows.collect()
        };
        for (kinds, expected) in [
            (&["checkpoint", "set"][..], None),
            (&["checkpoint", "migration", "migration"], Some(1)),
            (&["rollback", "checkpoint", "migration"], None),
            (&["rollback", "migration", "migration"], Some(2)),
            (
                &["migration", "rollback", "migration", "migration"],
                Some(0),
            ),
            (
                &[
                    "rollback",
                    "rollback",
                    "migration",
                    "migration",
                    "migration",
                ],
                Some(4),
            ),
        ] {
            assert_eq!(last_migration(&history(kinds)), expected, "{kinds:?}");
        }
    }
}
