//! Documents durably in files: `staunch run` with a connector of the kit, validation on, documents and state in one commit (W6).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use serde_json::json;
use staunch_bench::document;

use crate::Error;
use crate::measure::{CONNECTOR, FLOOR, STAUNCH, Sample, in_folder};
use crate::table::{Row, print};

/// What is landed: how many documents, of about how many bytes. The first is short, so that what a start takes is seen, too.
const LOADS: [(u64, u64); 2] = [(100_000, 250), (1_000_000, 250)];

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    for (documents, bytes) in LOADS {
        let mut rows = [
            Row::new("floor, copy, group commit", None),
            Row::new("`staunch run`, `emit.raw`", Some(0)),
            Row::new("floor, typed, group commit", None),
            Row::new("`staunch run`, `emit.document`", Some(2)),
        ];
        for _ in 0..rounds {
            rows[0].samples.push(floor("land-copy", documents, bytes)?);
            rows[1].samples.push(staunch("raw", documents, bytes)?);
            rows[2].samples.push(floor("land-typed", documents, bytes)?);
            rows[3].samples.push(staunch("typed", documents, bytes)?);
        }
        print(
            &format!("Land {documents} documents of about {bytes} bytes durably (W6)"),
            documents,
            &rows,
        );
    }
    Ok(())
}

fn floor(mode: &str, documents: u64, bytes: u64) -> Result<Sample, Error> {
    let folder = folder()?;
    let sample = in_folder(
        Command::new(FLOOR).args([mode, &documents.to_string(), &bytes.to_string()]),
        folder.path(),
    )?;
    expect_lines(&folder.path().join("documents.jsonl"), documents)?;
    Ok(sample)
}

fn staunch(mode: &str, documents: u64, bytes: u64) -> Result<Sample, Error> {
    let folder = folder()?;
    // JSON is YAML.
    let catalog = json!({
        "captures": { "bench/memory": {
            "endpoint": { "local": {
                "command": [CONNECTOR],
                "config": { "mode": mode, "documents": documents, "bytes": bytes },
            } },
            "bindings": [{ "resource": { "name": "documents" }, "target": "bench/documents" }],
        } },
        "collections": { "bench/documents": { "schema": document::schema(), "key": ["/id"] } },
    });
    std::fs::write(
        folder.path().join("flow.yaml"),
        serde_json::to_vec_pretty(&catalog)?,
    )?;
    let sample = in_folder(
        Command::new(STAUNCH).args(["run", "--once", "-q"]),
        folder.path(),
    )?;
    expect_lines(&folder.path().join("out/bench/documents.jsonl"), documents)?;
    Ok(sample)
}

/// A folder on the disk that holds the build, since a temporary one may be in memory only.
fn folder() -> Result<tempfile::TempDir, Error> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// Whether all compared do the same work.
fn expect_lines(file: &Path, documents: u64) -> Result<(), Error> {
    let mut reader = BufReader::with_capacity(1 << 20, std::fs::File::open(file)?);
    let mut lines = 0;
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        lines += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
        let read = chunk.len();
        reader.consume(read);
    }
    match lines == documents {
        true => Ok(()),
        false => Err(format!("`{}` has {lines} lines, not {documents}", file.display()).into()),
    }
}
