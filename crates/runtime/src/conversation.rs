//! Asking a connector: one process, a `Spec` first, then one question, one answer, and its end.

use std::process::ChildStdout;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use staunch_protocol::flow::{CaptureSpec, ConnectorType};
use staunch_protocol::lifecycle::Lifecycle;
use staunch_protocol::response::{Applied, Discovered, Spec};
use staunch_protocol::{Messages, PROTOCOL_VERSION, RawValue, Request, Response, request};

use crate::error::ConnectorError;
use crate::process::{Connector, ConnectorCommand, Killer, LogSink};

/// How long a connector may take to say what it is.
const SPEC_PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take for an answer that may need its source.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10 * 60);

/// How long its process may take to end once its output has.
pub(crate) const EXIT_PATIENCE: Duration = Duration::from_secs(30);

/// A process that is being spoken to.
pub(crate) struct Conversation {
    pub(crate) program: String,
    pub(crate) connector: Connector,
    pub(crate) messages: Messages<ChildStdout>,
    pub(crate) lifecycle: Lifecycle,
}

impl Conversation {
    /// Starts a connector and has it say what it is. Every conversation begins so: peers rely on it.
    pub(crate) fn begin(
        command: &ConnectorCommand,
        log: LogSink,
    ) -> Result<(Self, Spec), ConnectorError> {
        let (connector, stdout) = Connector::start(command, &[], log)?;
        let mut this = Self {
            program: command.program().to_owned(),
            connector,
            messages: Messages::responses(command.codec, stdout),
            lifecycle: Lifecycle::new(),
        };
        let config = RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
        let request = Request::Spec(request::Spec {
            connector_type: ConnectorType::Local,
            config,
        });
        let Response::Spec(spec) = this.ask(&request, SPEC_PATIENCE)? else {
            unreachable!("the lifecycle pairs requests and responses");
        };
        if spec.protocol != PROTOCOL_VERSION {
            return Err(ConnectorError::Version {
                program: this.program,
                found: spec.protocol,
            });
        }
        Ok((this, spec))
    }

    /// Sends a request and awaits its answer, which is of the right kind.
    pub(crate) fn ask(
        &mut self,
        request: &Request,
        patience: Duration,
    ) -> Result<Response<'_>, ConnectorError> {
        let kind = request.kind();
        let program = self.program.clone();
        let protocol = |source| ConnectorError::Protocol {
            program: program.clone(),
            source,
        };
        self.lifecycle.request(request).map_err(protocol)?;
        self.connector.send(request)?;
        let watchdog = Watchdog::start(self.connector.killer(), patience);
        let codec = self.messages.codec();
        let message = match self.messages.next_message() {
            Ok(Some(message)) => message,
            _ if watchdog.has_bitten() => {
                return Err(ConnectorError::Slow {
                    program,
                    request: kind.as_str(),
                    patience,
                });
            }
            Ok(None) => {
                let status = self.connector.wait(EXIT_PATIENCE)?;
                let silent = ConnectorError::Silent {
                    program,
                    request: kind.as_str(),
                };
                return Err(self.connector.failure(status).unwrap_or(silent));
            }
            Err(source) => return Err(self.connector.frame_failure(source)),
        };
        drop(watchdog);
        let response = match codec.decode_response(message) {
            Ok(response) => response,
            Err(source) => return Err(ConnectorError::garbage(&program, codec, message, source)),
        };
        self.lifecycle.response(&response).map_err(protocol)?;
        Ok(response)
    }

    /// Ends it: nothing more is asked, and nothing more may come.
    fn end(mut self) -> Result<(), ConnectorError> {
        self.connector.close_input();
        let watchdog = Watchdog::start(self.connector.killer(), EXIT_PATIENCE);
        match self.messages.next_message() {
            _ if watchdog.has_bitten() => {
                return Err(ConnectorError::Lingers {
                    program: self.program,
                    patience: EXIT_PATIENCE,
                });
            }
            Ok(None) => {}
            Ok(Some(_)) => {
                return Err(ConnectorError::Answer {
                    program: self.program,
                    request: "the request",
                    problem: "a second message".to_owned(),
                });
            }
            Err(source) => {
                return Err(ConnectorError::Frame {
                    program: self.program,
                    source,
                });
            }
        }
        drop(watchdog);
        let status = self.connector.wait(EXIT_PATIENCE)?;
        self.connector.failure(status).map_or(Ok(()), Err)
    }
}

/// What the connector is, and what it needs to be told.
pub(crate) fn spec(command: &ConnectorCommand, log: LogSink) -> Result<Spec, ConnectorError> {
    let (conversation, spec) = Conversation::begin(command, log)?;
    conversation.end()?;
    Ok(spec)
}

/// One question to a process of its own: what the connector is, and what `take` takes of its answer.
fn once<T>(
    command: &ConnectorCommand,
    request: &Request,
    log: LogSink,
    take: impl FnOnce(Response<'_>) -> Option<T>,
) -> Result<(Spec, T), ConnectorError> {
    let (mut conversation, spec) = Conversation::begin(command, log)?;
    let answer = take(conversation.ask(request, ANSWER_PATIENCE)?);
    conversation.end()?;
    let answer = answer.expect("the lifecycle pairs requests and responses");
    Ok((spec, answer))
}

/// What there is to capture, and what the connector is.
pub(crate) fn discover(
    command: &ConnectorCommand,
    request: request::Discover,
    log: LogSink,
) -> Result<(Spec, Discovered), ConnectorError> {
    once(
        command,
        &Request::Discover(request),
        log,
        |response| match response {
            Response::Discovered(discovered) => Some(discovered),
            _ => None,
        },
    )
}

/// Whether the capture is as the connector wants it, what it is, and the resource paths of the bindings.
pub(crate) fn validate(
    command: &ConnectorCommand,
    request: request::Validate,
    log: LogSink,
) -> Result<(Spec, Vec<Vec<String>>), ConnectorError> {
    let (spec, validated) =
        once(
            command,
            &Request::Validate(request),
            log,
            |response| match response {
                Response::Validated(validated) => Some(validated),
                _ => None,
            },
        )?;
    let paths: Vec<_> = validated
        .bindings
        .into_iter()
        .map(|binding| binding.resource_path)
        .collect();
    check_paths(&paths).map_err(|problem| ConnectorError::Answer {
        program: command.program().to_owned(),
        request: "validate",
        problem,
    })?;
    Ok((spec, paths))
}

/// Paths must name their bindings, since state is kept by them.
fn check_paths(paths: &[Vec<String>]) -> Result<(), String> {
    let mut keys = std::collections::HashSet::new();
    for (index, path) in paths.iter().enumerate() {
        if path.is_empty() || path.iter().any(String::is_empty) {
            return Err(format!("an empty resource path for binding {index}"));
        }
        if !keys.insert(path.join("/")) {
            return Err(format!(
                "the resource path `{}` for two bindings",
                path.join("/")
            ));
        }
    }
    Ok(())
}

/// Has the connector make the endpoint ready for the capture, once.
pub(crate) fn apply(
    command: &ConnectorCommand,
    capture: &CaptureSpec,
    last: Option<(&CaptureSpec, &str)>,
    version: &str,
    state: &str,
    log: LogSink,
) -> Result<Applied, ConnectorError> {
    let request = request::Apply {
        capture: capture.clone(),
        version: version.to_owned(),
        last_capture: last.map(|(capture, _)| capture.clone()),
        last_version: last.map_or_else(String::new, |(_, version)| version.to_owned()),
        state: RawValue::from_string(state.to_owned()).ok(),
    };
    let (_, applied) = once(
        command,
        &Request::Apply(request),
        log,
        |response| match response {
            Response::Applied(applied) => Some(applied),
            _ => None,
        },
    )?;
    Ok(applied)
}

/// Ends a connector that is waited for too long: a read of a pipe has no deadline of its own.
pub(crate) struct Watchdog {
    bitten: Arc<AtomicBool>,
    _called_off: mpsc::Sender<()>,
}

impl Watchdog {
    pub(crate) fn start(killer: Killer, patience: Duration) -> Self {
        let (called_off, calls) = mpsc::channel();
        let bitten = Arc::new(AtomicBool::new(false));
        let mark = Arc::clone(&bitten);
        let watch = move || {
            if calls.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                mark.store(true, Ordering::Release);
                killer.kill();
            }
        };
        std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(watch)
            .expect("a process can start a thread");
        Self {
            bitten,
            _called_off: called_off,
        }
    }

    pub(crate) fn has_bitten(&self) -> bool {
        self.bitten.load(Ordering::Acquire)
    }
}
