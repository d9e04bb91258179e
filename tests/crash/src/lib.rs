//! Kills connector and runtime at every boundary, and looks at what is left.
//!
//! This library is what the programs and the tests of the package share: the script of a small capture in two releases of
//! its connector ([`script`]), the connector that plays it ([`connector`]), and the log of messages that `relay` keeps
//! ([`log`]). The tests are in `tests/kill`. See the README.
#![forbid(unsafe_code)]

pub mod connector;
pub mod log;
pub mod script;
mod turns;
