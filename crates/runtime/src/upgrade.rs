//! Handing a capture over to another connector, and taking that back by itself when it does not go well.
//!
//! ```text
//! probation is remembered ─► candidate opens, migrates ─► what it captures waits ─► it has shown itself: forgotten, committed
//!                                                                └─► it fails ─► the state of before is back, and then forgotten
//! ```
//!
//! Whatever ends in between, the next opening of the capture finds the probation and takes the upgrade back. Only an upgrade that passed is
//! forgotten before what its candidate captured is committed, so one that passed is never taken back.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use staunch_state::{Consent, Node, Plan, StateUpdate};

use crate::catalog::Capture;
use crate::error::RunError;
use crate::events::Event;
use crate::run::{Run, RunOptions, parse_state};
use crate::session::{SessionEnd, Stop, Totals, Urgency, Watched};
use crate::store::{CaptureRow, Cause, Commit, ProbationRow, Store};

/// Who takes an upgrade back that nobody watches.
const BY_ITSELF: &str = "staunch";

/// How long a candidate is watched: for so many checkpoints, or for so long, whichever is over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probation {
    /// Checkpoints, beside the one of its migration.
    pub checkpoints: u64,
    /// From when it has opened the capture.
    pub within: Duration,
}

impl Default for Probation {
    fn default() -> Self {
        Self {
            checkpoints: 3,
            within: Duration::from_secs(60),
        }
    }
}

/// A capture that is to be handed over, on which terms.
#[derive(Clone, Debug, Default)]
pub struct Upgrade {
    /// How long the candidate is watched.
    pub probation: Probation,
    /// What the candidate has planned to do to the state; none if that is nothing.
    pub plan: Option<Plan>,
    /// Whether it is one that cannot tell what it does to the state.
    pub is_untold: bool,
    /// The revision that was looked at: the upgrade is of no other.
    pub revision: u64,
    /// What a person consented to.
    pub consents: Vec<Consent>,
    /// The person.
    pub author: String,
    /// Why, in their words.
    pub reason: String,
}

impl Upgrade {
    /// What was consented to, as it is recorded.
    pub(crate) fn words(&self) -> String {
        let words = self.consents.iter().map(ToString::to_string);
        serde_json::Value::from_iter(words).to_string()
    }
}

/// A capture that was handed over.
#[derive(Clone, Copy, Debug)]
pub struct Upgraded {
    /// What was committed on the way.
    pub totals: Totals,
    /// The capture's revision by now.
    pub revision: u64,
    /// For how long nothing was captured: until the candidate had opened the capture, and its migration was committed.
    pub pause: Duration,
}

/// Why a candidate does not pass.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The capture has gone on since the plan was made.
    #[error(
        "the plan is of revision {planned}, and the capture is at revision {found}; nothing was changed. Plan it anew, and look at it"
    )]
    Stale {
        /// The revision of the plan.
        planned: u64,
        /// The one of now.
        found: u64,
    },
    /// It did not do to the state what it had said it would.
    #[error("the connector did not migrate the state as it had planned to; tell its authors")]
    NotKept,
    /// It reads again what nobody consented to.
    #[error(
        "binding `{state_key}` fell behind where it was to resume: at {promised} before, and then at {found}; if that is meant, \
         consent to it by name with `--allow`"
    )]
    Behind {
        /// The binding.
        state_key: String,
        /// Where it was.
        promised: String,
        /// Where it is.
        found: String,
    },
    /// Somebody asked for an end before it was over.
    #[error("it was stopped on probation")]
    Stopped,
    /// The upgrade was undone.
    #[error("the upgrade of `{capture}` was taken back: {}", if *.documents == 0 { "it is as it was before".to_owned() } else { format!("the state is as it was before, and {documents} documents that were committed are captured again") })]
    TakenBack {
        /// The capture.
        capture: String,
        /// The revision by now.
        revision: u64,
        /// What is captured again.
        documents: u64,
        /// Why.
        source: Box<RunError>,
    },
    /// The state of before is not there any more.
    #[error(
        "an upgrade of `{capture}` did not come to its end, and the state of revision {revision} is not kept any longer: nothing was done; \
         look at it with `staunch state history {capture}`, and go on with connector `{connector}`"
    )]
    NotKeptAnyLonger {
        /// The capture.
        capture: String,
        /// The revision of before.
        revision: u64,
        /// The candidate.
        connector: String,
    },
}

impl UpgradeError {
    /// A name for scripts, which stays the same.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stale { .. } => "plan.stale",
            Self::NotKept => "plan.not_kept",
            Self::Behind { .. } => "upgrade.behind",
            Self::Stopped => "interrupted",
            Self::TakenBack { source, .. } if source.code() == "interrupted" => "interrupted",
            Self::TakenBack { .. } => "upgrade.taken_back",
            Self::NotKeptAnyLonger { .. } => "upgrade.unfinished",
        }
    }
}

impl Run<'_> {
    /// Hands the capture over to the connector that this run was prepared with, and ends once that has passed.
    ///
    /// # Errors
    /// Why it did not pass. The state is as it was before, then, and what the candidate captured is not there.
    pub fn upgrade(mut self, upgrade: &Upgrade, stop: &Stop) -> Result<Upgraded, RunError> {
        let since = Instant::now();
        self.begin(upgrade, since, true)?;
        let options = RunOptions {
            once: true,
            ..RunOptions::default()
        };
        let (outcome, totals) = self.session(options, stop, Totals::default());
        let watched = self.watched.take().expect("it is watched");
        if watched.has_passed() {
            let rolled_back = self.roll_back();
            outcome?; // As in any run: what it captured until it had passed is committed.
            rolled_back?;
            return Ok(Upgraded {
                totals,
                revision: self.revision,
                pause: watched.paused(),
            });
        }
        let why = match outcome {
            Err(error) if stop.urgency() == Urgency::None => error,
            Ok(SessionEnd::Stopped) | Err(_) => UpgradeError::Stopped.into(),
            Ok(_) => UpgradeError::NotKept.into(),
        };
        Err(self.take_back(why))
    }

    /// Remembers the probation, and makes of the state what a person consented to and the connector's own config does not.
    pub(crate) fn begin(
        &mut self,
        upgrade: &Upgrade,
        since: Instant,
        is_all: bool,
    ) -> Result<(), RunError> {
        if upgrade.revision != self.revision {
            return Err(UpgradeError::Stale {
                planned: upgrade.revision,
                found: self.revision,
            }
            .into());
        }
        let stored = self.store.load(&self.capture.name)?.unwrap_or_default();
        self.store.begin_probation(&ProbationRow {
            capture: self.capture.name.clone(),
            revision_before: self.revision,
            documents: stored.documents,
            command: self.command.argv.clone(),
            connector: self.version.clone(),
            before: stored.connector,
            began_at: Timestamp::now().to_string(),
        })?;
        let mut expected = None;
        if let Some(plan) = upgrade.plan.as_ref().filter(|plan| plan.update.is_some()) {
            match plan.missing(&[]).is_empty() {
                true => expected = Some(plan.apply(self.state.clone())),
                false => self.migrate(plan, upgrade)?,
            }
        }
        let state = self.state.clone();
        self.watched = Some(Watched::new(upgrade, state, expected, since, is_all));
        Ok(())
    }

    /// Commits what the connector has planned and would not do by itself: the consent to it is a person's, and not in its config.
    fn migrate(&mut self, plan: &Plan, upgrade: &Upgrade) -> Result<(), RunError> {
        let state = plan.apply(self.state.clone());
        let update = StateUpdate::diff(&self.state, &state);
        let steps = plan.steps.iter().map(|step| {
            serde_json::json!({ "name": step.migration, "checksum": null, "bindings": step.bindings })
        });
        let steps = serde_json::Value::from_iter(steps).to_string();
        let consents = upgrade.words();
        self.revision = self.store.commit(&Commit {
            capture: &self.capture.name,
            expected_revision: self.revision,
            state: Some(&state.to_json()),
            files: &[],
            documents: 0,
            checkpoints: 0,
            connector: &self.version,
            at: &Timestamp::now().to_string(),
            update: Some(&update),
            cause: Some(Cause {
                kind: "migration",
                migrations: &steps,
                consents: &consents,
                author: &upgrade.author,
                reason: &upgrade.reason,
            }),
        })?;
        self.state = state;
        self.observer.event(Event::Committed {
            revision: self.revision,
            documents: 0,
            checkpoints: 0,
            is_migration: true,
        });
        Ok(())
    }

    /// Undoes an upgrade that did not come to its end. Answers with what there is to be told of it.
    pub(crate) fn take_back(&mut self, why: RunError) -> RunError {
        let code = why.code();
        match self.try_take_back(code) {
            Ok(documents) => UpgradeError::TakenBack {
                capture: self.capture.name.clone(),
                revision: self.revision,
                documents,
                source: Box::new(why),
            }
            .into(),
            Err(error) => error, // The next opening does it.
        }
    }

    fn try_take_back(&mut self, why: &'static str) -> Result<u64, RunError> {
        self.roll_back()?;
        let Some(stored) = self.store.load(&self.capture.name)? else {
            return Ok(0);
        };
        let (stored, documents) = take_back(&mut self.store, self.capture, stored, why)?;
        self.state = parse_state(self.capture, &stored.state)?;
        self.revision = stored.revision;
        self.observer.event(Event::TakenBack {
            revision: self.revision,
            documents,
        });
        Ok(documents)
    }
}

/// Takes an upgrade back that did not come to its end, if there is one. Answers with what is stored then, and how many documents of the
/// candidate's are committed, which are captured again.
pub(crate) fn take_back(
    store: &mut Store,
    capture: &Capture,
    stored: CaptureRow,
    why: &str,
) -> Result<(CaptureRow, u64), RunError> {
    let Some(row) = store.reader().probation(&capture.name)? else {
        return Ok((stored, 0));
    };
    if stored.revision == row.revision_before {
        store.end_probation(&capture.name)?;
        return Ok((stored, 0));
    }
    let before = store
        .reader()
        .state_at(&capture.name, row.revision_before)?;
    let Some(before) = before else {
        return Err(UpgradeError::NotKeptAnyLonger {
            capture: capture.name.clone(),
            revision: row.revision_before,
            connector: row.connector,
        }
        .into());
    };
    let (now, before) = (
        parse_state(capture, &stored.state)?,
        parse_state(capture, &before)?,
    );
    let documents = stored.documents.saturating_sub(row.documents);
    if !now.same_state(&before) || documents > 0 {
        put_back(store, &stored, (&now, &before), &row, why)?;
    }
    store.end_probation(&capture.name)?;
    let stored = store.load(&capture.name)?.unwrap_or(stored);
    Ok((stored, documents))
}

fn put_back(
    store: &mut Store,
    stored: &CaptureRow,
    (now, before): (&Node, &Node),
    row: &ProbationRow,
    why: &str,
) -> Result<(), RunError> {
    let update = StateUpdate::diff(now, before);
    store.commit(&Commit {
        capture: &stored.capture,
        expected_revision: stored.revision,
        state: Some(&update.apply(now.clone()).to_json()),
        files: &[],
        documents: 0,
        checkpoints: 0,
        connector: &row.before,
        at: &Timestamp::now().to_string(),
        update: Some(&update),
        cause: Some(Cause {
            kind: "rollback",
            author: BY_ITSELF,
            reason: &format!("the upgrade did not come to its end: {why}"),
            ..Cause::default()
        }),
    })?;
    Ok(())
}
