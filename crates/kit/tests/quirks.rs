//! The bugs of the kit that this one replaces, one test each: named for its number in the list of what is not to be copied, and for
//! what is true here instead.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod support;

#[path = "quirks/open.rs"]
mod open;
