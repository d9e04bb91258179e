//! A simulator, a capture of it, and what is recorded.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::Duration;

use outreach_simulator::{Scenario, Simulator};
use serde_json::{Value, json};
use source_outreach::{Place, SourceOutreach};
use staunch::Connector;
use staunch_testkit::Capture;
use tokio::runtime::Runtime;

/// A simulator in this process.
pub(crate) struct Outreach {
    // Before its runtime, which it needs to go away.
    pub(crate) simulator: Arc<Simulator>,
    _runtime: Runtime,
}

impl Outreach {
    pub(crate) fn start(scenario: Scenario) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let simulator = runtime.block_on(Simulator::start(scenario)).unwrap();
        Self {
            simulator: Arc::new(simulator),
            _runtime: runtime,
        }
    }

    /// One without records of this type.
    pub(crate) fn without(kind: &str) -> Self {
        Self::start(Scenario::default().with(kind, 0))
    }

    /// Where it is, and by its own clock.
    pub(crate) fn place(&self) -> Place {
        let simulator = Arc::clone(&self.simulator);
        Place::default()
            .at(self.simulator.url())
            .with_clock(move || simulator.now().parse().unwrap())
    }

    pub(crate) fn capture(&self) -> Capture<SourceOutreach> {
        Capture::new(SourceOutreach::new(self.place())).config(config())
    }

    pub(crate) fn capture_v1(&self) -> Capture<SourceOutreach> {
        Capture::new(SourceOutreach::first_release(self.place())).config(config())
    }

    /// What a capture of this resource fails with.
    pub(crate) fn failure(&self, resource: &str) -> String {
        let mut capture = self.capture().bind_with(eager(resource));
        capture.run_to_end().unwrap_err().to_string()
    }

    pub(crate) fn control(&self, name: &str, body: Value) -> Value {
        self.simulator.control("POST", name, &body).unwrap()
    }

    pub(crate) fn mutate(&self, mutations: Value) {
        self.control("mutate", mutations);
    }

    pub(crate) fn faults(&self, rules: Value) {
        self.control("faults", rules);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.simulator.advance(by).unwrap();
    }

    /// The queries that a collection was asked with, in order.
    pub(crate) fn queries(&self, path: &str) -> Vec<Vec<(String, String)>> {
        let served = self.simulator.requests().into_iter();
        let of_path = served.filter(|served| served.path == format!("/api/v2/{path}"));
        of_path.map(|served| served.query).collect()
    }
}

pub(crate) fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = query.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// A config with a token that is good for two hours of the simulator's time.
pub(crate) fn config() -> Value {
    json!({ "credentials": {
        "credentials_title": "OAuth Credentials", "client_id": "client", "client_secret": "client-secret",
        "refresh_token": "refresh-0", "access_token": "access-0", "access_token_expires_at": "2099-01-01T00:00:00Z",
    } })
}

/// A binding that is looked at again and again.
pub(crate) fn eager(name: &str) -> Value {
    json!({ "name": name, "interval": "PT0.05S" })
}

pub(crate) fn ids(documents: &[Value]) -> Vec<u64> {
    documents
        .iter()
        .map(|document| document["id"].as_u64().unwrap())
        .collect()
}

/// How many records these documents are of.
pub(crate) fn records(documents: &[Value]) -> usize {
    BTreeSet::from_iter(ids(documents)).len()
}

/// Asks a connector one thing.
pub(crate) fn ask(connector: &impl Connector, request: &Value) -> Result<Value, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let requests = std::io::Cursor::new(format!("{request}\n"));
    let (answers, out) = std::io::pipe().unwrap();
    let reader = std::thread::spawn(move || BufReader::new(answers).lines().next());
    let served = runtime.block_on(staunch::serve(connector, requests, Box::new(out)));
    let answer = reader.join().unwrap();
    served.map_err(|error| error.to_string())?;
    Ok(serde_json::from_str(&answer.unwrap().unwrap()).unwrap())
}

/// A recorded file; `None` in a checkout that has not the folder.
pub(crate) fn recorded(name: &str) -> Option<Value> {
    let path = format!(
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/reference/golden/{}"
        ),
        name
    );
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("skipped: `{name}` is not in this checkout");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}
