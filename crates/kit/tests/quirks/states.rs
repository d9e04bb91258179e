//! What a state says, and what is said of it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use staunch::{Changes, Cursor};

use crate::support::{self, Capture, Scripted, binding, open, streams};
use crate::{checkpoints, incremental};

const STAMP: &str = "2024-03-01T00:00:00Z";

fn stored(state_key: &str, mut state: Value) -> Value {
    state["last_initialized"] = STAMP.into();
    json!({"bindingStateV1": {state_key: state}})
}

#[test]
fn quirk_17_a_cursor_of_the_state_is_what_it_seems_or_refused() {
    for cursor in [
        "-1",
        "1.5",
        "1e3",
        r#""17""#,
        "true",
        r#""2024-01-01T00:00:00""#,
        "[]",
        "[true]",
    ] {
        let connector = Scripted::new(|| vec![incremental(async |_, _| Ok(()))]);
        let state = format!(
            r#"{{"bindingStateV1":{{"u":{{"inc":{{"cursor":{cursor}}},"last_initialized":"{STAMP}"}}}}}}"#
        );
        let request = support::open_with(json!({}), &[binding("u")], &state);
        let (lines, result) = Capture::open(connector, request).join();
        assert_eq!(
            lines,
            Vec::<Value>::new(),
            "nothing is said before the state is understood"
        );
        let error = result.unwrap_err();
        assert!(
            error.contains("/bindingStateV1/u/inc/cursor"),
            "{cursor}: {error}"
        );
    }
}

#[test]
fn quirk_17_a_tuple_of_integers_is_followed_by_another() {
    let connector = Scripted::new(|| {
        vec![incremental(async |cursor: Cursor, mut emit: Changes| {
            if cursor.as_json() == "[7]" {
                emit.checkpoint(Cursor::tuple([8u64])?).await?;
            }
            Ok(())
        })]
    });
    let request = open(
        &[binding("u")],
        stored("u", json!({"inc": {"cursor": [7]}})),
    );
    let mut capture = Capture::open(connector, request);
    let lines = capture.until(checkpoints(1));
    assert_eq!(
        streams(&lines)[0].1,
        json!({"bindingStateV1": {"u": {"inc": {"cursor": [8]}}}})
    );
    capture.stop().unwrap();
}

#[test]
fn quirk_18_a_timestamp_keeps_its_nanoseconds() {
    const WAS: &str = "2024-01-01T00:00:00.123456788Z";
    const NEXT: &str = "2024-01-01T00:00:00.123456789Z";
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let connector = Scripted::new(move || {
        let tell = Arc::clone(&tell);
        vec![incremental(move |cursor: Cursor, mut emit: Changes| {
            tell.lock().unwrap().push(cursor.to_string());
            async move {
                if cursor.to_string() == WAS {
                    emit.checkpoint(Cursor::datetime(NEXT)?).await?; // A nanosecond on, and that is enough.
                }
                Ok(())
            }
        })]
    });
    let request = open(
        &[binding("u")],
        stored("u", json!({"inc": {"cursor": WAS}})),
    );
    let mut capture = Capture::open(connector, request);
    let lines = capture.until(checkpoints(1));
    assert_eq!(
        streams(&lines)[0].1["bindingStateV1"]["u"]["inc"]["cursor"],
        NEXT
    );
    support::eventually("the next one is passed on", || {
        told.lock().unwrap().len() == 2
    });
    assert_eq!(*told.lock().unwrap(), [WAS, NEXT]);
    capture.stop().unwrap();
}

#[test]
fn quirk_21_an_acknowledgement_before_open_is_refused_and_says_why() {
    let connector = Scripted::new(|| vec![incremental(async |_, _| Ok(()))]);
    let error = Capture::run(connector, &[json!({"acknowledge": {"checkpoints": 1}})]).unwrap_err();
    assert!(
        error.contains("cknowledge") && error.contains("pen"),
        "{error}"
    );
}
