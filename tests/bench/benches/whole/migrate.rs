//! A whole migration of connector state, beside the least that any program must do for it (W4).

use std::path::Path;
use std::process::Command;

use crate::Error;
use crate::measure::{MIGRATE, Sample, in_folder};
use crate::table::{median, median_of, millis};

/// How states are written, how many bindings they have, and whether the floor is measured too.
const STATES: [(&str, u64); 3] = [
    ("write", 10_000),
    ("write", 100_000),
    ("write-small", 1_000_000),
];

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    println!(
        "\n### A state migrated, flat to subtasks: parse, chain, plan with every check, serialise (W4)\n"
    );
    println!(
        "| bindings | document MB | | CPU ms | peak MB | CPU, of the floor's | peak, of the document |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (how, bindings) in STATES {
        let dir = tempfile::tempdir()?;
        run_one(dir.path(), how, bindings, rounds)?;
    }
    Ok(())
}

fn run_one(dir: &Path, how: &str, bindings: u64, rounds: usize) -> Result<(), Error> {
    let mode = |arguments: &[&str]| in_folder(Command::new(MIGRATE).args(arguments), dir);
    mode(&[how, &bindings.to_string(), "state.json"])?;
    let document = std::fs::metadata(dir.join("state.json"))?.len() as f64;
    let mut samples: [Vec<Sample>; 2] = Default::default();
    for _ in 0..rounds {
        samples[0].push(mode(&["floor", "state.json"])?);
        samples[1].push(mode(&["engine", "state.json"])?);
    }
    let ratio = median(
        samples[0]
            .iter()
            .zip(&samples[1])
            .map(|(floor, of)| of.usage.cpu.as_secs_f64() / floor.usage.cpu.as_secs_f64())
            .collect(),
    );
    for (name, samples) in ["floor", "staunch-state"].iter().zip(&samples) {
        let peak = median_of(samples, |sample| sample.usage.peak_kib as f64 * 1024.0);
        let ratio = if *name == "floor" {
            String::new()
        } else {
            format!("{ratio:.2}x")
        };
        println!(
            "| {bindings} | {:.1} | {name} | {:.0} | {:.0} | {ratio} | {:.1}x |",
            document / 1e6,
            median_of(samples, |sample| millis(sample.usage.cpu)),
            peak / 1e6,
            peak / document,
        );
    }
    Ok(())
}
