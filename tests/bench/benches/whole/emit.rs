//! Documents from memory to a pipe, a checkpoint each thousand (W1).

use std::process::Command;

use serde_json::json;
use staunch_bench::DOCUMENTS_PER_CHECKPOINT;
use staunch_protocol::Codec;

use crate::Error;
use crate::measure::{CONNECTOR, FLOOR, Messages, Teller, count_output, to_pipe};
use crate::open::{SPEC, in_codec, open};
use crate::table::{Row, print};

/// What is emitted: how many documents, of about how many bytes.
const LOADS: [(u64, u64); 2] = [(1_000_000, 250), (100_000, 2_500)];

/// Messages besides documents and their checkpoints: `Spec`, `Opened`, the first state, and the end of the backfill.
const OTHER_MESSAGES: u64 = 4;

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
        let mut rows = Vec::new();
        for program in &programs {
            program.check(documents)?;
            rows.push(Row::new(program.name, program.floor));
        }
        for _ in 0..rounds {
            for (program, row) in programs.iter().zip(&mut rows) {
                let mut command = (program.command)();
                let sample = to_pipe(&mut command, &program.input, program.teller)?.0;
                row.samples.push(sample);
            }
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

/// What is run, and what it is told.
struct Program<'a> {
    name: &'static str,
    floor: Option<usize>,
    command: Box<dyn Fn() -> Command + 'a>,
    input: Vec<u8>,
    teller: Teller,
    messages: Messages,
    /// Messages besides documents and their checkpoints.
    others: u64,
}

impl<'a> Program<'a> {
    fn new(
        name: &'static str,
        floor: Option<usize>,
        command: impl Fn() -> Command + 'a,
        teller: Teller,
    ) -> Self {
        Self {
            name,
            floor,
            command: Box::new(command),
            input: Vec::new(),
            teller,
            messages: Messages::Lines,
            others: 0,
        }
    }

    fn kit(
        name: &'static str,
        floor: usize,
        command: impl Fn() -> Command + 'a,
        input: Vec<u8>,
    ) -> Self {
        let messages = match input.first() {
            Some(b'{') => Messages::Lines,
            _ => Messages::Frames,
        };
        Self {
            input,
            messages,
            others: OTHER_MESSAGES,
            ..Self::new(name, Some(floor), command, Teller::Reports)
        }
    }

    /// Whether it does the same work as the others.
    fn check(&self, documents: u64) -> Result<(), Error> {
        let expected = documents + documents / DOCUMENTS_PER_CHECKPOINT + self.others;
        let output = count_output(
            &mut (self.command)(),
            &self.input,
            self.teller,
            self.messages,
        )?;
        match output.messages {
            messages if messages == expected => Ok(()),
            messages => Err(format!(
                "{} wrote {messages} messages, not {expected}: it does not do the same work",
                self.name
            )
            .into()),
        }
    }
}
