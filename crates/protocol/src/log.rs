//! What a connector says on its standard error: log records, and the events among them.
//!
//! Written, one line each: `{"ts":"…","level":"info","msg":"…","fields":{…}}`. Read: that, and what
//! Python, Go and `tracing` write; anything else is a record, too, of raw text and a guessed level.

use std::fmt;
use std::str::FromStr;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// How severe a record is; `Error` is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they are the usual ones")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// The lower-case name, as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// Guesses the level of text that has none.
    ///
    /// # Source
    /// Capture protocol, decoding a stderr line (6.1).
    fn guess(text: &str) -> Self {
        const TROUBLE: [&str; 7] = [
            "error",
            "failed",
            "panic",
            "timeout",
            "unable",
            "unrecognised",
            "unrecognized",
        ];
        let text = text.to_ascii_lowercase();
        if TROUBLE.iter().any(|word| text.contains(word)) {
            Self::Error
        } else {
            Self::Warn
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown log level; use `trace`, `debug`, `info`, `warn` or `error`")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    /// All in lower case or all in upper case; `fatal` and `panic` are errors.
    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        match name {
            "trace" | "TRACE" => Ok(Self::Trace),
            "debug" | "DEBUG" => Ok(Self::Debug),
            "info" | "INFO" => Ok(Self::Info),
            "warn" | "WARN" | "warning" | "WARNING" => Ok(Self::Warn),
            "error" | "ERROR" | "fatal" | "FATAL" | "panic" | "PANIC" => Ok(Self::Error),
            _ => Err(UnknownLevel),
        }
    }
}

/// One log record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When, RFC 3339; `None` if the line did not tell, and then it is when it was read.
    pub ts: Option<String>,
    /// How severe.
    pub level: Level,
    /// What happened. Of a line that is no record, the line.
    pub message: String,
    /// What it happened to; members of `fields` and all others of the line.
    pub fields: Map<String, Value>,
}

/// A record that is meant for the runtime.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// How the connector is: the record's message.
    Status(&'a str),
    /// A new endpoint configuration, whole and encrypted, that is to take the place of the present one.
    ConfigUpdate(&'a Value),
    /// The journal of a state migration: an object, of which [`Migration`] is what this kit writes.
    Migration(&'a Value),
    /// How much a connector of the kit has captured, told again and again: its fields.
    Progress(&'a Map<String, Value>),
}

/// The message of a record that tells how much has been captured, with `documents` and `bytes` among its fields.
pub const PROGRESS: &str = "progress";

/// What is told of a state migration whose checkpoint comes next, so that it can be journaled with that.
///
/// ```json
/// {"migrations":[{"name":"flat-to-keyed","checksum":"6a0b…","bindings":2}],
///  "mergePatch":true,"updateBytes":61,"updateDigest":"99aa…","update":{"bindingStateV1":{…}}}
/// ```
///
/// It stays small however many bindings there are: readers cut long log lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// The steps that changed something, in their order.
    pub migrations: Vec<MigrationStep>,
    /// The checkpoint's `mergePatch`.
    pub merge_patch: bool,
    /// Bytes of the text of the checkpoint's `updated`.
    pub update_bytes: u64,
    /// By which the checkpoint is known: XXH3-128 of the text of its `updated`, as 32 lower-case hexadecimal digits.
    pub update_digest: String,
    /// What a person consented to of it, by name: `backfill:orders`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<String>,
    /// The checkpoint's `updated`, where it is short and holds nothing that may not be in a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Box<RawValue>>,
}

/// A named step of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationStep {
    /// Stands for one step for ever.
    pub name: String,
    /// Tells two definitions of a step apart; `None` where nothing is known but the name.
    pub checksum: Option<String>,
    /// How many bindings it changed.
    pub bindings: u64,
}

impl Record {
    /// Reads a line. Whatever it is, it is a record: at worst of raw text.
    pub fn decode(line: &str) -> Self {
        let line = line.trim();
        Self::structured(line).unwrap_or_else(|| Self {
            ts: None,
            level: Level::guess(line),
            message: line.to_owned(),
            fields: Map::new(),
        })
    }

    fn structured(line: &str) -> Option<Self> {
        if !line.starts_with('{') {
            return None;
        }
        let mut members: Map<String, Value> = serde_json::from_str(line).ok()?;
        // A level that is not known makes the whole line raw text: it may mean anything.
        let level = match members.remove("level").or_else(|| members.remove("lvl")) {
            Some(level) => Some(level.as_str()?.parse().ok()?),
            None => None,
        };
        let ts = ["ts", "timestamp", "time"]
            .iter()
            .find_map(|name| take(&mut members, name, is_time));
        let mut message = ["message", "msg"]
            .iter()
            .find_map(|name| take(&mut members, name, |_| true));
        let mut fields = match members.remove("fields") {
            Some(Value::Object(fields)) => fields,
            Some(other) => Map::from_iter([("fields".to_owned(), other)]),
            None => Map::new(),
        };
        for (name, value) in members {
            fields.entry(name).or_insert(value);
        }
        // Where `tracing` puts it, unless it is told to flatten events.
        if message.is_none() {
            message = take(&mut fields, "message", |_| true);
        }
        let message = message.unwrap_or_default();
        let level = level.unwrap_or_else(|| Level::guess(&message));
        Some(Self {
            ts,
            level,
            message,
            fields,
        })
    }

    /// The record as a line, without a line feed.
    pub fn encode(&self) -> String {
        self.encode_with(&self.fields)
    }

    /// The record as a line, with a migration among its fields.
    ///
    /// The update is written as it is, which a field's value would not be. It is left out where a reader would take the whole line for
    /// raw text because of it: values have neither every number nor every depth.
    pub fn encode_migration(&self, migration: &Migration) -> String {
        let encode = |migration: &Migration| {
            self.encode_with(&WithMigration {
                fields: &self.fields,
                migration,
            })
        };
        let line = encode(migration);
        if migration.update.is_none() || Self::structured(&line).is_some() {
            return line;
        }
        encode(&Migration {
            update: None,
            ..migration.clone()
        })
    }

    fn encode_with(&self, fields: &impl Serialize) -> String {
        #[derive(Serialize)]
        struct Line<'a, F> {
            #[serde(skip_serializing_if = "Option::is_none")]
            ts: Option<&'a str>,
            level: Level,
            msg: &'a str,
            fields: &'a F,
        }

        let line = Line {
            ts: self.ts.as_deref(),
            level: self.level,
            msg: &self.message,
            fields,
        };
        serde_json::to_string(&line).expect("a record has string keys")
    }

    /// What the record tells the runtime, if anything.
    ///
    /// Records of migrations and of progress have no event type: peers rename those that they do not know.
    ///
    /// # Source
    /// Capture protocol, events (6.2).
    pub fn event(&self) -> Option<Event<'_>> {
        match self.fields.get("eventType").and_then(Value::as_str) {
            Some("connectorStatus") => Some(Event::Status(&self.message)),
            Some("configUpdate") => self.fields.get("config").map(Event::ConfigUpdate),
            _ => {
                let is_number = |name: &str| self.fields.get(name).is_some_and(Value::is_u64);
                if self.message == PROGRESS && is_number("documents") && is_number("bytes") {
                    return Some(Event::Progress(&self.fields));
                }
                let migration = self.fields.get("migration")?;
                migration.is_object().then_some(Event::Migration(migration))
            }
        }
    }
}

struct WithMigration<'a> {
    fields: &'a Map<String, Value>,
    migration: &'a Migration,
}

impl Serialize for WithMigration<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        for (name, value) in self.fields {
            fields.serialize_entry(name, value)?;
        }
        fields.serialize_entry("migration", self.migration)?;
        fields.end()
    }
}

/// Takes a member if it is a string that will do, and leaves it where it is if not.
fn take(members: &mut Map<String, Value>, name: &str, will_do: fn(&str) -> bool) -> Option<String> {
    if !members.get(name)?.as_str().is_some_and(will_do) {
        return None;
    }
    match members.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn is_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

#[cfg(test)]
mod tests;
