//! A connector of the kit that captures a lot in one sequence, and then tells how much memory it and its runtime have needed.
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};
use staunch::state::Node;
use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Resource};

/// What there is to capture.
#[derive(Deserialize, schemars::JsonSchema)]
struct Config {
    /// How many documents of 10 kB.
    documents: u64,
}

#[derive(Serialize)]
struct Document<'a> {
    id: u64,
    text: &'a str,
}

struct Wholesale;

impl Connector for Wholesale {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/wholesale";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        let documents = config.documents;
        let state = Node::parse(r#"{"inc":{"cursor":0}}"#)?;
        let numbers = Resource::new("numbers").key(["/id"]).initial_state(state);
        Ok(vec![numbers.incremental(move |cursor, emit| {
            capture(documents, cursor, emit)
        })])
    }
}

async fn capture(documents: u64, cursor: Cursor, mut emit: Changes) -> FetchResult {
    if cursor.as_u64() == Some(documents) {
        return Ok(());
    }
    let text = "t".repeat(9_940);
    for id in 1..=documents {
        emit.document(&Document { id, text: &text })?;
    }
    emit.checkpoint(Cursor::integer(documents)).await?;
    std::fs::copy("/proc/self/status", "connector-status")?;
    Ok(())
}

fn main() -> std::process::ExitCode {
    staunch::main(Wholesale)
}
