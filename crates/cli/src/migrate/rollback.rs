//! `staunch migrate rollback`: takes the last migration back, in one of two ways that cost differently.

use serde::Serialize;
use staunch_runtime::edit::{Deed, Edit, Proposal};
use staunch_runtime::rollback::{self, Committed, WaysBack};
use staunch_runtime::short_version;
use staunch_state::Consent;

use crate::args::{RollbackArgs, RollbackMode};
use crate::context::{self, Context};
use crate::events;
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::output::{BOLD, Glyphs, Report, clean_line, styled};
use crate::quantity::counted;
use crate::state::change::{Difference, author, confirm, consents};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RollbackReport {
    capture: String,
    revision_before: u64,
    /// The one that the rollback made.
    revision: Option<u64>,
    /// The migration that is taken back.
    migration: Committed,
    /// How.
    mode: &'static str,
    /// Why there is no reverse, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_reverse: Option<String>,
    #[serde(flatten)]
    difference: Difference,
    #[serde(skip)]
    is_shown: bool,
}

pub(crate) fn run(context: &Context, args: &RollbackArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    let about = |failure: Failure| failure.about(&capture.name);
    let failed = context::failed(capture, Asked::Other);
    let mut edit = Edit::begin(&project, capture).map_err(&failed)?;
    let with = args.with.as_ref().map(|words| words.0.as_slice());
    let ways = rollback::ways_back(&project, capture, &edit, with, context.log());
    let Some(ways) = ways.map_err(&failed)? else {
        let message = format!(
            "no migration of `{}` is recorded that was not taken back",
            capture.name
        );
        return Err(about(Failure::new("state.not_kept", message)));
    };
    context
        .output
        .note(clean_line(&title(&capture.name, &edit, &ways)).trim_end());
    for line in costs(&ways) {
        context.output.note(&clean_line(&line));
    }
    let (mode, proposal, needed) = chosen(args, &ways).map_err(about)?;
    let mut report = RollbackReport {
        capture: capture.name.clone(),
        revision_before: edit.revision(),
        revision: None,
        migration: ways.migration.clone(),
        mode,
        no_reverse: ways.reverse.as_ref().err().cloned(),
        difference: Difference::of(proposal),
        is_shown: false,
    };
    let given = consents(needed, &args.word.allow);
    if given.is_err() || !args.word.yes {
        context
            .output
            .note(report.difference.text(false).trim_end());
        report.is_shown = true;
    }
    let given = given.map_err(about)?;
    confirm(context, capture, &args.word).map_err(about)?;
    let reason = match args.word.reason.is_empty() {
        true => format!("takes back {}", ways.migration.steps.join(", ")),
        false => args.word.reason.clone(),
    };
    let deed = Deed {
        kind: "rollback",
        author: &author(args.word.author.as_deref()),
        reason: &reason,
        consents: &given,
    };
    report.revision = Some(edit.commit(proposal, deed).map_err(&failed)?);
    let exit = context.output.answer(&report)?;
    let before = ways.migration.connector_before.as_deref();
    let before = before.filter(|before| *before != ways.migration.connector);
    let why = match before {
        Some(before) => format!(
            "with {} in flow.yaml or staunch.yaml again, go on",
            short_version(before)
        ),
        None => "with the connector of before in flow.yaml or staunch.yaml again, go on".to_owned(),
    };
    let next = context.command(&format!("run {}", capture.name));
    context.output.next(&why, &next);
    Ok(exit)
}

/// What there is to be taken back.
fn title(capture: &str, edit: &Edit, ways: &WaysBack) -> String {
    let Committed {
        revision,
        at,
        connector,
        steps,
        ..
    } = &ways.migration;
    format!(
        "{capture} at revision {}: takes back {} of revision {revision}, {} by {}",
        edit.revision(),
        steps.join(", "),
        events::second(at),
        short_version(connector)
    )
}

/// What each way costs.
fn costs(ways: &WaysBack) -> [String; 2] {
    let down = match &ways.reverse {
        Ok(_) => "progress is kept".to_owned(),
        Err(reason) => format!("not to be had: {reason}"),
    };
    let since = counted(ways.migration.documents_since, "document");
    let before = ways.migration.revision - 1;
    let snapshot = match &ways.snapshot {
        Some(_) => format!(
            "the state of revision {before}; what was captured since is captured again ({since} so far)"
        ),
        None => format!("the state of revision {before} is not kept any longer"),
    };
    [
        format!("  down      the reverse of its steps: {down}"),
        format!("  snapshot  {snapshot}"),
    ]
}

/// The way that is taken, and the consents that it needs.
fn chosen<'a>(
    args: &RollbackArgs,
    ways: &'a WaysBack,
) -> Result<(&'static str, &'a Proposal, Vec<Consent>), Failure> {
    match (args.mode, &ways.reverse, &ways.snapshot) {
        (None | Some(RollbackMode::Down), Ok((plan, proposal)), _) => {
            Ok(("down", proposal, plan.needed()))
        }
        // To name this way is to consent to what it costs.
        (Some(RollbackMode::Snapshot), _, Some(proposal)) => Ok(("snapshot", proposal, Vec::new())),
        (None | Some(RollbackMode::Down), Err(_), Some(_)) => {
            let message = "the steps cannot be reversed; nothing was changed. `--mode snapshot` goes back to the state of before, \
                           from which what was captured since is captured again";
            Err(Failure::new("rollback.no_reverse", message))
        }
        (None | Some(RollbackMode::Down), Err(_), None)
        | (Some(RollbackMode::Snapshot), _, None) => {
            let message = "the state of before is not kept any longer, or the steps cannot be reversed; nothing was changed";
            Err(Failure::new("rollback.not_possible", message))
        }
    }
}

impl Report for RollbackReport {
    const COMMAND: &'static str = "migrate rollback";

    fn summary(&self) -> String {
        format!(
            "{} at revision {}: rolled back by {}, {}",
            self.capture,
            self.revision.unwrap_or(self.revision_before),
            match self.mode {
                "down" => "the reverse of its steps",
                _ => "the state of before",
            },
            counted(self.difference.changed.len() as u64, "binding")
        )
    }

    fn text(&self, _: &Glyphs) -> String {
        let summary = styled(BOLD, clean_line(&self.summary()));
        match self.is_shown {
            true => format!("{summary}\n"),
            false => format!("{}\n{summary}\n", self.difference.text(false)),
        }
    }
}
