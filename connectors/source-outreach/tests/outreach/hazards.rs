//! What the specification marks as a hazard, a test each.

use std::time::Duration;

use outreach_simulator::{Boundary, Scenario};
use serde_json::{Value, json};

use crate::support::{Outreach, config, eager, ids, records, value};

const HOUR: u64 = 3600;

/// Where each request to a collection began and ended.
fn bounds(outreach: &Outreach, path: &str) -> Vec<(String, String)> {
    let bound = |query: &[(String, String)], end: &str| value(query, end).unwrap().to_owned();
    let queries = outreach.queries(path);
    let of = |query: &Vec<(String, String)>| {
        (
            bound(query, "filter[updatedAt][gte]"),
            bound(query, "filter[updatedAt][lte]"),
        )
    };
    queries.iter().map(of).collect()
}

/// The state of a binding whose backfill is done.
fn cursors(name: &str, realtime: &str, lookback: &str) -> Value {
    json!({ "bindingStateV1": { name: {
        "inc": { "realtime": { "cursor": realtime }, "lookback": { "cursor": lookback } },
        "last_initialized": "2025-01-01T00:00:00Z",
    } } })
}

#[test]
fn a_start_date_that_is_left_blank_does_not_drift_with_restarts() {
    let scenario = Scenario {
        max_page_size: 5,
        ..Scenario::default()
    };
    let outreach = Outreach::start(scenario.with("account", 60));
    let mut capture = outreach.capture().bind_with(eager("accounts"));
    for _ in 0..3 {
        capture.run_until(|seen| seen.checkpoints() >= 2).unwrap();
        outreach.advance(Duration::from_secs(HOUR / 2));
    }
    let bounds = bounds(&outreach, "accounts");
    let cutoff = "2025-06-15T06:00:00Z";
    let begins: Vec<&str> = bounds
        .iter()
        .filter(|(from, to)| to == cutoff && from.starts_with("2025-05"))
        .map(|(from, _)| from.as_str())
        .collect();
    assert!(begins.len() >= 3, "{bounds:?}");
    assert!(
        begins.iter().all(|from| *from == "2025-05-16T06:00:00Z"),
        "{begins:?}"
    );
}

#[test]
fn a_start_date_in_another_zone_is_asked_for_in_utc() {
    let outreach = Outreach::without("team");
    let mut config = config();
    config["start_date"] = "2025-01-01T00:00:00-05:00".into();
    let mut capture = outreach.capture().config(config).bind_with(eager("teams"));
    capture.run_until(|seen| seen.checkpoints() == 2).unwrap();
    let bounds = bounds(&outreach, "teams");
    let begin = (
        "2025-01-01T05:00:00Z".to_owned(),
        "2025-06-15T06:00:00Z".to_owned(),
    );
    assert!(bounds.contains(&begin), "{bounds:?}");
}

#[test]
fn a_record_at_the_cutoff_and_a_millisecond_to_either_side_are_all_captured() {
    let at = |at: &str| Boundary {
        kind: "team".into(),
        at: at.into(),
    };
    let times = [
        "2025-06-15T05:59:59.999Z",
        "2025-06-15T06:00:00Z",
        "2025-06-15T06:00:00.001Z",
    ];
    let scenario = Scenario {
        boundaries: times.map(at).to_vec(),
        ..Scenario::default()
    };
    let outreach = Outreach::start(scenario.with("team", 0));
    let mut capture = outreach.capture().bind_with(eager("teams"));
    let all = |documents: &[Value]| (1..=3).all(|id| ids(documents).contains(&id));
    capture
        .run_until(|seen| all(seen.documents("teams")))
        .unwrap();
}

#[test]
fn a_record_in_the_second_of_a_fractional_cursor_is_not_lost() {
    let boundary = Boundary {
        kind: "team".into(),
        at: "2025-06-11T00:00:00.100Z".into(),
    };
    let scenario = Scenario {
        boundaries: vec![boundary],
        ..Scenario::default()
    };
    let outreach = Outreach::start(scenario.with("team", 0));
    // A day after this cursor is a quarter of a second after the record, and nothing else is between them.
    let state = cursors(
        "teams",
        "2025-06-10T00:00:00.250000Z",
        "2025-06-15T06:00:00Z",
    );
    let mut capture = outreach
        .capture()
        .bind_with(eager("teams"))
        .with_state(state);
    let seen = capture
        .run_until(|seen| !seen.documents("teams").is_empty())
        .unwrap();
    assert_eq!(ids(seen.documents("teams")), [1]);
}

#[test]
fn what_can_be_seen_only_late_is_captured_by_lookback() {
    let outreach = Outreach::without("team");
    let state = cursors("teams", "2025-06-15T12:00:00Z", "2025-06-15T06:00:00Z");
    outreach.mutate(json!([
        { "op": "create", "type": "team", "attributes": { "name": "late" }, "visibleAfter": 6 * HOUR },
        { "op": "create", "type": "team", "attributes": { "name": "later in time" }, "updatedAt": "2025-06-15T12:30:00Z" },
    ]));
    outreach.advance(Duration::from_secs(HOUR));
    let mut capture = outreach
        .capture()
        .bind_with(eager("teams"))
        .with_state(state);
    let seen = capture
        .run_until(|seen| seen.documents("teams").len() == 1)
        .unwrap();
    assert_eq!(
        ids(seen.documents("teams")),
        [2],
        "realtime goes beyond what cannot be seen yet"
    );
    outreach.advance(Duration::from_secs(5 * HOUR));
    renew(&outreach, &mut capture);
    let seen = capture
        .run_until(|seen| ids(seen.documents("teams")).contains(&1))
        .unwrap();
    assert!(!seen.documents("teams").is_empty());
}

/// Gives the capture a token, as the present one has expired.
fn renew(
    outreach: &Outreach,
    capture: &mut staunch_testkit::Capture<source_outreach::SourceOutreach>,
) {
    let taken = std::mem::replace(capture, outreach.capture());
    let state = taken.state();
    let mut config = config();
    config["credentials"]["access_token"] = crate::tokens::mint(outreach).into();
    *capture = taken.config(config).with_state(state);
}

#[test]
fn records_that_share_a_time_are_all_captured_though_one_is_seen_late() {
    let outreach = Outreach::without("team");
    let state = cursors("teams", "2025-06-15T11:00:00Z", "2025-06-15T06:00:00Z");
    outreach.mutate(json!([
        { "op": "create", "type": "team", "attributes": { "name": "one" } },
        { "op": "create", "type": "team", "attributes": { "name": "its twin" }, "visibleAfter": 60 },
    ]));
    let mut capture = outreach
        .capture()
        .bind_with(eager("teams"))
        .with_state(state);
    let seen = capture
        .run_until(|seen| !seen.documents("teams").is_empty())
        .unwrap();
    assert_eq!(ids(seen.documents("teams")), [1]);
    outreach.advance(Duration::from_secs(6 * HOUR));
    renew(&outreach, &mut capture);
    capture
        .run_until(|seen| ids(seen.documents("teams")).contains(&2))
        .unwrap();
}

/// A capture in which realtime is to read what lookback reads when an hour has passed, and a team in between.
fn overtaking(outreach: &Outreach) -> staunch_testkit::Capture<source_outreach::SourceOutreach> {
    outreach.mutate(json!([{ "op": "create", "type": "team", "attributes": { "name": "one" }, "updatedAt": BETWEEN }]));
    let state = cursors("teams", "2025-06-15T05:00:00Z", "2025-06-15T06:00:00Z");
    outreach
        .capture()
        .bind_with(eager("teams"))
        .with_state(state)
}

const BETWEEN: &str = "2025-06-15T06:30:00Z";

fn inc(capture: &staunch_testkit::Capture<source_outreach::SourceOutreach>) -> Value {
    capture.state()["bindingStateV1"]["teams"]["inc"].clone()
}

#[test]
fn what_realtime_captured_is_not_repeated_by_lookback() {
    let outreach = Outreach::without("team");
    let mut capture = overtaking(&outreach);
    let seen = capture.run_until(|seen| {
        if seen.checkpoints() == 1 {
            outreach.control("clock", json!({ "set": "2025-06-15T13:00:00Z" }));
        }
        seen.checkpoints() == 2
    });
    assert_eq!(ids(seen.unwrap().documents("teams")), [1], "once");
    assert_eq!(
        inc(&capture),
        json!({ "realtime": { "cursor": BETWEEN }, "lookback": { "cursor": BETWEEN } })
    );
}

#[test]
fn two_versions_of_a_record_that_share_a_time_are_both_captured() {
    let outreach = Outreach::without("team");
    let mut capture = overtaking(&outreach);
    let mut is_changed = false;
    // In one session, in which it is known what was captured already.
    let seen = capture.run_until(|seen| {
        if seen.checkpoints() == 1 && !std::mem::replace(&mut is_changed, true) {
            let change = json!({ "op": "update", "type": "team", "id": 1, "attributes": { "name": "two" }, "updatedAt": BETWEEN });
            outreach.mutate(json!([change]));
            outreach.control("clock", json!({ "set": "2025-06-15T13:00:00Z" }));
        }
        seen.checkpoints() == 2
    });
    let seen = seen.unwrap();
    let names = seen
        .documents("teams")
        .iter()
        .map(|team| &team["attributes"]["name"]);
    assert_eq!(names.collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn a_record_without_a_time_stops_the_capture_and_is_named() {
    let outreach = Outreach::start(Scenario::default().with("team", 3));
    outreach.faults(json!([{ "path": "/api/v2/teams", "action": "null_cursor" }]));
    let error = outreach.failure("teams");
    for expected in ["record ", "`teams`", "`attributes/updatedAt`", "; "] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn results_in_any_order_and_beyond_their_end_are_captured_once_each_is_due() {
    for action in ["shuffle", "ignore_upper"] {
        let scenario = Scenario {
            max_page_size: 6,
            ..Scenario::default()
        };
        let outreach = Outreach::start(scenario.with("account", 50));
        outreach.faults(json!([{ "path": "/api/v2/accounts", "action": action }]));
        let mut capture = outreach.capture().bind_with(eager("accounts"));
        let seen = capture.run_until(|seen| records(seen.documents("accounts")) == 50);
        seen.unwrap_or_else(|error| panic!("{action}: {error}"));
    }
}

#[test]
fn a_record_that_changes_between_two_pages_is_captured_as_it_is_then() {
    let scenario = Scenario {
        max_page_size: 10,
        ..Scenario::default()
    };
    let outreach = Outreach::start(scenario.with("account", 30));
    let change =
        json!([{ "op": "update", "type": "account", "id": 17, "attributes": { "name": "Moved" } }]);
    outreach.control(
        "script",
        json!([{ "afterRequest": 1, "path": "/api/v2/accounts", "mutate": change }]),
    );
    let mut capture = outreach.capture().bind_with(eager("accounts"));
    let is_moved =
        |document: &Value| document["id"] == 17 && document["attributes"]["name"] == "Moved";
    let seen = capture.run_until(|seen| {
        let documents = seen.documents("accounts");
        documents.iter().any(is_moved) && records(documents) == 30
    });
    seen.unwrap();
}
