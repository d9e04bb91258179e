//! The `staunch` command, which at its end tells what it took.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    let code = staunch_cli::main();
    staunch_bench::usage::report();
    code
}
