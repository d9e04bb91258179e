//! A connector of the kit with a little of everything that passes through a codec: documents ready and serialised, sourced
//! schemas, a snapshot with its digest, and, if its config says so, a migration.
#![forbid(unsafe_code)]

use std::sync::Arc;

use serde_json::json;
use staunch::state::transform::flat_to_keyed;
use staunch::state::{Chain, Node};
use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Resource, Rows};

/// What there is to capture.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    /// How far to count.
    limit: u64,
    /// Whether the numbers' cursor is kept by subtask.
    #[serde(default)]
    keyed: bool,
}

struct Ledger;

impl Connector for Ledger {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/ledger";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        let limit = config.limit;
        let numbers = Resource::new("numbers").key(["/id"]);
        let numbers = if config.keyed {
            numbers.incremental_each(move |_: Arc<str>, cursor, emit| count(limit, cursor, emit))
        } else {
            let state = Node::parse(r#"{"inc":{"cursor":0}}"#)?;
            let numbers = numbers.initial_state(state);
            numbers.incremental(move |cursor, emit| count(limit, cursor, emit))
        };
        let labels = Resource::new("labels").key(["/_meta/row_id"]);
        Ok(vec![numbers, labels.snapshot(labels_of)])
    }

    fn migrations(&self, config: &Config) -> Chain {
        if config.keyed {
            return Chain::new().with(flat_to_keyed("main"));
        }
        Chain::new()
    }
}

/// Two documents for each cursor: of a few bytes, and of so many that their lengths take another form.
async fn count(limit: u64, cursor: Cursor, mut emit: Changes) -> FetchResult {
    let n = cursor.as_u64().ok_or("the cursor is a number")? + 1;
    if n <= limit {
        emit.sourced_schema(&json!({"type": "object", "properties": {"id": {"type": "integer"}}}))?;
        // Line breaks between tokens, which a file of lines must not have.
        emit.raw(format!(
            "{{\n  \"id\": {},\r\n  \"text\": \"a\\nb\"\n}}",
            2 * n - 1
        ))?;
        let text = "é".repeat(usize::try_from(n)?.pow(5));
        emit.document(&json!({"id": 2 * n, "text": text}))?;
        emit.checkpoint(Cursor::integer(n)).await?;
    }
    Ok(())
}

async fn labels_of(mut emit: Rows) -> FetchResult {
    for name in ["bug", "feature"] {
        emit.document(&json!({"name": name}))?;
    }
    Ok(())
}

fn main() -> std::process::ExitCode {
    staunch::main(Ledger)
}
