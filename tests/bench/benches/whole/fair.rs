//! Many subtasks that emit and checkpoint as fast as they can: whether each has its turn.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::Error;
use crate::measure::CONNECTOR;
use crate::open::{SPEC, open};
use crate::table::median_of;

const SUBTASKS: u64 = 1_000;

const SECONDS: u64 = 5;

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    println!(
        "\n### {SUBTASKS} subtasks, a document and a checkpoint again and again for {SECONDS} s\n"
    );
    println!(
        "| at once | checkpoints/s | of a subtask: fewest | median | most | median wait ms | longest wait ms | longest, of the median |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for concurrent in [1_000, 40] {
        let samples: Vec<Value> = (0..rounds)
            .map(|_| sample(concurrent))
            .collect::<Result<_, _>>()?;
        let of = |name: &str| median_of(&samples, |sample| number(sample, name));
        let ratio = median_of(&samples, |sample| {
            number(sample, "longest_wait_us") / number(sample, "median_wait_us")
        });
        println!(
            "| {concurrent} | {:.0} | {} | {} | {} | {:.1} | {:.1} | {ratio:.1}x |",
            of("checkpoints") / SECONDS as f64,
            of("fewest"),
            of("median"),
            of("most"),
            of("median_wait_us") / 1e3,
            of("longest_wait_us") / 1e3,
        );
    }
    Ok(())
}

fn number(sample: &Value, name: &str) -> f64 {
    sample[name].as_f64().unwrap_or(f64::NAN)
}

fn sample(concurrent: u64) -> Result<Value, Error> {
    let config = json!({ "mode": "fair", "subtasks": SUBTASKS, "concurrent": concurrent, "seconds": SECONDS });
    let mut child = Command::new(CONNECTOR)
        .env("LOG_LEVEL", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let drain = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    std::io::Write::write_all(&mut stdin, SPEC)?;
    let open = open(&config, &["documents".into()], &json!({}));
    std::io::Write::write_all(&mut stdin, &open)?;
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("stderr is piped")).read_line(&mut line)?;
    drop(stdin);
    drain.join().expect("the reader does not panic")?;
    match child.wait()? {
        status if status.success() => Ok(serde_json::from_str(&line)?),
        status => Err(format!("the connector failed: {status}, {line}").into()),
    }
}
