//! What happens to stores, and to a capture of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use shopify_simulator::{
    Mutation, Operation, Random, Scenario, Simulator, SnapshotAt, StoreChange,
};
use source_shopify_native::migrations::back_to_one;
use source_shopify_native::streams::{Kind, STREAMS, Stream};
use source_shopify_native::{Place, SourceShopify};
use staunch::state::{Binding, Node};
use staunch_testkit::{Capture, CaptureFailure, Run, simulate};

use crate::check::{self, Captured, Finished};

/// When every story begins.
const BEGIN: &str = "2026-01-15T12:00:00Z";

/// From when on everything is captured.
const START: &str = "2025-11-01T00:00:00Z";

const HOUR: u64 = 3600;

/// Stores that there are, of which a capture has some.
const STORES: [&str; 3] = ["alpha", "beta", "gamma"];

/// Streams of all kinds, each of another list, so that a request tells which stream it is for.
const TOLD: [&str; 8] = [
    "order_returns",
    "product_variant_metafields",
    "inventory_levels",
    "custom_collections",
    "subscription_contracts",
    "customers",
    "locations",
    "markets",
];

/// The same, but for the one that is read from orders.
const NESTED: &str = "order_refunds";

/// What a fault may be: those after which a capture goes on, and those that end it.
const FAULTS: [&str; 19] = [
    r#"{"action": "throttle", "times": 5}"#,
    r#"{"action": {"error": {"code": "INTERNAL_SERVER_ERROR"}}, "times": 3}"#,
    r#"{"action": {"error": {"code": "INTERNAL_SERVER_ERROR", "is_partial": true}}, "times": 2}"#,
    r#"{"action": {"status": {"status": 429, "headers": {"retry-after": "2.0"}}}, "times": 4}"#,
    r#"{"action": {"status": {"status": 502, "body": "<html>"}}, "times": 3}"#,
    r#"{"action": "disconnect", "every": 3, "times": 4}"#,
    r#"{"action": "truncate", "every": 4, "times": 3}"#,
    r#"{"action": "garbage", "times": 1}"#,
    r#"{"action": "no_end_cursor", "kind": "query", "times": 1}"#,
    r#"{"action": "repeat_cursor", "kind": "query", "times": 2}"#,
    r#"{"action": "reorder", "kind": "query", "times": 3}"#,
    r#"{"action": "limit_reached", "kind": "submit", "times": 2}"#,
    r#"{"action": "no_address", "kind": "poll", "times": 1}"#,
    r#"{"action": {"job": {"outcome": "TIMEOUT"}}, "kind": "submit", "times": 2}"#,
    r#"{"action": {"job": {"outcome": "EXPIRED"}}, "kind": "submit", "times": 1}"#,
    r#"{"action": {"job": {"outcome": "CANCELED"}}, "kind": "submit", "times": 1}"#,
    r#"{"action": {"rows": {"end_after": 2}}, "kind": "download", "times": 1}"#,
    r#"{"action": {"rows": "cut_last"}, "kind": "download", "times": 1}"#,
    r#"{"action": {"rows": "blank_lines"}, "kind": "download", "times": 3}"#,
];

pub(crate) struct Story {
    random: Random,
    simulator: Simulator,
    is_told: bool,
    state: Value,
    captured: Captured,
    streams: Vec<Stream>,
    /// Those that are configured.
    stores: Vec<&'static str>,
    finished: Finished,
    /// How far each list of each store was read by bulk jobs.
    read: BTreeMap<(String, String), Timestamp>,
    window: &'static str,
    /// How often the release was changed.
    changes: usize,
    /// Requests that were looked at.
    checked: usize,
    has_foreign: bool,
    has_fault: bool,
}

impl Story {
    /// Tells a story, and says how it fails.
    pub(crate) fn tell(seed: u64, is_told: bool) -> Result<(), String> {
        simulate(BEGIN.parse().unwrap(), async {
            let mut story = Story::begin(seed, is_told).await;
            story.middle().await?;
            story.end().await
        })
    }

    async fn begin(seed: u64, is_told: bool) -> Self {
        let mut random = Random::of(seed, "story");
        let snapshots = [SnapshotAt::Start, SnapshotAt::Row, SnapshotAt::End];
        let mut scenario = Scenario {
            seed,
            is_moving: true,
            anchor: Some(BEGIN.to_owned()),
            span_days: *random.one_of(&[1, 10, 60]), // All of it after `START`.
            ties_percent: *random.one_of(&[0, 20, 60]),
            snapshot_at: *random.one_of(&snapshots),
            compares_seconds: random.chance(30),
            max_page_size: *random.one_of(&[2, 5, 250]),
            count: *random.one_of(&[0, 1, 6, 15]),
            ..Scenario::default().with_stores(&STORES)
        };
        scenario.job.running_for = *random.one_of(&[500, 5000, 15_000]);
        // Some streams, those of an earlier draw among them.
        let mut names: Vec<&str> = Vec::new();
        for _ in 0..2 + random.below(3) {
            let name = *random.one_of(&TOLD);
            let is_of_orders = name == "order_returns" && random.chance(50);
            let name = if is_of_orders { NESTED } else { name };
            let root = |name: &str| {
                if name == NESTED {
                    "order_returns"
                } else {
                    name
                }
                .to_owned()
            };
            if !names.iter().any(|known| root(known) == root(name)) {
                names.push(name);
            }
        }
        let streams: Vec<Stream> = STREAMS
            .into_iter()
            .filter(|stream| names.contains(&stream.name))
            .collect();
        let story = Self {
            simulator: Simulator::start(scenario).await.unwrap(),
            is_told,
            state: json!({}),
            captured: streams
                .iter()
                .map(|stream| (stream.name, Vec::new()))
                .collect(),
            streams,
            stores: vec![STORES[0]],
            finished: Finished::default(),
            read: BTreeMap::new(),
            window: *random.one_of(&["P7D", "P30D", "P90D"]),
            changes: 0,
            checked: 0,
            has_foreign: false,
            has_fault: false,
            random,
        };
        story.say(|| format!("{:?}, window {}", names, story.window));
        story
    }

    async fn middle(&mut self) -> Result<(), String> {
        for _ in 0..1 + self.random.below(6) {
            self.session(None).await?;
            self.pass().await;
            match self.random.below(6) {
                0 | 1 => self.take_back()?,
                2 | 3 => self.add_store(),
                4 => self.remove_store(),
                _ => self.change_scopes(),
            }
        }
        Ok(())
    }

    /// Lets everything be captured.
    async fn end(&mut self) -> Result<(), String> {
        self.simulator.unspoil();
        self.simulator.foreign_jobs(STORES[0], 0);
        for store in STORES {
            self.grant(store, every_scope());
        }
        self.has_fault = false;
        self.session(Some(5 * HOUR)).await?;
        check::last_versions(&self.simulator, &self.captured, &self.streams, &self.stores)?;
        // The backfill and what follows it may read a record once each, and a window those of its first second once more.
        check::duplicates(&self.captured, &self.streams, 3)?;
        match self.simulator.leaked_tokens() {
            0 => Ok(()),
            leaked => Err(format!("{leaked} tokens came to where results are")),
        }
    }

    /// A session of so many seconds in peace; or of what happens to happen.
    async fn session(&mut self, seconds: Option<u64>) -> Result<(), String> {
        if seconds.is_none() && self.random.chance(50) {
            self.fault();
        }
        let place = Place::at(format!("{}/{{store}}", self.simulator.url()));
        let mut capture = Capture::new(SourceShopify::new(place))
            .config(self.config())
            .with_state(self.state.clone());
        for stream in &self.streams {
            let key = match stream.kind {
                Kind::Snapshot { .. } => "/_meta/row_id",
                _ => "/id",
            };
            let binding = json!({ "name": stream.name, "interval": "PT5M" });
            capture = capture.bind_with(binding).keyed(["/_meta/store", key]);
        }
        let mut run = capture.start();
        let ended = match seconds {
            Some(seconds) => {
                let went = run.go_on_for(Duration::from_secs(seconds)).await;
                went.map_err(|error| error.to_string())
            }
            None => self.go_on(&mut run).await,
        };
        if ended.is_ok() && self.random.chance(50) {
            run.close_input();
            loop {
                match run.commit().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) if self.has_fault && is_a_reason(&error) => break,
                    Err(error) => return Err(format!("at its end: {error}")),
                }
            }
        }
        let seen = run.kill(); // What was committed before it failed stays so.
        for (stream, documents) in &mut self.captured {
            documents.extend_from_slice(seen.documents(stream));
        }
        self.state = capture.state();
        self.say(|| format!("{ended:?}: {}", self.state));
        self.finished.check(&self.state, &self.streams)?;
        let requests = self.simulator.requests();
        check::requests(
            &requests[self.checked..],
            &self.stores,
            START,
            self.has_foreign,
            &mut self.read,
        )?;
        self.checked = requests.len();
        self.say(|| format!("{} requests so far", self.checked));
        ended
    }

    /// What happens while the capture runs. It may fail only for a reason.
    async fn go_on(&mut self, run: &mut Run<'_, SourceShopify>) -> Result<(), String> {
        for _ in 0..self.random.below(8) {
            let went = match self.random.below(3) {
                0 => self.some_commits(run).await,
                _ => {
                    let seconds = 1 + self.random.below(2 * HOUR);
                    run.go_on_for(Duration::from_secs(seconds)).await
                }
            };
            match went {
                Ok(()) => {}
                Err(CaptureFailure::Ended(_)) => break, // Each day it ends, to be opened anew.
                Err(error) if self.has_fault && is_a_reason(&error) => {
                    self.say(|| error.to_string());
                    break;
                }
                Err(error) => return Err(error.to_string()),
            }
            self.mutate();
        }
        Ok(())
    }

    /// Goes on until so many checkpoints were made, which is where it may be killed.
    async fn some_commits(
        &mut self,
        run: &mut Run<'_, SourceShopify>,
    ) -> Result<(), CaptureFailure> {
        for _ in 0..self.random.below(5) {
            let patience = Duration::from_secs(2 * HOUR);
            if let Ok(is_running) = tokio::time::timeout(patience, run.commit()).await {
                is_running?;
            }
        }
        Ok(())
    }

    /// Time without a capture, in which the stores change.
    async fn pass(&mut self) {
        for _ in 0..self.random.below(3) {
            let millis = self.random.below(3 * HOUR * 1000);
            tokio::time::sleep(Duration::from_millis(millis)).await;
            self.mutate();
        }
    }

    /// Records come, change and go: now, or between two requests.
    fn mutate(&mut self) {
        let kinds = [
            "Order",
            "Product",
            "InventoryItem",
            "Collection",
            "SubscriptionContract",
            "Customer",
            "Location",
            "Market",
        ];
        let mut mutations = Vec::new();
        for _ in 0..self.random.below(8) {
            let store = *self.random.one_of(&STORES);
            let kind = *self.random.one_of(&kinds);
            let alive = self.alive(store, kind);
            let op = match self.random.below(10) {
                _ if alive.is_empty() => Operation::Create,
                0..3 => Operation::Create,
                9 => Operation::Delete,
                _ => Operation::Update,
            };
            let id = (op != Operation::Create).then(|| *self.random.one_of(&alive));
            let mutation = Mutation::new(store, op, kind, id);
            let is_same = |other: &Mutation| other.store == store && other.kind == kind;
            if !mutations.iter().any(is_same) {
                mutations.push(mutation);
            }
        }
        self.say(|| format!("{}: {}", staunch::now(), json!(mutations)));
        if self.random.chance(30) {
            let event = json!({ "afterRequest": 1 + self.random.below(6), "mutate": mutations });
            let _ = self.simulator.control("POST", "script", &json!([event]));
            return;
        }
        self.simulator.mutate(&mutations).unwrap();
    }

    fn alive(&self, store: &str, kind: &str) -> Vec<u64> {
        let truth = self.simulator.control(
            "GET",
            &format!("truth?store={store}&type={kind}"),
            &Value::Null,
        );
        let truth = truth.unwrap();
        let records = truth[kind].as_object().unwrap().iter();
        let alive = records.filter(|(_, versions)| {
            versions.as_array().unwrap().last().unwrap()["isDeleted"] == false
        });
        alive.map(|(number, _)| number.parse().unwrap()).collect()
    }

    fn fault(&mut self) {
        let rule: &&str = self.random.one_of(&FAULTS);
        self.say(|| format!("fault: {rule}"));
        let rule: Value = serde_json::from_str(rule).unwrap();
        self.simulator
            .control("POST", "faults", &json!([rule]))
            .unwrap();
        self.has_fault = true;
        if self.random.chance(20) && !self.has_foreign {
            self.has_foreign = true;
            self.simulator
                .foreign_jobs(STORES[0], 1 + self.random.below(5));
        }
    }

    /// Back to the release that knows one store, with what the reverse of the chain makes of the state. The next session migrates it itself.
    fn take_back(&mut self) -> Result<(), String> {
        let [store] = self.stores[..] else {
            return Ok(());
        };
        let state = Node::parse(&self.state.to_string()).unwrap();
        let binding = |stream: &Stream| Binding {
            state_key: stream.name.to_owned(),
            resource: None,
            is_active: true,
        };
        let bindings: Vec<Binding> = self.streams.iter().map(binding).collect();
        match back_to_one(store).run(&state, &bindings) {
            Ok(back) => {
                self.changes += 1;
                self.state = serde_json::from_str(&back.after.to_json()).unwrap();
                self.say(|| format!("taken back: {}", self.state));
                Ok(())
            }
            // What another store has captured cannot be told in a flat state.
            Err(error) if error.to_string().contains("lost") || self.knows_others(store) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn knows_others(&self, store: &str) -> bool {
        let states = self.state["bindingStateV1"].as_object();
        states.into_iter().flatten().any(|(_, state)| {
            ["inc", "backfill", "snapshot"].iter().any(|part| {
                let entries = state[part].as_object();
                entries.into_iter().flatten().any(|(name, _)| name != store)
            })
        })
    }

    fn add_store(&mut self) {
        let missing: Vec<&str> = STORES
            .into_iter()
            .filter(|store| !self.stores.contains(store))
            .collect();
        if !missing.is_empty() && !self.is_flat() {
            let store = *self.random.one_of(&missing);
            self.stores.push(store);
            self.say(|| format!("added {store}"));
            self.let_everything_be_read();
        }
    }

    fn remove_store(&mut self) {
        if self.stores.len() > 1 {
            let at = self.random.below(self.stores.len() as u64) as usize;
            let store = self.stores.remove(at);
            self.say(|| format!("removed {store}"));
            self.let_everything_be_read();
        }
    }

    /// One store grants everything: a stream that none lets be read is not there, which ends a capture that has it.
    fn let_everything_be_read(&self) {
        if let Some(last) = self.stores.last() {
            self.grant(last, every_scope());
        }
    }

    fn grant(&self, store: &str, scopes: BTreeSet<String>) {
        let change = StoreChange {
            store: store.to_owned(),
            scopes: Some(scopes),
            ..StoreChange::default()
        };
        self.simulator.change(change).unwrap();
    }

    /// Whether the state is of one store: then nobody could tell of which, were there several.
    fn is_flat(&self) -> bool {
        let states = self.state["bindingStateV1"].as_object();
        let mut states = states.into_iter().flatten();
        states.any(|(_, state)| state["inc"].get("cursor").is_some())
    }

    /// A store grants less than it did, or everything again. It is never the last one.
    fn change_scopes(&mut self) {
        if self.stores.len() < 2 {
            return;
        }
        let store = self.stores[0];
        let mut scopes = every_scope();
        if self.random.chance(60) {
            scopes.remove("read_products");
            scopes.remove("read_customers");
        }
        self.say(|| format!("{store} grants {} scopes", scopes.len()));
        self.grant(store, scopes);
    }

    fn config(&self) -> Value {
        let stores = self.stores.iter().map(|store| {
            json!({ "store": store, "credentials": {
                "credentials_title": "Private App Credentials", "access_token": format!("private-{store}"),
            } })
        });
        json!({
            "stores": stores.collect::<Vec<_>>(),
            "start_date": START,
            "advanced": { "window_size": self.window },
        })
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{}", what());
        }
    }
}

/// Whether a capture may end so: it says which store it was, or what was wrong with an answer.
fn is_a_reason(error: &CaptureFailure) -> bool {
    let CaptureFailure::Connector(problem) = error else {
        return false;
    };
    problem.contains("store `")
}

fn every_scope() -> BTreeSet<String> {
    let scopes = STREAMS.iter().flat_map(|stream| stream.scopes);
    let others = ["read_publications", "read_users"];
    scopes
        .chain(&others)
        .map(|scope| (*scope).to_owned())
        .collect()
}
