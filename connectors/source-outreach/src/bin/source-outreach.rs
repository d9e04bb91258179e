//! Captures an Outreach account, by two cursors each.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staunch::main(source_outreach::SourceOutreach::new(
        source_outreach::Place::from_environment(),
    ))
}
