//! Looking: what a connector is, what it finds, whether a capture is right, what its state is. None of this writes to the store.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use staunch_protocol::Codec;
use staunch_protocol::flow::{CaptureSpec, RangeSpec};
use staunch_protocol::json::encode_request;
use staunch_protocol::response::{DiscoveredBinding, Spec};
use staunch_protocol::{RawValue, Request, request};
use staunch_state::{Node, Plan};

use crate::catalog::spec::{
    capture_spec, config, connector_type, inactive_bindings, resource_path, validate_request,
};
use crate::catalog::{Binding, Capture, Catalog, Config, Endpoint, Found, Location};
use crate::conversation;
use crate::error::{ConnectorError, RunError};
use crate::process::{Connector, ConnectorCommand, LogSink};
use crate::project::Project;
use crate::run::parse_state;
use crate::store::{CaptureRow, Store, StoreError, StoreReader};

/// Levels of nesting of an endpoint config that is read by itself.
const CONFIG_DEPTH: usize = 64;

/// Events that its aliases may repeat, all together: the bound of an alias bomb.
const CONFIG_REPEATED_EVENTS: usize = 100_000;

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
    match store(project)? {
        Some(store) => Ok(store.load(&capture.name)?),
        None => Ok(None),
    }
}

/// What was committed by the captures of a project; none if nothing ever was.
///
/// # Errors
/// When there is a store that cannot be read.
pub fn store(project: &Project) -> Result<Option<StoreReader>, RunError> {
    match Store::open_readonly(&project.state_dir) {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What is asked of a plan, beside the capture that it is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'a> {
    /// The connector to ask in place of the capture's own.
    pub to: Option<&'a [String]>,
    /// The state to plan for, an object, in place of the stored one; the store is then not opened.
    pub state: Option<&'a Node>,
    /// Whether the connector may ask its source.
    pub ask_source: bool,
    /// Plan to take these steps of a migration back, and all behind them.
    pub undo: &'a [String],
}

/// What opening a capture would do to its state.
#[derive(Debug)]
pub struct Planned {
    /// The revision of the stored state that it was made for; none if it was made for another state.
    pub revision: Option<u64>,
    /// The connector that would open it.
    pub connector: String,
    /// The plan; none if the state would be left alone.
    pub plan: Option<Plan>,
}

/// What identifies the connector of a capture, or the one in place of it.
///
/// # Errors
/// When this version cannot start it.
pub fn version(
    project: &Project,
    capture: &Capture,
    to: Option<&[String]>,
) -> Result<String, RunError> {
    Ok(project.command_with(capture, to)?.version())
}

/// Asks a connector what it would do to the state of a capture, without letting it.
///
/// # Errors
/// When it cannot tell, or refuses.
pub fn plan(
    project: &Project,
    capture: &Capture,
    question: Question<'_>,
    log: LogSink,
) -> Result<Planned, RunError> {
    let command = project.command_with(capture, question.to)?;
    plan_with(project, capture, &command, question, log)
}

/// As [`plan`], of a connector that is started so.
pub(crate) fn plan_with(
    project: &Project,
    capture: &Capture,
    command: &ConnectorCommand,
    question: Question<'_>,
    log: LogSink,
) -> Result<Planned, RunError> {
    let (revision, state) = match question.state {
        Some(state) => (None, state.clone()),
        None => match state(project, capture)? {
            None => (Some(0), Node::Object(Default::default())),
            Some(stored) => (Some(stored.revision), parse_state(capture, &stored.state)?),
        },
    };
    probe(command, Arc::clone(&log))?;
    let spec = spec_without_source(project, capture, command, Arc::clone(&log))?;
    let plan = ask(
        command,
        spec,
        &state,
        question.ask_source,
        question.undo,
        log,
    )?;
    Ok(Planned {
        revision,
        connector: command.version(),
        plan,
    })
}

/// Asks a connector what it would do to a state of which no project is known, and so no binding either.
///
/// `argv` is started in the current folder, and told `config` as its endpoint config.
///
/// # Errors
/// When it cannot tell, or refuses.
pub fn plan_alone(
    argv: &[String],
    config: Config,
    state: &Node,
    ask_source: bool,
    log: LogSink,
) -> Result<Planned, RunError> {
    let command = ConnectorCommand {
        argv: argv.to_vec(),
        dir: std::env::current_dir().unwrap_or_else(|_| ".".into()),
        env: BTreeMap::new(),
        codec: Codec::Json,
    };
    probe(&command, Arc::clone(&log))?;
    let plan = ask(
        &command,
        spec_without_project(&command, config)?,
        state,
        ask_source,
        &[],
        log,
    )?;
    Ok(Planned {
        revision: None,
        connector: command.version(),
        plan,
    })
}

/// Reads an endpoint config of its own: a YAML or JSON document. `file` is what messages call it.
///
/// # Errors
/// [`RunError::Config`], which tells no value of the text.
pub fn read_config(text: &str, file: &str) -> Result<Config, RunError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: CONFIG_DEPTH,
            flow_nesting_limit: CONFIG_DEPTH,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: CONFIG_REPEATED_EVENTS },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let refused = |line, column, problem| RunError::Config {
        file: file.to_owned(),
        line,
        column,
        problem,
    };
    let value = serde_saphyr::from_str_with_options::<Value>(text, options).map_err(|error| {
        let (line, column) = error
            .location()
            .map_or((1, 1), |at| (at.line(), at.column()));
        // The parser's own words may hold a value of the config.
        refused(line, column, "this is not one YAML or JSON document")
    })?;
    match value {
        Value::Object(members) if members.contains_key("sops") => Err(refused(
            1,
            1,
            "encrypted configs are not supported yet; decrypt it with `sops` into a file that stays out of version control",
        )),
        Value::Object(_) => Ok(Config::new(&value)),
        _ => Err(refused(
            1,
            1,
            "an endpoint config is a mapping; write its members",
        )),
    }
}

/// Has a connector make a plan.
fn ask(
    command: &ConnectorCommand,
    capture: CaptureSpec,
    state: &Node,
    ask_source: bool,
    undo: &[String],
    log: LogSink,
) -> Result<Option<Plan>, RunError> {
    let open = Request::Open(request::Open {
        capture,
        version: command.version(),
        range: RangeSpec::full(),
        state: RawValue::from_string(state.to_json()).expect("a state is valid JSON"),
    });
    let mut arguments = vec!["plan"];
    if ask_source {
        arguments.push("--ask-source");
    }
    for step in undo {
        arguments.extend(["--undo", step]);
    }
    let mut line = Vec::new();
    encode_request(&open, &mut line);
    let answer = Connector::ask_once(command, &arguments, line, log)?;
    serde_json::from_slice(&answer).map_err(|error| {
        RunError::Plan(format!(
            "connector `{}` answered with a plan that cannot be read: {error}",
            command.program()
        ))
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

/// A capture of which nothing is known but its connector and its config.
fn spec_without_project(
    command: &ConnectorCommand,
    config: Config,
) -> Result<CaptureSpec, RunError> {
    let nowhere = Location {
        file: PathBuf::new(),
        line: 1,
        column: 1,
        pointer: String::new(),
    };
    let capture = Capture {
        name: "plan/alone".to_owned(),
        endpoint: Endpoint::Local {
            command: command.argv.clone(),
            dir: command.dir.clone(),
            config,
            env: BTreeMap::new(),
            protobuf: false,
        },
        bindings: Vec::new(),
        disabled: Vec::new(),
        interval: Duration::from_secs(300),
        location: nowhere,
    };
    let catalog = Catalog {
        captures: BTreeMap::new(),
        collections: BTreeMap::new(),
        warnings: Vec::new(),
        path: PathBuf::new(),
    };
    Ok(capture_spec(&capture, &catalog, &[])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_one_mapping_in_yaml_or_json() {
        for text in ["url: x\nn: 1", r#"{"url":"x","n":1}"#] {
            let config = read_config(text, "c.yaml").unwrap();
            assert_eq!(config.to_value(), serde_json::json!({"url": "x", "n": 1}));
        }
    }

    #[test]
    fn what_is_wrong_with_a_config_is_told_without_its_values() {
        for (text, message) in [
            (
                "url: x\ntoken: 'hunter2",
                "c.yaml:2:8: this is not one YAML or JSON document",
            ),
            (
                "token: hunter2\ntoken: hunter3",
                "c.yaml:2:1: this is not one YAML or JSON document",
            ),
            (
                "a: 1\n---\nb: 2",
                "c.yaml:2:1: this is not one YAML or JSON document",
            ),
            (
                "hunter2",
                "c.yaml:1:1: an endpoint config is a mapping; write its members",
            ),
            (
                "",
                "c.yaml:1:1: an endpoint config is a mapping; write its members",
            ),
            (
                "token: ENC[hunter2]\nsops: {}",
                "c.yaml:1:1: encrypted configs are not supported yet; decrypt it with `sops` into a file that stays out of version control",
            ),
        ] {
            let error = read_config(text, "c.yaml").unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), error.code()),
                (message, "config.invalid"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_config_that_is_nested_without_end_is_refused() {
        for deep in ["[".repeat(100_000), "a: {".repeat(1000)] {
            assert!(read_config(&deep, "c.yaml").is_err());
        }
    }

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
