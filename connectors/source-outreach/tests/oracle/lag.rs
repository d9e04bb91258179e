//! How long a change takes to be captured.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use outreach_simulator::{Random, Scenario, Simulator};
use serde_json::json;
use source_outreach::{Place, SourceOutreach};
use staunch_testkit::{Capture, simulate};

use crate::story::{BEGIN, config};

/// How often a binding is looked at that is configured as discovery proposes.
const INTERVAL: &str = "PT5M";

/// What may come on top of that.
const LAG: SignedDuration = SignedDuration::from_secs(10);

#[test]
fn a_change_is_captured_within_ten_seconds_after_its_interval() {
    let lags = simulate(BEGIN.parse().unwrap(), async {
        let scenario = Scenario {
            is_moving: true,
            anchor: Some(BEGIN.to_owned()),
            token_seconds: 365 * 24 * 3600,
            ..Scenario::default()
        };
        let simulator = Simulator::start(scenario).await.unwrap();
        let mut capture = Capture::new(SourceOutreach::new(Place::default().at(simulator.url())))
            .config(config("P1D"))
            .bind_with(json!({ "name": "accounts", "interval": INTERVAL }))
            .keyed(["/id"]);
        let mut run = capture.start();
        // What was there at the beginning is a backfill's, and the last six hours before it are `realtime`'s at once.
        run.go_on_for(Duration::from_secs(60)).await.unwrap();
        let mut random = Random::new(1);
        let mut lags = Vec::new();
        let mut looked_at = run.seen().documents("accounts").len();
        for _ in 0..400 {
            let mutation =
                json!([{ "op": "touch", "type": "account", "id": 1 + random.below(40) }]);
            simulator.control("POST", "mutate", &mutation).unwrap();
            let until = tokio::time::Instant::now() + Duration::from_millis(random.below(60_000));
            while let Ok(went) = tokio::time::timeout_at(until, run.commit()).await {
                assert!(went.unwrap());
                let now = staunch::now();
                let documents = run.seen().documents("accounts");
                for document in &documents[looked_at..] {
                    let at: Timestamp = document["attributes"]["updatedAt"]
                        .as_str()
                        .unwrap()
                        .parse()
                        .unwrap();
                    lags.push(now.duration_since(at));
                }
                looked_at = documents.len();
            }
        }
        lags
    });
    assert!(lags.len() > 300, "{} changes were captured", lags.len());
    let longest = lags.iter().max().unwrap();
    let interval = SignedDuration::from_secs(300);
    assert!(*longest < interval + LAG, "{longest:#}");
}
