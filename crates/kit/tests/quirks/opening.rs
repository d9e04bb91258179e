//! Opening a capture: what its state says, what was asked of it, and what its schedule did meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use staunch::state::{Node, StateUpdate};
use staunch::{Changes, Cursor, FetchResult, Page, Pages, Resource};

use crate::support::{Capture, Scripted, binding, collection, docs, kind, open, streams};

/// A schedule that came round since every stamp in these tests, and does not while they run.
fn missed() -> String {
    // The first of January, or if it is that today, of July.
    match jiff::Timestamp::now().to_string().get(5..10) {
        Some("01-01") => "0 0 1 7 *".to_owned(),
        _ => "0 0 1 1 *".to_owned(),
    }
}

const LONG_AGO: &str = "2020-02-03T04:05:06Z";
const INITIAL: &str = "2026-01-01T00:00:00Z";

/// A resource whose functions echo what they are given. The backfill has two pages.
fn echoing(initial: Value) -> Scripted {
    let initial = Node::from_value(&initial);
    Scripted::new(move || {
        vec![
            Resource::new("u")
                .key(["/id"])
                .interval(Duration::from_secs(3600))
                .initial_state(initial.clone())
                .incremental(|_: Cursor, _: Changes| async { Ok(()) })
                .backfill(page),
        ]
    })
}

async fn page(page: Option<Page>, cutoff: Cursor, mut emit: Pages) -> FetchResult {
    let by_connector = emit.is_connector_initiated();
    let at = page.as_ref().map(|page| page.to_node().to_value());
    let cutoff: Value = serde_json::from_str(cutoff.as_json())?;
    emit.document(&json!({"id": "b", "page": at, "cutoff": cutoff, "by_connector": by_connector}))?;
    if page.is_none() {
        emit.checkpoint(Page::String("p1".into())).await?;
    }
    Ok(())
}

fn flat(cursor: Value) -> Value {
    json!({"inc": {"cursor": cursor.clone()}, "backfill": {"cutoff": cursor}})
}

fn scheduled(schedule: &str) -> Value {
    let mut binding = binding("u");
    binding["resourceConfig"]["schedule"] = json!(schedule);
    binding
}

fn of_u(state: Value) -> Value {
    json!({"bindingStateV1": {"u": state}})
}

/// Opens the capture, and takes the first messages after `Opened`.
fn opened(connector: Scripted, binding: Value, state: &Value, messages: usize) -> Vec<Value> {
    let mut capture = Capture::open(connector, open(&[binding], state.clone()));
    let output = capture.until(|lines| lines.len() > messages);
    capture.stop().unwrap();
    assert_eq!(kind(&output[0]), "opened");
    output[1..].to_vec()
}

fn refused(connector: Scripted, binding: Value, state: &Value) -> String {
    let (output, result) = Capture::open(connector, open(&[binding], state.clone())).join();
    let changes = output.iter().filter(|line| kind(line) != "opened").count();
    assert_eq!(changes, 0, "{output:?}");
    result.expect_err("it is refused")
}

/// The state after the checkpoints among these messages.
fn after(state: &Value, messages: &[Value]) -> Value {
    let apply = |state: Node, (_, update): (_, Value)| {
        StateUpdate::merge(Node::from_value(&update)).apply(state)
    };
    let state = Node::from_value(state);
    streams(messages).into_iter().fold(state, apply).to_value()
}

/// Without the stamp, which is of the present.
fn without_stamp(mut state: Value) -> Value {
    let of_u = state["bindingStateV1"]["u"].as_object_mut().unwrap();
    let stamp = of_u.remove("last_initialized").expect("it is stamped");
    assert_ne!(stamp, json!(LONG_AGO), "anew");
    state
}

#[test]
fn quirk_06_a_requested_backfill_begins_from_just_the_initial_state_whatever_happens() {
    // Without a stamp, and with much that the initial state does not mention.
    let old = json!({"inc": {"x": {"cursor": 3}}, "backfill": {"cutoff": 2, "next_page": "p1"}, "is_connector_initiated": true});
    let state = json!({"bindingStateV1": {"u": old}, "backfillRequests": {"u": true}});
    let messages = opened(echoing(flat(json!(100))), binding("u"), &state, 3);
    let (cleared, initialised) = messages.split_at(1);
    assert_eq!(
        streams(cleared)[0].1,
        json!({"backfillRequests": {"u": null}, "bindingStateV1": {"u": null}})
    );
    assert_eq!(
        without_stamp(after(&state, &messages[..2])),
        json!({"bindingStateV1": {"u": flat(json!(100))}, "backfillRequests": {}})
    );
    let begun = json!([{"id": "b", "page": null, "cutoff": 100, "by_connector": false}]);
    assert_eq!(json!(docs(initialised)), begun);

    // A crash between the two resumes nothing.
    let state = after(&state, cleared);
    let messages = opened(echoing(flat(json!(100))), binding("u"), &state, 2);
    assert_eq!(json!(docs(&messages)), begun);
}

#[test]
fn quirk_07_a_missed_schedule_leaves_nothing_of_a_state_that_it_replaces() {
    let state = of_u(
        json!({"inc": {"a": {"cursor": 7}, "b": {"cursor": 8}}, "archived": {"x": 1}, "last_initialized": LONG_AGO}),
    );
    let messages = opened(echoing(flat(json!(100))), scheduled(&missed()), &state, 2);
    let state = after(&state, &messages[..1]);
    let mut expected = flat(json!(100));
    expected["is_connector_initiated"] = json!(true);
    assert_eq!(without_stamp(state.clone()), of_u(expected));
    assert_eq!(docs(&messages)[0]["by_connector"], json!(true));
    // And the capture can be opened again.
    let messages = opened(echoing(flat(json!(100))), scheduled(&missed()), &state, 1);
    assert_eq!(kind(&messages[0]), "captured", "the backfill goes on");
}

#[test]
fn quirk_08_a_request_wins_over_a_missed_schedule() {
    let mut state =
        of_u(json!({"inc": {"cursor": "2025-05-05T05:05:05Z"}, "last_initialized": LONG_AGO}));
    state["backfillRequests"] = json!({"u": true});
    let messages = opened(
        echoing(flat(json!(INITIAL))),
        scheduled(&missed()),
        &state,
        3,
    );
    assert_eq!(
        without_stamp(after(&state, &messages[..2]))["bindingStateV1"]["u"],
        flat(json!(INITIAL))
    );
    let begun = json!([{"id": "b", "page": null, "cutoff": INITIAL, "by_connector": false}]);
    assert_eq!(json!(docs(&messages)), begun);
}

#[test]
fn quirk_09_only_true_requests_a_backfill() {
    let of_u = json!({"inc": {"cursor": 7}, "backfill": {"cutoff": 7, "next_page": "p1"}, "last_initialized": LONG_AGO});
    for request in [json!(false), json!(null)] {
        let state = json!({"bindingStateV1": {"u": of_u}, "backfillRequests": {"u": request}});
        let messages = opened(echoing(flat(json!(100))), binding("u"), &state, 2);
        assert_eq!(docs(&messages)[0]["page"], json!("p1"), "it goes on");
        let requests = after(&state, &messages)["backfillRequests"].clone();
        assert_eq!(requests, json!({"u": request}), "and is left as it is");
    }
    let state = json!({"backfillRequests": {"u": "yes"}});
    let error = refused(echoing(flat(json!(100))), binding("u"), &state);
    assert!(
        error.contains("`/backfillRequests/u` is neither `true` nor `false`"),
        "{error}"
    );
}

#[test]
fn quirk_12_a_rare_schedule_of_an_old_state_opens_at_once() {
    let state = of_u(
        json!({"inc": {"cursor": 7}, "backfill": {"cutoff": 7}, "last_initialized": "1921-01-01T00:00:00Z"}),
    );
    let began = Instant::now();
    // A 29th of February that is a Sunday.
    opened(
        echoing(flat(json!(100))),
        scheduled("0 0 29 2 */7"),
        &state,
        1,
    );
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn quirks_13_and_14_blanks_and_ranges_that_wrap_are_valid_and_open() {
    let state = of_u(json!({"inc": {"cursor": 7}, "last_initialized": LONG_AGO}));
    for schedule in ["0  4\t*   * *", "0 4 * * 5-1", "0 4 */2 */3 *"] {
        let validate = json!({"validate": {"name": "a/b", "connectorType": "LOCAL", "config": {}, "bindings": [
            {"resourceConfig": {"name": "u", "schedule": schedule}, "collection": collection("a/u", &["/id"])}
        ]}});
        let validated = Capture::run(echoing(flat(json!(100))), &[validate]).unwrap();
        assert_eq!(kind(&validated[0]), "validated", "{schedule}");
        let messages = opened(echoing(flat(json!(100))), scheduled(schedule), &state, 2);
        assert_eq!(
            docs(&messages)[0]["by_connector"],
            json!(true),
            "{schedule}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_schedule_is_said_when_the_capture_is_validated() {
    let of = |schedule: &str| json!({"resourceConfig": {"name": "u", "schedule": schedule}, "collection": collection("a/u", &["/id"])});
    let bindings = [of("0 4 * *"), of("0 25 * * *"), of("0 0 30 2 *")];
    let validate = json!({"validate": {"name": "a/b", "connectorType": "LOCAL", "config": {}, "bindings": bindings}});
    let error = Capture::run(echoing(flat(json!(100))), &[validate]).unwrap_err();
    for problem in [
        "binding 0 (`u`) has a `schedule` that has 4 fields; write five",
        "binding 1 (`u`) has a `schedule` that has a value that it cannot have in its hour; write",
        "binding 2 (`u`) has a `schedule` that never comes round",
    ] {
        assert!(error.contains(problem), "`{problem}` in {error}");
    }
}

#[test]
fn a_schedule_that_never_comes_round_is_no_reason_not_to_open() {
    let state = of_u(
        json!({"inc": {"cursor": 7}, "backfill": {"cutoff": 7}, "last_initialized": LONG_AGO}),
    );
    let never = scheduled("0 0 31 2 *");
    let messages = opened(echoing(flat(json!(100))), never, &state, 1);
    assert_eq!(
        docs(&messages)[0]["by_connector"],
        json!(false),
        "and it goes on"
    );
}

#[test]
fn quirk_16_a_stamp_without_a_zone_is_of_utc() {
    let state =
        of_u(json!({"inc": {"cursor": INITIAL}, "last_initialized": "2020-02-03T04:05:06"}));
    let messages = opened(
        echoing(flat(json!(INITIAL))),
        scheduled(&missed()),
        &state,
        2,
    );
    assert_eq!(docs(&messages)[0]["by_connector"], json!(true));

    let backfilling = json!({"inc": {"cursor": 7}, "backfill": {"cutoff": 7, "next_page": "p1"}, "last_initialized": "2020-02-03T04:05:06"});
    let messages = opened(echoing(flat(json!(1))), binding("u"), &of_u(backfilling), 1);
    assert_eq!(kind(&messages[0]), "captured", "and is not written anew");
}

#[test]
fn quirk_17_cursors_of_a_state_are_read_strictly() {
    for cursor in [
        json!(-1),
        json!(1.5),
        json!("1700000000"),
        json!(true),
        json!("2026-01-01T00:00:00"),
        json!([]),
    ] {
        let state = of_u(json!({"inc": {"cursor": cursor}, "last_initialized": LONG_AGO}));
        let error = refused(echoing(flat(json!(100))), binding("u"), &state);
        assert!(
            error.contains("`/bindingStateV1/u/inc/cursor` is"),
            "{error}"
        );
    }
}

#[test]
fn quirk_18_a_timestamp_keeps_its_text() {
    let cursor = "2025-05-05T05:05:05.123456789+02:00";
    let state = of_u(json!({"inc": {"cursor": cursor}, "last_initialized": LONG_AGO}));
    let messages = opened(
        echoing(flat(json!(INITIAL))),
        scheduled(&missed()),
        &state,
        2,
    );
    let of_u = &after(&state, &messages)["bindingStateV1"]["u"];
    assert_eq!(of_u["backfill"]["cutoff"], json!(cursor));
    assert_eq!(of_u["inc"]["cursor"], json!(cursor));
    assert_eq!(docs(&messages)[0]["cutoff"], json!(cursor));
}

#[test]
fn quirk_19_intervals_of_production_open_and_what_is_none_is_refused() {
    let state = of_u(
        json!({"inc": {"cursor": 7}, "backfill": {"cutoff": 7}, "last_initialized": LONG_AGO}),
    );
    let with = |interval: Value| {
        let mut binding = binding("u");
        binding["resourceConfig"]["interval"] = interval;
        binding
    };
    for interval in [json!(300), json!("00:05:00"), json!("P1DT2H")] {
        opened(echoing(flat(json!(1))), with(interval), &state, 1);
    }
    for (interval, problem) in [
        (json!(-300), "`interval` that is negative; write"),
        (json!("P1M"), "`interval` that has years or months"),
        (json!("soon"), "`interval` that is no duration; write"),
    ] {
        let error = refused(echoing(flat(json!(1))), with(interval), &state);
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn quirk_20_what_a_rendering_of_the_protocol_leaves_out_is_empty() {
    let mut request = open(&[binding("u")], json!({}));
    let open = request["open"].as_object_mut().unwrap();
    for member in ["version", "range", "state"] {
        open.remove(member);
    }
    let capture = open["capture"].as_object_mut().unwrap();
    for member in ["intervalSeconds", "connectorType"] {
        capture.remove(member);
    }
    let mut capture = Capture::open(echoing(flat(json!(1))), &request);
    capture.until(|lines| lines.len() > 2);
    capture.stop().unwrap();
}

#[test]
fn quirk_24_a_state_that_does_not_fit_says_what_and_where() {
    let by_subtask = || {
        let idle = |_: Arc<str>, _: Cursor, _: Changes| async { Ok(()) };
        Scripted::new(move || vec![Resource::new("u").key(["/id"]).incremental_each(idle)])
    };
    for (connector, of, problem) in [
        (
            echoing(flat(json!(1))),
            json!({"backfill": {"cutoff": 7}}),
            "at /inc: there is no cursor; ",
        ),
        (
            echoing(flat(json!(1))),
            json!({"inc": {"a": {"cursor": 7}}}),
            "at /inc: it is by subtask where the connector captures the resource as a whole; ",
        ),
        (
            echoing(flat(json!(1))),
            json!({"inc": {"cursor": 7}, "backfill": {"a": {"cutoff": 7}}}),
            "at /backfill: it is by subtask where",
        ),
        (
            by_subtask(),
            json!({"inc": {"cursor": 7}}),
            "at /inc: it is of the whole resource where the connector captures by subtask; ",
        ),
        (
            echoing(json!({})),
            Value::Null,
            "at /inc: its initial state does not fit its functions; ",
        ),
    ] {
        let error = refused(connector, binding("u"), &of_u(of));
        assert!(error.contains("`u`") && error.contains(problem), "{error}");
    }
}

#[test]
fn a_state_with_members_that_nobody_here_knows_is_refused() {
    for (state, pointer) in [
        (json!({"bindingStateV1": {}, "mystery": 1}), "`/mystery`"),
        (
            of_u(json!({"inc": {"cursor": 1, "seen": true}})),
            "`/bindingStateV1/u/inc/seen` of binding `u`",
        ),
        // Also of one that is not open: it was written by the same connector.
        (
            json!({"bindingStateV1": {"gone": {"extra": 1}}}),
            "`/bindingStateV1/gone/extra` of binding `gone`",
        ),
    ] {
        let error = refused(echoing(flat(json!(1))), binding("u"), &state);
        assert!(
            error.contains(pointer) && error.contains("; run the connector"),
            "{error}"
        );
    }
}

#[test]
fn a_request_of_a_binding_that_is_not_open_clears_its_state() {
    let state = json!({
        "bindingStateV1": {"u": {"inc": {"cursor": 7}, "backfill": {"cutoff": 7}, "last_initialized": LONG_AGO}, "v": {"inc": {"cursor": 5}}},
        "backfillRequests": {"v": true, "w": true},
    });
    let messages = opened(echoing(flat(json!(1))), binding("u"), &state, 2);
    let state = after(&state, &messages[..2]);
    assert_eq!(state["backfillRequests"], json!({}));
    assert_eq!(state["bindingStateV1"].get("v"), None);
    assert_eq!(state["bindingStateV1"]["u"]["inc"], json!({"cursor": 7}));
}
