//! The connector of these tests as a process, from the runtime's side.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A capture that runs in a process, which is killed when this is dropped.
pub(crate) struct Capture {
    child: Child,
    /// The input ends with it, and then the capture.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    logs: Lines<BufReader<ChildStderr>>,
    logged: Vec<String>,
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<String>,
    /// Standard error, line by line; the last may be cut.
    pub(crate) logged: Vec<String>,
}

impl Capture {
    /// Opens a capture with this config, sealing its updates at this address.
    pub(crate) async fn open(config: &Value, seal: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_net-test-connector"))
            .env("ENCRYPTION_URL", seal)
            .env("LOG_LEVEL", "trace") // All of it is searched for secrets.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the connector starts");
        let mut input = child.stdin.take().expect("it is piped");
        let request = json!({"open": {
            "capture": {
                "name": "a/capture", "connectorType": "LOCAL", "config": config, "intervalSeconds": 1,
                "bindings": [{
                    "resourceConfig": {"name": "records"}, "resourcePath": ["records"], "stateKey": "records",
                    "collection": {"name": "a/records", "key": ["/id"], "writeSchema": {"type": "object"}},
                }],
            },
            "version": "1", "range": {"keyEnd": u32::MAX, "rClockEnd": u32::MAX}, "state": {},
        }});
        let request = format!("{request}\n");
        input.write_all(request.as_bytes()).await.unwrap();
        Self {
            output: BufReader::new(child.stdout.take().expect("it is piped")).lines(),
            logs: BufReader::new(child.stderr.take().expect("it is piped")).lines(),
            logged: Vec::new(),
            input: Some(input),
            child,
        }
    }

    /// Reads the logs until the config's update is announced, and says which config was.
    pub(crate) async fn announced(&mut self) -> Value {
        let reading = async {
            loop {
                let line = self.logs.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("it has ended: {:?}", self.logged));
                let record: Value = serde_json::from_str(&line).unwrap_or_default();
                self.logged.push(line);
                if let Some(config) = announced(&record) {
                    return config.clone();
                }
            }
        };
        let read = tokio::time::timeout(PATIENCE, reading).await;
        read.expect("an update is announced")
    }

    /// The next line of its output.
    pub(crate) async fn line(&mut self) -> String {
        let read = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
        let line = read.expect("there is output in time").unwrap();
        line.expect("it has not ended")
    }

    /// Reads the output up to the first document.
    pub(crate) async fn captures(&mut self) {
        assert_eq!(self.line().await, r#"{"opened":{}}"#);
        while !self.line().await.starts_with(r#"{"captured":"#) {}
    }

    pub(crate) async fn kill(mut self) -> Ended {
        self.child.start_kill().unwrap();
        self.ended().await
    }

    /// Ends its input, and waits for it.
    pub(crate) async fn stop(mut self) -> Ended {
        self.input = None;
        self.ended().await
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(mut self) -> Ended {
        let (mut lines, mut logs) = (String::new(), Vec::new());
        let mut output = self.output.into_inner();
        let mut errors = self.logs.into_inner();
        let reading = async {
            let output = output.read_to_string(&mut lines);
            let (output, logged) = tokio::join!(output, errors.read_to_end(&mut logs));
            output.unwrap();
            logged.unwrap();
            self.child.wait().await.unwrap()
        };
        let ended = tokio::time::timeout(PATIENCE, reading).await;
        let code = ended.expect("it ends in time").code();
        let logs = String::from_utf8_lossy(&logs).into_owned();
        self.logged.extend(logs.lines().map(str::to_owned));
        Ended {
            code,
            lines: lines.lines().map(str::to_owned).collect(),
            logged: self.logged,
        }
    }
}

impl Ended {
    /// The configs that were announced, whole.
    pub(crate) fn announced(&self) -> Vec<Value> {
        let records = self.logged.iter();
        let records = records.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records
            .filter_map(|record| announced(&record).cloned())
            .collect()
    }

    /// The error with which it ended.
    pub(crate) fn error(&self) -> String {
        let record = self.logged.last().expect("something is logged");
        let record: Value = serde_json::from_str(record).unwrap();
        assert_eq!(
            (self.code, &record["level"]),
            (Some(1), &json!("error")),
            "{self:?}"
        );
        record["msg"].as_str().unwrap().to_owned()
    }
}

fn announced(record: &Value) -> Option<&Value> {
    let fields = &record["fields"];
    (fields["eventType"] == "configUpdate").then(|| &fields["config"])
}
