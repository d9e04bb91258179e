//! `staunch migrate plan`: what a connector would do to the stored state, or to one in a file.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use staunch_runtime::catalog::{Capture, Config};
use staunch_runtime::inspect::{self, Planned, Question};
use staunch_runtime::{Project, RunError, short_version};
use staunch_state::{Consent, Plan};

use crate::args::PlanArgs;
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::given::{self, GivenState};
use crate::output::{self, GREEN, Glyphs, RED, Report, clean_line, styled};
use crate::quantity::counted;

/// Consents that are listed by name; the rest are counted.
const LISTED: usize = 20;

#[derive(Serialize)]
struct PlanReport {
    /// None outside of a project.
    capture: Option<String>,
    /// The revision that the plan was made for; none if it was made for a state that was given.
    revision: Option<u64>,
    /// Where that was read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    connector: String,
    /// None if the state would be left alone.
    plan: Option<Plan>,
    consents: Consents,
    #[serde(skip)]
    exit: Exit,
}

/// What a plan needs a person's word for.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Consents {
    /// On the command line.
    given: Vec<Consent>,
    /// By whoever wrote the endpoint config. They alone count when the capture is opened.
    given_by_config: Vec<Consent>,
    missing: Vec<Consent>,
    /// Whether the person gave any.
    #[serde(skip)]
    are_told: bool,
}

impl Consents {
    /// Holds what was given against what the plan needs. A typo is an error: it would be the consent that is missed.
    fn of(plan: &Plan, allowed: &[Consent]) -> Result<Self, Failure> {
        let needed = plan.needed();
        let given: BTreeSet<&Consent> = allowed.iter().collect();
        let is_needed: BTreeSet<&Consent> = needed.iter().collect();
        let idle: Vec<&Consent> = given.difference(&is_needed).copied().collect();
        if !idle.is_empty() {
            let needs = match needed.is_empty() {
                true => "no consent".to_owned(),
                false => quoted(&needed),
            };
            let message = format!(
                "this plan has no need of {}; it needs {needs}",
                quoted(idle)
            );
            return Err(Failure::new("consent.not_needed", message));
        }
        let (given, _) = needed
            .into_iter()
            .partition(|consent| given.contains(consent));
        Ok(Self {
            given,
            given_by_config: plan.given.clone(),
            missing: plan.missing(allowed),
            are_told: !allowed.is_empty(),
        })
    }

    fn text(&self, glyphs: &Glyphs) -> String {
        let line = |label: String, consents: &[Consent]| match consents {
            [] => String::new(),
            _ => format!("{label} {}\n", clean_line(&listed(consents, ""))),
        };
        let given = styled(GREEN, format!("{} given  ", glyphs.good));
        let missing = styled(RED, format!("{} missing", glyphs.bad));
        line(given, &self.given) + &line(missing, &self.missing)
    }
}

pub(crate) fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    if let (Some(state), Some(config)) = (&args.state, &args.config)
        && given::is_stdin(state)
        && given::is_stdin(config)
    {
        let message =
            "standard input cannot be both `--state` and `--config`; name a file for one of them";
        return Err(Failure::new("usage", message));
    }
    if args.state.is_some() && args.capture.capture.is_none() && is_outside(&context.global.file) {
        return outside(context, args);
    }
    let project = context.project(Asked::Plan)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Plan)?;
    if args.config.is_some() {
        let message = format!(
            "`--config` is for a plan outside of a project, and `{}` has the config of `{}`; leave it out",
            context.global.file.display(),
            capture.name
        );
        return Err(Failure::new("usage", message));
    }
    let state = args.state.as_deref();
    let state = state.map(|path| given::state(context, path)).transpose()?;
    let question = Question {
        to: args.to.as_ref().map(|words| words.0.as_slice()),
        state: state.as_ref().map(|given| &given.state),
        ask_source: args.ask_source,
        undo: &[],
    };
    let planned = inspect::plan(&project, capture, question, context.log());
    let planned = planned.map_err(context::failed(capture, Asked::Plan))?;
    let report = report(args, planned, Some(capture), state)
        .map_err(|failure| failure.about(&capture.name))?;
    let is_stored = report.state.is_none();
    let exit = answer(context, args, &report, is_stored.then_some(&project))?;
    let Some(plan) = report.plan.as_ref().filter(|_| is_stored) else {
        return Ok(exit);
    };
    // What was allowed here does not count when the capture is opened.
    if !plan.missing(&[]).is_empty() {
        context
            .output
            .note("`staunch run` refuses it, and so does `migrate apply`: it needs consent in the endpoint config.");
        return Ok(exit);
    }
    let apply = match &args.to {
        Some(words) => format!("migrate apply {} --to {}", capture.name, typed(&words.0)),
        None => format!("run {}", capture.name),
    };
    context.output.next("apply it", &context.command(&apply));
    Ok(exit)
}

/// Whether there is no project, and none was asked for by name.
fn is_outside(catalog: &Path) -> bool {
    // A link that leads nowhere is somebody's mistake, not nothing.
    catalog == Path::new("flow.yaml")
        && std::fs::symlink_metadata(catalog)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Plans where no `flow.yaml` says anything: the connector and the state are all there is.
fn outside(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let (Some(to), Some(path)) = (&args.to, &args.state) else {
        let message = "there is no `flow.yaml` here to say which connector is asked; name one with `--to`, or a project with `-f`";
        return Err(Failure::new("usage", message));
    };
    let config = match &args.config {
        None => Config::new(&serde_json::json!({})),
        Some(path) => given::config(context, path)?,
    };
    let state = given::state(context, path)?;
    context.output.note("There is no flow.yaml here, so the bindings are not known: every state key counts as one without binding.");
    let planned = inspect::plan_alone(&to.0, config, &state.state, args.ask_source, context.log());
    let planned = planned.map_err(|error| {
        let is_refusal = error.code() == "connector.failed" && args.config.is_none();
        let failure = failed(&error);
        match is_refusal {
            true => failure.hint("it was given `{}` as its endpoint config; if that is why, name another with `--config`"),
            false => failure,
        }
    })?;
    let report = report(args, planned, None, Some(state))?;
    answer(context, args, &report, None)
}

fn failed(error: &RunError) -> Failure {
    Failure::of(error, Asked::Plan)
}

fn report(
    args: &PlanArgs,
    planned: Planned,
    capture: Option<&Capture>,
    state: Option<GivenState>,
) -> Result<PlanReport, Failure> {
    let consents = match &planned.plan {
        // Nothing would be done, so nothing can be meant wrongly.
        None => Consents::default(),
        Some(plan) => Consents::of(plan, &args.allow)?,
    };
    let exit = match &planned.plan {
        Some(_) if args.exit_code && !consents.missing.is_empty() => Exit::Refused,
        Some(_) if args.exit_code => Exit::Pending,
        _ => Exit::Success,
    };
    Ok(PlanReport {
        capture: capture.map(|capture| capture.name.clone()),
        revision: planned.revision,
        state: state.map(|state| state.source),
        connector: planned.connector,
        plan: planned.plan,
        consents,
        exit,
    })
}

/// Prints the plan; `stored` is the project whose stored state it is of.
fn answer(
    context: &Context,
    args: &PlanArgs,
    report: &PlanReport,
    stored: Option<&Project>,
) -> Result<Exit, Failure> {
    if let Some(path) = &args.out {
        let text = output::json(report) + "\n";
        std::fs::write(path, text)
            .map_err(|error| Failure::write(&format!("`{}`", path.display()), &error))?;
    }
    let exit = context.output.answer(report)?;
    if let Some(pid) = stored.and_then(context::runner) {
        context.output.note(&format!("The capture may be running (process {pid}): this is a plan of its last committed state."));
    }
    match report.plan {
        Some(_) => context.output.note("Nothing was changed."),
        None if !args.allow.is_empty() => context.output.note("No consent is needed."),
        None => {}
    }
    Ok(exit)
}

/// A command as the value of a flag that is split at blanks.
fn typed(words: &[String]) -> String {
    match words {
        [word] => word.clone(),
        words => format!("\"{}\"", words.join(" ")),
    }
}

fn quoted<'a>(consents: impl IntoIterator<Item = &'a Consent>) -> String {
    listed(consents, "`")
}

/// Names consents, each in `quotes`; what is beyond the first few is only counted.
pub(super) fn listed<'a>(consents: impl IntoIterator<Item = &'a Consent>, quotes: &str) -> String {
    let mut consents = consents.into_iter();
    let mut names: Vec<String> = consents
        .by_ref()
        .take(LISTED)
        .map(|consent| format!("{quotes}{consent}{quotes}"))
        .collect();
    match consents.count() {
        0 => {}
        more => names.push(format!("{more} more")),
    }
    names.join(", ")
}

impl Report for PlanReport {
    const COMMAND: &'static str = "migrate plan";

    fn summary(&self) -> String {
        let subject = match (&self.capture, self.revision, &self.state) {
            (Some(capture), Some(revision), _) => format!("{capture} at revision {revision}"),
            (Some(capture), None, source) => format!(
                "{capture} with the state in {}",
                source.as_deref().unwrap_or_default()
            ),
            (None, _, source) => format!("the state in {}", source.as_deref().unwrap_or_default()),
        };
        let what = match (&self.plan, self.consents.missing.len()) {
            (None, _) => "nothing to do".to_owned(),
            (Some(_), missing) if missing > 0 && self.consents.are_told => {
                format!(
                    "the state would change; {} missing",
                    counted(missing as u64, "consent")
                )
            }
            (Some(_), _) => "the state would change".to_owned(),
        };
        format!(
            "{subject}, opened by {}: {what}",
            short_version(&self.connector)
        )
    }

    fn text(&self, glyphs: &Glyphs) -> String {
        let summary = clean_line(&self.summary());
        let Some(plan) = &self.plan else {
            return format!("{summary}\n");
        };
        let mut text = format!("{summary}\n\n{}\n", plan.colored().to_string().trim_end());
        if self.consents.are_told {
            text.push('\n');
            text.push_str(&self.consents.text(glyphs));
        }
        text
    }

    fn exit(&self) -> Exit {
        self.exit
    }
}
