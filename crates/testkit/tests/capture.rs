//! What a test sees of a capture that is served in its own process.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use staunch::state::Node;
use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Resource};
use staunch_testkit::{Capture, CaptureFailure};

/// Counts to a limit, two numbers a checkpoint; in its end it does as it is told.
struct Counter {
    end: End,
    invocations: AtomicU64,
}

#[derive(Clone, Copy)]
enum End {
    Wait,
    Fail,
    WaitForAcknowledgements,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    /// How far to count.
    limit: u64,
}

impl Counter {
    fn new(end: End) -> Self {
        Self {
            end,
            invocations: AtomicU64::new(0),
        }
    }
}

impl Connector for Counter {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/counter";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        self.invocations.fetch_add(1, Ordering::Relaxed);
        let (limit, end) = (config.limit, self.end);
        let numbers = Resource::new("all numbers")
            .key(["/n"])
            .initial_state(Node::parse(r#"{"inc":{"cursor":0}}"#)?)
            .incremental(move |cursor, emit| count(limit, end, cursor, emit));
        Ok(vec![match end {
            End::WaitForAcknowledgements => numbers.acknowledged(),
            _ => numbers,
        }])
    }
}

async fn count(limit: u64, end: End, cursor: Cursor, mut emit: Changes) -> FetchResult {
    let from = cursor.as_u64().ok_or("the cursor is a number")? + 1;
    if from <= limit {
        let to = limit.min(from + 1);
        for n in from..=to {
            emit.document(&json!({ "n": n }))?;
        }
        emit.checkpoint(Cursor::integer(to)).await?;
    } else if let End::Fail = end {
        emit.document(&json!({ "n": "never committed" }))?;
        return Err("there are no more numbers".into());
    }
    Ok(())
}

fn counting(end: End, limit: u64) -> Capture<Counter> {
    Capture::new(Counter::new(end))
        .config(json!({ "limit": limit }))
        .bind("all numbers")
}

#[test]
fn a_second_run_is_a_restart_with_the_state_of_the_first() {
    let mut capture = counting(End::WaitForAcknowledgements, 5);
    let first = capture.run_until(|seen| seen.checkpoints() >= 2).unwrap();
    assert!(first.documents("all numbers").len() <= 5);
    let cursor = &capture.state()["bindingStateV1"]["all%20numbers"]["inc"]["cursor"];
    let reached = cursor.as_u64().unwrap();
    assert_eq!(first.documents("all numbers").len() as u64, reached);

    let mut again = counting(End::Wait, reached + 1).with_state(capture.state());
    let second = again.run_until(|seen| seen.checkpoints() == 1).unwrap();
    assert_eq!(
        second.documents("all numbers"),
        [json!({ "n": reached + 1 })]
    );
    assert_eq!(
        second.documents("no such resource"),
        [] as [serde_json::Value; 0]
    );
}

#[test]
fn an_error_of_the_connector_is_the_runs_and_what_was_committed_before_it_stays() {
    let mut capture = counting(End::Fail, 3);
    let failure = capture.run_until(|_| false).unwrap_err();
    assert!(
        matches!(&failure, CaptureFailure::Connector(message) if message == "there are no more numbers"),
        "{failure}"
    );
    assert_eq!(
        capture.state()["bindingStateV1"]["all%20numbers"]["inc"],
        json!({ "cursor": 3 })
    );
}

#[test]
fn a_capture_that_has_nothing_to_do_ends_by_itself() {
    let mut capture = Capture::new(Counter::new(End::Wait)).config(json!({ "limit": 1 }));
    assert_eq!(capture.run_to_end().unwrap().checkpoints(), 0);
    let failure = capture.run_until(|_| false).unwrap_err();
    assert!(matches!(failure, CaptureFailure::Ended(0)), "{failure}");
}
