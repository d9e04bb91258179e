//! The log of `relay`: each message that passed it in a run, in order, over all conversations of the run.
//!
//! ```text
//! 1 > {"spec":{…}}          the first message, from the runtime to the connector
//! 2 < {"spec":{…}}          the second, from the connector to the runtime
//! killed before runtime     the kill that was ordered, at the message above
//! ```

use std::path::Path;

use serde_json::Value;

/// One message that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Whether the runtime said it.
    pub is_request: bool,
    /// Its only member's name.
    pub kind: String,
    /// Its only member's value.
    pub body: Value,
}

/// What passed in a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// All messages, the first being number 1.
    pub messages: Vec<Message>,
    /// The kill, as it was ordered.
    pub killed: Option<String>,
}

impl Log {
    /// Reads the log of a run. There is none if the run came to no conversation.
    ///
    /// # Errors
    /// When it is not a log, or numbers are missing.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(format!("reading the log: {error}")),
        };
        let mut log = Self::default();
        for line in text.lines() {
            if let Some(how) = line.strip_prefix("killed ") {
                log.killed = Some(how.to_owned());
                continue;
            }
            let (number, message) = entry(line).ok_or_else(|| format!("the log has `{line}`"))?;
            log.messages.push(message);
            if number != log.messages.len() {
                return Err(format!(
                    "message {} of the log has number {number}",
                    log.messages.len()
                ));
            }
        }
        Ok(log)
    }

    /// Messages of a kind from the connector.
    pub fn responses(&self, kind: &str) -> impl Iterator<Item = &Value> {
        let is_meant = move |message: &&Message| !message.is_request && message.kind == kind;
        self.messages
            .iter()
            .filter(is_meant)
            .map(|message| &message.body)
    }

    /// Checkpoints of which the runtime has said that they are durable.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        let acknowledges = self
            .messages
            .iter()
            .filter(|message| message.is_request && message.kind == "acknowledge");
        acknowledges.map(|message| checkpoints(&message.body)).sum()
    }

    /// Checkpoints that have reached the runtime.
    #[must_use]
    pub fn checkpointed(&self) -> u64 {
        let is_withheld = self
            .killed
            .as_deref()
            .is_some_and(|how| how.starts_with("before"));
        let arrived = match self.messages.split_last() {
            Some((_, arrived)) if is_withheld => arrived,
            _ => &self.messages,
        };
        let is_checkpoint =
            |message: &&Message| !message.is_request && message.kind == "checkpoint";
        arrived.iter().filter(is_checkpoint).count() as u64
    }
}

/// How many checkpoints an `acknowledge` is of. One, if it does not say.
#[must_use]
pub fn checkpoints(acknowledge: &Value) -> u64 {
    acknowledge["checkpoints"].as_u64().unwrap_or(1)
}

/// The kind and the body of a message as it is on the wire.
#[must_use]
pub fn message(json: &str) -> Option<(String, Value)> {
    let Ok(Value::Object(members)) = serde_json::from_str(json) else {
        return None;
    };
    members.into_iter().next()
}

fn entry(line: &str) -> Option<(usize, Message)> {
    let (number, rest) = line.split_once(' ')?;
    let (direction, json) = rest.split_once(' ')?;
    let (kind, body) = message(json)?;
    let is_request = match direction {
        ">" => true,
        "<" => false,
        _ => return None,
    };
    Some((
        number.parse().ok()?,
        Message {
            is_request,
            kind,
            body,
        },
    ))
}
