//! A whole migration of connector state, flat to subtasks, and the least that any program must do for it.
//!
//! ```text
//! bench-migrate write BINDINGS FILE          a state of so many bindings
//! bench-migrate write-small BINDINGS FILE    the same with as little as a binding can have
//! bench-migrate floor FILE                   parsed into `serde_json::Value`, rebuilt, serialised
//! bench-migrate engine FILE                  parsed, migrated, planned with every check, the update serialised
//! bench-migrate parts FILE                   as `engine`, and tells what each part took
//! ```
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use staunch::state::transform::flat_to_subtasks;
use staunch::state::{Chain, Node, Terms, plan};
use staunch_bench::usage;

type Error = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["write", bindings, file] => write(bindings, file, ordinary),
        ["write-small", bindings, file] => write(bindings, file, small),
        ["floor", file] => floor(file),
        ["engine", file] => engine(file, |_, _| {}),
        ["parts", file] => engine(file, |part, took| eprintln!("{part:>10} {took:?}")),
        _ => Err("it is not said what to do; see the source".into()),
    };
    usage::report();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-migrate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(bindings: &str, file: &str, binding: fn(&mut String, u64)) -> Result<(), Error> {
    let mut text = String::from("{\"bindingStateV1\":{");
    for n in 0..bindings.parse()? {
        if n > 0 {
            text.push(',');
        }
        binding(&mut text, n);
    }
    text.push_str("}}");
    Ok(std::fs::write(file, text)?)
}

/// About 250 bytes.
fn ordinary(text: &mut String, n: u64) {
    write!(
        text,
        "\"acme/warehouse/resource_number_{n:07}.v1\":{{\"inc\":{{\"cursor\":\"2025-06-10T08:{:02}:{:02}.{:06}Z\"}},\
         \"backfill\":{{\"cutoff\":\"2025-06-01T00:00:00.000000Z\",\"next_page\":\"eyJpZCI6{n:09}LCJzaG9wIjoiYWNtZSJ9fQ==\"}},\
         \"last_initialized\":\"2025-01-01T00:00:00.{:06}Z\"}}",
        n / 60 % 60,
        n % 60,
        n % 1_000_000,
        n % 1_000_000,
    )
    .expect("writing to a string does not fail");
}

fn small(text: &mut String, n: u64) {
    write!(
        text,
        "\"r{n:07}\":{{\"inc\":{{\"cursor\":\"2025-06-10T08:{:02}:{:02}Z\"}}}}",
        n / 60 % 60,
        n % 60,
    )
    .expect("writing to a string does not fail");
}

fn floor(file: &str) -> Result<(), Error> {
    let text = std::fs::read_to_string(file)?;
    let mut state: Value = serde_json::from_str(&text)?;
    let states = state["bindingStateV1"]
        .as_object_mut()
        .ok_or("it has no bindings")?;
    for (_, state) in states.iter_mut() {
        let cursor = state["inc"]["cursor"].take();
        state["inc"] =
            json!({"realtime": {"cursor": cursor.clone()}, "lookback": {"cursor": cursor}});
    }
    let written = serde_json::to_string(&state)?;
    println!("{}", written.len());
    Ok(())
}

fn engine(file: &str, mut tell: impl FnMut(&str, Duration)) -> Result<(), Error> {
    let text = std::fs::read_to_string(file)?;
    let mut began = Instant::now();
    let mut part = |name: &str| {
        tell(name, began.elapsed());
        began = Instant::now();
    };
    let before = Node::parse_owned(text)?;
    part("parse");
    let chain = Chain::new().with(flat_to_subtasks([
        ("realtime", Duration::ZERO),
        ("lookback", Duration::from_secs(6 * 3600)),
    ]));
    let migrated = chain.run(&before, &[])?;
    part("chain");
    let terms = Terms {
        declared: chain.declared(),
        ..Terms::default()
    };
    let plan = plan(&before, &migrated.after, &[], &migrated.applied, &terms)?;
    part("plan");
    println!("{}", plan.update_bytes());
    drop(plan);
    drop(migrated);
    drop(before);
    part("drop");
    Ok(())
}
