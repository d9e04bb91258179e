//! What requests are answered with, and when.

use std::time::Duration;

use serde_json::json;

use crate::capture::{Acknowledge, Capture, apart};
use crate::client::{Client, request, request_with};

/// How long nothing is to happen.
const QUIET: Duration = Duration::from_millis(300);

#[test]
fn a_capture_that_listens_asks_for_acknowledgements_and_answers_upon_them_and_not_before() {
    let capture = Capture::start(json!({}), Acknowledge::Asked);
    assert_eq!(capture.opened()["opened"]["explicitAcknowledgements"], true);
    let mut client = capture.client();
    client.send(request("/orders", json!({ "id": 1 })));
    capture.has_checkpoints(1);
    client.stream().set_read_timeout(Some(QUIET)).unwrap();
    assert!(client.try_answer().is_err(), "it is not durable yet");
    capture.acknowledge(1);
    client
        .stream()
        .set_read_timeout(Some(crate::capture::PATIENCE))
        .unwrap();
    assert_eq!(client.answer().published(), 1);
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.logs);
    assert_eq!(ended.runtime.checkpoints.len(), 1);
    let update = r#""updated":{},"mergePatch":true"#;
    assert!(
        ended.runtime.updates[0].contains(update),
        "{:?}",
        ended.runtime.updates
    );
    let (binding, document) = &ended.runtime.checkpoints[0][0];
    assert_eq!((*binding, &document["id"]), (0, &json!(1)));
    assert_eq!(document["_meta"]["reqPath"], "/orders");
}

#[test]
fn the_documents_of_one_request_are_one_unbroken_run_in_their_order() {
    let capture = Capture::of(
        &["users", "ticks", "orders"],
        json!({}),
        Acknowledge::AtOnce,
    );
    let mut client = capture.client();
    let body: Vec<_> = (0..500)
        .map(|n| json!({ "n": n, "line": "a\nb" }))
        .collect();
    // With line breaks between its tokens, as people write it.
    let body = serde_json::to_string_pretty(&body).unwrap();
    for _ in 0..20 {
        assert_eq!(client.post("/orders", &body).published(), 500);
    }
    assert_eq!(client.post("/users", "[]").published(), 0);
    let ended = capture.stop();
    let of_requests = ended.runtime.checkpoints.iter();
    let of_requests: Vec<_> = of_requests
        .filter(|run| run.iter().all(|(binding, _)| *binding != 1))
        .collect();
    assert_eq!(of_requests.len(), 20, "an empty array needs no checkpoint");
    for run in of_requests {
        let numbers = run
            .iter()
            .map(|(binding, document)| (*binding, document["n"].as_u64().unwrap()));
        assert!(numbers.eq((0..500).map(|n| (2, n))));
    }
    let ticks = ended
        .runtime
        .documents()
        .filter(|document| document.get("tick").is_some());
    assert!(ticks.count() > 0, "other resources are captured beside");
}

#[test]
fn what_is_posted_over_one_connection_is_captured_in_its_order_also_when_it_is_pipelined() {
    let capture = Capture::start(json!({}), Acknowledge::AtOnce);
    let mut client = capture.client();
    let requests: Vec<u8> = (0..50)
        .flat_map(|n| {
            request(
                if n % 2 == 0 { "/orders" } else { "/users" },
                json!({ "n": n }),
            )
        })
        .collect();
    client.send(requests);
    for _ in 0..50 {
        assert_eq!(client.answer().published(), 1);
    }
    let ended = capture.stop();
    let numbers = ended
        .runtime
        .documents()
        .map(|document| document["n"].as_u64().unwrap());
    assert!(numbers.eq(0..50));
}

#[test]
fn bodies_that_are_no_documents_are_refused_with_the_place_and_none_of_their_contents() {
    let capture = Capture::start(json!({}), Acknowledge::AtOnce);
    let mut client = capture.client();
    for (body, expected) in [
        ("", "the body is empty"),
        (" \n", "the body is empty"),
        (r#"{"secret-a": nope}"#, "line 1 column 15"),
        ("[{\"a\":1},\n{\"secret-b\":}]", "line 2 column 13"),
        (
            r#"{"a":1} secret"#,
            "trailing characters at line 1 column 9",
        ),
        (
            r#"[{"a":1}] secret"#,
            "trailing characters at line 1 column 11",
        ),
        (
            r#"{"a":1"#,
            "EOF while parsing an object at line 1 column 6",
        ),
        (r#"[{"a":1}"#, "EOF while parsing a list at line 1 column 8"),
        (r#""secret""#, "neither a JSON object nor an array"),
        ("12", "neither a JSON object nor an array"),
        ("secret", "expected value at line 1 column 1"),
        (
            r#"[{"a":1},"secret"]"#,
            "element 2 of the array is not a JSON object",
        ),
        (
            r#"[[{"a":1}]]"#,
            "element 1 of the array is not a JSON object",
        ),
        (r#"{"a":1e999}"#, "number out of range"),
        (r#"[{},{"a":"\ud800"}]"#, "at line 1"),
        ("{\"a\":\"\u{1}secret\"}", "control character"),
    ] {
        let answer = client.post("/orders", body);
        assert_eq!(answer.status, 400, "{body}");
        let error = answer.error();
        assert!(error.contains(expected), "{body}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let answer = client.post_with("/orders", "", b"{\"a\":\"\xff\"}");
    assert_eq!(answer.status, 400);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(
        client
            .post("/orders", deep)
            .error()
            .contains("more than 100 levels")
    );
    assert_eq!(
        client.post("/orders", json!({ "a": "fine" })).published(),
        1
    );
    assert_eq!(capture.stop().runtime.documents().count(), 1);
}

#[test]
fn nothing_of_a_request_is_captured_if_anything_of_it_is_refused() {
    let capture = Capture::start(json!({}), Acknowledge::AtOnce);
    let mut client = capture.client();
    let many = "{\"a\":1},".repeat(100_000); // More than one that is read where the connection is.
    for body in [format!("[{many}7]"), "[{},{},7]".to_owned()] {
        assert_eq!(client.post("/orders", body).status, 400);
    }
    let (unknown, known) = (
        client.post("/nobody", "[{}]"),
        client.post("/orders/", "{}").status,
    );
    assert_eq!(unknown.status, 404);
    assert!(unknown.error().contains("no endpoint"));
    assert!([200, 404].contains(&known)); // That is for the patterns to say.
    let ended = capture.stop();
    assert_eq!(ended.runtime.documents().count(), usize::from(known == 200));
}

#[test]
fn other_methods_are_told_which_there_are_and_pages_can_be_read() {
    let capture = Capture::start(json!({}), Acknowledge::AtOnce);
    let mut client = capture.client();
    let mut ask = |line: &str| {
        client.send(format!(
            "{line} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
        ));
        match line.starts_with("HEAD") {
            true => client.head_answer(),
            false => client.answer(),
        }
    };
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let answer = ask(&format!("{method} /orders"));
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.header("allow").unwrap().contains("POST"));
    }
    for (path, content_type) in [("/", "text/html"), ("/openapi.json", "application/json")] {
        let page = ask(&format!("GET {path}"));
        assert_eq!(page.status, 200);
        assert!(
            page.header("content-type")
                .unwrap()
                .starts_with(content_type)
        );
        assert!(!page.body.is_empty());
        let head = ask(&format!("HEAD {path}"));
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(
            head.header("content-length").unwrap(),
            page.body.len().to_string()
        );
        let posted = ask(&format!("POST {path}"));
        assert_eq!(posted.status, 405, "nothing is posted there");
    }
    assert_eq!(ask("GET /nobody").status, 404);
}

#[test]
fn acknowledgements_that_come_later_are_waited_for_and_those_that_never_come_are_not() {
    let late = Capture::start(json!({}), Acknowledge::After(Duration::from_millis(200)));
    assert_eq!(late.client().post("/orders", "{}").published(), 1);
    let never = Capture::start(
        json!({"acknowledgement_milliseconds": 300}),
        Acknowledge::Asked,
    );
    let answer = never.client().post("/orders", "{}");
    assert_eq!(answer.status, 503);
    assert!(
        answer
            .header("retry-after")
            .unwrap()
            .parse::<u32>()
            .unwrap()
            > 0
    );
    assert!(answer.error().contains("not known whether"), "{answer:?}");
    never.has_checkpoints(1);
    // Late as it is, it is that request's: the next one waits for its own.
    never.acknowledge(1);
    let address = never.address;
    let next = apart(move || Client::connect(address).post("/orders", "{}").status);
    never.has_checkpoints(2);
    never.acknowledge(1);
    assert_eq!(next.recv().unwrap(), 200);
}

#[test]
fn a_client_that_says_what_it_will_send_is_answered_before_it_does_if_it_is_refused() {
    let capture = Capture::start(json!({"max_body_bytes": 100}), Acknowledge::AtOnce);
    let head = |path: &str, length: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut client = capture.client();
    client.send(head("/nobody", 10));
    assert_eq!(client.answer().status, 404);
    let mut client = capture.client();
    client.send(head("/orders", 2));
    assert_eq!(client.answer().status, 100);
    client.send("{}");
    assert_eq!(client.answer().published(), 1);
}

#[test]
fn chunks_and_a_half_closed_connection_are_a_request_like_any_other() {
    let capture = Capture::start(json!({}), Acknowledge::AtOnce);
    let mut client = capture.client();
    client.send("POST /orders HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n");
    assert_eq!(client.answer().published(), 1);
    client.send(request_with("/orders", "", b"{}"));
    client.stream().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.answer().published(), 1);
    // A body that breaks off is no document, whatever it is so far.
    let mut client = capture.client();
    client.send("POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{}");
    client.stream().shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(capture.client().post("/orders", "{}").published(), 1);
    assert_eq!(capture.stop().runtime.documents().count(), 3);
}
