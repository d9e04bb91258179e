//! The commit path, documents to durable: output files and store, beside a plain sequential write with as many syncs.
//!
//! A commit syncs twice, the documents' file and the store's log, and so does the floor. The two take turns, transaction for
//! transaction, because a disk that others use is never twice the same.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use staunch_runtime::files::OutputFiles;
use staunch_runtime::store::{Commit, Store};

type Error = Box<dyn std::error::Error>;

/// Transactions of each kind, for each size of a transaction.
const TRANSACTIONS: u64 = 150;

const CAPTURE: &str = "bench/memory";

/// What a transaction took.
#[derive(Clone, Copy)]
struct Sample {
    wall: Duration,
    cpu: Duration,
}

fn main() -> Result<(), Error> {
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(()); // `cargo test --benches`: that it compiles is all there is to test.
    }
    println!("| documents in a transaction | | wall ms | CPU us/doc | wall, of the floor's |");
    println!("| --- | --- | --- | --- | --- |");
    for documents in [1, 1_000, 10_000] {
        compare(documents)?;
    }
    Ok(())
}

fn compare(documents: u64) -> Result<(), Error> {
    // On the disk that holds the build, since a temporary folder may be in memory only.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let document = document();
    let mut plain = Plain::create(folder.path())?;
    let mut committed = Committed::create(&folder.path().join("project"))?;
    let (mut floor, mut path) = (Vec::new(), Vec::new());
    for n in 0..TRANSACTIONS {
        floor.push(measure(|| plain.transaction(&document, documents, n))?);
        path.push(measure(|| committed.transaction(&document, documents, n))?);
    }
    let per_document = |sample: &Sample| sample.cpu.as_secs_f64() * 1e6 / documents as f64;
    let wall = |sample: &Sample| sample.wall.as_secs_f64() * 1e3;
    let (floor_wall, path_wall) = (median(&floor, wall), median(&path, wall));
    println!(
        "| {documents} | floor | {floor_wall:.2} | {:.3} | |",
        median(&floor, per_document)
    );
    println!(
        "| {documents} | files and store | {path_wall:.2} | {:.3} | {:.2}x |",
        median(&path, per_document),
        path_wall / floor_wall
    );
    Ok(())
}

/// A document of 250 bytes.
fn document() -> Vec<u8> {
    let start =
        r#"{"id":123456,"name":"Ada Lovelace","updatedAt":"2026-11-22T13:04:05.123Z","note":""#;
    let mut document = start.as_bytes().to_vec();
    document.resize(248, b'x');
    document.extend_from_slice(b"\"}");
    document
}

fn state(transaction: u64) -> String {
    format!(
        r#"{{"bindingStateV1":{{"documents":{{"inc":{{"cursor":{transaction}}},"last_initialized":"2026-11-22T13:04:05Z"}}}}}}"#
    )
}

/// Two files, written from front to back.
struct Plain {
    documents: File,
    states: File,
    buffer: Vec<u8>,
}

impl Plain {
    fn create(dir: &Path) -> Result<Self, Error> {
        Ok(Self {
            documents: File::create(dir.join("documents"))?,
            states: File::create(dir.join("states"))?,
            buffer: Vec::new(),
        })
    }

    fn transaction(&mut self, document: &[u8], documents: u64, n: u64) -> Result<(), Error> {
        self.buffer.clear();
        for _ in 0..documents {
            self.buffer.extend_from_slice(document);
            self.buffer.push(b'\n');
        }
        self.documents.write_all(&self.buffer)?;
        self.documents.sync_data()?;
        self.states.write_all(state(n).as_bytes())?;
        self.states.sync_data()?;
        Ok(())
    }
}

/// The runtime's own.
struct Committed {
    files: OutputFiles,
    file: staunch_runtime::files::FileId,
    store: Store,
    revision: u64,
}

impl Committed {
    fn create(dir: &Path) -> Result<Self, Error> {
        let mut store = Store::open(&dir.join(".staunch"), CAPTURE)?;
        let mut files = OutputFiles::open(&dir.join("out"), &[])?;
        let file = files.open_collection("bench/documents")?;
        store.claim_file(files.path(file), CAPTURE, "bench/documents")?;
        Ok(Self {
            files,
            file,
            store,
            revision: 0,
        })
    }

    fn transaction(&mut self, document: &[u8], documents: u64, n: u64) -> Result<(), Error> {
        for _ in 0..documents {
            self.files.append(self.file, document)?;
        }
        let mark = self.files.mark()?;
        mark.sync()?;
        self.revision = self.store.commit(&Commit {
            capture: CAPTURE,
            expected_revision: self.revision,
            state: Some(&state(n)),
            files: mark.lengths(),
            documents,
            checkpoints: 1,
            connector: "bench@0",
            at: "2026-11-22T13:04:05Z",
            update: None,
            cause: None,
        })?;
        Ok(())
    }
}

fn measure(work: impl FnOnce() -> Result<(), Error>) -> Result<Sample, Error> {
    let (began, cpu) = (Instant::now(), cpu()?);
    work()?;
    Ok(Sample {
        wall: began.elapsed(),
        cpu: self::cpu()?.saturating_sub(cpu),
    })
}

/// The CPU time of this thread, which does all the work.
fn cpu() -> Result<Duration, Error> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text
        .split_whitespace()
        .next()
        .ok_or("the system does not tell the CPU time of threads")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
