//! `staunch run`: runs a capture, shows how it gets on, and sums up.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use staunch_runtime::catalog::Capture;
use staunch_runtime::files::file_path;
use staunch_runtime::sink::STDOUT;
use staunch_runtime::{
    LogSink, Opening, Progress, Project, Run, RunOptions, SessionEnd, Stop, Summary, Urgency,
};

use crate::args::RunArgs;
use crate::context::{self, Context};
use crate::events::{self, Line};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::output::{self, BOLD, Envelope, Glyphs, Report, clean, columns, styled};
use crate::quantity::{self, count, counted};
use crate::signals::Signals;
use crate::watch::{Poll, Watcher};

#[derive(Serialize)]
struct RunReport {
    capture: String,
    /// Where documents went, as staunch.yaml calls it.
    sink: String,
    /// `exited`, `idle` or `stopped`.
    end: &'static str,
    /// Committed in this run.
    documents: u64,
    checkpoints: u64,
    commits: u64,
    revision: u64,
    seconds: f64,
    bindings: Vec<BoundReport>,
    #[serde(skip)]
    exit: Exit,
}

#[derive(Serialize)]
struct BoundReport {
    binding: String,
    collection: String,
    /// Empty where documents go into no file.
    file: String,
    /// Captured in this run, whether or not they were committed.
    documents: u64,
    bytes: u64,
}

/// The last line of a run for machines: the envelope of every verb, as an event.
#[derive(Serialize)]
struct Last<'a, T> {
    r#type: &'static str,
    #[serde(flatten)]
    envelope: Envelope<'a, T>,
}

pub(crate) fn run(context: &Context, args: &RunArgs) -> Result<Exit, Failure> {
    let output = &context.output;
    match capture(context, args) {
        Ok(report) if output.json => {
            output::print_line(&output::json(&Last {
                r#type: "summary",
                envelope: Envelope::answer(&report),
            }))?;
            Ok(report.exit)
        }
        Ok(report) => {
            let exit = match report.sink.as_str() {
                STDOUT => {
                    output.note(&report.summary()); // Where documents are printed, nothing else is.
                    report.exit
                }
                _ => output.answer(&report)?,
            };
            let (why, verb) = match report.exit {
                Exit::Interrupted => ("go on from here", "run"),
                _ => ("see where it is", "state show"),
            };
            output.next(why, &context.command(&format!("{verb} {}", report.capture)));
            Ok(exit)
        }
        Err(failure) if output.json => {
            output::print_line(&output::json(&Last {
                r#type: "summary",
                envelope: Envelope::failure("run", &failure),
            }))?;
            Ok(failure.exit)
        }
        Err(failure) => Err(failure),
    }
}

fn capture(context: &Context, args: &RunArgs) -> Result<RunReport, Failure> {
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    let failed = context::failed(capture, Asked::Other);
    let sink = args.sink.as_deref();
    let sink = sink.unwrap_or_else(|| project.sink_name(capture));
    if context.output.json && sink == STDOUT {
        let message =
            "`--json` prints events where the sink `stdout` prints documents: have one of them";
        return Err(Failure::new("usage", message).about(&capture.name));
    }
    let began = Instant::now();
    let watcher = Arc::new(Watcher::new(&context.output));
    let stop = Stop::new();
    let is_preparing = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&watcher);
    let heard = move |is_second| told.line(&Line::stopping(is_second));
    let _signals = listen(&stop, &is_preparing, heard)?;

    let logs = Arc::clone(&watcher);
    let log: LogSink = Arc::new(move |record| logs.log(&record));
    let opening = Opening {
        allows_older: args.allow_older_connector,
        sink: args.sink.as_deref(),
        ..Opening::default()
    };
    let run = Run::prepare(&project, capture, opening, &*watcher, log).map_err(&failed)?;
    is_preparing.store(false, Ordering::SeqCst);
    if stop.urgency() != Urgency::None {
        let message = "stopped before the capture was opened; nothing was captured";
        return Err(Failure::new("interrupted", message).about(&capture.name));
    }
    let progress = run.progress();
    let poll = Poll::start(Arc::clone(&watcher), Arc::clone(&progress));
    let options = RunOptions {
        once: args.once,
        until_idle: args.until_idle,
    };
    let outcome = run.run(options, &stop);
    drop(poll); // The terminal is ours again before anything else is printed.
    match outcome {
        Ok(summary) => Ok(report(
            &project,
            capture,
            sink,
            &progress,
            summary,
            began.elapsed(),
        )),
        Err(error) => Err(failed(error).hint(safe(
            &watcher,
            &context.command(&format!("run {}", capture.name)),
        ))),
    }
}

/// What is safe after a failure, and how to go on.
fn safe(watcher: &Watcher, command: &str) -> String {
    let safe = watcher.safe();
    match safe.commits {
        0 => format!("this run committed nothing; once that is corrected: {command}"),
        _ => {
            let (documents, revision) = (counted(safe.documents, "document"), safe.revision);
            format!(
                "{documents} of this run are committed, up to revision {revision}; go on from there: {command}"
            )
        }
    }
}

/// Has signals stop a run: the first at its next checkpoint, the second now. `heard` is told of each, and whether it is the second.
pub(crate) fn listen(
    stop: &Stop,
    is_preparing: &Arc<AtomicBool>,
    heard: impl Fn(bool) + Send + 'static,
) -> Result<Signals, Failure> {
    let (stop, is_preparing) = (stop.clone(), Arc::clone(is_preparing));
    let heard = move |nth: u8| {
        heard(nth > 1);
        stop.request();
        // A connector that is being asked something cannot be stopped at a checkpoint: there is none. Nothing was captured yet.
        if nth > 1 && is_preparing.load(Ordering::SeqCst) {
            staunch_runtime::kill_connectors(); // They are in groups of their own, which the terminal's signal does not reach.
            std::process::exit(Exit::Interrupted as i32);
        }
    };
    Signals::listen(heard).map_err(|error| Failure {
        causes: vec![error.to_string()],
        ..Failure::new("io.signals", "listening for signals failed; try again")
    })
}

fn report(
    project: &Project,
    capture: &Capture,
    sink: &str,
    progress: &Progress,
    summary: Summary,
    took: Duration,
) -> RunReport {
    let folder = project.folder(sink);
    let bindings = progress.bindings.iter().map(|binding| BoundReport {
        binding: binding.name.clone(),
        collection: binding.collection.clone(),
        file: folder
            .as_deref()
            .map_or_else(String::new, |folder| file(folder, &binding.collection)),
        documents: binding.documents(),
        bytes: binding.bytes(),
    });
    RunReport {
        capture: capture.name.clone(),
        sink: sink.to_owned(),
        end: events::reason(summary.end),
        documents: summary.totals.documents,
        checkpoints: summary.totals.checkpoints,
        commits: summary.totals.commits,
        revision: summary.revision,
        seconds: took.as_millis() as f64 / 1e3,
        bindings: bindings.collect(),
        exit: if summary.end == SessionEnd::Stopped {
            Exit::Interrupted
        } else {
            Exit::Success
        },
    }
}

/// Where a collection's documents are.
fn file(folder: &Path, collection: &str) -> String {
    let path = file_path(collection).map(|path| folder.join(path).display().to_string());
    let path = path.unwrap_or_default(); // It was opened by this name, so there is none that is bad.
    path.strip_prefix("./")
        .map_or_else(|| path.clone(), str::to_owned)
}

impl RunReport {
    /// Captured, and not committed: after the last checkpoint.
    fn uncommitted(&self) -> u64 {
        let captured: u64 = self.bindings.iter().map(|binding| binding.documents).sum();
        captured.saturating_sub(self.documents)
    }
}

impl Report for RunReport {
    const COMMAND: &'static str = "run";

    fn summary(&self) -> String {
        let how = match self.end {
            "exited" => "the connector has nothing more to do for now",
            "idle" => "nothing more came",
            _ => "stopped at a checkpoint",
        };
        let took = quantity::time(Duration::try_from_secs_f64(self.seconds).unwrap_or_default());
        let (documents, commits) = (
            counted(self.documents, "document"),
            counted(self.commits, "commit"),
        );
        format!(
            "{}: {documents} in {commits}, revision {}, {took}; {how}",
            self.capture, self.revision
        )
    }

    fn text(&self, _: &Glyphs) -> String {
        let rows = self.bindings.iter().map(|binding| {
            let BoundReport {
                binding,
                collection,
                file,
                documents,
                bytes,
            } = binding;
            [
                clean(binding),
                count(*documents),
                quantity::bytes(*bytes),
                collection.clone(),
                if file.is_empty() {
                    self.sink.clone()
                } else {
                    file.clone()
                },
            ]
        });
        let is_file = self.bindings.iter().any(|binding| !binding.file.is_empty());
        let to = if is_file { "FILE" } else { "SINK" };
        let mut text = columns(&["BINDING", "DOCUMENTS", "SIZE", "COLLECTION", to], rows);
        if self.uncommitted() > 0 {
            let documents = counted(self.uncommitted(), "document");
            text.push_str(&format!("  {documents} came after the last checkpoint: not committed, captured again by the next run\n"));
        }
        text.push_str(&format!("{}\n", styled(BOLD, self.summary())));
        text
    }

    fn exit(&self) -> Exit {
        self.exit
    }
}
