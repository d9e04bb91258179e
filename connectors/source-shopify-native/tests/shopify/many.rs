//! Many stores.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::json;
use source_shopify_native::SourceShopify;
use source_shopify_native::streams::STREAMS;
use staunch_testkit::Capture;

use crate::stub::{Stub, job};
use crate::support::{capture_of, config};

const STORES: usize = 200;

/// What the kit runs at a time.
const AT_ONCE: usize = 40;

#[test]
fn two_hundred_stores_are_read_forty_at_a_time_and_none_is_left_out() {
    // By whom what was asked for.
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let told = Arc::clone(&asked);
    let stub = Stub::new(move |store, query| {
        if query.contains("bulkOperations(") {
            return json!({ "bulkOperations": { "edges": [] } });
        }
        let is_bulk = query.contains("bulkOperationRunQuery");
        let begin = query.split_once("query: \"").filter(|_| is_bulk);
        let listing = begin.map_or(query, |(_, query)| query);
        let root = listing.split(['{', '(']).nth(1).unwrap_or_default().trim();
        let mut told = told.lock().unwrap();
        told.insert((store.to_owned(), root.to_owned()));
        let finished = job(1, "QUERY", "COMPLETED");
        let page = json!({ "edges": [], "pageInfo": { "hasNextPage": false, "endCursor": null } });
        match is_bulk {
            true => {
                json!({ "bulkOperationRunQuery": { "bulkOperation": finished, "userErrors": [] } })
            }
            false => json!({ root: page }),
        }
    });
    let names: Vec<String> = (0..STORES)
        .map(|number| format!("store-{number}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let streams: Vec<&str> = STREAMS.iter().map(|stream| stream.name).collect();
    let roots: BTreeSet<&str> = STREAMS.iter().map(|stream| stream.root).collect();
    let capture = Capture::new(SourceShopify::new(stub.place.clone())).config(config(&names));
    let mut capture = capture_of(capture, &streams);
    let all = names.len() * roots.len();
    capture
        .run_until(|_| asked.lock().unwrap().len() == all)
        .unwrap();
    let most = stub.most_at_once();
    assert!(most <= AT_ONCE, "{most} requests at once");
    assert!(most > 1, "{most} requests at once");
}
