//! One session: a connector's process from `Open` to its end, and the commits of what it captures.
//!
//! ```text
//! connector ═► reader ─► documents ──────────────► files (past their committed length: not there yet)
//!                 └────► checkpoints ─► queue ─► committer ─► sync files ─► store: state and lengths, at once
//!                                                    └─► acknowledge ═► connector
//! ```
//!
//! The reader is the calling thread. It never waits for a commit; documents go straight to their files, so memory does not grow
//! with a sequence. A third thread watches for a stop, and for idleness.

mod control;
mod journal;
mod probation;
mod progress;
mod transaction;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use staunch_protocol::flow::{CaptureSpec, RangeSpec};
use staunch_protocol::response::ConnectorState;
use staunch_protocol::{MAX_REQUEST_BYTES, RawValue, Request, Response, request};
use staunch_state::{Node, StateUpdate};

pub use control::{Stop, Urgency};
pub use progress::{BindingProgress, Place, Progress};

use crate::control::Said;
use crate::conversation::{Conversation, EXIT_PATIENCE};
use crate::error::{ConnectorError, RunError};
use crate::events::{Event, Observer};
use crate::process::{ConnectorCommand, Input, Killer, LogSink};
use crate::schema::{Validator, Violation};
use crate::sink::{self, Destination, Intake, Sink, Waiting};
use crate::store::{Cause, Commit, Store};
use crate::upgrade::Inbox;
use journal::{Known, Mailbox};
pub(crate) use probation::{Expected, Watched};
use transaction::{MigrationEntry, Queue, Taken, Transaction};

/// How long a connector may take from `Open` to `Opened`: it may migrate a large state, and ask its source.
const OPEN_PATIENCE: Duration = Duration::from_secs(10 * 60);

/// How long a connector may go on after a stop, as long as it is inside a sequence or keeps checkpointing.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);

/// How long a connector that is to stop may be silent between sequences before it is ended.
const DRAIN_SILENCE: Duration = Duration::from_secs(2);

/// How long a connector has to end itself once it is told to.
const TERMINATE_PATIENCE: Duration = Duration::from_secs(2);

/// By how much the lengths inside an `Open` request may grow with its state: two, of at most five bytes.
const LENGTHS_BYTES: usize = 8;

/// How often a stop or idleness that is due is looked for.
const TICK: Duration = Duration::from_millis(20);

/// How often watchers are told where the bindings are.
const DESCRIBE_INTERVAL: Duration = Duration::from_millis(200);

/// Where a binding's documents go, and what they must be.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) collection: String,
    pub(crate) place: sink::Place,
    pub(crate) validator: Arc<Validator>,
}

/// What stays from one session of a run to the next.
pub(crate) struct RunState<'a> {
    pub(crate) capture: &'a str,
    pub(crate) command: &'a ConnectorCommand,
    /// What identifies the connector's program.
    pub(crate) version: &'a str,
    pub(crate) spec: &'a CaptureSpec,
    pub(crate) targets: &'a [Target],
    pub(crate) store: &'a mut Store,
    pub(crate) sink: &'a mut Sink,
    pub(crate) state: Node,
    pub(crate) revision: u64,
    pub(crate) progress: Arc<Progress>,
    pub(crate) stop: &'a Stop,
    pub(crate) until_idle: Option<Duration>,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) log: LogSink,
    pub(crate) rejected_dir: PathBuf,
    pub(crate) totals: Totals,
    /// The connector, if it is a candidate that is watched.
    pub(crate) watched: Option<Watched>,
    /// Where it is asked to make way for another.
    pub(crate) inbox: &'a Inbox,
}

/// What a run has committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Documents.
    pub documents: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Transactions.
    pub commits: u64,
}

/// Why a session ended, if not by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The connector has nothing more to do for now.
    Exited,
    /// Nothing came for as long as was asked for.
    Idle,
    /// Somebody asked for it.
    Stopped,
    /// It made way for another connector.
    HandedOver,
}

/// Runs one session.
pub(crate) fn run(run: &mut RunState<'_>) -> Result<SessionEnd, RunError> {
    let journal = Arc::new(Mailbox::default());
    let log = journal::tee(&run.log, &journal);
    let (mut conversation, _) = Conversation::begin(run.command, log)?;
    let open = open_request(run, run.state.to_json());
    let state_limit = state_limit(run);
    let opened = conversation.ask(&open, OPEN_PATIENCE)?;
    let Response::Opened(opened) = opened else {
        unreachable!("the lifecycle pairs requests and responses");
    };
    run.observer.event(Event::Opened {
        bindings: run.targets.len(),
    });
    run.progress.advanced();

    let queue = Queue::default();
    let input = Mutex::new(conversation.connector.input());
    conversation.connector.close_input(); // What is left of it is held by the committer, and given up on a stop.
    let killer = conversation.connector.killer();
    let ending = Mutex::new(None);
    let is_over = std::sync::atomic::AtomicBool::new(false);

    let Sink {
        intake,
        destination,
    } = run.sink;
    let mut reader = Reader {
        capture: run.capture,
        targets: run.targets,
        intake,
        queue: &queue,
        progress: &run.progress,
        journal: opened.explicit_acknowledgements.then_some(&*journal),
        known: Known::of(&run.state),
        log: &run.log,
        rejected_dir: &run.rejected_dir,
        inbox: run.inbox,
        ending: &ending,
        is_watched: run.watched.is_some(),
        sequence: Sequence::default(),
        is_first: true,
    };
    let mut committer = Committer {
        capture: run.capture,
        version: run.version,
        destination: &mut **destination,
        store: run.store,
        state: std::mem::replace(&mut run.state, Node::Null),
        revision: run.revision,
        totals: run.totals,
        acknowledge: opened.explicit_acknowledgements.then_some(&input),
        program: run.command.program(),
        progress: &run.progress,
        observer: run.observer,
        described_at: None,
        state_limit,
        watched: run.watched.take(),
        stop: run.stop,
    };
    let is_watched = committer.watched.is_some();
    if let Some(watched) = &mut committer.watched {
        watched.begin();
    }
    let watch = Watch {
        stop: run.stop,
        until_idle: run.until_idle,
        progress: &run.progress,
        queue: &queue,
        input: &input,
        killer,
        ending: &ending,
        is_over: &is_over,
        inbox: run.inbox,
    };

    let (read, committed) = std::thread::scope(|scope| {
        let committing = scope.spawn(|| {
            let outcome = committer.run(&queue);
            if outcome.is_err() {
                queue.fail();
                killer.kill(); // Ends the reader: nothing that it reads can be committed.
            }
            outcome
        });
        let watching = scope.spawn(|| watch.run());
        let read = reader.run(&mut conversation);
        if read.is_err() {
            killer.kill();
        }
        let mut is_broken = read.is_err() || is_ending(&ending);
        if is_watched && !is_broken {
            // It may have failed between two sequences: what it holds counts only if it has not.
            let status = conversation.connector.wait(EXIT_PATIENCE);
            is_broken = !status.is_ok_and(|status| status.success());
        }
        queue.close(is_broken);
        let committed = committing.join().expect("the committer does not panic");
        is_over.store(true, Ordering::Release);
        run.stop.ring();
        watching.join().expect("the watch does not panic");
        (read, committed)
    });
    run.state = committer.state;
    run.revision = committer.revision;
    run.totals = committer.totals;
    run.watched = committer.watched;
    run.progress.describe(&run.state);

    committed?; // A failed commit is why the reader ended, whatever it says.
    let ending = ending.into_inner().unwrap_or_else(PoisonError::into_inner);
    match (read, ending) {
        (Err(ReadEnd::Rejected(error)), _) => Err(error),
        (_, Some(end)) => {
            drop(conversation); // It was told to end, or was ended: how it did says nothing.
            Ok(end)
        }
        (Err(ReadEnd::Failed(error)), None) => Err(error),
        (Ok(()), None) => {
            let status = conversation.connector.wait(EXIT_PATIENCE)?;
            match conversation.connector.failure(status) {
                None => Ok(SessionEnd::Exited),
                Some(error) => Err(error.into()),
            }
        }
    }
}

fn is_ending(ending: &Mutex<Option<SessionEnd>>) -> bool {
    let ending = ending.lock().unwrap_or_else(PoisonError::into_inner);
    ending.is_some()
}

fn open_request(run: &RunState<'_>, state: String) -> Request {
    Request::Open(request::Open {
        capture: run.spec.clone(),
        version: run.version.to_owned(),
        range: RangeSpec::full(),
        state: RawValue::from_string(state).expect("a state is valid JSON"),
    })
}

/// Bytes that a state may have so that this capture can be opened with it again.
fn state_limit(run: &RunState<'_>) -> usize {
    let mut message = Vec::new();
    let open = open_request(run, "{}".to_owned());
    if run
        .command
        .codec
        .encode_request(&open, &mut message)
        .is_err()
    {
        return 0; // Then it cannot be opened at all, which is said when it is tried.
    }
    MAX_REQUEST_BYTES
        .saturating_sub(message.len() + LENGTHS_BYTES)
        .min(staunch_state::MAX_BYTES)
}

/// Reads responses until there are no more.
struct Reader<'a> {
    capture: &'a str,
    targets: &'a [Target],
    intake: &'a mut Intake,
    queue: &'a Queue,
    progress: &'a Progress,
    /// Where a migration's journal record comes in, if the connector may migrate.
    journal: Option<&'a Mailbox>,
    known: Known,
    log: &'a LogSink,
    rejected_dir: &'a PathBuf,
    inbox: &'a Inbox,
    ending: &'a Mutex<Option<SessionEnd>>,
    /// Whether what it captures is not committed before it has passed.
    is_watched: bool,
    sequence: Sequence,
    /// Whether nothing was checkpointed in this session yet.
    is_first: bool,
}

/// What came since the last checkpoint.
#[derive(Default)]
struct Sequence {
    documents: u64,
}

/// Why reading ended before the output did.
enum ReadEnd {
    /// A document cannot be committed, whoever asked for an end.
    Rejected(RunError),
    /// Anything else, which a stop may well have caused.
    Failed(RunError),
}

impl<E: Into<RunError>> From<E> for ReadEnd {
    fn from(error: E) -> Self {
        ReadEnd::Failed(error.into())
    }
}

impl Reader<'_> {
    fn run(&mut self, conversation: &mut Conversation) -> Result<(), ReadEnd> {
        let Conversation {
            program,
            messages,
            lifecycle,
            connector,
        } = conversation;
        let codec = messages.codec();
        let protocol = |source| ConnectorError::Protocol {
            program: program.clone(),
            source,
        };
        loop {
            let message = match messages.next_message() {
                Ok(Some(message)) => message,
                Ok(None) => {
                    // A failed connector says more than the sequence that it left unfinished.
                    if let Err(unfinished) = lifecycle.finish() {
                        let status = connector.wait(EXIT_PATIENCE)?;
                        return Err(connector
                            .failure(status)
                            .unwrap_or_else(|| protocol(unfinished))
                            .into());
                    }
                    return Ok(());
                }
                Err(source) => return Err(connector.frame_failure(source).into()),
            };
            if let Some((binding, document)) = codec.split_captured(message) {
                lifecycle.captured(binding).map_err(protocol)?;
                match self.captured(binding, document)? {
                    Ok(()) => continue,
                    // Not JSON at all: then the message is none either, and that is what to say.
                    Err(violation @ Violation::NotJson { .. }) => {
                        if let Err(source) = codec.decode_response(message) {
                            return Err(
                                ConnectorError::garbage(program, codec, message, source).into()
                            );
                        }
                        return Err(self.rejected(binding, document, violation));
                    }
                    Err(violation) => return Err(self.rejected(binding, document, violation)),
                }
            }
            let response = codec
                .decode_response(message)
                .map_err(|source| ConnectorError::garbage(program, codec, message, source))?;
            lifecycle.response(&response).map_err(protocol)?;
            match response {
                Response::Captured(captured) => {
                    let document = captured.doc.get().as_bytes();
                    if let Err(violation) = self.captured(captured.binding, document)? {
                        return Err(self.rejected(captured.binding, document, violation));
                    }
                }
                Response::Checkpoint(checkpoint) => {
                    if !self.checkpoint(checkpoint.state, program)? {
                        return Ok(()); // The committer has failed, and says why.
                    }
                    if self.makes_way() {
                        return Ok(()); // At a checkpoint, nothing of it is lost. Whatever comes behind is captured again.
                    }
                }
                // Legal, and without effect here: schemas are not inferred, and nothing is truncated.
                Response::SourcedSchema(_)
                | Response::BackfillBegin(_)
                | Response::BackfillComplete(_) => {
                    self.progress.in_sequence.store(true, Ordering::Relaxed);
                }
                _ => {
                    unreachable!("the lifecycle lets nothing else through while a capture is open")
                }
            }
        }
    }

    fn captured(
        &mut self,
        binding: u32,
        document: &[u8],
    ) -> Result<Result<(), Violation>, RunError> {
        let target = &self.targets[binding as usize]; // The lifecycle knows how many there are.
        if let Err(violation) = target.validator.validate(document) {
            return Ok(Err(violation));
        }
        self.append(target.place, document)?;
        self.sequence.documents += 1;
        let progress = &self.progress.bindings[binding as usize];
        progress.captured.fetch_add(1, Ordering::Relaxed);
        progress
            .captured_bytes
            .fetch_add(document.len() as u64, Ordering::Relaxed);
        if self.sequence.documents == 1 {
            self.progress.in_sequence.store(true, Ordering::Relaxed);
        }
        Ok(Ok(()))
    }

    fn append(&mut self, place: sink::Place, document: &[u8]) -> Result<(), RunError> {
        if memchr::memchr2(b'\n', b'\r', document).is_some() {
            // A line break between tokens is JSON, but the file has a line for each document. In a frame there may be any; in a
            // line of the protocol there may be carriage returns.
            let document: Vec<u8> = document
                .iter()
                .map(|&byte| match byte {
                    b'\n' | b'\r' => b' ',
                    other => other,
                })
                .collect();
            return self.intake.append(place, &document);
        }
        self.intake.append(place, document)
    }

    /// Ends a sequence. False if it cannot be committed any more.
    fn checkpoint(
        &mut self,
        state: Option<ConnectorState<'_>>,
        program: &str,
    ) -> Result<bool, RunError> {
        let unreadable = |source| ConnectorError::State {
            program: program.to_owned(),
            source,
        };
        let update = match state {
            Some(state) => StateUpdate::from_wire(state.updated.get(), state.merge_patch)
                .map_err(unreadable)?,
            None => StateUpdate::empty(),
        };
        let documents = std::mem::take(&mut self.sequence).documents;
        let migration = match (state, self.journal) {
            (Some(state), Some(journal))
                if std::mem::take(&mut self.is_first) && documents == 0 =>
            {
                let text = state.updated.get();
                let record = journal.record_of(text, self.known.is_touched_by(&update), self.log);
                record.map(|record| MigrationEntry {
                    steps: serde_json::to_string(&record.migrations).expect("steps are JSON"),
                    consents: serde_json::to_string(&record.consents).expect("words are JSON"),
                    ..MigrationEntry::default()
                })
            }
            _ => None,
        };
        self.is_first = false;
        let batch = self.intake.seal()?;
        let is_progress = documents > 0 || is_progress(state);
        if is_progress {
            self.progress.advanced();
        }
        self.progress.in_sequence.store(false, Ordering::Relaxed);
        self.queue.add(Transaction {
            update,
            batch,
            documents,
            checkpoints: 1,
            migration,
            is_progress,
        })
    }

    /// Whether the connector is to end at this checkpoint: to make way for another, or since it is stopped before it has passed.
    fn makes_way(&self) -> bool {
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if self.inbox.is_asked() {
            ending.get_or_insert(SessionEnd::HandedOver);
        }
        matches!(*ending, Some(SessionEnd::HandedOver)) || self.is_watched && ending.is_some()
    }

    /// Puts a document aside that cannot be committed.
    fn rejected(&self, binding: u32, document: &[u8], violation: Violation) -> ReadEnd {
        let target = &self.targets[binding as usize];
        let at = Timestamp::now().strftime("%Y%m%dT%H%M%S%.6fZ");
        let path = self
            .rejected_dir
            .join(self.capture)
            .join(format!("{at}-{binding}.json"));
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, document));
        if let Err(source) = written {
            return ReadEnd::Rejected(RunError::Write { path, source });
        }
        ReadEnd::Rejected(RunError::Rejected {
            binding: target.name.clone(),
            collection: target.collection.clone(),
            ordinal: self.sequence.documents + 1,
            violation: Box::new(violation),
            saved: path,
        })
    }
}

/// Whether a checkpoint without documents gets the capture on. A snapshot that found nothing new does not.
fn is_progress(state: Option<ConnectorState<'_>>) -> bool {
    state.is_some_and(|state| !state.updated.get().contains("\"snapshot\":"))
}

/// Commits transactions, one after the other.
struct Committer<'a> {
    capture: &'a str,
    version: &'a str,
    destination: &'a mut dyn Destination,
    store: &'a mut Store,
    state: Node,
    revision: u64,
    totals: Totals,
    /// Where acknowledgements go, if the connector wants them.
    acknowledge: Option<&'a Mutex<Option<Input>>>,
    program: &'a str,
    progress: &'a Progress,
    observer: &'a dyn Observer,
    described_at: Option<Instant>,
    /// Bytes that the state may have.
    state_limit: usize,
    /// The connector, for as long as it is a candidate on probation.
    watched: Option<Watched>,
    stop: &'a Stop,
}

impl Committer<'_> {
    fn run(&mut self, queue: &Queue) -> Result<(), RunError> {
        if let Some(mut watched) = self.watched.take() {
            let outcome = self.watch(&mut watched, queue);
            self.watched = Some(watched);
            outcome?;
        }
        while let Some(transaction) = queue.take() {
            self.commit(transaction)?;
        }
        Ok(())
    }

    /// Has a candidate show itself. Where it has not by the end of the session, nothing of what it captured is committed.
    fn watch(&mut self, watched: &mut Watched, queue: &Queue) -> Result<(), RunError> {
        let wants_acknowledgements = self.acknowledge.is_some();
        while !watched.is_over() {
            match queue.take_within(watched.patience(wants_acknowledgements)) {
                Taken::Transaction(transaction) if transaction.migration.is_some() => {
                    let state = transaction.update.apply(self.state.clone());
                    watched.migrated(&state)?;
                    self.commit(*transaction)?;
                    watched.goes_on();
                    watched.say(Said::Migrated {
                        revision: self.revision,
                    });
                }
                Taken::Transaction(transaction) => {
                    watched.hold(*transaction)?;
                    watched.say(Said::Probation {
                        checkpoints: watched.checkpoints,
                        of: watched.probation.checkpoints,
                    });
                    self.observer.event(Event::OnProbation {
                        checkpoints: watched.checkpoints,
                        of: watched.probation.checkpoints,
                    });
                }
                Taken::Nothing if wants_acknowledgements && watched.is_quiet() => {
                    if let Some(held) = watched.release() {
                        self.commit(held)?;
                        watched.committed(&self.state);
                    }
                }
                Taken::Nothing => {}
                Taken::End { is_broken: true } => return Ok(()),
                Taken::End { is_broken: false } => break,
            }
        }
        watched.shown()?;
        // First this, so that there is never a commit of a candidate that passed and would be taken back.
        self.store.end_probation(self.capture)?;
        let held = watched.passes();
        let documents = held.as_ref().map_or(0, |held| held.documents);
        if let Some(held) = held {
            self.commit(held)?;
        }
        watched.say_done(self.revision, documents);
        self.observer.event(Event::Passed {
            checkpoints: watched.checkpoints,
            revision: self.revision,
        });
        if watched.is_all {
            self.stop.request();
        }
        Ok(())
    }

    fn commit(&mut self, transaction: Transaction) -> Result<(), RunError> {
        let text = (!transaction.update.is_empty()).then(|| {
            let state = std::mem::replace(&mut self.state, Node::Null);
            self.state = transaction.update.apply(state);
            self.state.to_json()
        });
        if let Some(bytes) = text
            .as_ref()
            .map(String::len)
            .filter(|&bytes| bytes > self.state_limit)
        {
            return Err(RunError::StateTooLarge {
                capture: self.capture.to_owned(),
                bytes,
                limit: self.state_limit,
            });
        }
        let cause = transaction.migration.as_ref().map(|migration| Cause {
            kind: "migration",
            migrations: &migration.steps,
            consents: &migration.consents,
            author: &migration.author,
            reason: &migration.reason,
        });
        let at = Timestamp::now().to_string();
        let record = sink::Record {
            capture: self.capture,
            base: self.revision,
            state: text.as_deref(),
            documents: transaction.documents,
            checkpoints: transaction.checkpoints,
            connector: self.version,
            at: &at,
            cause,
        };
        let waiting = Waiting {
            stop: self.stop,
            observer: self.observer,
        };
        let files = self
            .destination
            .commit(&transaction.batch, &record, &waiting)?;
        let commit = Commit {
            capture: self.capture,
            expected_revision: self.revision,
            state: text.as_deref(),
            files: &files,
            documents: transaction.documents,
            checkpoints: transaction.checkpoints,
            connector: self.version,
            at: &at,
            update: Some(&transaction.update),
            cause,
        };
        self.revision = self.store.commit_after(self.destination.sink(), &commit)?;
        self.totals.documents += transaction.documents;
        self.totals.checkpoints += transaction.checkpoints;
        self.totals.commits += 1;
        self.acknowledge(transaction.checkpoints)?;
        if transaction.is_progress {
            self.progress.advanced(); // A connector that waited for this goes on only now.
        }
        let is_due = self
            .described_at
            .is_none_or(|at| at.elapsed() >= DESCRIBE_INTERVAL);
        if is_due {
            self.progress.describe(&self.state);
            self.described_at = Some(Instant::now());
        }
        self.observer.event(Event::Committed {
            revision: self.revision,
            documents: transaction.documents,
            checkpoints: transaction.checkpoints,
            is_migration: transaction.migration.is_some(),
        });
        Ok(())
    }

    fn acknowledge(&self, checkpoints: u64) -> Result<(), RunError> {
        let Some(input) = self.acknowledge else {
            return Ok(());
        };
        let input = input.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(input) = input {
            let checkpoints =
                u32::try_from(checkpoints).expect("far fewer checkpoints wait for a commit");
            input.send(
                &Request::Acknowledge(request::Acknowledge { checkpoints }),
                self.program,
            )?;
        }
        Ok(())
    }
}

/// Watches for a stop, and for idleness.
struct Watch<'a> {
    stop: &'a Stop,
    until_idle: Option<Duration>,
    progress: &'a Progress,
    queue: &'a Queue,
    input: &'a Mutex<Option<Input>>,
    killer: Killer,
    ending: &'a Mutex<Option<SessionEnd>>,
    is_over: &'a std::sync::atomic::AtomicBool,
    inbox: &'a Inbox,
}

impl Watch<'_> {
    fn run(&self) {
        let end = loop {
            let rings = self.stop.rings();
            if self.is_over() {
                return;
            }
            if self.stop.wait(rings, Urgency::None, self.next_look()) != Urgency::None {
                break SessionEnd::Stopped;
            }
            if self.inbox.is_asked() {
                break SessionEnd::HandedOver;
            }
            if self.until_idle.is_some_and(|time| self.is_idle(time)) {
                break SessionEnd::Idle;
            }
        };
        {
            let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
            ending.get_or_insert(end);
        }
        match end {
            SessionEnd::HandedOver => self.make_way(),
            _ => self.drain(),
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Without anything to look for, a stop or the end wakes this thread.
    fn next_look(&self) -> Duration {
        let left = self
            .until_idle
            .map(|time| time.saturating_sub(self.progress.idle()));
        left.map_or(Duration::from_secs(3600), |left| left.max(TICK))
    }

    fn is_idle(&self, time: Duration) -> bool {
        !self.progress.in_sequence.load(Ordering::Relaxed)
            && self.progress.idle() >= time
            && self.queue.is_idle()
    }

    /// Ends the connector between two sequences, at once: the reader does at the next checkpoint, this where none is on its way.
    fn make_way(&self) {
        let began = Instant::now();
        while !self.is_over() {
            let is_between = !self.progress.in_sequence.load(Ordering::Relaxed);
            let is_late = began.elapsed() > DRAIN_PATIENCE;
            if is_between && self.queue.is_idle() || is_late {
                self.killer.kill();
                return;
            }
            if self.stop.wait(self.stop.rings(), Urgency::Drain, TICK) == Urgency::Now {
                self.killer.kill();
                return;
            }
        }
    }

    /// Ends the connector: by the end of its input, then by a signal between two sequences, then by force.
    fn drain(&self) {
        *self.input.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let began = Instant::now();
        let mut terminated_at: Option<Instant> = None;
        while !self.is_over() {
            if self.stop.wait(self.stop.rings(), Urgency::Drain, TICK) == Urgency::Now
                || began.elapsed() > DRAIN_PATIENCE
            {
                self.killer.kill();
                return;
            }
            let is_silent = !self.progress.in_sequence.load(Ordering::Relaxed)
                && self.progress.idle().min(began.elapsed()) >= DRAIN_SILENCE;
            match terminated_at {
                None if is_silent => {
                    self.killer.terminate();
                    terminated_at = Some(Instant::now());
                }
                Some(at) if at.elapsed() >= TERMINATE_PATIENCE => {
                    self.killer.kill();
                    return;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
