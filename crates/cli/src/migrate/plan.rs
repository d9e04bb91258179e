//! `staunch migrate plan`: what a connector would do to the stored state, or to one in a file.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use staunch_runtime::catalog::{Capture, Config};
use staunch_runtime::inspect::{self, Planned, Question};
use staunch_runtime::observe::{Observed, observe};
use staunch_runtime::{Project, RunError, short_version};
use staunch_state::{Consent, Plan};

use crate::args::PlanArgs;
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::given::{self, GivenState};
use crate::output::{self, BOLD, GREEN, Glyphs, RED, Report, clean_line, styled};
use crate::quantity::{self, counted};
use crate::state::change::Difference;

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
    /// The connector in place of the capture's own: what `migrate apply` opens, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Vec<String>>,
    /// None if the state would be left alone.
    plan: Option<Plan>,
    /// What it was seen to do, if it was watched instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<Observed>,
    consents: Consents,
    #[serde(skip)]
    exit: Exit,
}

/// What a plan needs a person's word for.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Consents {
    /// On the command line.
    given: Vec<Consent>,
    /// By whoever wrote the endpoint config. They alone count when the capture is opened.
    given_by_config: Vec<Consent>,
    pub(super) missing: Vec<Consent>,
    /// Whether the person gave any.
    #[serde(skip)]
    are_told: bool,
}

impl Consents {
    /// Holds what was given against what the plan needs. A typo is an error: it would be the consent that is missed.
    pub(super) fn of(plan: &Plan, allowed: &[Consent]) -> Result<Self, Failure> {
        Self::among(plan.needed(), &plan.given, allowed)
    }

    /// Holds what was given against what is needed, of which `by_config` is given already.
    pub(super) fn among(
        needed: Vec<Consent>,
        by_config: &[Consent],
        allowed: &[Consent],
    ) -> Result<Self, Failure> {
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
        let (given, rest): (Vec<Consent>, Vec<Consent>) = needed
            .into_iter()
            .partition(|consent| given.contains(consent));
        let missing = rest
            .into_iter()
            .filter(|consent| !by_config.contains(consent));
        Ok(Self {
            given,
            given_by_config: by_config.to_vec(),
            missing: missing.collect(),
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
    if let Some(time) = args.observe {
        return observed(context, args, &project, capture, time);
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
    let exit = answer(
        context,
        args,
        &report,
        is_stored.then_some((&project, capture)),
    )?;
    let Some(plan) = report.plan.as_ref().filter(|_| is_stored) else {
        return Ok(exit);
    };
    let needed = plan.missing(&[]);
    if !needed.is_empty() {
        // What was allowed here does not count when the capture is opened.
        context
            .output
            .note("`staunch run` refuses it: nobody has consented in the endpoint config.");
    }
    let apply = match (&args.out, &args.to) {
        (Some(path), _) => format!("migrate apply {}", path.display()),
        (None, Some(words)) => format!("migrate apply {} --to {}", capture.name, typed(&words.0)),
        (None, None) if needed.is_empty() => format!("run {}", capture.name),
        (None, None) => format!("migrate apply {}", capture.name),
    };
    let asking = if args.ask_source && apply.starts_with("migrate apply") {
        " --ask-source"
    } else {
        ""
    };
    context.output.next(
        "apply it",
        &context.command(&(apply + asking + &allowing(&needed))),
    );
    Ok(exit)
}

/// The flags that consent to what is needed.
fn allowing(needed: &[Consent]) -> String {
    let shown = needed.iter().take(LISTED);
    let mut flags: String = shown.map(|consent| format!(" --allow {consent}")).collect();
    if needed.len() > LISTED {
        flags.push_str(" …");
    }
    flags
}

/// What a connector does with a copy of the state, where it cannot tell what it would do.
fn observed(
    context: &Context,
    args: &PlanArgs,
    project: &Project,
    capture: &Capture,
    time: Duration,
) -> Result<Exit, Failure> {
    let to = args.to.as_ref().map(|words| words.0.as_slice());
    let observed = watch(context, project, capture, to, time)?;
    let needed = observed.needed();
    let consents = Consents::among(needed.clone(), &[], &args.allow)
        .map_err(|failure| failure.about(&capture.name))?;
    let exit = match !observed.last.changed.is_empty() {
        _ if !args.exit_code => Exit::Success,
        _ if !consents.missing.is_empty() => Exit::Refused,
        true => Exit::Pending,
        false => Exit::Success,
    };
    let report = PlanReport {
        capture: Some(capture.name.clone()),
        revision: Some(observed.revision),
        state: None,
        connector: observed.connector.clone(),
        to: to.map(<[String]>::to_vec),
        plan: None,
        observed: Some(observed),
        consents,
        exit,
    };
    let exit = answer(context, args, &report, Some((project, capture)))?;
    let apply = match (&args.out, to) {
        (Some(path), _) => format!("migrate apply {}", path.display()),
        (None, Some(words)) => format!(
            "migrate apply {} --observe --to {}",
            capture.name,
            typed(words)
        ),
        (None, None) => format!("migrate apply {} --observe", capture.name),
    };
    context
        .output
        .next("apply it", &context.command(&(apply + &allowing(&needed))));
    Ok(exit)
}

/// Opens the capture on a copy of its state, and says that this reads from the source.
pub(super) fn watch(
    context: &Context,
    project: &Project,
    capture: &Capture,
    to: Option<&[String]>,
    time: Duration,
) -> Result<Observed, Failure> {
    context.output.warn(
        "the connector is opened on a copy of the state: it reads from the real source, and what it captures is thrown away",
    );
    let observed = observe(project, capture, to, time, context.log());
    observed.map_err(|error| {
        context::failed(capture, Asked::Other)(error)
            .hint("it failed on a copy of the state; nothing was changed")
    })
}

/// What was seen, for people.
pub(super) fn seen(observed: &Observed) -> String {
    let mut text = format!(
        "watched for {}: {} and {}",
        quantity::time(Duration::try_from_secs_f64(observed.seconds).unwrap_or_default()),
        counted(observed.checkpoints, "checkpoint"),
        counted(observed.documents, "document"),
    );
    text.push_str(match observed.ended.as_str() {
        "exited" => "; then it had nothing more to do\n",
        "checkpoints" => "; then enough was seen\n",
        _ => "\n",
    });
    for binding in observed.bindings.iter().take(LISTED) {
        let documents = counted(binding.documents, "document");
        text.push_str(&format!(
            "  {}  {documents}\n",
            clean_line(&binding.state_key)
        ));
    }
    let is_one = observed.first.update.get() == observed.last.update.get();
    let parts = [
        (
            "what its first checkpoint makes of the state",
            &observed.first,
        ),
        ("and its last", &observed.last),
    ];
    for (title, seen) in parts.into_iter().take(if is_one { 1 } else { 2 }) {
        let difference = Difference::seen(seen).text(true);
        let difference = match difference.is_empty() {
            true => "the same as before\n".to_owned(),
            false => difference,
        };
        text.push_str(&format!("\n{}\n{difference}", styled(BOLD, title)));
    }
    if observed.wants_acknowledgements {
        text.push_str(
            "\nIt asked for acknowledgements and got none: it may have waited for them.\n",
        );
    }
    text
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
        to: args.to.as_ref().map(|words| words.0.clone()),
        plan: planned.plan,
        observed: None,
        consents,
        exit,
    })
}

/// Prints the plan; `stored` is the capture whose stored state it is of.
fn answer(
    context: &Context,
    args: &PlanArgs,
    report: &PlanReport,
    stored: Option<(&Project, &Capture)>,
) -> Result<Exit, Failure> {
    if let Some(path) = &args.out {
        let text = output::json(report) + "\n";
        std::fs::write(path, text)
            .map_err(|error| Failure::write(&format!("`{}`", path.display()), &error))?;
    }
    let exit = context.output.answer(report)?;
    if let Some(pid) = stored.and_then(|(project, capture)| context::runner(project, capture)) {
        context.output.note(&format!("The capture may be running (process {pid}): this is a plan of its last committed state."));
    }
    match report.plan {
        _ if report.observed.is_some() => context.output.note("Nothing was changed."),
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
        let is_seen = self.observed.is_some();
        let what = match (&self.plan, self.consents.missing.len()) {
            (None, missing) if is_seen && missing > 0 => {
                format!("watched; {} needed", counted(missing as u64, "consent"))
            }
            (None, _) if is_seen => "watched".to_owned(),
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
        if let Some(observed) = &self.observed {
            return format!("{summary}\n\n{}", seen(observed));
        }
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
