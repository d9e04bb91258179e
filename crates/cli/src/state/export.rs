//! `staunch state export` and `import`: states in a file, with a checksum.

use staunch_runtime::catalog::Capture;
use staunch_runtime::edit::Edit;
use staunch_runtime::export::{Export, ExportedState};
use staunch_runtime::inspect;

use super::change;
use crate::args::{ExportArgs, ImportArgs};
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::given;
use crate::output::{self, print_line};
use crate::quantity::counted;

pub(crate) fn export(context: &Context, args: &ExportArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let mut captures: Vec<&Capture> = Vec::new();
    for name in &args.captures {
        captures.push(context::capture(&project, Some(name), Asked::Other)?);
    }
    if args.captures.is_empty() {
        captures.extend(project.catalog.captures.values());
    }
    let mut rows = Vec::new();
    for capture in captures {
        let row = inspect::state(&project, capture);
        let row = row.map_err(context::failed(capture, Asked::Other))?;
        match row.filter(|row| row.revision > 0) {
            Some(row) => rows.push(row),
            None => context.output.note(&format!(
                "{} has no state yet: it never committed.",
                capture.name
            )),
        }
    }
    if rows.is_empty() {
        let message = "no capture here has a state; there is nothing to export";
        return Err(Failure::new("state.none", message));
    }
    let count = rows.len();
    let export =
        Export::of(rows).map_err(|error| Failure::new("state.unreadable", error.to_string()))?;
    print_line(&output::json(&export))?;
    let count = counted(count as u64, "state");
    context.output.note(&format!("{count} exported."));
    Ok(Exit::Success)
}

pub(crate) fn import(context: &Context, args: &ImportArgs) -> Result<Exit, Failure> {
    let source = args.states.display().to_string();
    let refused = |problem: String| {
        Failure::new(
            "input.not_a_state",
            format!("`{source}` cannot be imported: {problem}"),
        )
    };
    let text = given::text(context, &args.states, "FILE")?;
    let states = Export::read(&text).map_err(|error| refused(error.to_string()))?;
    let change = |_: &Edit, capture: &Capture| {
        let wanted = args.name.as_deref().unwrap_or(&capture.name);
        let found = states.iter().find(|state| state.capture == wanted);
        let found = found.ok_or_else(|| refused(lacks(wanted, &states)))?;
        found.node().map_err(|error| refused(error.to_string()))
    };
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    change::run(
        context,
        &project,
        capture,
        &args.change,
        "state import",
        change,
    )
}

fn lacks(wanted: &str, states: &[ExportedState]) -> String {
    let names = states.iter().map(|state| format!("`{}`", state.capture));
    let names: Vec<String> = names.take(20).collect();
    format!(
        "it has no state of `{wanted}`; it has {}, and `--as` names one of them",
        names.join(", ")
    )
}
