//! The first release of the scripted connector.
#![forbid(unsafe_code)]

use staunch_crash_tests::connector::Scripted;
use staunch_crash_tests::script::Release;

fn main() -> std::process::ExitCode {
    staunch::main(Scripted(Release::First))
}
