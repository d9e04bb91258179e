//! The simulator as a program.

#![forbid(unsafe_code)]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use shopify_simulator::{Scenario, Simulator, StoreFacts};

/// A local stand-in for the GraphQL Admin API of Shopify.
///
/// A store answers below its name, as /alpha/admin/api/2026-01/graphql.json, with data that depends on the seed alone. Its token is
/// `private-alpha`, in the header X-Shopify-Access-Token; /alpha/admin/oauth/access_token gives others to the client `client` with
/// the secret `client-secret`.
///
/// Control it while it runs:
///
///   curl -X POST localhost:8240/__sim/clock  -d '{"advanceSeconds": 60}'
///   curl -X POST localhost:8240/__sim/mutate -d '[{"store": "alpha", "op": "update", "type": "Order", "id": 7}]'
///   curl -X POST localhost:8240/__sim/store  -d '{"store": "beta", "add": {}}'
///   curl -X POST localhost:8240/__sim/faults -d '[{"kind": "poll", "nth": 3, "action": {"error": {"code": "INTERNAL_SERVER_ERROR"}}}]'
///   curl localhost:8240/__sim/requests
///   curl localhost:8240/__sim/jobs
///   curl 'localhost:8240/__sim/truth?store=alpha&type=Order'
#[derive(Parser)]
#[command(version, verbatim_doc_comment)]
struct Arguments {
    /// Where to listen. Results of bulk jobs are at another port of the same host.
    #[arg(long, default_value = "127.0.0.1:8240")]
    listen: SocketAddr,
    /// On what all that is drawn depends.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A store, Plus and with all scopes; `alpha` if none is named.
    #[arg(long = "store", value_name = "NAME")]
    stores: Vec<String>,
    /// So many records of a type, as `Order=1000`; 20 of each if it is not said.
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
    if !arguments.stores.is_empty() {
        let stores = arguments.stores.iter();
        scenario.stores = stores.map(|name| StoreFacts::new(name)).collect();
    }
    for count in &arguments.counts {
        let said = count
            .split_once('=')
            .and_then(|(kind, count)| Some((kind, count.parse().ok()?)));
        let (kind, count) =
            said.with_context(|| format!("`{count}` is no count; say it as `Order=1000`"))?;
        scenario.counts.insert(kind.to_owned(), count);
    }
    if arguments.real_time {
        scenario.anchor = None;
    }
    let stores: Vec<String> = scenario
        .stores
        .iter()
        .map(|store| store.name.clone())
        .collect();
    let simulator = Simulator::listen(scenario, arguments.listen).await?;
    for store in stores {
        println!("{}/{store} at {}", simulator.url(), simulator.now());
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}
