//! `staunch check`: is everything right? All that is wrong is told at once.

use serde::Serialize;
use staunch_runtime::catalog::{Catalog, CatalogError, Settings};
use staunch_runtime::inspect;

use crate::args::CheckArgs;
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::output::{BOLD, GREEN, Glyphs, RED, Report, clean, columns, styled};
use crate::quantity::counted;

#[derive(Serialize)]
struct CheckReport {
    file: String,
    capture: Option<String>,
    /// What was looked at and is right.
    right: Vec<Right>,
    warnings: Vec<String>,
    findings: Vec<Finding>,
    bindings: Vec<BoundResource>,
}

#[derive(Serialize)]
struct Right {
    what: &'static str,
    detail: String,
}

#[derive(Serialize)]
struct Finding {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
}

#[derive(Serialize)]
struct BoundResource {
    resource_path: Vec<String>,
    collection: String,
}

pub(crate) fn run(context: &Context, args: &CheckArgs) -> Result<Exit, Failure> {
    let mut report = CheckReport {
        file: context.global.file.display().to_string(),
        capture: None,
        right: Vec::new(),
        warnings: Vec::new(),
        findings: Vec::new(),
        bindings: Vec::new(),
    };
    if look(context, args, &mut report)? {
        let name = report.capture.clone().unwrap_or_default();
        let exit = context.output.answer(&report)?;
        context
            .output
            .next("capture", &context.command(&format!("run {name}")));
        return Ok(exit);
    }
    let exit = context.output.answer(&report)?;
    context.output.note(&format!(
        "{}; correct this and check again",
        report.summary()
    ));
    Ok(exit)
}

/// Looks at one thing after the other, as far as one rests on another. Whether all is right.
fn look(context: &Context, args: &CheckArgs, report: &mut CheckReport) -> Result<bool, Failure> {
    report.findings = written_wrongly(context)?;
    if !report.findings.is_empty() {
        return Ok(false);
    }
    let project = match context.project(Asked::Check) {
        Ok(project) => project,
        Err(failure) => return report.found(failure),
    };
    report.warnings = project
        .catalog
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    let (captures, collections) = (
        project.catalog.captures.len() as u64,
        project.catalog.collections.len() as u64,
    );
    let detail = format!(
        "{}, {}",
        counted(captures, "capture"),
        counted(collections, "collection")
    );
    report.right.push(Right {
        what: "catalog",
        detail,
    });

    let capture = match context::capture(&project, args.capture.name(), Asked::Check) {
        Ok(capture) => capture,
        Err(failure) => return report.found(failure),
    };
    report.capture = Some(capture.name.clone());
    let failed = context::failed(capture, Asked::Check);
    let paths = match inspect::check(&project, capture, context.log()) {
        Ok(paths) => paths,
        Err(error) => return report.found(failed(error)),
    };
    let program = project
        .command(capture)
        .map_err(failed)?
        .program()
        .to_owned();
    report.right.push(Right {
        what: "connector",
        detail: format!("`{program}` takes the config"),
    });
    let disabled = match capture.disabled.len() as u64 {
        0 => String::new(),
        n => format!(", {n} disabled"),
    };
    report.right.push(Right {
        what: "bindings",
        detail: format!("{}{disabled}", counted(paths.len() as u64, "binding")),
    });
    let bound = paths.into_iter().zip(&capture.bindings);
    report.bindings = bound
        .map(|(resource_path, binding)| BoundResource {
            resource_path,
            collection: binding.target.clone(),
        })
        .collect();
    Ok(true)
}

/// What is wrong with the project's two files, together: each is read whatever the other says.
fn written_wrongly(context: &Context) -> Result<Vec<Finding>, Failure> {
    let file = &context.global.file;
    let mut findings = Vec::new();
    for error in [
        Settings::load(&file.with_file_name("staunch.yaml")).err(),
        Catalog::load(file).err(),
    ]
    .into_iter()
    .flatten()
    {
        let failure = Failure::catalog(&error, Asked::Check);
        if failure.exit != Exit::Findings {
            return Err(failure);
        }
        findings.extend(error.each().into_iter().map(finding));
    }
    Ok(findings)
}

fn finding(error: &CatalogError) -> Finding {
    let at = error.location();
    Finding {
        code: error.code(),
        message: Failure::catalog(error, Asked::Check).whole_message(),
        file: at.map(|at| at.file.display().to_string()),
        line: at.map(|at| at.line),
        column: at.map(|at| at.column),
        pointer: at.map(|at| at.pointer.clone()),
    }
}

impl CheckReport {
    /// A failure that is an answer to what was asked, or else the failure.
    fn found(&mut self, failure: Failure) -> Result<bool, Failure> {
        if failure.exit != Exit::Findings {
            return Err(failure);
        }
        let message = failure.whole_message();
        self.findings.push(Finding {
            code: failure.code,
            message,
            file: None,
            line: None,
            column: None,
            pointer: None,
        });
        Ok(false)
    }
}

impl Report for CheckReport {
    const COMMAND: &'static str = "check";

    fn summary(&self) -> String {
        match self.findings.len() as u64 {
            0 => format!("{} is right", self.capture.as_deref().unwrap_or(&self.file)),
            n => counted(n, "finding"),
        }
    }

    fn text(&self, glyphs: &Glyphs) -> String {
        let mut text = String::new();
        for Right { what, detail } in &self.right {
            text.push_str(&format!(
                "{} {what:<10} {}\n",
                styled(GREEN, glyphs.good),
                clean(detail)
            ));
        }
        let rows = self.bindings.iter().map(|binding| {
            [
                clean(&binding.resource_path.join("/")),
                glyphs.arrow.to_owned(),
                binding.collection.clone(),
            ]
        });
        if !self.bindings.is_empty() {
            text.push_str(&columns(&[], rows));
        }
        for Finding { code, message, .. } in &self.findings {
            let message = clean(message).replace('\n', "\n    ");
            text.push_str(&format!(
                "{} {}\n    {message}\n",
                styled(RED, glyphs.bad),
                styled(BOLD, code)
            ));
        }
        text
    }

    fn exit(&self) -> Exit {
        if self.findings.is_empty() {
            Exit::Success
        } else {
            Exit::Findings
        }
    }
}
