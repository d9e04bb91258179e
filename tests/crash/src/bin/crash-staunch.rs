//! The `staunch` command, with points at which `STAUNCH_CRASH_AT` kills it.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staunch_cli::main()
}
