//! `staunch migrate apply`: hands a capture over to a connector, watches that, and stops it again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use staunch_runtime::catalog::Capture;
use staunch_runtime::control::{self, Handover, Said};
use staunch_runtime::inspect::{self, Planned, Question};
use staunch_runtime::observe::Observed;
use staunch_runtime::upgrade::{Upgrade, Upgraded};
use staunch_runtime::{
    Event, Observer, Opening, Project, Run, RunError, Stop, Urgency, short_version,
};
use staunch_state::{Consent, ConsentKind, Plan, WHOLE_STATE};

use super::plan::{Consents, listed};
use crate::args::ApplyArgs;
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::given;
use crate::output::{BOLD, Glyphs, Report, clean_line, styled};
use crate::quantity::{self, counted};
use crate::run::listen;
use crate::state::change::author;

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
    /// For how long nothing was captured while it took over.
    pause_seconds: f64,
}

/// Tells what happens, as it does.
struct Teller<'a> {
    context: &'a Context,
    /// The revision that a migration made; 0 before.
    migrated: AtomicU64,
}

impl Observer for Teller<'_> {
    fn event(&self, event: Event<'_>) {
        let note = |text: String| self.context.output.note(&text);
        match event {
            Event::Opened { .. } => note("opened".to_owned()),
            Event::Committed {
                revision,
                is_migration: true,
                ..
            } => {
                self.migrated.store(revision, Ordering::SeqCst);
                note(format!("migrated at revision {revision}"));
            }
            Event::OnProbation { checkpoints, of } => {
                note_probation(self.context, checkpoints, of);
            }
            Event::Passed { .. } => note("passed".to_owned()),
            Event::TakenBack { revision, .. } => {
                note(format!("taken back, at revision {revision}"));
            }
            _ => {}
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
    let about = |failure: Failure| failure.about(&capture.name);
    let to = args.to.as_ref().map(|words| words.0.clone());
    let to = to.or_else(|| saved.as_ref().and_then(|saved| saved.to.clone()));
    let to = to.as_deref();
    let asked = ask(context, args, &project, capture, saved.as_ref(), to)?;
    let mut report = ApplyReport {
        capture: capture.name.clone(),
        connector: asked.connector.clone(),
        revision_before: asked.upgrade.revision,
        migrated: None,
        revision: asked.upgrade.revision,
        migrations: Vec::new(),
        documents: 0,
        pause_seconds: 0.0,
    };
    let question = question(args, &asked.upgrade, saved.as_ref(), to);
    let is_running =
        by_runner(context, &project, capture, &question, &mut report).map_err(about)?;
    if !is_running {
        if asked.upgrade.plan.is_none() && !asked.upgrade.is_untold {
            return context.output.answer(&report);
        }
        let (migrated, upgraded) =
            hand_over(context, &project, capture, to, &asked.upgrade).map_err(about)?;
        report.migrated = (migrated > 0).then_some(migrated);
        report.revision = upgraded.revision;
        report.documents = upgraded.totals.documents;
        report.pause_seconds = upgraded.pause.as_millis() as f64 / 1e3;
        let steps = asked.upgrade.plan.iter().flat_map(|plan| &plan.steps);
        report.migrations = steps.map(|step| step.migration.clone()).collect();
    }
    let exit = context.output.answer(&report)?;
    let next = context.command(&format!("run {}", capture.name));
    match (is_running, to) {
        (true, Some(_)) => context.output.note(
            "It goes on with that connector. Name it in flow.yaml or staunch.yaml: the next run starts what is named there.",
        ),
        (true, None) => context.output.note("It goes on."),
        (false, Some(_)) => context
            .output
            .next("with that connector in flow.yaml or staunch.yaml, go on", &next),
        (false, None) => context.output.next("go on", &next),
    }
    if report.pause_seconds == 0.0 {
        return Ok(exit);
    }
    let back = context.command(&format!("migrate rollback {}", capture.name));
    context.output.next("or take it back", &back);
    Ok(exit)
}

/// What is asked of the process that runs the capture.
fn question(
    args: &ApplyArgs,
    upgrade: &Upgrade,
    saved: Option<&Saved>,
    to: Option<&[String]>,
) -> Handover {
    let within = upgrade.probation.within.as_millis();
    Handover {
        to: to.map(<[String]>::to_vec),
        dir: std::env::current_dir().unwrap_or_default(),
        revision: saved.map(|saved| saved.revision),
        is_untold: upgrade.is_untold,
        ask_source: args.ask_source,
        consents: args.allow.iter().map(ToString::to_string).collect(),
        checkpoints: upgrade.probation.checkpoints,
        within_ms: u64::try_from(within).unwrap_or(u64::MAX),
        author: upgrade.author.clone(),
        reason: upgrade.reason.clone(),
    }
}

/// Has the process that runs the capture hand it over, if there is one. Whether there is.
fn by_runner(
    context: &Context,
    project: &Project,
    capture: &Capture,
    question: &Handover,
    report: &mut ApplyReport,
) -> Result<bool, Failure> {
    let mut migrated = None;
    let heard = |said: &Said| match said {
        Said::Stopped { revision } => context.output.note(&format!(
            "the connector of before has stopped, at revision {revision}"
        )),
        Said::Opened => context.output.note("opened"),
        Said::Migrated { revision } => {
            migrated = Some(*revision);
            context
                .output
                .note(&format!("migrated at revision {revision}"));
        }
        Said::Probation { checkpoints, of } => note_probation(context, *checkpoints, *of),
        _ => {}
    };
    let said = control::hand_over(&project.state_dir, &capture.name, question, heard);
    let said = said.map_err(|error| Failure {
        causes: vec![error.to_string()],
        ..Failure::new(
            "upgrade.unknown",
            "the process that runs the capture went away before it said how it ended; `staunch state history` tells how it is",
        )
    })?;
    match said {
        None => Ok(false),
        Some(Said::Done {
            connector,
            revision_before,
            revision,
            documents,
            migrations,
            pause_ms,
        }) => {
            context.output.note("passed");
            *report = ApplyReport {
                capture: capture.name.clone(),
                connector,
                revision_before,
                migrated,
                revision,
                migrations,
                documents,
                pause_seconds: pause_ms.max(1) as f64 / 1e3,
            };
            Ok(true)
        }
        Some(Said::Failed {
            code,
            message,
            causes,
        }) => {
            let known = [
                "plan.stale",
                "consent.missing",
                "interrupted",
                "upgrade.taken_back",
            ];
            let code = known.into_iter().find(|known| *known == code);
            Err(Failure {
                causes,
                ..Failure::new(code.unwrap_or("upgrade.failed"), message)
            })
        }
        Some(_) => Ok(true),
    }
}

fn note_probation(context: &Context, checkpoints: u64, of: u64) {
    let of = match of {
        u64::MAX => String::new(),
        of => format!(" of {of}"),
    };
    context
        .output
        .note(&format!("on probation: checkpoint {checkpoints}{of}"));
}

/// What is about to be done, and by which connector.
struct Ready {
    connector: String,
    upgrade: Upgrade,
}

/// Asks the connector what it would do, or watches it where it cannot tell; and sees that a person has consented to that.
fn ask(
    context: &Context,
    args: &ApplyArgs,
    project: &Project,
    capture: &Capture,
    saved: Option<&Saved>,
    to: Option<&[String]>,
) -> Result<Ready, Failure> {
    let about = |failure: Failure| failure.about(&capture.name);
    let question = Question {
        to,
        ask_source: args.ask_source,
        ..Question::default()
    };
    let settled = project.probation(capture);
    let mut upgrade = Upgrade {
        probation: args.probation.or(settled).unwrap_or_default(),
        consents: args.allow.clone(),
        author: author(args.author.as_deref()),
        reason: args.reason.clone(),
        ..Upgrade::default()
    };
    let planned = inspect::plan(project, capture, question, context.log());
    let connector = match planned {
        Ok(planned) => {
            if let Some(saved) = saved {
                saved.check(&planned).map_err(about)?;
            }
            if let Some(plan) = &planned.plan {
                let consents = Consents::of(plan, &args.allow).map_err(about)?;
                has_consents(context, capture, &planned.connector, &consents).map_err(about)?;
            }
            upgrade.revision = planned.revision.unwrap_or_default();
            upgrade.plan = planned.plan;
            planned.connector
        }
        Err(RunError::Plan(problem)) => {
            upgrade.is_untold = true;
            let seen = match (saved.and_then(|saved| saved.observed.clone()), args.observe) {
                (Some(observed), _) => {
                    saved
                        .map_or(Ok(()), |saved| saved.check_observed(project, capture, to))
                        .map_err(about)?;
                    Some(observed)
                }
                (None, Some(time)) => {
                    let observed = super::plan::watch(context, project, capture, to, time)?;
                    context.output.note(super::plan::seen(&observed).trim_end());
                    Some(observed)
                }
                (None, None) => None,
            };
            let (needed, connector) = match &seen {
                Some(observed) => (observed.needed(), observed.connector.clone()),
                None => (vec![unknown()], String::new()),
            };
            let consents = Consents::among(needed, &[], &args.allow).map_err(about)?;
            if seen.is_none() && !consents.missing.is_empty() {
                let failure = Failure {
                    causes: vec![problem],
                    ..Failure::new(
                        "consent.missing",
                        "nobody can tell what the connector would do to the state; nothing was changed",
                    )
                };
                let hint = format!(
                    "see what it does with `--observe`, or consent unseen: --allow {}",
                    unknown()
                );
                return Err(about(failure.hint(hint)));
            }
            has_consents(context, capture, &connector, &consents).map_err(about)?;
            let row = inspect::state(project, capture);
            let row = row.map_err(context::failed(capture, Asked::Plan))?;
            upgrade.revision = row.map_or(0, |row| row.revision);
            connector
        }
        Err(error) => return Err(context::failed(capture, Asked::Plan)(error)),
    };
    Ok(Ready { connector, upgrade })
}

/// Consent to what nobody can tell.
fn unknown() -> Consent {
    Consent {
        kind: ConsentKind::Unknown,
        state_key: WHOLE_STATE.to_owned(),
    }
}

/// A plan that was written to a file: what of it has to be so still.
struct Saved {
    capture: String,
    revision: u64,
    connector: String,
    to: Option<Vec<String>>,
    update: Option<String>,
    observed: Option<Observed>,
}

impl Saved {
    /// Reads the plan, if what was typed is a file.
    fn read(context: &Context, what: Option<&str>) -> Result<Option<Self>, Failure> {
        #[derive(Deserialize)]
        struct File {
            capture: Option<String>,
            revision: Option<u64>,
            connector: String,
            to: Option<Vec<String>>,
            plan: Option<Plan>,
            observed: Option<Observed>,
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
            to: file.to,
            observed: file.observed,
            update: update.map(|update| update.updated),
        }))
    }

    /// Sees that what would be done now is what was planned.
    fn check(&self, planned: &Planned) -> Result<(), Failure> {
        self.is_of(planned.revision.unwrap_or_default(), &planned.connector)?;
        let update = planned.plan.as_ref().and_then(|plan| plan.update.as_ref());
        if self.update.as_ref() != update.map(|update| &update.updated) {
            return Err(stale(
                "the connector plans something else by now".to_owned(),
            ));
        }
        Ok(())
    }

    /// Sees that what was watched is what would be opened.
    fn check_observed(
        &self,
        project: &Project,
        capture: &Capture,
        to: Option<&[String]>,
    ) -> Result<(), Failure> {
        let failed = context::failed(capture, Asked::Plan);
        let row = inspect::state(project, capture).map_err(&failed)?;
        let connector = inspect::version(project, capture, to).map_err(failed)?;
        self.is_of(row.map_or(0, |row| row.revision), &connector)
    }

    fn is_of(&self, revision: u64, connector: &str) -> Result<(), Failure> {
        if self.revision != revision {
            return Err(stale(format!(
                "the plan is of revision {}, and the capture is at revision {revision}",
                self.revision
            )));
        }
        if self.connector != connector {
            return Err(stale(format!(
                "the plan is one of {}, and what would be opened is {}",
                short_version(&self.connector),
                short_version(connector)
            )));
        }
        Ok(())
    }
}

fn stale(what: String) -> Failure {
    let message = format!("{what}; nothing was changed. Plan it anew, and look at it");
    Failure::new("plan.stale", message)
}

/// Hands the capture over. The revision that the migration made, if there was one, and what it came to.
fn hand_over(
    context: &Context,
    project: &Project,
    capture: &Capture,
    to: Option<&[String]>,
    upgrade: &Upgrade,
) -> Result<(u64, Upgraded), Failure> {
    let stop = Stop::new();
    let teller = Teller {
        context,
        migrated: AtomicU64::new(0),
    };
    let is_preparing = Arc::new(AtomicBool::new(true));
    let _signals = listen(&stop, &is_preparing, |_| {})?;
    let failed = context::failed(capture, Asked::Other);
    let opening = Opening {
        to,
        ..Opening::default()
    };
    let run = Run::prepare(project, capture, opening, &teller, context.log()).map_err(&failed)?;
    is_preparing.store(false, Ordering::SeqCst);
    if stop.urgency() != Urgency::None {
        let message = "stopped before the capture was opened; nothing was changed";
        return Err(Failure::new("interrupted", message));
    }
    let upgraded = run.upgrade(upgrade, &stop).map_err(failed)?;
    Ok((teller.migrated.load(Ordering::SeqCst), upgraded))
}

/// Refuses what nobody has consented to.
fn has_consents(
    context: &Context,
    capture: &Capture,
    connector: &str,
    consents: &Consents,
) -> Result<(), Failure> {
    if consents.missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} would lose or read again what nobody has consented to: {}; consent by name with `--allow`, or in the endpoint config, as the \
         connector's documentation says",
        short_version(connector),
        listed(&consents.missing, "`")
    );
    let look = context.command(&format!("migrate plan {}", capture.name));
    Err(Failure::new("consent.missing", message).hint(format!("look first: {look}")))
}

impl Report for ApplyReport {
    const COMMAND: &'static str = "migrate apply";

    fn summary(&self) -> String {
        let capture = &self.capture;
        let connector = short_version(&self.connector);
        match self.migrated {
            None if self.pause_seconds > 0.0 => {
                format!(
                    "{capture}: handed over to {connector} at revision {}",
                    self.revision
                )
            }
            None => format!(
                "{capture} at revision {}, opened by {connector}: nothing to do",
                self.revision
            ),
            Some(migrated) if self.migrations.is_empty() => {
                format!("{capture}: handed over to {connector} at revision {migrated}")
            }
            Some(migrated) => format!(
                "{capture}: migrated at revision {migrated} by {connector}: {}",
                self.migrations.join(", ")
            ),
        }
    }

    fn text(&self, _: &Glyphs) -> String {
        let mut text = format!("{}\n", styled(BOLD, clean_line(&self.summary())));
        if self.pause_seconds > 0.0 {
            let pause = Duration::try_from_secs_f64(self.pause_seconds).unwrap_or_default();
            text.push_str(&format!(
                "nothing was captured for {} while it took over\n",
                quantity::time(pause)
            ));
        }
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
