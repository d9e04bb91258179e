//! Documents from memory to a pipe, a checkpoint each thousand (W1).

use std::process::Command;

use serde_json::json;
use staunch_bench::DOCUMENTS_PER_CHECKPOINT;

use crate::Error;
use crate::measure::{CONNECTOR, FLOOR, Output, Teller, count_output, to_pipe};
use crate::open::{SPEC, open};
use crate::table::{Row, print};

/// What is emitted: how many documents, of about how many bytes.
const LOADS: [(u64, u64); 2] = [(1_000_000, 250), (100_000, 2_500)];

/// Lines besides documents and their checkpoints: `Spec`, `Opened`, the first state, and the end of the backfill.
const OTHER_LINES: u64 = 4;

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    for (documents, bytes) in LOADS {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("documents");
        let floor = |mode: &str| {
            let mut command = Command::new(FLOOR);
            command.args([mode, &documents.to_string(), &bytes.to_string()]);
            command
        };
        write_file(floor("copy"), &file)?;
        let cat = || {
            let mut command = Command::new("cat");
            command.arg(&file);
            command
        };
        let kit = |mode: &str| {
            let config = json!({ "mode": mode, "documents": documents, "bytes": bytes });
            [SPEC, &open(&config, &["documents".into()], &json!({}))].concat()
        };
        let (raw, typed) = (kit("raw"), kit("typed"));
        let new = || Command::new(CONNECTOR);
        check(
            documents,
            "cat",
            count_output(&mut cat(), b"", Teller::System)?,
            0,
        )?;
        check(
            documents,
            "the copy floor",
            count_output(&mut floor("copy"), b"", Teller::Reports)?,
            0,
        )?;
        check(
            documents,
            "the typed floor",
            count_output(&mut floor("typed"), b"", Teller::Reports)?,
            0,
        )?;
        check(
            documents,
            "emit.raw",
            count_output(&mut new(), &raw, Teller::Reports)?,
            OTHER_LINES,
        )?;
        check(
            documents,
            "emit.document",
            count_output(&mut new(), &typed, Teller::Reports)?,
            OTHER_LINES,
        )?;

        let mut rows = [
            Row::new("`cat` of the same bytes", None),
            Row::new("floor, copy ready bytes", None),
            Row::new("`emit.raw`", Some(1)),
            Row::new("floor, typed with serde_json", None),
            Row::new("`emit.document`", Some(3)),
        ];
        for _ in 0..rounds {
            rows[0]
                .samples
                .push(to_pipe(&mut cat(), b"", Teller::System)?.0);
            rows[1]
                .samples
                .push(to_pipe(&mut floor("copy"), b"", Teller::Reports)?.0);
            rows[2]
                .samples
                .push(to_pipe(&mut new(), &raw, Teller::Reports)?.0);
            rows[3]
                .samples
                .push(to_pipe(&mut floor("typed"), b"", Teller::Reports)?.0);
            rows[4]
                .samples
                .push(to_pipe(&mut new(), &typed, Teller::Reports)?.0);
        }
        print(
            &format!("Emit {documents} documents of about {bytes} bytes to a pipe (W1)"),
            documents,
            &rows,
        );
    }
    Ok(())
}

fn write_file(mut command: Command, file: &std::path::Path) -> Result<(), Error> {
    let status = command.stdout(std::fs::File::create(file)?).status()?;
    match status.success() {
        true => Ok(()),
        false => Err("the floor failed".into()),
    }
}

/// Whether all compared do the same work.
fn check(documents: u64, name: &str, output: Output, other_lines: u64) -> Result<(), Error> {
    let expected = documents + documents / DOCUMENTS_PER_CHECKPOINT + other_lines;
    match output.lines {
        lines if lines == expected => Ok(()),
        lines => Err(format!(
            "{name} wrote {lines} lines, not {expected}: it does not do the same work"
        )
        .into()),
    }
}
