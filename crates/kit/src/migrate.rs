//! The hook that carries connector state from one shape into the next.
//!
//! There is one place that runs it ([`plan`]), and every path that opens a capture, or says what opening it would do, goes
//! through that place. The order around it is fixed (see [`crate::open`]): the raw state first, then the typed decode, then
//! `Opened`, then one checkpoint, and only when that is durable does anything start.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use staunch_protocol::RawValue;
use staunch_protocol::flow::RangeSpec;
use staunch_protocol::log::{self, MigrationStep};
use staunch_state::{
    Applied, BINDING_STATES, Binding, Chain, Consent, Declared, MigrationError, Node, Plan, Terms,
    WireUpdate,
};
use twox_hash::XxHash3_128;

use crate::capture::BoxError;
use crate::connector::Connector;
#[cfg(feature = "http")]
use crate::http;

/// Bytes of an update that its record shows: a log line is for people, and may be cut.
const SHOWN_UPDATE_BYTES: usize = 16 << 10;

/// What a migration sees: everything, before any of it is decoded.
///
/// ```
/// use staunch::state::{Chain, transform};
/// use staunch::{BoxError, Migrating, Migration};
///
/// // As `Connector::migrate_state`: which account it is, of which there was but one, has to be asked.
/// async fn migrate_state<C>(migrating: &Migrating<'_, C>) -> Result<Migration, BoxError> {
///     if migrating.state.pointer("/bindingStateV1/orders/inc/cursor").is_none() {
///         return Ok(Migration::Unchanged); // Nothing is asked for a state that has today's shape.
///     }
///     migrating.ask_source()?; // Refused where a plan is made that may not ask.
///     let account = ask_for_the_account().await?;
///     Ok(migrating.run(&Chain::new().with(transform::flat_to_keyed(account)))?)
/// }
/// # async fn ask_for_the_account() -> Result<String, BoxError> { Ok("a".into()) }
/// ```
pub struct Migrating<'a, C> {
    /// The endpoint config.
    pub config: &'a C,
    /// The whole connector state, as it came.
    pub state: &'a Node,
    /// Every binding, those that are disabled included, and then every state key that has state and no binding any more: those have no
    /// resource config.
    pub bindings: &'a [Binding],
    /// The part of the key space that this process captures.
    pub range: RangeSpec,
    pub(crate) purpose: Purpose,
    /// The steps that are to be undone. None where the state is migrated.
    pub(crate) undo: &'a [String],
    #[cfg(feature = "http")]
    pub(crate) http: http::Client,
    pub(crate) definitions: Definitions,
}

/// What the steps are that were run so far, by name: what is remembered of a definition is its checksum.
#[derive(Default)]
pub(crate) struct Definitions(Mutex<BTreeMap<String, String>>);

impl Definitions {
    fn remember(&self, chain: &Chain) {
        let mut checksums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_chain = chain.steps();
        checksums.extend(of_chain.map(|step| (step.name, digest(&step.definition))));
    }

    fn has(&self, step: &str) -> bool {
        let checksums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        checksums.contains_key(step)
    }

    fn checksum(&self, step: &str) -> Option<String> {
        let checksums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        checksums.get(step).cloned()
    }
}

/// What a migration is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To open the capture: what needs a person's consent is refused.
    Open,
    /// To be looked at: what needs consent is named, and the source is asked only if that is allowed.
    Look { may_ask_source: bool },
}

/// What a migration answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Migration {
    /// The state has today's shape already.
    Unchanged,
    /// The whole new state, and the named steps that made it.
    ///
    /// It is sent as the smallest merge patch, unless one of these steps declares that it
    /// [replaces the state](staunch_state::Effects::replaces_state).
    Migrated {
        /// The state.
        state: Node,
        /// Which step changed which binding.
        applied: Vec<Applied>,
        /// What the steps declare.
        declared: Declared,
    },
}

/// A step needs an answer of the source, and nobody said that it may ask.
#[derive(Debug, thiserror::Error)]
#[error(
    "migrating this state needs an answer of the source; say `--ask-source` to let the connector ask"
)]
#[non_exhaustive]
pub struct SourceNeeded;

impl<C> Migrating<'_, C> {
    /// Runs a chain on the state, and remembers what its steps are for the record that the runtime keeps.
    ///
    /// Where a rollback is planned, what is run is the reverse of those of its steps that are to be undone, and of all behind them.
    ///
    /// # Errors
    /// When a step fails, or its result would change again; for a rollback, when a step has no reverse.
    pub fn run(&self, chain: &Chain) -> Result<Migration, MigrationError> {
        let reverse;
        let chain = match self.undo {
            [] => chain,
            undo => {
                let Some(first) = chain
                    .names()
                    .position(|step| undo.iter().any(|name| name == step))
                else {
                    return Ok(Migration::Unchanged); // None of them is one of these.
                };
                reverse = chain.back_to(chain.names().take(first).last())?;
                &reverse
            }
        };
        self.definitions.remember(chain);
        let migrated = chain.run(self.state, self.bindings)?;
        if migrated.applied.is_empty() {
            return Ok(Migration::Unchanged);
        }
        Ok(Migration::Migrated {
            state: migrated.after,
            applied: migrated.applied,
            declared: chain.declared(),
        })
    }

    /// A client to ask the source with over HTTP. A migration gets none where it may not.
    ///
    /// # Errors
    /// When the source may not be asked: as [`ask_source`](Self::ask_source). Pass it on.
    #[cfg(feature = "http")]
    pub fn http(&self) -> Result<&http::Client, SourceNeeded> {
        self.ask_source()?;
        Ok(&self.http)
    }

    /// To be called before a migration asks the source anything in a way of its own: a plan may be made where that is not wanted.
    ///
    /// # Errors
    /// When the source may not be asked. Pass it on.
    pub fn ask_source(&self) -> Result<(), SourceNeeded> {
        match self.purpose {
            Purpose::Open
            | Purpose::Look {
                may_ask_source: true,
            } => Ok(()),
            Purpose::Look {
                may_ask_source: false,
            } => Err(SourceNeeded),
        }
    }
}

/// What opening with this state would do to it: nothing, or the plan to be carried out.
///
/// The one choke point: migrations run here and nowhere else.
pub(crate) async fn plan<C: Connector>(
    connector: &C,
    migrating: &Migrating<'_, C::Config>,
) -> Result<Option<Planned>, BoxError> {
    let Migration::Migrated {
        state,
        applied,
        declared,
    } = connector.migrate_state(migrating).await?
    else {
        return Ok(None);
    };
    if applied.is_empty() && !migrating.state.same_state(&state) {
        return Err(
            "the connector's migration changes the state and names no step; it must name what it does in `applied`".into(),
        );
    }
    let is_of_reverse = |applied: &Applied| migrating.definitions.has(&applied.migration);
    if !migrating.undo.is_empty() && !applied.iter().all(is_of_reverse) {
        return Err(
            "the connector's migration is no chain of steps, so none can be taken back; go back to the state before it instead".into(),
        );
    }
    let terms = Terms {
        declared,
        consents: connector.consents(migrating.config, migrating.bindings),
        ..Terms::default()
    };
    let make = match migrating.purpose {
        Purpose::Open => staunch_state::plan,
        Purpose::Look { .. } => staunch_state::survey,
    };
    let plan = make(
        migrating.state,
        &state,
        migrating.bindings,
        &applied,
        &terms,
    )?;
    let Some(update) = &plan.update else {
        return Ok(None); // The steps say that they changed something, but nothing differs.
    };
    Ok(Some(Planned {
        record: record(&plan, update, &applied, &migrating.definitions),
        plan,
        state,
    }))
}

/// A migration that is to be carried out.
pub(crate) struct Planned {
    /// Has an update.
    pub(crate) plan: Plan,
    /// The state that it leads to.
    pub(crate) state: Node,
    /// What a runtime keeps of it.
    pub(crate) record: log::Migration,
}

fn record(
    plan: &Plan,
    update: &WireUpdate,
    applied: &[Applied],
    definitions: &Definitions,
) -> log::Migration {
    let step = |applied: &Applied| MigrationStep {
        name: applied.migration.clone(),
        checksum: definitions.checksum(&applied.migration),
        // The members that belong to no binding go by an empty state key.
        bindings: applied
            .state_keys
            .iter()
            .filter(|key| !key.is_empty())
            .count() as u64,
    };
    log::Migration {
        migrations: applied.iter().map(step).collect(),
        merge_patch: update.merge_patch,
        update_bytes: update.updated.len() as u64,
        update_digest: digest(&update.updated),
        consents: plan.given.iter().map(Consent::to_string).collect(),
        update: is_shown(&update.updated).then(|| {
            RawValue::from_string(update.updated.clone()).expect("a state update is valid JSON")
        }),
    }
}

/// Whether an update may stand in a log: it is short, and about bindings alone. What is beside them may be a token.
fn is_shown(update: &str) -> bool {
    let is_about_bindings = || {
        let update = Node::parse(update).ok()?.into_object()?;
        Some(update.keys().all(|name| name == BINDING_STATES))
    };
    update.len() <= SHOWN_UPDATE_BYTES && is_about_bindings() == Some(true)
}

fn digest(text: &str) -> String {
    format!("{:032x}", XxHash3_128::oneshot(text.as_bytes()))
}
