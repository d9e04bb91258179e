//! Shows a run to whoever watches it: a terminal, a log, or a machine.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use staunch_protocol::log::{Level, Record};
use staunch_runtime::{Event, Observer, Progress};

use crate::events::{self, BindingLine, Line};
use crate::live::Live;
use crate::output::{self, Output};

/// How often a terminal is brought up to date.
const LIVE_INTERVAL: Duration = Duration::from_millis(200);

/// How often a log says where a run is, if it moved.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How often a machine is told, if it moved.
const JSON_INTERVAL: Duration = Duration::from_secs(1);

/// What was committed in this run, as it is known when the run fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Safe {
    pub(crate) documents: u64,
    pub(crate) commits: u64,
    pub(crate) revision: u64,
}

/// Watches a run.
#[derive(Debug)]
pub(crate) struct Watcher {
    face: Face,
    threshold: Level,
    json_logs: bool,
    safe: Mutex<Safe>,
}

#[derive(Debug)]
enum Face {
    Live(Live),
    Log,
    Json,
}

impl Watcher {
    pub(crate) fn new(output: &Output) -> Self {
        let face = if output.json {
            Face::Json
        } else if output.is_quiet() || output.json_logs {
            Face::Log
        } else {
            Live::new(&output.glyphs).map_or(Face::Log, Face::Live)
        };
        Self {
            face,
            threshold: output.threshold(Level::Info),
            json_logs: output.json_logs,
            safe: Mutex::default(),
        }
    }

    /// Takes what the connector logs.
    pub(crate) fn log(&self, record: &Record) {
        self.line(&Line::log(record));
    }

    /// Shows a line, if it matters enough.
    pub(crate) fn line(&self, line: &Line<'_>) {
        let is_log = matches!(line, Line::Log { .. });
        let matters = line.level() >= self.threshold;
        match &self.face {
            // Events are the answer to a machine; only logs are more or less of interest.
            Face::Json if matters || !is_log => {
                let _ = output::print_line(&output::json(line)); // Who does not read does not stop a capture.
            }
            Face::Log if matters && self.json_logs => output::say(&output::json(line)),
            Face::Log if matters => output::say(&line.text()),
            Face::Live(live) if matters => live.say(&line.text()),
            _ => {}
        }
    }

    pub(crate) fn safe(&self) -> Safe {
        *self.safe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often, and for whom, progress is looked at.
    fn interval(&self) -> Duration {
        match self.face {
            Face::Live(_) => LIVE_INTERVAL,
            Face::Log => LOG_INTERVAL,
            Face::Json => JSON_INTERVAL,
        }
    }

    fn show(&self, progress: &Progress, last: &mut Vec<BindingLine>) {
        if let Face::Live(live) = &self.face {
            return live.show(progress, Instant::now());
        }
        let bindings = events::bindings(progress);
        if bindings != *last {
            *last = events::bindings(progress);
            self.line(&Line::progress(bindings));
        }
    }
}

impl Observer for Watcher {
    fn event(&self, event: Event<'_>) {
        if let Event::Committed {
            revision,
            documents,
            ..
        } = event
        {
            let mut safe = self.safe.lock().unwrap_or_else(PoisonError::into_inner);
            *safe = Safe {
                documents: safe.documents + documents,
                commits: safe.commits + 1,
                revision,
            };
        }
        if let Some(line) = Line::of(&event) {
            self.line(&line);
        }
    }
}

/// Looks at a run's progress now and then, until it is dropped.
#[derive(Debug)]
pub(crate) struct Poll {
    end: Option<Sender<()>>,
    poller: Option<JoinHandle<()>>,
}

impl Poll {
    pub(crate) fn start(watcher: Arc<Watcher>, progress: Arc<Progress>) -> Self {
        let (end, ended) = mpsc::channel();
        let poll = move || {
            let mut last = events::bindings(&progress);
            while ended.recv_timeout(watcher.interval()) == Err(RecvTimeoutError::Timeout) {
                watcher.show(&progress, &mut last);
            }
            if let Face::Live(live) = &watcher.face {
                live.clear();
            }
        };
        let poller = std::thread::Builder::new()
            .name("progress".into())
            .spawn(poll);
        Self {
            end: Some(end),
            poller: Some(poller.expect("a process can start a thread")),
        }
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.end = None;
        if let Some(poller) = self.poller.take() {
            let _ = poller.join(); // A panic of it has been printed.
        }
    }
}
