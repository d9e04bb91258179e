//! What reached the collections, held against what the simulator knows.
//!
//! A *story* is drawn from a seed: an account whose records come, change, go, and come to be seen late; faults; and a capture of it that is
//! stopped, killed, upgraded and rolled back. It is told in simulated time, so that days of it take moments. At its end the last version
//! of every record must have been captured, and none more often than it may be.
#![allow(clippy::unwrap_used)]
#![forbid(unsafe_code)]

mod account;
mod lag;
mod story;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use outreach_simulator::Random;
use story::Story;

/// As `STAUNCH_ORACLE_SEED=7 cargo test -p source-outreach --test oracle`: one story alone, with what happens in it.
const SEED_VARIABLE: &str = "STAUNCH_ORACLE_SEED";

#[test]
fn every_records_last_version_is_captured_through_a_hundred_stories() {
    match std::env::var(SEED_VARIABLE) {
        Ok(seed) => Story::tell(seed.parse().unwrap(), true).unwrap(),
        Err(_) => tell(0..100),
    }
}

#[test]
#[ignore = "takes a quarter of an hour: cargo test -p source-outreach --test oracle -- --ignored"]
fn every_records_last_version_is_captured_through_a_thousand_stories() {
    tell(0..1000);
}

/// Its rows changed their order in the middle of a list, which was the simulator's own mistake. Its numbers are those that were drawn for a
/// seed then.
#[test]
fn seed_779_a_list_keeps_its_order_while_it_is_paged() {
    let seed = 779_u64;
    let random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Story::drawn(seed, random, false).unwrap();
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
