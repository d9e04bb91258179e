//! The command as it is typed: in a fresh folder, with all of its output and its exit code compared.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "all of this is a test, its helpers too")]

mod applying;
mod asking;
mod beginning;
mod changing;
mod doctor;
mod help;
mod planning;
mod project;
mod rolling_back;
mod running;
mod sinks;
mod upgrading;
mod wrong;
