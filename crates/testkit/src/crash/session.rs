//! One session: a connector is served over pipes, and a runtime that keeps its state in memory applies what it sends.

use std::io::{BufRead, BufReader, PipeWriter, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use staunch_state::{Node, Object, StateUpdate};

use super::stub::{Script, Stub};

/// How long a session may take on a busy machine, and its end again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines that may wait to be looked at.
const QUEUED_LINES: usize = 64;

/// When the conversation is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Never,
    /// After so many boundaries.
    After(usize),
}

/// What became of a session.
#[derive(Debug)]
pub(super) struct Session {
    /// The state that is durable.
    pub(super) committed: Node,
    /// Messages in either direction, and commits.
    pub(super) boundaries: usize,
    /// Messages of the connector.
    pub(super) lines: usize,
    /// The update of the migration, if it was committed.
    pub(super) migration: Option<String>,
    /// Functions that were started although a migration was not durable yet.
    pub(super) started_early: usize,
    /// What the connector ended with.
    pub(super) error: Option<String>,
}

/// What the runtime knows of the conversation.
struct Conversation {
    session: Session,
    cut: Cut,
    /// Whether `Opened` asked for acknowledgements: the next checkpoint is that of the migration.
    awaits_migration: bool,
    is_acknowledging: bool,
}

/// Serves a connector until it has done what it is to do, or until the cut.
///
/// An error says that it took longer than [`PATIENCE`], or what could not be understood.
pub(super) fn run(script: Arc<Script>, state: &Node, cut: Cut) -> Result<Session, String> {
    let piped = || std::io::pipe().map_err(|error| format!("no pipe can be had: {error}"));
    let ((requests, mut input), (responses, out)) = (piped()?, piped()?);
    let (ended, outcome) = sync_channel(1);
    let stub = Stub(Arc::clone(&script));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let served = runtime
            .map_err(|error| error.to_string())
            .and_then(|runtime| {
                staunch::silence();
                let served = runtime.block_on(staunch::serve(&stub, requests, Box::new(out)));
                served.map_err(|error| error.to_string())
            });
        let _ = ended.send(served); // Nobody may have the patience to hear it.
    });
    let (line, lines) = sync_channel(QUEUED_LINES);
    std::thread::spawn(move || {
        for text in BufReader::new(responses).lines() {
            let Ok(text) = text else { return };
            if line.send(text).is_err() {
                return; // Cut: nobody reads any more, and the pipe closes.
            }
        }
    });
    let mut conversation = Conversation {
        session: Session {
            committed: state.clone(),
            boundaries: 0,
            lines: 0,
            migration: None,
            started_early: 0,
            error: None,
        },
        cut,
        awaits_migration: false,
        is_acknowledging: false,
    };
    let spoken = conversation.speak(&script, &mut input, &lines);
    drop(input);
    drop(lines);
    let outcome = outcome.recv_timeout(PATIENCE);
    spoken?;
    let mut session = conversation.session;
    if conversation.awaits_migration {
        session.started_early = script.started();
    }
    match outcome {
        Ok(Ok(())) => Ok(session),
        Ok(Err(error)) => {
            session.error = Some(error);
            Ok(session)
        }
        Err(RecvTimeoutError::Timeout) => Err(format!(
            "the connector does not end within {} s",
            PATIENCE.as_secs()
        )),
        Err(RecvTimeoutError::Disconnected) => Err("the connector panics".to_owned()),
    }
}

/// Whether the conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl Conversation {
    fn speak(
        &mut self,
        script: &Script,
        input: &mut PipeWriter,
        lines: &Receiver<String>,
    ) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        let mut next = self.send(input, &open(script, &self.session.committed));
        while next == Next::GoOn
            && !(self.session.lines > 0
                && !self.awaits_migration
                && script.is_done(&self.session.committed))
        {
            let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return Ok(()), // It has ended: its outcome is looked at.
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "the capture has not come to its end within {} s",
                        PATIENCE.as_secs()
                    ));
                }
            };
            let message = Node::parse(&line)
                .map_err(|error| format!("the connector writes no JSON: {error}"))?;
            next = self.hear(script, input, &message)?;
        }
        Ok(())
    }

    fn hear(
        &mut self,
        script: &Script,
        input: &mut PipeWriter,
        message: &Node,
    ) -> Result<Next, String> {
        self.session.lines += 1;
        if self.boundary() == Next::End {
            return Ok(Next::End);
        }
        if let Some(opened) = message.pointer("/opened") {
            let asks = opened.pointer("/explicitAcknowledgements");
            self.is_acknowledging = asks
                .and_then(|node| node.as_leaf()?.as_bool())
                .unwrap_or(false);
            self.awaits_migration = self.is_acknowledging;
            return Ok(Next::GoOn);
        }
        let Some(state) = message.pointer("/checkpoint/state") else {
            if self.awaits_migration {
                return Err(
                    "something is written before the checkpoint of the migration".to_owned(),
                );
            }
            return Ok(Next::GoOn);
        };
        let updated = state
            .pointer("/updated")
            .map(Node::to_json)
            .unwrap_or_default();
        let merges = state
            .pointer("/mergePatch")
            .and_then(|node| node.as_leaf()?.as_bool())
            .unwrap_or(false);
        let update = StateUpdate::from_wire(&updated, merges)
            .map_err(|error| format!("an update cannot be read: {error}"))?;
        let before = std::mem::replace(&mut self.session.committed, Node::Null);
        self.session.committed = update.apply(before);
        if self.awaits_migration {
            self.session.migration = Some(updated);
            self.session.started_early = script.started();
        }
        if self.boundary() == Next::End || !self.is_acknowledging {
            return Ok(self.until_cut());
        }
        self.awaits_migration = false;
        Ok(self.send(input, r#"{"acknowledge":{"checkpoints":1}}"#))
    }

    fn send(&mut self, input: &mut PipeWriter, message: &str) -> Next {
        let _ = writeln!(input, "{message}"); // It may have ended: its outcome is looked at.
        self.boundary()
    }

    fn boundary(&mut self) -> Next {
        self.session.boundaries += 1;
        self.until_cut()
    }

    fn until_cut(&self) -> Next {
        match self.cut {
            Cut::After(boundary) if self.session.boundaries >= boundary => Next::End,
            _ => Next::GoOn,
        }
    }
}

/// The request that opens a capture of all resources with this state.
fn open(script: &Script, state: &Node) -> String {
    let binding = |name: &str| {
        let name = Node::string(name);
        Node::Object(Object::from_iter([
            (
                "resourceConfig",
                Node::Object(Object::from_iter([("name", name.clone())])),
            ),
            ("resourcePath", Node::array([name.clone()])),
            (
                "collection",
                Node::Object(Object::from_iter([
                    ("name", Node::string("testkit/documents")),
                    ("key", Node::strings(super::stub::KEY)),
                    ("writeSchema", Node::Object(Object::new())),
                ])),
            ),
            ("stateKey", name),
        ]))
    };
    let bindings = |is_active| Node::array(script.names(is_active).map(binding));
    format!(
        r#"{{"open":{{"capture":{{"name":"testkit/capture","connectorType":"LOCAL","config":{{}},"intervalSeconds":1,"bindings":{},"inactiveBindings":{}}},"version":"1","range":{{}},"state":{state}}}}}"#,
        bindings(true),
        bindings(false)
    )
}
