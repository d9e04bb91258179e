//! One cursor becomes two, online, on a simulated Outreach: capture, lose, plan, apply, capture, compare, roll back.
#![forbid(unsafe_code)]

mod account;
mod job;
mod outcome;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
Captures a simulated Outreach with the first release of `source-outreach`, which misses what appears late; carries the capture over to the
present release with `staunch migrate plan` and `apply`; compares what was captured with what the simulator knows; and takes it back.

Usage: cargo run --package staunch-outreach [-- --in FOLDER]

  --in FOLDER  where to work; by default `outreach-demo` in Cargo's target folder. Emptied first";

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
