//! `staunch state history`: what was done to a state, when, and by whom.

use serde::Serialize;
use staunch_protocol::RawValue;
use staunch_runtime::short_version;
use staunch_runtime::store::{ChangeRow, StoreReader};

use super::{of_store, store};
use crate::args::{HistoryArgs, MigrationsArgs};
use crate::context::{self, Context};
use crate::events;
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::output::{Glyphs, Report, clean_line, columns};
use crate::quantity::{bytes, count, counted};

#[derive(Serialize)]
struct HistoryReport {
    #[serde(skip)]
    command: &'static str,
    capture: String,
    /// The newest first.
    changes: Vec<Change>,
    /// How many changes are kept and as they were written, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    revision: u64,
    at: String,
    kind: String,
    connector: String,
    author: String,
    reason: String,
    migrations: Box<RawValue>,
    consents: Box<RawValue>,
    update_bytes: u64,
    /// The names of the steps of a migration.
    #[serde(skip)]
    steps: Vec<String>,
}

pub(crate) fn run(context: &Context, args: &HistoryArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    let store = store(&project, capture)?;
    let checked = match args.check {
        true => Some(
            store
                .check_history(&capture.name)
                .map_err(of_store(&capture.name))?,
        ),
        false => None,
    };
    let is_shown = |change: &ChangeRow| !args.only_marked || change.kind != "checkpoint";
    let report = HistoryReport {
        command: HistoryReport::COMMAND,
        capture: capture.name.clone(),
        changes: changes(&store, &capture.name, args.count, is_shown)?,
        checked,
    };
    context.output.note(&report.summary());
    context.output.answer(&report)
}

/// The last changes of those that are to be shown.
fn changes(
    store: &StoreReader,
    capture: &str,
    count: usize,
    is_shown: impl Fn(&ChangeRow) -> bool,
) -> Result<Vec<Change>, Failure> {
    let changes = store
        .history(capture, usize::MAX)
        .map_err(of_store(capture))?;
    let shown = changes.into_iter().filter(is_shown).take(count);
    Ok(shown.map(Change::of).collect())
}

/// `staunch migrate history`: the same, of migrations and rollbacks alone.
pub(crate) fn migrations(context: &Context, args: &MigrationsArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    let store = store(&project, capture)?;
    let is_shown = |change: &ChangeRow| matches!(&*change.kind, "migration" | "rollback");
    let report = HistoryReport {
        command: "migrate history",
        capture: capture.name.clone(),
        changes: changes(&store, &capture.name, args.count, is_shown)?,
        checked: None,
    };
    context.output.note(&report.summary());
    context.output.answer(&report)
}

impl Change {
    fn of(row: ChangeRow) -> Self {
        let raw = |text: String| RawValue::from_string(text).unwrap_or_default();
        Self {
            steps: row.steps(),
            revision: row.revision,
            at: row.at,
            kind: row.kind,
            connector: row.connector,
            author: row.author,
            reason: row.reason,
            migrations: raw(row.migrations),
            consents: raw(row.consents),
            update_bytes: row.update_bytes,
        }
    }

    /// What there is to be said of it: the steps of a migration, or what a person gave as a reason.
    fn words(&self) -> String {
        match self.steps.is_empty() {
            true => self.reason.clone(),
            false => self.steps.join(", "),
        }
    }
}

impl Report for HistoryReport {
    const COMMAND: &'static str = "state history";

    fn command(&self) -> &'static str {
        self.command
    }

    fn summary(&self) -> String {
        let Self {
            capture,
            changes,
            checked,
            ..
        } = self;
        match checked {
            Some(kept) => format!(
                "{capture}: {} kept, as they were written",
                counted(*kept, "change")
            ),
            None => format!(
                "{capture}: the last {}",
                counted(changes.len() as u64, "change")
            ),
        }
    }

    fn text(&self, _: &Glyphs) -> String {
        if self.changes.is_empty() {
            return String::new();
        }
        let header = ["REVISION", "AT", "WHAT", "UPDATE", "BY", "WHY"];
        columns(
            &header,
            self.changes.iter().map(|change| {
                let by = match change.author.is_empty() {
                    true => short_version(&change.connector),
                    false => &change.author,
                };
                [
                    count(change.revision),
                    events::second(&change.at),
                    clean_line(&change.kind),
                    bytes(change.update_bytes),
                    clean_line(by),
                    clean_line(&change.words()),
                ]
            }),
        )
    }
}
