//! The connector against the simulator, and against what is recorded of the connector that it stands in for.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod captured;
mod errors;
mod forms;
mod hazards;
mod recorded;
mod schedules;
mod states;
mod support;
mod tokens;
mod windows;
