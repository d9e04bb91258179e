//! Windows, held against what is recorded.
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

use serde_json::{Value, json};
use shopify_simulator::{Action, Boundary, Mutation, Operation, Rule, Scenario, Simulator};
use staunch_testkit::{Capture, simulate};

use super::*;
use crate::{Place, SourceShopify};

fn at(text: &str) -> Timestamp {
    text.parse().expect("it is a time")
}

#[test]
fn of_the_second_of_a_cursor_with_a_fraction_everything_is_still_to_come() {
    let second = at("2026-01-01T00:00:05Z");
    assert!(!is_after(second, second));
    assert!(is_after(second, at("2026-01-01T00:00:05.4Z")));
    assert!(!is_after(second, at("2026-01-01T00:00:06.4Z")));
    assert!(is_after(second, at("2026-01-01T00:00:04Z")));
}

#[test]
fn what_stands_for_a_second_is_later_than_any_part_of_it() {
    let second = at("2026-01-01T00:00:05Z");
    let part = at("2026-01-01T00:00:05.4Z");
    let end = through(second, part);
    assert_eq!(end, at("2026-01-01T00:00:05.999999Z"));
    assert!(!is_after(second, end), "it is read");
    assert!(is_after(at("2026-01-01T00:00:06Z"), end));
    assert_eq!(through(second, at("2026-01-01T00:00:04.5Z")), second);
}

#[test]
fn a_capture_begins_in_a_second_of_which_everything_is_still_to_come() {
    let began = beginning(at("2026-01-01T00:00:05.1Z"));
    assert_eq!(began, at("2026-01-01T00:00:04.5Z"));
    assert!(is_after(at("2026-01-01T00:00:04Z"), began));
}

/// A recorded case, as one call: what it emitted, and with which checkpoints.
fn replayed(case: &Value, now: &str) -> (Vec<Value>, Vec<Value>) {
    let resource = case["resource"].as_str().unwrap();
    let kind = if resource == "customers" {
        "Customer"
    } else {
        "Location"
    };
    let records = case.get("records").and_then(Value::as_array).cloned();
    let records = records.unwrap_or_else(|| {
        // The resumed call tells only what was returned: records 3 to 5 of the case before.
        let times = ["05-01", "05-02", "05-03", "05-03", "05-04"];
        times
            .map(|day| json!({ "updatedAt": format!("2025-{day}T00:00:00Z") }))
            .to_vec()
    });
    let boundaries = records.iter().map(|record| Boundary {
        store: None,
        kind: kind.to_owned(),
        at: record["updatedAt"].as_str().unwrap().to_owned(),
    });
    // A search finds a record after a second: so much later it is here.
    let now: Timestamp = now.parse().unwrap();
    let now = now.checked_add(SETTLING).unwrap();
    let mut scenario = Scenario {
        is_moving: true,
        anchor: Some(now.to_string()),
        count: 0,
        boundaries: boundaries.collect(),
        max_page_size: case["serverPageSize"].as_u64().unwrap_or(100),
        ..Scenario::default().with_stores(&["a"])
    };
    if case["name"].as_str().unwrap().contains("budget exceeded") {
        let until = now.checked_add(TURN).unwrap();
        scenario.faults.push(Rule {
            root: Some(resource.to_owned()),
            until: Some(until.to_string()),
            ..Rule::new(Action::Throttle)
        });
    }
    let text = |member: &str| case.get(member).and_then(Value::as_str);
    let mut config =
        json!({ "stores": [{ "store": "a", "credentials": { "access_token": "private-a" } }] });
    if let Some(start) = text("startDate") {
        config["start_date"] = start.into();
    }
    let is_backfill = text("function").unwrap().starts_with("backfill");
    let state = match is_backfill {
        false => json!({ "inc": { "a": { "cursor": text("cursor") } } }),
        true => {
            let mut entry = json!({ "cutoff": text("cutoff") });
            if let Some(page) = text("page") {
                entry["next_page"] = page.into();
            }
            // Nothing is new as long as this takes.
            json!({ "inc": { "a": { "cursor": "2025-06-15T13:00:00Z" } }, "backfill": { "a": entry } })
        }
    };
    simulate(now, async {
        let simulator = Simulator::start(scenario).await.unwrap();
        // Locations are listed by their names, which are to be in the order of what is recorded.
        let names = (1..=records.len() as u64)
            .filter(|_| kind == "Location")
            .map(|id| {
                let mut named = Mutation::new("a", Operation::UpdateSilently, kind, Some(id));
                named
                    .fields
                    .insert("name".to_owned(), format!("name {id}").into());
                named.fields.insert("isActive".to_owned(), true.into());
                named
            });
        simulator.mutate(&names.collect::<Vec<_>>()).unwrap();
        let place = Place::at(format!("{}/{{store}}", simulator.url()));
        let binding = json!({ "name": resource, "interval": "PT5M" });
        let mut capture = Capture::new(SourceShopify::new(place))
            .config(config)
            .bind_with(binding)
            .keyed(["/id"])
            .with_state(json!({ "bindingStateV1": { resource: state } }));
        let mut run = capture.start();
        let (mut yielded, mut told) = (Vec::new(), 0);
        let patience = Duration::from_secs(if is_backfill { 600 } else { 60 });
        let until = Instant::now() + patience;
        let mut before = Value::Null;
        while let Ok(went) = tokio::time::timeout_at(until, run.commit()).await {
            assert!(went.unwrap());
            let documents = &run.seen().documents(resource)[told..];
            told += documents.len();
            yielded.extend(documents.iter().map(|document| {
                let id = document["id"].as_str().unwrap();
                json!({ "document": id.rsplit('/').next().unwrap() })
            }));
            let state = &run.state()["bindingStateV1"][resource];
            let mark = match is_backfill {
                false => json!({ "cursor": state["inc"]["a"]["cursor"] }),
                true => json!({ "nextPage": state["backfill"]["a"].get("next_page") }),
            };
            let is_over = is_backfill && state["backfill"].get("a").is_none();
            if mark != before && !is_over && !documents.is_empty() {
                yielded.push(mark.clone());
            }
            before = mark;
            if is_over {
                break;
            }
        }
        let bounds = simulator.requests().into_iter();
        let bounds = bounds.filter(|served| served.root == resource && served.code.is_none());
        let bounds = bounds.map(|served| json!({ "lower": served.bounds.0, "upper": served.bounds.1, "after": served.after.is_some() }));
        (yielded, bounds.collect())
    })
}

#[test]
fn every_recorded_reading_goes_as_recorded_or_as_is_recommended() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/reference/golden/shopify-fetch-cases.json"
    );
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("skipped: what is recorded is not in this checkout");
        return;
    };
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let now = recorded["now"].as_str().unwrap();
    for case in recorded["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (yielded, requests) = replayed(case, now);
        let mut expected = case["yielded"].as_array().unwrap().clone();
        if name.starts_with("fractional cursor") {
            // Of the second in which a capture began everything is still to come: recorded is that a record of it was lost.
            expected.insert(0, json!({ "document": "1" }));
        }
        if name.starts_with("unsorted backfill") {
            // A connection's cursor is whatever the server says.
            let told = yielded[expected.len() - 1]["nextPage"].as_str();
            expected.last_mut().unwrap()["nextPage"] = told.unwrap().into();
        }
        assert_eq!(yielded[..expected.len()], expected, "{name}: {yielded:?}");
        let bounds: Vec<Value> = case["requests"].as_array().unwrap().iter().map(|request| {
            json!({ "lower": request["lower"], "upper": request["upper"], "after": !request["after"].is_null() })
        }).collect();
        assert_eq!(requests[..bounds.len()], bounds, "{name}");
    }
}
