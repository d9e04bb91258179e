//! Running a capture: from its catalog to one session after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use staunch_protocol::flow::CaptureSpec;
use staunch_protocol::log::{Level, Record};
use staunch_state::{Node, StateUpdate};

use crate::catalog::spec::{capture_spec, inactive_bindings, stored_spec, validate_request};
use crate::catalog::{Capture, Collection};
use crate::control::Control;
use crate::conversation;
use crate::error::{ConnectorError, RunError};
use crate::events::{Event, Observer};
use crate::process::{ConnectorCommand, LogSink, short_version};
use crate::project::Project;
use crate::rollback::newer_than;
use crate::schema::Validator;
use crate::session::{
    self, Progress, RunState, SessionEnd, Stop, Target, Totals, Urgency, Watched,
};
use crate::sink::Sink;
use crate::store::{CaptureRow, Commit, Store};
use crate::upgrade::{Inbox, take_back};

/// How often a connector may ask to be applied again.
const APPLY_ROUNDS: usize = 3;

/// How a capture is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// One session: the connector is not started again when it exits.
    pub once: bool,
    /// End when nothing was captured for this long.
    pub until_idle: Option<Duration>,
}

/// How a capture is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opening<'a> {
    /// The connector in place of the capture's own: its program and arguments.
    pub to: Option<&'a [String]>,
    /// Whether it may be one from before the last migration of the state.
    pub allows_older: bool,
    /// Where documents go in place of the capture's own sink, by its name in `staunch.yaml`, or [`STDOUT`](crate::sink::STDOUT).
    pub sink: Option<&'a str>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Why it ended.
    pub end: SessionEnd,
    /// What it committed.
    pub totals: Totals,
    /// The capture's revision.
    pub revision: u64,
}

/// A capture that is ready to run: its lease is held, its connector was asked, its files are open.
pub struct Run<'a> {
    pub(crate) project: &'a Project,
    pub(crate) capture: &'a Capture,
    pub(crate) command: ConnectorCommand,
    pub(crate) version: String,
    pub(crate) spec: CaptureSpec,
    pub(crate) targets: Vec<Target>,
    pub(crate) store: Store,
    pub(crate) sink: Sink,
    pub(crate) state: Node,
    pub(crate) revision: u64,
    pub(crate) progress: Arc<Progress>,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) log: LogSink,
    pub(crate) rejected_dir: std::path::PathBuf,
    /// The connector, if it is a candidate on probation.
    pub(crate) watched: Option<Watched>,
    /// Where it is asked to hand the capture over.
    pub(crate) inbox: Inbox,
    /// The connector of before, for as long as it may come back.
    pub(crate) before: Option<Connected>,
}

impl<'a> Run<'a> {
    /// Takes the lease of the store, recovers the files, and asks the connector whether the capture is as it wants it.
    ///
    /// # Errors
    /// When any of this fails. Nothing that was committed is touched.
    pub fn prepare(
        project: &'a Project,
        capture: &'a Capture,
        opening: Opening<'_>,
        observer: &'a dyn Observer,
        log: LogSink,
    ) -> Result<Self, RunError> {
        let command = project.command_with(capture, opening.to)?;
        let version = command.version();
        let mut store = project.store(capture)?;
        let mut stored = store.load(&capture.name)?;
        if let Some(found) = stored.take() {
            let before = found.revision;
            let (found, documents) = take_back(&mut store, capture, found, "interrupted")?;
            if found.revision > before {
                observer.event(Event::TakenBack {
                    revision: found.revision,
                    documents,
                });
            }
            stored = Some(found);
        }
        if let Some(stored) = stored.as_ref().filter(|_| !opening.allows_older) {
            check_not_older(&store, stored, &version)?;
        }
        let mut sink = project.sink(capture, opening.sink, stored.as_ref(), &mut store)?;
        for recovered in sink.recovered() {
            observer.event(Event::Recovered {
                path: &recovered.path,
                dropped_bytes: recovered.dropped_bytes,
            });
        }
        let (state, revision) = match &stored {
            None => (Node::Object(Default::default()), 0),
            Some(stored) => (parse_state(capture, &stored.state)?, stored.revision),
        };
        let last = stored.as_ref().and_then(AppliedSpec::of);

        let request = validate_request(
            capture,
            &project.catalog,
            last.clone().map(|last| (last.capture, last.version)),
        )?;
        let (about, paths) = conversation::validate(&command, request, Arc::clone(&log))?;
        let mut spec = capture_spec(capture, &project.catalog, &paths)?;
        spec.inactive_bindings =
            inactive_bindings(capture, &project.catalog, &about.resource_path_pointers);
        let targets = targets(project, capture, &spec, &mut store, &mut sink)?;
        let names = targets.iter().zip(&spec.bindings).map(|(target, binding)| {
            (
                target.name.clone(),
                target.collection.clone(),
                binding.state_key.clone(),
            )
        });
        let progress = Arc::new(Progress::new(names));
        let mut this = Self {
            project,
            capture,
            command,
            version,
            spec,
            targets,
            store,
            sink,
            state,
            revision,
            progress,
            observer,
            log,
            rejected_dir: project.state_dir.join("rejected"),
            watched: None,
            inbox: Inbox::default(),
            before: None,
        };
        this.apply(last.as_ref())?;
        this.progress.describe(&this.state);
        Ok(this)
    }

    /// How far it is, for those who watch.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// The capture's revision, which only this can change for as long as it is there.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Runs sessions until there is reason to end, and hands the capture over to another connector when it is asked to.
    ///
    /// # Errors
    /// When a session fails. What was committed before stays so.
    pub fn run(self, options: RunOptions, stop: &Stop) -> Result<Summary, RunError> {
        let control = Control::listen(&self.project.state_dir, &self.capture.name);
        if let Err(error) = &control {
            (self.log)(not_listening(error));
        }
        let (project, capture, log) = (self.project, self.capture, Arc::clone(&self.log));
        let inbox = self.inbox.clone();
        std::thread::scope(|scope| {
            if let Ok(control) = &control {
                scope.spawn(|| {
                    control.serve(|question, say| {
                        inbox.ask(project, capture, &question, stop, &log, say);
                    });
                });
            }
            let mut this = self;
            let outcome = this.sessions(options, stop);
            let settled = this.settle();
            if let Ok(control) = &control {
                control.end();
            }
            let summary = outcome?;
            settled?;
            Ok(summary)
        })
    }

    fn sessions(&mut self, options: RunOptions, stop: &Stop) -> Result<Summary, RunError> {
        let mut totals = Totals::default();
        loop {
            self.inbox.runs(&self.version);
            let began = Instant::now();
            let (outcome, after) = self.session(options, stop, totals);
            totals = after;
            let outcome = match self.watched.take() {
                Some(watched) if !watched.has_passed() => {
                    match self.comes_back(outcome, &watched) {
                        Ok(None) => continue,
                        Ok(Some(end)) => Ok(end),
                        Err(error) => Err(error),
                    }
                }
                _ => outcome,
            };
            let end = match outcome {
                Ok(end) => end,
                Err(error) => {
                    // What is past the committed length is not there; on disk, too, nothing may look as if it was. If that
                    // cannot be done now, the next opening does it: why the session failed is what matters here.
                    let _ = self.roll_back();
                    return Err(error);
                }
            };
            self.roll_back()?;
            let is_handed_over = end == SessionEnd::HandedOver;
            let is_last = options.once || !matches!(end, SessionEnd::Exited);
            let wait = self.capture.interval.saturating_sub(began.elapsed());
            let next_in = match is_handed_over {
                true => Some(Duration::ZERO),
                false => (!is_last).then_some(wait),
            };
            self.observer.event(Event::Ended {
                end,
                totals,
                next_in,
            });
            let end = match next_in {
                None => Some(end),
                Some(wait) => pause(
                    stop,
                    &self.inbox,
                    wait,
                    options.until_idle,
                    self.progress.idle(),
                ),
            };
            if let Some(end) = end {
                return Ok(Summary {
                    end,
                    totals,
                    revision: self.revision,
                });
            }
            if let Some(order) = self.inbox.take() {
                self.hand_over(order)?;
            }
        }
    }

    pub(crate) fn session(
        &mut self,
        options: RunOptions,
        stop: &Stop,
        totals: Totals,
    ) -> (Result<SessionEnd, RunError>, Totals) {
        let mut run = RunState {
            capture: &self.capture.name,
            command: &self.command,
            version: &self.version,
            spec: &self.spec,
            targets: &self.targets,
            store: &mut self.store,
            sink: &mut self.sink,
            state: std::mem::replace(&mut self.state, Node::Null),
            revision: self.revision,
            progress: Arc::clone(&self.progress),
            stop,
            until_idle: options.until_idle,
            observer: self.observer,
            log: Arc::clone(&self.log),
            rejected_dir: self.rejected_dir.clone(),
            totals,
            watched: self.watched.take(),
            inbox: &self.inbox,
        };
        let outcome = session::run(&mut run);
        let (state, revision, totals) = (run.state, run.revision, run.totals);
        self.watched = run.watched;
        self.state = state;
        self.revision = revision;
        (outcome, totals)
    }

    /// Cuts what was captured after the last commit.
    pub(crate) fn roll_back(&mut self) -> Result<(), RunError> {
        self.sink.intake.roll_back(&self.store, &self.capture.name)
    }

    /// Remembers that nothing is committed anywhere that is not in the store, if that is so.
    pub(crate) fn settle(&mut self) -> Result<(), RunError> {
        let destination = &self.sink.destination;
        if let Some(sink) = destination.sink().filter(|_| destination.is_certain()) {
            self.store.settle_sink(&self.capture.name, sink, true)?;
        }
        Ok(())
    }

    /// Has the connector make the endpoint ready, if the capture is not as it was applied last.
    pub(crate) fn apply(&mut self, last: Option<&AppliedSpec>) -> Result<(), RunError> {
        let applied = AppliedSpec {
            capture: stored_spec(&self.spec, self.capture),
            version: self.version.clone(),
        };
        let text = serde_json::to_string(&applied).expect("a capture spec is JSON");
        if last.is_some_and(|last| serde_json::to_string(last).is_ok_and(|last| last == text)) {
            return Ok(());
        }
        for _ in 0..APPLY_ROUNDS {
            let state = self.state.to_json();
            let log = Arc::clone(&self.log);
            let last = last.map(|last| (&last.capture, last.version.as_str()));
            let answer =
                conversation::apply(&self.command, &self.spec, last, &self.version, &state, log)?;
            if !answer.action_description.is_empty() {
                self.observer.event(Event::Applied {
                    description: &answer.action_description,
                });
            }
            let Some(update) = answer.state else {
                return Ok(self
                    .store
                    .set_applied_spec(&self.capture.name, Some(&text))?);
            };
            let program = self.command.program().to_owned();
            let update = StateUpdate::from_wire(update.updated.get(), update.merge_patch)
                .map_err(|source| ConnectorError::State { program, source })?;
            self.state = update.apply(std::mem::replace(&mut self.state, Node::Null));
            self.revision = self.store.commit(&Commit {
                capture: &self.capture.name,
                expected_revision: self.revision,
                state: Some(&self.state.to_json()),
                files: &[],
                documents: 0,
                checkpoints: 0,
                connector: &self.version,
                at: &Timestamp::now().to_string(),
                update: Some(&update),
                cause: None,
            })?;
        }
        let problem =
            format!("another state update each of {APPLY_ROUNDS} times; it did not converge");
        Err(ConnectorError::Answer {
            program: self.command.program().to_owned(),
            request: "apply",
            problem,
        }
        .into())
    }
}

/// Refuses a connector that was in charge before the state was migrated by another, and is not the one that committed last.
fn check_not_older(store: &Store, stored: &CaptureRow, version: &str) -> Result<(), RunError> {
    if stored.connector == version {
        return Ok(());
    }
    let history = store.reader().history(&stored.capture, usize::MAX)?;
    match newer_than(&history, version) {
        None => Ok(()),
        Some(migration) => Err(RunError::NewerState {
            capture: stored.capture.clone(),
            revision: migration.revision,
            by: short_version(&migration.connector).to_owned(),
            connector: short_version(version).to_owned(),
        }),
    }
}

/// What was applied last, as it is kept in the store.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct AppliedSpec {
    capture: CaptureSpec,
    version: String,
}

impl AppliedSpec {
    pub(crate) fn of(stored: &CaptureRow) -> Option<Self> {
        let spec = stored.applied_spec.as_deref()?;
        serde_json::from_str(spec).ok()
    }
}

/// A connector, and what it is told to open.
pub(crate) struct Connected {
    pub(crate) command: ConnectorCommand,
    pub(crate) version: String,
    pub(crate) spec: CaptureSpec,
    pub(crate) targets: Vec<Target>,
}

fn not_listening(error: &std::io::Error) -> Record {
    Record {
        ts: None,
        level: Level::Warn,
        message: format!(
            "this run cannot be asked to hand its capture over, since it could not listen for that: {error}; \
             `staunch migrate apply` works once it is stopped"
        ),
        fields: Default::default(),
    }
}

pub(crate) fn parse_state(capture: &Capture, text: &str) -> Result<Node, RunError> {
    Node::parse(text).map_err(|source| RunError::State {
        capture: capture.name.clone(),
        source,
    })
}

/// Where each binding's documents go: the place of its collection is made ready, its schema compiled.
pub(crate) fn targets(
    project: &Project,
    capture: &Capture,
    spec: &CaptureSpec,
    store: &mut Store,
    sink: &mut Sink,
) -> Result<Vec<Target>, RunError> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut collections: Vec<&Collection> = Vec::new();
    for binding in &capture.bindings {
        numbers.entry(&binding.target).or_insert_with(|| {
            let collection = project.catalog.collections.get(&binding.target);
            collections.push(collection.expect("the catalog resolved the target"));
            collections.len() - 1
        });
    }
    let compiled = collections.iter().map(|collection| {
        let compiled = Validator::compile(&collection.write_schema);
        compiled.map(Arc::new).map_err(|source| RunError::Schema {
            collection: collection.name.clone(),
            source,
        })
    });
    let validators: Vec<Arc<Validator>> = compiled.collect::<Result<_, _>>()?;
    let places = sink.places(&collections, &capture.name, store)?;
    let bindings = capture.bindings.iter().zip(&spec.bindings);
    let targets = bindings.map(|(binding, of_spec)| {
        let number = numbers[binding.target.as_str()];
        Target {
            name: of_spec.resource_path.join("/"),
            collection: binding.target.clone(),
            place: places[number],
            validator: Arc::clone(&validators[number]),
        }
    });
    Ok(targets.collect())
}

/// Waits for the next session. Says why there is none, if so.
fn pause(
    stop: &Stop,
    inbox: &Inbox,
    wait: Duration,
    until_idle: Option<Duration>,
    idle: Duration,
) -> Option<SessionEnd> {
    let patience = until_idle.map(|until_idle| until_idle.saturating_sub(idle));
    let ends_idle = patience.is_some_and(|patience| patience <= wait);
    let deadline = Instant::now() + patience.unwrap_or(wait).min(wait);
    loop {
        let rings = stop.rings();
        let left = deadline.saturating_duration_since(Instant::now());
        if inbox.is_asked() {
            return None;
        }
        if left.is_zero() {
            return ends_idle.then_some(SessionEnd::Idle);
        }
        if stop.wait(rings, Urgency::None, left) != Urgency::None {
            return Some(SessionEnd::Stopped);
        }
    }
}
