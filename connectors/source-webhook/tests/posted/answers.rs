//! What is captured of what is posted, and what is not.

use serde_json::{Value, json};

use crate::capture::Capture;
use crate::client;

fn config() -> Value {
    json!({ "endpoints": [
        { "name": "orders", "path": "/shops/{shop}/orders", "headers": [{ "name": "X-Topic", "value": "orders/create" }] },
        { "name": "refunds", "path": "/shops/{shop}/orders", "members": [{ "pointer": "/type", "value": "refund" }] },
        { "name": "others", "path": "/shops/{all...}", "hide": ["X-Inner", "visitor"] },
        { "name": "keyed", "path": "/keyed/{delivery}", "key": ["/id"], "id": { "parameter": "delivery" } },
        { "name": "put", "path": "/put", "method": "PUT", "id": { "header": "X-Delivery" } },
    ], "advanced": { "max_body_bytes": 1000 } })
}

#[test]
fn a_document_is_captured_by_the_most_specific_endpoint_and_says_how_it_came() {
    let capture = Capture::start(&config());
    let path = "/shops/a%2Fb/orders?page=2&token=hunter2&visitor=hunter2";
    let headers = [
        ("X-Topic", "orders/create"),
        ("Authorization", "Bearer hunter2"),
        ("X-Inner", "hunter2"),
        ("X-Shown", "1"),
    ];
    assert_eq!(
        capture
            .post(
                path,
                &headers,
                r#"{"n": 1.10, "_meta": {"mine": true, "op": "d"}}"#
            )
            .published(),
        1
    );
    assert_eq!(
        capture
            .post("/shops/a/orders/", &[], "{\n \"type\" : \"refund\" }")
            .published(),
        1
    );
    assert_eq!(
        capture
            .post("/shops/a/orders", &[("x-topic", "other")], "{}")
            .published(),
        1
    );
    let order = &capture.documents(0)[0];
    assert_eq!(order["n"].to_string(), "1.1");
    let meta = &order["_meta"];
    assert_eq!(meta["pathParams"], json!({ "shop": "a/b" }));
    assert_eq!(meta["query"], json!({ "page": "2" }));
    assert_eq!(meta["reqPath"], "/shops/a%2Fb/orders");
    assert_eq!(meta["mine"], true);
    assert_eq!(meta["op"], "u");
    assert_eq!(meta["headers"]["x-shown"], "1");
    assert_eq!(meta["webhookId"].as_str().unwrap().len(), 36);
    let received = meta["receivedAt"].as_str().unwrap();
    assert!(
        received.len() >= 20 && received.ends_with('Z'),
        "{received}"
    );
    assert!(!order.to_string().contains("hunter2") && !capture.logged().contains("hunter2"));
    assert_eq!(capture.documents(1)[0]["type"], "refund");
    assert_eq!(
        capture.documents(2)[0]["_meta"]["pathParams"],
        json!({ "all": "a/orders" })
    );
}

#[test]
fn the_documents_of_an_array_are_captured_all_or_none_each_by_its_own_endpoint() {
    let capture = Capture::start(&config());
    let body = r#"[{"type":"refund","n":1},{"n":2},{"type":"refund","n":3}]"#;
    assert_eq!(capture.post("/shops/a/orders", &[], body).published(), 3);
    let ids = |binding: usize| -> Vec<String> {
        let documents = capture.documents(binding);
        let id = |document: &Value| document["_meta"]["webhookId"].as_str().unwrap().to_owned();
        documents.iter().map(id).collect()
    };
    let (refunds, others) = (ids(1), ids(2));
    assert_eq!((refunds.len(), others.len()), (2, 1));
    let all: std::collections::BTreeSet<&String> = refunds.iter().chain(&others).collect();
    assert_eq!(all.len(), 3);
    assert_eq!(
        capture
            .post("/keyed/7", &[], r#"[{"id":1},{"id":null}]"#)
            .status,
        400
    );
    assert_eq!(capture.post("/shops/a", &[], "[]").published(), 0);
    assert!(capture.documents(3).is_empty());
}

#[test]
fn a_request_that_is_sent_again_has_the_same_id() {
    let capture = Capture::start(&config());
    for _ in 0..2 {
        assert_eq!(
            capture
                .post("/keyed/d-1", &[], r#"[{"id":1},{"id":2}]"#)
                .published(),
            2
        );
        let put = client::send(capture.port, "PUT", "/put", &[("x-delivery", "d-2")], "{}");
        assert_eq!(put.unwrap().published(), 1);
    }
    let ids = |binding: usize| -> Vec<Value> {
        let documents = capture.documents(binding);
        documents
            .iter()
            .map(|document| document["_meta"]["webhookId"].clone())
            .collect()
    };
    assert_eq!(ids(3), ["d-1/1", "d-1/2", "d-1/1", "d-1/2"]);
    assert_eq!(ids(4), ["d-2", "d-2"]);
}

#[test]
fn what_cannot_be_captured_is_answered_with_why_and_leaves_nothing() {
    let capture = Capture::start(&config());
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_000));
    for (method, path, body, status, expected) in [
        ("POST", "/nowhere", "{}", 404, "no endpoint has this path"),
        ("POST", "/put", "{}", 405, "method is not allowed"),
        ("DELETE", "/keyed/1", "", 405, "method is not allowed"),
        ("POST", "/keyed/1", "{}", 400, "`/id`"),
        ("POST", "/keyed/1", r#"{"id":1.5}"#, 400, "`/id`"),
        ("POST", "/shops/a", "", 400, "empty"),
        ("POST", "/shops/a", "{\"a\":\n tru}", 400, "line 2 column"),
        ("POST", "/shops/a", "7", 400, "neither a JSON object"),
        ("POST", "/shops/a", "[7]", 400, "element 1"),
        ("POST", "/shops/a", r#"{"_meta":7}"#, 400, "`_meta`"),
        ("POST", "/shops/a", &large, 413, "1000 bytes"),
    ] {
        let answer = client::send(capture.port, method, path, &[], body).unwrap();
        assert_eq!(
            answer.status, status,
            "{method} {path} {body}: {}",
            answer.body
        );
        assert!(answer.error().contains(expected), "{}", answer.body);
        if status == 405 {
            let allowed = if path == "/put" {
                "allow: put"
            } else {
                "allow: post"
            };
            assert!(answer.headers.contains(allowed), "{}", answer.headers);
        }
    }
    assert_eq!(capture.post("/shops/a", &[], "{}").published(), 1);
    assert_eq!(capture.committed.lock().unwrap().len(), 1);
}

#[test]
fn what_can_be_posted_is_told_at_the_root() {
    let capture = Capture::start(&config());
    let get = |path: &str| client::send(capture.port, "GET", path, &[], "").unwrap();
    let page = get("/");
    assert_eq!(page.status, 200);
    assert!(
        page.headers.contains("content-type: text/html")
            && page.body.contains("POST /shops/{shop}/orders")
    );
    let document = get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let operation = &document["paths"]["/shops/{shop}/orders"]["post"];
    assert_eq!(operation["summary"], "orders, refunds");
}
