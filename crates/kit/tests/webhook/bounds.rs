//! What is too much.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::capture::{Acknowledge, Capture, PATIENCE};
use crate::client::{Client, request};

#[test]
fn a_body_that_is_too_large_is_refused_as_it_is_announced_and_as_it_comes() {
    let capture = Capture::start(json!({"max_body_bytes": 1000}), Acknowledge::AtOnce);
    let body = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    let mut client = capture.client();
    assert_eq!(client.post("/orders", body(1000)).published(), 1);
    let answer = client.post("/orders", body(1001));
    assert_eq!(answer.status, 413);
    assert!(answer.error().contains("more than 1000 bytes"));
    let mut client = capture.client();
    client.send("POST /orders HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = format!("800\r\n{}\r\n", "x".repeat(0x800));
    client.send(chunk + "0\r\n\r\n");
    assert_eq!(client.answer().status, 413);
    // Who sends all of it before it reads is told, too.
    let mut client = capture.client();
    assert_eq!(client.post("/orders", body(8 << 20)).status, 413);
    assert_eq!(capture.stop().runtime.documents().count(), 1);
}

#[test]
fn what_comes_to_too_much_with_its_metadata_is_refused() {
    let capture = Capture::start(json!({"max_waiting_bytes": 100_000}), Acknowledge::AtOnce);
    let mut client = capture.client();
    let many = |n: usize| format!("[{}{{}}]", "{},".repeat(n - 1));
    assert_eq!(client.post("/orders", many(100)).published(), 100);
    let answer = client.post("/orders", many(10_000)); // Of 30 kB, and of many more once each has its `_meta`.
    assert_eq!(answer.status, 413);
    assert_eq!(client.post("/orders", many(100)).published(), 100);
}

#[test]
fn too_many_requests_that_wait_are_refused_and_there_is_room_again_when_they_are_acknowledged() {
    let capture = Capture::start(json!({"max_requests": 3}), Acknowledge::Asked);
    let mut waiting: Vec<_> = (0..3).map(|_| capture.client()).collect();
    for (n, client) in waiting.iter_mut().enumerate() {
        client.send(request("/orders", json!({ "n": n })));
        capture.has_checkpoints(n + 1);
    }
    let mut client = capture.client();
    let answer = client.post("/orders", "{}");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.error().contains("too much is waiting"));
    capture.acknowledge(3);
    for waiting in &mut waiting {
        assert_eq!(waiting.answer().published(), 1);
    }
    client.send(request("/orders", "{}")); // Over the same connection.
    capture.has_checkpoints(4);
    capture.acknowledge(1);
    assert_eq!(client.answer().published(), 1);
}

#[test]
fn too_many_bytes_that_wait_are_refused() {
    let config = json!({"max_waiting_bytes": 100_000});
    let capture = Capture::start(config, Acknowledge::Asked);
    let body = json!({ "pad": "x".repeat(60_000) });
    let mut first = capture.client();
    first.send(request("/orders", &body));
    capture.has_checkpoints(1);
    let mut second = capture.client();
    assert_eq!(second.post("/orders", &body).status, 503);
    capture.acknowledge(1);
    assert_eq!(first.answer().published(), 1);
    second.send(request("/orders", &body));
    capture.has_checkpoints(2);
    capture.acknowledge(1);
    assert_eq!(second.answer().published(), 1);
}

#[test]
fn further_connections_wait_until_one_ends() {
    let capture = Capture::start(json!({"max_connections": 2}), Acknowledge::AtOnce);
    let (mut first, mut second) = (capture.client(), capture.client());
    assert_eq!(first.post("/orders", "{}").published(), 1);
    assert_eq!(second.post("/orders", "{}").published(), 1);
    let mut third = capture.client();
    third.send(request("/orders", "{}"));
    third
        .stream()
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert!(third.try_answer().is_err(), "it is not served yet");
    drop(first);
    third
        .stream()
        .set_read_timeout(Some(crate::capture::PATIENCE))
        .unwrap();
    assert_eq!(third.answer().published(), 1);
}

#[test]
fn memory_is_bounded_when_a_thousand_connections_send_huge_bodies_at_once() {
    const CONNECTIONS: usize = 1_000;
    const BODY_BYTES: usize = 64 << 20;
    const SENT_BYTES: u64 = 3 << 30;
    let config = json!({"max_memory_bytes": 128 << 20, "body_milliseconds": 5_000});
    let capture = Capture::start(config, Acknowledge::AtOnce);
    let connect = || {
        let stream = TcpStream::connect(capture.address).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    let streams: Vec<_> = (0..CONNECTIONS).map(|_| connect()).collect();
    let head = format!(
        "POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: {BODY_BYTES}\r\n\r\n{{\"a\":\""
    );
    for mut stream in &streams {
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    }
    // Each sends as much as is taken of it, in turns: all of them are in the middle of their bodies.
    let chunk = vec![b'x'; 256 << 10];
    let deadline = Instant::now() + PATIENCE;
    let mut sent = 0_u64;
    while sent < SENT_BYTES {
        assert!(
            Instant::now() < deadline,
            "only {sent} bytes were sent, which is no load"
        );
        for mut stream in &streams {
            if let Ok(bytes) = std::io::Write::write(&mut stream, &chunk) {
                sent += bytes as u64;
            }
        }
    }
    // Those who are not refused still hold what they have; a small one finds its place among them, or is told to come again.
    let mut client = capture.client();
    assert!([200, 503].contains(&client.post("/orders", "{}").status));
    let peak = peak_kib(capture.id());
    assert!(peak < 512 << 10, "{peak} KiB");
    drop(streams);
    capture.eventually("there is room again", || {
        Client::connect(capture.address)
            .post("/orders", "{}")
            .status
            == 200
    });
}

/// The most memory that the process had.
fn peak_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    peak.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn bodies_that_nobody_acknowledges_wait_in_files_and_only_so_many_of_them() {
    let config = json!({"max_waiting_bytes": 100 << 20});
    let capture = Capture::start(config, Acknowledge::Asked);
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(30 << 20));
    let posted: Vec<_> = (0..6)
        .map(|_| {
            let (address, body) = (capture.address, body.clone());
            crate::capture::apart(move || Client::connect(address).post("/orders", body).status)
        })
        .collect();
    capture.has_checkpoints(3);
    let mut refused = 0;
    capture.eventually("the others are refused", || {
        refused += posted
            .iter()
            .filter(|status| status.try_recv() == Ok(503))
            .count();
        refused == 3
    });
    capture.acknowledge(3);
    let taken = posted
        .iter()
        .filter(|status| status.recv() == Ok(200))
        .count();
    assert_eq!(taken, 3);
}
