//! `staunch migrate plan`: what a connector would do to the stored state.

use serde::Serialize;
use staunch_runtime::{Project, inspect};
use staunch_state::Plan;

use crate::args::PlanArgs;
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::output::{self, Glyphs, Report, clean};
use crate::state::short_version;

#[derive(Serialize)]
struct PlanReport {
    capture: String,
    /// The revision that the plan was made for.
    revision: u64,
    connector: String,
    /// None if the state would be left alone.
    plan: Option<Plan>,
    #[serde(skip)]
    exit: Exit,
}

pub(crate) fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Plan)?;
    let capture = context::capture(&project, &args.capture, Asked::Plan)?;
    let to = args.to.as_ref().map(|words| words.0.as_slice());
    let planned = inspect::plan(&project, capture, to, args.ask_source, context.log());
    let planned = planned.map_err(context::failed(capture, Asked::Plan))?;
    let is_pending = planned.plan.is_some();
    let report = PlanReport {
        capture: planned.capture,
        revision: planned.revision,
        connector: planned.connector,
        plan: planned.plan,
        exit: if args.exit_code && is_pending {
            Exit::Pending
        } else {
            Exit::Success
        },
    };
    if let Some(path) = &args.out {
        let text = output::json(&report) + "\n";
        std::fs::write(path, text)
            .map_err(|error| Failure::write(&format!("`{}`", path.display()), &error))?;
    }
    let exit = context.output.answer(&report)?;
    if let Some(pid) = runner(&project) {
        context.output.note(&format!("The capture may be running (process {pid}): this is a plan of its last committed state."));
    }
    if is_pending {
        context.output.note("Nothing was changed.");
        let place = if args.to.is_some() {
            "with that connector in flow.yaml or staunch.yaml, apply it"
        } else {
            "apply it"
        };
        context
            .output
            .next(place, &context.command(&format!("run {}", capture.name)));
    }
    Ok(exit)
}

/// The process that runs captures of this project, if it seems to: a look, without taking the lock.
fn runner(project: &Project) -> Option<i32> {
    let text = std::fs::read_to_string(project.state_dir.join("lock")).ok()?;
    let pid: i32 = text.trim().parse().ok()?;
    rustix::process::test_kill_process(rustix::process::Pid::from_raw(pid)?)
        .is_ok()
        .then_some(pid)
}

impl Report for PlanReport {
    const COMMAND: &'static str = "migrate plan";

    fn summary(&self) -> String {
        let what = if self.plan.is_some() {
            "the state would change"
        } else {
            "nothing to do"
        };
        format!(
            "{} at revision {}, opened by {}: {what}",
            self.capture,
            self.revision,
            short_version(&self.connector)
        )
    }

    fn text(&self, _: &Glyphs) -> String {
        match &self.plan {
            None => format!("{}\n", self.summary()),
            Some(plan) => format!(
                "{}\n\n{}\n",
                self.summary(),
                clean(plan.to_string().trim_end())
            ),
        }
    }

    fn exit(&self) -> Exit {
        self.exit
    }
}
