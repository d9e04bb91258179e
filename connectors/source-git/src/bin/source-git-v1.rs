//! The first release: captures the history of `HEAD` of a git repository, and its refs.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staunch::main(source_git::SourceGitV1)
}
