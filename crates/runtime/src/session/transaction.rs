//! Whole sequences on their way to a commit.
//!
//! The reader adds a sequence at each checkpoint; the committer takes all there are whenever it is done with those before. So one
//! transaction commits while the next fills, and a slow disk makes transactions larger, not fewer documents.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use staunch_state::StateUpdate;

use crate::files::Mark;

/// Checkpoints that may wait for a commit. Their documents wait on disk; this bounds the rest.
const WAITING_CHECKPOINTS: u64 = 100_000;

/// Sequences that commit together.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) update: StateUpdate,
    pub(crate) mark: Mark,
    pub(crate) documents: u64,
    pub(crate) checkpoints: u64,
    pub(crate) migration: Option<MigrationEntry>,
    /// Whether it gets the capture on.
    pub(crate) is_progress: bool,
}

/// What is journaled of a migration.
#[derive(Debug, Clone)]
pub(crate) struct MigrationEntry {
    /// Which steps, as the connector tells it: JSON, `[{name, checksum, bindings}]`.
    pub(crate) steps: String,
    /// What a person consented to, as the connector tells it: JSON, `["backfill:orders"]`.
    pub(crate) consents: String,
}

impl Transaction {
    /// Neither is a migration.
    fn then(self, next: Transaction) -> Transaction {
        Transaction {
            update: self.update.then(next.update),
            mark: self.mark.then(next.mark),
            documents: self.documents + next.documents,
            checkpoints: self.checkpoints + next.checkpoints,
            migration: None,
            is_progress: self.is_progress || next.is_progress,
        }
    }
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
    /// The committer is done, because it failed.
    has_failed: bool,
}

impl Queue {
    /// Adds a sequence. False if nothing can be committed any more.
    ///
    /// A migration is committed by itself, so that what is recorded of it is all that was done then.
    pub(crate) fn add(&self, sequence: Transaction) -> bool {
        let is_alone =
            |waiting: &Transaction| waiting.migration.is_some() || sequence.migration.is_some();
        let is_full = |state: &mut QueueState| {
            !state.has_failed
                && state.waiting.as_ref().is_some_and(|waiting| {
                    is_alone(waiting) || waiting.checkpoints >= WAITING_CHECKPOINTS
                })
        };
        let state = self.changed.wait_while(self.lock(), is_full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.has_failed {
            return false;
        }
        state.waiting = Some(match state.waiting.take() {
            Some(waiting) => waiting.then(sequence),
            None => sequence,
        });
        self.changed.notify_all();
        true
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

    /// There will be no more sequences.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
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
