//! The server: HTTP around the world.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use simulator_common::{Answer, Call, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::api;
use crate::auth::CODE;
use crate::control::{Served, control};
use crate::scenario::Scenario;
use crate::store::{Mutation, Version};
use crate::time::{self, SECOND};
use crate::world::World;

/// A simulator that answers until it is dropped.
#[derive(Debug)]
pub struct Simulator {
    url: String,
    world: Shared,
    accepting: JoinHandle<()>,
}

type Shared = Arc<Mutex<World>>;

impl Simulator {
    /// A simulator on loopback, on a port of its own.
    ///
    /// # Errors
    /// When the scenario does not make sense, or there is no port to be had.
    pub async fn start(scenario: Scenario) -> std::io::Result<Self> {
        Self::listen(scenario, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// A simulator at this address.
    ///
    /// # Errors
    /// When the scenario does not make sense, or the address cannot be had.
    pub async fn listen(scenario: Scenario, address: SocketAddr) -> std::io::Result<Self> {
        let world = World::new(scenario).map_err(std::io::Error::other)?;
        let world = Arc::new(Mutex::new(world));
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let answering = Arc::clone(&world);
        let accepting = serve(listener, move |call| answer(&answering, &call));
        Ok(Self {
            url,
            world,
            accepting,
        })
    }

    /// Its address, without a slash at the end. The API is below `/api/v2`, tokens are at `/oauth/token`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The simulator's time, as the API prints it.
    #[must_use]
    pub fn now(&self) -> String {
        time::print(lock(&self.world).now())
    }

    /// Moves the clock on, and lets happen what the script has for that.
    ///
    /// # Errors
    /// When the script cannot be carried out.
    pub fn advance(&self, by: Duration) -> Result<(), String> {
        let mut world = lock(&self.world);
        let now = world.now();
        world.set_clock(now + i64::try_from(by.as_millis()).unwrap_or(SECOND))
    }

    /// Changes data: all of these, or none.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn mutate(&self, mutations: &[Mutation]) -> Result<(), String> {
        let mut world = lock(&self.world);
        let now = world.now();
        let World {
            store, scenario, ..
        } = &mut *world;
        store.mutate(mutations, now, scenario).map(drop)
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Served> {
        lock(&self.world).log.iter().cloned().collect()
    }

    /// Every version of every record of a type, by its name.
    #[must_use]
    pub fn versions(&self, kind: &str) -> Vec<(u64, Vec<Version>)> {
        let world = lock(&self.world);
        let Some((at, _)) = crate::Type::named(kind) else {
            return Vec::new();
        };
        let records = world.store.table(at).records.iter();
        records
            .map(|(id, record)| (*id, record.versions.clone()))
            .collect()
    }

    /// Carries out a request to the [control plane](crate::control), as `control("POST", "clock", …)`.
    ///
    /// # Errors
    /// What the control plane says is wrong.
    pub fn control(
        &self,
        method: &str,
        name: &str,
        body: &serde_json::Value,
    ) -> Result<serde_json::Value, String> {
        let body = body.to_string();
        let path = format!("/__sim/{name}");
        let (status, answer) = control(&mut lock(&self.world), method, &path, &[], body.as_bytes());
        match status {
            200 => Ok(answer),
            _ => Err(answer["error"].as_str().unwrap_or_default().to_owned()),
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(world: &Shared, call: &Call) -> Answer {
    let path = call.path.as_str();
    let query: Vec<(String, String)> = url::form_urlencoded::parse(call.query.as_bytes())
        .into_owned()
        .collect();
    let method = call.method.as_str();
    if path.starts_with("/__sim/") {
        let (status, answer) = control(&mut lock(world), method, path, &query, &call.body);
        return Answer::new(status, "application/json", answer.to_string());
    }
    if path == "/oauth/authorize" {
        return authorise(&query);
    }
    let origin = format!("http://{}", call.header("host").unwrap_or("localhost"));
    let token = call.header("authorization");
    let request = api::Request {
        method,
        path: path.strip_prefix("/api/v2/").unwrap_or_default(),
        query: &query,
        token: token.and_then(|value| value.strip_prefix("Bearer ")),
        content_type: call.header("content-type"),
        origin: &origin,
    };
    lock(world).serve(&request, path, &call.body)
}

fn authorise(query: &[(String, String)]) -> Answer {
    let get = |wanted: &str| {
        query
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    let to = get("redirect_uri").and_then(|uri| url::Url::parse(uri).ok());
    let Some(mut to) = to else {
        return Answer::new(400, "text/plain", "there is no `redirect_uri`");
    };
    to.query_pairs_mut()
        .append_pair("code", CODE)
        .append_pair("state", get("state").unwrap_or_default());
    let mut answer = Answer::new(302, "text/plain", "");
    answer.headers.push(("location".to_owned(), to.into()));
    answer
}
