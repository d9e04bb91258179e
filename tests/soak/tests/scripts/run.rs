//! A session of a script in this process, and what came out of it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, PipeWriter, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use scenario::Scenario;
use serde_json::{Value, json};

use crate::model::{Expected, Item, Transaction, merge};

/// How long a session may take on a busy machine. What is measured is never how long it took.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a session did.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Transactions by stream, in the order in which they came.
    pub(crate) streams: BTreeMap<String, Vec<Transaction>>,
    /// The state that is committed in the end.
    pub(crate) state: Value,
    /// Rules of the protocol that were broken.
    pub(crate) broken: Vec<String>,
    /// Whether it ended with success.
    pub(crate) is_ok: bool,
    /// What it ended with, if not.
    pub(crate) error: String,
}

/// Serves a script that opens with `state`, until it ends by itself or has done what is expected of it.
pub(crate) fn session(
    script: &Value,
    bindings: &[String],
    state: &Value,
    expected: &Expected,
) -> Result<Seen, String> {
    let (requests, input) = std::io::pipe().map_err(|error| error.to_string())?;
    let (responses, out) = std::io::pipe().map_err(|error| error.to_string())?;
    let (ended, outcome) = sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let served = runtime
            .map_err(|error| error.to_string())
            .and_then(|runtime| {
                let scenario = Scenario::default();
                let served = runtime.block_on(staunch::serve(&scenario, requests, Box::new(out)));
                served.map_err(|error| error.to_string())
            });
        let _ = ended.send(served); // Nobody may have the patience to hear it.
    });
    let (line, lines) = sync_channel(256);
    std::thread::spawn(move || {
        for text in BufReader::new(responses).lines().map_while(Result::ok) {
            if line.send(text).is_err() {
                return;
            }
        }
    });
    let mut session = Session {
        bindings,
        input: Some(input),
        lines,
        unacknowledged: 0,
        is_acknowledging: false,
        items: Vec::new(),
        begun: Vec::new(),
        seen: Seen {
            state: state.clone(),
            ..Seen::default()
        },
    };
    session.send(&open(script, bindings, state));
    session.listen(expected)?;
    match outcome.recv_timeout(PATIENCE) {
        Ok(Ok(())) => session.seen.is_ok = true,
        Ok(Err(error)) => session.seen.error = error,
        Err(_) => return Err("the connector does not end, or panics".to_owned()),
    }
    if !session.items.is_empty() {
        session.break_rule("it ended inside a sequence");
    }
    Ok(session.seen)
}

fn open(script: &Value, bindings: &[String], state: &Value) -> Value {
    let binding = |name: &String| {
        let resources = script["resources"].as_array().into_iter().flatten();
        let mut resources = resources.filter(|resource| resource["name"] == json!(name));
        let resource = resources
            .next()
            .expect("bindings are of the script's resources");
        json!({
            "resourceConfig": { "name": name, "interval": resource["interval"] },
            "resourcePath": [name],
            "collection": { "name": format!("test/{name}"), "key": resource["key"], "writeSchema": {} },
            "stateKey": name,
        })
    };
    json!({ "open": {
        "capture": {
            "name": "test/soak",
            "connectorType": "LOCAL",
            "config": { "script": script },
            "intervalSeconds": 300,
            "bindings": bindings.iter().map(binding).collect::<Vec<_>>(),
        },
        "version": "1",
        "state": state,
    } })
}

struct Session<'a> {
    bindings: &'a [String],
    input: Option<PipeWriter>,
    lines: Receiver<String>,
    unacknowledged: u32,
    is_acknowledging: bool,
    items: Vec<Item>,
    /// Bindings of which something else than setup was seen.
    begun: Vec<String>,
    seen: Seen,
}

impl Session<'_> {
    fn send(&mut self, request: &Value) {
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{request}"); // It may have ended: then its outcome is looked at.
        }
    }

    fn break_rule(&mut self, what: impl Into<String>) {
        self.seen.broken.push(what.into());
    }

    fn listen(&mut self, expected: &Expected) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        let (mut transactions, mut is_first) = (0, true);
        loop {
            // Acknowledged together is what came while nobody looked.
            let line = match self.lines.try_recv() {
                Ok(line) => line,
                Err(_) => {
                    self.acknowledge();
                    let patience = deadline.saturating_duration_since(Instant::now());
                    match self.lines.recv_timeout(patience) {
                        Ok(line) => line,
                        Err(RecvTimeoutError::Disconnected) => return Ok(()),
                        Err(RecvTimeoutError::Timeout) => {
                            return Err(format!(
                                "{transactions} transactions came of {} expected, and then nothing for long: {:#?}",
                                expected.transactions(),
                                self.seen
                            ));
                        }
                    }
                }
            };
            let message: Value =
                serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
            if is_first && message.get("opened").is_none() {
                self.break_rule("`opened` is not the first");
            }
            is_first = false;
            transactions += usize::from(message.get("checkpoint").is_some());
            self.message(message);
            if transactions == expected.transactions() && !expected.ends() {
                self.acknowledge();
                self.input = None; // Whatever else it does is seen before it ends.
            }
        }
    }

    fn acknowledge(&mut self) {
        if self.is_acknowledging && self.unacknowledged > 0 {
            let checkpoints = std::mem::take(&mut self.unacknowledged);
            self.send(&json!({ "acknowledge": { "checkpoints": checkpoints } }));
        }
    }

    fn message(&mut self, message: Value) {
        if let Some(opened) = message.get("opened") {
            self.is_acknowledging = opened["explicitAcknowledgements"] == json!(true);
        } else if let Some(captured) = message.get("captured") {
            let index = captured["binding"].as_u64().unwrap_or(0) as usize;
            self.items
                .push(Item::Document(index, captured["doc"].clone()));
        } else if let Some(sourced) = message.get("sourcedSchema") {
            let index = sourced["binding"].as_u64().unwrap_or(0) as usize;
            let properties = sourced["documentSchema"]["properties"].as_object();
            let mut own = properties
                .into_iter()
                .flatten()
                .filter(|(name, _)| *name != "_meta");
            let name = own.next().map(|(name, _)| name.clone()).unwrap_or_default();
            self.items.push(Item::Schema(index, name));
        } else if let Some(checkpoint) = message.get("checkpoint") {
            self.unacknowledged += 1;
            self.checkpoint(&checkpoint["state"]);
        } else {
            self.break_rule(format!("an unknown message: {message}"));
        }
    }

    fn checkpoint(&mut self, state: &Value) {
        if state["mergePatch"] != json!(true) {
            self.break_rule("a checkpoint that replaces the state");
        }
        let update = state["updated"].clone();
        merge(&mut self.seen.state, &update);
        let items = std::mem::take(&mut self.items);
        let stream = stream(&update, &items, self.bindings);
        let (binding, part) = stream.split_once('/').unwrap_or((&stream, ""));
        if part == "setup" && self.begun.iter().any(|begun| begun == binding) {
            self.break_rule(format!("`{binding}` is set up after it has begun"));
        } else if part != "setup" {
            self.begun.push(binding.to_owned());
        }
        self.seen
            .streams
            .entry(stream)
            .or_default()
            .push(Transaction {
                items,
                update: without_times(update),
                may_be_last: false,
            });
    }
}

/// To which function a checkpoint belongs, by what it updates.
fn stream(update: &Value, items: &[Item], bindings: &[String]) -> String {
    let only = |value: &Value| -> Option<(String, Value)> {
        let members = value.as_object().filter(|members| members.len() == 1)?;
        members
            .iter()
            .next()
            .map(|(name, value)| (name.clone(), value.clone()))
    };
    if let Some((key, _)) = only(&update["backfillRequests"]) {
        let is_cleared = update.get("bindingStateV1").is_some();
        return format!("{key}/{}", if is_cleared { "setup" } else { "trigger" });
    }
    let Some((key, state)) = only(&update["bindingStateV1"]) else {
        let of = items.first().map(|item| match item {
            Item::Document(index, _) | Item::Schema(index, _) => *index,
        });
        return format!("{}/setup", of.map_or("capture", |index| &bindings[index]));
    };
    let Some((part, entry)) = only(&state) else {
        return format!("{key}/setup");
    };
    let flat = ["cursor", "cutoff", "updated_at"];
    match only(&entry) {
        _ if entry.is_null() || flat.iter().any(|member| entry.get(member).is_some()) => {
            format!("{key}/{part}")
        }
        Some((subtask, _)) => format!("{key}/{part}/{subtask}"),
        None => format!("{key}/setup"),
    }
}

/// The same, with the times that the kit tells as `<now>`.
fn without_times(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        for (name, value) in members.iter_mut() {
            match name.as_str() {
                "updated_at" | "last_initialized" if value.is_string() => *value = json!("<now>"),
                _ => *value = without_times(value.take()),
            }
        }
    }
    value
}
