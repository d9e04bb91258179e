//! One store becomes many, online, on simulated stores of Shopify: capture, stop in the middle, plan, apply, add, remove, compare.
#![forbid(unsafe_code)]

mod job;
mod stores;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
Captures a simulated store of Shopify with the first release of `source-shopify-native`, which knows one store; carries the capture over to the
present release in the middle of a backfill; adds a second and a third store, removes one; and compares what was captured with what the simulator
knows.

Usage: cargo run --package staunch-shopify [-- --in FOLDER]

  --in FOLDER  where to work; by default `shopify-demo` in Cargo's target folder. Emptied first";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let folder = match arguments[..] {
        [] => None,
        ["-h" | "--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        ["--in", folder] => Some(PathBuf::from(folder)),
        _ => {
            eprintln!("error: no more than `--in FOLDER` can be said\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match job::run(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
