//! Opening a capture: from the request to running functions, in the one order that is safe.
//!
//! ```text
//! Open ─► config ─► bindings ─► migrate the raw state ─► decode it ─► decide ─► Opened ─► one checkpoint ─► acknowledged ─► bindings
//!         └───────────── nothing is written before all of this succeeded ─────────┘
//! ```
//!
//! What each binding begins with is decided before anything is written, too (`initialise`). Backfills that were requested are
//! cleared then, bindings store the state that they begin with, one after the other, and their functions run.
//!
//! No binding starts before the migration's checkpoint is durable: its first patch assumes the new shape, and merged into the old
//! one it would leave a state that is half each.

mod fit;
mod initialise;
mod lanes;
mod request;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use staunch_protocol::{RawValue, Response, request::Open, response};
use staunch_state::{ConnectorState, Part, ResourceState};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::capture::{
    BoxError, Child, Lane, OpenBinding, RosterLane, Session, TaskError, run_on_open,
};
use crate::config_update::{self, Current};
use crate::connector::Connector;
use crate::discovery;
use crate::log;
use crate::migrate::{self, Definitions, Migrating, Planned, Purpose};
use crate::resource::Resource;
use crate::resource_config::ResourceConfig;
use crate::schedule::{Scheduled, watch};
use crate::spool::Spool;
use crate::transactor::Await;
use crate::unary;
use fit::{check_fit, is_backfilling};
use initialise::{Beginning, Terms, begin, clear, store};
pub(crate) use lanes::Lanes;
use request::{parse_state, resource_configs, state_bindings};

/// A capture that can be opened: all that may fail without a trace has succeeded.
pub(crate) struct Prepared {
    bindings: Vec<PreparedBinding>,
    planned: Option<Planned>,
    pub(crate) concurrent_subtasks: usize,
    /// When the capture must be opened anew, for its tokens to be rotated.
    pub(crate) rotation: Option<Timestamp>,
    /// State keys of the bindings that are to begin anew, those which are not open among them.
    requests: Vec<String>,
    /// What keeps a binding from going on with its state. Said after `Opened`, as the request itself was answerable, and before
    /// anything changes.
    misfit: Option<TaskError>,
    /// Told when the last backfill of a binding with a schedule has ended.
    backfills_ended: Arc<Notify>,
    /// What is posted to the bindings, if anything is, and where.
    #[cfg(feature = "webhook")]
    webhooks: Option<(crate::webhook::Endpoints, crate::webhook::Listener)>,
}

struct PreparedBinding {
    open: Arc<OpenBinding>,
    resource: Resource,
    beginning: Beginning,
}

/// A capture that is open.
pub(crate) struct Started {
    /// The functions to run.
    pub(crate) children: Vec<Child>,
    /// Stops the capture when a schedule comes round. Ends with this, as it must not keep a capture open that is done.
    _watch: Option<AbortOnDropHandle<()>>,
}

/// The state that a capture opens with, and what was done to it.
pub(crate) struct Migrated<C> {
    config: C,
    rotation: Option<Timestamp>,
    configs: Vec<ResourceConfig>,
    state: ConnectorState,
    /// What the state of each binding means, under its state key.
    decoded: Vec<(String, ResourceState)>,
    /// What will be done to the stored state, if anything.
    pub(crate) planned: Option<Planned>,
}

/// Reads the request, and carries its state into today's shape, or takes the steps back that are to be undone. Asks the source only if a
/// migration must, and may.
pub(crate) async fn migrate<C: Connector>(
    connector: &C,
    open: &mut Open,
    purpose: Purpose,
    undo: &[String],
    now: Timestamp,
) -> Result<Migrated<C::Config>, BoxError> {
    let configs = resource_configs(&open.capture.bindings)?;
    // Taken out of the request: it may be large, and is needed only here.
    let state = std::mem::replace(&mut open.state, RawValue::NULL.to_owned());
    let state = parse_state(state)?;
    let bindings = state_bindings(
        &open.capture.bindings,
        &open.capture.inactive_bindings,
        &state,
    )?;
    let current = config_update::current(connector, &open.capture.config, purpose, now).await?;
    let Current { config, rotation } = current;
    let migrating = Migrating {
        config: &config,
        state: &state,
        bindings: &bindings,
        range: open.range,
        purpose,
        undo,
        #[cfg(feature = "http")]
        http: crate::http::Client::of_opening(),
        definitions: Definitions::default(),
    };
    let planned = migrate::plan(connector, &migrating).await?;
    let state = ConnectorState::new(
        planned
            .as_ref()
            .map_or(state, |planned| planned.state.clone()),
    )?;
    let decoded = state.decode()?; // A state that cannot be read is never taken for an empty one.
    state.check_known(&decoded)?;
    state.check_backfill_requests()?;
    Ok(Migrated {
        config,
        rotation,
        configs,
        state,
        decoded,
        planned,
    })
}

/// Migrates the state, and sees that every binding has its resource. Writes nothing.
pub(crate) async fn prepare<C: Connector>(
    connector: &C,
    mut open: Open,
    now: Timestamp,
) -> Result<Prepared, BoxError> {
    let Migrated {
        config,
        rotation,
        configs,
        state,
        decoded,
        planned,
    } = migrate(connector, &mut open, Purpose::Open, &[], now).await?;
    // The request may hold megabytes, of which nothing else is needed from here on. Copied, and not taken out of it: the few bytes
    // that stay, strewn over the many, would keep the memory of all from the system.
    let bindings = open.capture.bindings.iter();
    let places = bindings.map(|binding| Place {
        state_key: binding.state_key.clone(),
        key: binding.collection.key.clone(),
    });
    let places: Vec<Place> = places.collect();
    drop(open);
    let concurrent_subtasks = connector.concurrent_subtasks(&config);
    let resources = connector.resources(&config).await?;
    unary::refuse(discovery::problems(&resources))?;
    #[cfg(feature = "webhook")]
    let listener = connector.listener(&config);
    let mut resources = Taken::new(resources, |resource| &resource.name);
    let mut decoded = Taken::new(decoded, |(state_key, _)| state_key);
    let of_bindings = resources.find(configs.iter().map(|config| config.name.as_str()));
    let states = decoded.find(places.iter().map(|place| place.state_key.as_str()));
    let requests: BTreeSet<String> = state.backfill_requests().map(str::to_owned).collect();
    let backfills_ended = Arc::new(Notify::new());
    let capture = Preparing {
        state: &state,
        requests: &requests,
        backfills_ended: &backfills_ended,
        now,
    };
    let mut misfit = None;
    let mut bindings = Vec::with_capacity(configs.len());
    let found = of_bindings.into_iter().zip(states);
    for (((index, config), place), (of_binding, its_state)) in
        (0..).zip(configs).zip(places).zip(found)
    {
        let resource = resources.take(of_binding).ok_or_else(|| {
            format!(
                "resource `{}` was not found, or is bound twice; see which there are with `discover`",
                config.name
            )
        })?;
        let typed = decoded.take(its_state).map(|(_, typed)| typed);
        let binding = capture.binding((index, config, place), resource, typed)?;
        if misfit.is_none() {
            let state_key = &binding.open.state_key;
            misfit = check_fit(state_key, &binding.resource, &binding.beginning).err();
        }
        bindings.push(binding);
    }
    if planned.is_some()
        && let Some(misfit) = misfit
    {
        return Err(misfit.into()); // A migration would be committed that nobody can run.
    }
    #[cfg(feature = "webhook")]
    let webhooks = {
        let bound = bindings.iter();
        let bound = bound.map(|binding| (&binding.open, &binding.resource));
        let endpoints = crate::webhook::Endpoints::of(bound);
        let endpoints = endpoints.map_err(|conflicts| conflicts.join("\n"))?;
        endpoints.map(|endpoints| (endpoints, listener))
    };
    Ok(Prepared {
        #[cfg(feature = "webhook")]
        webhooks,
        bindings,
        planned,
        concurrent_subtasks,
        rotation,
        requests: requests.into_iter().collect(),
        misfit,
        backfills_ended,
    })
}

/// Where a binding is captured to.
struct Place {
    state_key: String,
    /// The key of its collection.
    key: Vec<String>,
}

/// What is decided of each binding on its own depends on this of the capture.
struct Preparing<'a> {
    state: &'a ConnectorState,
    /// State keys of the bindings that are to begin anew.
    requests: &'a BTreeSet<String>,
    backfills_ended: &'a Arc<Notify>,
    now: Timestamp,
}

impl Preparing<'_> {
    /// Decides how a binding begins. `typed` is what its state means, if it has any.
    fn binding(
        &self,
        (index, config, place): (u32, ResourceConfig, Place),
        resource: Resource,
        typed: Option<ResourceState>,
    ) -> Result<PreparedBinding, BoxError> {
        let state_key = &place.state_key;
        let stored = self.state.binding(state_key).zip(typed);
        let is_backfilling = stored
            .as_ref()
            .is_some_and(|(_, typed)| is_backfilling(&resource, typed));
        let terms = Terms {
            state_key,
            stored,
            is_requested: self.requests.contains(state_key),
            is_backfilling,
            schedule: config.schedule,
            initial: &resource.initial_state,
            now: self.now,
        };
        let beginning = begin(terms).map_err(|problem| unusable(&resource, &problem))?;
        beginning
            .typed
            .check_known(state_key)
            .map_err(|problem| unusable(&resource, &problem))?;
        let asks_for_key = resource.snapshot.is_some() || resource.is_posted();
        let open = OpenBinding {
            index,
            scheduled: self.scheduled(&config, &beginning),
            name: config.name,
            state_key: place.state_key,
            key: if asks_for_key { place.key } else { Vec::new() },
            interval: config.interval.unwrap_or(resource.interval),
            until: match resource.acknowledgements {
                true => Await::Durable,
                false => Await::Written,
            },
        };
        Ok(PreparedBinding {
            open: Arc::new(open),
            resource,
            beginning,
        })
    }

    /// When the binding's schedule comes round for the first time since it began, if it has one and it does.
    fn scheduled(&self, config: &ResourceConfig, beginning: &Beginning) -> Option<Arc<Scheduled>> {
        let schedule = config.schedule?;
        if !schedule.comes_round() {
            tracing::warn!(
                binding = config.name,
                "the schedule never comes round, as no such month has such a day; write a day that there is"
            );
        }
        let since = beginning.typed.last_initialized.as_ref()?;
        let due = schedule.next_after(since.timestamp())?;
        Some(Scheduled::new(&config.name, due, self.backfills_ended))
    }
}

impl Prepared {
    /// The index of each binding, by the name of its resource.
    pub(crate) fn indices(&self) -> BTreeMap<String, u32> {
        let indices = self.bindings.iter();
        let indices = indices.map(|binding| (binding.open.name.clone(), binding.open.index));
        indices.collect()
    }

    /// Whether the runtime must say what is durable. A migration asks for it, whether or not anything else does.
    pub(crate) fn wants_acknowledgements(&self) -> bool {
        self.planned.is_some()
            || self
                .bindings
                .iter()
                .any(|binding| binding.resource.is_acknowledged())
    }

    /// Answers `Opened`, carries the state over, and hands out the functions to run.
    pub(crate) async fn start(self, session: &Arc<Session>) -> Result<Started, TaskError> {
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
        if let Some(misfit) = self.misfit {
            return Err(misfit);
        }
        if let Some(planned) = self.planned {
            commit_migration(session, planned).await?;
        }
        for state_key in &self.requests {
            clear(session, state_key).await?;
        }
        let mut children = Vec::with_capacity(self.bindings.len());
        let mut scheduled = Vec::new();
        for binding in self.bindings {
            scheduled.extend(binding.open.scheduled.clone());
            children.extend(binding.start(session).await?);
        }
        #[cfg(feature = "webhook")]
        if let Some((endpoints, listener)) = self.webhooks {
            children.push(crate::webhook::start(session, endpoints, listener)?);
        }
        let watch = (!scheduled.is_empty()).then(|| {
            let (clock, stopping) = (session.clock.clone(), session.stopping.clone());
            let watch = watch(scheduled, self.backfills_ended, clock, stopping);
            AbortOnDropHandle::new(tokio::spawn(watch))
        });
        Ok(Started {
            children,
            _watch: watch,
        })
    }
}

fn unusable(resource: &Resource, problem: &dyn std::error::Error) -> String {
    let name = &resource.name;
    format!("the initial state of resource `{name}` cannot be used: {problem}")
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
    /// Stores the state with which it begins, and hands out the functions to run.
    async fn start(self, session: &Arc<Session>) -> Result<Vec<Child>, TaskError> {
        let Self {
            open,
            mut resource,
            beginning:
                Beginning {
                    state,
                    typed,
                    patch,
                    ..
                },
        } = self;
        if let Some(patch) = patch {
            store(session, &open, &patch).await?;
        }
        if let Some(hook) = resource.on_open.take() {
            run_on_open(hook, session, &open, &Arc::new(state)).await?;
        }
        let roster = resource.roster.take();
        let lanes = Lanes::new(resource, &typed);
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
        // Backfills of the state are in progress, though their functions have not begun.
        let in_progress = open.scheduled.as_ref().map(Scheduled::backfill);
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
            drop(in_progress);
            lane.run().await
        };
        Ok(vec![Child::new(name, run)])
    }
}

/// Things that are taken by their names, each once. Where they are is looked up; a map of them would hold them a second time.
struct Taken<T> {
    things: Vec<Option<T>>,
    name: fn(&T) -> &String,
}

impl<T> Taken<T> {
    fn new(things: Vec<T>, name: fn(&T) -> &String) -> Self {
        let things = things.into_iter().map(Some).collect();
        Self { things, name }
    }

    /// Where those of these names are.
    fn find<'n>(&self, names: impl Iterator<Item = &'n str>) -> Vec<Option<usize>> {
        let places = self.things.iter().enumerate();
        let places = places.filter_map(|(at, thing)| Some(((self.name)(thing.as_ref()?), at)));
        let places: HashMap<&str, usize> = places.map(|(name, at)| (name.as_str(), at)).collect();
        names.map(|name| places.get(name).copied()).collect()
    }

    /// None the second time.
    fn take(&mut self, at: Option<usize>) -> Option<T> {
        self.things[at?].take()
    }
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

#[cfg(test)]
mod tests;
