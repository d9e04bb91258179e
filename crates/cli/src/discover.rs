//! `staunch discover`: what a source has to offer, and adding it to the catalog.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use staunch_runtime::catalog::{Binding, Capture, Found, write_discovered};
use staunch_runtime::inspect;

use crate::args::DiscoverArgs;
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::output::{Glyphs, Report, clean, columns};
use crate::quantity::counted;

#[derive(Serialize)]
struct DiscoverReport {
    capture: String,
    file: String,
    resources: Vec<Resource>,
    /// Whether the file was written.
    written: bool,
    /// Collections that were added to.
    added: Vec<String>,
}

#[derive(Serialize)]
struct Resource {
    resource: Value,
    key: Vec<String>,
    collection: String,
    status: Status,
}

/// How the catalog has a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    New,
    Bound,
    Disabled,
}

pub(crate) fn run(context: &Context, args: &DiscoverArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    let found = inspect::discover(&project, capture, context.log())
        .map_err(context::failed(capture, Asked::Other))?;
    let file = &project.catalog.path;
    let mut report = DiscoverReport {
        capture: capture.name.clone(),
        file: file.display().to_string(),
        resources: found.iter().map(|found| resource(capture, found)).collect(),
        written: false,
        added: Vec::new(),
    };
    if args.write {
        let edited = write_discovered(file, &capture.name, &found);
        let edited =
            edited.map_err(|error| Failure::catalog(&error, Asked::Other).about(&capture.name))?;
        if !edited.added.is_empty() {
            replace(file, &edited.text)
                .map_err(|error| Failure::write(&format!("`{}`", file.display()), &error))?;
            report.written = true;
        }
        report.added = edited.added;
    }
    let exit = context.output.answer(&report)?;
    context.output.note(&report.summary());
    let verb = if args.write || !report.has_new() {
        "check"
    } else {
        "discover --write"
    };
    let why = if args.write || !report.has_new() {
        "see whether all is right"
    } else {
        "add what is new"
    };
    let name = &capture.name;
    let command = match verb.split_once(' ') {
        Some((verb, flag)) => format!("{verb} {name} {flag}"),
        None => format!("{verb} {name}"),
    };
    context.output.next(why, &context.command(&command));
    Ok(exit)
}

/// Replaces a file's text in one step, so that nobody ever sees half of it. Its permissions stay, and so does a link to it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file()
        .set_permissions(path.metadata()?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

fn resource(capture: &Capture, found: &Found) -> Resource {
    let binding = |bindings: &[Binding]| {
        let same = bindings
            .iter()
            .find(|binding| bare(&binding.resource) == bare(&found.resource));
        same.map(|binding| binding.target.clone())
    };
    let (collection, status) = match (binding(&capture.bindings), binding(&capture.disabled)) {
        (Some(target), _) => (target, Status::Bound),
        (None, Some(target)) => (target, Status::Disabled),
        (None, None) => (found.target.clone(), Status::New),
    };
    Resource {
        resource: bare(&found.resource),
        key: found.key.clone(),
        collection,
        status,
    }
}

/// A resource without what belongs to the platform and not to the connector.
fn bare(resource: &Value) -> Value {
    let mut resource = resource.clone();
    if let Some(members) = resource.as_object_mut() {
        members.remove("_meta");
    }
    resource
}

impl DiscoverReport {
    fn has_new(&self) -> bool {
        self.resources
            .iter()
            .any(|resource| resource.status == Status::New)
    }
}

impl Report for DiscoverReport {
    const COMMAND: &'static str = "discover";

    fn summary(&self) -> String {
        let new = self
            .resources
            .iter()
            .filter(|resource| resource.status == Status::New)
            .count();
        let found = counted(self.resources.len() as u64, "resource");
        match (self.written, new) {
            (true, _) => format!(
                "{found} found; added {} to {}",
                counted(self.added.len() as u64, "binding"),
                self.file
            ),
            (false, 0) => format!(
                "{found} found, none of them new; {} was not changed",
                self.file
            ),
            (false, new) => format!(
                "{found} found, {new} of them new; {} was not changed",
                self.file
            ),
        }
    }

    fn text(&self, _: &Glyphs) -> String {
        let rows = self.resources.iter().map(|resource| {
            let status = match resource.status {
                Status::New if self.written => "added",
                Status::New => "new",
                Status::Bound => "in flow.yaml",
                Status::Disabled => "in flow.yaml, disabled",
            };
            let key = match resource.key.join(" ") {
                key if key.is_empty() => "no key".to_owned(),
                key => key,
            };
            [
                name(&resource.resource),
                key,
                resource.collection.clone(),
                status.to_owned(),
            ]
            .map(|cell| clean(&cell))
        });
        columns(&["RESOURCE", "KEY", "COLLECTION", ""], rows)
    }
}

/// A resource in short: its one string, if it has but one, and its JSON otherwise.
fn name(resource: &Value) -> String {
    let strings: Vec<&str> = resource
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| value.as_str())
        .collect();
    match (
        strings.as_slice(),
        resource["name"]
            .as_str()
            .or_else(|| resource["stream"].as_str()),
    ) {
        (_, Some(name)) => name.to_owned(),
        ([only], None) => (*only).to_owned(),
        _ => resource.to_string(),
    }
}
