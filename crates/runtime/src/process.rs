//! A connector's process: started in a group of its own, spoken to over pipes, and gone when this value is.
//!
//! Each pipe has its thread, so that a connector which stops reading, or talks on standard error without end, blocks nobody but
//! itself. Standard error ends as log records; the last error among them is what a failure is reported with.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use staunch_protocol::log::{Level, Record};
use staunch_protocol::{Codec, FrameError, Request};

use crate::error::ConnectorError;

/// Requests on their way into a connector. After `Open` there are but acknowledgements.
const QUEUED_REQUESTS: usize = 64;

/// How long a connector may leave its input unread once that queue is full.
const INPUT_PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of one log line; what is longer is cut.
const LOG_LINE_BYTES: u64 = 1 << 20;

/// How long standard error may stay open after the process has ended, because a grandchild holds it.
const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// How often an exit is looked for. A child's exit cannot be waited for with a deadline otherwise.
const POLL: Duration = Duration::from_millis(5);

/// Takes a connector's log records, from a thread of its own.
pub type LogSink = Arc<dyn Fn(Record) + Send + Sync>;

/// How a connector is started.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectorCommand {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The folder that it runs in.
    pub dir: PathBuf,
    /// Variables added to the environment. Their values may be secrets.
    pub env: BTreeMap<String, String>,
    /// What the protocol is spoken in. The connector is told by `FLOW_RUNTIME_CODEC`, unless `env` tells it otherwise.
    pub codec: Codec,
}

impl std::fmt::Debug for ConnectorCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let env: Vec<_> = self.env.keys().collect();
        f.debug_struct("ConnectorCommand")
            .field("argv", &self.argv)
            .field("dir", &self.dir)
            .field("env", &env)
            .field("codec", &self.codec)
            .finish()
    }
}

impl ConnectorCommand {
    /// The program's name, for people.
    #[must_use]
    pub fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// What identifies the program: its name and a digest of its file, or the name alone where the file cannot be read.
    #[must_use]
    pub fn version(&self) -> String {
        let name = Path::new(self.program())
            .file_name()
            .map_or_else(|| self.program().into(), |name| name.to_string_lossy());
        match self.file().and_then(|path| digest(&path).ok()) {
            Some(digest) => format!("{name}@{digest:032x}"),
            None => name.into_owned(),
        }
    }

    /// Whether there is such a program.
    pub(crate) fn is_found(&self) -> bool {
        self.file().is_some_and(|path| path.is_file())
    }

    /// The program's file, as the system would find it.
    fn file(&self) -> Option<PathBuf> {
        let program = Path::new(self.program());
        if program.components().count() > 1 {
            return Some(self.dir.join(program));
        }
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|dir| dir.join(program))
            .find(|file| file.is_file())
    }

    pub(crate) fn build(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program());
        command
            .args(self.argv.iter().skip(1))
            .args(arguments)
            .current_dir(&self.dir)
            .env("LOG_FORMAT", "json")
            .env("LOG_LEVEL", log_level())
            // Not inherited: it would say how this process is spoken to.
            .env(Codec::VARIABLE, self.codec.as_str())
            .envs(&self.env)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// The level that connectors are told: that of this process, or `info`. Some connectors do not know `trace`.
fn log_level() -> String {
    match std::env::var("LOG_LEVEL")
        .ok()
        .and_then(|level| level.parse::<Level>().ok())
    {
        Some(Level::Trace | Level::Debug) => "debug".into(),
        Some(level) => level.to_string(),
        None => "info".into(),
    }
}

/// A digest of a file's bytes.
fn digest(path: &Path) -> std::io::Result<u128> {
    let mut hash = twox_hash::XxHash3_128::new();
    let mut file = std::fs::File::open(path)?;
    let mut chunk = vec![0; 256 << 10];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hash.finish_128()),
            n => hash.write(&chunk[..n]),
        }
    }
}

/// A connector's version with as much of its digest as tells it from another; the JSON has all of it.
#[must_use]
pub fn short_version(version: &str) -> &str {
    const DIGITS: usize = 8;
    match version.rsplit_once('@') {
        Some((name, digest)) if digest.len() > DIGITS && digest.is_ascii() => {
            &version[..name.len() + 1 + DIGITS]
        }
        _ => version,
    }
}

/// The process groups of all connectors that are running.
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Ends every connector that this process runs, at once: for a program that ends itself without waiting for its threads.
pub fn kill_connectors() {
    for &group in &*running() {
        if let Some(pid) = Pid::from_raw(group) {
            Killer(pid).kill();
        }
    }
}

fn running() -> MutexGuard<'static, BTreeSet<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running connector.
#[derive(Debug)]
pub(crate) struct Connector {
    program: String,
    child: Child,
    input: Option<Input>,
    stderr: Option<JoinHandle<()>>,
    stderr_done: mpsc::Receiver<()>,
    last_error: Arc<Mutex<LastLog>>,
}

/// The way into a connector. It ends the connector's input when dropped.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    codec: Codec,
    queue: SyncSender<Vec<u8>>,
}

/// Ends a connector from another thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Killer(Pid);

#[derive(Debug, Default)]
struct LastLog {
    error: Option<String>,
    any: Option<String>,
}

impl Connector {
    /// Starts the process.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(crate) fn start(
        command: &ConnectorCommand,
        arguments: &[&str],
        log: LogSink,
    ) -> Result<(Self, ChildStdout), ConnectorError> {
        let program = command.program().to_owned();
        let mut child = command
            .build(arguments)
            .spawn()
            .map_err(|source| ConnectorError::start(program.clone(), &command.dir, source))?;
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");

        let (input, queue) = mpsc::sync_channel::<Vec<u8>>(QUEUED_REQUESTS);
        let writer = move || {
            for request in queue {
                if stdin
                    .write_all(&request)
                    .and_then(|()| stdin.flush())
                    .is_err()
                {
                    return; // A connector need not read its input. If it should have, its silence will tell.
                }
            }
        };
        // Not joined: it ends with the process, whose end of the pipe is gone then.
        spawn_thread("connector stdin", writer);

        let last_error = Arc::<Mutex<LastLog>>::default();
        let (done, stderr_done) = mpsc::channel();
        let remember = Arc::clone(&last_error);
        let reader = move || {
            read_log(stderr, &remember, &log);
            drop(done);
        };
        let stderr = Some(spawn_thread("connector stderr", reader));
        let connector = Self {
            program,
            child,
            input: Some(Input {
                codec: command.codec,
                queue: input,
            }),
            stderr,
            stderr_done,
            last_error,
        };
        running().insert(connector.killer().0.as_raw_pid());
        Ok((connector, stdout))
    }

    /// The way in, for another thread. The connector's input stays open for as long as any is held.
    pub(crate) fn input(&self) -> Option<Input> {
        self.input.clone()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When it is longer than a connector reads, or the connector does not read its input for too long.
    pub(crate) fn send(&self, request: &Request) -> Result<(), ConnectorError> {
        match &self.input {
            Some(input) => input.send(request, &self.program),
            None => Ok(()),
        }
    }

    /// Says that there will be no further requests.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// What ends it from another thread.
    pub(crate) fn killer(&self) -> Killer {
        Killer(Pid::from_child(&self.child))
    }

    /// Waits until the process has ended and its last log is read.
    ///
    /// # Errors
    /// When it does not end in time; it is then killed.
    pub(crate) fn wait(&mut self, patience: Duration) -> Result<ExitStatus, ConnectorError> {
        let deadline = Instant::now() + patience;
        let status = loop {
            let status = self.child.try_wait();
            match status
                .map_err(|source| ConnectorError::io(&self.program, "waiting for it", source))?
            {
                Some(status) => break status,
                None if Instant::now() >= deadline => {
                    self.killer().kill();
                    return Err(ConnectorError::Lingers {
                        program: self.program.clone(),
                        patience,
                    });
                }
                None => std::thread::sleep(POLL),
            }
        };
        self.finish_log();
        Ok(status)
    }

    /// Reads standard error to its end, unless a grandchild keeps it open.
    fn finish_log(&mut self) {
        let ended = self.stderr_done.recv_timeout(LOG_PATIENCE)
            == Err(mpsc::RecvTimeoutError::Disconnected);
        if let (true, Some(stderr)) = (ended, self.stderr.take()) {
            let _ = stderr.join(); // It cannot panic but by a log sink of ours, which then has said so.
        }
    }

    /// The failure that output which is no line or frame stands for: if it broke off inside one, why the connector ended says more.
    pub(crate) fn frame_failure(&mut self, source: FrameError) -> ConnectorError {
        let program = self.program.clone();
        let is_partial = source.is_partial();
        let frame = ConnectorError::Frame { program, source };
        if !is_partial {
            return frame;
        }
        match self.wait(crate::conversation::EXIT_PATIENCE) {
            Ok(status) => self.failure(status).unwrap_or(frame),
            Err(lingers) => lingers,
        }
    }

    /// The failure that an exit status stands for, told with the connector's own last words. None for a clean exit.
    pub(crate) fn failure(&self, status: ExitStatus) -> Option<ConnectorError> {
        if status.success() {
            return None;
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        };
        let last = self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let said = last.error.clone().or_else(|| last.any.clone());
        Some(ConnectorError::Failed {
            program: self.program.clone(),
            how,
            said,
        })
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        running().remove(&self.killer().0.as_raw_pid());
        if matches!(self.child.try_wait(), Ok(None) | Err(_)) {
            self.killer().kill();
            let _ = self.child.wait(); // Killed: there is nothing to wait for but the system.
        }
    }
}

impl Input {
    /// Sends a request.
    ///
    /// # Errors
    /// When it is longer than a connector reads, or the connector does not read its input for too long.
    pub(crate) fn send(&self, request: &Request, program: &str) -> Result<(), ConnectorError> {
        let mut message = Vec::new();
        self.codec
            .encode_request(request, &mut message)
            .map_err(|source| ConnectorError::Unsendable {
                program: program.to_owned(),
                source,
            })?;
        let deadline = Instant::now() + INPUT_PATIENCE;
        loop {
            match self.queue.try_send(message) {
                Ok(()) | Err(mpsc::TrySendError::Disconnected(_)) => return Ok(()), // Its exit will say why it went.
                Err(mpsc::TrySendError::Full(_)) if Instant::now() >= deadline => {
                    return Err(ConnectorError::Deaf {
                        program: program.to_owned(),
                        patience: INPUT_PATIENCE,
                    });
                }
                Err(mpsc::TrySendError::Full(back)) => {
                    message = back;
                    std::thread::sleep(POLL);
                }
            }
        }
    }
}

impl Killer {
    /// Asks the connector, and what it has started, to end.
    pub(crate) fn terminate(self) {
        let _ = kill_process_group(self.0, Signal::TERM); // It may have ended by itself.
    }

    /// Ends the connector, and what it has started.
    pub(crate) fn kill(self) {
        let _ = kill_process_group(self.0, Signal::KILL); // It may have ended by itself.
    }
}

fn read_log(stderr: impl Read, remember: &Mutex<LastLog>, log: &LogSink) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader)
            .take(LOG_LINE_BYTES)
            .read_until(b'\n', &mut line)
        {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        if text.trim().is_empty() {
            continue;
        }
        let record = Record::decode(&text);
        {
            let mut last = remember.lock().unwrap_or_else(PoisonError::into_inner);
            last.any = Some(record.message.clone());
            if record.level == Level::Error {
                last.error = Some(record.message.clone());
            }
        }
        log(record);
    }
}

fn spawn_thread(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(run);
    thread.expect("a process can start a thread")
}

/// How long a connector may take for a single answer outside the protocol.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Bytes of a single answer outside the protocol.
const ANSWER_BYTES: u64 = 256 << 20;

impl Connector {
    /// Starts the process, gives it its whole input, and takes its whole output.
    ///
    /// # Errors
    /// When it fails, or takes too long.
    pub(crate) fn ask_once(
        command: &ConnectorCommand,
        arguments: &[&str],
        input: Vec<u8>,
        log: LogSink,
    ) -> Result<Vec<u8>, ConnectorError> {
        let (mut connector, stdout) = Self::start(command, arguments, log)?;
        if let Some(way_in) = connector.input.take() {
            let _ = way_in.queue.send(input); // If it does not read, its exit says why.
        }
        let watchdog = crate::conversation::Watchdog::start(connector.killer(), ANSWER_PATIENCE);
        let mut output = Vec::new();
        let read = stdout.take(ANSWER_BYTES).read_to_end(&mut output);
        read.map_err(|source| {
            ConnectorError::io(&connector.program, "reading its output", source)
        })?;
        drop(watchdog);
        let status = connector.wait(crate::conversation::EXIT_PATIENCE)?;
        connector.failure(status).map_or(Ok(output), Err)
    }
}
