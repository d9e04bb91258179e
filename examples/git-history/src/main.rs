//! The main job, end to end, on a git repository: capture, kill, resume, upgrade, finish.
//!
//! `job` has the steps. The same program is started by the runtime as `relay`, in front of the connector that is to be killed.
#![forbid(unsafe_code)]

mod catalog;
mod job;
mod outcome;
mod relay;
mod repository;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Captures the history of a git repository with the first release of `source-git`, kills it half-way, resumes it, upgrades it to the
present release, and compares what was captured with what git lists.

Usage: cargo run --package staunch-git-history [-- [REPOSITORY] [--in FOLDER]]

  REPOSITORY   a work tree or a bare repository; by default the one that this program's source is in
  --in FOLDER  where to work; by default `git-history-demo` in Cargo's target folder. Emptied first";

/// What to work on, and where.
#[derive(Debug, Default, PartialEq, Eq)]
struct Arguments {
    repository: Option<PathBuf>,
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("relay") => return relay::main(&arguments[1..]),
        Some("-h" | "--help") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => match parse(&arguments) {
            Ok(arguments) => job::run(&arguments),
            Err(error) => {
                eprintln!("error: {error}\n\n{USAGE}");
                return ExitCode::from(2);
            }
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Result<Arguments> {
    let mut parsed = Arguments::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--in" => match rest.next() {
                Some(folder) => parsed.folder = Some(folder.into()),
                None => bail!("`--in` names no folder"),
            },
            flag if flag.starts_with('-') => bail!("unknown flag `{flag}`"),
            path if parsed.repository.is_none() => parsed.repository = Some(path.into()),
            path => bail!("one repository at a time; `{path}` is one too many"),
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_and_a_folder_may_be_named_in_either_order() {
        let parse = |line: &str| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            parse(&arguments)
        };
        let both = Arguments {
            repository: Some("a".into()),
            folder: Some("b".into()),
        };
        assert_eq!(parse("").unwrap(), Arguments::default());
        assert_eq!(parse("a --in b").unwrap(), both);
        assert_eq!(parse("--in b a").unwrap(), both);
        for wrong in ["a b", "--in", "--out b"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
