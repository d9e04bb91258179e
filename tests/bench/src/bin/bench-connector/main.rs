//! A connector of the kit that has its documents in memory, asks a server for them, or has none at all.
#![forbid(unsafe_code)]

mod fair;
mod rest;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use staunch::state::Node;
use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Page, Pages, Resource};
use staunch_bench::document::{self, Order, Size};
use staunch_bench::{DOCUMENTS_PER_CHECKPOINT, usage};

fn main() -> ExitCode {
    let code = staunch::main(FromMemory);
    usage::report();
    code
}

/// What to emit.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase", tag = "mode")]
enum Config {
    /// Documents that are bytes already.
    Raw {
        /// How many.
        documents: u64,
        /// Of which size.
        bytes: u64,
    },
    /// Documents that are records.
    Typed {
        /// How many.
        documents: u64,
        /// Of which size.
        bytes: u64,
    },
    /// No documents: bindings that find nothing.
    Idle {
        /// How many.
        bindings: u64,
        /// How many subtasks each of them has. None for a flat binding.
        #[serde(default)]
        subtasks: u64,
    },
    /// A document and a checkpoint, again and again, in each of many subtasks.
    Fair {
        /// How many.
        subtasks: usize,
        /// How many run at once.
        concurrent: usize,
        /// For how long.
        seconds: u64,
    },
    /// Documents of a server, page by page.
    Rest {
        /// Where it is.
        url: String,
        /// What becomes of a page.
        how: rest::How,
        /// Whether the pace is found out.
        is_limited: bool,
    },
    /// Documents that are bytes already, and a single checkpoint.
    Spool {
        /// How many.
        documents: u64,
        /// Of which size.
        bytes: u64,
    },
}

struct FromMemory;

impl Connector for FromMemory {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/from-memory";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        match *config {
            Config::Raw { documents, bytes } => {
                let ready = Arc::new(document::ready(Size::from_bytes(bytes)?));
                Ok(vec![documents_resource()?.backfill(
                    move |page, _, emit| raw(Arc::clone(&ready), documents, page, emit),
                )])
            }
            Config::Typed { documents, bytes } => {
                let records = Arc::new(document::records(Size::from_bytes(bytes)?));
                Ok(vec![documents_resource()?.backfill(
                    move |page, _, emit| typed(Arc::clone(&records), documents, page, emit),
                )])
            }
            Config::Idle { bindings, subtasks } => idle(bindings, subtasks),
            Config::Fair {
                subtasks, seconds, ..
            } => Ok(vec![fair::resource(subtasks, seconds)?]),
            Config::Rest {
                ref url,
                how,
                is_limited,
            } => {
                let client = rest::client(url, is_limited);
                Ok(vec![documents_resource()?.backfill(
                    move |page, _, emit| rest::capture(client.clone(), how, page, emit),
                )])
            }
            Config::Spool { documents, bytes } => {
                let ready = Arc::new(document::ready(Size::from_bytes(bytes)?));
                Ok(vec![documents_resource()?.backfill(move |_, _, emit| {
                    spool(Arc::clone(&ready), documents, emit)
                })])
            }
        }
    }

    fn concurrent_subtasks(&self, config: &Config) -> usize {
        match *config {
            Config::Fair { concurrent, .. } => concurrent,
            _ => 40,
        }
    }
}

/// Ends when its backfill is complete, and the connector with it.
fn documents_resource() -> Result<Resource, BoxError> {
    let state = Node::parse(r#"{"backfill":{"cutoff":1,"next_page":null}}"#)?;
    Ok(Resource::new("documents")
        .key(["/id"])
        .schema(document::schema())
        .initial_state(state))
}

async fn raw(
    ready: Arc<Vec<Vec<u8>>>,
    documents: u64,
    page: Option<Page>,
    mut emit: Pages,
) -> FetchResult {
    let mut next = first(page)?;
    let mut round = ready.iter().cycle();
    while next < documents {
        let end = documents.min(next + DOCUMENTS_PER_CHECKPOINT);
        for document in round.by_ref().take(usize::try_from(end - next)?) {
            emit.raw(document)?;
        }
        emit.checkpoint(Page::String(end.to_string())).await?;
        next = end;
    }
    Ok(())
}

/// Its one checkpoint is the end of the backfill.
async fn spool(ready: Arc<Vec<Vec<u8>>>, documents: u64, mut emit: Pages) -> FetchResult {
    let round = ready.iter().cycle();
    for document in round.take(usize::try_from(documents)?) {
        emit.raw(document)?;
    }
    Ok(())
}

async fn typed(
    records: Arc<Vec<Order>>,
    documents: u64,
    page: Option<Page>,
    mut emit: Pages,
) -> FetchResult {
    let mut next = first(page)?;
    let mut round = records.iter().cycle();
    while next < documents {
        let end = documents.min(next + DOCUMENTS_PER_CHECKPOINT);
        for record in round.by_ref().take(usize::try_from(end - next)?) {
            emit.document(record)?;
        }
        emit.checkpoint(Page::String(end.to_string())).await?;
        next = end;
    }
    Ok(())
}

fn first(page: Option<Page>) -> Result<u64, BoxError> {
    match page {
        None => Ok(0),
        Some(Page::String(next)) => Ok(next.parse()?),
        Some(_) => Err("a page is the number of the next document".into()),
    }
}

/// Says `ready` on standard error once every binding, or every subtask, has looked for the first time.
fn idle(bindings: u64, subtasks: u64) -> Result<Vec<Resource>, BoxError> {
    let looked = Arc::new(AtomicU64::new(0));
    let all = bindings * subtasks.max(1);
    let state = Node::parse(r#"{"inc":{"cursor":0}}"#)?;
    let resource = |n| {
        let looked = Arc::clone(&looked);
        let look = move || {
            if looked.fetch_add(1, Ordering::Relaxed) + 1 == all {
                eprintln!("ready");
            }
            async { Ok(()) }
        };
        let resource = Resource::new(format!("resource-{n:05}")).key(["/id"]);
        match subtasks {
            0 => resource
                .initial_state(state.clone())
                .incremental(move |_: Cursor, _: Changes| look()),
            _ => resource.incremental_each(move |_: Arc<str>, _: Cursor, _: Changes| look()),
        }
    };
    Ok((0..bindings).map(resource).collect())
}
