//! Running lanes until all are done, or the capture is to stop.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::Instrument;

use crate::capture::{Child, Session, TaskError};

/// How long running invocations have to finish once the capture is to stop.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Runs `first`, and whatever lanes come up meanwhile. The first failure stops the capture: the others finish what they are at.
pub(crate) async fn run(
    session: &Arc<Session>,
    first: Vec<Child>,
    mut spawned: mpsc::Receiver<Child>,
) -> Result<(), TaskError> {
    let mut lanes = RunningLanes::default();
    first.into_iter().for_each(|child| lanes.spawn(child));
    let mut outcome = Ok(());
    let deadline = async {
        session.stopping.cancelled().await;
        tokio::time::sleep(STOP_DEADLINE).await;
    };
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            biased; // A lane that begins before its starter ends must be seen first, or the capture would seem to be done.
            Some(child) = spawned.recv() => lanes.spawn(child),
            ended = lanes.next() => match ended {
                None => return outcome,
                Some(Ok(())) => {}
                Some(Err(TaskError::Closed)) if session.stopping.is_cancelled() => {}
                Some(Err(error)) => {
                    session.stopping.cancel();
                    if outcome.is_ok() {
                        outcome = Err(error);
                    } else {
                        tracing::error!(%error, "failed while stopping");
                    }
                }
            },
            () = &mut deadline => {
                let minutes = STOP_DEADLINE.as_secs() / 60;
                let running = lanes.names();
                lanes.set.shutdown().await;
                return outcome.and(Err(TaskError::StopTimeout { minutes, running }));
            }
        }
    }
}

#[derive(Default)]
struct RunningLanes {
    set: JoinSet<Result<(), TaskError>>,
    names: HashMap<Id, String>,
}

impl RunningLanes {
    fn spawn(&mut self, child: Child) {
        let handle = self.set.spawn(child.future.instrument(child.span));
        self.names.insert(handle.id(), child.name);
    }

    async fn next(&mut self) -> Option<Result<(), TaskError>> {
        let (id, outcome) = match self.set.join_next_with_id().await? {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Err(panicked(error))),
        };
        self.names.remove(&id);
        Some(outcome)
    }

    fn names(&self) -> String {
        let mut names: Vec<_> = self.names.values().map(String::as_str).collect();
        names.sort_unstable();
        names.join(", ")
    }
}

fn panicked(error: JoinError) -> TaskError {
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
