//! What happens in a run, as lines: JSON for machines, and text for a log.
//!
//! ```text
//! {"type":"committed","ts":"2026-03-01T09:12:44.107Z","revision":7,"documents":120,"checkpoints":2,"migration":false}
//! 2026-03-01T09:12:44Z INFO  orders  read a page  documents=120 page=3
//! ```

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use staunch_protocol::log::{Event as LogEvent, Level, Record};
use staunch_runtime::{Event, Progress, SessionEnd, Totals};

use crate::output::{self, BOLD, DIM, RED, YELLOW, clean, styled};
use crate::quantity::{self, counted};

/// One line of a run.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// A file was cut to what is committed of it.
    Recovered {
        ts: String,
        file: &'a str,
        dropped_bytes: u64,
    },
    /// The database went away that documents go into, and is tried again.
    SinkDown {
        ts: String,
        sink: &'a str,
        problem: String,
        next_in_seconds: f64,
    },
    /// It is back.
    SinkUp { ts: String, sink: &'a str },
    /// The connector made the endpoint ready.
    Applied { ts: String, description: &'a str },
    /// The connector opened the capture.
    Opened { ts: String, bindings: usize },
    /// Somebody asked for an end: at the next checkpoint, or now.
    Stopping { ts: String, now: bool },
    /// The connector logged something.
    Log {
        ts: String,
        level: Level,
        #[serde(skip_serializing_if = "Option::is_none")]
        binding: Option<String>,
        message: &'a str,
        fields: Cow<'a, Map<String, Value>>,
    },
    /// Documents and state are durable.
    Committed {
        ts: String,
        revision: u64,
        documents: u64,
        checkpoints: u64,
        migration: bool,
    },
    /// Where the run is. Only if that is elsewhere than before, and at most each second.
    Progress {
        ts: String,
        bindings: Vec<BindingLine>,
    },
    /// A session is over.
    Ended {
        ts: String,
        reason: &'static str,
        documents: u64,
        checkpoints: u64,
        commits: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_in_seconds: Option<f64>,
    },
}

/// Where a binding is.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct BindingLine {
    pub(crate) binding: String,
    pub(crate) phase: &'static str,
    pub(crate) cursor: String,
    /// Documents captured in this run, whether or not they are committed.
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
}

/// Now, as it is written into lines.
fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

/// A session's end in a word, which stays the same.
pub(crate) fn reason(end: SessionEnd) -> &'static str {
    match end {
        SessionEnd::Exited => "exited",
        SessionEnd::Idle => "idle",
        SessionEnd::Stopped => "stopped",
        SessionEnd::HandedOver => "handed over",
    }
}

impl<'a> Line<'a> {
    /// The line for an event; none for one that this version does not know.
    pub(crate) fn of(event: &Event<'a>) -> Option<Self> {
        let ts = now();
        Some(match *event {
            Event::Recovered {
                path,
                dropped_bytes,
            } => Line::Recovered {
                ts,
                file: path,
                dropped_bytes,
            },
            Event::SinkDown {
                sink,
                problem,
                next_in,
            } => Line::SinkDown {
                ts,
                sink,
                problem: problem.to_string(),
                next_in_seconds: next_in.as_secs_f64(),
            },
            Event::SinkUp { sink } => Line::SinkUp { ts, sink },
            Event::Applied { description } => Line::Applied { ts, description },
            Event::Opened { bindings } => Line::Opened { ts, bindings },
            Event::Committed {
                revision,
                documents,
                checkpoints,
                is_migration,
            } => Line::Committed {
                ts,
                revision,
                documents,
                checkpoints,
                migration: is_migration,
            },
            Event::Ended {
                end,
                totals:
                    Totals {
                        documents,
                        checkpoints,
                        commits,
                    },
                next_in,
            } => {
                let next_in_seconds =
                    next_in.map(|next_in| (next_in.as_secs_f64() * 1e3).round() / 1e3);
                Line::Ended {
                    ts,
                    reason: reason(end),
                    documents,
                    checkpoints,
                    commits,
                    next_in_seconds,
                }
            }
            _ => return None,
        })
    }

    pub(crate) fn log(record: &'a Record) -> Self {
        Line::Log {
            ts: record.ts.clone().unwrap_or_else(now),
            level: match record.event() {
                // The run tells how much is committed by itself: this is for whoever looks closer.
                Some(LogEvent::Progress(_)) => record.level.min(Level::Debug),
                _ => record.level,
            },
            binding: binding(record),
            message: &record.message,
            fields: fields(record),
        }
    }

    pub(crate) fn stopping(now_at_once: bool) -> Self {
        Line::Stopping {
            ts: now(),
            now: now_at_once,
        }
    }

    pub(crate) fn progress(bindings: Vec<BindingLine>) -> Self {
        Line::Progress {
            ts: now(),
            bindings,
        }
    }

    /// How much it matters to somebody who reads a log.
    pub(crate) fn level(&self) -> Level {
        match self {
            Line::Log { level, .. } => *level,
            Line::Recovered { .. } | Line::Stopping { .. } | Line::SinkDown { .. } => Level::Warn,
            Line::Committed {
                migration: false, ..
            } => Level::Debug,
            _ => Level::Info,
        }
    }

    /// The line as text, without a line feed.
    pub(crate) fn text(&self) -> String {
        let (ts, binding, message, fields) = match self {
            Line::Log {
                ts,
                binding,
                message,
                fields,
                ..
            } => (ts, binding.as_deref(), message.to_string(), Some(&**fields)),
            Line::Recovered {
                ts,
                file,
                dropped_bytes,
            } => {
                let size = quantity::bytes(*dropped_bytes);
                (
                    ts,
                    None,
                    format!(
                        "cut {size} off `{file}` that an earlier run did not commit; it is captured again"
                    ),
                    None,
                )
            }
            Line::SinkDown {
                ts,
                problem,
                next_in_seconds,
                ..
            } => {
                let next_in = std::time::Duration::try_from_secs_f64(*next_in_seconds);
                let next_in = quantity::time(next_in.unwrap_or_default());
                (
                    ts,
                    None,
                    format!("{problem}; it is tried again in {next_in}"),
                    None,
                )
            }
            Line::SinkUp { ts, sink } => (ts, None, format!("sink `{sink}` is back"), None),
            Line::Applied { ts, description } => {
                (ts, None, format!("applied: {description}"), None)
            }
            Line::Opened { ts, bindings } => (
                ts,
                None,
                format!("opened with {}", counted(*bindings as u64, "binding")),
                None,
            ),
            Line::Stopping { ts, now: false } => (
                ts,
                None,
                "stopping at the next checkpoint; interrupt again to stop now".to_owned(),
                None,
            ),
            Line::Stopping { ts, now: true } => (
                ts,
                None,
                "stopping now; what is not committed is captured again later".to_owned(),
                None,
            ),
            Line::Committed {
                ts,
                revision,
                documents,
                checkpoints,
                migration,
            } => {
                let what = if *migration {
                    "committed a migration".to_owned()
                } else {
                    committed(*documents, *checkpoints)
                };
                (ts, None, format!("{what}, revision {revision}"), None)
            }
            Line::Progress { ts, bindings } => (ts, None, progress(bindings), None),
            Line::Ended {
                ts,
                reason,
                documents,
                next_in_seconds,
                ..
            } => (ts, None, ended(reason, *documents, *next_in_seconds), None),
        };
        log_text(ts, self.level(), binding, &message, fields)
    }
}

fn committed(documents: u64, checkpoints: u64) -> String {
    format!(
        "committed {} in {}",
        counted(documents, "document"),
        counted(checkpoints, "checkpoint")
    )
}

fn progress(bindings: &[BindingLine]) -> String {
    let documents = bindings.iter().map(|binding| binding.documents).sum();
    let bytes = bindings.iter().map(|binding| binding.bytes).sum();
    let phases = ["backfill", "incremental", "snapshot", "waiting"]
        .into_iter()
        .filter_map(|phase| {
            let count = bindings
                .iter()
                .filter(|binding| binding.phase == phase)
                .count();
            (count > 0).then(|| format!("{count} {phase}"))
        });
    let phases = phases.collect::<Vec<_>>().join(", ");
    format!(
        "captured {} ({}) so far; bindings: {phases}",
        counted(documents, "document"),
        quantity::bytes(bytes)
    )
}

fn ended(reason: &str, documents: u64, next_in_seconds: Option<f64>) -> String {
    let what = match reason {
        "exited" => "the connector has nothing more to do for now",
        "idle" => "nothing came for as long as was asked for",
        "handed over" => "it makes way for another connector",
        _ => "stopped",
    };
    let so_far = format!(
        "{what}; {} committed so far",
        counted(documents, "document")
    );
    match next_in_seconds
        .filter(|_| reason != "handed over")
        .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
    {
        Some(next_in) => format!(
            "{so_far}, and it is started again in {}",
            quantity::time(next_in)
        ),
        None => so_far,
    }
}

/// Where the bindings of a run are by now.
pub(crate) fn bindings(progress: &Progress) -> Vec<BindingLine> {
    let line = |binding: &staunch_runtime::BindingProgress| {
        let place = binding.place();
        BindingLine {
            binding: binding.name.clone(),
            phase: place.phase,
            cursor: place.cursor,
            documents: binding.documents(),
            bytes: binding.bytes(),
        }
    };
    progress.bindings.iter().map(line).collect()
}

/// A connector's record as a line of a log, in either format.
pub(crate) fn log_line(record: &Record, json: bool) -> String {
    let line = Line::log(record);
    if json {
        output::json(&line)
    } else {
        line.text()
    }
}

/// `orders`, or `orders/realtime` for a subtask of it.
fn binding(record: &Record) -> Option<String> {
    let field = |name: &str| record.fields.get(name).and_then(Value::as_str);
    match (field("binding"), field("subtask")) {
        (Some(binding), Some(subtask)) => Some(format!("{binding}/{subtask}")),
        (binding, subtask) => binding.or(subtask).map(str::to_owned),
    }
}

/// The fields that may be shown. A config is none of a log's business, encrypted or not.
fn fields(record: &Record) -> Cow<'_, Map<String, Value>> {
    if !matches!(record.event(), Some(LogEvent::ConfigUpdate(_))) {
        return Cow::Borrowed(&record.fields);
    }
    let mut fields = record.fields.clone();
    fields.insert("config".to_owned(), Value::from("(hidden)"));
    Cow::Owned(fields)
}

fn log_text(
    ts: &str,
    level: Level,
    binding: Option<&str>,
    message: &str,
    fields: Option<&Map<String, Value>>,
) -> String {
    let style = match level {
        Level::Error => RED,
        Level::Warn => YELLOW,
        Level::Info => BOLD,
        _ => DIM,
    };
    let word = level.as_str().to_ascii_uppercase();
    let mut text = format!(
        "{} {}",
        styled(DIM, second(ts)),
        styled(style, format_args!("{word:<5}"))
    );
    if let Some(binding) = binding {
        text.push_str(&format!(" {} ", styled(BOLD, clean(binding))));
    }
    text.push(' ');
    text.push_str(&clean(message).replace('\n', "\n    "));
    let rest = fields
        .into_iter()
        .flatten()
        // The message says what an event is.
        .filter(|(name, _)| !matches!(name.as_str(), "binding" | "subtask" | "eventType"));
    for (index, (name, value)) in rest.enumerate() {
        text.push_str(if index == 0 { "  " } else { " " });
        text.push_str(&styled(
            DIM,
            format_args!("{}={}", clean(name), short(value)),
        ));
    }
    text
}

/// A time to the second; what is none stays as it is.
pub(crate) fn second(ts: &str) -> String {
    match ts.parse::<Timestamp>() {
        Ok(ts) => format!("{ts:.0}"),
        Err(_) => clean(ts),
    }
}

/// A field's value: a word as it is, all else as JSON, and never a page of it.
fn short(value: &Value) -> String {
    const CHARACTERS: usize = 200;
    let text = match value {
        Value::String(word) if !word.is_empty() && !word.contains([' ', '"', '=', '\n', '\t']) => {
            word.clone()
        }
        other => other.to_string(),
    };
    let text = clean(&text);
    match text.char_indices().nth(CHARACTERS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_record_is_a_line_with_its_binding_and_its_fields() {
        let line = r#"{"ts":"2026-03-01T09:12:44.5Z","level":"info","msg":"read a page","fields":{"binding":"orders","subtask":"realtime","page":3,"what":"two words"}}"#;
        let record = Record::decode(line);
        assert_eq!(
            plain(&log_line(&record, false)),
            "2026-03-01T09:12:44Z INFO  orders/realtime  read a page  page=3 what=\"two words\""
        );
        let json: Value = serde_json::from_str(&log_line(&record, true)).unwrap();
        let fields =
            json!({ "binding": "orders", "subtask": "realtime", "page": 3, "what": "two words" });
        assert_eq!(
            (&json["type"], &json["ts"], &json["fields"]),
            (&json!("log"), &json!("2026-03-01T09:12:44.5Z"), &fields)
        );
    }

    #[test]
    fn how_a_connector_is_stands_in_the_log_and_how_much_it_captured_only_for_who_looks_closer() {
        let line = r#"{"ts":"2026-03-01T09:12:44Z","level":"info","msg":"Capture started.","fields":{"eventType":"connectorStatus"}}"#;
        let status = Record::decode(line);
        assert_eq!(
            plain(&log_line(&status, false)),
            "2026-03-01T09:12:44Z INFO  Capture started."
        );
        let progress = |level: &str| json!({ "level": level, "msg": "progress", "fields": { "documents": 7, "bytes": 99 } });
        for (level, shown) in [("info", Level::Debug), ("trace", Level::Trace)] {
            let record = Record::decode(&progress(level).to_string());
            assert_eq!(Line::log(&record).level(), shown);
        }
    }

    #[test]
    fn a_record_cannot_forge_lines_or_fill_a_screen() {
        let record = Record::decode(
            &json!({ "level": "warn", "msg": "a\nb\u{1b}[2J", "long": "x".repeat(9999) })
                .to_string(),
        );
        let text = plain(&log_line(&record, false));
        assert!(
            text.lines()
                .nth(1)
                .unwrap()
                .starts_with("    b\\u{1b}[2J  long=xxx"),
            "{text}"
        );
        assert!(text.len() < 400);
    }

    #[test]
    fn a_config_update_hides_its_config() {
        let record = Record::decode(
            r#"{"level":"info","msg":"new","eventType":"configUpdate","config":{"token":"sesame"}}"#,
        );
        for json in [false, true] {
            let line = log_line(&record, json);
            assert!(
                line.contains("(hidden)") && !line.contains("sesame"),
                "{line}"
            );
        }
    }

    #[test]
    fn an_event_has_its_type_first() {
        let event = Event::Committed {
            revision: 7,
            documents: 120,
            checkpoints: 2,
            is_migration: false,
        };
        let line = serde_json::to_value(Line::of(&event).unwrap()).unwrap();
        assert_eq!(
            (&line["type"], &line["revision"], &line["migration"]),
            (&json!("committed"), &json!(7), &json!(false))
        );
        let text = plain(&Line::of(&event).unwrap().text());
        assert!(
            text.ends_with("DEBUG committed 120 documents in 2 checkpoints, revision 7"),
            "{text}"
        );
    }
}
