//! A connector with the given chain, whose resources read on by one position and then have nothing more.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use staunch::{BoxError, Connector, Migrating, Migration, Resource};
use staunch_state::{Binding, Chain, Cursor, Node};

use crate::case::Case;
use crate::cursors;
use crate::shape::{self, BACKFILL, INC, SNAPSHOT};

/// The key of every collection: snapshots may be taken by subtask.
pub(super) const KEY: [&str; 2] = ["/subtask", "/_meta/row_id"];

/// How often a resource is looked at: short, since a session waits for its functions.
const INTERVAL: Duration = Duration::from_millis(2);

/// A document that is captured; what is in it does not matter.
#[derive(serde::Serialize)]
struct Document {
    id: u32,
}

/// The stub needs to know nothing.
#[derive(serde::Deserialize, schemars::JsonSchema)]
pub(super) struct Nothing {}

/// What one session of the stub is to do, and what it did.
pub(super) struct Script {
    chain: Arc<Chain>,
    /// What the chain sees. The kit is told of resources by other names: those of the state keys.
    bindings: Vec<Binding>,
    resources: Vec<Scripted>,
    started: AtomicUsize,
}

/// A resource, named like its state key.
#[derive(Clone, Debug)]
struct Scripted {
    name: String,
    is_active: bool,
    inc: Kind,
    backfill: Kind,
    /// The subtasks that have a snapshot; the flat one has no name.
    snapshots: Vec<Option<String>>,
    /// How far each subtask reads; none where it stays.
    goals: Arc<HashMap<Option<String>, Option<Cursor>>>,
}

/// Whether a part of the migrated state is one entry, or one for each subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Absent,
    Flat,
    Keyed,
}

impl Script {
    /// For a case whose state becomes `after`.
    pub(super) fn new(chain: Arc<Chain>, case: &Case, after: &Node) -> Self {
        Script {
            chain,
            bindings: case.bindings.clone(),
            resources: case
                .bindings
                .iter()
                .map(|binding| Scripted::new(binding, after))
                .collect(),
            started: AtomicUsize::new(0),
        }
    }

    /// Notes that a function was started.
    pub(super) fn start(&self) {
        self.started.fetch_add(1, Ordering::SeqCst);
    }

    /// How many functions were started.
    pub(super) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    /// The names of resources, open ones or the others.
    pub(super) fn names(&self, is_active: bool) -> impl Iterator<Item = &str> {
        self.resources
            .iter()
            .filter(move |resource| resource.is_active == is_active)
            .map(|resource| resource.name.as_str())
    }

    /// Whether every open binding has read on as far as it does.
    pub(super) fn is_done(&self, state: &Node) -> bool {
        self.resources
            .iter()
            .filter(|resource| resource.is_active)
            .all(|resource| resource.is_done(state))
    }
}

impl Scripted {
    fn new(binding: &Binding, after: &Node) -> Self {
        let nothing = staunch_state::Object::new();
        let state = shape::binding(after, &binding.state_key).unwrap_or(&nothing);
        let kind = |part: shape::Part| match part.names(state).first() {
            None => Kind::Absent,
            Some(None) => Kind::Flat,
            Some(Some(_)) => Kind::Keyed,
        };
        let goals = INC.entries(state).into_iter().map(|(name, entry)| {
            let cursor = cursors::read(entry.get("cursor"));
            (
                name.map(str::to_owned),
                cursor.and_then(|cursor| cursors::later(&cursor, 1)),
            )
        });
        Scripted {
            name: binding.state_key.clone(),
            is_active: binding.is_active,
            inc: kind(INC),
            backfill: kind(BACKFILL),
            snapshots: SNAPSHOT.names(state),
            goals: Arc::new(goals.collect()),
        }
    }

    fn is_done(&self, state: &Node) -> bool {
        let Some(state) = shape::binding(state, &self.name) else {
            return false;
        };
        let is_there = |(name, goal): (&Option<String>, &Option<Cursor>)| {
            let entry = INC.entry(state, name.as_deref());
            let cursor = entry.and_then(|entry| cursors::read(entry.get("cursor")));
            goal.is_none() || cursor == *goal
        };
        let one = Node::integer(1);
        let is_taken = |name: &Option<String>| {
            let entry = SNAPSHOT.entry(state, name.as_deref());
            entry.and_then(|entry| entry.get("last_count")) == Some(&one)
        };
        let is_unfinished =
            |(_, entry): &(Option<&str>, &staunch_state::Object)| entry.present("cutoff").is_some();
        state.present("last_initialized").is_some()
            && self.goals.iter().all(is_there)
            && self.snapshots.iter().all(is_taken)
            && !BACKFILL.entries(state).iter().any(is_unfinished)
    }

    fn resource(&self, script: &Arc<Script>) -> Resource {
        let mut resource = Resource::new(&self.name)
            .key(KEY)
            .tombstone(of_subtask(""))
            .interval(INTERVAL);
        let fetch = {
            let (script, goals) = (Arc::clone(script), Arc::clone(&self.goals));
            move |subtask: Option<String>, cursor: Cursor, mut emit: staunch::Changes| {
                let goal = goals.get(&subtask).cloned().flatten();
                let script = Arc::clone(&script);
                async move {
                    script.start();
                    if let Some(goal) = goal.filter(|goal| *goal != cursor) {
                        emit.document(&Document { id: 1 })?;
                        emit.checkpoint(goal).await?;
                    }
                    Ok::<(), BoxError>(())
                }
            }
        };
        resource = match self.inc {
            Kind::Absent => resource,
            Kind::Flat => resource.incremental(move |cursor, emit| fetch(None, cursor, emit)),
            Kind::Keyed => resource.incremental_each(move |subtask, cursor, emit| {
                fetch(Some(subtask.to_string()), cursor, emit)
            }),
        };
        let page = {
            let script = Arc::clone(script);
            move |mut emit: staunch::Pages| {
                let script = Arc::clone(&script);
                async move {
                    script.start();
                    emit.document(&Document { id: 2 })?;
                    Ok::<(), BoxError>(())
                }
            }
        };
        resource = match self.backfill {
            Kind::Absent => resource,
            Kind::Flat => resource.backfill(move |_, _, emit| page(emit)),
            Kind::Keyed => resource.backfill_each(move |_, _, _, emit| page(emit)),
        };
        for name in &self.snapshots {
            let script = Arc::clone(script);
            let rows = move |mut emit: staunch::Rows| {
                let script = Arc::clone(&script);
                async move {
                    script.start();
                    emit.document(&Document { id: 3 })?;
                    Ok::<(), BoxError>(())
                }
            };
            resource = match name {
                None => resource.snapshot(rows),
                Some(name) => resource
                    .tombstone_subtask(name, of_subtask(name))
                    .snapshot_subtask(name, rows),
            };
        }
        resource
    }
}

/// What a deletion has of the key beside the row.
fn of_subtask(name: &str) -> serde_json::Map<String, serde_json::Value> {
    serde_json::Map::from_iter([("subtask".to_owned(), name.into())])
}

/// The connector.
pub(super) struct Stub(pub(super) Arc<Script>);

impl Connector for Stub {
    type Config = Nothing;
    const DOCUMENTATION_URL: &'static str = "https://example.com/staunch/testkit";

    async fn resources(&self, _: &Nothing) -> Result<Vec<Resource>, BoxError> {
        let active = self
            .0
            .resources
            .iter()
            .filter(|resource| resource.is_active);
        Ok(active.map(|resource| resource.resource(&self.0)).collect())
    }

    async fn migrate_state(
        &self,
        migrating: &Migrating<'_, Nothing>,
    ) -> Result<Migration, BoxError> {
        let migrated = self.0.chain.run(migrating.state, &self.0.bindings)?;
        if migrated.applied.is_empty() {
            return Ok(Migration::Unchanged);
        }
        Ok(Migration::Migrated {
            state: migrated.after,
            applied: migrated.applied,
            declared: self.0.chain.declared(),
        })
    }
}
