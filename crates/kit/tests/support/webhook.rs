//! A connector that listens, as a process, for the tests of the kit. Its endpoint config says what the listener bears.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use staunch::webhook::{Endpoint, Listener, Rule};
use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Resource};

fn main() -> ExitCode {
    staunch::main(Posted)
}

struct Posted;

#[derive(Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
struct Config {
    /// Zero for any.
    port: u16,
    max_connections: Option<usize>,
    max_requests: Option<usize>,
    max_body_bytes: Option<u64>,
    max_memory_bytes: Option<u64>,
    max_waiting_bytes: Option<u64>,
    head_milliseconds: Option<u64>,
    body_milliseconds: Option<u64>,
    min_body_rate: Option<u64>,
    acknowledgement_milliseconds: Option<u64>,
    stop_milliseconds: Option<u64>,
}

impl Connector for Posted {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/posted";

    async fn resources(&self, _: &Config) -> Result<Vec<Resource>, BoxError> {
        let posted = |name: &str| {
            let endpoint = Endpoint::new(Rule::path(format!("/{name}")));
            Resource::new(name).webhook(endpoint)
        };
        Ok(vec![posted("orders"), posted("users"), ticks()?])
    }

    fn listener(&self, config: &Config) -> Listener {
        let mut listener = Listener::default().address(([127, 0, 0, 1], config.port).into());
        let time = |milliseconds: u64| Duration::from_millis(milliseconds);
        if let Some(connections) = config.max_connections {
            listener = listener.max_connections(connections);
        }
        if let Some(requests) = config.max_requests {
            listener = listener.max_requests(requests);
        }
        if let Some(bytes) = config.max_body_bytes {
            listener = listener.max_body_bytes(bytes);
        }
        if let Some(bytes) = config.max_memory_bytes {
            listener = listener.max_memory_bytes(bytes);
        }
        if let Some(bytes) = config.max_waiting_bytes {
            listener = listener.max_waiting_bytes(bytes);
        }
        if let Some(milliseconds) = config.head_milliseconds {
            listener = listener.head_timeout(time(milliseconds));
        }
        if let Some(milliseconds) = config.body_milliseconds {
            listener = listener.body_timeout(time(milliseconds));
        }
        if let Some(rate) = config.min_body_rate {
            listener = listener.min_body_rate(rate);
        }
        if let Some(milliseconds) = config.acknowledgement_milliseconds {
            listener = listener.acknowledgement_timeout(time(milliseconds));
        }
        if let Some(milliseconds) = config.stop_milliseconds {
            listener = listener.stop_timeout(time(milliseconds));
        }
        listener
    }
}

/// Captures a number, and another one each time.
fn ticks() -> Result<Resource, BoxError> {
    let state = staunch::state::Node::parse(r#"{"inc":{"cursor":0}}"#)?;
    let fetch = |cursor: Cursor, mut emit: Changes| async move {
        let next = cursor.as_u64().ok_or("the cursor is a number")? + 1;
        emit.document(&serde_json::json!({ "tick": next }))?;
        emit.checkpoint(Cursor::integer(next)).await?;
        FetchResult::Ok(())
    };
    Ok(Resource::new("ticks")
        .key(["/tick"])
        .interval(Duration::from_millis(20))
        .initial_state(state)
        .incremental(fetch))
}
