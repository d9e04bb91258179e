//! Logs go to standard error, one JSON record a line, as the runtime reads them.
//!
//! Connectors log through `tracing`. An event's fields and those of the spans around it become the record's fields, so that a line
//! says of which binding it is without the author's doing.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::{Map, Value};
use staunch_protocol::log::{Level, Migration, Record};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// From which level on records are written. Unset where nobody asked for logs, as in a test that serves a connector in its process.
static LEVEL: OnceLock<LevelFilter> = OnceLock::new();

/// Sends `tracing` events to standard error. `LOG_LEVEL` says from which level on; `info` where it is unset or unknown.
pub(crate) fn install() {
    let level = std::env::var("LOG_LEVEL")
        .ok()
        .and_then(|level| level.trim().parse::<LevelFilter>().ok())
        .unwrap_or(LevelFilter::INFO);
    let _ = LEVEL.set(level);
    let subscriber = Registry::default().with(Stderr.with_filter(level));
    // A test or an embedding program may have installed its own: it then has the last word.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Writes a record whose fields have parts, which `tracing` cannot tell.
pub(crate) fn info(message: &str, fields: Map<String, Value>) {
    if LEVEL.get().is_some_and(|level| *level >= LevelFilter::INFO) {
        write(&Record {
            fields,
            ..record(Level::Info, message)
        });
    }
}

/// Writes one record. A closed standard error is nobody's fault, and nothing can be said about it.
pub(crate) fn write(record: &Record) {
    write_line(record.encode());
}

/// Writes what a runtime keeps of a migration, whatever the level that is asked for.
pub(crate) fn write_migration(message: &str, migration: &Migration) {
    write_line(record(Level::Info, message).encode_migration(migration));
}

/// Whether nothing is written.
static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// Writes nothing from now on, in this process: for a harness that serves connectors inside of a test, whose output nobody reads.
pub fn silence() {
    IS_SILENT.store(true, Ordering::Relaxed);
}

fn write_line(mut line: String) {
    if IS_SILENT.load(Ordering::Relaxed) {
        return;
    }
    line.push('\n');
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// A record of now.
pub(crate) fn record(level: Level, message: impl Into<String>) -> Record {
    Record {
        ts: Some(Timestamp::now().to_string()),
        level,
        message: message.into(),
        fields: Map::new(),
    }
}

struct Stderr;

/// The fields of a span, kept with it.
struct SpanFields(Map<String, Value>);

impl<S> Layer<S> for Stderr
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.map));
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(SpanFields(of_span)) = span.extensions().get() {
                fields.map.extend(of_span.clone());
            }
        }
        event.record(&mut fields);
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::TRACE => Level::Trace,
        };
        write(&Record {
            fields: fields.map,
            ..record(level, fields.message)
        });
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    map: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.map.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.put(field, value.into());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.put(field, format!("{value:?}").into());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}
