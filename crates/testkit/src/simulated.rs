//! A capture in simulated time: a day of it takes a moment, and its connector is killed wherever a test likes.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use staunch::{Connector, SimulatedTime};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::capture::{Capture, CaptureFailure, Committing, Seen};

/// Sequences that may wait on their way from the connector.
const QUEUED_ANSWERS: usize = 16;

/// Requests that may wait on their way to it: more than a connector has checkpoints under way.
const QUEUED_REQUESTS: usize = 1024;

/// Runs a test in simulated time that begins at `start`.
///
/// All that the test starts shares one thread and one clock: the connector, and the server that it talks to. The clock jumps to the next alarm
/// when there is nothing else to do, and stands still while the kit's HTTP client waits for a server. A server on this thread must
/// therefore not wait before it answers; and what waits by the clock of another thread is not waited for.
///
/// ```
/// use std::time::Duration;
///
/// let later = staunch_testkit::simulate("2026-03-01T12:00:00Z".parse()?, async {
///     tokio::time::sleep(Duration::from_secs(24 * 60 * 60)).await;
///     staunch::now()
/// });
/// assert_eq!(later.to_string(), "2026-03-02T12:00:00Z");
/// # Ok::<(), jiff::Error>(())
/// ```
///
/// # Panics
/// When the system gives no runtime, or as the test does.
pub fn simulate<T>(start: Timestamp, test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build_local(Default::default())
        .expect("the system has room for a runtime");
    runtime.block_on(async {
        let _time = SimulatedTime::begin(start);
        test.await
    })
}

/// A capture that runs in [simulated time](simulate). Dropped, it is killed: what it had not committed is lost.
#[must_use = "it runs while it is looked at"]
pub struct Run<'a, C> {
    capture: &'a mut Capture<C>,
    committing: Committing,
    requests: Option<mpsc::Sender<Vec<u8>>>,
    answers: mpsc::Receiver<Vec<u8>>,
    /// None once its end was told.
    serving: Option<AbortOnDropHandle<Result<(), String>>>,
}

impl<C: Connector> Capture<C> {
    /// Opens it for a run in [simulated time](simulate), with the state that the last run left.
    ///
    /// # Panics
    /// Outside of [`simulate`].
    pub fn start(&mut self) -> Run<'_, C> {
        let (requests, to_connector) = mpsc::channel(QUEUED_REQUESTS);
        let (from_connector, answers) = mpsc::channel(QUEUED_ANSWERS);
        let connector = Arc::clone(&self.connector);
        let serving = tokio::task::spawn_local(async move {
            let served = staunch::serve_messages(&*connector, to_connector, from_connector);
            served.await.map_err(|error| error.to_string())
        });
        let run = Run {
            committing: Committing::default(),
            requests: Some(requests),
            answers,
            serving: Some(AbortOnDropHandle::new(serving)),
            capture: self,
        };
        let _ = run.send(&run.capture.open()); // The first of them has room.
        run
    }
}

impl<C: Connector> Run<'_, C> {
    /// Goes on until something is committed. False if the connector ended instead, and had nothing more to say.
    ///
    /// # Errors
    /// [`CaptureFailure`], if it failed. That is told once.
    pub async fn commit(&mut self) -> Result<bool, CaptureFailure> {
        let Some(messages) = self.answers.recv().await else {
            let Some(serving) = &mut self.serving else {
                return Ok(false);
            };
            let ended = serving.await;
            self.serving = None;
            return match ended {
                Ok(Ok(())) => Ok(false),
                Ok(Err(error)) => Err(CaptureFailure::Connector(error)),
                Err(_) => Err(CaptureFailure::Connector("it panicked".to_owned())),
            };
        };
        let lines = messages.split(|byte| *byte == b'\n');
        for line in lines.filter(|line| !line.is_empty()) {
            if let Some(answer) = self.committing.message(line, self.capture)? {
                self.send(&answer)?;
            }
        }
        Ok(true)
    }

    /// Goes on for so long.
    ///
    /// # Errors
    /// [`CaptureFailure`], if it failed or ended before.
    pub async fn go_on_for(&mut self, time: Duration) -> Result<(), CaptureFailure> {
        let until = Instant::now() + time;
        while let Ok(is_running) = tokio::time::timeout_at(until, self.commit()).await {
            if !is_running? {
                return Err(CaptureFailure::Ended(self.seen().checkpoints()));
            }
        }
        Ok(())
    }

    /// Lets it end as a runtime would: its input ends, and what runs finishes.
    ///
    /// # Errors
    /// [`CaptureFailure`], if it failed.
    pub async fn stop(mut self) -> Result<Seen, CaptureFailure> {
        self.close_input();
        while self.commit().await? {}
        Ok(self.committing.seen)
    }

    /// Ends its input, and waits for nothing: what runs may still [commit](Self::commit). For whoever wants to know what was committed even if it fails
    /// at its end.
    pub fn close_input(&mut self) {
        self.requests = None;
    }

    /// Kills it, as a signal kills a process. Answers with what was committed.
    pub fn kill(self) -> Seen {
        self.committing.seen
    }

    /// What was committed so far in this run.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.committing.seen
    }

    /// The connector state as it is committed.
    #[must_use]
    pub fn state(&self) -> Value {
        self.capture.state()
    }

    /// If the connector has ended, its outcome is looked at.
    fn send(&self, request: &Value) -> Result<(), CaptureFailure> {
        let sent = self
            .requests
            .as_ref()
            .map(|requests| requests.try_send(request.to_string().into()));
        match sent {
            Some(Err(TrySendError::Full(_))) => Err(CaptureFailure::Output(
                "the connector takes no more acknowledgements".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}
