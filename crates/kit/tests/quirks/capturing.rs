//! Documents, pages, cursors, acknowledgements.

use std::io::{BufRead, BufReader, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Capture, Scripted, binding, collection, docs, open, state_of, streams};
use serde_json::{Value, json};
use staunch::state::Node;
use staunch::{Changes, Cursor, Page, Pages, Resource, Rows};

const STAMP: &str = "2024-03-01T00:00:00Z";

fn stored(state_key: &str, mut state: Value) -> Value {
    state["last_initialized"] = STAMP.into();
    json!({"bindingStateV1": {state_key: state}})
}

fn rows_binding(name: &str) -> Value {
    let mut binding = binding(name);
    binding["collection"] = collection(&format!("a/{name}"), &["/_meta/row_id"]);
    binding
}

/// A snapshot that is taken once within any test.
fn snapshot<F, Fut>(fetch: F) -> Resource
where
    F: Fn(Rows) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = staunch::FetchResult> + Send + 'static,
{
    Resource::new("s")
        .key(["/_meta/row_id"])
        .interval(Duration::from_secs(3600))
        .snapshot(fetch)
}

fn checkpoints(n: usize) -> impl Fn(&[Value]) -> bool {
    move |lines| streams(lines).len() >= n
}

#[derive(serde::Serialize)]
struct Label {
    id: u8,
}

#[test]
fn quirk_01_a_snapshot_row_has_its_operation_and_number_in_meta_whatever_it_was_made_of() {
    let connector = Scripted::new(|| {
        vec![snapshot(async |mut emit: Rows| {
            emit.document(&json!({"id": 0}))?;
            emit.document(&Label { id: 1 })?;
            emit.document(&std::collections::BTreeMap::from([("id", 2)]))?;
            emit.raw(r#"{"id": 3}"#)?;
            Ok(())
        })]
    });
    let mut capture = Capture::open(connector, open(&[rows_binding("s")], json!({})));
    let lines = capture.until(checkpoints(2));
    let row = |n: u8| json!({"_meta": {"op": "c", "row_id": n}, "id": n});
    assert_eq!(docs(&lines), [row(0), row(1), row(2), row(3)]);
    capture.stop().unwrap();
}

#[test]
fn quirk_02_other_members_of_a_rows_meta_are_kept_whatever_it_was_made_of() {
    let connector = Scripted::new(|| {
        vec![snapshot(async |mut emit: Rows| {
            emit.document(&json!({"_meta": {"file": "a", "op": "x", "row_id": 9}, "id": 0}))?;
            emit.raw(r#"{"id":1,"_meta":{"file":{"of":["b"]}}}"#)?;
            Ok(())
        })]
    });
    let mut capture = Capture::open(connector, open(&[rows_binding("s")], json!({})));
    let lines = capture.until(checkpoints(2));
    let expected = [
        json!({"_meta": {"op": "c", "row_id": 0, "file": "a"}, "id": 0}),
        json!({"_meta": {"op": "c", "row_id": 1, "file": {"of": ["b"]}}, "id": 1}),
    ];
    assert_eq!(docs(&lines), expected);
    capture.stop().unwrap();
}

#[test]
fn quirk_03_a_number_that_json_cannot_have_is_an_error_and_never_null() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let connector = Scripted::new(move || {
            vec![incremental(move |_, mut emit: Changes| async move {
                let _ = emit.document(&std::collections::BTreeMap::from([("n", number)]));
                emit.checkpoint(Cursor::integer(1)).await?; // Not even if its author looks away.
                Ok(())
            })]
        });
        let capture = Capture::open(connector, open(&[binding("u")], json!({})));
        let (lines, result) = capture.join();
        assert_eq!(docs(&lines), Vec::<Value>::new());
        assert_eq!(state_of(&lines)["bindingStateV1"]["u"]["inc"]["cursor"], 0);
        assert!(result.unwrap_err().contains("JSON"), "{number}");
    }
}

#[test]
fn quirk_03_integers_of_any_size_are_captured_digit_by_digit() {
    let big = "123456789012345678901234567890";
    let connector = Scripted::new(move || {
        vec![incremental(move |cursor, mut emit: Changes| async move {
            if cursor.as_u64() == Some(0) {
                emit.document(&std::collections::BTreeMap::from([("n", u128::MAX)]))?;
                emit.raw(format!("{{\"n\":{big}}}"))?;
                emit.checkpoint(Cursor::integer(1)).await?;
            }
            Ok(())
        })]
    });
    let text = captured_text(connector, &open(&[binding("u")], json!({})));
    for digits in [u128::MAX.to_string(), big.to_owned()] {
        assert!(
            text.contains(&format!("\"doc\":{{\"n\":{digits}}}")),
            "{text}"
        );
    }
}

#[test]
fn quirk_04_a_page_is_the_same_before_and_after_a_restart() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let pages = [
        r#"{"a":{"x":1,"y":null},"b":null}"#,
        r#"{"a":{"z":null,"w":2},"c":{"d":null,"e":{"f":null}}}"#,
        r#"{"c":{"e":null}}"#,
    ];
    let object = |json: &str| Page::Object(Node::parse(json).unwrap().into_object().unwrap());
    let resource = {
        let seen = Arc::clone(&seen);
        move || {
            let seen = Arc::clone(&seen);
            let fetch = move |page: Option<Page>, _: Cursor, mut emit: Pages| {
                let mut seen = seen.lock().unwrap();
                let invocation = seen.len();
                seen.push(page.map(|page| page.to_node().to_value()));
                async move {
                    if let Some(next) = pages.get(invocation) {
                        emit.checkpoint(object(next)).await?;
                    } else {
                        std::future::pending::<()>().await;
                    }
                    Ok(())
                }
            };
            Resource::new("u")
                .key(["/id"])
                .initial_state(Node::parse(r#"{"backfill":{"cutoff":1}}"#).unwrap())
                .backfill(fetch)
        }
    };
    let connector = Scripted::new(move || vec![resource()]);
    let mut capture = Capture::open(connector, open(&[binding("u")], json!({})));
    let mut state = Node::parse("{}").unwrap();
    let mut stored = Vec::new();
    let lines = capture.until(checkpoints(1 + pages.len()));
    for (_, update) in streams(&lines) {
        let update = Node::from_value(&update);
        state = staunch::state::StateUpdate::merge(update).apply(state);
        let page = state.to_value()["bindingStateV1"]["u"]["backfill"]["next_page"].clone();
        stored.push((!page.is_null()).then_some(page));
    }
    crate::support::eventually("the last page is passed on", || {
        seen.lock().unwrap().len() == stored.len()
    });
    assert_eq!(
        *seen.lock().unwrap(),
        stored,
        "what it is told and what it would resume from"
    );
}

#[test]
fn quirk_05_a_sourced_schema_is_part_of_its_transaction_and_neither_cursor_nor_page() {
    let schema = json!({"properties": {"id": {"type": "integer"}}});
    let connector = Scripted::new(move || {
        let (of_changes, of_pages) = (schema.clone(), schema.clone());
        let resource = incremental(move |cursor, mut emit: Changes| {
            let schema = of_changes.clone();
            async move {
                if cursor.as_u64() == Some(0) {
                    emit.document(&json!({"id": 1}))?;
                    emit.sourced_schema(&schema)?;
                    emit.checkpoint(Cursor::integer(1)).await?;
                }
                Ok(())
            }
        });
        let resource = resource
            .initial_state(Node::parse(r#"{"inc":{"cursor":0},"backfill":{"cutoff":0}}"#).unwrap())
            .backfill(move |_, _, mut emit: Pages| {
                let schema = of_pages.clone();
                async move { Ok(emit.sourced_schema(&schema)?) }
            });
        vec![resource]
    });
    let mut capture = Capture::open(connector, open(&[binding("u")], json!({})));
    let lines = capture.until(checkpoints(3));
    let kinds: Vec<&str> = lines.iter().map(crate::support::kind).collect();
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == "sourcedSchema")
            .count(),
        2
    );
    let states = state_of(&lines)["bindingStateV1"]["u"].clone();
    assert_eq!(states["inc"], json!({"cursor": 1}));
    assert_eq!(states.get("backfill"), None, "it is complete: {states}");
    capture.stop().unwrap();
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
        let request = crate::support::open_with(json!({}), &[binding("u")], &state);
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
    crate::support::eventually("the next one is passed on", || {
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
    crate::support::eventually("it is invoked", || began.load(Ordering::SeqCst));
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

#[test]
fn quirk_26_two_resources_of_one_name_are_refused_wherever_they_are_asked_for() {
    let config = json!({});
    let requests = [
        json!({"discover": {"connectorType": "LOCAL", "config": config}}),
        json!({"validate": {"name": "a/capture", "connectorType": "LOCAL", "config": config, "bindings": []}}),
        open(&[binding("u")], json!({})),
    ];
    for request in requests {
        let connector = Scripted::new(|| {
            vec![
                incremental(async |_, _| Ok(())),
                incremental(async |_, _| Ok(())),
            ]
        });
        let error = Capture::run(connector, std::slice::from_ref(&request)).unwrap_err();
        assert!(
            error.contains("two resources named `u`"),
            "{request}: {error}"
        );
    }
}

/// A resource with the initial cursor 0.
fn incremental<F, Fut>(fetch: F) -> Resource
where
    F: Fn(Cursor, Changes) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = staunch::FetchResult> + Send + 'static,
{
    Resource::new("u")
        .key(["/id"])
        .initial_state(Node::parse(r#"{"inc":{"cursor":0}}"#).unwrap())
        .incremental(fetch)
}

/// The documents of a capture as text, up to the checkpoint that follows them: a value would lose digits.
fn captured_text(connector: Scripted, request: &Value) -> String {
    let (mut written, out) = std::io::pipe()
        .map(|(read, write)| (BufReader::new(read), write))
        .unwrap();
    let (input, mut requests) = std::io::pipe().unwrap();
    let served = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(staunch::serve(&connector, input, Box::new(out)))
    });
    writeln!(requests, "{request}").unwrap();
    let mut text = String::new();
    while !text.contains("\"captured\"") || !text.lines().last().unwrap().contains("\"checkpoint\"")
    {
        assert_ne!(written.read_line(&mut text).unwrap(), 0, "{text}");
    }
    drop(requests);
    served.join().unwrap().unwrap();
    text
}
