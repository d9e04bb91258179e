//! The bugs of the kit that this one replaces, one test each: named for its number in the list of what is not to be copied, and for
//! what is true here instead. Those of schedules and intervals, and the finer points of opening and stopping, are tested beside the
//! code, under paused time.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

#[path = "../support/mod.rs"]
mod support;

mod discovery;
mod documents;
mod opening;
mod pages;
mod states;
mod stopping;

use std::time::Duration;

use serde_json::Value;
use staunch::state::Node;
use staunch::{Changes, Cursor, Resource};
use support::streams;

/// A resource with the initial cursor 0, which is at rest once it has found nothing.
fn incremental<F, Fut>(fetch: F) -> Resource
where
    F: Fn(Cursor, Changes) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = staunch::FetchResult> + Send + 'static,
{
    Resource::new("u")
        .key(["/id"])
        .interval(Duration::from_secs(3600))
        .initial_state(Node::parse(r#"{"inc":{"cursor":0}}"#).unwrap())
        .incremental(fetch)
}

fn checkpoints(n: usize) -> impl Fn(&[Value]) -> bool {
    move |lines| streams(lines).len() >= n
}
