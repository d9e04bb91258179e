//! The bugs of the Python kit that this one does not have: each test is named for its number in the conformance suite's
//! `KNOWN-QUIRKS.md`, in the list of what is not to be copied, and for what is true here instead. Finer points are tested beside the code.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod capturing;
mod documents;
mod opening;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
