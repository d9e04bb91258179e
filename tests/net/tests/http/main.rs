//! The HTTP client, against a server that misbehaves as it is asked to.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod faults;
