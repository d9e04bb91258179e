//! Random scripts through the kit, against a model that knows nothing of it.
//!
//! Each seed makes a script, and sessions of it: each begins with the state that the last one left. What comes out is compared with what
//! `model` says, stream by stream. Where the script fails, or asks for a backfill, the capture stops, and the other functions may
//! have come less far: no further than the model says, and to the end of an invocation.
//!
//! `STAUNCH_SOAK_SEED` runs one seed, `STAUNCH_SOAK_SCRIPTS` another number of them.
#![forbid(unsafe_code)]

mod model;
mod random;
mod run;
mod script;

use std::sync::atomic::{AtomicU64, Ordering};

use model::{End, Expected, LONG_AGO, Lane, Transaction};
use random::Random;
use run::Seen;
use script::Script;
use serde_json::{Value, json};

/// How many scripts a run of the tests tries.
const SCRIPTS: u64 = 10_000;

/// Sessions of each at the most.
const SESSIONS: usize = 3;

#[test]
fn ten_thousand_random_scripts_do_what_the_model_says() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seeds = match number("STAUNCH_SOAK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STAUNCH_SOAK_SCRIPTS").unwrap_or(SCRIPTS),
    };
    staunch::silence();
    let next = AtomicU64::new(seeds.start);
    let workers = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    let tried: Vec<Tried> = std::thread::scope(|scope| {
        let work = || {
            let mut tried = Tried::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return tried;
                }
                if let Err(difference) = try_script(seed, &mut tried) {
                    panic!("seed {seed}: {difference}\nto try it alone: STAUNCH_SOAK_SEED={seed}");
                }
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker found no difference"))
            .collect()
    });
    let sum = |count: fn(&Tried) -> u64| tried.iter().map(count).sum::<u64>();
    println!(
        "seeds {seeds:?}: {} sessions, {} transactions, {} failed as they should, {} asked for a backfill",
        sum(|tried| tried.sessions),
        sum(|tried| tried.transactions),
        sum(|tried| tried.failed),
        sum(|tried| tried.requested),
    );
    if seeds.end - seeds.start >= SCRIPTS {
        assert!(sum(|tried| tried.failed) > 100 && sum(|tried| tried.requested) > 20);
        assert!(sum(|tried| tried.transactions) > 50_000);
    }
}

#[derive(Default)]
struct Tried {
    sessions: u64,
    transactions: u64,
    failed: u64,
    requested: u64,
}

fn try_script(seed: u64, tried: &mut Tried) -> Result<(), String> {
    let mut random = Random::new(seed);
    let Script { script, bindings } = Script::generate(&mut random);
    let mut state = json!({});
    for session in 0..SESSIONS {
        let expected = model::session(&script, &bindings, &state);
        let told = |problem: String| {
            format!(
                "session {session}: {problem}\nstate {state}\nbindings {bindings:?}\nscript {script}"
            )
        };
        let seen = run::session(&script, &bindings, &state, &expected).map_err(told)?;
        compare(&expected, &seen).map_err(told)?;
        tried.sessions += 1;
        tried.transactions += seen
            .streams
            .values()
            .map(|stream| stream.len() as u64)
            .sum::<u64>();
        tried.failed += u64::from(!seen.is_ok);
        tried.requested += u64::from(seen.state.get("backfillRequests").is_some());
        state = seen.state;
        if random.one_in(2) {
            make_snapshots_due(&mut state);
        }
        if random.one_in(10) {
            state["backfillRequests"] = json!({ random.pick(&bindings).as_str(): true });
        }
    }
    Ok(())
}

/// As if an interval had gone by.
fn make_snapshots_due(state: &mut Value) {
    if let Value::Object(members) = state {
        for (name, value) in members.iter_mut() {
            match name.as_str() {
                "updated_at" => *value = json!(format!("{LONG_AGO}T00:00:00Z")),
                _ => make_snapshots_due(value),
            }
        }
    }
}

fn compare(expected: &Expected, seen: &Seen) -> Result<(), String> {
    if let Some(broken) = seen.broken.first() {
        return Err(broken.clone());
    }
    let fails = expected.lanes.values().any(|lane| lane.end == End::Fails);
    let requests = expected
        .lanes
        .values()
        .any(|lane| lane.end == End::Requests);
    // Where both may happen, whichever comes first stops the other, unless it runs already.
    if seen.is_ok && fails && !requests || !seen.is_ok && !fails {
        return Err(format!(
            "it ended with success: {}, {}",
            seen.is_ok, seen.error
        ));
    }
    let mut streams = seen.streams.clone();
    for (binding, transactions) in &expected.setup {
        let came = streams
            .remove(&format!("{binding}/setup"))
            .unwrap_or_default();
        let is_cut = expected.ends() && came.len() <= transactions.len();
        let wanted = if is_cut {
            &transactions[..came.len()]
        } else {
            &transactions[..]
        };
        same(&format!("{binding}/setup"), wanted, &came)?;
    }
    let mut came_to_its_end = false;
    // A request does not say whose it is. It is of a function that is inside of an invocation, if there is one.
    let is_inside = |stream: &String, lane: &Lane| {
        let came = seen.streams.get(stream).map_or(0, Vec::len);
        let last = came
            .checked_sub(1)
            .and_then(|last| lane.transactions.get(last));
        last.is_some_and(|last| !last.may_be_last)
    };
    let mut lanes: Vec<_> = expected.lanes.iter().collect();
    lanes.sort_by_key(|(stream, lane)| !is_inside(stream, lane));
    for (stream, lane) in lanes {
        let mut came = streams.remove(stream).unwrap_or_default();
        if lane.end == End::Requests
            && let Some((binding, _)) = stream.split_once('/')
        {
            came.extend(take_trigger(&mut streams, binding, &lane.transactions));
        }
        let whole = came.len() == lane.transactions.len();
        came_to_its_end |= whole && lane.end != End::Rests;
        if !expected.ends() || whole {
            same(stream, &lane.transactions, &came)?;
            continue;
        }
        let wanted = lane
            .transactions
            .get(..came.len())
            .unwrap_or(&lane.transactions);
        same(stream, wanted, &came)?;
        if wanted.last().is_some_and(|last| !last.may_be_last) {
            return Err(format!(
                "{stream} was cut inside an invocation, behind {wanted:#?}"
            ));
        }
    }
    if expected.ends() && !came_to_its_end {
        return Err("the capture ended, and no function had come to where it ends it".to_owned());
    }
    match streams.into_iter().next() {
        None => Ok(()),
        Some((stream, transactions)) => Err(format!(
            "nothing was expected of {stream}: {transactions:#?}"
        )),
    }
}

/// The request of a backfill: it belongs to the function whose documents it has, which is told by comparing.
fn take_trigger(
    streams: &mut std::collections::BTreeMap<String, Vec<Transaction>>,
    binding: &str,
    wanted: &[Transaction],
) -> Option<Transaction> {
    let triggers = streams.get_mut(&format!("{binding}/trigger"))?;
    let place = triggers
        .iter()
        .position(|trigger| wanted.last().is_some_and(|last| alike(last, trigger)))?;
    let trigger = triggers.remove(place);
    if triggers.is_empty() {
        streams.remove(&format!("{binding}/trigger"));
    }
    Some(trigger)
}

fn same(stream: &str, wanted: &[Transaction], came: &[Transaction]) -> Result<(), String> {
    for (n, (wanted, came)) in wanted.iter().zip(came).enumerate() {
        if !alike(wanted, came) {
            return Err(format!(
                "{stream}, transaction {n}: expected {wanted:#?}, and came {came:#?}"
            ));
        }
    }
    if wanted.len() != came.len() {
        return Err(format!(
            "{stream}: expected {} transactions, and came {}: {came:#?}",
            wanted.len(),
            came.len()
        ));
    }
    Ok(())
}

fn alike(one: &Transaction, other: &Transaction) -> bool {
    one.items == other.items && one.update == other.update
}
