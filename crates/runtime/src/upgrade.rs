//! Handing a capture over to another connector, and taking that back by itself when it does not go well.
//!
//! ```text
//! probation is remembered ─► candidate opens, migrates ─► what it captures waits ─► it has shown itself: forgotten, committed
//!                                                                └─► it fails ─► the state of before is back, and then forgotten
//! ```
//!
//! Whatever ends in between, the next opening of the capture finds the probation and takes the upgrade back. Only an upgrade that passed is
//! forgotten before what its candidate captured is committed, so one that passed is never taken back.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use staunch_protocol::flow::CaptureSpec;
use staunch_state::{Consent, Node, Plan, StateUpdate};

use crate::catalog::Capture;
use crate::catalog::spec::{capture_spec, inactive_bindings, validate_request};
use crate::control::{Handover, Said};
use crate::conversation;
use crate::error::RunError;
use crate::events::Event;
use crate::inspect::{self, Question};
use crate::process::{ConnectorCommand, LogSink};
use crate::project::Project;
use crate::run::{AppliedSpec, Connected, Run, RunOptions, parse_state, targets};
use crate::session::{Expected, SessionEnd, Stop, Totals, Urgency, Watched};
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
    /// Nobody has consented to what it would do.
    #[error(
        "the candidate would lose or read again what nobody has consented to: {}; nothing was changed. Consent by name with `--allow`",
        missing.iter().map(|consent| format!("`{consent}`")).collect::<Vec<_>>().join(", ")
    )]
    NoConsent {
        /// What it needs.
        missing: Vec<Consent>,
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
            Self::NoConsent { .. } => "consent.missing",
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
        self.check_revision(upgrade.revision)?;
        self.watched = Some(self.begin(upgrade, since, true)?);
        let options = RunOptions {
            once: true,
            ..RunOptions::default()
        };
        let (outcome, totals) = self.session(options, stop, Totals::default());
        let watched = self.watched.take().expect("it is watched");
        if watched.has_passed() {
            let rolled_back = self.roll_back();
            let settled = self.settle();
            outcome?; // As in any run: what it captured until it had passed is committed.
            rolled_back?;
            settled?;
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
        let error = self.take_back(why);
        let _ = self.settle(); // Where that fails, the next opening looks.
        Err(error)
    }

    /// Remembers the probation, and makes of the state what a person consented to and the connector's own config does not.
    pub(crate) fn begin(
        &mut self,
        upgrade: &Upgrade,
        since: Instant,
        is_all: bool,
    ) -> Result<Watched, RunError> {
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
        let mut expected = Expected::Nothing;
        if let Some(plan) = upgrade.plan.as_ref().filter(|plan| plan.update.is_some()) {
            let is_of_now = upgrade.revision == self.revision;
            match plan.missing(&[]).is_empty() {
                true if is_of_now => expected = Expected::State(plan.apply(self.state.clone())),
                true => expected = Expected::Something,
                false => self.migrate(plan, upgrade)?,
            }
        }
        let state = self.state.clone();
        Ok(Watched::new(upgrade, state, expected, since, is_all))
    }

    fn check_revision(&self, planned: u64) -> Result<(), UpgradeError> {
        match planned == self.revision {
            true => Ok(()),
            false => Err(UpgradeError::Stale {
                planned,
                found: self.revision,
            }),
        }
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

/// Where a run is asked to hand its capture over. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inbox(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    order: Option<Order>,
    /// What identifies the connector that runs.
    version: String,
}

/// A candidate that is ready, and who waits to hear of it.
#[derive(Debug)]
pub(crate) struct Order {
    command: ConnectorCommand,
    spec: CaptureSpec,
    upgrade: Upgrade,
    /// The revision that it is meant for, if for one alone.
    only: Option<u64>,
    voice: Sender<Said>,
}

impl Inbox {
    /// Whether the connector is to make way.
    pub(crate) fn is_asked(&self) -> bool {
        self.lock().order.is_some()
    }

    pub(crate) fn take(&self) -> Option<Order> {
        self.lock().order.take()
    }

    /// The connector that runs from now on.
    pub(crate) fn runs(&self, version: &str) {
        version.clone_into(&mut self.lock().version);
    }

    /// Makes a candidate ready while the other connector goes on, has the run hand over, and tells how that goes.
    pub(crate) fn ask(
        &self,
        project: &Project,
        capture: &Capture,
        question: &Handover,
        stop: &Stop,
        log: &LogSink,
        say: &mut dyn FnMut(Said),
    ) {
        let (voice, heard) = mpsc::channel();
        let version = self.lock().version.clone();
        match ready(project, capture, question, &version, log, voice) {
            Err(error) => return say(failed(&error)),
            Ok(Err(said)) => return say(said),
            Ok(Ok(order)) => self.lock().order = Some(order),
        }
        stop.ring();
        for said in heard {
            let is_last = matches!(said, Said::Done { .. } | Said::Failed { .. });
            say(said);
            if is_last {
                return;
            }
        }
        say(failed(&UpgradeError::Stopped.into()));
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that can be done before the connector of before has to stop.
fn ready(
    project: &Project,
    capture: &Capture,
    question: &Handover,
    version: &str,
    log: &LogSink,
    voice: Sender<Said>,
) -> Result<Result<Order, Said>, RunError> {
    let mut command = project.command(capture)?;
    if let Some(argv) = &question.to {
        command.argv.clone_from(argv);
        command.dir.clone_from(&question.dir);
    }
    let consents = question.consents.iter().map(|text| text.parse());
    let consents: Result<Vec<Consent>, _> = consents.collect();
    let mut upgrade = Upgrade {
        probation: Probation {
            checkpoints: question.checkpoints,
            within: Duration::from_millis(question.within_ms),
        },
        is_untold: question.is_untold,
        consents: consents.map_err(|error| RunError::Plan(error.to_string()))?,
        author: question.author.clone(),
        reason: question.reason.clone(),
        ..Upgrade::default()
    };
    if !question.is_untold {
        let asked = Question {
            ask_source: question.ask_source,
            ..Question::default()
        };
        let planned = inspect::plan_with(project, capture, &command, asked, Arc::clone(log))?;
        upgrade.revision = planned.revision.unwrap_or_default();
        if planned.plan.is_none() && planned.connector == version {
            return Ok(Err(Said::Nothing {
                connector: planned.connector,
                revision: upgrade.revision,
            }));
        }
        let missing = planned.plan.as_ref();
        let missing = missing.map(|plan| plan.missing(&upgrade.consents));
        if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
            return Err(UpgradeError::NoConsent { missing }.into());
        }
        upgrade.plan = planned.plan;
    }
    let request = validate_request(capture, &project.catalog, None)?;
    let (about, paths) = conversation::validate(&command, request, Arc::clone(log))?;
    let mut spec = capture_spec(capture, &project.catalog, &paths)?;
    spec.inactive_bindings =
        inactive_bindings(capture, &project.catalog, &about.resource_path_pointers);
    Ok(Ok(Order {
        command,
        spec,
        upgrade,
        only: question.revision,
        voice,
    }))
}

/// A failure, as it is told to another process.
fn failed(error: &RunError) -> Said {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    Said::Failed {
        code: error.code().to_owned(),
        message: error.to_string(),
        causes: causes.map(ToString::to_string).collect(),
    }
}

impl Run<'_> {
    /// Puts a candidate in the place of the connector that has just stopped.
    ///
    /// # Errors
    /// Those of the store, which end the run. Whatever is wrong with the candidate is told to who asked, and the connector of before goes on.
    pub(crate) fn hand_over(&mut self, order: Order) -> Result<(), RunError> {
        let since = Instant::now();
        let _ = order.voice.send(Said::Stopped {
            revision: self.revision,
        });
        let voice = order.voice.clone();
        if let Err(error) = self.swap(order, since) {
            let error = match error {
                RunError::Upgrade(error) => error.into(), // It has not begun.
                error => self.take_back(error),
            };
            self.restore();
            let _ = voice.send(failed(&error));
            let is_taken_back = matches!(&error, RunError::Upgrade(_));
            return if is_taken_back { Ok(()) } else { Err(error) };
        }
        Ok(())
    }

    fn swap(&mut self, order: Order, since: Instant) -> Result<(), RunError> {
        if let Some(only) = order.only {
            self.check_revision(only)?;
        }
        let version = order.command.version();
        let capture = self.capture;
        let targets = targets(
            self.project,
            capture,
            &order.spec,
            &mut self.store,
            &mut self.sink,
        )?;
        let stored = self.store.load(&capture.name)?.unwrap_or_default();
        self.before = Some(Connected {
            command: std::mem::replace(&mut self.command, order.command),
            version: std::mem::replace(&mut self.version, version),
            spec: std::mem::replace(&mut self.spec, order.spec),
            targets: std::mem::replace(&mut self.targets, targets),
        });
        let mut upgrade = order.upgrade;
        let plan = upgrade.plan.as_ref();
        let needs_word = plan.is_some_and(|plan| !plan.missing(&[]).is_empty());
        if needs_word && upgrade.revision != self.revision {
            upgrade.plan = self.plan_anew(&upgrade)?;
            upgrade.revision = self.revision;
        }
        let watched = self.begin(&upgrade, since, false)?;
        self.apply(AppliedSpec::of(&stored).as_ref())?;
        let steps = upgrade.plan.iter().flat_map(|plan| &plan.steps);
        let done = Said::Done {
            connector: self.version.clone(),
            revision_before: stored.revision,
            revision: 0,
            documents: 0,
            migrations: steps.map(|step| step.migration.clone()).collect(),
            pause_ms: 0,
        };
        self.watched = Some(watched.told_to(order.voice, done));
        Ok(())
    }

    /// What the candidate plans for the state of now, which has gone on since it was asked.
    fn plan_anew(&self, upgrade: &Upgrade) -> Result<Option<Plan>, RunError> {
        let question = Question {
            state: Some(&self.state),
            ..Question::default()
        };
        let log = Arc::clone(&self.log);
        let planned = inspect::plan_with(self.project, self.capture, &self.command, question, log)?;
        let missing = planned.plan.as_ref();
        let missing = missing.map(|plan| plan.missing(&upgrade.consents));
        match missing.filter(|missing| !missing.is_empty()) {
            Some(missing) => Err(UpgradeError::NoConsent { missing }.into()),
            None => Ok(planned.plan),
        }
    }

    /// A candidate has not passed: the connector of before is back, unless the run ends. Why it does, then.
    pub(crate) fn comes_back(
        &mut self,
        outcome: Result<SessionEnd, RunError>,
        watched: &Watched,
    ) -> Result<Option<SessionEnd>, RunError> {
        let (why, end) = match outcome {
            Ok(end @ (SessionEnd::Stopped | SessionEnd::Idle)) => {
                (UpgradeError::Stopped.into(), Some(end))
            }
            Ok(SessionEnd::Exited | SessionEnd::HandedOver) => (UpgradeError::NotKept.into(), None),
            Err(error) => (error, None),
        };
        let error = self.take_back(why);
        watched.say(failed(&error));
        if !matches!(&error, RunError::Upgrade(UpgradeError::TakenBack { .. })) {
            return Err(error);
        }
        self.restore();
        Ok(end)
    }

    fn restore(&mut self) {
        if let Some(before) = self.before.take() {
            self.command = before.command;
            self.version = before.version;
            self.spec = before.spec;
            self.targets = before.targets;
        }
    }
}
