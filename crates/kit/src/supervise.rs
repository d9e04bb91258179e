//! Running lanes until all are done, or the capture is to stop.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::task::AbortOnDropHandle;

use staunch_protocol::log::{Level, PROGRESS};

use crate::capture::{Child, Session, TaskError};
use crate::log;

/// By which the runtime knows a record that tells how the capture is.
const STATUS: &str = "connectorStatus";

/// Runs `first`, and whatever lanes come up meanwhile. The first failure stops the capture: the others finish what they are at.
pub(crate) async fn run(
    session: &Arc<Session>,
    first: Vec<Child>,
    mut spawned: mpsc::Receiver<Child>,
) -> Result<(), TaskError> {
    let mut lanes = RunningLanes::default();
    first.into_iter().for_each(|child| lanes.spawn(child));
    let mut outcome = Ok(());
    let deadline = deadline(session);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            biased; // A lane that begins before its starter ends must be seen first, or the capture would seem to be done.
            Some(child) = spawned.recv() => lanes.spawn(child),
            ended = lanes.next() => match ended {
                None => return outcome,
                Some((_, Ok(()))) => {}
                Some((_, Err(TaskError::Closed))) if session.stopping.is_cancelled() => {}
                Some((name, Err(error))) => {
                    session.stopping.cancel();
                    if outcome.is_ok() {
                        // Now, and as the last word too: what else runs may take long to finish.
                        tracing::error!(task = name, %error, "failed; the capture stops");
                        outcome = Err(error);
                    } else {
                        tracing::error!(task = name, %error, "failed while stopping");
                    }
                }
            },
            late = &mut deadline => {
                let report = session.report(); // Before they are cancelled: then there would be nothing to tell.
                report.records(Level::Error).for_each(|record| log::write(&record));
                lanes.cancel(session).await;
                return outcome.and(Err(late.error(report.line())));
            }
        }
    }
}

/// Why running lanes are not waited for any longer.
pub(crate) enum Late {
    Signal,
    After(Duration),
}

impl Late {
    pub(crate) fn error(self, running: String) -> TaskError {
        match self {
            Late::Signal => TaskError::Cancelled { running },
            Late::After(time) => TaskError::StopTimeout {
                minutes: time.as_secs() / 60,
                running,
            },
        }
    }
}

/// Returns when running lanes are not waited for any longer.
pub(crate) async fn deadline(session: &Session) -> Late {
    session.stopping.cancelled().await;
    let finish = session.limits.finish;
    tokio::select! {
        biased; // Who asked should be told that it was so.
        () = session.cancelling.cancelled() => Late::Signal,
        () = session.clock.alarm(finish) => Late::After(finish),
    }
}

/// Tells how the capture is and how it gets on, until the answer is dropped.
pub(crate) fn report(session: &Session) -> impl Drop {
    tracing::info!(eventType = STATUS, "{}", session.status.started());
    let (status, tasks) = (Arc::clone(&session.status), Arc::clone(&session.tasks));
    let (stopping, clock) = (session.stopping.clone(), session.clock.clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        let status = stopping.run_until_cancelled(
            // Until it is to stop: backfills that end then are not complete.
            status.report(|text| tracing::info!(eventType = STATUS, "{text}")),
        );
        let progress = tasks
            .progress
            .report(&clock, |fields| log::info(PROGRESS, fields));
        tokio::join!(status, progress);
    }))
}

/// A lane whose outcome takes the room of a pointer: every task has room for its outcome, and ten thousand never come to it.
struct Slim(Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send>>);

impl Future for Slim {
    type Output = Result<(), Box<TaskError>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context).map_err(Box::new)
    }
}

#[derive(Default)]
struct RunningLanes {
    set: JoinSet<Result<(), Box<TaskError>>>,
    names: HashMap<Id, String>,
}

impl RunningLanes {
    fn spawn(&mut self, child: Child) {
        let handle = self.set.spawn(Slim(child.future));
        self.names.insert(handle.id(), child.name);
    }

    /// The next that ended: its name, and what came of it.
    async fn next(&mut self) -> Option<(String, Result<(), TaskError>)> {
        let (id, outcome) = match self.set.join_next_with_id().await? {
            Ok((id, outcome)) => (id, outcome.map_err(|error| *error)),
            Err(error) => (error.id(), Err(panicked(error))),
        };
        Some((self.names.remove(&id).unwrap_or_default(), outcome))
    }

    /// Drops the lanes at their next `await`. Those that never come to it are left behind.
    async fn cancel(&mut self, session: &Session) {
        self.set.abort_all();
        let all_ended = async { while self.set.join_next().await.is_some() {} };
        tokio::select! {
            biased; // Nobody is left behind who is there.
            () = all_ended => {}
            () = session.clock.alarm(session.limits.cancel) => {}
        }
        self.set.detach_all();
    }
}

pub(crate) fn panicked(error: JoinError) -> TaskError {
    let message = match error.try_into_panic() {
        Ok(panic) => match panic.downcast_ref::<&str>() {
            Some(message) => (*message).to_owned(),
            None => panic
                .downcast_ref::<String>()
                .cloned()
                .unwrap_or_else(|| "no message".into()),
        },
        Err(_) => "it was cancelled".into(),
    };
    TaskError::Panicked { message }
}
