//! A capture in a test: a connector is served in this process, and its documents and its state are looked at.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, PipeWriter, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use staunch::Connector;
use staunch_state::{Node, StateUpdate};

/// How long a run may take on a busy machine, and its end again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines that may wait to be looked at.
const QUEUED_LINES: usize = 64;

/// A capture by a connector that is served in this process, for as many runs as a test wants.
///
/// Each run is a session: it opens with the state that the last one left, so that a second run is a restart. What a sequence holds is
/// committed when its checkpoint comes, and acknowledged if the capture asks for it; what has no checkpoint is forgotten, as a runtime
/// forgets it.
///
/// ```
/// # use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Resource};
/// # struct Counter;
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Config { limit: u64 }
/// # impl Connector for Counter {
/// #     type Config = Config;
/// #     const DOCUMENTATION_URL: &'static str = "https://example.com/counter";
/// #     async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
/// #         let limit = config.limit;
/// #         let state = staunch::state::Node::parse(r#"{"inc":{"cursor":0}}"#)?;
/// #         Ok(vec![Resource::new("numbers").key(["/n"]).initial_state(state)
/// #             .incremental(move |cursor, emit| count(limit, cursor, emit))])
/// #     }
/// # }
/// # async fn count(limit: u64, cursor: Cursor, mut emit: Changes) -> FetchResult {
/// #     let n = cursor.as_u64().ok_or("the cursor is a number")? + 1;
/// #     if n <= limit {
/// #         emit.document(&serde_json::json!({ "n": n }))?;
/// #         emit.checkpoint(Cursor::integer(n)).await?;
/// #     }
/// #     Ok(())
/// # }
/// use serde_json::json;
/// use staunch_testkit::Capture;
///
/// let mut capture = Capture::new(Counter).config(json!({ "limit": 3 })).bind("numbers");
/// let seen = capture.run_until(|seen| seen.documents("numbers").len() == 3)?;
/// assert_eq!(seen.documents("numbers")[2], json!({ "n": 3 }));
/// assert_eq!(capture.state()["bindingStateV1"]["numbers"]["inc"], json!({ "cursor": 3 }));
/// # Ok::<(), staunch_testkit::CaptureFailure>(())
/// ```
#[must_use]
pub struct Capture<C> {
    pub(crate) connector: Arc<C>,
    config: Value,
    bindings: Vec<Value>,
    names: Vec<String>,
    state: Node,
}

/// What a run has committed so far.
#[derive(Debug, Default)]
pub struct Seen {
    documents: BTreeMap<String, Vec<Value>>,
    checkpoints: usize,
}

impl Seen {
    /// The documents of a resource, in the order in which they were captured.
    #[must_use]
    pub fn documents(&self, resource: &str) -> &[Value] {
        self.documents.get(resource).map_or(&[], Vec::as_slice)
    }

    /// How many checkpoints there were.
    #[must_use]
    pub fn checkpoints(&self) -> usize {
        self.checkpoints
    }
}

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureFailure {
    /// The connector ended with an error.
    #[error("the connector failed: {0}")]
    Connector(String),
    /// The connector ended, and what was waited for had not come.
    #[error("the connector ended before what was waited for came; it committed {0} checkpoints")]
    Ended(usize),
    /// What was waited for did not come, or the connector did not end.
    #[error(
        "{what} within {} s; {checkpoints} checkpoints were committed",
        PATIENCE.as_secs()
    )]
    Slow {
        /// What did not happen.
        what: &'static str,
        /// How many checkpoints there were until then.
        checkpoints: usize,
    },
    /// The connector wrote something that is not its protocol, or broke it.
    #[error("the connector's output is not understood: {0}")]
    Output(String),
}

impl<C: Connector> Capture<C> {
    /// A capture with the config `{}`, no bindings, and no state.
    pub fn new(connector: C) -> Self {
        Self {
            connector: Arc::new(connector),
            config: json!({}),
            bindings: Vec::new(),
            names: Vec::new(),
            state: Node::Object(Default::default()),
        }
    }

    /// Its endpoint config.
    pub fn config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// Binds a resource, whose state key is its name.
    pub fn bind(self, resource: &str) -> Self {
        self.bind_with(json!({ "name": resource }))
    }

    /// Binds a resource with this configuration of the binding: its `name`, and any of `interval` and `schedule`.
    ///
    /// # Panics
    /// When it has no `name`.
    pub fn bind_with(mut self, resource_config: Value) -> Self {
        let name = resource_config["name"]
            .as_str()
            .expect("a resource config has a `name`")
            .to_owned();
        let key = staunch_protocol::state_key(std::slice::from_ref(&name), 0);
        self.bindings.push(json!({
            "resourceConfig": resource_config,
            "resourcePath": [name],
            "collection": { "name": format!("test/{name}"), "key": ["/_meta/row_id"], "writeSchema": { "type": "object" } },
            "stateKey": key,
        }));
        self.names.push(name);
        self
    }

    /// The key of the collection that was bound last. By default it is that of a snapshot's rows, `/_meta/row_id`, which those of
    /// subtasks must have more than.
    ///
    /// # Panics
    /// When nothing is bound.
    pub fn keyed<'a>(mut self, key: impl IntoIterator<Item = &'a str>) -> Self {
        let binding = self.bindings.last_mut().expect("a resource is bound");
        binding["collection"]["key"] = key.into_iter().collect();
        self
    }

    /// The connector state that the first run opens with.
    ///
    /// # Panics
    /// When it is no object.
    pub fn with_state(mut self, state: Value) -> Self {
        assert!(state.is_object(), "a connector state is an object");
        self.state = Node::parse(&state.to_string()).expect("a JSON value is a state");
        self
    }

    /// The connector state as the last run left it.
    #[must_use]
    pub fn state(&self) -> Value {
        serde_json::from_str(&self.state.to_json()).expect("a state is JSON")
    }

    /// Runs a session until what it has committed is enough, and then lets it end as a runtime would: its input ends, what runs
    /// finishes. Answers with all that was committed.
    ///
    /// # Errors
    /// [`CaptureFailure`]. What was committed until then is in the [state](Self::state).
    pub fn run_until(
        &mut self,
        mut is_enough: impl FnMut(&Seen) -> bool,
    ) -> Result<Seen, CaptureFailure> {
        self.run(Some(&mut is_enough))
    }

    /// Runs a session until it ends by itself.
    ///
    /// # Errors
    /// [`CaptureFailure`]. What was committed until then is in the [state](Self::state).
    pub fn run_to_end(&mut self) -> Result<Seen, CaptureFailure> {
        self.run(None)
    }

    fn run(
        &mut self,
        mut is_enough: Option<&mut dyn FnMut(&Seen) -> bool>,
    ) -> Result<Seen, CaptureFailure> {
        let mut session = Session::start(&self.connector)?;
        session.send(&self.open());
        let mut committing = Committing::default();
        while let Some(line) = session.next(committing.seen.checkpoints)? {
            if let Some(answer) = committing.message(line.as_bytes(), self)? {
                session.send(&answer);
            }
            let seen = &committing.seen;
            if is_enough.as_mut().is_some_and(|is_enough| is_enough(seen)) {
                is_enough = None;
                session.close_input();
            }
        }
        let seen = committing.seen;
        session.outcome(seen.checkpoints)?;
        match is_enough {
            Some(_) => Err(CaptureFailure::Ended(seen.checkpoints)),
            None => Ok(seen),
        }
    }

    /// The request that opens it.
    pub(crate) fn open(&self) -> Value {
        json!({ "open": {
            "capture": { "name": "test/capture", "connectorType": "LOCAL", "config": self.config, "bindings": self.bindings },
            "version": "test",
            "state": self.state(),
        } })
    }
}

/// What a run says, of which whole sequences are committed.
#[derive(Default)]
pub(crate) struct Committing {
    pub(crate) seen: Seen,
    /// Documents that wait for their checkpoint.
    sequence: Vec<(usize, Value)>,
    is_acknowledging: bool,
}

impl Committing {
    /// Takes the next message, and says what is to be answered to it, if anything.
    pub(crate) fn message<C>(
        &mut self,
        message: &[u8],
        capture: &mut Capture<C>,
    ) -> Result<Option<Value>, CaptureFailure> {
        let output = |problem: String| CaptureFailure::Output(problem);
        let message: Value =
            serde_json::from_slice(message).map_err(|error| output(error.to_string()))?;
        if let Some(captured) = message.get("captured") {
            let binding = captured["binding"].as_u64().unwrap_or_default() as usize;
            if binding >= capture.names.len() {
                return Err(output(format!("there is no binding {binding}")));
            }
            self.sequence.push((binding, captured["doc"].clone()));
        } else if let Some(opened) = message.get("opened") {
            self.is_acknowledging = opened["explicitAcknowledgements"] == json!(true);
        } else if let Some(checkpoint) = message.get("checkpoint") {
            commit(&mut capture.state, &checkpoint["state"]).map_err(output)?;
            for (binding, document) in self.sequence.drain(..) {
                let of_binding = self.seen.documents.entry(capture.names[binding].clone());
                of_binding.or_default().push(document);
            }
            self.seen.checkpoints += 1;
            let acknowledge = || json!({ "acknowledge": { "checkpoints": 1 } });
            return Ok(self.is_acknowledging.then(acknowledge));
        }
        Ok(None)
    }
}

fn commit(state: &mut Node, update: &Value) -> Result<(), String> {
    let Some(updated) = update.get("updated") else {
        return Ok(()); // A checkpoint without a state leaves it alone.
    };
    let updated = Node::parse(&updated.to_string()).map_err(|error| error.to_string())?;
    let update = match update["mergePatch"] == json!(true) {
        true => StateUpdate::merge(updated),
        false => StateUpdate::replace(updated),
    };
    *state = update.apply(std::mem::replace(state, Node::Null));
    Ok(())
}

/// A connector that is being served, from the runtime's side.
struct Session {
    input: Option<PipeWriter>,
    lines: Receiver<String>,
    outcome: Receiver<Result<(), String>>,
    deadline: Instant,
}

impl Session {
    fn start<C: Connector>(connector: &Arc<C>) -> Result<Self, CaptureFailure> {
        let piped = || {
            std::io::pipe()
                .map_err(|error| CaptureFailure::Output(format!("no pipe can be had: {error}")))
        };
        let ((requests, input), (responses, out)) = (piped()?, piped()?);
        let (ended, outcome) = sync_channel(1);
        let connector = Arc::clone(connector);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let served = runtime
                .map_err(|error| error.to_string())
                .and_then(|runtime| {
                    let served =
                        runtime.block_on(staunch::serve(&*connector, requests, Box::new(out)));
                    served.map_err(|error| error.to_string())
                });
            let _ = ended.send(served); // Nobody may have the patience to hear it.
        });
        let (line, lines) = sync_channel(QUEUED_LINES);
        std::thread::spawn(move || {
            for text in BufReader::new(responses).lines().map_while(Result::ok) {
                if line.send(text).is_err() {
                    return; // Nobody looks any more, and the pipe closes.
                }
            }
        });
        Ok(Self {
            input: Some(input),
            lines,
            outcome,
            deadline: Instant::now() + PATIENCE,
        })
    }

    fn send(&mut self, request: &Value) {
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{request}"); // It may have ended: then its outcome is looked at.
        }
    }

    fn close_input(&mut self) {
        self.input = None;
    }

    /// The next line, or none when the connector's output has ended.
    fn next(&mut self, checkpoints: usize) -> Result<Option<String>, CaptureFailure> {
        let patience = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                let what = match self.input {
                    Some(_) => "what was waited for did not come",
                    None => "the connector did not end",
                };
                Err(CaptureFailure::Slow { what, checkpoints })
            }
        }
    }

    fn outcome(self, checkpoints: usize) -> Result<(), CaptureFailure> {
        match self.outcome.recv_timeout(PATIENCE) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(CaptureFailure::Connector(error)),
            Err(RecvTimeoutError::Disconnected) => {
                Err(CaptureFailure::Connector("it panicked".to_owned()))
            }
            Err(RecvTimeoutError::Timeout) => Err(CaptureFailure::Slow {
                what: "the connector did not end",
                checkpoints,
            }),
        }
    }
}
