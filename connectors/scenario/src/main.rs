//! The connector `scenario`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staunch::main(scenario::Scenario::default())
}
