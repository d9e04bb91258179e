//! Running a process and taking note of what it took.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use staunch_bench::usage::{self, DIR_VARIABLE, Usage};

use crate::Error;

/// Bytes asked of a pipe at a time, as the runtime asks for them.
const CHUNK_BYTES: usize = 256 << 10;

pub(crate) const FLOOR: &str = env!("CARGO_BIN_EXE_bench-floor");
pub(crate) const CONNECTOR: &str = env!("CARGO_BIN_EXE_bench-connector");
pub(crate) const OUTREACH: &str = env!("CARGO_BIN_EXE_bench-outreach");
pub(crate) const SHOPIFY: &str = env!("CARGO_BIN_EXE_bench-shopify");
pub(crate) const MIGRATE: &str = env!("CARGO_BIN_EXE_bench-migrate");
pub(crate) const UPGRADE: &str = env!("CARGO_BIN_EXE_bench-upgrade");
pub(crate) const STAUNCH: &str = env!("CARGO_BIN_EXE_bench-staunch");

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    pub(crate) usage: Usage,
}

/// Who says how much CPU time a process took.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Teller {
    /// Itself, and those that it has started.
    Reports,
    /// The system, which knows it of a process of one thread.
    System,
}

/// In what a process writes its messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Messages {
    Lines,
    /// Each with its length before it.
    Frames,
}

/// What came out of a pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) bytes: u64,
    pub(crate) messages: u64,
}

/// Runs `command` to the end of its standard output, which is thrown away. Its input stays open until then.
pub(crate) fn to_pipe(
    command: &mut Command,
    input: &[u8],
    teller: Teller,
) -> Result<(Sample, u64), Error> {
    let mut bytes = 0;
    let sample = run(command, input, teller, |chunk| {
        bytes += chunk.len() as u64;
        false
    })?;
    Ok((sample, bytes))
}

/// As [`to_pipe`], of a program that does not end by itself: its input ends once a line holds `last`.
pub(crate) fn to_pipe_until(
    command: &mut Command,
    input: &[u8],
    last: &[u8],
) -> Result<(Sample, u64), Error> {
    let (mut lines, mut seen) = (0, Vec::new());
    let sample = run(command, input, Teller::Reports, |chunk| {
        lines += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
        // What is looked for may lie in two chunks.
        seen.extend_from_slice(chunk);
        let is_last = memchr::memmem::find(&seen, last).is_some();
        seen.drain(..seen.len().saturating_sub(last.len()));
        is_last
    })?;
    Ok((sample, lines))
}

/// As [`to_pipe`], and counts messages: for a run that is not measured.
pub(crate) fn count_output(
    command: &mut Command,
    input: &[u8],
    teller: Teller,
    messages: Messages,
) -> Result<Output, Error> {
    let mut output = Output::default();
    let mut frames = Frames::default();
    run(command, input, teller, |chunk| {
        output.bytes += chunk.len() as u64;
        output.messages += match messages {
            Messages::Lines => chunk.iter().filter(|byte| **byte == b'\n').count() as u64,
            Messages::Frames => frames.begun_in(chunk),
        };
        false
    })?;
    Ok(output)
}

/// Where in a frame a chunk ended.
#[derive(Default)]
struct Frames {
    length: [u8; 4],
    length_bytes: usize,
    /// What is left of the message.
    left: usize,
}

impl Frames {
    fn begun_in(&mut self, mut chunk: &[u8]) -> u64 {
        let mut begun = 0;
        while !chunk.is_empty() {
            let skipped = chunk.len().min(self.left);
            self.left -= skipped;
            chunk = &chunk[skipped..];
            let Some((byte, rest)) = chunk.split_first() else {
                break;
            };
            chunk = rest;
            self.length[self.length_bytes] = *byte;
            self.length_bytes += 1;
            if self.length_bytes == self.length.len() {
                self.length_bytes = 0;
                self.left = u32::from_le_bytes(self.length) as usize;
                begun += 1;
            }
        }
        begun
    }
}

/// Runs `command`, and hands on what it writes. Its input ends when its output does, or when `take` says that it is enough.
fn run(
    command: &mut Command,
    input: &[u8],
    teller: Teller,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<Sample, Error> {
    let reports = tempfile::tempdir()?;
    let began = Instant::now();
    let mut child = command
        .env(DIR_VARIABLE, reports.path())
        .env("LOG_LEVEL", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take();
    stdin.as_mut().expect("stdin is piped").write_all(input)?;
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match stdout.read(&mut chunk)? {
            0 => break,
            n => {
                if take(&chunk[..n]) {
                    stdin = None;
                }
            }
        }
    }
    drop(stdin);
    let cpu = finish(&mut child, teller)?;
    let wall = began.elapsed();
    Ok(Sample {
        wall,
        usage: told(cpu, reports.path())?,
    })
}

/// Runs `command`, of which only what it leaves behind is of interest, in `dir`.
pub(crate) fn in_folder(command: &mut Command, dir: &Path) -> Result<Sample, Error> {
    let reports = tempfile::tempdir()?;
    let began = Instant::now();
    let mut child = command
        .current_dir(dir)
        .env(DIR_VARIABLE, reports.path())
        .env("LOG_LEVEL", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    finish(&mut child, Teller::Reports)?;
    Ok(Sample {
        wall: began.elapsed(),
        usage: told(None, reports.path())?,
    })
}

fn told(cpu: Option<Duration>, reports: &Path) -> Result<Usage, Error> {
    match cpu {
        Some(cpu) => Ok(Usage {
            cpu,
            peak_kib: 0,
            processes: 1,
        }),
        None => match usage::collect(reports)? {
            Usage { processes: 0, .. } => Err("a process has not reported what it took".into()),
            usage => Ok(usage),
        },
    }
}

/// Waits for the end. A process that failed has measured nothing.
fn finish(child: &mut Child, teller: Teller) -> Result<Option<Duration>, Error> {
    let mut cpu = None;
    if teller == Teller::System {
        // It has ended, and is still known: now the system tells the whole of it.
        waitid(
            WaitId::Pid(Pid::from_child(child)),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )?;
        cpu = Some(cpu_of_thread(&format!("/proc/{}/schedstat", child.id()))?);
    }
    let status = child.wait()?;
    if !status.success() {
        return Err(format!("a measured process failed: {status}").into());
    }
    Ok(cpu)
}

/// The CPU time of all threads that a running process has.
pub(crate) fn cpu_of_threads(pid: u32) -> Result<Duration, Error> {
    let mut sum = Duration::ZERO;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        sum += cpu_of_thread(&thread?.path().join("schedstat").to_string_lossy())?;
    }
    Ok(sum)
}

fn cpu_of_thread(path: &str) -> Result<Duration, Error> {
    let text = std::fs::read_to_string(path)?;
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok());
    Ok(Duration::from_nanos(nanos.ok_or(
        "the system does not tell the CPU time of threads",
    )?))
}
