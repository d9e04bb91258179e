//! Many stores.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use source_shopify_native::streams::STREAMS;
use source_shopify_native::{Place, SourceShopify};
use staunch_testkit::Capture;
use tokio::time::sleep;

use crate::support::{capture_of, config};

const STORES: usize = 200;

/// What the kit runs at a time.
const AT_ONCE: usize = 40;

/// Stores that have nothing, and count.
#[derive(Default)]
struct Stores {
    at_once: AtomicUsize,
    most: AtomicUsize,
    /// By whom what was asked for.
    asked: Mutex<BTreeSet<(String, String)>>,
}

async fn answer(
    State(stores): State<Arc<Stores>>,
    Path((store, _)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Json<Value> {
    let at_once = stores.at_once.fetch_add(1, Ordering::SeqCst) + 1;
    stores.most.fetch_max(at_once, Ordering::SeqCst);
    sleep(Duration::from_millis(5)).await;
    stores.at_once.fetch_sub(1, Ordering::SeqCst);
    let query = body["query"].as_str().unwrap_or_default();
    let job = json!({ "id": "gid://shopify/BulkOperation/1", "status": "COMPLETED", "type": "QUERY", "url": null, "errorCode": null });
    let data = if query.contains("accessScopes") {
        let scopes = STREAMS.iter().flat_map(|stream| stream.scopes);
        let scopes: Vec<Value> = scopes.map(|scope| json!({ "handle": scope })).collect();
        json!({
            "currentAppInstallation": { "accessScopes": scopes },
            "shop": { "plan": { "displayName": "Shopify Plus", "partnerDevelopment": false, "shopifyPlus": true } },
        })
    } else if query.contains("bulkOperations(") {
        json!({ "bulkOperations": { "edges": [] } })
    } else {
        let begin = query
            .split_once("query: \"")
            .filter(|_| query.contains("bulkOperationRunQuery"));
        let root = begin.map_or(query, |(_, query)| query);
        let root = root.split(['{', '(']).nth(1).unwrap_or_default().trim();
        let mut asked = stores.asked.lock().unwrap();
        asked.insert((store, root.to_owned()));
        match begin {
            Some(_) => {
                json!({ "bulkOperationRunQuery": { "bulkOperation": job, "userErrors": [] } })
            }
            None => {
                json!({ root: { "edges": [], "pageInfo": { "hasNextPage": false, "endCursor": null } } })
            }
        }
    };
    Json(json!({ "data": data }))
}

#[test]
fn two_hundred_stores_are_read_forty_at_a_time_and_none_is_left_out() {
    let stores = Arc::new(Stores::default());
    let server = tokio::runtime::Runtime::new().unwrap();
    let listener = server.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
    let listener = listener.unwrap();
    let place = Place::at(format!(
        "http://{}/{{store}}",
        listener.local_addr().unwrap()
    ));
    let routes = axum::Router::new()
        .route("/{store}/admin/{*rest}", axum::routing::post(answer))
        .with_state(Arc::clone(&stores));
    server.spawn(async move { axum::serve(listener, routes).await });

    let names: Vec<String> = (0..STORES)
        .map(|number| format!("store-{number}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let streams: Vec<&str> = STREAMS.iter().map(|stream| stream.name).collect();
    let roots: BTreeSet<&str> = STREAMS.iter().map(|stream| stream.root).collect();
    let capture = Capture::new(SourceShopify::new(place)).config(config(&names));
    let mut capture = capture_of(capture, &streams);
    let is_all = |asked: &BTreeSet<_>| asked.len() == names.len() * roots.len();
    capture
        .run_until(|_| is_all(&stores.asked.lock().unwrap()))
        .unwrap();
    let most = stores.most.load(Ordering::SeqCst);
    assert!(most <= AT_ONCE, "{most} requests at once");
    assert!(most > 1, "{most} requests at once");
}
