//! Accounts of a simulated Outreach: the simulator, the connector, and a client that only asks.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use jiff::{SignedDuration, Timestamp};
use outreach_simulator::{Scenario, Simulator};
use reqwest::Url;
use serde::Deserialize;
use serde::de::IgnoredAny;
use source_outreach::{LAG, Place, SourceOutreach};
use staunch::BoxError;
use staunch_bench::usage;

/// Seconds over which the accounts were changed: a backfill reads the last thirty days.
const SPAN_SECONDS: u64 = 29 * 86_400;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [] => {
            let code = staunch::main(SourceOutreach::new(Place::from_environment()));
            usage::report();
            return code;
        }
        ["serve", count] => serve(count),
        ["fetch", url] => fetch(url),
        _ => Err("it is told `serve COUNT`, `fetch URL` or nothing".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-outreach: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says its address, and answers until it is killed.
#[tokio::main]
async fn serve(count: &str) -> Result<(), BoxError> {
    let scenario = Scenario {
        anchor: None,
        counts: [("account".to_owned(), count.parse()?)].into(),
        span_seconds: SPAN_SECONDS,
        hourly_limit: u64::MAX,
        ..Scenario::default()
    };
    let simulator = Simulator::start(scenario).await?;
    println!("{}", simulator.url());
    std::future::pending().await
}

#[derive(Deserialize)]
struct Page {
    data: Vec<IgnoredAny>,
    #[serde(default)]
    links: Option<Links>,
}

#[derive(Deserialize)]
struct Links {
    next: Option<String>,
}

/// Asks for the accounts that a backfill asks for, and does nothing with them. Writes a line for each page.
#[tokio::main(flavor = "current_thread")]
async fn fetch(url: &str) -> Result<(), BoxError> {
    let (client, cutoff) = (reqwest::Client::new(), Timestamp::now() - LAG);
    let time = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut after: Option<String> = None;
    let mut count = 0;
    loop {
        let mut url = Url::parse(&format!("{url}/api/v2/accounts"))?;
        url.query_pairs_mut()
            .append_pair("sort", "updatedAt")
            .append_pair("newFilterSyntax", "true")
            .append_pair(
                "filter[updatedAt][gte]",
                &time(cutoff - SignedDuration::from_hours(30 * 24)),
            )
            .append_pair("filter[updatedAt][lte]", &time(cutoff))
            .append_pair("provideDataConnections", "true")
            .extend_pairs(after.iter().map(|after| ("page[after]", after)))
            .append_pair("page[size]", "1000");
        let answer = client.get(url).bearer_auth("access-0").send().await?;
        let body = answer.error_for_status()?.bytes().await?;
        let page: Page = serde_json::from_slice(&body)?;
        count += page.data.len();
        println!("{count}");
        let Some(next) = page.links.and_then(|links| links.next) else {
            break;
        };
        let next = Url::parse(&next)?;
        let mut pairs = next.query_pairs();
        after = pairs.find_map(|(name, value)| (name == "page[after]").then(|| value.into_owned()));
    }
    usage::report();
    Ok(())
}
