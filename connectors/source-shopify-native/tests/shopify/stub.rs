//! Stores that answer as a test says, in real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::Path;
use axum::routing::post;
use serde_json::{Value, json};
use source_shopify_native::Place;
use source_shopify_native::streams::STREAMS;
use tokio::time::sleep;

/// How long an answer takes.
const DELAY: Duration = Duration::from_millis(5);

/// A server of such stores. It ends when it is dropped.
pub(crate) struct Stub {
    pub(crate) place: Place,
    most: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

impl Stub {
    /// One that answers what a store is asked with this `data`. What the store grants is everything.
    pub(crate) fn new(answer: impl Fn(&str, &str) -> Value + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let place = Place::at(format!(
            "http://{}/{{store}}",
            listener.local_addr().unwrap()
        ));
        let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (answer, counted) = (Arc::new(answer), Arc::clone(&most));
        let asked = async move |Path((store, _)): Path<(String, String)>, body: Json<Value>| {
            counted.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(DELAY).await;
            at_once.fetch_sub(1, Ordering::SeqCst);
            let query = body["query"].as_str().unwrap_or_default();
            let data = match query.contains("accessScopes") {
                true => about(),
                false => answer(&store, query),
            };
            Json(json!({ "data": data }))
        };
        let routes = axum::Router::new().route("/{store}/admin/{*rest}", post(asked));
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self {
            place,
            most,
            _runtime: runtime,
        }
    }

    /// How many requests were being answered at a time, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

fn about() -> Value {
    let scopes = STREAMS.iter().flat_map(|stream| stream.scopes);
    let scopes: Vec<Value> = scopes.map(|scope| json!({ "handle": scope })).collect();
    json!({
        "currentAppInstallation": { "accessScopes": scopes },
        "shop": { "plan": { "displayName": "Shopify Plus", "partnerDevelopment": false, "shopifyPlus": true } },
    })
}

/// A bulk job that results in nothing.
pub(crate) fn job(number: u64, kind: &str, status: &str) -> Value {
    json!({
        "id": format!("gid://shopify/BulkOperation/{number}"), "type": kind, "status": status, "url": null, "errorCode": null,
    })
}
