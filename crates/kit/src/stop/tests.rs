//! How captures stop, under paused time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Limits, Signal};
use crate::testing::{Capture, after};
use crate::{Changes, Cursor, FetchResult, Page, Pages, Resource};

const HOUR: Duration = Duration::from_secs(3600);

/// Each invocation takes so many seconds, with a checkpoint in the middle and one at the end.
fn working(name: &'static str, seconds: u64) -> Resource {
    let fetch = move |cursor: Cursor, mut emit: Changes| async move {
        let at = cursor.as_u64().unwrap();
        for next in [at + 1, at + 2] {
            after(seconds / 2).await;
            emit.document(&json!({ "id": next }))?;
            emit.checkpoint(Cursor::integer(next)).await?;
        }
        FetchResult::Ok(())
    };
    Resource::new(name)
        .key(["/id"])
        .interval(HOUR)
        .incremental(fetch)
}

/// Its function never returns.
fn parked(name: &'static str) -> Resource {
    let fetch = |_: Cursor, _: Changes| async {
        std::future::pending::<()>().await;
        FetchResult::Ok(())
    };
    Resource::new(name)
        .key(["/id"])
        .interval(HOUR)
        .incremental(fetch)
}

fn resting(name: &'static str) -> Resource {
    let fetch = |_: Cursor, _: Changes| async { FetchResult::Ok(()) };
    Resource::new(name)
        .key(["/id"])
        .interval(HOUR)
        .incremental(fetch)
}

fn inc(cursor: u64) -> Value {
    json!({"inc": {"cursor": cursor}})
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn whatever_stops_a_capture_running_invocations_finish_and_no_further_ones_begin() {
    for what in ["end of input", "signal"] {
        let states = json!({"a": inc(0), "b": inc(0)});
        let mut capture = Capture::open(states, || vec![working("a", 100), resting("b")]).await;
        after(10).await;
        match what {
            "end of input" => capture.close(),
            _ => capture.signals.send(Signal::Stop).await.unwrap(),
        }
        assert_eq!(capture.ended().await, (Ok(()), 90), "{what}");
        let expected = [json!({"a": inc(1)}), json!({"a": inc(2)})];
        assert_eq!(capture.updates(), expected, "{what}");
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_capture_stops_by_itself_after_a_day() {
    let mut capture = Capture::open(json!({"a": inc(0)}), || vec![resting("a")]).await;
    assert_eq!(capture.ended().await, (Ok(()), 24 * 3600));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_backfill_whose_last_invocation_was_running_completes_and_another_is_left_for_the_next_session()
 {
    let backfill = |page: Option<Page>, _: Cursor, mut emit: Pages| async move {
        after(60).await;
        emit.document(&json!({ "id": 1 }))?;
        match page {
            Some(Page::Integer(_)) => {}
            _ => emit.checkpoint(Page::Integer(1)).await?,
        }
        FetchResult::Ok(())
    };
    let cutoff = json!({"backfill": {"cutoff": 9}});
    let last = json!({"backfill": {"cutoff": 9, "next_page": 1}});
    let resource = move |name| Resource::new(name).key(["/id"]).backfill(backfill);
    let states = json!({"first": cutoff, "last": last});
    let mut capture =
        Capture::open(states, move || vec![resource("first"), resource("last")]).await;
    after(10).await;
    capture.close();
    assert_eq!(capture.ended().await, (Ok(()), 50));
    let mut updates = capture.updates();
    updates.sort_by_key(Value::to_string);
    assert_eq!(
        updates,
        [json!({"first": last}), json!({"last": {"backfill": null}})]
    );
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn what_does_not_finish_in_half_an_hour_is_cancelled_and_told() {
    let states = json!({"a": inc(0), "b": inc(0), "c": inc(0)});
    let mut capture = Capture::open(states, || {
        vec![parked("a"), working("b", 100), resting("c")]
    })
    .await;
    after(5).await;
    capture.close();
    let (outcome, seconds) = capture.ended().await;
    assert_eq!(
        outcome.unwrap_err(),
        "stopping took longer than 30 minutes; still running: `a` (incremental), running its function since 2026-03-01T12:00:00Z"
    );
    assert_eq!(seconds, 1800);
    assert_eq!(capture.updates().len(), 2, "the other finished meanwhile");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_second_signal_cancels_at_once() {
    let mut capture = Capture::open(json!({"a": inc(0)}), || vec![parked("a")]).await;
    for signal in [Signal::Report, Signal::Stop, Signal::Report] {
        capture.signals.send(signal).await.unwrap();
        after(7).await;
    }
    capture.signals.send(Signal::Stop).await.unwrap();
    let (outcome, seconds) = capture.ended().await;
    assert_eq!(
        outcome.unwrap_err(),
        "cancelled by a second signal; still running: `a` (incremental), running its function since 2026-03-01T12:00:00Z"
    );
    assert_eq!(seconds, 0);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn what_waits_for_acknowledgements_gets_them_after_a_signal_and_ends_without_them_after_the_input()
 {
    let resources = || vec![working("a", 2).acknowledged(), parked("b")];
    let states = json!({"a": stamped(inc(0)), "b": stamped(inc(0))});
    let mut capture = Capture::open(states.clone(), resources).await;
    after(10).await;
    assert_eq!(capture.updates(), [json!({"a": inc(1)})]);
    capture.signals.send(Signal::Stop).await.unwrap();
    after(10).await;
    capture.send(r#"{"acknowledge":{"checkpoints":1}}"#).await;
    after(10).await;
    assert_eq!(
        capture.updates(),
        [json!({"a": inc(1)}), json!({"a": inc(2)})],
        "it goes on"
    );
    capture.close();
    let (outcome, _) = capture.ended().await;
    let error = outcome.unwrap_err();
    assert!(
        error.ends_with(
            "still running: `b` (incremental), running its function since 2026-03-01T12:00:00Z"
        ),
        "{error}"
    );

    let mut capture = Capture::open(states, || vec![working("a", 2).acknowledged()]).await;
    after(10).await;
    capture.close();
    assert_eq!(capture.ended().await, (Ok(()), 0));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_function_that_fails_while_others_stop_is_not_the_captures_error() {
    let failing = |name: &'static str, seconds| {
        let fetch = move |_: Cursor, _: Changes| async move {
            after(seconds).await;
            FetchResult::Err(format!("{name} broke").into())
        };
        Resource::new(name).key(["/id"]).incremental(fetch)
    };
    let states = json!({"a": inc(0), "b": inc(0), "c": inc(0)});
    let resources = move || vec![failing("a", 20), failing("b", 10), working("c", 60)];
    let mut capture = Capture::open(states, resources).await;
    assert_eq!(capture.ended().await, (Err("b broke".into()), 60));
    assert_eq!(capture.updates().len(), 2);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn after_a_line_that_makes_no_sense_what_runs_has_ten_seconds_to_end_as_at_any_stop() {
    for (what, line, expected) in [
        ("no request", "{", "JSON"),
        (
            "another request",
            r#"{"spec":{}}"#,
            "while a capture is open",
        ),
        (
            "too many",
            r#"{"acknowledge":{"checkpoints":7}}"#,
            "with 0 pending",
        ),
    ] {
        let states = json!({"a": stamped(inc(0)), "b": stamped(inc(0)), "c": stamped(inc(0))});
        let resources = || vec![working("a", 16), parked("b"), resting("c").acknowledged()];
        let mut capture = Capture::open(states, resources).await;
        after(1).await;
        capture.send(line).await;
        let (outcome, seconds) = capture.ended().await;
        let error = outcome.unwrap_err();
        assert!(error.contains(expected), "{what}: {error}");
        assert_eq!(seconds, 10, "{what}");
        let updates = capture.updates();
        assert_eq!(
            updates,
            [json!({"a": inc(1)})],
            "{what}: what it came to by then"
        );
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_error_while_a_binding_opens_ends_the_capture_before_any_function_runs() {
    let resources = || {
        let refuse = |_: crate::Opening| async { FetchResult::Err("it is not welcome".into()) };
        vec![working("a", 0), resting("b").on_open(refuse)]
    };
    let states = json!({"a": inc(0), "b": inc(0)});
    let mut capture = Capture::open(states, resources).await;
    assert_eq!(capture.ended().await, (Err("it is not welcome".into()), 0));
    assert_eq!(capture.updates(), [] as [Value; 0]);
}

/// A state as of a binding that was open before.
fn stamped(mut state: Value) -> Value {
    state["last_initialized"] = json!("2026-01-01T00:00:00Z");
    state
}

fn subtasks(count: u64, state: impl Fn(u64) -> Value) -> Value {
    (0..count)
        .map(|n| (format!("s{n}"), state(n)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn of_ten_thousand_subtasks_forty_run_at_once_and_all_are_served() {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let served = Arc::new(Mutex::new(HashMap::<Arc<str>, u64>::new()));
    let of = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&served));
    let resources = move || {
        let (running, most, served) = of.clone();
        let fetch = move |subtask: Arc<str>, cursor: Cursor, mut emit: Changes| {
            let (running, most, served) = (running.clone(), most.clone(), served.clone());
            async move {
                let at = cursor.as_u64().unwrap();
                for next in at + 1..at + 3 {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    emit.checkpoint(Cursor::integer(next)).await?; // Others have their turn here.
                }
                *served.lock().unwrap().entry(subtask).or_default() += 1;
                FetchResult::Ok(())
            }
        };
        vec![
            Resource::new("stores")
                .key(["/id"])
                .interval(HOUR)
                .incremental_each(fetch),
        ]
    };
    let inc = subtasks(10_000, |n| json!({"cursor": n}));
    let mut capture = Capture::open(json!({"stores": {"inc": inc}}), resources).await;
    // A turn takes 100 ms. Even those with the greatest cursors come to both of their turns in two rounds of every fourth.
    after(100 * 2 * 4 * 10_000 / 40 / 1000 + 1).await;
    capture.close();
    assert_eq!(capture.ended().await.0, Ok(()));
    assert_eq!(most.load(Ordering::SeqCst), 40);
    assert_eq!(served.lock().unwrap().len(), 10_000);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn those_who_wait_for_a_slot_end_when_the_capture_is_to_stop() {
    let resources = || {
        let fetch = |_: Arc<str>, cursor: Cursor, mut emit: Changes| async move {
            after(60).await;
            emit.checkpoint(Cursor::integer(cursor.as_u64().unwrap() + 1))
                .await?;
            FetchResult::Ok(())
        };
        vec![
            Resource::new("stores")
                .key(["/id"])
                .interval(HOUR)
                .incremental_each(fetch),
        ]
    };
    let inc = subtasks(1000, |n| json!({"cursor": n}));
    let mut capture = Capture::open(json!({"stores": {"inc": inc}}), resources).await;
    after(10).await;
    capture.close();
    assert_eq!(capture.ended().await, (Ok(()), 50));
    assert_eq!(capture.updates().len(), 40);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_invocation_without_end_does_not_keep_the_others_from_running() {
    let others = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&others);
    let resources = move || {
        let count = Arc::clone(&count);
        let fetch = move |subtask: Arc<str>, cursor: Cursor, mut emit: Changes| {
            let count = Arc::clone(&count);
            async move {
                let is_endless = subtask.strip_prefix('s').unwrap().parse::<u64>()? < 40;
                for next in cursor.as_u64().unwrap() + 1.. {
                    after(1).await;
                    emit.checkpoint(Cursor::integer(next)).await?;
                    if !is_endless {
                        count.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                    if emit.is_stopping() {
                        break;
                    }
                }
                FetchResult::Ok(())
            }
        };
        vec![
            Resource::new("stores")
                .key(["/id"])
                .interval(HOUR)
                .incremental_each(fetch),
        ]
    };
    // Those without end are the most urgent, too.
    let inc = subtasks(100, |n| json!({"cursor": n * 1_000_000}));
    let mut capture = Capture::open(json!({"stores": {"inc": inc}}), resources).await;
    after(60).await;
    capture.close();
    assert_eq!(capture.ended().await.0, Ok(()));
    assert!(others.load(Ordering::SeqCst) >= 60, "{others:?}");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_thousand_subtasks_that_checkpoint_as_fast_as_they_can_share_the_output() {
    let turn = Arc::new(AtomicU64::new(0));
    // Of each subtask: its last checkpoint, and how many others came between two of its own at most.
    let gaps = Arc::new(Mutex::new(HashMap::<Arc<str>, (u64, u64)>::new()));
    let of = (Arc::clone(&turn), Arc::clone(&gaps));
    let resources = move || {
        let (turn, gaps) = of.clone();
        let fetch = move |subtask: Arc<str>, cursor: Cursor, mut emit: Changes| {
            let (turn, gaps) = (turn.clone(), gaps.clone());
            async move {
                for next in cursor.as_u64().unwrap() + 1.. {
                    emit.document(&json!({ "id": next }))?;
                    emit.checkpoint(Cursor::integer(next)).await?;
                    let now = turn.fetch_add(1, Ordering::SeqCst);
                    if now < 50_000 {
                        let mut gaps = gaps.lock().unwrap();
                        let (last, gap) = gaps.entry(subtask.clone()).or_default();
                        *gap = (now - *last).max(*gap);
                        *last = now;
                    } else {
                        after(1).await;
                        break;
                    }
                }
                FetchResult::Ok(())
            }
        };
        vec![
            Resource::new("stores")
                .key(["/id"])
                .interval(HOUR)
                .incremental_each(fetch),
        ]
    };
    let inc = subtasks(1000, |_| json!({"cursor": 0}));
    let mut capture = Capture::open(json!({"stores": {"inc": inc}}), resources).await;
    after(60).await;
    capture.close();
    assert_eq!(capture.ended().await.0, Ok(()));
    let mut longest: Vec<_> = gaps.lock().unwrap().values().map(|(_, gap)| *gap).collect();
    longest.sort_unstable();
    assert_eq!(longest.len(), 1000);
    let median = longest[longest.len() / 2];
    assert!(
        *longest.last().unwrap() <= 10 * median,
        "{median} {longest:?}"
    );
}

#[test]
fn a_capture_is_started_again_before_its_token_expires_and_not_all_the_time() {
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let restart = |rotation: Option<&str>| {
        let rotation = rotation.map(|time| time.parse().unwrap());
        let limits = Limits::USUAL.until(rotation, now);
        (limits.restart.as_secs(), limits.restart_reason)
    };
    let day = (86_400, "the capture has run for a day");
    let token = |seconds| (seconds, "the access token is about to expire");
    assert_eq!(restart(None), day);
    assert_eq!(restart(Some("2026-03-01T13:55:00Z")), token(6901));
    assert_eq!(restart(Some("2026-03-03T12:00:00Z")), day);
    assert_eq!(restart(Some("2026-03-01T12:00:10Z")), token(301));
    assert_eq!(restart(Some("2026-02-01T12:00:00Z")), token(301));
}
