//! Clients that take their time.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::capture::{Acknowledge, Capture, PATIENCE};
use crate::client::request;

#[test]
fn a_head_that_drips_in_is_cut_off() {
    let capture = Capture::start(json!({"head_milliseconds": 300}), Acknowledge::AtOnce);
    for first in ["", "P", "POST /orders HTTP/1.1\r\nhost: a\r\n"] {
        let mut client = capture.client();
        client.send(first);
        let mut drips = 0;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline
            && client
                .try_send(if first.is_empty() { "" } else { "x" })
                .is_ok()
        {
            drips += 1;
            if first.is_empty() {
                break; // It sends nothing at all.
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(drips > 0);
        assert!(client.is_closed());
    }
}

#[test]
fn a_connection_that_is_idle_is_closed_and_one_that_waits_for_its_answer_is_not() {
    let capture = Capture::start(json!({"head_milliseconds": 200}), Acknowledge::Asked);
    let mut waiting = capture.client();
    waiting.send(request("/orders", "{}"));
    capture.has_checkpoints(1);
    let mut idle = capture.client();
    assert!(idle.is_closed());
    capture.acknowledge(1);
    assert_eq!(waiting.answer().published(), 1);
    assert!(waiting.is_closed(), "it asks for nothing more");
}

#[test]
fn a_body_that_stands_still_is_refused() {
    let capture = Capture::start(json!({"body_milliseconds": 200}), Acknowledge::AtOnce);
    let mut client = capture.client();
    client.send("POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{}");
    // The answer comes once the rest of the body is not waited for any longer, either.
    let answer = client.answer();
    assert_eq!(answer.status, 408);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(answer.error().contains("too slowly"));
    assert!(client.is_closed());
}

#[test]
fn a_body_that_drips_in_is_refused_for_its_rate() {
    let config = json!({"body_milliseconds": 300, "min_body_rate": 100_000});
    let capture = Capture::start(config, Acknowledge::AtOnce);
    let mut client = capture.client();
    client.send("POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n{\"a\":\"");
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && client.try_send("xx").is_ok() {
        std::thread::sleep(Duration::from_millis(10)); // It never stands still.
        client.stream().set_nonblocking(true).unwrap();
        let is_answered = client.stream().peek(&mut [0]).is_ok();
        client.stream().set_nonblocking(false).unwrap();
        if is_answered {
            break;
        }
    }
    assert_eq!(client.answer().status, 408);
}
