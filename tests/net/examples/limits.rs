//! Draws what the rate limiter does against simulated servers, into `docs/limits`, and prints the table of `docs/guide/rate-limits.md`.
//! With `sweep` and, if wanted, a seed and a number: simulates that many servers at random instead, and lists how it did.
#![forbid(unsafe_code)]

use std::path::Path;

use staunch_net_tests::limits::{Finding, chart, row, scenarios, simulate, sweep, tally};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("sweep") {
        let mut number = |usual| {
            arguments
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or(usual)
        };
        let (seed, count) = (number(1), number(400));
        list(seed, count as usize);
        return Ok(());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/limits");
    std::fs::create_dir_all(&folder)?;
    for scenario in scenarios() {
        let run = simulate(&scenario);
        std::fs::write(
            folder.join(scenario.name).with_extension("svg"),
            chart(&scenario, &run),
        )?;
        println!("{}", row(&scenario, &run));
    }
    Ok(())
}

/// A line for each: the mark of a miss (`X`) or of what nobody could reach (`-`), the kind, what was served in the first thirty seconds and
/// after, what was refused in the first two minutes, the longest stall, and who asked whom. Then the tally.
fn list(seed: u64, count: usize) {
    let findings: Vec<Finding> = sweep(seed, count)
        .inspect(|finding| println!("{}", finding.line()))
        .collect();
    for line in tally(&findings) {
        println!("{line}");
    }
}
