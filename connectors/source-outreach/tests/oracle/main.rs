//! What reached the collections, held against what the simulator knows.
//!
//! A *story* is drawn from a seed: an account whose records come, change, go, and come to be seen late; faults; and a capture of it that is
//! stopped, killed, upgraded and rolled back. It is told in simulated time, so that days of it take moments. At its end the last version
//! of every record must have been captured, and none more often than it may be.
#![allow(clippy::unwrap_used)]
#![forbid(unsafe_code)]

mod account;
mod random;
mod story;

use std::sync::atomic::{AtomicU64, Ordering};

use story::Story;

/// How many stories a run tells.
const STORIES: u64 = 1000;

/// As `STAUNCH_ORACLE_SEED=7 cargo test -p source-outreach --test oracle`: one story alone, with what happens in it.
const SEED_VARIABLE: &str = "STAUNCH_ORACLE_SEED";

#[test]
fn every_records_last_version_is_captured_through_a_thousand_stories() {
    if let Ok(seed) = std::env::var(SEED_VARIABLE) {
        return Story::tell(seed.parse().unwrap(), true).unwrap();
    }
    let next = AtomicU64::new(0);
    let told = || {
        let mut failed = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= STORIES {
                return failed;
            }
            if let Err(problem) = Story::tell(seed, false) {
                failed.push(format!("{SEED_VARIABLE}={seed}: {problem}"));
            }
        }
    };
    let failed: Vec<String> = std::thread::scope(|scope| {
        let tellers = [scope.spawn(told), scope.spawn(told)];
        tellers.into_iter().flat_map(|teller| teller.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{} of {STORIES} stories failed\n{}", failed.len(), failed[..failed.len().min(5)].join("\n"));
}
