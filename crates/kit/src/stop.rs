//! How a capture stops: who asks for it, and how long it may take.
//!
//! ```text
//! end of the input, SIGTERM, SIGINT, a schedule, a token that expires, 24 hours ─► running invocations finish, no further ones begin
//!                                     after 30 minutes, or at a second signal ─► they are cancelled at their next `await`
//!                                                              after 10 more seconds ─► they are left behind, and the process ends
//! ```
//!
//! The waits here are told by [`Clock::alarm`], and signals arrive on a thread of their own: functions that block every thread of the
//! runtime hold neither up, and `SIGQUIT` can be answered at the very moment when somebody wants to know what blocks.

use std::time::Duration;

use jiff::Timestamp;
use staunch_protocol::Request;
use staunch_protocol::log::Level;
use tokio::sync::mpsc;

use crate::capture::Session;
use crate::clock::Clock;
use crate::log;
use crate::requests::Requests;
use crate::serve::ServeError;

/// How long a capture takes, at most, for each part of its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// After so long a capture stops by itself, and is started again by whoever runs it: what leaks, drifts or is cached for too
    /// long is then bounded by a day, and resources that came to be are found.
    pub(crate) restart: Duration,
    /// Why then.
    pub(crate) restart_reason: &'static str,
    /// How long running invocations have to finish once the capture is to stop: a long page of a slow source fits.
    pub(crate) finish: Duration,
    /// The same when the runtime has said what makes no sense: what runs may come to its next checkpoint, but is waited for no longer.
    pub(crate) finish_distrusted: Duration,
    /// How long cancelled invocations have to end. A function that blocks its thread is then left behind.
    pub(crate) cancel: Duration,
}

impl Limits {
    pub(crate) const USUAL: Limits = Limits {
        restart: Duration::from_secs(24 * 60 * 60),
        restart_reason: "the capture has run for a day",
        finish: Duration::from_secs(30 * 60),
        finish_distrusted: Duration::from_secs(10),
        cancel: Duration::from_secs(10),
    };

    /// The same, but for a capture that is to be started again when its tokens are to be rotated. Tokens whose life is shorter than
    /// [`SHORTEST_RUN`] are used until they expire, as it would do nothing else.
    pub(crate) fn until(self, rotation: Option<Timestamp>, now: Timestamp) -> Self {
        let Some(rotation) = rotation else {
            return self;
        };
        let left = Duration::try_from(rotation.duration_since(now)).unwrap_or_default();
        // One moment later, so that it is due.
        let restart = left.max(SHORTEST_RUN) + Duration::from_secs(1);
        if restart >= self.restart {
            return self;
        }
        Self {
            restart,
            restart_reason: "the access token is about to expire",
            ..self
        }
    }
}

/// How long a capture runs at least before it is started again for its tokens.
const SHORTEST_RUN: Duration = Duration::from_secs(5 * 60);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// To stop; a second time, to stop at once.
    Stop,
    /// To say what every task is at.
    Report,
}

/// The signals of this process, from the first call on. What is not handled any more does nothing, rather than end the process.
///
/// Without handlers, if the system refuses them, signals end the process as is their wont.
pub(crate) fn signals() -> mpsc::Receiver<Signal> {
    let (sender, signals) = mpsc::channel(8);
    let listen = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(forward(sender)),
            Err(error) => tracing::debug!(%error, "signals are not handled"),
        }
    };
    let thread = std::thread::Builder::new()
        .name("signals".into())
        .spawn(listen);
    drop(thread.expect("a process can start its signal thread"));
    signals
}

async fn forward(sender: mpsc::Sender<Signal>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut quit)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::quit()),
    ) else {
        return;
    };
    loop {
        let signal = tokio::select! {
            biased; // Whoever asks for both wants to see the report before it is too late.
            () = sender.closed() => return,
            _ = quit.recv() => Signal::Report,
            _ = terminate.recv() => Signal::Stop,
            _ = interrupt.recv() => Signal::Stop,
        };
        if sender.send(signal).await.is_err() {
            return;
        }
    }
}

/// Attends to an open capture from the outside: acknowledgements, signals and the time. Never returns but with an error, after which
/// nothing that the runtime says can be trusted.
pub(crate) async fn attend(
    requests: &mut Requests,
    signals: &mut mpsc::Receiver<Signal>,
    session: &Session,
) -> ServeError {
    let restart = session.clock.alarm(session.limits.restart);
    tokio::pin!(restart);
    let mut has_requests = true;
    loop {
        tokio::select! {
            biased; // Acknowledgements that are there already are worth more than a quick stop.
            request = requests.recv(), if has_requests => match request {
                None => {
                    has_requests = false;
                    session.stopping.cancel();
                    session.transactor.close_acknowledgements();
                }
                Some(request) => if let Err(error) = acknowledge(request, session) {
                    return error;
                },
            },
            Some(signal) = signals.recv() => match signal {
                Signal::Report => report(session),
                // Running invocations may still wait for acknowledgements: go on.
                Signal::Stop if !session.stopping.is_cancelled() => session.stopping.cancel(),
                Signal::Stop => session.cancelling.cancel(),
            },
            () = &mut restart, if !session.stopping.is_cancelled() => {
                let reason = session.limits.restart_reason;
                tracing::info!("{reason}, and the capture stops to be started again");
                session.stopping.cancel();
            }
            // It stops already, and where the system refuses handlers no signal comes either.
            else => std::future::pending().await,
        }
    }
}

fn acknowledge(
    request: Result<Request, crate::requests::RequestError>,
    session: &Session,
) -> Result<(), ServeError> {
    match request? {
        Request::Acknowledge(acknowledge) => {
            Ok(session.transactor.acknowledge(acknowledge.checkpoints)?)
        }
        other => {
            let kind = other.kind();
            Err(ServeError::Connector(format!(
                "malformed request: `{kind}` while a capture is open"
            )))
        }
    }
}

/// Logs what every task is at. Apart from the one who asks: standard error may be slow.
pub(crate) fn report(session: &Session) {
    let report = session.report();
    let write = move || {
        report
            .records(Level::Info)
            .for_each(|record| log::write(&record))
    };
    let thread = std::thread::Builder::new()
        .name("report".into())
        .spawn(write);
    if let Err(error) = thread {
        tracing::warn!(%error, "tasks cannot be reported");
    }
}

/// The clock by which a stop is told. A simulated one moves with Tokio's.
impl Clock {
    /// Waits for `time`, whatever blocks the runtime.
    pub(crate) async fn alarm(&self, time: Duration) {
        match self {
            Clock::System => {
                let (ring, rings) = tokio::sync::oneshot::channel();
                let (keep, dropped) = std::sync::mpsc::channel::<()>();
                let wait = move || {
                    // An error is the time that has passed, or that nobody waits any more.
                    let _ = dropped.recv_timeout(time);
                    let _ = ring.send(());
                };
                let thread = std::thread::Builder::new().name("alarm".into()).spawn(wait);
                drop(thread.expect("a process can start an alarm"));
                let _ = rings.await;
                drop(keep);
            }
            Clock::Simulated(..) => tokio::time::sleep(time).await,
        }
    }
}

#[cfg(test)]
mod tests;
