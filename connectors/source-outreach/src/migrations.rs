//! From the first release to this one.
//!
//! ```text
//! 1   inc: {cursor: T}
//! 2   inc: {realtime: {cursor: T}, lookback: {cursor: T − 6 h}}
//! ```
//!
//! A backfill keeps its shape, and goes on where it is. The way back gives the flat entry the earlier of both cursors, so that
//! nothing is missed that only `lookback` would have seen.

use std::time::Duration;

use staunch::state::{Chain, transform};

use crate::window::LAG;

/// What is new.
pub(crate) const REALTIME: &str = "realtime";

/// The same, once more when it is old enough that all of it can be seen.
pub(crate) const LOOKBACK: &str = "lookback";

/// The steps from the first release to this one.
#[must_use]
pub fn chain() -> Chain {
    let subtasks = [(REALTIME, Duration::ZERO), (LOOKBACK, LAG)];
    Chain::new().with(transform::flat_to_subtasks(subtasks).named("realtime-and-lookback"))
}
