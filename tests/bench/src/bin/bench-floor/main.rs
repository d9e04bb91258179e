//! Only the physical work: what a kit and a runtime can approach, and not pass.
//!
//! ```text
//! bench-floor copy DOCUMENTS BYTES         bytes that are ready, to standard output
//! bench-floor typed DOCUMENTS BYTES        records through serde_json, to standard output
//! bench-floor land-copy DOCUMENTS BYTES    as `copy`, into a file: the next documents are written while one sync runs
//! bench-floor land-typed DOCUMENTS BYTES   as `typed`, likewise
//! bench-floor spool DOCUMENTS BYTES        as `copy`, but all into a file without a name first
//! bench-floor rest-serve                   pages over HTTP, on the port that it says
//! bench-floor rest-fetch PORT              asks for all of them, and throws them away
//! bench-floor rest-raw PORT                likewise, and cuts documents out of them, to standard output
//! bench-floor rest-typed PORT              likewise, and reads and writes them as records
//! bench-floor idle                         the answer to `Open`, and a task for each binding
//! bench-floor spec                         an answer, whatever is asked
//! ```
#![forbid(unsafe_code)]

mod rest;

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use staunch_bench::document::{self, Size};
use staunch_bench::{DOCUMENTS_PER_CHECKPOINT, usage};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["spec"] => spec(),
        ["idle"] => idle(),
        ["rest-serve"] => rest::serve(),
        [mode, port] => rest::fetch(mode, port),
        [mode, documents, bytes] => emit(mode, documents, bytes),
        _ => Err(io::Error::other(
            "it is not said what to do; see the source",
        )),
    };
    usage::report();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn emit(mode: &str, documents: &str, bytes: &str) -> io::Result<()> {
    let documents: u64 = documents.parse().map_err(io::Error::other)?;
    let size =
        Size::from_bytes(bytes.parse().map_err(io::Error::other)?).map_err(io::Error::other)?;
    match mode {
        "copy" => copy(documents, size, &ENVELOPE, Pipe::new()?),
        "typed" => typed(documents, size, &ENVELOPE, Pipe::new()?),
        "spool" => spool(documents, size),
        "land-copy" => land(|out| copy(documents, size, &BARE, out)),
        "land-typed" => land(|out| typed(documents, size, &BARE, out)),
        _ => Err(io::Error::other(format!(
            "there is no mode `{mode}`; see the source"
        ))),
    }
}

/// What stands around a document.
struct Frame {
    before: &'static [u8],
    after: &'static [u8],
}

const ENVELOPE: Frame = Frame {
    before: b"{\"captured\":{\"binding\":0,\"doc\":",
    after: b"}}\n",
};
const BARE: Frame = Frame {
    before: b"",
    after: b"\n",
};

/// Takes the documents of a checkpoint.
trait Out {
    fn documents(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// All up to the document `next` is there.
    fn checkpoint(&mut self, next: u64) -> io::Result<()>;
}

fn copy(documents: u64, size: Size, frame: &Frame, mut out: impl Out) -> io::Result<()> {
    let ready = document::ready(size);
    let mut round = ready.iter().cycle();
    in_sequences(documents, &mut out, |buffer| {
        let document = round.next().expect("a round has no end");
        buffer.extend_from_slice(frame.before);
        buffer.extend_from_slice(document);
        buffer.extend_from_slice(frame.after);
        Ok(())
    })
}

fn typed(documents: u64, size: Size, frame: &Frame, mut out: impl Out) -> io::Result<()> {
    let records = document::records(size);
    let mut round = records.iter().cycle();
    in_sequences(documents, &mut out, |buffer| {
        let record = round.next().expect("a round has no end");
        buffer.extend_from_slice(frame.before);
        serde_json::to_writer(&mut *buffer, record)?;
        buffer.extend_from_slice(frame.after);
        Ok(())
    })
}

fn in_sequences(
    documents: u64,
    out: &mut impl Out,
    mut append: impl FnMut(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut next = 0;
    while next < documents {
        let end = documents.min(next + DOCUMENTS_PER_CHECKPOINT);
        buffer.clear();
        for _ in next..end {
            append(&mut buffer)?;
        }
        out.documents(&buffer)?;
        out.checkpoint(end)?;
        next = end;
    }
    Ok(())
}

/// Standard output, without a buffer of its own.
struct Pipe(File);

impl Pipe {
    fn new() -> io::Result<Self> {
        Ok(Self(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }
}

impl Out for Pipe {
    fn documents(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn checkpoint(&mut self, next: u64) -> io::Result<()> {
        const BEFORE: &str = r#"{"checkpoint":{"state":{"updated":{"bindingStateV1":{"documents":{"backfill":{"cutoff":1,"next_page":""#;
        writeln!(self.0, "{BEFORE}{next}\"}}}}}}}},\"mergePatch\":true}}}}}}")
    }
}

/// A file that is gone when it is closed, into which all is written before any of it leaves.
struct Spooled(File);

impl Out for Spooled {
    fn documents(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn checkpoint(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }
}

fn spool(documents: u64, size: Size) -> io::Result<()> {
    let path = std::env::temp_dir().join(format!("bench-floor-{}", std::process::id()));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(path)?;
    copy(documents, size, &ENVELOPE, Spooled(file.try_clone()?))?;
    let mut pipe = Pipe::new()?.0;
    let mut chunk = vec![0; 256 << 10];
    let mut at = 0;
    loop {
        match file.read_at(&mut chunk, at)? {
            0 => return Ok(()),
            n => {
                pipe.write_all(&chunk[..n])?;
                at += n as u64;
            }
        }
    }
}

/// Files in the working folder: the documents, and how far they are durable.
struct Landing<'a> {
    documents: &'a File,
    written: u64,
    progress: &'a Progress,
}

/// How far the documents are written, and whether more will come.
#[derive(Default)]
struct Progress {
    state: Mutex<(Option<(u64, u64)>, bool)>,
    changed: Condvar,
}

impl Out for Landing<'_> {
    fn documents(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.documents.write_all_at(bytes, self.written)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn checkpoint(&mut self, next: u64) -> io::Result<()> {
        self.progress
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0 = Some((next, self.written));
        self.progress.changed.notify_one();
        Ok(())
    }
}

/// One thread writes, the other syncs: the documents, and then how far they go, for all the checkpoints that have come up.
fn land(write: impl FnOnce(Landing<'_>) -> io::Result<()>) -> io::Result<()> {
    let documents = File::create_new("documents.jsonl")?;
    let state = File::create_new("state.json")?;
    let progress = Progress::default();
    let sync = || -> io::Result<()> {
        loop {
            let waiting = progress
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let waiting = progress
                .changed
                .wait_while(waiting, |(at, is_over)| at.is_none() && !*is_over);
            let at = waiting.unwrap_or_else(PoisonError::into_inner).0.take();
            let Some((next, bytes)) = at else {
                return Ok(());
            };
            documents.sync_data()?;
            state.write_all_at(
                format!("{{\"next_page\":{next:>20},\"bytes\":{bytes:>20}}}\n").as_bytes(),
                0,
            )?;
            state.sync_data()?;
        }
    };
    std::thread::scope(|scope| {
        let syncing = scope.spawn(sync);
        let written = write(Landing {
            documents: &documents,
            written: 0,
            progress: &progress,
        });
        progress
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1 = true;
        progress.changed.notify_one();
        let synced = syncing.join().expect("the syncing thread does not panic");
        written.and(synced)
    })
}

/// What a start and an answer take without a kit.
fn spec() -> io::Result<()> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    io::stdout().write_all(b"{\"spec\":{\"protocol\":3032023,\"configSchema\":{},\"resourceConfigSchema\":{},\"documentationUrl\":\"x\"}}\n")
}

#[derive(serde::Deserialize)]
struct OpenLine {
    open: Open,
}

#[derive(serde::Deserialize)]
struct Open {
    capture: Capture,
}

#[derive(serde::Deserialize)]
struct Capture {
    bindings: Vec<Binding>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    state_key: String,
}

/// Reads `Spec` and `Open`, answers both, and sleeps in a task for each binding until the input ends.
fn idle() -> io::Result<()> {
    let mut line = String::new();
    spec()?;
    io::stdin().lock().read_line(&mut line)?;
    let bindings = serde_json::from_str::<OpenLine>(&line)?
        .open
        .capture
        .bindings;
    drop(line);
    io::stdout().write_all(b"{\"opened\":{}}\n")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let count = bindings.len();
    let looked = std::sync::Arc::new(AtomicUsize::new(0));
    for binding in bindings {
        let looked = std::sync::Arc::clone(&looked);
        runtime.spawn(async move {
            loop {
                if looked.fetch_add(1, Ordering::Relaxed) + 1 == count {
                    eprintln!("ready");
                }
                tokio::time::sleep(Duration::from_secs(60)).await;
                std::hint::black_box(&binding.state_key);
            }
        });
    }
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    runtime.shutdown_background();
    Ok(())
}
