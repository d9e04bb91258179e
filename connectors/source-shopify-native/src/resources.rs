//! What there is to capture, and by which functions.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use staunch::http::Client;
use staunch::state::{Node, Object};
use staunch::{BoxError, Resource};

use crate::api::{Refused, Store};
use crate::bulk::Jobs;
use crate::config::Config;
use crate::connector::Release;
use crate::fetch::{Source, beginning};
use crate::migrations::{Stores, initial};
use crate::place::Place;
use crate::streams::{FULFILLMENT_ORDERS, Grants, Kind, STREAMS, Stream};

/// How often a stream is read, and a snapshot.
const INTERVAL: Duration = Duration::from_secs(300);
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(900);

/// When disputes are read anew: they are found by when they were begun, so that what becomes of them is not seen otherwise.
const DISPUTES_SCHEDULE: &str = "55 23 * * *";

/// Stores that are asked at a time what they grant.
const AT_ONCE: usize = 40;

/// A store, and what it grants.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) store: Store,
    pub(crate) grants: Arc<Grants>,
}

/// Asks all stores what they grant.
pub(crate) async fn know(place: &Place, config: &Config) -> Result<Vec<Known>, BoxError> {
    let connections = Client::new();
    let stores = config.stores.iter();
    let stores: Vec<Store> = stores
        .map(|store| Store::new(place, &connections, store))
        .collect();
    let grants = futures::stream::iter(stores.iter().map(Store::grants));
    let grants: Vec<_> = grants.buffered(AT_ONCE).collect().await;
    let (mut known, mut problems) = (Vec::new(), Vec::new());
    for (store, grants) in stores.into_iter().zip(grants) {
        match grants {
            Ok(grants) => {
                if !grants.plan.is_known() {
                    tracing::warn!(
                        store = &*store.name,
                        plan = grants.plan.display_name,
                        "a plan that nobody here has heard of is taken for one that lets personal data be read"
                    );
                }
                let grants = Arc::new(grants);
                known.push(Known { store, grants });
            }
            Err(refused) => problems.push(refused),
        }
    }
    match problems.is_empty() {
        true => Ok(known),
        false => Err(all(problems)),
    }
}

/// Several errors as one.
fn all(problems: Vec<Refused>) -> BoxError {
    let texts = problems.iter().map(|problem| with_sources(problem));
    texts.collect::<Vec<_>>().join("; ").into()
}

/// An error with its sources.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// The streams that some store lets be read, in the order of the catalogue.
pub(crate) fn resources(
    release: Release,
    config: &Config,
    known: &[Known],
) -> Result<Vec<Resource>, BoxError> {
    let now = beginning(staunch::now());
    let shared = Arc::new(config.clone());
    let jobs = known
        .iter()
        .map(|known| Arc::new(Jobs::new(known.store.clone())));
    let jobs: Vec<Arc<Jobs>> = jobs.collect();
    let mut resources = Vec::new();
    for stream in &STREAMS {
        let with_access = known.iter().zip(&jobs);
        let with_access = with_access.filter(|(known, _)| stream.is_granted(&known.grants));
        let sources = with_access.map(|(known, jobs)| {
            Arc::new(Source {
                store: known.store.clone(),
                stream,
                jobs: Arc::clone(jobs),
                grants: Arc::clone(&known.grants),
                config: Arc::clone(&shared),
                asked: OnceLock::new(),
            })
        });
        let sources: Vec<Arc<Source>> = sources.collect();
        let is_later = release == Release::First && matches!(stream.kind, Kind::Snapshot { .. });
        if !sources.is_empty() && !is_later {
            resources.push(resource(release, stream, config, now, sources)?);
        }
    }
    Ok(resources)
}

fn resource(
    release: Release,
    stream: &'static Stream,
    config: &Config,
    now: Timestamp,
    sources: Vec<Arc<Source>>,
) -> Result<Resource, BoxError> {
    let is_snapshot = matches!(stream.kind, Kind::Snapshot { .. });
    let is_composite = config.advanced.should_use_composite_key;
    let key: &[&str] = match (is_snapshot, is_composite) {
        (true, _) => &["/_meta/store", "/_meta/row_id"],
        (false, true) => &["/_meta/store", "/id"],
        (false, false) => &["/id"],
    };
    let stores = Stores {
        configured: &[],
        of_flat_config: None,
        now,
        start_date: config.begin(now),
    };
    let state = match release {
        Release::First => initial(stream, &stores).into(),
        Release::Present => initial_of_all(stream, &stores, &sources)?,
    };
    let mut resource = Resource::new(stream.name)
        .key(key.iter().copied())
        .schema(schema(is_snapshot))
        .schema_inference(true)
        .interval(if is_snapshot {
            SNAPSHOT_INTERVAL
        } else {
            INTERVAL
        })
        .initial_state(state);
    if !is_snapshot {
        resource = resource.schedule(match stream.name {
            "disputes" => DISPUTES_SCHEDULE,
            _ => "",
        });
    }
    if stream.name == "fulfillment_orders" {
        let partly = sources.iter().filter(|source| {
            FULFILLMENT_ORDERS
                .iter()
                .any(|scope| !source.grants.scopes.contains(*scope))
        });
        let partly: Vec<String> = partly.map(|source| source.store.name.to_string()).collect();
        if !partly.is_empty() {
            resource = resource.on_open(async move |_| {
                for store in partly {
                    tracing::warn!(store, "not all scopes of fulfillment orders are granted; only those orders are captured that they are about");
                }
                Ok(())
            });
        }
    }
    for source in sources {
        let name = Arc::clone(&source.store.name);
        resource = match release {
            Release::First => flat(resource, stream.kind, source),
            Release::Present => subtask(resource, &name, stream.kind, source),
        };
    }
    Ok(resource)
}

/// The functions of the only store.
fn flat(resource: Resource, kind: Kind, source: Arc<Source>) -> Resource {
    let again = Arc::clone(&source);
    match kind {
        Kind::Bulk => {
            resource.incremental(move |cursor, emit| Arc::clone(&source).bulk(cursor, emit))
        }
        Kind::Sorted { .. } => resource
            .incremental(move |cursor, emit| Arc::clone(&source).sorted(cursor, emit))
            .backfill(move |page, cutoff, emit| {
                Arc::clone(&again).existing_sorted(page, cutoff, emit)
            }),
        Kind::Unsorted { .. } => resource
            .incremental(move |cursor, emit| Arc::clone(&source).unsorted(cursor, emit))
            .backfill(move |page, cutoff, emit| {
                Arc::clone(&again).existing_unsorted(page, cutoff, emit)
            }),
        Kind::Snapshot { .. } => resource.snapshot(move |emit| Arc::clone(&source).snapshot(emit)),
    }
}

/// The functions of a store.
fn subtask(resource: Resource, store: &str, kind: Kind, source: Arc<Source>) -> Resource {
    let again = Arc::clone(&source);
    match kind {
        Kind::Bulk => resource.incremental_subtask(store, move |cursor, emit| {
            Arc::clone(&source).bulk(cursor, emit)
        }),
        Kind::Sorted { .. } => resource
            .incremental_subtask(store, move |cursor, emit| {
                Arc::clone(&source).sorted(cursor, emit)
            })
            .backfill_subtask(store, move |page, cutoff, emit| {
                Arc::clone(&again).existing_sorted(page, cutoff, emit)
            }),
        Kind::Unsorted { .. } => resource
            .incremental_subtask(store, move |cursor, emit| {
                Arc::clone(&source).unsorted(cursor, emit)
            })
            .backfill_subtask(store, move |page, cutoff, emit| {
                Arc::clone(&again).existing_unsorted(page, cutoff, emit)
            }),
        Kind::Snapshot { .. } => {
            let mut tombstone = Map::new();
            tombstone.insert("_meta".to_owned(), json!({ "store": store }));
            resource
                .snapshot_subtask(store, move |emit| Arc::clone(&source).snapshot(emit))
                .tombstone_subtask(store, tombstone)
        }
    }
}

/// The state of a new binding: that of each store.
fn initial_of_all(
    stream: &Stream,
    stores: &Stores<'_>,
    sources: &[Arc<Source>],
) -> Result<Node, BoxError> {
    let one: Object = initial(stream, stores);
    let one: Value = serde_json::from_str(&Node::from(one).to_string())?;
    let mut state = Map::new();
    for (part, entry) in one.as_object().into_iter().flatten() {
        let entries = sources
            .iter()
            .map(|source| (source.store.name.to_string(), entry.clone()));
        state.insert(part.clone(), Value::Object(entries.collect()));
    }
    Ok(Node::parse(&Value::Object(state).to_string())?)
}

/// What is certain of every document. The rest is inferred.
fn schema(is_snapshot: bool) -> Value {
    let meta = json!({
        "type": "object",
        "title": "Meta",
        "description": "What the capture knows of the record.",
        "properties": {
            "op": {
                "type": "string",
                "title": "Op",
                "description": "What happened: c for created, u for updated, d for deleted.",
                "enum": ["c", "u", "d"],
                "default": "u",
            },
            "row_id": {
                "type": "integer",
                "title": "Row Id",
                "description": "The number of the row, or -1.",
                "default": -1,
            },
            "store": {
                "type": "string",
                "title": "Store",
                "description": "The store that the record is of.",
                "default": "",
            },
        },
    });
    let mut schema = json!({
        "type": "object",
        "properties": { "_meta": meta },
        "additionalProperties": true,
    });
    match is_snapshot {
        true => schema["title"] = "ShopifyDocument".into(),
        false => {
            schema["title"] = "ShopifyGraphQLResource".into();
            schema["required"] = json!(["id"]);
            schema["properties"]["id"] = json!({ "type": "string", "title": "Id" });
        }
    }
    schema
}
