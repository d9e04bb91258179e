//! Whole captures that stop for their schedules, under paused time.

use std::time::Duration;

use serde_json::{Value, json};

use crate::testing::{Capture, after};
use crate::{Changes, Cursor, FetchResult, Page, Pages, Resource, state::Node};

const HOUR: u64 = 3600;

const DAY: u64 = 24 * HOUR;

/// A resource in which nothing ever changes. A backfill of it takes a while.
#[derive(Clone, Copy)]
struct Slow {
    initial: &'static str,
    backfill_seconds: u64,
}

const IDLE: Slow = Slow {
    initial: r#"{"inc":{"cursor":10}}"#,
    backfill_seconds: 0,
};

impl Slow {
    fn resource(self, schedule: &str) -> Resource {
        Resource::new("u")
            .key(["/id"])
            .interval(Duration::from_secs(365 * DAY))
            .schedule(schedule)
            .initial_state(Node::parse(self.initial).unwrap())
            .incremental(|_: Cursor, _: Changes| async { FetchResult::Ok(()) })
            .backfill(move |_: Option<Page>, _: Cursor, _: Pages| async move {
                after(self.backfill_seconds).await;
                FetchResult::Ok(())
            })
    }
}

/// Opens the capture at noon, and lets it run until it stops of itself: how many seconds that took, and its state updates.
async fn stopped(resource: Slow, schedule: &'static str, state: Value) -> (u64, Vec<Value>) {
    let states = json!({ "u": state });
    let mut capture = Capture::open(states, move || vec![resource.resource(schedule)]).await;
    let (outcome, took) = capture.ended().await;
    assert_eq!(outcome, Ok(()), "it stops gracefully");
    let updates = capture.all_updates().into_iter();
    (took, updates.map(|mut update| update["u"].take()).collect())
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn quirk_11_a_capture_stops_for_a_schedule_of_the_day_after_it_opened_and_then_in_any_case() {
    let state = json!({"inc": {"cursor": 7}, "last_initialized": "2026-03-01T11:00:00Z"});
    for (schedule, expected) in [
        ("2 12 * * *", 120),
        ("59 11 2 * *", DAY - 60),
        // The next session, which begins then, stops for it.
        ("0 12 4 * *", DAY),
    ] {
        let (took, updates) = stopped(IDLE, schedule, state.clone()).await;
        assert_eq!((took, updates), (expected, Vec::new()), "{schedule}");
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn quirk_15_a_new_binding_with_nothing_to_backfill_stops_the_capture_for_its_schedule() {
    let (took, updates) = stopped(IDLE, "2 12 * * *", Value::Null).await;
    assert_eq!(took, 120);
    assert_eq!(updates.len(), 1, "{updates:?}");
    assert_eq!(updates[0]["inc"], json!({"cursor": 10}));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_schedule_that_comes_round_during_a_backfill_stops_the_capture_when_that_is_complete() {
    let state = json!({"inc": {"cursor": 7}, "backfill": {"cutoff": 7, "next_page": "p"}, "last_initialized": "2026-03-01T11:00:00Z"});
    let slow = Slow {
        backfill_seconds: HOUR,
        ..IDLE
    };
    // It came round before the capture opened, and does again meanwhile.
    let (took, updates) = stopped(slow, "30 * * * *", state).await;
    assert_eq!(took, HOUR);
    assert_eq!(updates, [json!({"backfill": null})], "and nothing is begun");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn quirk_10_a_backfill_that_completes_between_two_rounds_of_its_schedule_stops_nothing() {
    let slow = Slow {
        initial: r#"{"inc":{"cursor":10},"backfill":{"cutoff":10}}"#,
        backfill_seconds: 600,
    };
    let (took, updates) = stopped(slow, "0 * * * *", Value::Null).await;
    assert_eq!(took, HOUR);
    assert_eq!(updates.len(), 2, "{updates:?}");
}
