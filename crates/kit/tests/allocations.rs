//! A document that is bytes already is copied into its spool, and nothing is allocated for it.
//!
//! Counting allocations takes an allocator of one's own, and the one that benches have counts without a line of unsafe code here,
//! but only prints what it counted. So this runs itself once more as a bench, of a single sample, and reads what that prints.
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::Command;
use std::sync::Arc;

use divan::{AllocProfiler, Bencher};
use serde_json::json;
use staunch::state::Node;
use staunch::{BoxError, Connector, FetchResult, Page, Pages, Resource};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const DOCUMENTS: usize = 1_000_000;

const PER_CHECKPOINT: usize = 1_000;

/// For a checkpoint: its patch, its message, its place in the writer's queue, and what of the spool has to grow anew.
const ALLOCATIONS_PER_CHECKPOINT: f64 = 20.0;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.any(|argument| argument == "--bench") {
        return divan::main();
    }
    let bench = Command::new(std::env::current_exe().unwrap())
        .args(["--bench", "--color", "never"])
        .output()
        .unwrap();
    let table = String::from_utf8(bench.stdout).unwrap();
    let what = "a_document_that_is_bytes_already_allocates_nothing";
    for kind in ["alloc:", "grow:"] {
        let counted = counted(&table, kind).unwrap_or_else(|| panic!("no `{kind}` in:\n{table}"));
        let per_checkpoint = counted / (DOCUMENTS / PER_CHECKPOINT) as f64;
        println!(
            "{what}: {per_checkpoint:.1} x {kind} of {PER_CHECKPOINT} documents and a checkpoint"
        );
        assert!(counted > 0.0, "nothing was counted:\n{table}");
        assert!(per_checkpoint < ALLOCATIONS_PER_CHECKPOINT, "{table}");
    }
    println!("test {what} ... ok");
}

/// The number below the line that says what was counted, as in `alloc:` and then `│  12.5  │ …`.
fn counted(table: &str, kind: &str) -> Option<f64> {
    let mut lines = table.lines();
    lines.find(|line| {
        line.split(['│', ' '])
            .filter(|word| !word.is_empty())
            .eq([kind])
    })?;
    lines
        .next()?
        .split(|c: char| c.is_whitespace() || c == '│')
        .find(|word| !word.is_empty())?
        .parse()
        .ok()
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {}

struct FromMemory(Arc<Vec<u8>>);

impl Connector for FromMemory {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/from-memory";

    async fn resources(&self, _: &Config) -> Result<Vec<Resource>, BoxError> {
        let document = Arc::clone(&self.0);
        let state = Node::parse(r#"{"backfill":{"cutoff":1,"next_page":null}}"#)?;
        let documents = Resource::new("documents").key(["/id"]).initial_state(state);
        Ok(vec![documents.backfill(move |_, _, emit| {
            backfill(Arc::clone(&document), emit)
        })])
    }
}

async fn backfill(document: Arc<Vec<u8>>, mut emit: Pages) -> FetchResult {
    for sequence in 1..=DOCUMENTS / PER_CHECKPOINT {
        for _ in 0..PER_CHECKPOINT {
            emit.raw(&*document)?;
        }
        emit.checkpoint(Page::String(sequence.to_string())).await?;
    }
    emit.raw(&*document)?; // To return right after a checkpoint would be to say that there is another page.
    Ok(())
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn raw(bencher: Bencher<'_, '_>) {
    // Of one thread, which is the one whose allocations are counted.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let connector = FromMemory(Arc::new(
        format!("{{\"id\":1,\"pad\":\"{}\"}}", "x".repeat(232)).into_bytes(),
    ));
    let open = json!({ "open": {
        "capture": {
            "name": "test/capture",
            "connectorType": "LOCAL",
            "config": {},
            "bindings": [{
                "resourceConfig": { "name": "documents" },
                "resourcePath": ["documents"],
                "collection": { "name": "test/documents", "writeSchema": {}, "key": ["/id"] },
                "stateKey": "documents",
            }],
        },
        "version": "v1",
        "state": {},
    } });
    bencher.bench_local(|| {
        // Its end says that the capture is to stop; so it stays open until there is no more to do.
        let (input, mut way_in) = std::io::pipe().unwrap();
        write!(
            way_in,
            "{{\"spec\":{{\"connectorType\":\"LOCAL\",\"config\":{{}}}}}}\n{open}\n"
        )
        .unwrap();
        runtime
            .block_on(staunch::serve(&connector, input, Box::new(std::io::sink())))
            .unwrap();
    });
}
