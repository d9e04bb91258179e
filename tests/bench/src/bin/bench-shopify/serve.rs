//! As many stores as are asked for. Each grants everything, has finished a bulk job as soon as it was begun, and has nothing that a page
//! would show.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use source_shopify_native::streams::STREAMS;
use staunch::BoxError;
use staunch_bench::rows;
use tokio::net::TcpListener;

/// Which stream has rows.
pub(crate) const STREAM: &str = "orders";

/// Bytes of rows that are made. Longer results have them again and again.
const BLOCK_BYTES: usize = 16 << 20;

/// Bytes that are handed to a connection at a time.
const CHUNK_BYTES: usize = 256 << 10;

struct Stores {
    /// Where the results are.
    result: String,
    block: Bytes,
    /// How often it is repeated.
    blocks: usize,
    /// What a store is and grants.
    about: Value,
    /// Requests that are being answered, and the most that ever were.
    at_once: AtomicUsize,
    most: AtomicUsize,
}

/// Says its address, and answers until it is killed. A bulk job for orders results in about so many bytes, all others in nothing.
#[tokio::main]
pub(crate) async fn run(bytes: &str) -> Result<(), BoxError> {
    let bytes: usize = bytes.parse()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let block = Bytes::from(rows::orders(BLOCK_BYTES.min(bytes)));
    let scopes = STREAMS.iter().flat_map(|stream| stream.scopes);
    let scopes: BTreeSet<&&str> = scopes.collect();
    let scopes = scopes.into_iter().map(|scope| json!({ "handle": scope }));
    let stores = Arc::new(Stores {
        result: format!("{address}/result"),
        blocks: bytes / block.len().max(1),
        block,
        about: json!({
            "currentAppInstallation": { "accessScopes": scopes.collect::<Value>() },
            "shop": { "plan": { "displayName": "Shopify Plus", "partnerDevelopment": false, "shopifyPlus": true } },
        }),
        at_once: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    println!("{address}");
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let stores = Arc::clone(&stores);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&stores, request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(
    stores: &Stores,
    request: Request<Incoming>,
) -> Result<Response<Body>, hyper::Error> {
    let body = match request.uri().path() {
        "/result" => stores.result(),
        "/most" => {
            let most = stores.most.swap(0, Ordering::SeqCst);
            Full::new(most.to_string().into()).boxed()
        }
        _ => {
            let at_once = stores.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            stores.most.fetch_max(at_once, Ordering::SeqCst);
            let asked = request.into_body().collect().await;
            // Others come meanwhile.
            tokio::task::yield_now().await;
            stores.at_once.fetch_sub(1, Ordering::SeqCst);
            let asked = String::from_utf8_lossy(&asked?.to_bytes()).into_owned();
            Full::new(stores.told(&asked).to_string().into()).boxed()
        }
    };
    Ok(Response::new(body))
}

impl Stores {
    fn bytes(&self) -> usize {
        self.blocks * self.block.len()
    }

    fn result(&self) -> Body {
        let block = self.block.clone();
        let chunks = block.len().div_ceil(CHUNK_BYTES);
        let chunks = (0..self.blocks * chunks).map(move |nth| {
            let begin = nth % chunks * CHUNK_BYTES;
            let end = block.len().min(begin + CHUNK_BYTES);
            Ok(Frame::data(block.slice(begin..end)))
        });
        BodyExt::boxed(StreamBody::new(stream::iter(chunks)))
    }

    /// The answer to a query.
    fn told(&self, asked: &str) -> Value {
        let job = || {
            json!({
                "id": "gid://shopify/BulkOperation/1", "status": "COMPLETED", "type": "QUERY", "errorCode": null,
                "url": null, "fileSize": null,
            })
        };
        let data = if asked.contains("accessScopes") {
            self.about.clone()
        } else if asked.contains("bulkOperationRunQuery") {
            let mut job = job();
            // Metafields and other streams ask for orders as well, but not for their line items' taxes.
            if asked.contains("taxLines") && self.blocks > 0 {
                job["url"] = self.result.as_str().into();
                job["fileSize"] = self.bytes().to_string().into();
            }
            json!({ "bulkOperationRunQuery": { "bulkOperation": job, "userErrors": [] } })
        } else if asked.contains("bulkOperations(") {
            json!({ "bulkOperations": { "edges": [] } })
        } else {
            // {"query":"{ markets(…
            let root = asked.split(['{', '(']).nth(2).unwrap_or_default().trim();
            let page =
                json!({ "edges": [], "pageInfo": { "hasNextPage": false, "endCursor": null } });
            json!({ root: page })
        };
        json!({ "data": data })
    }
}
