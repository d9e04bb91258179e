//! A candidate on probation: what it captures waits, and is committed once it has shown itself.
//!
//! Its migration is committed as it comes. Nothing else is, so that a candidate that fails leaves nothing behind which another connector
//! would capture again. A candidate that waits for acknowledgements would wait for ever: where it goes quiet, what it waits for is committed.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use staunch_state::{Consent, ConsentKind, Node, Outcome};

use super::transaction::{MigrationEntry, Transaction};
use crate::control::Said;
use crate::edit::{Changed, compare};
use crate::error::RunError;
use crate::upgrade::{Probation, Upgrade, UpgradeError};

/// How long a candidate that wants acknowledgements may be quiet before what it may be waiting for is committed.
const QUIET: Duration = Duration::from_secs(3);

/// How long a candidate may take from opening the capture to its migration, which it sends at once.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(60);

/// What a candidate's migration is to make of the state, before it captures anything.
#[derive(Debug)]
pub(crate) enum Expected {
    Nothing,
    /// What it makes of the state is not known: that has gone on since it was asked.
    Something,
    State(Node),
}

impl Expected {
    fn is_something(&self) -> bool {
        !matches!(self, Expected::Nothing)
    }
}

/// A candidate that is being watched.
pub(crate) struct Watched {
    pub(crate) probation: Probation,
    /// Checkpoints of the candidate's, beside its migration.
    pub(crate) checkpoints: u64,
    consents: Vec<Consent>,
    /// Who asked, where that is somebody else than who runs it, and what is known beforehand of how it ends.
    voice: Option<(Sender<Said>, Said)>,
    /// What is recorded of a candidate that cannot tell what it does to the state: its first commit is the migration.
    entry: Option<MigrationEntry>,
    /// Whether the run ends with the probation.
    pub(crate) is_all: bool,
    has_passed: bool,
    /// What its migration makes of the state.
    expected: Expected,
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
        expected: Expected,
        since: Instant,
        is_all: bool,
    ) -> Self {
        Self {
            probation: upgrade.probation,
            checkpoints: 0,
            consents: upgrade.consents.clone(),
            voice: None,
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

    /// Tells whoever asked for it how it goes; `done` is what is told in the end, but for what is known only then.
    pub(crate) fn told_to(mut self, who: Sender<Said>, done: Said) -> Self {
        self.voice = Some((who, done));
        self
    }

    pub(crate) fn say(&self, said: Said) {
        if let Some((who, _)) = &self.voice {
            let _ = who.send(said); // Who has gone does not hear it.
        }
    }

    /// It has passed, at this revision, with so many documents that had waited.
    pub(crate) fn say_done(&self, now: u64, waited: u64) {
        let Some((who, done)) = &self.voice else {
            return;
        };
        let mut done = done.clone();
        if let Said::Done {
            revision,
            documents,
            pause_ms,
            ..
        } = &mut done
        {
            (*revision, *documents) = (now, waited);
            *pause_ms = u64::try_from(self.paused().as_millis()).unwrap_or(u64::MAX);
        }
        let _ = who.send(done);
    }

    /// The candidate has opened the capture.
    pub(crate) fn begin(&mut self) {
        if self.began.is_none() {
            self.began = Some(Instant::now());
            self.goes_on();
            self.say(Said::Opened);
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
        let has_migrated = !self.expected.is_something();
        has_migrated && self.checkpoints >= self.probation.checkpoints
            || self.took() >= self.within()
    }

    /// A migration that is due is waited for, however short the probation is.
    fn within(&self) -> Duration {
        match self.expected.is_something() {
            false => self.probation.within,
            true => self.probation.within.max(MIGRATION_PATIENCE),
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
        let expected = std::mem::replace(&mut self.expected, Expected::Nothing);
        if matches!(expected, Expected::State(expected) if !expected.same_state(state)) {
            return Err(UpgradeError::NotKept);
        }
        self.promise = state.clone();
        self.last = Instant::now();
        Ok(())
    }

    /// Keeps what was captured, unless it shows that the candidate has not gone on from where it was to.
    pub(crate) fn hold(&mut self, transaction: Transaction) -> Result<(), RunError> {
        if self.expected.is_something() {
            return Err(UpgradeError::NotKept.into()); // It captures, and has not migrated.
        }
        let state = self.ahead.take().unwrap_or_else(|| self.promise.clone());
        let state = transaction.update.apply(state);
        let behind = compare(&self.promise, &state)
            .into_iter()
            .find(|change| !self.permits(change));
        self.ahead = Some(state);
        self.checkpoints += transaction.checkpoints;
        self.held = Some(match self.held.take() {
            Some(held) => held.then(transaction)?,
            None => transaction,
        });
        self.last = Instant::now();
        match behind {
            None => Ok(()),
            Some(change) => Err(UpgradeError::Behind {
                state_key: change.state_key,
                promised: change.before,
                found: change.after,
            }
            .into()),
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
        match self.expected.is_something() {
            false => Ok(()),
            true => Err(UpgradeError::NotKept),
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
