//! Captures an Outreach account over its REST API.
//!
//! The connector ([`SourceOutreach`], in both of its releases) is `connector`, with
//!
//! - `models`: the endpoint config, records, and their schema
//! - `api`: how the API is asked, page by page, and what its errors mean to whoever owns the account
//! - `resources`: what there is to capture, and the functions that do
//! - `window`: which span of time a function reads; it decides only
//! - `emitted`: what was captured already, so that one subtask does not repeat the other
//! - `migrations`: from the first release to this one
//! - `place`: where the API is and what time it is, which tests and demos change
//!
//! What surprises: a record is seen by its time, and may come to be seen up to [`LAG`] after that. So two subtasks read each
//! resource: `realtime` what is new, `lookback` the same once more when it is that old.
#![forbid(unsafe_code)]

mod api;
mod connector;
mod emitted;
mod migrations;
mod models;
mod place;
mod resources;
mod window;

pub use connector::SourceOutreach;
pub use migrations::chain;
pub use models::{Advanced, Config, Credentials};
pub use place::Place;
pub use window::LAG;

// The example of the README is compiled with those of the crate.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
