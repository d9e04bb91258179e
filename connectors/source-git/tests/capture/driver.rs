//! A runtime in small: it starts the connector's own binary, commits whole sequences and nothing else, and can be killed, or
//! kill, at any message.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use source_git::fixture::GitFixture;
use staunch::state::{Node, StateUpdate};
use staunch_protocol::{
    RawValue, Request, Response,
    flow::{CaptureBinding, CaptureSpec, CollectionSpec, ConnectorType, RangeSpec},
    json::{decode_response, encode_request},
    lifecycle::Lifecycle,
    request,
};

use crate::goal::Goal;

/// How long a session may take to get where it is expected to get. Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lines that may wait to be read.
const QUEUED_LINES: usize = 256;

/// The two releases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Release {
    V1,
    V2,
}

impl Release {
    fn program(self) -> &'static str {
        match self {
            Release::V1 => env!("CARGO_BIN_EXE_source-git-v1"),
            Release::V2 => env!("CARGO_BIN_EXE_source-git"),
        }
    }
}

/// What was committed of a capture, and how it is configured.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    path: PathBuf,
    page_size: u32,
    stats: bool,
    /// The connector state.
    pub(crate) state: Node,
    /// Documents of `commits`, in the order in which they were committed.
    pub(crate) commits: Vec<String>,
    /// The snapshot of `refs`, by row.
    pub(crate) rows: BTreeMap<u64, Value>,
    /// What all sessions logged.
    pub(crate) logs: Vec<String>,
}

impl Capture {
    pub(crate) fn of(repository: &Path) -> Self {
        Self {
            path: repository.to_owned(),
            page_size: 1000,
            stats: false,
            state: Node::parse("{}").unwrap(),
            commits: Vec::new(),
            rows: BTreeMap::new(),
            logs: Vec::new(),
        }
    }

    pub(crate) fn page_size(mut self, page_size: u32) -> Self {
        self.page_size = page_size;
        self
    }

    pub(crate) fn with_stats(mut self) -> Self {
        self.stats = true;
        self
    }

    /// Starts the connector with the committed state.
    pub(crate) fn start(&mut self, release: Release) -> Running<'_> {
        Running::start(self, release)
    }

    /// One session that ends in order, once everything is captured.
    pub(crate) fn settle(&mut self, release: Release, fixture: &GitFixture) {
        let mut running = self.start(release);
        running.settle(fixture);
        running.stop();
    }

    /// One session that is killed after this many messages, or ends in order if everything is captured before. True if it was killed.
    pub(crate) fn kill_after(
        &mut self,
        release: Release,
        messages: usize,
        fixture: &GitFixture,
    ) -> bool {
        let goal = Goal::of(release, fixture);
        let mut running = self.start(release);
        while running.messages.len() < messages {
            if goal.is_reached(running.capture) {
                running.stop();
                return false;
            }
            running.read();
        }
        running.kill();
        true
    }

    /// The ids captured, in the order in which they were committed.
    pub(crate) fn ids(&self) -> Vec<String> {
        let id = |document: &String| {
            let document: Value = serde_json::from_str(document).unwrap();
            document["id"].as_str().unwrap().to_owned()
        };
        self.commits.iter().map(id).collect()
    }

    /// What stands in the state of `commits`.
    pub(crate) fn of_commits(&self, pointer: &str) -> Option<&Node> {
        self.state
            .pointer(&format!("/bindingStateV1/commits{pointer}"))
    }

    /// How many warnings were logged that say this.
    pub(crate) fn warnings(&self, text: &str) -> usize {
        let says = |line: &&String| line.contains(r#""level":"warn""#) && line.contains(text);
        self.logs.iter().filter(says).count()
    }

    /// That all commits are captured that git lists, and each but once.
    #[track_caller]
    pub(crate) fn assert_exact(&self, fixture: &GitFixture, what: &str) {
        self.assert_captured(&fixture.rev_list(&["--all"]), what);
    }

    /// That these commits are captured and no others, and each but once.
    #[track_caller]
    pub(crate) fn assert_captured(&self, expected: &[String], what: &str) {
        let mut captured = self.ids();
        captured.sort_unstable();
        let expected: BTreeSet<_> = expected.iter().cloned().collect();
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(
            captured,
            expected,
            "{what}\nstate: {}",
            self.state.to_json()
        );
    }

    fn open(&self) -> Request {
        let binding = |name: &str, key: &str| CaptureBinding {
            // Polls that are due at once: tests wait for what is to come, and it is to come soon.
            resource_config: raw(&json!({ "name": name, "interval": "PT0.1S" })),
            resource_path: vec![name.to_owned()],
            collection: CollectionSpec {
                name: format!("test/{name}"),
                write_schema: raw(&json!({})),
                read_schema: None,
                key: vec![key.to_owned()],
                uuid_ptr: String::new(),
                partition_fields: Vec::new(),
                projections: Vec::new(),
                ack_template: None,
                partition_template: None,
            },
            backfill: 0,
            state_key: staunch_protocol::state_key(&[name.to_owned()], 0),
        };
        let config = json!({
            "path": self.path,
            "stats": self.stats,
            "advanced": { "page_size": self.page_size },
        });
        Request::Open(request::Open {
            capture: CaptureSpec {
                name: "test/capture".to_owned(),
                connector_type: ConnectorType::Local,
                config: raw(&config),
                bindings: vec![binding("commits", "/id"), binding("refs", "/_meta/row_id")],
                interval_seconds: 300,
                ..CaptureSpec::default()
            },
            version: "test".to_owned(),
            range: RangeSpec::full(),
            state: RawValue::from_string(self.state.to_json()).unwrap(),
        })
    }

    fn commit(&mut self, sequence: &Sequence) {
        for (binding, document) in &sequence.documents {
            match binding {
                0 => self.commits.push(document.clone()),
                _ => self.commit_row(document),
            }
        }
        let state = std::mem::replace(&mut self.state, Node::Null);
        self.state = sequence.update.apply(state);
    }

    fn commit_row(&mut self, document: &str) {
        let row: Value = serde_json::from_str(document).unwrap();
        let id = row["_meta"]["row_id"].as_u64().unwrap();
        let was = match row["_meta"]["op"].as_str().unwrap() {
            "d" => self.rows.remove(&id).is_some(),
            _ => self.rows.insert(id, row.clone()).is_some(),
        };
        assert_eq!(was, row["_meta"]["op"] != "c", "{document}");
    }
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

/// What one checkpoint commits.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) documents: Vec<(u32, String)>,
    pub(crate) update: StateUpdate,
    /// The update as it came.
    pub(crate) text: String,
}

/// A message, as far as a runtime cares.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Spec,
    Opened { explicit_acknowledgements: bool },
    Captured,
    Checkpoint(Sequence),
}

/// A connector's process, and the capture that it is to get on with. Killed if it is dropped.
pub(crate) struct Running<'a> {
    pub(crate) capture: &'a mut Capture,
    /// All messages so far.
    pub(crate) messages: Vec<Message>,
    /// Whether checkpoints are acknowledged, if that is asked for.
    pub(crate) acknowledges: bool,
    release: Release,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    logs: Option<JoinHandle<Vec<String>>>,
    lifecycle: Lifecycle,
    documents: Vec<(u32, String)>,
}

impl<'a> Running<'a> {
    fn start(capture: &'a mut Capture, release: Release) -> Self {
        let mut child = Command::new(release.program())
            .env("LOG_FORMAT", "json")
            .env("LOG_LEVEL", "info")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, lines) = sync_channel(QUEUED_LINES);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                // Of a killed process the last line may be half a line, and nobody waits for it.
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let logs = std::thread::spawn(move || {
            BufReader::new(stderr)
                .lines()
                .map_while(Result::ok)
                .collect()
        });
        let open = capture.open();
        let mut this = Self {
            stdin: child.stdin.take(),
            capture,
            messages: Vec::new(),
            acknowledges: true,
            release,
            child,
            lines,
            logs: Some(logs),
            lifecycle: Lifecycle::new(),
            documents: Vec::new(),
        };
        let spec = request::Spec {
            connector_type: ConnectorType::Local,
            ..request::Spec::default()
        };
        this.send(&Request::Spec(spec));
        this.read();
        this.send(&open);
        this
    }

    fn send(&mut self, request: &Request) {
        self.lifecycle.request(request).unwrap();
        let mut line = Vec::new();
        encode_request(request, &mut line);
        if let Some(stdin) = &mut self.stdin {
            // A connector that has ended says so on its other pipes.
            let _ = stdin.write_all(&line).and_then(|()| stdin.flush());
        }
    }

    /// Reads one message; commits, and acknowledges, if it is a checkpoint.
    pub(crate) fn read(&mut self) {
        match self.next(PATIENCE) {
            Some(Next::Message) => {}
            Some(Next::End) => self.fail("the connector ended before it was to"),
            None => self.fail("the connector says nothing more"),
        }
    }

    /// Whether nothing comes for this long.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.next(time).is_none()
    }

    fn next(&mut self, patience: Duration) -> Option<Next> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        let line = match self.lines.recv_timeout(patience) {
            Ok(line) => line,
            Err(Disconnected) => return Some(Next::End),
            Err(Timeout) => return None,
        };
        self.message(&line);
        Some(Next::Message)
    }

    fn message(&mut self, line: &str) {
        let response = decode_response(line.as_bytes()).unwrap();
        self.lifecycle.response(&response).unwrap();
        let message = match response {
            Response::Spec(_) => Message::Spec,
            Response::Opened(opened) => Message::Opened {
                explicit_acknowledgements: opened.explicit_acknowledgements,
            },
            Response::Captured(captured) => {
                self.documents
                    .push((captured.binding, captured.doc.get().to_owned()));
                Message::Captured
            }
            Response::Checkpoint(checkpoint) => {
                let state = checkpoint.state.unwrap();
                let text = state.updated.get().to_owned();
                let sequence = Sequence {
                    documents: std::mem::take(&mut self.documents),
                    update: StateUpdate::from_wire(&text, state.merge_patch).unwrap(),
                    text,
                };
                if self.acknowledges {
                    self.commit(&sequence);
                }
                Message::Checkpoint(sequence)
            }
            other => panic!("{:?} is not of this conversation", other.kind()),
        };
        self.messages.push(message);
    }

    fn commit(&mut self, sequence: &Sequence) {
        self.capture.commit(sequence);
        if self.lifecycle.wants_acknowledgements() {
            self.send(&Request::Acknowledge(request::Acknowledge {
                checkpoints: 1,
            }));
        }
    }

    /// Reads until everything is captured that the repository has now.
    pub(crate) fn settle(&mut self, fixture: &GitFixture) {
        let goal = Goal::of(self.release, fixture);
        self.until(|capture| goal.is_reached(capture));
    }

    /// Reads until this is so of what is committed.
    pub(crate) fn until(&mut self, is_so: impl Fn(&Capture) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self.capture) {
            if Instant::now() > deadline {
                self.fail("the connector does not get where it should");
            }
            self.read();
        }
    }

    /// Ends it as a runtime does, by the end of its input; commits what still comes.
    pub(crate) fn stop(mut self) {
        self.stdin = None;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.next(PATIENCE) {
                Some(Next::End) => break,
                Some(Next::Message) if Instant::now() < deadline => {}
                _ => self.fail("the connector does not end"),
            }
        }
        self.lifecycle.finish().unwrap();
        let status = self.child.wait().unwrap();
        if !status.success() {
            self.fail("the connector failed");
        }
        self.take_logs();
    }

    /// Kills it with SIGKILL. What it captured since the last checkpoint is dropped.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Waits until it ends by itself; what it was that it failed with.
    pub(crate) fn failure(mut self) -> String {
        while let Some(Next::Message) = self.next(PATIENCE) {}
        let status = self.child.wait().unwrap();
        assert!(!status.success());
        self.take_logs();
        self.capture.logs.last().cloned().unwrap_or_default()
    }

    fn end(&mut self) {
        let _ = self.child.kill(); // It may have ended by itself.
        let _ = self.child.wait();
        // A reader that waits for a place in the queue holds the pipe: let it go on.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        self.take_logs();
    }

    fn take_logs(&mut self) {
        if let Some(logs) = self.logs.take() {
            self.capture.logs.extend(logs.join().unwrap());
        }
    }

    #[track_caller]
    fn fail(&mut self, what: &str) -> ! {
        self.end();
        let tail = self.messages.len().saturating_sub(5);
        panic!(
            "{what}\nstate: {}\nmessages: {:#?}\nlogs:\n{}",
            self.capture.state.to_json(),
            &self.messages[tail..],
            self.capture.logs.join("\n"),
        );
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

enum Next {
    Message,
    End,
}
