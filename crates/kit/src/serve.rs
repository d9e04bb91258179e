//! A connector's side of the protocol: requests in, responses out.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;

use staunch_protocol::lifecycle::{Lifecycle, ProtocolError};
use staunch_protocol::log::Level;
use staunch_protocol::{Codec, Request, RequestKind, Response, request, response};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::capture::{BoxError, Child, Session, TaskError, error_chain};
use crate::clock::Clock;
use crate::connector::Connector;
use crate::open::Prepared;
use crate::requests::{self, RequestError, Requests};
use crate::slots::Slots;
use crate::spool::{Budget, Out, SESSION_BYTES, Spool};
use crate::status::Status;
use crate::stop::{self, Limits, Signal};
use crate::tasks::Tasks;
use crate::transactor::Transactor;
use crate::{log, open, plan, supervise, unary};

/// How many lanes may be on their way to the session that runs them.
const QUEUED_LANES: usize = 64;

/// Why serving ended before the requests did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// What was read is not a request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The request has no place here.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The capture failed.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The connector, or what it was given, is at fault.
    #[error("{0}")]
    Connector(String),
}

impl From<BoxError> for ServeError {
    fn from(error: BoxError) -> Self {
        ServeError::Connector(error_chain(&*error))
    }
}

/// Runs a connector: serves requests from standard input until there are no more, or answers `plan` on the command line.
///
/// This is the whole of a connector's `main`. Standard output is the protocol; logs go to standard error. The exit code is 0 when
/// all went well, 1 after an error, which the last log says, and 2 for a command line that is not understood.
///
/// `FLOW_RUNTIME_CODEC` says in what the protocol is spoken: `json`, or `proto` for protobuf. Unset, it is `json`, as runtimes
/// speak to a local command that is not said to want protobuf. `plan` is JSON in any case.
pub fn main(connector: impl Connector) -> ExitCode {
    log::install();
    #[cfg(feature = "http")]
    crate::http::use_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the process cannot start: {error}")),
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let code = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => match (codec(), stdout()) {
            (Ok(codec), Ok(out)) => {
                let serving = serve_with(&connector, codec, std::io::stdin(), out, Clock::System);
                match runtime.block_on(serving) {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(error) => failed(&error_chain(&error)),
                }
            }
            (Err(problem), _) => failed(&problem),
            (_, Err(error)) => failed(&format!("standard output cannot be used: {error}")),
        },
        ["plan", ref options @ ..] => plan::main(&runtime, &connector, options),
        _ => {
            eprintln!("{}", plan::USAGE);
            ExitCode::from(2)
        }
    };
    runtime.shutdown_background(); // The thread that reads standard input cannot be joined.
    code
}

/// The codec that the environment asks for. Whatever else it asks for would be answered in a codec that nobody reads.
fn codec() -> Result<Codec, String> {
    match std::env::var_os(Codec::VARIABLE) {
        None => Ok(Codec::Json),
        Some(name) => name.to_string_lossy().parse().map_err(|_| {
            format!(
                "{} is {name:?}; set it to `json` or `proto`, or leave it unset for `json`",
                Codec::VARIABLE
            )
        }),
    }
}

fn failed(message: &str) -> ExitCode {
    log::write(&log::record(Level::Error, message));
    ExitCode::FAILURE
}

/// Standard output without the library's line buffer: what is written are whole sequences.
fn stdout() -> std::io::Result<File> {
    let descriptor = std::io::stdout().as_fd().try_clone_to_owned()?;
    Ok(File::from(descriptor))
}

/// Serves requests from `input` until there are no more, in newline JSON.
///
/// For a harness that has the connector in its own process; a connector's program calls [`main`].
///
/// ```
/// use std::io::{BufRead, BufReader};
/// # use staunch::{BoxError, Connector, Resource};
/// # struct Nothing;
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Config {}
/// # impl Connector for Nothing {
/// #     type Config = Config;
/// #     const DOCUMENTATION_URL: &'static str = "https://example.com/nothing";
/// #     async fn resources(&self, _: &Config) -> Result<Vec<Resource>, BoxError> { Ok(Vec::new()) }
/// # }
///
/// let requests = "{\"spec\":{}}\n".as_bytes();
/// let (answers, out) = std::io::pipe()?;
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// runtime.block_on(staunch::serve(&Nothing, requests, Box::new(out)))?;
/// let answer = BufReader::new(answers).lines().next().ok_or("there is an answer")??;
/// assert!(answer.starts_with("{\"spec\":{\"protocol\":"));
/// # Ok::<(), BoxError>(())
/// ```
///
/// # Errors
/// The first thing that went wrong. What was written until then is whole: no half message, no half sequence.
pub async fn serve(
    connector: &impl Connector,
    input: impl Read + Send + 'static,
    out: Box<dyn Write + Send>,
) -> Result<(), ServeError> {
    serve_with(connector, Codec::Json, input, out, Clock::of_thread()).await
}

/// Serves requests from a channel until there are no more, with no thread but that of its caller: each message is a request in JSON. Each
/// answer is a run of messages in newline JSON that belong together, such as documents with their checkpoint.
///
/// For a harness that is the runtime in a task beside the connector, perhaps in [simulated time](crate::SimulatedTime). Whoever drops
/// the future kills the connector, as a signal kills a process: what was not answered by then is lost.
///
/// # Errors
/// As [`serve`].
pub async fn serve_messages(
    connector: &impl Connector,
    requests: mpsc::Receiver<Vec<u8>>,
    answers: mpsc::Sender<Vec<u8>>,
) -> Result<(), ServeError> {
    let (transactor, writer) = Transactor::start_task(answers);
    let mut writer = AbortOnDropHandle::new(writer);
    let (_, signals) = mpsc::channel(1); // None will come: they are for the process.
    let served = Served {
        requests: Requests::told(requests),
        transactor,
        signals,
        clock: Clock::of_thread(),
        limits: Limits::USUAL,
    };
    let (outcome, is_left) = serve_as(connector, served).await;
    if !is_left {
        let _ = (&mut writer).await; // It has nothing to tell.
    }
    outcome
}

pub(crate) async fn serve_with(
    connector: &impl Connector,
    codec: Codec,
    input: impl Read + Send + 'static,
    out: impl Out,
    clock: Clock,
) -> Result<(), ServeError> {
    let (transactor, writer) = Transactor::start(codec, out);
    let served = Served {
        requests: requests::start(codec, input),
        transactor,
        signals: stop::signals(),
        clock: clock.clone(),
        limits: Limits::USUAL,
    };
    let (outcome, is_left) = serve_as(connector, served).await;
    // The writer ends when nobody can hand it anything. A lane that was left behind could, for ever.
    let joined = tokio::select! {
        biased; // Whatever it was handed is to be written, if it can be.
        joined = tokio::task::spawn_blocking(|| writer.join()) => joined,
        () = clock.alarm(Limits::USUAL.cancel), if is_left => return outcome,
    };
    if let Ok(Err(error)) = joined.unwrap_or(Ok(Ok(()))) {
        tracing::debug!(%error, "the runtime has gone");
    }
    outcome
}

/// A runtime's end of the pipes, and what passes for the world.
pub(crate) struct Served {
    pub(crate) requests: Requests,
    pub(crate) transactor: Transactor,
    pub(crate) signals: mpsc::Receiver<Signal>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
}

/// What came of it, and whether lanes may have been left behind.
pub(crate) async fn serve_as(
    connector: &impl Connector,
    served: Served,
) -> (Result<(), ServeError>, bool) {
    let mut server = Server {
        connector,
        transactor: served.transactor,
        signals: served.signals,
        clock: served.clock,
        limits: served.limits,
        budget: Budget::new(SESSION_BYTES),
        lifecycle: Lifecycle::new(),
        is_left: false,
    };
    let outcome = server.run(served.requests).await;
    (outcome, server.is_left)
}

struct Server<'a, C> {
    connector: &'a C,
    transactor: Transactor,
    signals: mpsc::Receiver<Signal>,
    clock: Clock,
    limits: Limits,
    budget: Arc<Budget>,
    lifecycle: Lifecycle,
    /// Whether lanes were cancelled, and may not have ended.
    is_left: bool,
}

impl<C: Connector> Server<'_, C> {
    async fn run(&mut self, mut requests: Requests) -> Result<(), ServeError> {
        while let Some(request) = requests.recv().await {
            let request = request?;
            self.lifecycle.request(&request)?;
            let response = match request {
                Request::Spec(_) => unary::spec(self.connector),
                Request::Discover(discover) => unary::discover(self.connector, &discover).await?,
                Request::Validate(validate) => unary::validate(self.connector, &validate).await?,
                Request::Apply(_) => Response::Applied(response::Applied::default()),
                Request::Open(open) => return self.open(open, requests).await,
                Request::Acknowledge(_) => {
                    // The lifecycle refuses one that comes before `Open`, and none is handled here after it.
                    return Err(ServeError::Connector(format!(
                        "malformed request: {}",
                        RequestKind::Acknowledge
                    )));
                }
            };
            self.lifecycle.response(&response)?;
            self.transactor
                .respond(&response, Spool::new(&self.budget))
                .await?;
        }
        Ok(())
    }

    async fn open(
        &mut self,
        request: request::Open,
        mut requests: Requests,
    ) -> Result<(), ServeError> {
        let status = Status::new(request.capture.bindings.len());
        let prepared = open::prepare(self.connector, request, self.clock.now()).await?;
        let (spawn, spawned) = mpsc::channel(QUEUED_LANES);
        let session = Arc::new(Session {
            bindings: prepared.indices(),
            transactor: self.transactor.clone(),
            clock: self.clock.clone(),
            budget: Arc::clone(&self.budget),
            stopping: CancellationToken::new(),
            cancelling: CancellationToken::new(),
            limits: self.limits.until(prepared.rotation, self.clock.now()),
            slots: Slots::new(prepared.concurrent_subtasks),
            tasks: Tasks::new(),
            status,
            spawn,
        });
        let running = run(Arc::clone(&session), prepared, spawned);
        tokio::pin!(running);
        let distrust = tokio::select! {
            biased; // What the capture came to counts, even if the runtime's last word is a mistake.
            outcome = &mut running => return self.ended(outcome),
            error = stop::attend(&mut requests, &mut self.signals, &session) => error,
        };
        tracing::error!(error = %error_chain(&distrust), "the capture stops");
        // What the runtime says can no longer be trusted, but what runs can: it may end as at any stop, though not for as long.
        session.stopping.cancel();
        session.transactor.close_acknowledgements();
        let outcome = tokio::select! {
            biased; // It may have ended already.
            outcome = &mut running => outcome,
            () = session.clock.alarm(session.limits.finish_distrusted) => {
                session.cancelling.cancel();
                running.await
            }
        };
        if let Err(error) = self.ended(outcome) {
            tracing::error!(%error, "failed while stopping");
        }
        Err(distrust)
    }

    fn ended(&mut self, outcome: Result<(), TaskError>) -> Result<(), ServeError> {
        use TaskError::{Cancelled, StopTimeout};
        self.is_left = matches!(outcome, Err(Cancelled { .. } | StopTimeout { .. }));
        Ok(outcome?)
    }
}

/// Runs an open capture to its end.
async fn run(
    session: Arc<Session>,
    prepared: Prepared,
    spawned: mpsc::Receiver<Child>,
) -> Result<(), TaskError> {
    let started = tokio::select! {
        biased; // A capture that has started can tell better what did not finish.
        started = prepared.start(&session) => started,
        late = supervise::deadline(&session) => Err(late.error("opening the capture".into())),
    };
    match started {
        Ok(started) => {
            let _reports = supervise::report(&session);
            let outcome = supervise::run(&session, started.children, spawned).await;
            log::info("capture ended", session.tasks.progress.totals());
            outcome
        }
        // No acknowledgement of the migration can come any more: nothing else has begun.
        Err(TaskError::Closed) if session.stopping.is_cancelled() => Ok(()),
        Err(error) => Err(error),
    }
}
