//! The `staunch` command: parses what was typed, calls the runtime, and prints what it answered.
//!
//! It has no rules of its own. A verb is one file: it asks one function of the runtime, and makes of the answer one value,
//! from which both the text and the JSON are rendered.
//!
//! Files, in the order of a reader: `args` what can be typed, `context` the project it is typed in, one per verb (`spec`,
//! `discover`, `check`, `run`, `status`, `state`, `migrate`, `doctor`), `given` the files named by flags, `watch`, `events`, `live` and `signals`
//! what a run shows and hears, `output` where text goes, `failure` and `exit` how things end.
#![forbid(unsafe_code)]

mod args;
mod check;
mod context;
mod discover;
mod doctor;
mod events;
mod exit;
mod failure;
mod given;
mod live;
mod migrate;
mod output;
mod pretty;
mod quantity;
mod run;
mod signals;
mod spec;
mod state;
mod status;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, MigrateVerb, StateVerb, Verb};
use context::Context;
use exit::Exit;
use failure::Failure;

/// Does what the process's arguments ask for. Prints, and answers how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let command = cli.verb.name();
    let context = match Context::new(cli.global) {
        Ok(context) => context,
        Err(failure) => return failure.exit.into(),
    };
    match dispatch(&context, cli.verb) {
        Ok(exit) => exit.into(),
        Err(failure) => context.output.fail(command, &failure).into(),
    }
}

fn dispatch(context: &Context, verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Spec(args) => spec::run(context, &args),
        Verb::Discover(args) => discover::run(context, &args),
        Verb::Check(args) => check::run(context, &args),
        Verb::Run(args) => run::run(context, &args),
        Verb::Doctor(args) => doctor::run(context, &args),
        Verb::Status(args) => status::run(context, &args),
        Verb::State(args) => match args.verb.unwrap_or(StateVerb::Show(args.show)) {
            StateVerb::Show(args) => state::show::run(context, &args),
            StateVerb::History(args) => state::history::run(context, &args),
            StateVerb::Set(args) => state::change::set(context, &args),
            StateVerb::Reset(args) => state::change::reset(context, &args),
            StateVerb::Copy(args) => state::change::copy(context, &args),
            StateVerb::Undo(args) => state::change::undo(context, &args),
            StateVerb::Export(args) => state::export::export(context, &args),
            StateVerb::Import(args) => state::export::import(context, &args),
        },
        Verb::Migrate(args) => match args.verb.unwrap_or(MigrateVerb::Plan(args.plan)) {
            MigrateVerb::Plan(args) => migrate::plan::run(context, &args),
            MigrateVerb::Apply(args) => migrate::apply::run(context, &args),
            MigrateVerb::Rollback(args) => migrate::rollback::run(context, &args),
            MigrateVerb::History(args) => state::history::migrations(context, &args),
            MigrateVerb::New(args) => migrate::new::run(context, &args),
        },
    }
}
