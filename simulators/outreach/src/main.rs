//! The simulator as a program.

#![forbid(unsafe_code)]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use outreach_simulator::{Scenario, Simulator};

/// A local stand-in for the Outreach API.
///
/// It answers below /api/v2 and gives tokens at /oauth/token, as the real one is documented to, with data that depends on the seed alone.
/// The client id is `client`, its secret `client-secret`, the first access token `access-0` and the first refresh token `refresh-0`.
///
/// Control it while it runs:
///
///   curl -X POST localhost:8230/__sim/clock  -d '{"advanceSeconds": 60}'
///   curl -X POST localhost:8230/__sim/mutate -d '[{"op": "touch", "type": "account", "id": 17}]'
///   curl -X POST localhost:8230/__sim/faults -d '[{"path": "/api/v2/*", "every": 10, "action": {"bad_gateway": {}}}]'
///   curl localhost:8230/__sim/requests
///   curl 'localhost:8230/__sim/truth?type=account'
#[derive(Parser)]
#[command(version, verbatim_doc_comment)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8230")]
    listen: SocketAddr,
    /// On what all that is drawn depends.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many records of a type, as `account=1000`; 40 of each if it is not said.
    #[arg(long = "count", value_name = "TYPE=COUNT")]
    counts: Vec<String>,
    /// A scenario, as a JSON document. The other options change what it says.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Begins now and goes with the machine's clock, rather than with one that stands until it is set.
    #[arg(long)]
    real_time: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut scenario = match &arguments.scenario {
        Some(path) => {
            let read =
                fs::read(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
            serde_json::from_slice(&read)
                .with_context(|| format!("`{}` is no scenario", path.display()))?
        }
        None => Scenario {
            seed: arguments.seed,
            ..Scenario::default()
        },
    };
    for count in &arguments.counts {
        let said = count
            .split_once('=')
            .and_then(|(kind, count)| Some((kind, count.parse().ok()?)));
        let (kind, count) =
            said.with_context(|| format!("`{count}` is no count; say it as `account=1000`"))?;
        scenario = scenario.with(kind, count);
    }
    if arguments.real_time {
        scenario.anchor = None;
    }
    let simulator = Simulator::listen(scenario, arguments.listen).await?;
    println!("{}/api/v2 at {}", simulator.url(), simulator.now());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
