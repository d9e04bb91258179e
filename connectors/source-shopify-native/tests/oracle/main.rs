//! What reached the collections, held against what the simulator knows.
//!
//! A *story* is drawn from a seed: stores whose records come, change and go; faults; and a capture of them that is stopped, killed, taken
//! back to the first release and upgraded again, and that gains and loses stores. It is told in simulated time, so that days of it take
//! moments. At its end the last version of every record must have been captured, and none more often than it may be.
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.
#![forbid(unsafe_code)]

mod check;
mod story;
#[path = "../truth/mod.rs"]
mod truth;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use story::Story;

/// As `STAUNCH_ORACLE_SEED=7 cargo test -p source-shopify-native --test oracle`: one story alone, with what happens in it.
const SEED_VARIABLE: &str = "STAUNCH_ORACLE_SEED";

#[test]
fn every_records_last_version_is_captured_through_many_stories() {
    match std::env::var(SEED_VARIABLE) {
        Ok(seed) => Story::tell(seed.parse().unwrap(), true).unwrap(),
        Err(_) => tell(0..30),
    }
}

#[test]
#[ignore = "takes a quarter of an hour: cargo test -p source-shopify-native --test oracle -- --ignored"]
fn every_records_last_version_is_captured_through_a_thousand_stories() {
    tell(0..1000);
}

/// What was committed before the end of a capture that failed was forgotten, which was this story's own mistake.
#[test]
fn seed_182_an_end_that_fails_takes_nothing_back() {
    Story::tell(182, false).unwrap();
}

/// Tells these stories, two at a time.
fn tell(seeds: Range<u64>) {
    let next = AtomicU64::new(seeds.start);
    let told = || {
        let mut failed = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return failed;
            }
            if let Err(problem) = Story::tell(seed, false) {
                failed.push(format!("{SEED_VARIABLE}={seed}: {problem}"));
            }
        }
    };
    let failed: Vec<String> = std::thread::scope(|scope| {
        let tellers = [scope.spawn(told), scope.spawn(told)];
        let told = tellers
            .into_iter()
            .flat_map(|teller| teller.join().unwrap());
        told.collect()
    });
    let first = failed[..failed.len().min(5)].join("\n");
    assert!(
        failed.is_empty(),
        "{} stories failed\n{first}",
        failed.len()
    );
}
