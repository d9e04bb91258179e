//! From the start of a process to its first answer (W5).

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;
use crate::measure::{CONNECTOR, FLOOR};
use crate::open::SPEC;
use crate::table::{median_of, millis};

/// A start is short; so each round has several.
const STARTS: usize = 8;

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    let mut floor = Vec::new();
    let mut kit = Vec::new();
    for _ in 0..rounds * STARTS {
        floor.push(start(Command::new(FLOOR).arg("spec"))?);
        kit.push(start(&mut Command::new(CONNECTOR))?);
    }
    println!(
        "\n### From process start to the `Spec` response (W5), {} starts each\n",
        kit.len()
    );
    println!("| | median ms | slowest ms |");
    println!("| --- | --- | --- |");
    for (name, starts) in [("floor, a bare process", floor), ("kit", kit)] {
        let slowest = starts.iter().max().copied().unwrap_or_default();
        println!(
            "| {name} | {:.2} | {:.2} |",
            median_of(&starts, |time| millis(*time)),
            millis(slowest)
        );
    }
    Ok(())
}

fn start(command: &mut Command) -> Result<Duration, Error> {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .expect("stdin is piped")
        .write_all(SPEC)?;
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    let time = began.elapsed();
    let status = child.wait()?;
    match line.starts_with("{\"spec\"") && status.success() {
        true => Ok(time),
        false => Err(format!("no answer to `Spec`: {status}").into()),
    }
}
