//! A capture in simulated time.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::json;
use staunch::state::Node;
use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Resource};
use staunch_testkit::{Capture, CaptureFailure, simulate};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Emits the present, twice in each invocation.
struct Ticks;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    /// When it fails.
    #[serde(default)]
    fails_at: String,
}

impl Connector for Ticks {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/ticks";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        let fails_at = config.fails_at.clone();
        let state = json!({ "inc": { "cursor": staunch::now().to_string() } });
        Ok(vec![
            Resource::new("ticks")
                .key(["/at"])
                .interval(Duration::from_secs(300))
                .initial_state(Node::parse(&state.to_string())?)
                .acknowledged()
                .incremental(move |_, emit| tick(fails_at.clone(), emit)),
        ])
    }
}

async fn tick(fails_at: String, mut emit: Changes) -> FetchResult {
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = staunch::now();
        if now.to_string() == fails_at {
            return Err("it is time".into());
        }
        emit.document(&json!({ "at": now }))?;
        emit.checkpoint(Cursor::datetime(&now.to_string())?).await?;
    }
    Ok(())
}

fn capture(config: serde_json::Value) -> Capture<Ticks> {
    Capture::new(Ticks)
        .config(config)
        .bind_with(json!({ "name": "ticks", "interval": "PT5M" }))
        .keyed(["/at"])
}

fn noon() -> jiff::Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

#[test]
fn a_day_of_a_capture_takes_a_moment_and_every_interval_of_it_is_there() {
    let mut capture = capture(json!({}));
    let seen = simulate(noon(), async {
        let mut run = capture.start();
        run.go_on_for(23 * HOUR).await.unwrap();
        assert_eq!(staunch::now().to_string(), "2026-03-02T11:00:00Z");
        run.stop().await.unwrap()
    });
    let documents = seen.documents("ticks");
    // An interval after the cursor that was reached, and a second for each tick.
    assert_eq!(documents[0], json!({ "at": "2026-03-01T12:05:01Z" }));
    assert_eq!(documents[1], json!({ "at": "2026-03-01T12:05:02Z" }));
    assert_eq!(documents[2], json!({ "at": "2026-03-01T12:10:03Z" }));
    let ticks = (23 * 3600 - 1) / 302 * 2;
    assert!(documents.len().abs_diff(ticks) <= 2, "{}", documents.len());
    let last = &documents[documents.len() - 1]["at"];
    let state = capture.state();
    assert_eq!(
        &state["bindingStateV1"]["ticks"]["inc"]["cursor"], last,
        "{state}"
    );
}

#[test]
fn a_run_that_is_killed_leaves_what_it_committed_and_the_next_one_goes_on_there() {
    let mut capture = capture(json!({}));
    simulate(noon(), async {
        let mut run = capture.start();
        while run.seen().documents("ticks").len() < 3 {
            assert!(run.commit().await.unwrap());
        }
        let seen = run.kill();
        assert_eq!(seen.documents("ticks").len(), 3);
        let state = capture.state();
        tokio::time::sleep(HOUR).await;
        assert_eq!(capture.state(), state);
        let mut run = capture.start();
        run.go_on_for(Duration::from_secs(2)).await.unwrap();
        let seen = run.stop().await.unwrap();
        let expected = [
            json!({ "at": "2026-03-01T13:10:04Z" }),
            json!({ "at": "2026-03-01T13:10:05Z" }),
        ];
        assert_eq!(seen.documents("ticks"), expected);
    });
}

#[test]
fn a_run_whose_connector_fails_says_so_and_keeps_what_was_committed() {
    let mut capture = capture(json!({ "fails_at": "2026-03-01T12:10:04Z" }));
    simulate(noon(), async {
        let mut run = capture.start();
        let failure = run.go_on_for(HOUR).await.unwrap_err();
        assert!(
            matches!(&failure, CaptureFailure::Connector(problem) if problem.contains("it is time")),
            "{failure}"
        );
        assert_eq!(run.seen().documents("ticks").len(), 3);
        assert_eq!(staunch::now().to_string(), "2026-03-01T12:10:04Z");
    });
}
