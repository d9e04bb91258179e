//! How the connector stops, and what is durable then.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::capture::{Capture, Committed, eventually};
use crate::client;

fn config() -> Value {
    json!({ "endpoints": [{ "name": "orders", "path": "/orders" }] })
}

#[test]
fn what_was_accepted_is_answered_before_it_ends_and_what_comes_later_is_refused() {
    let mut capture = Capture::start(&config());
    eventually("the binding has begun", || {
        capture.post("/orders", &[], "{}").status == 200
    });
    *capture.holds.lock().unwrap() = Some(0);
    let port = capture.port;
    let accepted =
        std::thread::spawn(move || client::send(port, "POST", "/orders", &[], r#"{"n":1}"#));
    eventually("it was captured", || {
        *capture.holds.lock().unwrap() == Some(1)
    });
    capture.signal("-TERM");
    // One that came before it had noticed would be accepted, too.
    eventually("it is stopping", || {
        capture
            .logged()
            .contains("no further requests are accepted")
    });
    // An error says that it does not listen any more.
    if let Ok(answer) = client::send(port, "POST", "/orders", &[], r#"{"n":2}"#) {
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains("retry-after:"));
    }
    assert!(
        !accepted.is_finished(),
        "200 comes after the acknowledgement"
    );
    capture.acknowledge();
    assert_eq!(accepted.join().unwrap().unwrap().published(), 1);
    assert_eq!(capture.wait(), Some(0));
}

#[test]
fn a_kill_in_the_middle_loses_no_request_that_was_answered_with_200() {
    let committed = Committed::default();
    let answered = Arc::new(Mutex::new(BTreeSet::new()));
    let mut port = 0;
    for round in 0..4_u64 {
        let mut capture = Capture::go_on(&config(), Arc::clone(&committed), port);
        port = capture.port; // The next one takes the place of this one.
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..8_u64)
            .map(|client| {
                let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
                std::thread::spawn(move || {
                    for n in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let name = format!("{round}-{client}-{n}");
                        let body = json!({ "name": name }).to_string();
                        if let Ok(answer) = client::send(port, "POST", "/orders", &[], &body) {
                            assert_eq!(answer.published(), 1);
                            answered.lock().unwrap().insert(name);
                        }
                    }
                })
            })
            .collect();
        let enough = 40 * (round as usize + 1);
        eventually("some were answered", || {
            answered.lock().unwrap().len() >= enough
        });
        std::thread::sleep(Duration::from_millis(7 * round)); // Each time at another place.
        capture.signal("-KILL");
        stop.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
        assert_eq!(capture.wait(), None);
    }
    let committed: BTreeSet<String> = committed
        .lock()
        .unwrap()
        .iter()
        .map(|(_, document)| document["name"].as_str().unwrap().to_owned())
        .collect();
    let answered = answered.lock().unwrap();
    assert!(answered.len() >= 160);
    let lost: Vec<&String> = answered.difference(&committed).collect();
    assert_eq!(lost, Vec::<&String>::new());
}
