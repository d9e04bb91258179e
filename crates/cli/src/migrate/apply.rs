//! `staunch migrate apply`: has a connector migrate the stored state, commits that, and stops it again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use staunch_runtime::catalog::Capture;
use staunch_runtime::inspect::{self, Planned, Question};
use staunch_runtime::{
    Event, Observer, Opening, Project, Run, RunOptions, Stop, Summary, Urgency, short_version,
};
use staunch_state::Plan;

use super::plan::listed;
use crate::args::ApplyArgs;
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::given;
use crate::output::{BOLD, Glyphs, Report, clean_line, styled};
use crate::quantity::counted;
use crate::run::listen;

/// How long a connector may do nothing that is committed before it is taken for one that does not migrate after all.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApplyReport {
    capture: String,
    connector: String,
    /// The revision that the plan was made for.
    revision_before: u64,
    /// The one that the migration made; none if there was nothing to do.
    migrated: Option<u64>,
    /// The one by now.
    revision: u64,
    /// What changed the state, in order.
    migrations: Vec<String>,
    /// Captured by the connector before it was stopped, and committed.
    documents: u64,
}

/// Has a run end once anything is committed, which is the migration.
struct Once {
    stop: Stop,
    has_committed: AtomicBool,
    /// The revision that a migration made; 0 before.
    migrated: AtomicU64,
}

impl Observer for Once {
    fn event(&self, event: Event<'_>) {
        let Event::Committed {
            revision,
            is_migration,
            ..
        } = event
        else {
            return;
        };
        if is_migration {
            self.migrated.store(revision, Ordering::SeqCst);
        }
        if !self.has_committed.swap(true, Ordering::SeqCst) {
            self.stop.request(); // Once: asked a second time, it would be cut off.
        }
    }
}

pub(crate) fn run(context: &Context, args: &ApplyArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let saved = Saved::read(context, args.what.as_deref())?;
    let name = match &saved {
        Some(saved) => Some(saved.capture.as_str()),
        None => args.what.as_deref(),
    };
    let capture = context::capture(&project, name, Asked::Other)?;
    let to = args.to.as_ref().map(|words| words.0.as_slice());
    let question = Question {
        to,
        state: None,
        ask_source: args.ask_source,
        undo: &[],
    };
    let planned = inspect::plan(&project, capture, question, context.log());
    let planned = planned.map_err(context::failed(capture, Asked::Plan))?;
    if let Some(saved) = &saved {
        saved
            .check(&planned)
            .map_err(|failure| failure.about(&capture.name))?;
    }
    let before = planned.revision.unwrap_or_default();
    let mut report = ApplyReport {
        capture: capture.name.clone(),
        connector: planned.connector.clone(),
        revision_before: before,
        migrated: None,
        revision: before,
        migrations: Vec::new(),
        documents: 0,
    };
    let Some(plan) = &planned.plan else {
        return context.output.answer(&report);
    };
    has_consents(context, &planned, plan).map_err(|failure| failure.about(&capture.name))?;

    let (migrated, summary) = carry_over(context, &project, capture, to, &planned)?;
    report.migrated = Some(migrated);
    report.revision = summary.revision;
    report.documents = summary.totals.documents;
    let steps = plan.steps.iter();
    report.migrations = steps.map(|step| step.migration.clone()).collect();
    let exit = context.output.answer(&report)?;
    let why = match to {
        Some(_) => "with that connector in flow.yaml or staunch.yaml, go on",
        None => "go on",
    };
    let next = context.command(&format!("run {}", capture.name));
    context.output.next(why, &next);
    Ok(exit)
}

/// A plan that was written to a file: what of it has to be so still.
struct Saved {
    capture: String,
    revision: u64,
    connector: String,
    update: Option<String>,
}

impl Saved {
    /// Reads the plan, if what was typed is a file.
    fn read(context: &Context, what: Option<&str>) -> Result<Option<Self>, Failure> {
        #[derive(Deserialize)]
        struct File {
            capture: Option<String>,
            revision: Option<u64>,
            connector: String,
            plan: Option<Plan>,
        }
        let Some(path) = what.map(Path::new).filter(|path| path.is_file()) else {
            return Ok(None);
        };
        let refused = |problem: &str| {
            let message = format!("`{}` {problem}", path.display());
            Failure::new("input.not_a_plan", message)
        };
        let text = given::text(context, path, "PLAN")?;
        let file: File = serde_json::from_str(&text).map_err(|error| {
            let cause = error.to_string();
            Failure {
                causes: vec![cause],
                ..refused("is not what `staunch migrate plan --out` writes")
            }
        })?;
        let (Some(capture), Some(revision)) = (file.capture, file.revision) else {
            return Err(refused(
                "is a plan of a state that was given in a file; plan for the capture itself",
            ));
        };
        let update = file.plan.and_then(|plan| plan.update);
        Ok(Some(Self {
            capture,
            revision,
            connector: file.connector,
            update: update.map(|update| update.updated),
        }))
    }

    /// Sees that what would be done now is what was planned.
    fn check(&self, planned: &Planned) -> Result<(), Failure> {
        let stale = |what: String| {
            let message = format!("{what}; nothing was changed. Plan it anew, and look at it");
            Err(Failure::new("plan.stale", message))
        };
        let revision = planned.revision.unwrap_or_default();
        if self.revision != revision {
            return stale(format!(
                "the plan is of revision {}, and the capture is at revision {revision}",
                self.revision
            ));
        }
        if self.connector != planned.connector {
            return stale(format!(
                "the plan is one of {}, and what would be opened is {}",
                short_version(&self.connector),
                short_version(&planned.connector)
            ));
        }
        let update = planned.plan.as_ref().and_then(|plan| plan.update.as_ref());
        if self.update.as_ref() != update.map(|update| &update.updated) {
            return stale("the connector plans something else by now".to_owned());
        }
        Ok(())
    }
}

/// Opens the capture, until its migration is committed. The revision that this made, and what the run came to.
fn carry_over(
    context: &Context,
    project: &Project,
    capture: &Capture,
    to: Option<&[String]>,
    planned: &Planned,
) -> Result<(u64, Summary), Failure> {
    let stop = Stop::new();
    let once = Once {
        stop: stop.clone(),
        has_committed: AtomicBool::new(false),
        migrated: AtomicU64::new(0),
    };
    let is_preparing = Arc::new(AtomicBool::new(true));
    let _signals = listen(&stop, &is_preparing, |_| {})?;
    let failed = context::failed(capture, Asked::Other);
    let fail = |code, message: String| Err(Failure::new(code, message).about(&capture.name));
    let opening = Opening {
        to,
        ..Opening::default()
    };
    let run = Run::prepare(project, capture, opening, &once, context.log()).map_err(&failed)?;
    is_preparing.store(false, Ordering::SeqCst);
    if stop.urgency() != Urgency::None {
        let message = "stopped before the capture was opened; nothing was changed";
        return fail("interrupted", message.to_owned());
    }
    let (before, now) = (planned.revision.unwrap_or_default(), run.revision());
    if now != before {
        let message = format!(
            "the capture went on to revision {now} after the plan for revision {before} was made; plan it anew"
        );
        return fail("plan.stale", message);
    }
    let options = RunOptions {
        once: true,
        until_idle: Some(PATIENCE),
    };
    let summary = run.run(options, &stop);
    let migrated = once.migrated.load(Ordering::SeqCst);
    let summary = summary.map_err(|error| match migrated {
        0 => failed(error),
        _ => failed(error).hint(format!(
            "the state is migrated, at revision {migrated}; what failed came after that"
        )),
    })?;
    match (migrated, summary.totals.commits) {
        (0, 0) if stop.urgency() != Urgency::None => {
            let message = "stopped before the state was migrated; nothing was changed";
            fail("interrupted", message.to_owned())
        }
        (0, _) => {
            let message = format!(
                "connector `{}` was opened, and did not migrate the state as it had planned to; the capture is at revision {}. \
                 Tell the connector's authors",
                short_version(&planned.connector),
                summary.revision
            );
            fail("plan.not_kept", message)
        }
        _ => Ok((migrated, summary)),
    }
}

/// Refuses a plan whose consents the endpoint config does not give: the connector would refuse it, too, when it is opened.
fn has_consents(context: &Context, planned: &Planned, plan: &Plan) -> Result<(), Failure> {
    let missing = plan.missing(&[]);
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} would lose or read again what nobody has consented to: {}; consent in the endpoint config, as the connector's \
         documentation says",
        short_version(&planned.connector),
        listed(&missing, "`")
    );
    let look = context.command("migrate plan");
    Err(Failure::new("consent.missing", message).hint(format!("look first: {look}")))
}

impl Report for ApplyReport {
    const COMMAND: &'static str = "migrate apply";

    fn summary(&self) -> String {
        let capture = &self.capture;
        let connector = short_version(&self.connector);
        match self.migrated {
            None => format!(
                "{capture} at revision {}, opened by {connector}: nothing to do",
                self.revision
            ),
            Some(migrated) => format!(
                "{capture}: migrated at revision {migrated} by {connector}: {}",
                self.migrations.join(", ")
            ),
        }
    }

    fn text(&self, _: &Glyphs) -> String {
        let mut text = format!("{}\n", styled(BOLD, clean_line(&self.summary())));
        if self.documents > 0 {
            text.push_str(&format!(
                "{} came before it was stopped, up to revision {}\n",
                counted(self.documents, "document"),
                self.revision
            ));
        }
        text
    }
}
