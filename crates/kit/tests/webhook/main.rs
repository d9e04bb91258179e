//! Captures that listen, as processes: what is posted to them, and what is committed of it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod answers;
mod bounds;
mod capture;
mod client;
mod encodings;
mod kill;
mod sharing;
mod slow;
mod stopping;
mod versions;
