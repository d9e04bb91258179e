//! Captures what is posted to it.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staunch::main(source_webhook::SourceWebhook)
}
