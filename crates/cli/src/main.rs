//! The `staunch` command.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staunch_cli::main()
}
