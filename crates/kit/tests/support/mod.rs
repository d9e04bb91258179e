//! A connector made of closures, and the runtime's end of its pipes. Each test binary needs a part of it.

#![allow(dead_code)]

pub(crate) mod process;

use std::io::{BufRead, BufReader, PipeWriter, Write};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use staunch::state::{Chain, Node, StateUpdate};
use staunch::{BoxError, Connector, Migrating, Migration, Resource};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

type Hook = dyn Fn(&Migrating<'_, Config>) -> Result<Migration, BoxError> + Send + Sync;

/// Waits until something is so, which other threads bring about.
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it is still not so that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A connector made of closures.
pub(crate) struct Scripted {
    resources: Box<dyn Fn() -> Vec<Resource> + Send + Sync>,
    chain: Box<dyn Fn() -> Chain + Send + Sync>,
    hook: Option<Box<Hook>>,
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Config {
    /// Whose data it is.
    #[serde(default)]
    pub(crate) tenant: String,
}

impl Scripted {
    pub(crate) fn new(resources: impl Fn() -> Vec<Resource> + Send + Sync + 'static) -> Self {
        Self {
            resources: Box::new(resources),
            chain: Box::new(Chain::new),
            hook: None,
        }
    }

    pub(crate) fn migrating(mut self, chain: impl Fn() -> Chain + Send + Sync + 'static) -> Self {
        self.chain = Box::new(chain);
        self
    }

    pub(crate) fn hooked<F>(mut self, hook: F) -> Self
    where
        F: Fn(&Migrating<'_, Config>) -> Result<Migration, BoxError> + Send + Sync + 'static,
    {
        self.hook = Some(Box::new(hook));
        self
    }
}

impl Connector for Scripted {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/scripted";

    async fn resources(&self, _: &Config) -> Result<Vec<Resource>, BoxError> {
        Ok((self.resources)())
    }

    fn migrations(&self, _: &Config) -> Chain {
        (self.chain)()
    }

    async fn migrate_state(
        &self,
        migrating: &Migrating<'_, Config>,
    ) -> Result<Migration, BoxError> {
        match &self.hook {
            Some(hook) => hook(migrating),
            None => Ok(migrating.run(&self.migrations(migrating.config))?),
        }
    }
}

/// Holds a connector's output back, and then lets it through byte by byte.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

struct Trickle {
    gate: Gate,
    out: PipeWriter,
}

impl Write for Trickle {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let (is_open, opened) = &*self.gate.0;
        drop(opened.wait_while(is_open.lock().unwrap(), |is_open| !*is_open));
        self.out.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// A connector that is being served, from the runtime's side.
pub(crate) struct Capture {
    input: Option<PipeWriter>,
    output: mpsc::Receiver<Value>,
    lines: Vec<Value>,
    served: JoinHandle<Result<(), String>>,
}

impl Capture {
    fn serve(connector: Scripted) -> Self {
        Self::serve_through(connector, |out| Box::new(out))
    }

    fn serve_through(
        connector: Scripted,
        through: impl FnOnce(PipeWriter) -> Box<dyn Write + Send>,
    ) -> Self {
        let (requests, input) = std::io::pipe().unwrap();
        let (responses, out) = std::io::pipe().unwrap();
        let out = through(out);
        let served = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let served = runtime.block_on(staunch::serve(&connector, requests, out));
            served.map_err(|error| error.to_string())
        });
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(responses).lines() {
                let line = line.expect("the connector writes lines");
                let _ = sender.send(serde_json::from_str(&line).expect("each line is a message"));
            }
        });
        Self {
            input: Some(input),
            output,
            lines: Vec::new(),
            served,
        }
    }

    /// Serves requests until their end.
    pub(crate) fn run(connector: Scripted, requests: &[Value]) -> Result<Vec<Value>, String> {
        let lines: String = requests
            .iter()
            .map(|request| format!("{request}\n"))
            .collect();
        Self::run_lines(connector, &lines)
    }

    pub(crate) fn run_lines(connector: Scripted, lines: &str) -> Result<Vec<Value>, String> {
        let mut capture = Self::serve(connector);
        let _ = capture.input.as_mut().unwrap().write_all(lines.as_bytes());
        capture.stop()
    }

    /// Opens a capture.
    pub(crate) fn open(connector: Scripted, open: impl std::fmt::Display) -> Self {
        let mut capture = Self::serve(connector);
        capture.send(&open);
        capture
    }

    /// Opens a capture whose output goes nowhere until the gate is opened, and then slowly.
    pub(crate) fn open_slowly(connector: Scripted, open: &Value) -> (Self, Gate) {
        let gate = Gate::default();
        let trickle = gate.clone();
        let mut capture =
            Self::serve_through(connector, |out| Box::new(Trickle { gate: trickle, out }));
        capture.send(open);
        (capture, gate)
    }

    /// Asserts that nothing comes out for `time`.
    pub(crate) fn is_quiet(&mut self, time: Duration) {
        if let Ok(line) = self.output.recv_timeout(time) {
            panic!("{line} after {:#?}", self.lines);
        }
    }

    pub(crate) fn send(&mut self, request: &impl std::fmt::Display) {
        let input = self.input.as_mut().expect("the input is open");
        let _ = writeln!(input, "{request}"); // It may have ended: then its error is looked at.
    }

    /// All output so far, once it is enough.
    pub(crate) fn until(&mut self, is_enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        while !is_enough(&self.lines) {
            match self
                .output
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.lines.push(line),
                Err(error) => panic!("{error} after {:#?}", self.lines),
            }
        }
        self.lines.clone()
    }

    /// All output so far, once there was none for `time`.
    pub(crate) fn until_quiet(&mut self, time: Duration) -> Vec<Value> {
        self.until(|lines| !lines.is_empty());
        while let Ok(line) = self.output.recv_timeout(time) {
            self.lines.push(line);
        }
        self.lines.clone()
    }

    /// Ends the input, and takes what is left of the output.
    pub(crate) fn stop(mut self) -> Result<Vec<Value>, String> {
        self.input = None;
        let (lines, result) = self.join();
        result.map(|()| lines)
    }

    /// Takes what is left of the output, and what became of the connector.
    pub(crate) fn join(mut self) -> (Vec<Value>, Result<(), String>) {
        let result = self.served.join().expect("the connector does not panic");
        self.lines.extend(self.output.iter());
        (self.lines, result)
    }
}

pub(crate) fn collection(name: &str, key: &[&str]) -> Value {
    json!({"name": name, "key": key, "writeSchema": {"type": "object"}})
}

pub(crate) fn binding(name: &str) -> Value {
    json!({
        "resourceConfig": {"name": name},
        "resourcePath": [name],
        "collection": collection(&format!("a/{name}"), &["/id"]),
        "stateKey": name,
    })
}

pub(crate) fn open(bindings: &[Value], state: Value) -> Value {
    json!({"open": {
        "capture": {"name": "a/capture", "connectorType": "LOCAL", "config": {}, "intervalSeconds": 1, "bindings": bindings},
        "version": "1",
        "range": {"keyEnd": u32::MAX, "rClockEnd": u32::MAX},
        "state": state,
    }})
}

/// A request to open the capture with this config, with the state's text as it is.
pub(crate) fn open_with(config: Value, bindings: &[Value], state: &str) -> String {
    const HERE: &str = "the state's text";
    let mut request = open(bindings, json!(HERE));
    request["open"]["capture"]["config"] = config;
    request.to_string().replace(&format!("\"{HERE}\""), state)
}

/// The text of a checkpoint's update, and whether it is a merge patch.
pub(crate) fn update_of(line: &str) -> (String, bool) {
    #[derive(serde::Deserialize)]
    struct Line {
        checkpoint: Checkpoint,
    }
    #[derive(serde::Deserialize)]
    struct Checkpoint {
        state: State,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct State {
        updated: Box<RawValue>,
        #[serde(default)]
        merge_patch: bool,
    }
    let Line { checkpoint } = serde_json::from_str(line).expect("the line is a checkpoint");
    let State {
        updated,
        merge_patch,
    } = checkpoint.state;
    (updated.get().to_owned(), merge_patch)
}

pub(crate) fn kind(line: &Value) -> &str {
    line.as_object()
        .and_then(|line| line.keys().next())
        .map_or("", String::as_str)
}

pub(crate) fn docs(lines: &[Value]) -> Vec<Value> {
    lines
        .iter()
        .filter_map(|line| line.pointer("/captured/doc").cloned())
        .collect()
}

/// Each checkpoint's update, with the documents before it.
pub(crate) fn streams(lines: &[Value]) -> Vec<(Vec<Value>, Value)> {
    let mut streams = Vec::new();
    let mut pending = Vec::new();
    for line in lines {
        if let Some(doc) = line.pointer("/captured/doc") {
            pending.push(doc.clone());
        } else if let Some(update) = line.pointer("/checkpoint/state/updated") {
            streams.push((std::mem::take(&mut pending), update.clone()));
        }
    }
    streams
}

/// The state that all checkpoints together make.
pub(crate) fn state_of(lines: &[Value]) -> Value {
    let apply = |state: Node, (_, update): (_, Value)| {
        StateUpdate::merge(Node::from_value(&update)).apply(state)
    };
    streams(lines)
        .into_iter()
        .fold(Node::parse("{}").unwrap(), apply)
        .to_value()
}
