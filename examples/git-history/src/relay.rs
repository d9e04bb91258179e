//! Stands between the runtime and a connector, and kills both with SIGKILL after so many documents.
//!
//! Requests and logs go past it: the connector has its standard input and error. Responses go through it line by line. After the
//! last document that it lets through it waits until all that was checkpointed before is committed, so that what is there
//! after the kill is the same each time; the document itself is not, and must be captured again.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Signal, getppid, kill_process};
use serde_json::Value;

use staunch_stage::committed_documents;

/// How long to wait for a commit. Killed without it, the capture is as right, but has less to show.
const COMMIT_PATIENCE: Duration = Duration::from_secs(20);

/// How often to look whether it is there.
const POLL: Duration = Duration::from_millis(20);

/// Runs `relay --kill-after N -- CONNECTOR…`.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("relay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let [flag, limit, dashes, program, rest @ ..] = arguments else {
        bail!("the relay is told `--kill-after N -- CONNECTOR…`");
    };
    ensure!(
        flag == "--kill-after" && dashes == "--",
        "the relay is told `--kill-after N -- CONNECTOR…`"
    );
    let limit = limit.parse().context("reading `--kill-after`")?;
    let mut connector = Command::new(program)
        .args(rest)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting `{program}`"))?;
    let responses = connector.stdout.take().expect("it is piped");
    let mut count = Count::new(limit);
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(responses).split(b'\n') {
        let mut line = line.context("reading a response")?;
        let is_last = count.response(&line);
        line.push(b'\n');
        out.write_all(&line)
            .and_then(|()| out.flush())
            .context("passing a response on")?;
        if is_last {
            wait_for_commit(count.checkpointed);
            if let Some(runtime) = getppid() {
                kill_process(runtime, Signal::KILL).context("killing the runtime")?;
            }
            connector.kill().context("killing the connector")?;
            connector.wait()?;
            return Ok(ExitCode::FAILURE);
        }
    }
    let status = connector.wait().context("waiting for the connector")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// Waits until the runtime has committed this many documents.
fn wait_for_commit(documents: u64) {
    let deadline = Instant::now() + COMMIT_PATIENCE;
    while Instant::now() < deadline {
        let shown = Command::new("bin/staunch")
            .args(["state", "show", "--json"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let committed = shown
            .ok()
            .and_then(|shown| committed_documents(&String::from_utf8_lossy(&shown.stdout)));
        if committed.is_some_and(|committed| committed >= documents) {
            return;
        }
        std::thread::sleep(POLL);
    }
}

/// What went through.
#[derive(Debug)]
struct Count {
    /// Documents of the first binding that may still pass.
    left: u64,
    /// Documents of all bindings since the last checkpoint.
    pending: u64,
    /// And before it.
    checkpointed: u64,
}

impl Count {
    fn new(limit: u64) -> Self {
        Self {
            left: limit,
            pending: 0,
            checkpointed: 0,
        }
    }

    /// Counts a response; true if it is the last document to be let through.
    fn response(&mut self, line: &[u8]) -> bool {
        let Ok(response) = serde_json::from_slice::<Value>(line) else {
            return false; // What is none is the runtime's to refuse.
        };
        if response.get("checkpoint").is_some() {
            self.checkpointed += std::mem::take(&mut self.pending);
        }
        let Some(captured) = response.get("captured") else {
            return false;
        };
        self.pending += 1;
        let binding = captured.get("binding").and_then(Value::as_u64).unwrap_or(0);
        if binding == 0 {
            self.left = self.left.saturating_sub(1);
        }
        binding == 0 && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_the_first_binding_are_counted_and_those_before_a_checkpoint_known() {
        let mut count = Count::new(3);
        for (line, is_last) in [
            (r#"{"opened":{}}"#, false),
            (r#"{"captured":{"binding":0,"doc":{"captured":{}}}}"#, false),
            (r#"{"captured":{"doc":{}}}"#, false),
            (r#"{"checkpoint":{}}"#, false),
            (r#"{"captured":{"binding":1,"doc":{}}}"#, false),
            (r#"{"checkpoint":{}}"#, false),
            (r#"{"captured":{"binding":0,"doc":{}}}"#, true),
        ] {
            assert_eq!(count.response(line.as_bytes()), is_last, "{line}");
        }
        assert_eq!((count.checkpointed, count.pending), (3, 1));
    }
}
