//! A capture that is killed in the middle loses no request that was answered with 200.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::capture::{Acknowledge, Capture, apart};
use crate::client::{Client, request};

/// How often it is killed. `STAUNCH_WEBHOOK_KILLS` says otherwise.
const KILLS: u64 = 12;

/// Clients that post at once.
const CLIENTS: u64 = 16;

#[test]
fn a_capture_that_is_killed_under_load_has_committed_whatever_was_answered_with_200() {
    let kills = std::env::var("STAUNCH_WEBHOOK_KILLS").ok();
    let kills = kills.map_or(KILLS, |kills| kills.parse().unwrap());
    let mut answered = 0;
    for round in 0..kills {
        let acknowledge = match round % 3 {
            0 => Acknowledge::AtOnce,
            1 => Acknowledge::After(Duration::from_millis(1)),
            _ => Acknowledge::After(Duration::from_millis(20)),
        };
        answered += one_life(round, acknowledge);
    }
    assert!(
        answered > 0,
        "nothing was answered in any life, so nothing was shown"
    );
}

/// How many requests were answered with 200.
fn one_life(round: u64, acknowledge: Acknowledge) -> usize {
    let capture = Capture::start(json!({}), acknowledge);
    let address = capture.address;
    let posting: Vec<_> = (0..CLIENTS)
        .map(|of| apart(move || post_until_it_breaks(&mut Client::connect(address), of)))
        .collect();
    // Somewhere in what follows so many checkpoints, at another point each time.
    capture.has_checkpoints(1 + usize::try_from(round * 7 % 40).unwrap());
    std::thread::sleep(Duration::from_micros(round * 1_301 % 9_000));
    let ended = capture.kill();
    assert_eq!(ended.code, None, "it did not end of itself");
    let committed: BTreeSet<_> = ended
        .runtime
        .committed()
        .map(|document| document["id"].as_str().unwrap())
        .collect();
    let taken: Vec<String> = posting
        .into_iter()
        .flat_map(|taken| taken.recv().unwrap())
        .collect();
    let lost: Vec<_> = taken
        .iter()
        .filter(|id| !committed.contains(id.as_str()))
        .collect();
    assert!(
        lost.is_empty(),
        "round {round}, {acknowledge:?}: {lost:?} of {}",
        taken.len()
    );
    taken.len()
}

/// Every second request holds several documents.
fn post_until_it_breaks(client: &mut Client, of: u64) -> Vec<String> {
    let mut taken = Vec::new();
    for n in 0.. {
        let ids: Vec<_> = (0..1 + n % 2 * 4)
            .map(|part| format!("{of}-{n}-{part}"))
            .collect();
        let documents: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        if client
            .try_send(request("/orders", json!(documents)))
            .is_err()
        {
            break;
        }
        match client.try_answer() {
            Ok(answer) if answer.status == 200 => taken.extend(ids),
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => break,
        }
    }
    taken
}
