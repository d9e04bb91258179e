//! Watching what a connector does with a state that cannot say what it would do.
//!
//! It is opened on a copy of the state, and what it captures is thrown away. Nothing is applied and nothing acknowledged: the source may
//! take an acknowledgement for leave to forget. It does read from the source, so a person has to ask for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use staunch_protocol::flow::RangeSpec;
use staunch_protocol::{RawValue, Request, Response, request};
use staunch_state::{Consent, Node, StateUpdate};

use crate::catalog::Capture;
use crate::catalog::spec::{capture_spec, inactive_bindings, validate_request};
use crate::conversation::{self, Conversation, EXIT_PATIENCE, Watchdog};
use crate::edit::{Changed, Proposal};
use crate::error::{ConnectorError, RunError};
use crate::inspect;
use crate::process::LogSink;
use crate::project::Project;
use crate::run::parse_state;

/// How long a connector may take to open the capture; only then is it watched.
const OPEN_PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Checkpoints after which enough was seen.
const CHECKPOINTS: u64 = 10;

/// What a connector was seen to do with a copy of a state.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// The revision of the state.
    pub revision: u64,
    /// The connector.
    pub connector: String,
    /// For how long it was watched once it had opened the capture.
    pub seconds: f64,
    /// Why not longer: `time`, `checkpoints` or `exited`.
    pub ended: String,
    /// Checkpoints that it made.
    pub checkpoints: u64,
    /// Documents that it captured before the first of them, and in all.
    pub documents_first: u64,
    /// Those in all.
    pub documents: u64,
    /// Bindings of which it captured any: how many documents of each.
    pub bindings: Vec<ObservedBinding>,
    /// Whether it asked for acknowledgements, which it did not get.
    pub wants_acknowledgements: bool,
    /// What its first checkpoint makes of the state, and what that means.
    pub first: Seen,
    /// What the last made of it.
    pub last: Seen,
}

/// What was captured of a binding.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedBinding {
    /// The binding's state key.
    pub state_key: String,
    /// How many documents.
    pub documents: u64,
}

/// How a state was seen to change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Every binding whose state changes.
    pub changed: Vec<Changed>,
    /// What makes it of the state before: JSON.
    pub update: Box<RawValue>,
}

impl Observed {
    /// What a person has to consent to by name: what would lose data, or read it again. That nobody can tell what a change means is no
    /// longer so: it was seen, and is shown.
    #[must_use]
    pub fn needed(&self) -> Vec<Consent> {
        let mut needed = Vec::new();
        // Where it captured before its first checkpoint, its cursors have moved on: that is no data missed.
        let has_captured = self.documents_first > 0;
        for (changed, has_captured) in [(&self.first, has_captured), (&self.last, true)]
            .into_iter()
            .flat_map(|(seen, captured)| seen.changed.iter().map(move |c| (c, captured)))
        {
            let kind = match changed.needs {
                Some(staunch_state::ConsentKind::Unknown) | None => continue,
                Some(staunch_state::ConsentKind::Skip) if has_captured => continue,
                Some(kind) => kind,
            };
            let consent = Consent {
                kind,
                state_key: changed.state_key.clone(),
            };
            if !needed.contains(&consent) {
                needed.push(consent);
            }
        }
        needed
    }
}

/// Opens a capture with a connector on a copy of its state for `time`, and tells what that did. It reads from the source.
///
/// # Errors
/// When the connector fails. Nothing was changed.
pub fn observe(
    project: &Project,
    capture: &Capture,
    to: Option<&[String]>,
    time: Duration,
    log: LogSink,
) -> Result<Observed, RunError> {
    let command = project.command_with(capture, to)?;
    let stored = inspect::state(project, capture)?;
    let (revision, state) = match stored {
        None => (0, Node::Object(Default::default())),
        Some(stored) => (stored.revision, parse_state(capture, &stored.state)?),
    };
    let request = validate_request(capture, &project.catalog, None)?;
    let (about, paths) = conversation::validate(&command, request, Arc::clone(&log))?;
    let mut spec = capture_spec(capture, &project.catalog, &paths)?;
    spec.inactive_bindings =
        inactive_bindings(capture, &project.catalog, &about.resource_path_pointers);
    let keys: Vec<String> = spec.bindings.iter().map(|b| b.state_key.clone()).collect();
    let version = command.version();
    let (mut conversation, _) = Conversation::begin(&command, log)?;
    let open = Request::Open(request::Open {
        capture: spec,
        version: version.clone(),
        range: RangeSpec::full(),
        state: RawValue::from_string(state.to_json()).expect("a state is valid JSON"),
    });
    let opened = conversation.ask(&open, OPEN_PATIENCE)?;
    let wants_acknowledgements =
        matches!(opened, Response::Opened(opened) if opened.explicit_acknowledgements);
    let mut look = Look {
        state: state.clone(),
        first: None,
        checkpoints: 0,
        documents: vec![0; keys.len()],
        documents_first: 0,
    };
    let began = Instant::now();
    let ended = look.watch(&mut conversation, time)?;
    let seen = |after: Node| {
        let proposal = Proposal::between(&state, after);
        Seen {
            update: RawValue::from_string(proposal.update()).expect("an update is JSON"),
            changed: proposal.changed,
        }
    };
    let first = look.first.take().unwrap_or_else(|| state.clone());
    let captured = keys.into_iter().zip(&look.documents);
    Ok(Observed {
        revision,
        connector: version,
        seconds: began.elapsed().as_millis() as f64 / 1e3,
        ended: ended.to_owned(),
        checkpoints: look.checkpoints,
        documents_first: look.documents_first,
        documents: look.documents.iter().sum(),
        bindings: captured
            .filter(|(_, documents)| **documents > 0)
            .map(|(state_key, documents)| ObservedBinding {
                state_key,
                documents: *documents,
            })
            .collect(),
        wants_acknowledgements,
        first: seen(first),
        last: seen(look.state),
    })
}

/// What was seen so far.
struct Look {
    state: Node,
    /// The state after the first checkpoint.
    first: Option<Node>,
    checkpoints: u64,
    documents: Vec<u64>,
    documents_first: u64,
}

impl Look {
    /// Watches until there is reason to stop, and says which.
    fn watch(
        &mut self,
        conversation: &mut Conversation,
        time: Duration,
    ) -> Result<&'static str, RunError> {
        let Conversation {
            program,
            messages,
            lifecycle,
            connector,
        } = conversation;
        let watchdog = Watchdog::start(connector.killer(), time);
        let codec = messages.codec();
        let protocol = |source| ConnectorError::Protocol {
            program: program.clone(),
            source,
        };
        while self.checkpoints < CHECKPOINTS {
            let message = match messages.next_message() {
                Ok(Some(message)) => message,
                _ if watchdog.has_bitten() => return Ok("time"),
                Ok(None) => {
                    let status = connector.wait(EXIT_PATIENCE)?;
                    if let Some(failure) = connector.failure(status) {
                        return Err(failure.into());
                    }
                    lifecycle.finish().map_err(protocol)?;
                    return Ok("exited");
                }
                Err(source) => return Err(connector.frame_failure(source).into()),
            };
            let response = codec
                .decode_response(message)
                .map_err(|source| ConnectorError::garbage(program, codec, message, source))?;
            lifecycle.response(&response).map_err(protocol)?;
            match response {
                Response::Captured(captured) => self.documents[captured.binding as usize] += 1,
                Response::Checkpoint(checkpoint) => {
                    if let Some(update) = checkpoint.state {
                        let update =
                            StateUpdate::from_wire(update.updated.get(), update.merge_patch)
                                .map_err(|source| ConnectorError::State {
                                    program: program.clone(),
                                    source,
                                })?;
                        self.state = update.apply(std::mem::replace(&mut self.state, Node::Null));
                    }
                    self.checkpoints += 1;
                    if self.first.is_none() {
                        self.first = Some(self.state.clone());
                        self.documents_first = self.documents.iter().sum();
                    }
                }
                _ => {}
            }
        }
        connector.killer().kill();
        Ok("checkpoints")
    }
}
