//! The command as it is typed: in a fresh folder, with all of its output and its exit code compared.
#![forbid(unsafe_code)]

mod asking;
mod help;
mod project;
mod running;
mod wrong;
