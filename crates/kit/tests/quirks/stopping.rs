//! How a capture stops.

use std::time::Duration;

use crate::support::{Capture, Scripted, binding, open};
use serde_json::json;
use staunch::{Changes, Cursor, FetchResult, Opening, Resource};

fn resource<F, Fut>(name: &str, fetch: F) -> Resource
where
    F: Fn(Cursor, Changes) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = FetchResult> + Send + 'static,
{
    let state = staunch::state::Node::parse(r#"{"inc":{"cursor":0}}"#).unwrap();
    Resource::new(name)
        .key(["/id"])
        .interval(Duration::from_secs(3600))
        .initial_state(state)
        .incremental(fetch)
}

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

async fn at_rest(_: Cursor, _: Changes) -> FetchResult {
    Ok(())
}

#[test]
fn quirk_22_closing_standard_input_ends_an_open_capture_after_what_runs_has_finished() {
    let connector = Scripted::new(|| vec![resource("slow", slow), resource("rests", at_rest)]);
    let bindings = [binding("slow"), binding("rests")];
    let mut capture = Capture::open(connector, open(&bindings, json!({})));
    let has = |cursor: u64| {
        move |lines: &[serde_json::Value]| {
            let path = "/checkpoint/state/updated/bindingStateV1/slow/inc/cursor";
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
fn quirk_23_a_line_that_is_no_request_lets_running_functions_finish_and_is_the_captures_error() {
    let connector = Scripted::new(|| vec![resource("slow", slow), resource("rests", at_rest)]);
    let bindings = [binding("slow"), binding("rests")];
    let mut capture = Capture::open(connector, open(&bindings, json!({})));
    let path = "/checkpoint/state/updated/bindingStateV1/slow/inc/cursor";
    capture.until(|lines| {
        lines
            .iter()
            .any(|line| line.pointer(path) == Some(&json!(1)))
    });
    capture.send(&"{\"acknow");
    capture.send(&"");
    let (output, outcome) = capture.join();
    assert_eq!(
        output.last().unwrap().pointer(path),
        Some(&json!(2)),
        "{output:#?}"
    );
    assert!(outcome.unwrap_err().contains("malformed request"));
}

#[test]
fn quirk_23_an_error_while_a_binding_opens_cancels_nothing_as_no_function_runs_yet() {
    let refuse = |_: Opening| async { FetchResult::Err("it is not welcome".into()) };
    let connector = Scripted::new(move || {
        vec![
            resource("slow", slow),
            resource("refused", at_rest).on_open(refuse),
        ]
    });
    let bindings = [binding("slow"), binding("refused")];
    let (output, outcome) = Capture::open(connector, open(&bindings, json!({}))).join();
    assert!(outcome.unwrap_err().contains("it is not welcome"));
    let captured = output
        .iter()
        .filter(|line| line.to_string().contains(r#""cursor":1"#));
    assert_eq!(captured.count(), 0, "{output:#?}");
}
