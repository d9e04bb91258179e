//! Documents from memory to a pipe, a checkpoint each thousand (W1).

use std::process::Command;

use serde_json::json;
use staunch_bench::DOCUMENTS_PER_CHECKPOINT;
use staunch_protocol::Codec;

use crate::Error;
use crate::measure::{CONNECTOR, FLOOR, Teller};
use crate::open::{SPEC, in_codec, open};
use crate::program::{Program, run_all};

/// What is emitted: how many documents, of about how many bytes.
const LOADS: [(u64, u64); 2] = [(1_000_000, 250), (100_000, 2_500)];

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
        let connector = |codec: Codec| {
            let mut command = Command::new(CONNECTOR);
            command.env(Codec::VARIABLE, codec.as_str());
            command
        };
        let (raw, typed) = (kit("raw"), kit("typed"));
        let in_proto = |requests: &[u8]| in_codec(Codec::Proto, requests);
        let programs = [
            Program::new("`cat` of the same bytes", None, cat, Teller::System),
            Program::new(
                "floor, copy ready bytes",
                None,
                || floor("copy"),
                Teller::Reports,
            ),
            Program::kit("`emit.raw`", 1, || connector(Codec::Json), raw.clone()),
            Program::kit(
                "`emit.raw`, protobuf",
                1,
                || connector(Codec::Proto),
                in_proto(&raw),
            ),
            Program::new(
                "floor, typed with serde_json",
                None,
                || floor("typed"),
                Teller::Reports,
            ),
            Program::kit(
                "`emit.document`",
                4,
                || connector(Codec::Json),
                typed.clone(),
            ),
            Program::kit(
                "`emit.document`, protobuf",
                4,
                || connector(Codec::Proto),
                in_proto(&typed),
            ),
        ];
        let messages = documents + documents / DOCUMENTS_PER_CHECKPOINT;
        let title = format!("Emit {documents} documents of about {bytes} bytes to a pipe (W1)");
        run_all(&title, &programs, documents, messages, rounds)?;
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
