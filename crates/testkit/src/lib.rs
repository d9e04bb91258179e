//! What a connector's tests are written with: a [`Capture`] of it in the test's own process, and a harness that holds its migrations
//! against the laws that every chain must keep.
//!
//! # Migrations
//!
//! Give it a chain, and a folder with the states that releases of the connector wrote. One line in the connector's tests runs it all:
//!
//! ```no_run
//! # mod migrations {
//! #     use staunch_state::{Chain, transform};
//! #     pub fn chain() -> Chain { Chain::new().with(transform::flat_to_keyed("main")) }
//! # }
//! #[test]
//! fn every_released_state_is_carried_over() {
//!     staunch_testkit::check_migrations(migrations::chain(), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states"));
//! }
//! # fn main() {}
//! ```
//!
//! It migrates each released state, and generates more that a release could have written: other cursors of the same kind, backfills at any
//! page, unknown members, disabled bindings, states half migrated. Of each it checks every [`Law`]. Then it makes mistakes
//! on purpose, a [`Mutation`] each, and sees a plan refuse them. Last it serves a connector with the chain, cuts the conversation at every
//! boundary, and compares what comes out.
//!
//! # The folder
//!
//! Every `*.json` in it is a released state: a bare connector state, or one with what is known of it. Add to them, change none.
//!
//! ```text
//! {"state":    {"bindingStateV1": {…}},
//!  "update":   {…},             optional: what is sent, to the byte but for whitespace; null for nothing
//!  "after":    {…},             optional: the whole state after
//!  "bindings": [{"stateKey": "a", "resource": {"name": "a"}, "isActive": true}]}   optional
//! ```
//!
//! Where bindings are told, a state key that none of them has is an orphan. Where none are, each state key is an open binding, whose
//! resource is named like it. Every step of the chain needs a state that it changes.
#![forbid(unsafe_code)]

mod allowed;
mod capture;
mod case;
mod crash;
mod cursors;
mod failure;
mod fixture;
mod generate;
mod harness;
mod law;
mod laws;
mod mutation;
mod progress;
mod random;
mod reading;
mod report;
mod residue;
mod shape;
mod shrink;
mod simulated;
mod undo;

use std::path::PathBuf;

use staunch_state::Chain;

pub use capture::{Capture, CaptureFailure, Seen};
pub use failure::Failure;
pub use harness::Harness;
pub use law::Law;
pub use mutation::Mutation;
pub use report::Report;
pub use simulated::{Run, simulate};

/// Checks a chain with the released states of a folder, and prints what was checked. [`Harness`] is the same with more to say.
///
/// # Panics
/// With a [`Failure`], when a law is broken.
pub fn check_migrations(chain: Chain, folder: impl Into<PathBuf>) {
    match Harness::new(chain).states(folder).run() {
        Ok(report) => println!("{report}"),
        Err(failure) => panic!("{failure}"),
    }
}

// The example of the guide is run with those of the crate.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/testing.md")]
struct Testing;
