//! The connector as a process, and a runtime that commits what it captures.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::{Value, json};

use crate::client::{self, Answer, PATIENCE};

/// Asks the connector one thing, and answers with what it said, on standard output or else as an error.
pub(crate) fn ask(request: &Value) -> Result<Value, String> {
    let mut child = command(0).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{request}").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

fn command(port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_source-webhook"));
    command
        .env("SOURCE_WEBHOOK_PORT", port.to_string())
        .env("LOG_LEVEL", "info")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What is committed, of all sessions: each document with its binding.
pub(crate) type Committed = Arc<Mutex<Vec<(usize, Value)>>>;

/// A capture that is open.
pub(crate) struct Capture {
    child: Child,
    input: Arc<Mutex<Option<ChildStdin>>>,
    reader: Option<JoinHandle<()>>,
    log_reader: Option<JoinHandle<()>>,
    logs: Arc<Mutex<Vec<Value>>>,
    pub(crate) committed: Committed,
    /// Set to hold acknowledgements back.
    pub(crate) holds: Arc<Mutex<Option<usize>>>,
    pub(crate) port: u16,
}

impl Capture {
    /// Opens a capture of all endpoints of this config.
    pub(crate) fn start(config: &Value) -> Self {
        Self::go_on(config, Committed::default(), 0)
    }

    /// As a runtime starts one anew, with what was committed before. Port zero is any.
    pub(crate) fn go_on(config: &Value, committed: Committed, port: u16) -> Self {
        let bindings = config["endpoints"].as_array().unwrap().iter().map(|endpoint| {
            let name = &endpoint["name"];
            let key = match &endpoint["key"] {
                Value::Null => json!(["/_meta/webhookId"]),
                key => key.clone(),
            };
            json!({
                "resourceConfig": { "name": name }, "resourcePath": [name], "stateKey": name,
                "collection": { "name": "a/collection", "key": key, "writeSchema": { "type": "object" } },
            })
        });
        let open = json!({ "open": {
            "capture": {
                "name": "a/capture", "connectorType": "LOCAL", "config": config, "intervalSeconds": 1,
                "bindings": bindings.collect::<Vec<_>>(),
            },
            "version": "1", "range": { "keyEnd": u32::MAX, "rClockEnd": u32::MAX }, "state": {},
        }});
        let mut child = command(port).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{open}").unwrap();
        let input = Arc::new(Mutex::new(Some(input)));
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let holds = Arc::new(Mutex::new(None));
        let (to, into, held) = (
            Arc::clone(&input),
            Arc::clone(&committed),
            Arc::clone(&holds),
        );
        let reader = std::thread::spawn(move || {
            let mut pending = Vec::new();
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let message: Value = serde_json::from_str(&line).unwrap();
                if let Some(captured) = message.get("captured") {
                    let binding = captured["binding"].as_u64().unwrap_or(0);
                    pending.push((binding as usize, captured["doc"].clone()));
                } else if message.get("checkpoint").is_some() {
                    match &mut *held.lock().unwrap() {
                        Some(count) => *count += 1, // Nothing of it is committed.
                        None => {
                            into.lock().unwrap().append(&mut pending);
                            acknowledge(&to, 1);
                        }
                    }
                }
            }
        });
        let logs = Arc::new(Mutex::new(Vec::new()));
        let of_reader = Arc::clone(&logs);
        let log_reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let record = serde_json::from_str(&line).unwrap_or_else(|_| json!(line));
                of_reader.lock().unwrap().push(record);
            }
        });
        let mut this = Self {
            child,
            input,
            reader: Some(reader),
            log_reader: Some(log_reader),
            logs,
            committed,
            holds,
            port: 0,
        };
        this.port = this.listening();
        this
    }

    fn listening(&self) -> u16 {
        let mut port = None;
        eventually("it listens", || {
            let logs = self.logs.lock().unwrap();
            let listening = logs.iter().find(|record| record["msg"] == "listening");
            port = listening.map(|record| {
                let address = record["fields"]["address"].as_str().unwrap();
                address.rsplit(':').next().unwrap().parse().unwrap()
            });
            port.is_some()
        });
        port.unwrap()
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        client::send(self.port, "POST", path, headers, body).unwrap()
    }

    /// What is committed of a binding.
    pub(crate) fn documents(&self, binding: usize) -> Vec<Value> {
        let committed = self.committed.lock().unwrap();
        let of_binding = committed.iter().filter(|(of, _)| *of == binding);
        of_binding.map(|(_, document)| document.clone()).collect()
    }

    /// All that was logged.
    pub(crate) fn logged(&self) -> String {
        let logs = self.logs.lock().unwrap();
        logs.iter().map(|record| format!("{record}\n")).collect()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has ended, and answers with its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let mut code = None;
        eventually("it ends", || {
            let status = self.child.try_wait().unwrap();
            code = status.map(|status| status.code());
            code.is_some()
        });
        for thread in [self.reader.take(), self.log_reader.take()] {
            thread.unwrap().join().unwrap();
        }
        code.unwrap()
    }

    /// Acknowledges a checkpoint that was held back.
    pub(crate) fn acknowledge(&self) {
        acknowledge(&self.input, 1);
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn acknowledge(input: &Mutex<Option<ChildStdin>>, checkpoints: usize) {
    if let Some(input) = input.lock().unwrap().as_mut() {
        let message = json!({ "acknowledge": { "checkpoints": checkpoints } });
        let _ = writeln!(input, "{message}"); // It may have gone.
    }
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it is still not so that {what}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
