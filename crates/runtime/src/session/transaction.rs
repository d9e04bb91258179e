//! Whole sequences on their way to a commit.
//!
//! The reader adds a sequence at each checkpoint; the committer takes all there are whenever it is done with those before. So one
//! transaction commits while the next fills, and a slow disk makes transactions larger, not fewer documents.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use staunch_state::StateUpdate;

use crate::error::RunError;
use crate::sink::{Batch, SinkError};

/// Checkpoints that may wait for a commit. Their documents wait on disk; this bounds the rest.
const WAITING_CHECKPOINTS: u64 = 100_000;

/// Sequences that commit together.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) update: StateUpdate,
    pub(crate) batch: Batch,
    pub(crate) documents: u64,
    pub(crate) checkpoints: u64,
    pub(crate) migration: Option<MigrationEntry>,
    /// Whether it gets the capture on.
    pub(crate) is_progress: bool,
}

/// What is journaled of a migration.
#[derive(Debug, Clone, Default)]
pub(crate) struct MigrationEntry {
    /// Which steps, as the connector tells it: JSON, `[{name, checksum, bindings}]`.
    pub(crate) steps: String,
    /// What a person consented to, as the connector tells it: JSON, `["backfill:orders"]`.
    pub(crate) consents: String,
    /// Who did it, and why, where that was a person.
    pub(crate) author: String,
    pub(crate) reason: String,
}

impl Transaction {
    /// Neither is a migration.
    pub(super) fn then(self, next: Transaction) -> Result<Transaction, SinkError> {
        Ok(Transaction {
            update: self.update.then(next.update),
            batch: self.batch.then(next.batch)?,
            documents: self.documents + next.documents,
            checkpoints: self.checkpoints + next.checkpoints,
            migration: None,
            is_progress: self.is_progress || next.is_progress,
        })
    }
}

/// What there is to be taken.
#[derive(Debug)]
pub(crate) enum Taken {
    Transaction(Box<Transaction>),
    /// Nothing so far.
    Nothing,
    /// There will be no more.
    End {
        /// Whether the session ended because something failed.
        is_broken: bool,
    },
}

/// Where the reader leaves what the committer takes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    waiting: Option<Transaction>,
    is_committing: bool,
    /// The reader is done.
    is_closed: bool,
    /// It was done because something failed.
    is_broken: bool,
    /// The committer is done, because it failed.
    has_failed: bool,
}

impl Queue {
    /// Adds a sequence. False if nothing can be committed any more.
    ///
    /// A migration is committed by itself, so that what is recorded of it is all that was done then.
    pub(crate) fn add(&self, sequence: Transaction) -> Result<bool, RunError> {
        let is_alone =
            |waiting: &Transaction| waiting.migration.is_some() || sequence.migration.is_some();
        let is_full = |state: &mut QueueState| {
            !state.has_failed
                && state.waiting.as_ref().is_some_and(|waiting| {
                    is_alone(waiting)
                        || waiting.checkpoints >= WAITING_CHECKPOINTS
                        || waiting.batch.is_full()
                })
        };
        let state = self.changed.wait_while(self.lock(), is_full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.has_failed {
            return Ok(false);
        }
        state.waiting = Some(match state.waiting.take() {
            Some(waiting) => waiting.then(sequence)?,
            None => sequence,
        });
        self.changed.notify_all();
        Ok(true)
    }

    /// Takes all that waits, once there is anything. None when there will be no more.
    pub(crate) fn take(&self) -> Option<Transaction> {
        let mut state = self.lock();
        state.is_committing = false;
        let state = self
            .changed
            .wait_while(state, |state| state.waiting.is_none() && !state.is_closed);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let taken = state.waiting.take();
        state.is_committing = taken.is_some();
        self.changed.notify_all();
        taken
    }

    /// As [`Queue::take`], but waits no longer than `time`.
    pub(crate) fn take_within(&self, time: Duration) -> Taken {
        let mut state = self.lock();
        state.is_committing = false;
        let is_empty = |state: &mut QueueState| state.waiting.is_none() && !state.is_closed;
        let waited = self.changed.wait_timeout_while(state, time, is_empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_committing = state.waiting.is_some();
        let taken = match state.waiting.take() {
            Some(transaction) => Taken::Transaction(transaction.into()),
            None if state.is_closed => Taken::End {
                is_broken: state.is_broken,
            },
            None => Taken::Nothing,
        };
        self.changed.notify_all();
        taken
    }

    /// There will be no more sequences. `is_broken` if that is because something failed.
    pub(crate) fn close(&self, is_broken: bool) {
        let mut state = self.lock();
        state.is_closed = true;
        state.is_broken = is_broken;
        drop(state);
        self.changed.notify_all();
    }

    /// There will be no more commits.
    pub(crate) fn fail(&self) {
        self.lock().has_failed = true;
        self.changed.notify_all();
    }

    /// Whether all that was added is committed.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.waiting.is_none() && !state.is_committing
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
