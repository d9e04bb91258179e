//! A connector's process, from the runtime's side.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::PATIENCE;

/// A connector that runs. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: mpsc::Receiver<String>,
    lines: Vec<String>,
    logs: Option<JoinHandle<Vec<Value>>>,
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Standard output, line by line.
    pub(crate) lines: Vec<String>,
    /// The records on standard error.
    pub(crate) logs: Vec<Value>,
}

impl Ended {
    /// The messages that were logged at this level.
    pub(crate) fn logged(&self, level: &str) -> Vec<&str> {
        let at_level = self.logs.iter().filter(|record| record["level"] == level);
        at_level
            .filter_map(|record| record["msg"].as_str())
            .collect()
    }

    /// How often this was logged.
    pub(crate) fn count(&self, message: &str) -> usize {
        let is_it = |record: &&Value| record["msg"] == message;
        self.logs.iter().filter(is_it).count()
    }

    /// What was logged of a migration.
    pub(crate) fn migration(&self) -> &Value {
        let mut records = self
            .logs
            .iter()
            .filter_map(|record| record.pointer("/fields/migration"));
        let record = records.next().expect("a migration is logged");
        assert_eq!(records.next(), None, "it is logged once");
        record
    }
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(arguments, &[])
    }

    /// With variables in its environment.
    pub(crate) fn start_in(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kit-test-connector"))
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the connector starts");
        let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let _ = sender.send(line.expect("the connector writes lines"));
            }
        });
        let logs = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("logs are text");
            let record = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| json!(line));
            text.lines().map(record).collect()
        });
        Self {
            input: child.stdin.take(),
            child,
            output,
            lines: Vec::new(),
            logs: Some(logs),
        }
    }

    /// Answers one request, or as many as there are in the text, and ends.
    pub(crate) fn run(arguments: &[&str], requests: &str) -> Ended {
        let mut this = Self::start(arguments);
        this.send(requests);
        this.stop()
    }

    pub(crate) fn send(&mut self, request: impl std::fmt::Display) {
        let input = self.input.as_mut().expect("the input is open");
        let _ = writeln!(input, "{request}"); // It may have ended: then what it left behind is looked at.
    }

    pub(crate) fn acknowledge(&mut self, checkpoints: u32) {
        self.send(json!({"acknowledge": {"checkpoints": checkpoints}}));
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("`kill` runs").success());
    }

    /// All output so far, once it is this many lines.
    pub(crate) fn until(&mut self, lines: usize) -> &[String] {
        let deadline = Instant::now() + PATIENCE;
        while self.lines.len() < lines {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(line) => self.lines.push(line),
                Err(error) => panic!("{error} after {:#?}", self.lines),
            }
        }
        &self.lines
    }

    /// All output so far, if there was none for `time` and the process is still there.
    pub(crate) fn is_waiting(&mut self, time: Duration) -> &[String] {
        match self.output.recv_timeout(time) {
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            other => panic!("{other:?} after {:#?}", self.lines),
        }
        let ended = self.child.try_wait().expect("it can be waited for");
        assert_eq!(ended, None, "it has ended after {:#?}", self.lines);
        &self.lines
    }

    /// All output so far, once there was some, and then none for `time`.
    pub(crate) fn until_quiet(&mut self, time: Duration) -> &[String] {
        self.until(1);
        while let Ok(line) = self.output.recv_timeout(time) {
            self.lines.push(line);
        }
        &self.lines
    }

    /// Ends the input, and waits for the process.
    pub(crate) fn stop(mut self) -> Ended {
        self.input = None;
        self.wait()
    }

    pub(crate) fn kill(mut self) -> Ended {
        self.child.kill().expect("it can be killed");
        self.wait()
    }

    pub(crate) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let code = loop {
            match self.child.try_wait().expect("it can be waited for") {
                Some(status) => break status.code(),
                None if Instant::now() > deadline => panic!("it does not end: {:#?}", self.lines),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let mut lines = std::mem::take(&mut self.lines);
        lines.extend(self.output.iter());
        let logs = self.logs.take().expect("it is awaited once");
        Ended {
            code,
            lines,
            logs: logs.join().expect("logs can be read"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
