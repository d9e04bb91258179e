//! A capture from its beginning on.

use std::time::Duration;

use outreach_simulator::{Scenario, TYPES};
use serde_json::json;

use crate::support::{Outreach, eager, ids, records, value};

const NAMES: [&str; 16] = [
    "accounts",
    "calls",
    "call_dispositions",
    "call_purposes",
    "email_addresses",
    "events",
    "mailboxes",
    "mailings",
    "opportunities",
    "opportunity_stages",
    "prospects",
    "stages",
    "tasks",
    "teams",
    "templates",
    "users",
];

#[test]
fn each_resource_is_captured_whole_and_as_it_is() {
    let outreach = Outreach::start(Scenario::default());
    let mut capture = outreach.capture();
    for name in NAMES {
        capture = capture.bind_with(eager(name)).keyed(["/id"]);
    }
    let all = |documents: &[serde_json::Value]| records(documents) == 40;
    let seen = capture
        .run_until(|seen| NAMES.iter().all(|name| all(seen.documents(name))))
        .unwrap();
    for kind in &TYPES {
        let queries = outreach.queries(kind.path);
        let attribute = if kind.has_updated_at {
            "updatedAt"
        } else {
            "createdAt"
        };
        assert!(!queries.is_empty(), "{}", kind.path);
        assert!(
            queries
                .iter()
                .all(|query| value(query, "sort") == Some(attribute))
        );
    }
    let prospect = &seen.documents("prospects")[0];
    assert_eq!(prospect["type"], "prospect");
    assert!(
        prospect["attributes"]["updatedAt"].is_string() && prospect["relationships"].is_object()
    );
    assert_eq!(prospect.get("_meta"), None, "that is the runtime's");
    let state = &capture.state()["bindingStateV1"]["prospects"];
    let cursor = |subtask: &str| state["inc"][subtask]["cursor"].as_str().unwrap();
    assert!(cursor("realtime") > cursor("lookback"), "{state}");
}

#[test]
fn a_capture_begins_six_hours_ago_and_looks_back_six_hours_more() {
    let outreach = Outreach::without("team");
    let mut capture = outreach.capture().bind_with(eager("teams"));
    capture.run_until(|seen| seen.checkpoints() == 1).unwrap();
    let state = &capture.state()["bindingStateV1"]["teams"];
    let cursors = json!({
        "realtime": { "cursor": "2025-06-15T06:00:00Z" },
        "lookback": { "cursor": "2025-06-15T00:00:00Z" },
    });
    assert_eq!(state["inc"], cursors);
    let queries = outreach.queries("teams");
    for query in queries
        .iter()
        .filter(|query| value(query, "filter[updatedAt][lte]") == Some("2025-06-15T06:00:00Z"))
    {
        let from = value(query, "filter[updatedAt][gte]");
        assert!(
            matches!(from, Some("2025-05-16T06:00:00Z" | "2025-06-15T00:00:00Z")),
            "{query:?}"
        );
    }
}

#[test]
fn a_backfill_goes_on_at_its_page_after_a_restart() {
    let outreach = Outreach::start(
        Scenario {
            max_page_size: 7,
            ..Scenario::default()
        }
        .with("account", 60),
    );
    let mut capture = outreach.capture().bind_with(eager("accounts"));
    let first = capture
        .run_until(|seen| seen.documents("accounts").len() > 10)
        .unwrap();
    let second = capture
        .run_until(|seen| {
            let both = [first.documents("accounts"), seen.documents("accounts")].concat();
            records(&both) == 60
        })
        .unwrap();
    let begins = outreach.queries("accounts").into_iter();
    let begins = begins
        .filter(|query| value(query, "filter[updatedAt][gte]") == Some("2025-05-16T06:00:00Z"));
    let from_the_start = begins
        .filter(|query| value(query, "page[after]").is_none())
        .count();
    assert_eq!(from_the_start, 1, "the second run does not begin anew");
    assert!(!second.documents("accounts").is_empty());
}

#[test]
fn what_changes_while_it_runs_is_captured_and_what_vanishes_is_not_mentioned() {
    let outreach = Outreach::start(Scenario::default().with("account", 20));
    let mut capture = outreach.capture().bind_with(eager("accounts"));
    let all = |documents: &[serde_json::Value]| records(documents) == 20;
    capture
        .run_until(|seen| all(seen.documents("accounts")))
        .unwrap();
    outreach.advance(Duration::from_secs(60));
    outreach.mutate(json!([
        { "op": "update", "type": "account", "id": 3, "attributes": { "name": "New" } },
        { "op": "delete", "type": "account", "id": 4 },
        { "op": "create", "type": "account", "attributes": { "name": "Other" } },
    ]));
    let seen = capture
        .run_until(|seen| ids(seen.documents("accounts")).contains(&21))
        .unwrap();
    let documents = seen.documents("accounts");
    let changed = documents
        .iter()
        .rfind(|document| document["id"] == 3)
        .unwrap();
    assert_eq!(changed["attributes"]["name"], "New");
    assert!(!ids(documents).contains(&4), "{:?}", ids(documents));
}
