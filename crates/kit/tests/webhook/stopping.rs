//! How a capture that listens begins and stops.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::capture::{Acknowledge, Capture, apart};
use crate::client::{Client, request};

#[test]
fn what_was_accepted_before_a_stop_gets_its_acknowledgement_and_its_answer() {
    let capture = Capture::start(json!({}), Acknowledge::Asked);
    let (mut first, mut second, mut idle) = (capture.client(), capture.client(), capture.client());
    first.send(request("/orders", json!({ "n": 1 })));
    capture.has_checkpoints(1);
    // In the middle of its body: it is accepted, too.
    second.send("POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: 7\r\n\r\n{\"n\"");
    std::thread::sleep(Duration::from_millis(100));
    capture.signal("-TERM");
    capture.is_stopping();
    let address = capture.address;
    let answer = Client::connect(address).post("/orders", "{}");
    assert_eq!(answer.status, 503);
    assert!(answer.error().contains("stopping"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(answer.header("retry-after").is_some());
    let answer = idle.post("/orders", "{}"); // Over a connection that was there before.
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("connection"), Some("close"));
    second.send(":2}");
    capture.has_checkpoints(2);
    capture.acknowledge(2);
    assert_eq!(first.answer().published(), 1);
    assert_eq!(second.answer().published(), 1);
    let ended = capture.wait();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.logs);
    let numbers: Vec<_> = ended
        .runtime
        .documents()
        .map(|document| document["n"].clone())
        .collect();
    assert_eq!(numbers, [json!(1), json!(2)]);
    assert!(
        TcpStream::connect(address).is_err(),
        "nobody listens any more"
    );
}

#[test]
fn an_idle_capture_stops_at_once() {
    let capture = Capture::start(json!({}), Acknowledge::Asked);
    let mut idle = capture.client();
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.logs);
    assert!(idle.is_closed());
}

#[test]
fn a_stop_does_not_wait_for_ever_for_an_acknowledgement() {
    let capture = Capture::start(json!({"stop_milliseconds": 300}), Acknowledge::Asked);
    let mut client = capture.client();
    client.send(request("/orders", "{}"));
    capture.has_checkpoints(1);
    capture.signal("-TERM");
    let answer = client.answer();
    assert_eq!(answer.status, 503);
    assert!(answer.error().contains("not known whether"));
    let ended = capture.wait();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.logs);
    assert!(ended.has_logged("not acknowledged in time"));
}

#[test]
fn when_the_input_ends_nothing_is_promised_and_nothing_more_is_captured() {
    let capture = Capture::start(json!({}), Acknowledge::Asked);
    let (mut sent, mut arriving) = (capture.client(), capture.client());
    sent.send(request("/orders", "{}"));
    capture.has_checkpoints(1);
    arriving.send("POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: 7\r\n\r\n{\"n\"");
    std::thread::sleep(Duration::from_millis(100));
    capture.close();
    let answer = sent.answer();
    assert_eq!(answer.status, 503);
    assert!(answer.error().contains("not known whether"));
    let _ = arriving.try_send(":2}");
    if let Ok(answer) = arriving.try_answer() {
        assert_eq!(answer.status, 503);
    }
    let ended = capture.wait();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.logs);
    assert_eq!(ended.runtime.documents().count(), 1);
}

#[test]
fn a_runtime_that_has_gone_does_not_leave_requests_waiting() {
    let mut capture = Capture::start(json!({}), Acknowledge::Asked);
    assert!(capture.is_running());
    let mut client = capture.client();
    client.send(request("/orders", "{}"));
    capture.has_checkpoints(1);
    capture.close();
    assert_eq!(client.answer().status, 503);
    assert_eq!(capture.wait().code, Some(0));
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let capture = Capture::launch(&["orders"], json!({"port": port}), Acknowledge::AtOnce);
    let ended = capture.wait();
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.has_logged(&format!("cannot listen on `127.0.0.1:{port}`")),
        "{:#?}",
        ended.logs
    );
    assert!(ended.has_logged("configure another port"));
}

#[test]
fn another_process_listens_on_the_same_port_at_once() {
    let first = Capture::start(json!({}), Acknowledge::AtOnce);
    let port = first.address.port();
    let mut client = first.client();
    assert_eq!(client.post("/orders", "{}").published(), 1);
    assert_eq!(first.stop().code, Some(0)); // It closes the connection, and so has it in its memory for a while.
    let second = Capture::start(json!({"port": port}), Acknowledge::AtOnce);
    assert_eq!(second.client().post("/orders", "{}").published(), 1);
    let mut client = second.client();
    assert_eq!(client.post("/orders", "{}").published(), 1);
    second.kill();
    let third = Capture::start(json!({"port": port}), Acknowledge::AtOnce);
    assert_eq!(third.client().post("/orders", "{}").published(), 1);
}

#[test]
fn under_load_a_stop_leaves_no_request_without_an_answer() {
    let capture = Capture::start(json!({}), Acknowledge::After(Duration::from_millis(5)));
    let address = capture.address;
    let posting: Vec<_> = (0..8)
        .map(|of| {
            apart(move || {
                let mut client = Client::connect(address);
                let mut taken = Vec::new();
                for n in 0.. {
                    let id = format!("{of}-{n}");
                    if client
                        .try_send(request("/orders", json!({ "id": id })))
                        .is_err()
                    {
                        break;
                    }
                    match client.try_answer() {
                        Ok(answer) if answer.status == 200 => taken.push(id),
                        Ok(answer) => {
                            assert_eq!(answer.status, 503);
                            break;
                        }
                        Err(_) => break, // The connection was closed before it was sent.
                    }
                }
                taken
            })
        })
        .collect();
    capture.has_checkpoints(20);
    capture.signal("-TERM");
    let taken: Vec<String> = posting
        .into_iter()
        .flat_map(|taken| taken.recv().unwrap())
        .collect();
    let ended = capture.wait();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.logs);
    let mut captured: Vec<_> = ended
        .runtime
        .committed()
        .map(|document| document["id"].as_str().unwrap())
        .collect();
    let mut taken: Vec<_> = taken.iter().map(String::as_str).collect();
    captured.sort_unstable();
    taken.sort_unstable();
    assert_eq!(
        captured, taken,
        "what was captured was answered, and the other way about"
    );
}
