//! The simulated account: its records, its clock, and what happens to them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use outreach_simulator::{Mutation, Operation, Scenario, Simulator};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The file that tells the connector the simulated time, in the folder that it is started in.
pub(crate) const CLOCK: &str = "clock";

/// Resources, and the types of their records.
pub(crate) const RESOURCES: [(&str, &str); 2] =
    [("accounts", "account"), ("prospects", "prospect")];

/// Each record's last change, by its id.
pub(crate) type Truth = BTreeMap<u64, String>;

/// A simulator that answers until it is dropped, with a clock that stands until it is moved.
pub(crate) struct Account {
    simulator: Simulator,
    _runtime: Runtime,
}

impl Account {
    pub(crate) fn open() -> Result<Self> {
        let runtime = Runtime::new().context("starting the simulator")?;
        let scenario = Scenario {
            counts: BTreeMap::new(),
            token_seconds: 30 * 86_400, // Nobody renews one here, as the config is not written back.
            ..Scenario::default()
        };
        let scenario = scenario.with("account", 300).with("prospect", 80);
        let simulator = runtime
            .block_on(Simulator::start(scenario))
            .context("starting the simulator")?;
        Ok(Self {
            simulator,
            _runtime: runtime,
        })
    }

    pub(crate) fn url(&self) -> &str {
        self.simulator.url()
    }

    pub(crate) fn now(&self) -> String {
        self.simulator.now()
    }

    /// Lets time pass, for the connector too.
    pub(crate) fn wait(&self, minutes: u64, folder: &Path) -> Result<()> {
        self.simulator
            .advance(Duration::from_secs(60 * minutes))
            .map_err(|problem| anyhow!("moving the clock: {problem}"))?;
        self.tell_time(folder)
    }

    pub(crate) fn tell_time(&self, folder: &Path) -> Result<()> {
        std::fs::write(folder.join(CLOCK), self.now()).context("writing the clock")
    }

    /// Changes these records. They bear the present time, and are seen only after `delay`.
    pub(crate) fn change(
        &self,
        kind: &str,
        ids: impl IntoIterator<Item = u64>,
        delay: Duration,
    ) -> Result<()> {
        let changed = |id| Mutation {
            op: Operation::Update,
            kind: kind.to_owned(),
            id: Some(id),
            attributes: [(
                "name".to_owned(),
                json!(format!("changed at {}", self.now())),
            )]
            .into_iter()
            .collect(),
            relationships: Default::default(),
            updated_at: None,
            visible_after: Some(delay.as_secs()),
        };
        let mutations: Vec<Mutation> = ids.into_iter().map(changed).collect();
        self.simulator
            .mutate(&mutations)
            .map_err(|problem| anyhow!("changing records: {problem}"))
    }

    /// The last change of each record of a type, whether or not it is to be seen yet.
    pub(crate) fn truth(&self, kind: &str) -> Result<Truth> {
        let truth = self
            .simulator
            .control("GET", "truth", &Value::Null)
            .map_err(|problem| anyhow!("asking the simulator: {problem}"))?;
        let records = truth[kind]
            .as_object()
            .context("the simulator knows its records")?;
        let last = |(id, versions): (&String, &Value)| {
            let last = versions.as_array()?.last()?;
            Some((id.parse().ok()?, last["updatedAt"].as_str()?.to_owned()))
        };
        records
            .iter()
            .map(|record| last(record).context("a record has a last version"))
            .collect()
    }
}
