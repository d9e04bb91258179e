//! The HTTP client, against a server that misbehaves as it is asked to.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod asking;
mod bodies;
mod connections;
mod credentials;
mod encodings;
mod errors;
mod faults;
mod limits;
mod process;
mod proxies;
mod redirects;
mod retries;
mod timeouts;
mod tls;
mod tokens;
