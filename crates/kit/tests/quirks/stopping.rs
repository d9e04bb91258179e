//! How a capture ends that the runtime has done with, or has said something to that makes no sense.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use staunch::{Changes, Cursor, FetchResult, Resource};

use crate::incremental;
use crate::support::{self, Capture, Scripted, binding, docs, open, state_of};

/// Takes half a second between its two checkpoints.
async fn slow(cursor: Cursor, mut emit: Changes) -> FetchResult {
    let at = cursor.as_u64().ok_or("the cursor is a number")?;
    if at == 0 {
        emit.checkpoint(Cursor::integer(1)).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        emit.document(&json!({ "id": 1 }))?;
        emit.checkpoint(Cursor::integer(2)).await?;
    }
    Ok(())
}

#[test]
fn quirk_22_closing_standard_input_ends_an_open_capture_after_what_runs_has_finished() {
    let connector = Scripted::new(|| vec![incremental(slow)]);
    let mut capture = Capture::open(connector, open(&[binding("u")], json!({})));
    let has = |cursor: u64| {
        move |lines: &[serde_json::Value]| {
            let path = "/checkpoint/state/updated/bindingStateV1/u/inc/cursor";
            lines
                .iter()
                .any(|line| line.pointer(path) == Some(&json!(cursor)))
        }
    };
    let before = capture.until(has(1));
    assert!(!has(2)(&before));
    let output = capture.stop().expect("it ends without an error");
    assert!(has(2)(&output), "{output:#?}");
}

#[test]
fn quirk_23_a_line_that_is_no_request_lets_running_invocations_finish() {
    let (began, goes_on) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(tokio::sync::Notify::new()),
    );
    let (begin, go_on) = (Arc::clone(&began), Arc::clone(&goes_on));
    let connector = Scripted::new(move || {
        let (begin, go_on) = (Arc::clone(&begin), Arc::clone(&go_on));
        vec![incremental(move |cursor: Cursor, mut emit: Changes| {
            let (begin, go_on) = (Arc::clone(&begin), Arc::clone(&go_on));
            async move {
                assert_eq!(cursor.as_u64(), Some(0), "no further invocation begins");
                begin.store(true, Ordering::SeqCst);
                go_on.notified().await;
                for id in 1..=2 {
                    emit.document(&json!({ "id": id }))?;
                    emit.checkpoint(Cursor::integer(id)).await?;
                }
                Ok(())
            }
        })]
    });
    let mut capture = Capture::open(connector, open(&[binding("u")], json!({})));
    support::eventually("it is invoked", || began.load(Ordering::SeqCst));
    capture.send(&"this is no request");
    std::thread::sleep(Duration::from_millis(200)); // Long enough for what would be cancelled to be so.
    goes_on.notify_one();
    let (lines, result) = capture.join();
    assert_eq!(docs(&lines), [json!({"id": 1}), json!({"id": 2})]);
    assert_eq!(state_of(&lines)["bindingStateV1"]["u"]["inc"]["cursor"], 2);
    assert!(result.unwrap_err().contains("malformed request"));
}

#[test]
fn quirk_23_a_binding_that_cannot_be_opened_cancels_nothing_since_nothing_has_begun() {
    let invoked = Arc::new(AtomicBool::new(false));
    let invoke = Arc::clone(&invoked);
    let connector = Scripted::new(move || {
        let invoke = Arc::clone(&invoke);
        let works = incremental(move |_, _| {
            invoke.store(true, Ordering::SeqCst);
            async { Ok(()) }
        });
        let fails = Resource::new("v")
            .key(["/id"])
            .on_open(async |_| Err("v cannot be opened".into()))
            .backfill(async |_, _, _| Ok(()));
        vec![works, fails]
    });
    let capture = Capture::open(connector, open(&[binding("u"), binding("v")], json!({})));
    let (_, result) = capture.join();
    assert!(result.unwrap_err().contains("v cannot be opened"));
    assert!(!invoked.load(Ordering::SeqCst));
}
