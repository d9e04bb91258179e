//! A migration's record, from the connector's log into the journal.
//!
//! A connector logs which steps it has taken, and then sends one checkpoint. The two come through different pipes, so either may be
//! read first; a digest of the update says that they belong together. A connector that was killed in between tells it all again.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize as _;
use staunch_protocol::log::{Event, Level, Migration, Record};
use staunch_state::{BINDING_STATES, Node, StateUpdate};
use twox_hash::XxHash3_128;

use crate::process::LogSink;

/// How long to wait for a record that the connector wrote before its checkpoint.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the last record of a migration waits for its checkpoint.
#[derive(Default)]
pub(super) struct Mailbox {
    record: Mutex<Option<Migration>>,
    arrived: Condvar,
}

impl Mailbox {
    fn put(&self, record: Migration) {
        *self.record.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
        self.arrived.notify_all();
    }

    /// What made this update; `None` if the connector has not logged a migration that this is. A record that
    /// `is_likely` is waited for.
    pub(super) fn record_of(
        &self,
        update: &str,
        is_likely: bool,
        log: &LogSink,
    ) -> Option<Migration> {
        let digest = format!("{:032x}", XxHash3_128::oneshot(update.as_bytes()));
        let is_another = |record: &mut Option<Migration>| {
            record
                .as_ref()
                .is_none_or(|record| record.update_digest != digest)
        };
        let patience = if is_likely { PATIENCE } else { Duration::ZERO };
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .arrived
            .wait_timeout_while(record, patience, is_another);
        let (mut record, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        let record = record.take()?;
        if outcome.timed_out() {
            log(not_journaled(&record));
            return None;
        }
        Some(record)
    }
}

fn not_journaled(record: &Migration) -> Record {
    let names: Vec<_> = record
        .migrations
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    Record {
        ts: None,
        level: Level::Warn,
        message: "the connector has logged a migration, and its first checkpoint is another update: it is committed, but the \
                  journal does not have it as a migration; report it to the connector's authors"
            .to_owned(),
        fields: [("migrations".to_owned(), names.into())].into_iter().collect(),
    }
}

/// Passes log records on, and keeps that of a migration.
pub(super) fn tee(log: &LogSink, mailbox: &Arc<Mailbox>) -> LogSink {
    let (log, mailbox) = (Arc::clone(log), Arc::clone(mailbox));
    Arc::new(move |record: Record| {
        if let Some(Event::Migration(event)) = record.event()
            && let Ok(migration) = Migration::deserialize(event)
        {
            mailbox.put(migration);
        }
        log(record);
    })
}

/// The bindings that had state when the session began.
pub(super) struct Known(Vec<String>);

impl Known {
    pub(super) fn of(state: &Node) -> Self {
        let states = state.pointer("/bindingStateV1").and_then(Node::as_object);
        Self(
            states
                .into_iter()
                .flat_map(|states| states.keys())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// False for a new binding's first state: nothing was there to be migrated.
    pub(super) fn is_touched_by(&self, update: &StateUpdate) -> bool {
        let Some(patch) = update.as_merge_patch() else {
            return true; // A replacement touches everything.
        };
        let Some(members) = patch.as_object() else {
            return true;
        };
        let states = members.get(BINDING_STATES).and_then(Node::as_object);
        members.keys().any(|name| name != BINDING_STATES)
            || states
                .is_some_and(|states| self.0.iter().any(|state_key| states.contains(state_key)))
    }
}
