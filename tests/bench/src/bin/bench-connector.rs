//! A connector of the kit that has its documents in memory, or none at all.
#![forbid(unsafe_code)]

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
            Config::Idle { bindings } => idle(bindings),
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

/// Says `ready` on standard error once every binding has looked for the first time.
fn idle(bindings: u64) -> Result<Vec<Resource>, BoxError> {
    let looked = Arc::new(AtomicU64::new(0));
    let state = Node::parse(r#"{"inc":{"cursor":0}}"#)?;
    let resource = |n| {
        let looked = Arc::clone(&looked);
        let look = move |_: Cursor, _: Changes| {
            if looked.fetch_add(1, Ordering::Relaxed) + 1 == bindings {
                eprintln!("ready");
            }
            async { Ok(()) }
        };
        Resource::new(format!("resource-{n:05}"))
            .key(["/id"])
            .initial_state(state.clone())
            .incremental(look)
    };
    Ok((0..bindings).map(resource).collect())
}
