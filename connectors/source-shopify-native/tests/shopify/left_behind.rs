//! Bulk jobs that are at work when a capture begins.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use source_shopify_native::SourceShopify;
use staunch_testkit::Capture;

use crate::stub::{Stub, job};
use crate::support::{capture_of, config};

#[test]
fn queries_that_have_not_ended_are_canceled_and_mutations_and_what_has_ended_are_not() {
    let jobs = [
        job(1, "QUERY", "RUNNING"),
        job(2, "MUTATION", "RUNNING"),
        job(3, "QUERY", "CREATED"),
        job(4, "QUERY", "COMPLETED"),
        job(5, "QUERY", "CANCELING"),
        job(6, "QUERY", "RUNNING"), // Gone, by the time it is to be canceled.
    ];
    let canceled = Arc::new(Mutex::new(Vec::new()));
    let has_begun = Arc::new(AtomicBool::new(false));
    let (told, begun) = (Arc::clone(&canceled), Arc::clone(&has_begun));
    let stub = Stub::new(move |_, query| {
        let number = |query: &str| -> u64 {
            let (_, id) = query.split_once("BulkOperation/").unwrap();
            id.split('"').next().unwrap().parse().unwrap()
        };
        if query.contains("bulkOperations(") {
            let edges = jobs.iter().map(|job| json!({ "node": job }));
            return json!({ "bulkOperations": { "edges": edges.collect::<Value>() } });
        }
        if query.contains("bulkOperationCancel") {
            let number = number(query);
            told.lock().unwrap().push(number);
            let job = match number {
                6 => Value::Null,
                number => job(number, "QUERY", "CANCELING"),
            };
            return json!({ "bulkOperationCancel": { "bulkOperation": job, "userErrors": [] } });
        }
        if query.contains("bulkOperationRunQuery") {
            begun.store(true, Ordering::SeqCst);
            let job = job(7, "QUERY", "COMPLETED");
            return json!({ "bulkOperationRunQuery": { "bulkOperation": job, "userErrors": [] } });
        }
        json!({ "node": job(number(query), "QUERY", "CANCELED") })
    });
    let capture = Capture::new(SourceShopify::new(stub.place.clone())).config(config(&["alpha"]));
    let mut capture = capture_of(capture, &["orders"]);
    capture
        .run_until(|seen| has_begun.load(Ordering::SeqCst) && seen.checkpoints() > 1)
        .unwrap();
    assert_eq!(*canceled.lock().unwrap(), [1, 3, 6]);
}
