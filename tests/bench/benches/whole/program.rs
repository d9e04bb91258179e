//! Programs that are measured beside each other.

use std::process::Command;

use crate::Error;
use crate::measure::{Messages, Teller, count_output, to_pipe};
use crate::table::{Row, print};

/// Messages besides documents and their checkpoints: `Spec`, `Opened`, the first state, and the end of the backfill.
const OTHER_MESSAGES: u64 = 4;

/// Runs them in turn, and prints what each took for a document. Before that, each is seen to write `messages` documents and checkpoints.
pub(crate) fn run_all(
    title: &str,
    programs: &[Program<'_>],
    documents: u64,
    messages: u64,
    rounds: usize,
) -> Result<(), Error> {
    let mut rows = Vec::new();
    for program in programs {
        program.check(messages)?;
        rows.push(Row::new(program.name, program.floor));
    }
    for _ in 0..rounds {
        for (program, row) in programs.iter().zip(&mut rows) {
            let mut command = (program.command)();
            let sample = to_pipe(&mut command, &program.input, program.teller)?.0;
            row.samples.push(sample);
        }
    }
    print(title, documents, &rows);
    Ok(())
}

/// What is run, and what it is told.
pub(crate) struct Program<'a> {
    name: &'static str,
    floor: Option<usize>,
    command: Box<dyn Fn() -> Command + 'a>,
    input: Vec<u8>,
    teller: Teller,
    messages: Messages,
    /// Messages besides documents and their checkpoints.
    others: u64,
    /// Whether it writes nothing.
    is_silent: bool,
}

impl<'a> Program<'a> {
    pub(crate) fn new(
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
            is_silent: false,
        }
    }

    /// One that writes nothing.
    pub(crate) fn silent(self) -> Self {
        Self {
            is_silent: true,
            ..self
        }
    }

    pub(crate) fn kit(
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

    /// Whether it does the same work as the others: so many documents and checkpoints, if it writes any.
    fn check(&self, messages: u64) -> Result<(), Error> {
        let expected = match self.is_silent {
            true => 0,
            false => messages + self.others,
        };
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
