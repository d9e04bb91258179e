//! The connector as a process: what it says of itself, and what becomes of what is posted to it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod answers;
mod capture;
mod client;
mod said;
mod signed;
mod stopping;
