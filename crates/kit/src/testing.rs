//! An open capture under paused time: its pipes are channels, its writer is a task, and its clock is Tokio's.
//!
//! A paused clock jumps when the runtime has nothing to do, and threads are nothing to it: hence none here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::requests::Requests;
use crate::resource_config::ResourceConfig;
use crate::serve::{Served, serve_as};
use crate::stop::{Limits, Signal};
use crate::transactor::Transactor;
use crate::{BoxError, Connector, Resource};

/// A connector made of a closure.
pub(crate) struct Scripted {
    pub(crate) resources: Box<dyn Fn() -> Vec<Resource> + Send + Sync>,
    pub(crate) concurrent_subtasks: usize,
}

impl Connector for Scripted {
    type Config = Value;
    const DOCUMENTATION_URL: &'static str = "https://example.com/scripted";

    async fn resources(&self, _: &Value) -> Result<Vec<Resource>, BoxError> {
        Ok((self.resources)())
    }

    fn concurrent_subtasks(&self, _: &Value) -> usize {
        self.concurrent_subtasks
    }
}

/// A capture that is being served, from the runtime's side.
pub(crate) struct Capture {
    requests: Option<mpsc::Sender<Vec<u8>>>,
    pub(crate) signals: mpsc::Sender<Signal>,
    lines: Arc<Mutex<Vec<Value>>>,
    served: JoinHandle<Result<(), String>>,
}

impl Capture {
    /// Opens a capture of all resources, configured as discovery proposes, with these states. Their names are their state keys.
    pub(crate) async fn open(
        states: Value,
        resources: impl Fn() -> Vec<Resource> + Send + Sync + 'static,
    ) -> Self {
        let connector = Scripted {
            resources: Box::new(resources),
            concurrent_subtasks: crate::slots::DEFAULT_SLOTS,
        };
        let bindings = (connector.resources)().into_iter().map(|resource| {
            let name = &resource.name;
            let config = ResourceConfig::discovered(name, resource.interval, resource.schedule.as_deref());
            json!({"resourceConfig": config, "stateKey": name, "collection": {"name": name, "key": resource.key, "writeSchema": {}}})
        });
        let bindings: Vec<_> = bindings.collect();
        let (sender, requests) = mpsc::channel(64);
        let (signals, receiver) = mpsc::channel(8);
        let lines = Arc::default();
        let served = Served {
            requests: Requests::told(requests),
            transactor: transactor(Arc::clone(&lines)),
            signals: receiver,
            clock: Clock::Simulated("2026-03-01T12:00:00Z".parse().unwrap(), Instant::now()),
            limits: Limits::USUAL,
        };
        let served = tokio::task::spawn_local(async move {
            let (outcome, _) = serve_as(&connector, served).await;
            outcome.map_err(|error| crate::capture::error_chain(&error))
        });
        let this = Self {
            requests: Some(sender),
            signals,
            lines,
            served,
        };
        let open = json!({"open": {
            "capture": {"name": "a/capture", "connectorType": "LOCAL", "config": {}, "bindings": bindings},
            "version": "1", "state": {"bindingStateV1": states},
        }});
        this.send(&open.to_string()).await;
        this
    }

    pub(crate) async fn send(&self, line: &str) {
        let requests = self.requests.as_ref().expect("the input is open");
        let _ = requests.send(line.into()).await; // It may have ended.
    }

    /// Ends the input.
    pub(crate) fn close(&mut self) {
        self.requests = None;
    }

    /// What it came to, and when: in seconds from now.
    pub(crate) async fn ended(&mut self) -> (Result<(), String>, u64) {
        let begin = Instant::now();
        let outcome = (&mut self.served).await.expect("serving does not panic");
        (outcome, begin.elapsed().as_secs())
    }

    /// The updates of all checkpoints so far, but for those with which bindings begin.
    pub(crate) fn updates(&self) -> Vec<Value> {
        let mut updates = self.all_updates();
        updates.retain(|update| !update.to_string().contains("last_initialized"));
        updates
    }

    /// The updates of all checkpoints so far.
    pub(crate) fn all_updates(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        let updates = lines.iter().filter_map(|line| {
            let update = line.pointer("/checkpoint/state/updated/bindingStateV1")?;
            Some(update.clone())
        });
        updates.collect()
    }
}

/// After this much time on the paused clock.
pub(crate) async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// One whose messages are kept.
fn transactor(lines: Arc<Mutex<Vec<Value>>>) -> Transactor {
    let (out, mut sequences) = mpsc::channel(16);
    let (transactor, _) = Transactor::start_task(out);
    tokio::spawn(async move {
        while let Some(sequence) = sequences.recv().await {
            let parsed = serde_json::Deserializer::from_slice(&sequence).into_iter::<Value>();
            let parsed = parsed.map(|line| line.unwrap());
            lines.lock().unwrap().extend(parsed);
        }
    });
    transactor
}
