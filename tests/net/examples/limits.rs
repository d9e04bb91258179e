//! Draws what the rate limiter does against simulated servers, into `docs/limits`, and prints the table of `docs/guide/rate-limits.md`.
#![forbid(unsafe_code)]

use std::path::Path;

use staunch_net_tests::limits::{chart, row, scenarios, simulate};

fn main() -> std::io::Result<()> {
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
