//! The simulated stores, and what happens to them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};
use shopify_simulator::{Kind, Mutation, Operation, Scenario, Simulator, StoreChange};
use tokio::runtime::Runtime;

/// Streams, and the types of their records.
pub(crate) const STREAMS: [(&str, &str); 3] = [
    ("customers", "Customer"),
    ("products", "Product"),
    ("locations", "Location"),
];

/// Each record's last change, by its id.
pub(crate) type Truth = BTreeMap<String, String>;

/// A simulator that answers until it is dropped, by the machine's clock.
pub(crate) struct Stores {
    simulator: Simulator,
    _runtime: Runtime,
}

impl Stores {
    pub(crate) fn open() -> Result<Self> {
        let runtime = Runtime::new().context("starting the simulator")?;
        let scenario = Scenario {
            anchor: None,
            max_page_size: 10,
            counts: [("Location".to_owned(), 60), ("Customer".to_owned(), 45)].into(),
            ..Scenario::default().with_stores(&["alpha", "beta", "gamma"])
        };
        let simulator = runtime
            .block_on(Simulator::start(scenario))
            .context("starting the simulator")?;
        Ok(Self {
            simulator,
            _runtime: runtime,
        })
    }

    /// The address of a store, with a place for its name.
    pub(crate) fn url(&self) -> String {
        format!("{}/{{store}}", self.simulator.url())
    }

    /// Locks a store after so many pages of its locations.
    pub(crate) fn lock_after(&self, store: &str, pages: u64) -> Result<()> {
        let locked = json!({ "store": store, "refusedWith": 423 });
        let event = json!({ "afterRequest": pages, "store": store, "root": "locations", "stores": [locked] });
        self.simulator
            .control("POST", "script", &json!([event]))
            .map(drop)
            .map_err(|problem| anyhow!("locking a store: {problem}"))
    }

    pub(crate) fn unlock(&self, store: &str) -> Result<()> {
        let change = StoreChange {
            store: store.to_owned(),
            refused_with: Some(0),
            ..StoreChange::default()
        };
        self.simulator
            .change(change)
            .map_err(|problem| anyhow!("unlocking a store: {problem}"))
    }

    /// Changes these locations of a store.
    pub(crate) fn change(&self, store: &str, ids: impl IntoIterator<Item = u64>) -> Result<()> {
        let changed = ids
            .into_iter()
            .map(|id| Mutation::new(store, Operation::Update, "Location", Some(id)));
        self.simulator
            .mutate(&changed.collect::<Vec<_>>())
            .map(drop)
            .map_err(|problem| anyhow!("changing records: {problem}"))
    }

    /// The last change of each record of a type, as the API tells it.
    pub(crate) fn truth(&self, store: &str, kind: &str) -> Result<Truth> {
        let name = format!("truth?store={store}&type={kind}");
        let truth = self
            .simulator
            .control("GET", &name, &Value::Null)
            .map_err(|problem| anyhow!("asking the simulator: {problem}"))?;
        let records = truth[kind].as_object();
        let records = records.context("the simulator knows its records")?;
        let last = |(number, versions): (&String, &Value)| {
            let at = versions.as_array()?.last()?["updatedAt"].as_str()?;
            let seconds = at.split('.').next()?;
            Some((
                format!("gid://shopify/{kind}/{number}"),
                format!("{seconds}Z"),
            ))
        };
        records
            .iter()
            .map(|record| last(record).context("a record has a last version"))
            .collect()
    }

    /// How often the backfill of a store's locations was begun: pages from the start date on that follow on no other.
    pub(crate) fn backfills_of(&self, store: &str) -> usize {
        let requests = self.simulator.requests().into_iter();
        let first_pages = requests.filter(|served| {
            served.kind == Kind::Query
                && served.root == "locations"
                && served.store == store
                && served.after.is_none()
                && served.bounds.0.as_deref() == Some("2020-01-01T00:00:00Z")
        });
        first_pages.count()
    }
}
