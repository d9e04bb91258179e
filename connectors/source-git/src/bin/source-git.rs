//! Captures the history of every branch of a git repository, and its refs.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staunch::main(source_git::SourceGit)
}
