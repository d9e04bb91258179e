//! Opening a capture: from the request to running functions, in the one order that is safe.
//!
//! ```text
//! Open ─► config ─► bindings ─► migrate the raw state ─► decode it ─► Opened ─► one checkpoint ─► acknowledged ─► functions
//!         └────────────── nothing is written before all of this succeeded ─────┘
//! ```
//!
//! No binding starts before the migration's checkpoint is durable: its first patch assumes the new shape, and merged into the old
//! one it would leave a state that is half each.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use serde_json::{Map, Value};
use staunch_protocol::flow::CaptureBinding;
use staunch_protocol::{RawValue, Response, request, response};
use staunch_state::{Binding, ConnectorState, Incremental, Node, Object, Part, ResourceState};
use tracing::Instrument;

use crate::capture::{
    BackfillFn, BackfillLane, BackfillStart, BoxError, Child, IncrementalFn, IncrementalLane, Lane,
    OpenBinding, RosterLane, Session, SnapshotFn, SnapshotLane, Subtask, TaskError, state_patch,
};
use crate::config;
use crate::connector::Connector;
use crate::log;
use crate::migrate::{self, Definitions, Migrating, Planned, Purpose};
use crate::resource::{Functions, Resource};
use crate::resource_config::ResourceConfig;
use crate::spool::Spool;
use crate::transactor::Await;

/// A capture that can be opened: all that may fail without a trace has succeeded.
pub(crate) struct Prepared {
    bindings: Vec<PreparedBinding>,
    planned: Option<Planned>,
}

struct PreparedBinding {
    open: Arc<OpenBinding>,
    resource: Resource,
    /// None if it is new.
    state: Option<Node>,
}

/// The state that a capture opens with, and what was done to it.
pub(crate) struct Migrated<C> {
    config: C,
    configs: Vec<ResourceConfig>,
    state: ConnectorState,
    /// What will be done to the stored state, if anything.
    pub(crate) planned: Option<Planned>,
}

/// Reads the request, and carries its state into today's shape. Asks the source only if a migration must, and may.
pub(crate) async fn migrate<C: Connector>(
    connector: &C,
    open: &mut request::Open,
    purpose: Purpose,
) -> Result<Migrated<C::Config>, BoxError> {
    let config: C::Config = config::decode(open.capture.config.get())?;
    let configs = resource_configs(&open.capture.bindings)?;
    // Taken out of the request: it may be large, and is needed only here.
    let state = std::mem::replace(&mut open.state, RawValue::NULL.to_owned());
    let state = parse_state(state)?;
    let bindings = state_bindings(
        &open.capture.bindings,
        &open.capture.inactive_bindings,
        &state,
    )?;
    let migrating = Migrating {
        config: &config,
        state: &state,
        bindings: &bindings,
        range: open.range,
        purpose,
        #[cfg(feature = "http")]
        http: crate::http::Client::new(),
        definitions: Definitions::default(),
    };
    let planned = migrate::plan(connector, &migrating).await?;
    let state = ConnectorState::new(
        planned
            .as_ref()
            .map_or(state, |planned| planned.state.clone()),
    )?;
    if let Some(state_key) = state.backfill_requests().next() {
        let problem = format!(
            "a backfill of `{state_key}` is requested in the state, which this version does not support"
        );
        return Err(format!(
            "{problem}; remove the request, or let the connector that made it carry it out"
        )
        .into());
    }
    state.decode()?; // A state that cannot be read is never taken for an empty one.
    Ok(Migrated {
        config,
        configs,
        state,
        planned,
    })
}

/// Migrates the state, and sees that every binding has its resource. Writes nothing.
pub(crate) async fn prepare<C: Connector>(
    connector: &C,
    mut open: request::Open,
) -> Result<Prepared, BoxError> {
    let Migrated {
        config,
        configs,
        state,
        planned,
    } = migrate(connector, &mut open, Purpose::Open).await?;
    // The request may hold megabytes, of which nothing else is needed from here on.
    let state_keys: Vec<String> = open
        .capture
        .bindings
        .into_iter()
        .map(|binding| binding.state_key)
        .collect();
    let mut resources = by_name(connector.resources(&config).await?)?;
    let mut bindings = Vec::with_capacity(configs.len());
    for ((index, config), state_key) in (0..).zip(configs).zip(state_keys) {
        let resource = resources.remove(&config.name).ok_or_else(|| {
            format!(
                "resource `{}` was not found, or is bound twice; see which there are with `discover`",
                config.name
            )
        })?;
        let state = state.binding(&state_key).cloned();
        if let Some(state) = &state {
            check_fit(&state_key, &resource, state)?;
        }
        let open = OpenBinding {
            index,
            name: config.name,
            state_key,
            interval: config.interval.unwrap_or(resource.interval),
            until: if resource.acknowledgements {
                Await::Durable
            } else {
                Await::Written
            },
        };
        bindings.push(PreparedBinding {
            open: Arc::new(open),
            resource,
            state,
        });
    }
    Ok(Prepared { bindings, planned })
}

impl Prepared {
    /// Whether the runtime must say what is durable. A migration asks for it, whether or not anything else does.
    pub(crate) fn wants_acknowledgements(&self) -> bool {
        self.planned.is_some()
            || self
                .bindings
                .iter()
                .any(|binding| binding.resource.acknowledgements)
    }

    /// Answers `Opened`, carries the state over, and hands out the functions to run.
    pub(crate) async fn start(self, session: &Arc<Session>) -> Result<Vec<Child>, TaskError> {
        let explicit_acknowledgements = self.wants_acknowledgements();
        if explicit_acknowledgements {
            session.transactor.expect_acknowledgements();
        }
        let opened = Response::Opened(response::Opened {
            explicit_acknowledgements,
        });
        session
            .transactor
            .respond(&opened, Spool::new(&session.budget))
            .await?;
        if let Some(planned) = self.planned {
            commit_migration(session, planned).await?;
        }
        let mut children = Vec::with_capacity(self.bindings.len());
        for binding in self.bindings {
            let span = tracing::info_span!("binding", binding = %binding.open.name, state_key = %binding.open.state_key);
            children.extend(binding.start(session).instrument(span).await?);
        }
        Ok(children)
    }
}

/// Sends the one checkpoint of a migration, and waits until it is durable.
async fn commit_migration(session: &Session, planned: Planned) -> Result<(), TaskError> {
    log::write_migration("connector state is migrated", &planned.record);
    let update = planned
        .plan
        .update
        .expect("what is planned changes something");
    let updated = RawValue::from_string(update.updated).expect("a state update is valid JSON");
    let nothing = Spool::new(&session.budget);
    session
        .transactor
        .checkpoint(nothing, &updated, update.merge_patch, Await::Durable)
        .await
}

impl PreparedBinding {
    /// Initialises the state if it is new, and hands out the functions to run.
    async fn start(self, session: &Arc<Session>) -> Result<Vec<Child>, TaskError> {
        let Self {
            open,
            mut resource,
            state,
        } = self;
        let state = initialise(session, &open, &resource, state).await?;
        if let Some(hook) = resource.on_open.take() {
            hook(&state).map_err(TaskError::from_fetch)?;
        }
        let typed =
            ResourceState::decode(&open.state_key, &state).map_err(|error| TaskError::State {
                state_key: open.state_key.clone(),
                binding: open.name.clone(),
                pointer: error.pointer,
                problem: error.message,
            })?;
        let roster = resource.roster.take();
        let lanes = Lanes::new(resource);
        let Some(roster) = roster else {
            return lanes.of_state(session, &open, &typed);
        };
        let known = subtasks(&typed.inc);
        let lane = RosterLane::new(
            Lane::new(session, &open, None),
            roster,
            known,
            lanes.clone(),
        );
        let (session, open) = (Arc::clone(session), Arc::clone(&open));
        let name = format!("{} (roster)", open.name);
        // New subtasks first: what the others read may depend on what those have claimed.
        let run = async move {
            let lane = lane.call().await?;
            for child in lanes.of_state(&session, &open, &typed)? {
                session
                    .spawn
                    .send(child)
                    .await
                    .map_err(|_| TaskError::Closed)?;
            }
            lane.run().await
        };
        Ok(vec![Child::new(name, run)])
    }
}

/// The state that the binding opens with: its initial one if it is new, and stamped with when that was if it is not.
async fn initialise(
    session: &Session,
    open: &OpenBinding,
    resource: &Resource,
    state: Option<Node>,
) -> Result<Node, TaskError> {
    let state = match state {
        Some(Node::Object(state))
            if state
                .get("last_initialized")
                .is_some_and(|at| !at.is_null()) =>
        {
            return Ok(Node::Object(state));
        }
        Some(Node::Object(state)) => stamped(state, session.clock.now()),
        _ => stamped(
            resource
                .initial_state
                .clone()
                .into_object()
                .unwrap_or_default(),
            session.clock.now(),
        ),
    };
    let patch = state_patch(&[&open.state_key], &state.to_json());
    let updated = RawValue::from_string(patch).expect("a state patch is valid JSON");
    let nothing = Spool::new(&session.budget);
    session
        .transactor
        .checkpoint(nothing, &updated, true, Await::Turn)
        .await?;
    Ok(state)
}

fn stamped(mut state: Object, now: Timestamp) -> Node {
    state.insert("last_initialized", Node::string(now.to_string()));
    Node::Object(state)
}

fn parse_state(json: Box<RawValue>) -> Result<Node, BoxError> {
    match Node::parse_owned(String::from(Box::<str>::from(json)))? {
        Node::Null => Ok(Node::Object(Object::new())),
        state @ Node::Object(_) => Ok(state),
        Node::Leaf(_) => {
            Err("the connector state is not an object; restore it from the history".into())
        }
    }
}

/// All bindings' configurations, or all that is wrong with them.
pub(crate) fn resource_configs(
    bindings: &[CaptureBinding],
) -> Result<Vec<ResourceConfig>, BoxError> {
    let decode = |(index, binding): (usize, &CaptureBinding)| {
        ResourceConfig::decode(index, binding.resource_config.get())
    };
    Ok(bindings
        .iter()
        .enumerate()
        .map(decode)
        .collect::<Result<_, _>>()?)
}

/// The connector's resources. A name stands for one of them.
pub(crate) fn by_name(resources: Vec<Resource>) -> Result<HashMap<String, Resource>, BoxError> {
    let mut named = HashMap::with_capacity(resources.len());
    for resource in resources {
        if let Some(other) = named.insert(resource.name.clone(), resource) {
            let problem = format!("the connector has two resources named `{}`", other.name);
            return Err(format!("{problem}; it must give each a name of its own").into());
        }
    }
    Ok(named)
}

/// What migrations see: the bindings of the capture, those which are disabled, and the state keys which have no binding at all.
fn state_bindings(
    active: &[CaptureBinding],
    inactive: &[CaptureBinding],
    state: &Node,
) -> Result<Vec<Binding>, BoxError> {
    let mut bindings = Vec::with_capacity(active.len() + inactive.len());
    let mut seen = BTreeSet::new();
    let all = active
        .iter()
        .map(|binding| (binding, true))
        .chain(inactive.iter().map(|binding| (binding, false)));
    for (binding, is_active) in all {
        let is_new = seen.insert(binding.state_key.clone());
        if !is_new && is_active {
            return Err(format!(
                "two bindings have the state key `{}`; give one another resource",
                binding.state_key
            )
            .into());
        }
        if is_new {
            let resource = Some(Node::parse(binding.resource_config.get())?);
            bindings.push(Binding {
                state_key: binding.state_key.clone(),
                resource,
                is_active,
            });
        }
    }
    let states = state.pointer("/bindingStateV1").and_then(Node::as_object);
    let with_state = states
        .into_iter()
        .flat_map(Object::iter)
        .filter(|(_, state)| !state.is_null());
    let orphans = with_state.filter(|(state_key, _)| !seen.contains(*state_key));
    bindings.extend(orphans.map(|(state_key, _)| Binding {
        state_key: state_key.to_owned(),
        resource: None,
        is_active: false,
    }));
    Ok(bindings)
}

fn subtasks<T>(part: &Part<T>) -> BTreeSet<String> {
    match part {
        Part::Keyed(subtasks) => subtasks
            .iter()
            .filter(|(_, state)| state.is_some())
            .map(|(name, _)| name.clone())
            .collect(),
        _ => BTreeSet::new(),
    }
}

/// Sees that a resource can go on with its state, before anything is written: afterwards a migration would be committed that nobody
/// can run.
fn check_fit(state_key: &str, resource: &Resource, state: &Node) -> Result<(), TaskError> {
    let typed = ResourceState::decode(state_key, state);
    let wrong = match &typed {
        Ok(typed) => misfit(
            resource.incremental.as_ref(),
            resource.backfill.as_ref(),
            resource.snapshot.as_ref(),
            typed,
        ),
        Err(error) => Some((
            error.pointer.clone(),
            "it cannot be read; restore it from the history",
        )),
    };
    match wrong {
        None => Ok(()),
        Some((pointer, problem)) => Err(TaskError::State {
            state_key: state_key.to_owned(),
            binding: resource.name.clone(),
            pointer,
            problem: problem.to_owned(),
        }),
    }
}

/// The functions of a resource, and how lanes are made of them.
#[derive(Clone)]
pub(crate) struct Lanes {
    incremental: Option<Functions<IncrementalFn>>,
    backfill: Option<Functions<BackfillFn>>,
    snapshot: Option<Functions<SnapshotFn>>,
    tombstone: Arc<Map<String, Value>>,
}

impl Lanes {
    fn new(resource: Resource) -> Self {
        Self {
            incremental: resource.incremental,
            backfill: resource.backfill,
            snapshot: resource.snapshot,
            tombstone: Arc::new(resource.tombstone),
        }
    }

    /// The lanes with which a binding of this state begins.
    fn of_state(
        &self,
        session: &Arc<Session>,
        open: &Arc<OpenBinding>,
        state: &ResourceState,
    ) -> Result<Vec<Child>, TaskError> {
        let wrong = |pointer: String, problem: &str| TaskError::State {
            state_key: open.state_key.clone(),
            binding: open.name.clone(),
            pointer,
            problem: problem.to_owned(),
        };
        let (incremental, backfill) = (self.incremental.as_ref(), self.backfill.as_ref());
        if let Some((pointer, problem)) =
            misfit(incremental, backfill, self.snapshot.as_ref(), state)
        {
            return Err(wrong(pointer, problem));
        }
        let new_lane = |subtask: Option<&str>| Lane::new(session, open, subtask.map(Arc::from));
        let mut children = Vec::new();

        let of_inc = functions_of(self.incremental.as_ref(), &state.inc);
        let of_backfill = functions_of(self.backfill.as_ref(), &state.backfill);
        let of_snapshot = functions_of(self.snapshot.as_ref(), &state.snapshot);
        let mut running: HashMap<Option<&str>, Arc<AtomicBool>> = HashMap::new();
        for (subtask, fetch, entry) in of_backfill {
            let Some(entry) = entry else { continue }; // Complete, or never begun.
            let flag = Arc::new(AtomicBool::new(true));
            running.insert(subtask, Arc::clone(&flag));
            let lane = BackfillLane::new(
                new_lane(subtask),
                fetch,
                entry.cutoff.clone(),
                entry.next_page.clone(),
                flag,
            );
            children.push(Child::new(task_name(open, subtask, "backfill"), lane.run()));
        }
        for (subtask, fetch, entry) in of_inc {
            let Some(Incremental { cursor }) = entry else {
                return Err(wrong("/inc".to_owned(), NO_CURSOR));
            };
            let flag = running.get(&subtask).map(Arc::clone).unwrap_or_default();
            let lane = IncrementalLane::new(
                new_lane(subtask),
                fetch,
                cursor.clone(),
                self.backfill_start(subtask, flag),
            );
            children.push(Child::new(
                task_name(open, subtask, "incremental"),
                lane.run(),
            ));
        }
        for (subtask, fetch, entry) in of_snapshot {
            let lane = SnapshotLane::new(
                new_lane(subtask),
                fetch,
                Arc::clone(&self.tombstone),
                entry.cloned(),
            );
            children.push(Child::new(task_name(open, subtask, "snapshot"), lane.run()));
        }
        Ok(children)
    }

    /// The lanes of a subtask that begins.
    pub(crate) fn of_subtask(
        &self,
        session: &Arc<Session>,
        open: &Arc<OpenBinding>,
        name: &str,
        state: Subtask,
    ) -> Vec<Child> {
        let subtask = Some(name);
        let new_lane = || Lane::new(session, open, Some(Arc::from(name)));
        let mut children = Vec::new();
        let flag = Arc::new(AtomicBool::new(false));
        let backfill = self
            .backfill
            .as_ref()
            .and_then(|functions| functions.of(name));
        if let (Some(page), Some(fetch)) = (state.backfill, backfill) {
            let lane = BackfillLane::new(
                new_lane(),
                fetch,
                state.cursor.clone(),
                page,
                Arc::clone(&flag),
            );
            children.push(Child::new(task_name(open, subtask, "backfill"), lane.run()));
        }
        if let Some(fetch) = self
            .incremental
            .as_ref()
            .and_then(|functions| functions.of(name))
        {
            let lane = IncrementalLane::new(
                new_lane(),
                fetch,
                state.cursor,
                self.backfill_start(subtask, flag),
            );
            children.push(Child::new(
                task_name(open, subtask, "incremental"),
                lane.run(),
            ));
        }
        children
    }

    fn backfill_start(
        &self,
        subtask: Option<&str>,
        running: Arc<AtomicBool>,
    ) -> Option<BackfillStart> {
        let fetch = match (self.backfill.as_ref()?, subtask) {
            (Functions::Flat(fetch), None) => Arc::clone(fetch),
            (functions, Some(subtask)) => functions.of(subtask)?,
            _ => return None,
        };
        Some(BackfillStart { fetch, running })
    }
}

fn task_name(open: &OpenBinding, subtask: Option<&str>, strategy: &str) -> String {
    match subtask {
        Some(subtask) => format!("{}: {subtask} ({strategy})", open.name),
        None => format!("{} ({strategy})", open.name),
    }
}

/// Each function with the subtask it is of and the state there is for it.
type WithState<'a, F, T> = Vec<(Option<&'a str>, F, Option<&'a T>)>;

/// Where a state has another shape than the functions that are to go on with it: the place, and what is wrong there.
fn misfit(
    incremental: Option<&Functions<IncrementalFn>>,
    backfill: Option<&Functions<BackfillFn>>,
    snapshot: Option<&Functions<SnapshotFn>>,
    state: &ResourceState,
) -> Option<(String, &'static str)> {
    let inc = wrong_shape(incremental, &state.inc);
    let backfill = wrong_shape(backfill, &state.backfill);
    let snapshot = wrong_shape(snapshot, &state.snapshot);
    let parts = [
        ("/inc", inc),
        ("/backfill", backfill),
        ("/snapshot", snapshot),
    ];
    let wrong = parts
        .into_iter()
        .find_map(|(pointer, problem)| Some((pointer.to_owned(), problem?)));
    wrong.or_else(|| without_cursor(incremental, state).map(|pointer| (pointer, NO_CURSOR)))
}

const NO_CURSOR: &str = "there is no cursor; migrate the state, or reset the binding";

/// The place of a cursor that a function needs, and that is not there.
fn without_cursor(
    incremental: Option<&Functions<IncrementalFn>>,
    state: &ResourceState,
) -> Option<String> {
    match incremental? {
        Functions::Flat(_) => state.inc.is_none().then(|| "/inc".to_owned()),
        Functions::Named(named) => {
            let mut names = named.iter().map(|(name, _)| name);
            let missing = names.find(|name| state.inc.subtask(name).is_none())?;
            Some(format!("/inc/{missing}"))
        }
        Functions::Each(_) => None,
    }
}

fn wrong_shape<F, T>(functions: Option<&Functions<F>>, part: &Part<T>) -> Option<&'static str> {
    const FLAT: &str =
        "it is of the whole resource where the connector captures by subtask; migrate the state";
    const KEYED: &str =
        "it is by subtask where the connector captures the resource as a whole; migrate the state";
    match (functions?, part) {
        (Functions::Flat(_), Part::Keyed(subtasks)) if !subtasks.is_empty() => Some(KEYED),
        (Functions::Named(_) | Functions::Each(_), Part::Flat(_)) => Some(FLAT),
        _ => None,
    }
}

/// Pairs functions with the state that they have, whose shape is theirs.
fn functions_of<'a, F: Clone, T>(
    functions: Option<&'a Functions<F>>,
    part: &'a Part<T>,
) -> WithState<'a, F, T> {
    match (functions, part) {
        (None, _) => Vec::new(),
        (Some(Functions::Flat(f)), Part::Flat(state)) => vec![(None, f.clone(), Some(state))],
        (Some(Functions::Flat(f)), _) => vec![(None, f.clone(), None)],
        (Some(Functions::Named(named)), _) => {
            let states: HashMap<Option<&str>, &T> = part.entries().collect();
            let with_state = |(name, f): &'a (String, F)| {
                let name = Some(name.as_str());
                (name, f.clone(), states.get(&name).copied())
            };
            named.iter().map(with_state).collect()
        }
        (Some(Functions::Each(make)), Part::Keyed(subtasks)) => {
            let present = subtasks
                .iter()
                .filter_map(|(name, state)| Some((name.as_str(), state.as_ref()?)));
            present
                .map(|(name, state)| (Some(name), make(name), Some(state)))
                .collect()
        }
        (Some(Functions::Each(_)), Part::None | Part::Flat(_)) => Vec::new(),
    }
}
