//! A connector of very many bindings, one of which captures all the time, in two releases: what it is called says which it is.
//!
//! ```text
//! …-first     each binding has a cursor
//! …-second    a migration makes a subtask of it
//! …-panics    as the second, and it panics once it has captured a little; it writes the time of that to `panicked`
//! ```
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use staunch::state::{Chain, Node, transform};
use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Resource};

/// The subtask of the second release.
const REALTIME: &str = "realtime";

/// How often the binding that captures looks for more.
const INTERVAL: Duration = Duration::from_millis(5);

/// Documents after which the release that panics does.
const UNTIL_PANIC: u64 = 2;

fn main() -> ExitCode {
    let name = std::env::args().next().unwrap_or_default();
    let release = match name.rsplit('-').next() {
        Some("second") => Release::Second,
        Some("panics") => Release::Panics,
        _ => Release::First,
    };
    staunch::main(Many(release))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Release {
    First,
    Second,
    Panics,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    /// How many bindings there are.
    bindings: u64,
}

struct Many(Release);

impl Connector for Many {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/many";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        let state = Node::parse(r#"{"inc":{"cursor":0}}"#)?;
        let captured = Arc::new(AtomicU64::new(0));
        let release = self.0;
        let resource = |n: u64| {
            let resource = Resource::new(format!("resource-{n:05}")).key(["/id"]);
            let resource = match n {
                0 => resource.interval(INTERVAL),
                _ => resource.interval(Duration::from_secs(3600)),
            };
            let captured = Arc::clone(&captured);
            let look = move |cursor, emit| capture(n, release, Arc::clone(&captured), cursor, emit);
            match release {
                Release::First => resource.initial_state(state.clone()).incremental(look),
                _ => resource.incremental_each(move |_: Arc<str>, cursor, emit| look(cursor, emit)),
            }
        };
        Ok((0..config.bindings).map(resource).collect())
    }

    fn migrations(&self, _: &Config) -> Chain {
        match self.0 {
            Release::First => Chain::new(),
            _ => Chain::new().with(transform::flat_to_keyed(REALTIME)),
        }
    }
}

/// The next document of the first binding, with the time at which it was captured; nothing of the others.
async fn capture(
    n: u64,
    release: Release,
    captured: Arc<AtomicU64>,
    cursor: Cursor,
    mut emit: Changes,
) -> FetchResult {
    if n > 0 {
        return Ok(());
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let at = u64::try_from(now.as_millis())?;
    if release == Release::Panics && captured.fetch_add(1, Ordering::Relaxed) == UNTIL_PANIC {
        std::fs::write("panicked", at.to_string())?;
        panic!("as its name says");
    }
    let id = cursor.as_u64().ok_or("the cursor is an integer")? + 1;
    emit.document(&serde_json::json!({ "id": id, "at": at }))?;
    Ok(emit.checkpoint(Cursor::integer(id)).await?)
}
