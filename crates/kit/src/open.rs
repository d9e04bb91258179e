//! Opening a capture: from the request to running functions, in the one order that is safe.
//!
//! ```text
//! Open ─► config ─► bindings ─► migrate the raw state ─► decode it ─► Opened ─► one checkpoint ─► acknowledged ─► functions
//!         └────────────── nothing is written before all of this succeeded ─────┘
//! ```
//!
//! No binding starts before the migration's checkpoint is durable: its first patch assumes the new shape, and merged into the old
//! one it would leave a state that is half each.

mod fit;
mod initialise;
mod lanes;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use staunch_protocol::flow::CaptureBinding;
use staunch_protocol::{RawValue, Response, request, response};
use staunch_state::{Binding, ConnectorState, Node, Object, Part, ResourceState};
use tracing::Instrument;

use crate::capture::{BoxError, Child, Lane, OpenBinding, RosterLane, Session, TaskError};
use crate::config;
use crate::connector::Connector;
use crate::log;
use crate::migrate::{self, Definitions, Migrating, Planned, Purpose};
use crate::resource::Resource;
use crate::resource_config::ResourceConfig;
use crate::spool::Spool;
use crate::transactor::Await;
use fit::check_fit;
use initialise::initialise;
pub(crate) use lanes::Lanes;

/// A capture that can be opened: all that may fail without a trace has succeeded.
pub(crate) struct Prepared {
    bindings: Vec<PreparedBinding>,
    planned: Option<Planned>,
    pub(crate) concurrent_subtasks: usize,
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
    let concurrent_subtasks = connector.concurrent_subtasks(&config);
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
    Ok(Prepared {
        bindings,
        planned,
        concurrent_subtasks,
    })
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
