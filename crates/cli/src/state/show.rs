//! `staunch state show`: what a capture has committed, now or at a revision, and what has changed since one.

use jiff::Timestamp;
use serde::Serialize;
use staunch_protocol::RawValue;
use staunch_runtime::edit::Proposal;
use staunch_runtime::store::{CaptureRow, StoreReader};
use staunch_runtime::{inspect, short_version};
use staunch_state::{ConnectorState, Node};

use super::change::Difference;
use super::{at_revision, of_store, select, store, unreadable};
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
    /// None for a capture that never committed, and for a state of before.
    commit: Option<Committed>,
    /// The revision of a state of before.
    #[serde(rename = "wasAt", skip_serializing_if = "Option::is_none")]
    was_at: Option<u64>,
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
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    let row = inspect::state(&project, capture).map_err(context::failed(capture, Asked::Other))?;
    let Some(row) = row.filter(|row| row.revision > 0) else {
        let report = StateReport {
            capture: capture.name.clone(),
            binding: None,
            commit: None,
            was_at: None,
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
    let store = store(&project, capture)?;
    if let Some(since) = args.diff {
        return differences(context, &store, &row, args, since);
    }
    let was_at = revision(&store, &row, args)?;
    let unreadable = |error: &dyn std::fmt::Display| unreadable(&capture.name, error);
    let text = match was_at {
        None => row.state,
        Some(revision) => at_revision(&store, &capture.name, revision)?.to_json(),
    };
    let (binding, text) = match &args.binding {
        None => (None, text),
        Some(asked) => {
            let state = ConnectorState::parse(&text).map_err(|error| unreadable(&error))?;
            let (key, node) =
                select(&state, asked).map_err(|failure| failure.about(&capture.name))?;
            (Some(key.to_owned()), node.to_json())
        }
    };
    let commit = was_at.is_none().then_some(Committed {
        revision: row.revision,
        at: row.updated_at,
        connector: row.connector,
        documents: row.documents,
        checkpoints: row.checkpoints,
    });
    let report = StateReport {
        capture: capture.name.clone(),
        binding,
        commit,
        was_at,
        state: Some(RawValue::from_string(text).map_err(|error| unreadable(&error))?),
    };
    context.output.note(&report.summary());
    context.output.answer(&report)
}

/// The revision that is asked for, if not the one of now.
fn revision(
    store: &StoreReader,
    row: &CaptureRow,
    args: &ShowArgs,
) -> Result<Option<u64>, Failure> {
    let revision = match (args.rev, args.at) {
        (Some(revision), _) => revision,
        (None, Some(at)) => at_time(store, row, at)?,
        (None, None) => return Ok(None),
    };
    Ok(Some(revision).filter(|revision| *revision != row.revision))
}

/// The revision of a time.
fn at_time(store: &StoreReader, row: &CaptureRow, at: Timestamp) -> Result<u64, Failure> {
    let is_then = |text: &str| text.parse::<Timestamp>().is_ok_and(|then| then <= at);
    if is_then(&row.updated_at) {
        return Ok(row.revision);
    }
    let history = store
        .history(&row.capture, usize::MAX)
        .map_err(of_store(&row.capture))?;
    let found = history.iter().find(|change| is_then(&change.at));
    found.map(|change| change.revision).ok_or_else(|| {
        let message = match history.last() {
            Some(oldest) => format!(
                "the history of `{}` is kept from {} on; ask for a later time",
                row.capture, oldest.at
            ),
            None => format!("no history of `{}` is kept", row.capture),
        };
        Failure::new("state.not_kept", message).about(&row.capture)
    })
}

/// What has changed since a revision.
fn differences(
    context: &Context,
    store: &StoreReader,
    row: &CaptureRow,
    args: &ShowArgs,
    since: u64,
) -> Result<Exit, Failure> {
    let until = revision(store, row, args)?.unwrap_or(row.revision);
    let before = at_revision(store, &row.capture, since)?;
    let after = at_revision(store, &row.capture, until)?;
    let report = DiffReport {
        capture: row.capture.clone(),
        since,
        until,
        difference: Difference::of(&Proposal::between(&before, after)),
    };
    context.output.note(&report.summary());
    context.output.answer(&report)
}

#[derive(Serialize)]
struct DiffReport {
    capture: String,
    since: u64,
    until: u64,
    #[serde(flatten)]
    difference: Difference,
}

impl Report for DiffReport {
    const COMMAND: &'static str = "state show";

    fn summary(&self) -> String {
        let Self {
            capture,
            since,
            until,
            difference,
        } = self;
        let what = match difference.changed.len() {
            0 => "nothing has changed".to_owned(),
            bindings => format!("{} changed", counted(bindings as u64, "binding")),
        };
        format!("{capture} from revision {since} to {until}: {what}")
    }

    fn text(&self, _: &Glyphs) -> String {
        self.difference.text(false)
    }
}

impl Report for StateReport {
    const COMMAND: &'static str = "state show";

    fn summary(&self) -> String {
        if let Some(revision) = self.was_at {
            return format!("{} as it was at revision {revision}", self.capture);
        }
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
