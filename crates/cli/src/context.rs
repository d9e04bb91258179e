//! Where a command was typed: the project, and how it wants to be talked to.

use std::sync::Arc;

use staunch_protocol::log::Level;
use staunch_runtime::catalog::Capture;
use staunch_runtime::store::Store;
use staunch_runtime::{LogSink, Project};

use crate::args::Global;
use crate::events;
use crate::exit::Asked;
use crate::failure::Failure;
use crate::output::{self, Output};

/// What every verb starts from.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) output: Output,
}

impl Context {
    /// Goes to the folder that was asked for. A failure has been printed.
    pub(crate) fn new(global: Global) -> Result<Self, Failure> {
        let output = Output::new(&global);
        if let Some(dir) = &global.directory
            && let Err(error) = std::env::set_current_dir(dir)
        {
            let message = format!(
                "cannot go to folder {} (`-C`); name one that is there",
                dir.display()
            );
            let failure = Failure {
                causes: vec![error.to_string()],
                ..Failure::new("usage", message)
            };
            output.fail("staunch", &failure);
            return Err(failure);
        }
        Ok(Self { global, output })
    }

    /// The project, with its warnings told.
    pub(crate) fn project(&self, asked: Asked) -> Result<Project, Failure> {
        let project =
            Project::load(&self.global.file).map_err(|error| Failure::loading(&error, asked))?;
        for warning in &project.catalog.warnings {
            self.output.warn(&warning.to_string());
        }
        Ok(project)
    }

    /// Takes what connectors log while they are asked something: only what may matter, unless more is wanted.
    pub(crate) fn log(&self) -> LogSink {
        let threshold = self.output.threshold(Level::Warn);
        let json = self.output.json_logs;
        Arc::new(move |record| {
            if record.level >= threshold {
                output::say(&events::log_line(&record, json));
            }
        })
    }

    /// A command to type next, with the flags that name this project.
    pub(crate) fn command(&self, verb: &str) -> String {
        let mut command = String::from("staunch");
        if let Some(dir) = &self.global.directory {
            command.push_str(&format!(" -C {}", dir.display()));
        }
        if self.global.file.as_os_str() != "flow.yaml" {
            command.push_str(&format!(" -f {}", self.global.file.display()));
        }
        format!("{command} {verb}")
    }
}

/// The capture that is meant.
pub(crate) fn capture<'a>(
    project: &'a Project,
    name: Option<&str>,
    asked: Asked,
) -> Result<&'a Capture, Failure> {
    let found = project.catalog.capture(name);
    found.map_err(|error| Failure::catalog(&error, asked))
}

/// A failure of the runtime about one capture.
pub(crate) fn failed(
    capture: &Capture,
    asked: Asked,
) -> impl Fn(staunch_runtime::RunError) -> Failure {
    let name = capture.name.clone();
    move |error| Failure::of(&error, asked).about(&name)
}

/// The process that runs a capture, if one seems to: a look, without taking its lease.
pub(crate) fn runner(project: &Project, capture: &Capture) -> Option<u32> {
    Store::holder(&project.state_dir, &capture.name)
}
