//! The first release: captures an Outreach account, by one cursor each.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staunch::main(source_outreach::SourceOutreach::first_release(
        source_outreach::Place::from_environment(),
    ))
}
