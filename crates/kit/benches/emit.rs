//! Documents per second through the emitters, from memory to nowhere: the kit's own work, without a pipe.
//!
//! Whole processes, with a pipe and beside `cat`, are measured by the benches of `staunch-bench`.
#![allow(clippy::unwrap_used)] // A bench that cannot go on says so by failing.
#![allow(missing_docs)]
#![forbid(unsafe_code)]

use std::io::Write;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use serde_json::json;
use staunch::state::Node;
use staunch::{BoxError, Connector, FetchResult, Page, Pages, Resource};

fn main() {
    divan::main();
}

/// Documents of one capture.
const DOCUMENTS: usize = 50_000;

/// Documents from one checkpoint to the next.
const PER_CHECKPOINT: usize = 1_000;

/// A small document of about 250 bytes; a large one of about 2.5 kB.
const SIZES: [&str; 2] = ["250 B", "2.5 kB"];

#[derive(serde::Serialize)]
struct Order {
    id: u64,
    name: String,
    updated_at: String,
    active: bool,
    score: f64,
    owner: Owner,
    city: String,
    note: Option<String>,
    lines: Vec<Line>,
}

#[derive(serde::Serialize)]
struct Owner {
    id: u32,
    email: String,
}

#[derive(serde::Serialize)]
struct Line {
    sku: String,
    quantity: u64,
    price: f64,
    note: String,
}

fn records(size: &str) -> Vec<Order> {
    let lines = if size == "250 B" { 0 } else { 26 };
    let line = |n: u64| Line {
        sku: format!("sku-{n:05}"),
        quantity: n,
        price: n as f64 * 3.0 + 0.75,
        note: "beside the others on the shelf".into(),
    };
    let order = |id| Order {
        id,
        name: "Ada Lovelace of the analytical engine, and friends".into(),
        updated_at: "2026-11-22T13:04:05.123Z".into(),
        active: true,
        score: 17.25,
        owner: Owner {
            id: 42,
            email: "someone@example.com".into(),
        },
        city: "Winnipeg".into(),
        note: None,
        lines: (0..lines).map(line).collect(),
    };
    (0..PER_CHECKPOINT as u64).map(order).collect()
}

fn ready(records: &[Order]) -> Vec<Vec<u8>> {
    records
        .iter()
        .map(|record| serde_json::to_vec(record).unwrap())
        .collect()
}

#[derive(Clone, Copy)]
enum Mode {
    Raw,
    Typed,
}

struct FromMemory {
    mode: Mode,
    records: Arc<Vec<Order>>,
    ready: Arc<Vec<Vec<u8>>>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {}

impl Connector for FromMemory {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/from-memory";

    async fn resources(&self, _: &Config) -> Result<Vec<Resource>, BoxError> {
        let (mode, records, ready) = (
            self.mode,
            Arc::clone(&self.records),
            Arc::clone(&self.ready),
        );
        let state = Node::parse(r#"{"backfill":{"cutoff":1,"next_page":null}}"#)?;
        let documents = Resource::new("documents").key(["/id"]).initial_state(state);
        Ok(vec![documents.backfill(move |_, _, emit| {
            backfill(mode, Arc::clone(&records), Arc::clone(&ready), emit)
        })])
    }
}

async fn backfill(
    mode: Mode,
    records: Arc<Vec<Order>>,
    ready: Arc<Vec<Vec<u8>>>,
    mut emit: Pages,
) -> FetchResult {
    for sequence in 1..=DOCUMENTS / PER_CHECKPOINT {
        match mode {
            Mode::Raw => ready.iter().try_for_each(|document| emit.raw(document))?,
            Mode::Typed => records
                .iter()
                .try_for_each(|record| emit.document(record))?,
        }
        emit.checkpoint(Page::String(sequence.to_string())).await?;
    }
    // To return right after a checkpoint would be to say that there is another page.
    emit.document(&json!({ "id": 0 }))?;
    Ok(())
}

/// Takes everything, keeps nothing, and is not optimised away.
struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(divan::black_box(bytes).len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn requests() -> Vec<u8> {
    let open = json!({ "open": {
        "capture": {
            "name": "bench/capture",
            "connectorType": "LOCAL",
            "config": {},
            "bindings": [{
                "resourceConfig": { "name": "documents" },
                "resourcePath": ["documents"],
                "collection": { "name": "bench/documents", "writeSchema": {}, "key": ["/id"] },
                "stateKey": "documents",
            }],
            "intervalSeconds": 300,
        },
        "version": "v1",
        "state": {},
    } });
    format!("{{\"spec\":{{\"connectorType\":\"LOCAL\",\"config\":{{}}}}}}\n{open}\n").into_bytes()
}

fn emit(bencher: Bencher<'_, '_>, size: &str, mode: Mode) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let records = records(size);
    let ready = ready(&records);
    let (documents, bytes) = (DOCUMENTS, ready[0].len() * DOCUMENTS);
    let connector = FromMemory {
        mode,
        records: Arc::new(records),
        ready: Arc::new(ready),
    };
    let requests = requests();
    bencher
        .counter(ItemsCount::new(documents))
        .counter(BytesCount::new(bytes))
        .bench_local(|| {
            // Its end says that the capture is to stop; so it stays open until there is no more to do.
            let (input, mut way_in) = std::io::pipe().unwrap();
            way_in.write_all(&requests).unwrap();
            runtime
                .block_on(staunch::serve(&connector, input, Box::new(Nowhere)))
                .unwrap();
        });
}

fn floor(bencher: Bencher<'_, '_>, size: &str, append: impl Fn(&Order, &[u8], &mut Vec<u8>)) {
    let records = records(size);
    let ready = ready(&records);
    let bytes = ready[0].len() * DOCUMENTS;
    bencher
        .counter(ItemsCount::new(DOCUMENTS))
        .counter(BytesCount::new(bytes))
        .bench_local(|| {
            let mut buffer = Vec::new();
            for _ in 0..DOCUMENTS / PER_CHECKPOINT {
                buffer.clear();
                for (record, ready) in records.iter().zip(&ready) {
                    buffer.extend_from_slice(b"{\"captured\":{\"binding\":0,\"doc\":");
                    append(record, ready, &mut buffer);
                    buffer.extend_from_slice(b"}}\n");
                }
                Nowhere.write_all(&buffer).unwrap();
            }
        });
}

#[divan::bench(args = SIZES, sample_count = 30, sample_size = 1)]
fn raw(bencher: Bencher<'_, '_>, size: &str) {
    emit(bencher, size, Mode::Raw);
}

#[divan::bench(args = SIZES, sample_count = 30, sample_size = 1)]
fn raw_floor(bencher: Bencher<'_, '_>, size: &str) {
    floor(bencher, size, |_, ready, buffer| {
        buffer.extend_from_slice(ready)
    });
}

#[divan::bench(args = SIZES, sample_count = 30, sample_size = 1)]
fn document(bencher: Bencher<'_, '_>, size: &str) {
    emit(bencher, size, Mode::Typed);
}

#[divan::bench(args = SIZES, sample_count = 30, sample_size = 1)]
fn document_floor(bencher: Bencher<'_, '_>, size: &str) {
    floor(bencher, size, |record, _, buffer| {
        serde_json::to_writer(buffer, record).unwrap()
    });
}
