//! A whole migration, flat to subtasks, against the least that any implementation must do.
//!
//! `floor` parses into `serde_json::Value`, rebuilds and serialises. `migrate` parses, runs the chain, plans with
//! every check (the self-check included), and serialises the update. Run it with `cargo bench -p staunch-state`.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::time::Duration;

use divan::Bencher;
use serde_json::{Value, json};
use staunch_state::transform::flat_to_subtasks;
use staunch_state::{Chain, Node, StateUpdate, Terms, plan};

const BINDINGS: [usize; 2] = [10_000, 100_000];

/// About 250 bytes for each binding.
fn document(bindings: usize) -> String {
    let mut text = String::from("{\"bindingStateV1\":{");
    for n in 0..bindings {
        let comma = if n > 0 { "," } else { "" };
        write!(
            text,
            "{comma}\"acme/warehouse/resource_number_{n:07}.v1\":{{\"inc\":{{\"cursor\":\"2025-06-10T08:{:02}:{:02}.{:06}Z\"}},\
             \"backfill\":{{\"cutoff\":\"2025-06-01T00:00:00.000000Z\",\"next_page\":\"eyJpZCI6{n:09}fQ==\"}},\
             \"last_initialized\":\"2025-01-01T00:00:00.{n:06}Z\"}}",
            n / 60 % 60,
            n % 60,
            n % 1_000_000,
        )
        .expect("writing to a string does not fail");
    }
    text.push_str("}}");
    text
}

fn chain() -> Chain {
    Chain::new().with(flat_to_subtasks([
        ("realtime", Duration::ZERO),
        ("lookback", Duration::from_secs(6 * 3600)),
    ]))
}

#[divan::bench(args = BINDINGS, sample_count = 10)]
fn floor(bencher: Bencher<'_, '_>, bindings: usize) {
    let text = document(bindings);
    bencher.bench(|| {
        let mut state: Value = serde_json::from_str(&text).expect("it is JSON");
        let states = state["bindingStateV1"]
            .as_object_mut()
            .expect("it is an object");
        for (_, state) in states.iter_mut() {
            let cursor = state["inc"]["cursor"].take();
            state["inc"] =
                json!({"realtime": {"cursor": cursor.clone()}, "lookback": {"cursor": cursor}});
        }
        serde_json::to_string(&state).expect("it is JSON").len()
    });
}

#[divan::bench(args = BINDINGS, sample_count = 10)]
fn migrate(bencher: Bencher<'_, '_>, bindings: usize) {
    let text = document(bindings);
    let chain = chain();
    let terms = Terms {
        declared: chain.declared(),
        ..Terms::default()
    };
    bencher.bench(|| {
        let before = Node::parse(&text).expect("it is JSON");
        let migrated = chain.run(&before, &[]).expect("it migrates");
        let plan =
            plan(&before, &migrated.after, &[], &migrated.applied, &terms).expect("it is allowed");
        plan.update_bytes()
    });
}

/// What W4 names: parse, chain, difference, serialise; no plan.
#[divan::bench(args = BINDINGS, sample_count = 10)]
fn parse_chain_diff_write(bencher: Bencher<'_, '_>, bindings: usize) {
    let text = document(bindings);
    let chain = chain();
    bencher.bench(|| {
        let before = Node::parse(&text).expect("it is JSON");
        let migrated = chain.run(&before, &[]).expect("it migrates");
        StateUpdate::diff(&before, &migrated.after).to_wire().len()
    });
}

#[divan::bench(args = BINDINGS, sample_count = 10)]
fn parse(bencher: Bencher<'_, '_>, bindings: usize) {
    let text = document(bindings);
    bencher.bench(|| Node::parse(&text).expect("it is JSON").serialized_len());
}

fn main() {
    divan::main();
}
