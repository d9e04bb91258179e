//! The server: HTTP around the world.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use simulator_common::{Answer, Call, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::api;
use crate::control::{Served, StoreChange, control, foreign_jobs};
use crate::faults::Rule;
use crate::records::Mutation;
use crate::scenario::Scenario;
use crate::schema::Schema;
use crate::time::{self, Micros, SECOND};
use crate::world::World;

/// A simulator that answers until it is dropped.
#[derive(Debug)]
pub struct Simulator {
    url: String,
    world: Shared,
    accepting: [JoinHandle<()>; 2],
}

type Shared = Arc<Mutex<World>>;

impl Simulator {
    /// A simulator on loopback, on ports of its own.
    ///
    /// # Errors
    /// When the scenario does not make sense, or there is no port to be had.
    pub async fn start(scenario: Scenario) -> std::io::Result<Self> {
        Self::listen(scenario, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// A simulator at this address. Results of bulk jobs are at another port.
    ///
    /// # Errors
    /// When the scenario does not make sense, or the address cannot be had.
    pub async fn listen(scenario: Scenario, address: SocketAddr) -> std::io::Result<Self> {
        let (listener, storage) = (
            TcpListener::bind(address).await?,
            TcpListener::bind(SocketAddr::new(address.ip(), 0)).await?,
        );
        let url = format!("http://{}", listener.local_addr()?);
        let storage_url = format!("http://{}", storage.local_addr()?);
        let world = World::new(scenario, Arc::new(Schema::admin()), storage_url);
        let world = Arc::new(Mutex::new(world.map_err(std::io::Error::other)?));
        let (admin, results) = (Arc::clone(&world), Arc::clone(&world));
        let accepting = [
            serve(listener, move |call| answer(&admin, &call)),
            serve(storage, move |call| {
                api::download(&mut lock(&results), &call)
            }),
        ];
        Ok(Self {
            url,
            world,
            accepting,
        })
    }

    /// Its address, without a slash at the end. A store is below its name: `/alpha/admin/api/2026-01/graphql.json`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The simulator's time.
    #[must_use]
    pub fn now(&self) -> String {
        time::print_exactly(lock(&self.world).now())
    }

    /// Moves the clock on, and lets happen what the script has for that.
    ///
    /// # Errors
    /// When the script cannot be carried out.
    pub fn advance(&self, by: Duration) -> Result<(), String> {
        let mut world = lock(&self.world);
        let now = world.now();
        world.set_clock(now.saturating_add(Micros::try_from(by.as_micros()).unwrap_or(SECOND)))
    }

    /// Changes data: all of these, or none. Answers with the number of each record, and of its version.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn mutate(&self, mutations: &[Mutation]) -> Result<Vec<(u64, u64)>, String> {
        lock(&self.world).mutate(mutations)
    }

    /// Changes what a store is.
    ///
    /// # Errors
    /// When there is no such store.
    pub fn change(&self, change: StoreChange) -> Result<(), String> {
        lock(&self.world).change_store(change)
    }

    /// Adds rules.
    ///
    /// # Errors
    /// When a rule has a time that is none.
    pub fn spoil(&self, rules: Vec<Rule>) -> Result<(), String> {
        lock(&self.world).faults.add(rules)
    }

    /// Takes all rules back.
    pub fn unspoil(&self) {
        lock(&self.world).faults.clear();
    }

    /// So many bulk jobs of another task are at work in a store.
    pub fn foreign_jobs(&self, store: &str, count: u64) {
        foreign_jobs(&mut lock(&self.world), store, count);
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Served> {
        lock(&self.world).log.iter().cloned().collect()
    }

    /// How often a token of a store came to where results are.
    #[must_use]
    pub fn leaked_tokens(&self) -> u64 {
        lock(&self.world).leaked
    }

    /// The records that a query is about, with whole lists in place of connections, and whatever an index may not have found yet.
    ///
    /// # Errors
    /// When the query or the store makes no sense.
    pub fn whole(&self, store: &str, query: &str) -> Result<Vec<Value>, String> {
        lock(&self.world).whole(store, query)
    }

    /// Carries out a request to the [control plane](crate::control), as `control("POST", "clock", …)`.
    ///
    /// # Errors
    /// What the control plane says is wrong.
    pub fn control(&self, method: &str, name: &str, body: &Value) -> Result<Value, String> {
        let (name, query) = name.split_once('?').unwrap_or((name, ""));
        let path = format!("/__sim/{name}");
        let body = body.to_string();
        let mut world = lock(&self.world);
        let (status, answer) = control(&mut world, method, &path, &pairs(query), body.as_bytes());
        match status {
            200 => Ok(answer),
            _ => Err(answer["error"].as_str().unwrap_or_default().to_owned()),
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for accepting in &self.accepting {
            accepting.abort();
        }
    }
}

fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.into_owned().collect()
}

fn answer(world: &Shared, call: &Call) -> Answer {
    let mut world = lock(world);
    if call.path.starts_with("/__sim/") {
        let query = pairs(&call.query);
        let (status, answer) = control(&mut world, &call.method, &call.path, &query, &call.body);
        return Answer::new(status, "application/json", answer.to_string());
    }
    api::answer(&mut world, call)
}
