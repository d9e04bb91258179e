//! Whole captures in paused time.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use staunch_protocol::Codec;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::{BoxError, Changes, Connector, Cursor, Page, Pages, Resource, state::Node};

const START: &str = "2026-03-01T12:00:00Z";

/// By how much paused time may overshoot while threads that are not paused do their work.
const LATE: Duration = Duration::from_secs(1800);

/// One resource. A backfill of it takes a while.
struct Slow {
    initial: &'static str,
    backfill: Duration,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {}

impl Connector for Slow {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/slow";

    async fn resources(&self, _: &Config) -> Result<Vec<Resource>, BoxError> {
        let time = self.backfill;
        let resource = Resource::new("u")
            .key(["/id"])
            .interval(Duration::from_secs(86_400 * 365))
            .initial_state(Node::parse(self.initial)?)
            .incremental(|_: Cursor, _: Changes| async { Ok(()) })
            .backfill(move |_: Option<Page>, _: Cursor, _: Pages| async move {
                tokio::time::sleep(time).await;
                Ok(())
            });
        Ok(vec![resource])
    }
}

/// Takes what is written.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn lines(&self) -> usize {
        let written = self.0.lock().unwrap();
        written.iter().filter(|byte| **byte == b'\n').count()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the capture until it stops of itself: how long that took, and its state updates.
async fn stopped(connector: Slow, schedule: &str, state: Value) -> (Duration, Vec<Value>) {
    let setup = if state.is_null() { 2 } else { 1 };
    let open = json!({"open": {
        "capture": {"name": "a/b", "config": {}, "bindings": [
            {"resourceConfig": {"name": "u", "schedule": schedule}, "collection": {"name": "a/u", "key": ["/id"], "writeSchema": {}}, "stateKey": "u"}
        ]},
        "state": {"bindingStateV1": {"u": state}},
    }});
    let (requests, _input) = std::io::pipe().unwrap(); // Open for as long as the capture is.
    let requests = std::io::Cursor::new(format!("{open}\n")).chain(requests);
    let (began, output) = (Instant::now(), Output::default());
    let clock = Clock::Simulated(START.parse().unwrap(), began);
    let out = Box::new(output.clone());
    let serve = crate::serve::serve_with(&connector, Codec::Json, requests, out, clock);
    // Until it is open time goes by as always. From then on it is paused, and goes on to the next timer whenever nothing is ready:
    // also while the thread of the output writes, for which reason that should be near where there is more to write.
    let pause = async {
        while output.lines() < setup {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::pause();
        while !connector.backfill.is_zero() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        served = serve => served.expect("it stops gracefully"),
        () = pause => unreachable!("it never ends"),
    }
    let took = began.elapsed();
    tokio::time::resume();
    let written = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    let lines = written.lines().skip(1); // `Opened`
    let updates = lines.map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["checkpoint"]["state"]["updated"]["bindingStateV1"]["u"].clone()
    });
    (took, updates.collect())
}

fn idle() -> Slow {
    Slow {
        initial: r#"{"inc":{"cursor":10}}"#,
        backfill: Duration::ZERO,
    }
}

#[tokio::test]
async fn quirk_11_a_capture_stops_for_a_schedule_of_the_day_after_it_opened_and_then_in_any_case() {
    let state = json!({"inc": {"cursor": 7}, "last_initialized": "2026-03-01T11:00:00Z"});
    for (schedule, expected) in [
        ("2 12 * * *", Duration::from_secs(120)),
        ("59 11 2 * *", Duration::from_secs(86_400 - 60)),
        // The next session, which begins then, stops for it.
        ("0 12 4 * *", Duration::from_secs(86_400)),
    ] {
        let (took, updates) = stopped(idle(), schedule, state.clone()).await;
        assert!(took >= expected && took < expected + LATE, "{took:?}");
        assert_eq!(updates, [Value::Null; 0]);
    }
}

#[tokio::test]
async fn quirk_15_a_new_binding_with_nothing_to_backfill_stops_the_capture_for_its_schedule() {
    let (took, updates) = stopped(idle(), "2 12 * * *", Value::Null).await;
    let expected = Duration::from_secs(120);
    assert!(took >= expected && took < expected + LATE, "{took:?}");
    assert_eq!(updates.len(), 1, "{updates:?}");
    assert_eq!(updates[0]["inc"], json!({"cursor": 10}));
}

#[tokio::test]
async fn a_schedule_that_comes_round_during_a_backfill_stops_the_capture_when_that_is_complete() {
    let state = json!({"inc": {"cursor": 7}, "backfill": {"cutoff": 7, "next_page": "p"}, "last_initialized": "2026-03-01T11:00:00Z"});
    let slow = Slow {
        backfill: Duration::from_secs(3600),
        ..idle()
    };
    // It came round before the capture opened, and does again meanwhile.
    let (took, updates) = stopped(slow, "30 * * * *", state).await;
    let expected = Duration::from_secs(3600);
    assert!(took >= expected && took < expected + LATE, "{took:?}");
    assert_eq!(updates, [json!({"backfill": null})], "and nothing is begun");
}

#[tokio::test]
async fn quirk_10_a_backfill_that_completes_between_two_rounds_of_its_schedule_stops_nothing() {
    let slow = Slow {
        initial: r#"{"inc":{"cursor":10},"backfill":{"cutoff":10}}"#,
        backfill: Duration::from_secs(600),
    };
    let (took, updates) = stopped(slow, "0 * * * *", Value::Null).await;
    let expected = Duration::from_secs(3600);
    assert!(took >= expected && took < expected + LATE, "{took:?}");
    assert_eq!(updates.len(), 2, "{updates:?}");
}
