//! Looking: what a connector is, what it finds, whether a capture is right, what its state is. None of this writes to the store.

use std::sync::Arc;

use serde_json::Value;
use staunch_protocol::flow::{CaptureSpec, RangeSpec};
use staunch_protocol::json::encode_request;
use staunch_protocol::response::{DiscoveredBinding, Spec};
use staunch_protocol::{RawValue, Request, request};
use staunch_state::{Node, Plan};

use crate::catalog::spec::{
    capture_spec, config, connector_type, inactive_bindings, resource_path, validate_request,
};
use crate::catalog::{Binding, Capture, Found};
use crate::conversation;
use crate::error::{ConnectorError, RunError};
use crate::process::{Connector, ConnectorCommand, LogSink};
use crate::project::Project;
use crate::run::parse_state;
use crate::store::{CaptureRow, Store, StoreError};

/// What the connector of a capture is, and what it needs to be told.
///
/// # Errors
/// When it does not answer as it should.
pub fn spec(project: &Project, capture: &Capture, log: LogSink) -> Result<Spec, RunError> {
    Ok(conversation::spec(&project.command(capture)?, log)?)
}

/// What the connector finds at its endpoint, as it could be added to the catalog.
///
/// # Errors
/// When it does not answer as it should.
pub fn discover(
    project: &Project,
    capture: &Capture,
    log: LogSink,
) -> Result<Vec<Found>, RunError> {
    let command = project.command(capture)?;
    let request = request::Discover {
        connector_type: connector_type(capture),
        config: config(capture),
        name: capture.name.clone(),
    };
    let (_, discovered) = conversation::discover(&command, request, log)?;
    let found = discovered
        .bindings
        .into_iter()
        .map(|binding| found(capture, binding, &command));
    found.collect()
}

fn found(
    capture: &Capture,
    binding: DiscoveredBinding,
    command: &ConnectorCommand,
) -> Result<Found, RunError> {
    let name = collection_name(&binding.recommended_name);
    let problem = |problem: String| {
        let program = command.program().to_owned();
        RunError::from(ConnectorError::Answer {
            program,
            request: "discover",
            problem,
        })
    };
    if name.is_empty() {
        return Err(problem("a binding without a name".into()));
    }
    let value = |json: &RawValue| serde_json::from_str::<Value>(json.get());
    let prefix = capture
        .name
        .rsplit_once('/')
        .map_or("", |(prefix, _)| prefix);
    let target = if prefix.is_empty() {
        name
    } else {
        format!("{prefix}/{name}")
    };
    let unreadable =
        |error: serde_json::Error| problem(format!("a binding that cannot be read: {error}"));
    Ok(Found {
        resource: value(&binding.resource_config).map_err(unreadable)?,
        schema: value(&binding.document_schema).map_err(unreadable)?,
        target,
        key: binding.key,
        disable: binding.disable,
    })
}

/// A recommended name as part of a collection's name: what may not be in one is left out.
fn collection_name(recommended: &str) -> String {
    let is_legal = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '/');
    let parts = recommended
        .split(|c| !is_legal(c))
        .filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join("_");
    // Each part becomes a folder.
    name.split('/')
        .filter(|part| !matches!(*part, "" | "." | ".."))
        .collect::<Vec<_>>()
        .join("/")
}

/// Asks the connector whether the capture is right, and answers with the resource paths of its bindings.
///
/// # Errors
/// When it is not, with all that the connector has to say about it.
pub fn check(
    project: &Project,
    capture: &Capture,
    log: LogSink,
) -> Result<Vec<Vec<String>>, RunError> {
    let command = project.command(capture)?;
    let request = validate_request(capture, &project.catalog, None)?;
    Ok(conversation::validate(&command, request, log)?.1)
}

/// The state of a capture, as it was committed last. None if it never was.
///
/// # Errors
/// When the store cannot be read.
pub fn state(project: &Project, capture: &Capture) -> Result<Option<CaptureRow>, RunError> {
    match Store::open_readonly(&project.state_dir) {
        Ok(store) => Ok(store.load(&capture.name)?),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What opening a capture would do to its state.
#[derive(Debug)]
pub struct Planned {
    /// The capture.
    pub capture: String,
    /// The revision that it was made for.
    pub revision: u64,
    /// The connector that would open it.
    pub connector: String,
    /// The plan; none if the state would be left alone.
    pub plan: Option<Plan>,
}

/// Asks a connector what it would do to the stored state, without letting it.
///
/// `to` is the connector to ask in place of the capture's own. `ask_source` lets it ask its source.
///
/// # Errors
/// When it cannot tell, or refuses.
pub fn plan(
    project: &Project,
    capture: &Capture,
    to: Option<&[String]>,
    ask_source: bool,
    log: LogSink,
) -> Result<Planned, RunError> {
    let mut command = project.command(capture)?;
    if let Some(argv) = to {
        command.argv = argv.to_vec();
        command.dir = std::env::current_dir().unwrap_or(command.dir);
    }
    let stored = state(project, capture)?;
    let revision = stored.as_ref().map_or(0, |stored| stored.revision);
    let state = match &stored {
        None => Node::Object(Default::default()),
        Some(stored) => parse_state(capture, &stored.state)?,
    };
    probe(&command, Arc::clone(&log))?;
    let spec = spec_without_source(project, capture, &command, Arc::clone(&log))?;
    let open = Request::Open(request::Open {
        capture: spec,
        version: command.version(),
        range: RangeSpec::full(),
        state: RawValue::from_string(state.to_json()).expect("a state is valid JSON"),
    });
    let arguments: &[&str] = if ask_source {
        &["plan", "--ask-source"]
    } else {
        &["plan"]
    };
    let mut line = Vec::new();
    encode_request(&open, &mut line);
    let answer = Connector::ask_once(&command, arguments, line, log)?;
    let plan = serde_json::from_slice(&answer).map_err(|error| {
        RunError::Plan(format!(
            "connector `{}` answered with a plan that cannot be read: {error}",
            command.program()
        ))
    })?;
    Ok(Planned {
        capture: capture.name.clone(),
        revision,
        connector: command.version(),
        plan,
    })
}

/// Sees that the connector knows what a plan is. One that does not might take the question for a capture to be run.
fn probe(command: &ConnectorCommand, log: LogSink) -> Result<(), RunError> {
    let answer = Connector::ask_once(command, &["plan", "--probe"], Vec::new(), log);
    let is_known = |answer: &[u8]| {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        answer.pointer("/staunch/plan")?.as_u64()
    };
    match answer {
        Err(error @ (ConnectorError::NotFound { .. } | ConnectorError::Start { .. })) => {
            Err(error.into())
        }
        Ok(answer) if is_known(&answer) == Some(1) => Ok(()),
        _ => Err(RunError::Plan(format!(
            "connector `{}` cannot tell what it would do to the state: every binding is UNKNOWN; \
             ask for a plan of a connector that is built with Staunch's kit",
            command.program()
        ))),
    }
}

/// The capture as it would be opened, with resource paths as the connector's own pointers give them: validating would ask the source.
fn spec_without_source(
    project: &Project,
    capture: &Capture,
    command: &ConnectorCommand,
    log: LogSink,
) -> Result<CaptureSpec, RunError> {
    let about = conversation::spec(command, log)?;
    let pointers = &about.resource_path_pointers;
    let path = |binding: &Binding| {
        resource_path(pointers, &binding.resource).map_err(|pointer| {
            RunError::Plan(format!(
                "a binding of `{}` has nothing at {pointer} of its resource; complete it",
                capture.name
            ))
        })
    };
    let paths = capture
        .bindings
        .iter()
        .map(path)
        .collect::<Result<Vec<_>, _>>()?;
    let mut spec = capture_spec(capture, &project.catalog, &paths)?;
    spec.inactive_bindings = inactive_bindings(capture, &project.catalog, pointers);
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_in_a_name_is_left_out_of_it() {
        for (recommended, name) in [
            ("some greetings!", "some_greetings"),
            ("a/b", "a/b"),
            ("../../etc/passwd", "etc/passwd"),
            ("日本", "日本"),
            ("!!", ""),
        ] {
            assert_eq!(collection_name(recommended), name);
        }
    }
}
