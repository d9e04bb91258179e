//! `staunch state history`: what was done to a state, when, and by whom.

use serde::Serialize;
use staunch_protocol::RawValue;
use staunch_runtime::store::ChangeRow;

use super::{of_store, short_version, store};
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
}

pub(crate) fn run(context: &Context, args: &HistoryArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, &args.capture, Asked::Other)?;
    let store = store(&project, capture)?;
    let failed = of_store(&capture.name);
    let checked = match args.check {
        true => Some(store.check_history(&capture.name).map_err(&failed)?),
        false => None,
    };
    let limit = match args.only_marked {
        true => usize::MAX,
        false => args.count,
    };
    let changes = store.history(&capture.name, limit).map_err(failed)?;
    let is_shown = |change: &ChangeRow| !args.only_marked || change.kind != "checkpoint";
    let changes = changes.into_iter().filter(is_shown).take(args.count);
    let report = HistoryReport {
        command: HistoryReport::COMMAND,
        capture: capture.name.clone(),
        changes: changes.map(Change::of).collect(),
        checked,
    };
    context.output.note(&report.summary());
    context.output.answer(&report)
}

/// `staunch migrate history`: the same, of migrations and rollbacks alone.
pub(crate) fn migrations(context: &Context, args: &MigrationsArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, &args.capture, Asked::Other)?;
    let store = store(&project, capture)?;
    let changes = store.history(&capture.name, usize::MAX);
    let changes = changes.map_err(of_store(&capture.name))?;
    let is_shown = |change: &ChangeRow| matches!(&*change.kind, "migration" | "rollback");
    let changes = changes.into_iter().filter(is_shown).take(args.count);
    let report = HistoryReport {
        command: "migrate history",
        capture: capture.name.clone(),
        changes: changes.map(Change::of).collect(),
        checked: None,
    };
    context.output.note(&report.summary());
    context.output.answer(&report)
}

impl Change {
    fn of(row: ChangeRow) -> Self {
        let raw = |text: String| RawValue::from_string(text).unwrap_or_default();
        Self {
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
        let named: Vec<serde_json::Value> =
            serde_json::from_str(self.migrations.get()).unwrap_or_default();
        let names: Vec<&str> = named
            .iter()
            .filter_map(|step| step["name"].as_str())
            .collect();
        match names.is_empty() {
            true => self.reason.clone(),
            false => names.join(", "),
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
