//! A candidate on probation: what it captures waits, and is committed once it has shown itself.
//!
//! Its migration is committed as it comes. Nothing else is, so that a candidate that fails leaves nothing behind which another connector
//! would capture again. A candidate that waits for acknowledgements would wait for ever: where it goes quiet, what it waits for is committed.

use std::time::{Duration, Instant};

use staunch_state::{Consent, ConsentKind, Node, Outcome};

use super::transaction::{MigrationEntry, Transaction};
use crate::edit::{Changed, compare};
use crate::upgrade::{Probation, Upgrade, UpgradeError};

/// How long a candidate that wants acknowledgements may be quiet before what it may be waiting for is committed.
const QUIET: Duration = Duration::from_secs(3);

/// How long a candidate may take from opening the capture to its migration, which it sends at once.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(60);

/// A candidate that is being watched.
pub(crate) struct Watched {
    pub(crate) probation: Probation,
    /// Checkpoints of the candidate's, beside its migration.
    pub(crate) checkpoints: u64,
    consents: Vec<Consent>,
    /// What is recorded of a candidate that cannot tell what it does to the state: its first commit is the migration.
    entry: Option<MigrationEntry>,
    /// Whether the run ends with the probation.
    pub(crate) is_all: bool,
    has_passed: bool,
    /// The state that its migration makes, where that is known.
    expected: Option<Node>,
    /// Since when nothing is captured, and until when nothing was.
    since: Instant,
    until: Instant,
    began: Option<Instant>,
    last: Instant,
    /// What it has to go on from.
    promise: Node,
    held: Option<Transaction>,
    /// The state that what is held makes.
    ahead: Option<Node>,
}

impl Watched {
    /// `state` is what the candidate is opened with; `expected` what its migration is to make of that.
    pub(crate) fn new(
        upgrade: &Upgrade,
        state: Node,
        expected: Option<Node>,
        since: Instant,
        is_all: bool,
    ) -> Self {
        Self {
            probation: upgrade.probation,
            checkpoints: 0,
            consents: upgrade.consents.clone(),
            entry: upgrade.is_untold.then(|| MigrationEntry {
                steps: "[]".to_owned(),
                consents: upgrade.words(),
                author: upgrade.author.clone(),
                reason: upgrade.reason.clone(),
            }),
            is_all,
            has_passed: false,
            expected,
            since,
            until: since,
            began: None,
            last: Instant::now(),
            promise: state,
            held: None,
            ahead: None,
        }
    }

    /// The candidate has opened the capture.
    pub(crate) fn begin(&mut self) {
        if self.began.is_none() {
            self.began = Some(Instant::now());
            self.goes_on();
        }
    }

    /// Capturing goes on from now.
    pub(crate) fn goes_on(&mut self) {
        self.until = Instant::now();
        self.last = self.until;
    }

    /// For how long nothing was captured.
    pub(crate) fn paused(&self) -> Duration {
        self.until.duration_since(self.since)
    }

    /// How long to wait for a transaction until something is to be done without one.
    pub(crate) fn patience(&self, wants_acknowledgements: bool) -> Duration {
        let left = self.within().saturating_sub(self.took());
        match wants_acknowledgements && self.held.is_some() {
            true => left.min(QUIET.saturating_sub(self.last.elapsed())),
            false => left,
        }
    }

    /// Whether it has been watched for long enough.
    pub(crate) fn is_over(&self) -> bool {
        let has_migrated = self.expected.is_none();
        has_migrated && self.checkpoints >= self.probation.checkpoints
            || self.took() >= self.within()
    }

    /// A migration that is due is waited for, however short the probation is.
    fn within(&self) -> Duration {
        match self.expected {
            None => self.probation.within,
            Some(_) => self.probation.within.max(MIGRATION_PATIENCE),
        }
    }

    fn took(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }

    /// Whether a candidate that wants acknowledgements may be waiting for one.
    pub(crate) fn is_quiet(&self) -> bool {
        self.held.is_some() && self.last.elapsed() >= QUIET
    }

    /// The candidate's migration makes this of the state: what it goes on from.
    pub(crate) fn migrated(&mut self, state: &Node) -> Result<(), UpgradeError> {
        let is_kept = |expected: Node| expected.same_state(state);
        if !self.expected.take().is_none_or(is_kept) {
            return Err(UpgradeError::NotKept);
        }
        self.promise = state.clone();
        self.last = Instant::now();
        Ok(())
    }

    /// Keeps what was captured, unless it shows that the candidate has not gone on from where it was to.
    pub(crate) fn hold(&mut self, transaction: Transaction) -> Result<(), UpgradeError> {
        if self.expected.is_some() {
            return Err(UpgradeError::NotKept); // It captures, and has not migrated.
        }
        let state = self.ahead.take().unwrap_or_else(|| self.promise.clone());
        let state = transaction.update.apply(state);
        let behind = compare(&self.promise, &state)
            .into_iter()
            .find(|change| !self.permits(change));
        self.ahead = Some(state);
        self.checkpoints += transaction.checkpoints;
        self.held = Some(match self.held.take() {
            Some(held) => held.then(transaction),
            None => transaction,
        });
        self.last = Instant::now();
        match behind {
            None => Ok(()),
            Some(change) => Err(UpgradeError::Behind {
                state_key: change.state_key,
                promised: change.before,
                found: change.after,
            }),
        }
    }

    /// Whether a candidate that captures may come to this. All but falling back is progress.
    fn permits(&self, change: &Changed) -> bool {
        let kind = match change.outcome {
            Outcome::Rewind => ConsentKind::Rewind,
            Outcome::Backfill => ConsentKind::Backfill,
            _ => return true,
        };
        let mut consents = self.consents.iter();
        consents.any(|consent| consent.kind == kind && consent.state_key == change.state_key)
    }

    /// Whether it has done all that it was to do before it passes.
    pub(crate) fn shown(&self) -> Result<(), UpgradeError> {
        match self.expected {
            None => Ok(()),
            Some(_) => Err(UpgradeError::NotKept),
        }
    }

    /// What waits, to be committed.
    pub(crate) fn release(&mut self) -> Option<Transaction> {
        self.ahead = None;
        let mut held = self.held.take()?;
        held.migration = self.entry.take();
        Some(held)
    }

    /// It has shown itself. Answers with what waits.
    pub(crate) fn passes(&mut self) -> Option<Transaction> {
        self.has_passed = true;
        self.release()
    }

    /// Whether it has shown itself.
    pub(crate) fn has_passed(&self) -> bool {
        self.has_passed
    }

    /// What was released is committed: nothing may fall behind this any more.
    pub(crate) fn committed(&mut self, state: &Node) {
        self.promise = state.clone();
    }
}
