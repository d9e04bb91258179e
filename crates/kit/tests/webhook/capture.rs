//! A capture that listens, as a process, and the runtime to which it speaks.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// When checkpoints are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledge {
    AtOnce,
    After(Duration),
    /// When the test says so, but for those with which bindings begin.
    Asked,
}

/// What a runtime has.
#[derive(Debug, Default)]
pub(crate) struct Runtime {
    /// What came after the first checkpoints: the documents of each, in their order, with the binding of each.
    pub(crate) checkpoints: Vec<Vec<(u64, Value)>>,
    /// The updates of the same.
    pub(crate) updates: Vec<String>,
    /// Those that are committed: acknowledged, or about to be.
    pub(crate) committed: usize,
    /// What has come and is followed by no checkpoint yet.
    pending: Vec<(u64, Value)>,
    opened: Option<Value>,
    begun: usize,
}

pub(crate) struct Capture {
    child: Child,
    input: Arc<Mutex<Option<ChildStdin>>>,
    runtime: Arc<Mutex<Runtime>>,
    reader: Option<JoinHandle<()>>,
    logs: Arc<Mutex<Vec<Value>>>,
    log_reader: Option<JoinHandle<()>>,
    pub(crate) address: SocketAddr,
}

/// What a process left behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) runtime: Runtime,
    pub(crate) logs: Vec<Value>,
}

impl Ended {
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.logs
            .iter()
            .any(|record| record.to_string().contains(text))
    }
}

/// Opens a capture of these bindings, in JSON.
fn open(config: &Value, bindings: &[&str]) -> Value {
    let binding = |name: &&str| {
        json!({
            "resourceConfig": {"name": name},
            "resourcePath": [name],
            "collection": {"name": format!("a/{name}"), "key": ["/_meta/webhookId"], "writeSchema": {"type": "object"}},
            "stateKey": name,
        })
    };
    let bindings: Vec<Value> = bindings.iter().map(binding).collect();
    json!({"open": {
        "capture": {"name": "a/capture", "connectorType": "LOCAL", "config": config, "intervalSeconds": 1, "bindings": bindings},
        "version": "1",
        "range": {"keyEnd": u32::MAX, "rClockEnd": u32::MAX},
        "state": {},
    }})
}

impl Capture {
    pub(crate) fn start(config: Value, acknowledge: Acknowledge) -> Self {
        Self::of(&["orders", "users"], config, acknowledge)
    }

    pub(crate) fn of(bindings: &[&str], config: Value, acknowledge: Acknowledge) -> Self {
        let mut this = Self::launch(bindings, config, acknowledge);
        this.address = this.await_address();
        this
    }

    /// Does not wait for it to listen.
    pub(crate) fn launch(bindings: &[&str], config: Value, acknowledge: Acknowledge) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kit-test-webhook"))
            .env("LOG_LEVEL", "info")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the connector starts");
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{}", open(&config, bindings)).unwrap();
        let input = Arc::new(Mutex::new(Some(input)));
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let runtime = Arc::new(Mutex::new(Runtime::default()));
        let beginnings = bindings.len();
        let (of_reader, to_acknowledge) = (Arc::clone(&runtime), Arc::clone(&input));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                let message: Value = serde_json::from_str(&line).expect("each line is a message");
                let acknowledged =
                    of_reader
                        .lock()
                        .unwrap()
                        .take(message, &line, beginnings, acknowledge);
                if acknowledged {
                    send_acknowledge(&to_acknowledge, 1, acknowledge);
                }
            }
        });
        let logs = Arc::new(Mutex::new(Vec::new()));
        let of_log_reader = Arc::clone(&logs);
        let log_reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let record = serde_json::from_str(&line).unwrap_or_else(|_| json!(line));
                of_log_reader.lock().unwrap().push(record);
            }
        });
        Self {
            child,
            input,
            runtime,
            reader: Some(reader),
            logs,
            log_reader: Some(log_reader),
            address: ([127, 0, 0, 1], 0).into(),
        }
    }

    fn await_address(&self) -> SocketAddr {
        let mut address = None;
        self.eventually("it listens", || {
            let logs = self.logs.lock().unwrap();
            let listening = logs.iter().find(|record| record["msg"] == "listening");
            address = listening.map(|record| {
                record["fields"]["address"]
                    .as_str()
                    .unwrap()
                    .parse()
                    .unwrap()
            });
            address.is_some()
        });
        address.unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn runtime(&self) -> MutexGuard<'_, Runtime> {
        self.runtime.lock().unwrap()
    }

    pub(crate) fn opened(&self) -> Value {
        self.runtime().opened.clone().expect("it is open")
    }

    /// Waits until something is so.
    pub(crate) fn eventually(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(
                Instant::now() < deadline,
                "it is still not so that {what}: {:#?}",
                self.logs.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until there are so many checkpoints.
    pub(crate) fn has_checkpoints(&self, checkpoints: usize) {
        self.eventually("there are so many checkpoints", || {
            self.runtime().checkpoints.len() >= checkpoints
        });
    }

    pub(crate) fn acknowledge(&self, checkpoints: usize) {
        self.runtime().committed += checkpoints;
        send_acknowledge(&self.input, checkpoints, Acknowledge::AtOnce);
    }

    /// Waits until it takes no further requests.
    pub(crate) fn is_stopping(&self) {
        self.eventually("it stops", || {
            let logs = self.logs.lock().unwrap();
            let stopping = "no further requests are accepted";
            logs.iter()
                .any(|record| record.to_string().contains(stopping))
        });
    }

    /// Ends the input.
    pub(crate) fn close(&self) {
        *self.input.lock().unwrap() = None;
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("`kill` runs").success());
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(self) -> Ended {
        self.signal("-TERM");
        self.wait()
    }

    pub(crate) fn kill(mut self) -> Ended {
        self.child.kill().expect("it can be killed");
        self.wait()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let code = loop {
            match self.child.try_wait().expect("it can be waited for") {
                Some(status) => break status.code(),
                None if Instant::now() > deadline => panic!("it does not end: {:#?}", self.logs),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        for thread in [self.reader.take(), self.log_reader.take()]
            .into_iter()
            .flatten()
        {
            thread.join().unwrap();
        }
        Ended {
            code,
            runtime: std::mem::take(&mut *self.runtime.lock().unwrap()),
            logs: std::mem::take(&mut *self.logs.lock().unwrap()),
        }
    }
}

impl Runtime {
    /// Takes a message. Whether it is to be acknowledged.
    fn take(
        &mut self,
        message: Value,
        line: &str,
        beginnings: usize,
        acknowledge: Acknowledge,
    ) -> bool {
        if let Some(captured) = message.get("captured") {
            let binding = captured["binding"].as_u64().unwrap_or(0);
            self.pending.push((binding, captured["doc"].clone()));
            return false;
        }
        if message.get("checkpoint").is_none() {
            self.opened = Some(message);
            return false;
        }
        if self.begun < beginnings {
            self.begun += 1; // The state with which a binding begins.
            return true;
        }
        self.checkpoints.push(std::mem::take(&mut self.pending));
        self.updates.push(line.to_owned());
        if acknowledge == Acknowledge::Asked {
            return false;
        }
        self.committed += 1; // First: who is told may look.
        true
    }

    /// All documents that were captured, committed or not.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Value> {
        self.checkpoints
            .iter()
            .flatten()
            .map(|(_, document)| document)
    }

    /// What is committed: whole checkpoints, and the documents before them.
    pub(crate) fn committed(&self) -> impl Iterator<Item = &Value> {
        let committed = self.checkpoints.iter().take(self.committed);
        committed.flatten().map(|(_, document)| document)
    }
}

fn send_acknowledge(
    input: &Arc<Mutex<Option<ChildStdin>>>,
    checkpoints: usize,
    acknowledge: Acknowledge,
) {
    let input = Arc::clone(input);
    let send = move || {
        if let Some(input) = input.lock().unwrap().as_mut() {
            let _ = writeln!(
                input,
                "{}",
                json!({"acknowledge": {"checkpoints": checkpoints}})
            ); // It may have gone.
        }
    };
    match acknowledge {
        Acknowledge::After(time) => drop(std::thread::spawn(move || {
            std::thread::sleep(time);
            send();
        })),
        _ => send(),
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs something in a thread, whose result is received later.
pub(crate) fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> mpsc::Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver
}
