//! Bytes per second of the rows of a bulk job that are put together as documents, beside the least that could be done with them: each
//! line read as JSON, and nothing kept of it. They take turns, as a shared machine is now fast and now slow.
//!
//! `cargo bench -p staunch-bench --bench rows -- [ROUNDS]`
#![allow(clippy::unwrap_used)] // A bench that cannot go on says so by failing.
#![allow(missing_docs)]
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::Instant;

use serde::de::IgnoredAny;
use source_shopify_native::rows::Assembly;
use source_shopify_native::streams::STREAMS;
use staunch_bench::rows;

/// Bytes of rows that are read each time.
const BYTES: usize = 64 << 20;

fn main() {
    let rounds = std::env::args().skip(1).find_map(|text| text.parse().ok());
    let rounds: usize = rounds.unwrap_or(20);
    println!(
        "{:<20} {:>9} {:>12} {:>12} {:>8}",
        "stream", "rows", "MB/s", "read alone", "share"
    );
    for (name, text) in [
        ("order_metafields", rows::metafields(BYTES)),
        ("orders", rows::orders(BYTES)),
        ("inventory_levels", rows::levels(BYTES)),
    ] {
        let stream = STREAMS.iter().find(|stream| stream.name == name).unwrap();
        let assembled = || {
            let mut assembly = Assembly::new(stream, "alpha");
            let mut bytes = 0;
            for line in text.lines() {
                for document in assembly.row(line).unwrap() {
                    bytes += document.len();
                }
            }
            bytes += assembly.end().iter().map(String::len).sum::<usize>();
            black_box(bytes);
        };
        let read = || {
            for line in text.lines() {
                black_box(serde_json::from_str::<IgnoredAny>(line).unwrap());
            }
        };
        let rate = |run: &dyn Fn()| {
            let begun = Instant::now();
            run();
            text.len() as f64 / 1e6 / begun.elapsed().as_secs_f64()
        };
        let taken = (0..rounds).map(|_| (rate(&assembled), rate(&read)));
        let (assembled, read): (Vec<f64>, Vec<f64>) = taken.unzip();
        let shares = assembled
            .iter()
            .zip(&read)
            .map(|(ours, floor)| ours / floor);
        let share = median(shares.collect());
        println!(
            "{name:<20} {:>9} {:>12.0} {:>12.0} {:>7.0} %",
            text.lines().count(),
            median(assembled),
            median(read),
            share * 100.0
        );
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
