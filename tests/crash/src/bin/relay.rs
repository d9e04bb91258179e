//! `relay CONNECTOR [ARGUMENT…]`: stands between a runtime and its connector, and kills either at a message.
//!
//! It passes messages on one at a time, in both directions, and numbers them over all conversations of a run. What it is
//! to do stands in its environment:
//!
//! ```text
//! RELAY_LOG       the file in which messages are logged and numbered; a new one for each run
//! RELAY_KILL_AT   the number of the message at which to kill; none by default
//! RELAY_SIDE      `before` the message is passed on, or `after` (the default)
//! RELAY_KILL      `connector`, `runtime` or `both` (the default)
//! RELAY_PACE      if set, a checkpoint is not followed by another message until it is acknowledged
//! ```
//!
//! A kill is SIGKILL. Where the connector is killed, the relay dies of the same: to the runtime, the two are one.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, getppid, kill_process};
use staunch_crash_tests::log;

/// How long a message may wait for the acknowledgement of the checkpoint before it. No commit takes as long.
const PACE_PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    match Orders::read().and_then(run) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("relay: {error}");
            ExitCode::from(2)
        }
    }
}

type Error = Box<dyn std::error::Error>;

/// What the environment asks for.
struct Orders {
    kill_at: Option<u64>,
    side: Side,
    victim: Victim,
    is_paced: bool,
    log: File,
    /// Messages that passed in the run before this process began.
    passed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Connector,
    Runtime,
    Both,
}

impl Orders {
    fn read() -> Result<Self, Error> {
        let var = |name: &str| std::env::var(name).ok();
        let path =
            var("RELAY_LOG").ok_or("`RELAY_LOG` is missing; name a file to log messages in")?;
        let passed = match File::open(&path) {
            Ok(log) => BufReader::new(log).lines().count() as u64,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            kill_at: var("RELAY_KILL_AT").map(|text| text.parse()).transpose()?,
            side: match var("RELAY_SIDE").as_deref() {
                None | Some("after") => Side::After,
                Some("before") => Side::Before,
                Some(other) => {
                    return Err(
                        format!("`RELAY_SIDE` is `{other}`; say `before` or `after`").into(),
                    );
                }
            },
            victim: match var("RELAY_KILL").as_deref() {
                None | Some("both") => Victim::Both,
                Some("connector") => Victim::Connector,
                Some("runtime") => Victim::Runtime,
                Some(other) => {
                    return Err(format!(
                        "`RELAY_KILL` is `{other}`; say `connector`, `runtime` or `both`"
                    )
                    .into());
                }
            },
            is_paced: var("RELAY_PACE").is_some(),
            log: File::options().create(true).append(true).open(path)?,
            passed,
        })
    }
}

fn run(orders: Orders) -> Result<ExitCode, Error> {
    let runtime = getppid().ok_or("the runtime has gone")?;
    let mut argv = std::env::args_os().skip(1);
    let program = argv
        .next()
        .ok_or("no connector is named; give its program and arguments")?;
    let argv: Vec<_> = argv.collect();
    if !argv.is_empty() {
        // It is asked something outside of the protocol: a plan.
        return Err(Command::new(program).args(argv).exec().into());
    }
    let mut connector = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut requests = connector.stdin.take().expect("stdin is piped");
    let responses = connector.stdout.take().expect("stdout is piped");
    let relay = Arc::new(Relay {
        traffic: Mutex::new(Traffic {
            passed: orders.passed,
            unacknowledged: 0,
            is_acknowledged: false,
            is_over: false,
        }),
        acknowledged: Condvar::new(),
        runtime,
        connector: Pid::from_child(&connector),
        orders,
    });

    let of_requests = Arc::clone(&relay);
    // Not joined: it reads for as long as the runtime lives, and this process ends with the connector.
    std::thread::spawn(move || {
        let _ = of_requests.pass_all(true, io::stdin().lock(), &mut requests); // A connector may end before its input.
        drop(requests);
        of_requests.end();
    });
    // A runtime that has gone reads no more; the connector hears of that from the end of its input.
    let _ = relay.pass_all(false, responses, &mut io::stdout().lock());
    let status = connector.wait()?;
    if status.signal().is_some() {
        die();
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

struct Relay {
    orders: Orders,
    traffic: Mutex<Traffic>,
    acknowledged: Condvar,
    runtime: Pid,
    connector: Pid,
}

struct Traffic {
    passed: u64,
    /// Checkpoints that were passed on and not acknowledged yet.
    unacknowledged: u64,
    /// Whether the runtime was asked to acknowledge checkpoints.
    is_acknowledged: bool,
    /// Whether there are no more requests, and so no acknowledgements.
    is_over: bool,
}

impl Relay {
    fn pass_all(&self, is_request: bool, from: impl Read, to: &mut impl Write) -> io::Result<()> {
        let mut from = BufReader::new(from);
        let mut line = String::new();
        while from.read_line(&mut line)? > 0 {
            self.pass(is_request, &line, to)?;
            line.clear();
        }
        Ok(())
    }

    /// Passes one message on. All others wait meanwhile, so that a number is a place in one order.
    fn pass(&self, is_request: bool, line: &str, to: &mut impl Write) -> io::Result<()> {
        let (kind, body) = log::message(line)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is no message"))?;
        let mut traffic = self.lock();
        if !is_request && self.orders.is_paced {
            let is_ahead = |traffic: &mut Traffic| traffic.unacknowledged > 0 && !traffic.is_over;
            let waited = self
                .acknowledged
                .wait_timeout_while(traffic, PACE_PATIENCE, is_ahead);
            let (waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            traffic = waiting;
            if timeout.timed_out() {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "no acknowledgement came",
                ));
            }
        }
        traffic.passed += 1;
        let arrow = if is_request { '>' } else { '<' };
        let entry = format!("{} {arrow} {}\n", traffic.passed, line.trim_end());
        (&self.orders.log).write_all(entry.as_bytes())?;
        let is_here = self.orders.kill_at == Some(traffic.passed);
        if is_here && self.orders.side == Side::Before {
            self.kill();
        }
        to.write_all(line.as_bytes())?;
        to.flush()?;
        if is_here {
            self.kill();
        }
        match (is_request, kind.as_str()) {
            (false, "opened") => traffic.is_acknowledged = body["explicitAcknowledgements"] == true,
            (false, "checkpoint") if traffic.is_acknowledged => traffic.unacknowledged += 1,
            (true, "acknowledge") => {
                let acknowledged = log::checkpoints(&body);
                traffic.unacknowledged = traffic.unacknowledged.saturating_sub(acknowledged);
                self.acknowledged.notify_all();
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.acknowledged.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what was ordered, and ends.
    fn kill(&self) -> ! {
        let (side, victim) = (self.orders.side, self.orders.victim);
        let entry = format!("killed {side:?} {victim:?}\n").to_lowercase();
        // A kill that is not logged is found by the tests: they look for it.
        let _ = (&self.orders.log).write_all(entry.as_bytes());
        // A runtime that has gone has left its number to be given away, and us to another parent.
        if victim != Victim::Connector && getppid() == Some(self.runtime) {
            let _ = kill_process(self.runtime, Signal::KILL);
        }
        if victim == Victim::Runtime {
            std::process::exit(1); // The connector's pipes end with this process.
        }
        let _ = kill_process(self.connector, Signal::KILL); // It is our child: its number is its own until we wait.
        die();
    }
}

fn die() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}
