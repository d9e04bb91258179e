//! The hook that carries connector state from one shape into the next.
//!
//! There is one place that runs it ([`plan`]), and every path that opens a capture, or says what opening it would do, goes
//! through that place. The order around it is fixed (see [`crate::open`]): the raw state first, then the typed decode, then
//! `Opened`, then one checkpoint, and only when that is durable does anything start.

use serde_json::{Value, json};
use staunch_protocol::flow::RangeSpec;
use staunch_state::{Applied, Binding, Chain, Declared, MigrationError, Node, Plan, Terms};
use twox_hash::XxHash3_128;

use crate::capture::BoxError;
use crate::connector::Connector;
#[cfg(feature = "http")]
use crate::http;

/// What a migration sees: everything, before any of it is decoded.
pub struct Migrating<'a, C> {
    /// The endpoint config.
    pub config: &'a C,
    /// The whole connector state, as it came.
    pub state: &'a Node,
    /// Every binding, and every state key that has state and no binding any more: those have no resource config.
    pub bindings: &'a [Binding],
    /// The part of the key space that this process captures.
    pub range: RangeSpec,
    pub(crate) purpose: Purpose,
    #[cfg(feature = "http")]
    pub(crate) http: http::Client,
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
    /// Runs a chain on the state.
    ///
    /// # Errors
    /// When a step fails, or its result would change again.
    pub fn run(&self, chain: &Chain) -> Result<Migration, MigrationError> {
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
    let terms = Terms {
        declared,
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
    if plan.is_empty() {
        return Ok(None); // The steps say that they changed something, but nothing differs.
    }
    Ok(Some(Planned {
        plan,
        state,
        applied,
    }))
}

/// A migration that is to be carried out.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// The state that it leads to.
    pub(crate) state: Node,
    applied: Vec<Applied>,
}

impl Planned {
    /// What a runtime keeps of it: which steps, and by which update it can be known.
    pub(crate) fn journal(&self) -> Value {
        let updates = self.plan.update.to_wire();
        let digest = |text: &str| format!("{:032x}", XxHash3_128::oneshot(text.as_bytes()));
        let applied = self.applied.iter().map(
            |applied| json!({"migration": applied.migration, "bindings": applied.state_keys.len()}),
        );
        json!({
            "applied": applied.collect::<Vec<_>>(),
            "updateBytes": self.plan.update_bytes,
            "updateDigests": updates.iter().map(|update| digest(&update.updated)).collect::<Vec<_>>(),
        })
    }
}
