//! Requests share transactions.

use std::time::Duration;

use serde_json::json;

use crate::capture::{Acknowledge, Capture, apart};
use crate::client::{Client, request};

#[test]
fn requests_that_wait_together_share_a_checkpoint_and_are_all_answered_upon_it() {
    let capture = Capture::start(json!({}), Acknowledge::Asked);
    let mut clients: Vec<_> = (0..50).map(|_| capture.client()).collect();
    // Several may be in flight before the first is acknowledged, but not one for each request.
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(request("/orders", json!([{ "n": n }, { "n": n }])));
    }
    let mut acknowledged = 0;
    let all_captured = || capture.runtime().documents().count() == 100;
    capture.eventually("everything is captured", || {
        let checkpoints = capture.runtime().checkpoints.len();
        assert!(
            checkpoints - acknowledged <= 4,
            "no more than four are in flight"
        );
        if checkpoints > acknowledged {
            capture.acknowledge(checkpoints - acknowledged);
            acknowledged = checkpoints;
        }
        all_captured()
    });
    let checkpoints = capture.runtime().checkpoints.len();
    capture.acknowledge(checkpoints - acknowledged);
    for client in &mut clients {
        assert_eq!(client.answer().published(), 2);
    }
    let ended = capture.stop();
    assert!(
        ended.runtime.checkpoints.len() < 50,
        "{}",
        ended.runtime.checkpoints.len()
    );
    for run in &ended.runtime.checkpoints {
        let numbers: Vec<_> = run
            .iter()
            .map(|(_, document)| document["n"].as_u64().unwrap())
            .collect();
        assert!(
            numbers.chunks(2).all(|pair| pair[0] == pair[1]),
            "no request is torn: {numbers:?}"
        );
    }
}

#[test]
fn only_what_is_acknowledged_is_answered() {
    let capture = Capture::start(json!({}), Acknowledge::Asked);
    let (mut first, mut second) = (capture.client(), capture.client());
    first.send(request("/orders", "{}"));
    capture.has_checkpoints(1);
    second.send(request("/users", "{}"));
    capture.has_checkpoints(2);
    capture.acknowledge(1);
    assert_eq!(first.answer().published(), 1);
    second
        .stream()
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert!(second.try_answer().is_err());
}

#[test]
fn acknowledgements_are_told_apart_from_those_of_other_resources() {
    let capture = Capture::of(&["orders", "ticks"], json!({}), Acknowledge::AtOnce);
    let address = capture.address;
    let posting: Vec<_> = (0..8)
        .map(|of| {
            apart(move || {
                let mut client = Client::connect(address);
                for n in 0..100 {
                    assert_eq!(
                        client
                            .post("/orders", json!({ "of": of, "n": n }))
                            .published(),
                        1
                    );
                }
            })
        })
        .collect();
    posting.into_iter().for_each(|done| done.recv().unwrap());
    let ended = capture.stop();
    let orders = ended
        .runtime
        .committed()
        .filter(|document| document.get("n").is_some());
    assert_eq!(orders.count(), 800);
}
