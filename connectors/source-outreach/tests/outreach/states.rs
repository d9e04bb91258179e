//! From the first release to this one, and back.

use std::collections::BTreeSet;
use std::time::Duration;

use outreach_simulator::Scenario;
use serde_json::{Value, json};
use source_outreach::chain;
use staunch::state::{Binding, Node};

use crate::support::{Outreach, eager, ids, recorded, value};

#[test]
fn every_law_of_migrations_holds_of_every_released_state() {
    staunch_testkit::check_migrations(
        chain(),
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states"),
    );
}

#[test]
fn the_recorded_migrations_come_out_to_the_byte() {
    let Some(recorded) = recorded("outreach-state-migration-cases.json") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    for (nth, case) in cases.iter().enumerate() {
        let patches = case["patches"].as_array().unwrap();
        assert!(patches.len() <= 1 && case["secondOpenPatches"] == json!([]));
        let update = patches.first().unwrap_or(&Value::Null);
        let fixture = format!(
            r#"{{"state": {}, "update": {}, "after": {}}}"#,
            case["stateBefore"],
            in_order(update),
            case["stateAfter"]
        );
        std::fs::write(folder.path().join(format!("{nth}.json")), fixture).unwrap();
    }
    staunch_testkit::check_migrations(chain(), folder.path());
}

/// As it is recorded: what goes away, and then what comes. A JSON value has its members in another order.
fn in_order(update: &Value) -> String {
    let Some(inc) = update.pointer("/bindingStateV1/accounts/inc") else {
        return update.to_string();
    };
    let (realtime, lookback) = (&inc["realtime"], &inc["lookback"]);
    format!(
        r#"{{"bindingStateV1":{{"accounts":{{"inc":{{"cursor":null,"realtime":{realtime},"lookback":{lookback}}}}}}}}}"#
    )
}

#[test]
fn a_new_binding_begins_as_it_is_recorded() {
    let Some(recorded) = recorded("outreach-state-migration-cases.json") else {
        return;
    };
    let outreach = Outreach::without("account");
    let mut capture = outreach.capture().bind_with(eager("accounts"));
    // The simulator's time is that of the recording.
    capture.run_until(|seen| seen.checkpoints() >= 1).unwrap();
    let state = &capture.state()["bindingStateV1"]["accounts"];
    let expected = &recorded["initialState"]["bindingStateV1"]["accounts"];
    assert_eq!(state["inc"], expected["inc"]);
    let to = outreach.queries("accounts");
    let to = to
        .iter()
        .filter_map(|query| value(query, "filter[updatedAt][lte]"));
    assert!(
        to.into_iter()
            .all(|to| expected["backfill"]["cutoff"] == to || to == "2025-06-15T12:00:00Z")
    );
}

/// All that was captured, of several runs.
fn all(runs: &[&[Value]]) -> BTreeSet<u64> {
    ids(&runs.concat()).into_iter().collect()
}

#[test]
fn an_upgrade_in_the_middle_of_a_backfill_loses_nothing_and_reads_six_hours_again() {
    let scenario = Scenario {
        max_page_size: 7,
        ..Scenario::default()
    };
    let outreach = Outreach::start(scenario.with("account", 60));
    let mut first = outreach.capture_v1().bind_with(eager("accounts"));
    let old = first
        .run_until(|seen| seen.documents("accounts").len() > 10)
        .unwrap();
    let state = first.state();
    let flat = &state["bindingStateV1"]["accounts"];
    assert!(
        flat["inc"]["cursor"].is_string() && flat["backfill"]["next_page"].is_string(),
        "{flat}"
    );
    let asked_before = outreach.queries("accounts").len();
    outreach.advance(Duration::from_secs(60));
    outreach.mutate(json!([
        { "op": "create", "type": "account" },
        { "op": "update", "type": "account", "id": 5, "attributes": { "name": "New" } },
    ]));
    let mut second = outreach
        .capture()
        .bind_with(eager("accounts"))
        .with_state(state.clone());
    let new = second
        .run_until(|seen| all(&[old.documents("accounts"), seen.documents("accounts")]).len() == 61)
        .unwrap();
    assert!(ids(new.documents("accounts")).contains(&5));
    for query in &outreach.queries("accounts")[asked_before..] {
        let (from, to) = (
            value(query, "filter[updatedAt][gte]"),
            value(query, "filter[updatedAt][lte]"),
        );
        match to.unwrap() == flat["backfill"]["cutoff"] {
            // The backfill goes on where it was, with the same bounds, or its page would be of another list.
            true if from < Some("2025-06-15") => {
                assert!(value(query, "page[after]").is_some(), "{query:?}")
            }
            _ => assert!(from >= Some("2025-06-15T06:00:00Z"), "{query:?}"),
        }
    }
}

#[test]
fn the_way_back_goes_on_with_all_that_was_captured() {
    let outreach = Outreach::start(Scenario::default().with("account", 30));
    let mut new = outreach.capture().bind_with(eager("accounts"));
    let seen = new
        .run_until(|seen| all(&[seen.documents("accounts")]).len() == 30)
        .unwrap();
    assert_eq!(all(&[seen.documents("accounts")]).len(), 30);
    let state = Node::parse(&new.state().to_string()).unwrap();
    let bindings = [Binding {
        state_key: "accounts".to_owned(),
        resource: Some(Node::parse(r#"{"name":"accounts"}"#).unwrap()),
        is_active: true,
    }];
    let back = chain()
        .back_to(None)
        .unwrap()
        .run(&state, &bindings)
        .unwrap();
    let state: Value = serde_json::from_str(&back.after.to_json()).unwrap();
    assert!(
        state["bindingStateV1"]["accounts"]["inc"]["cursor"].is_string(),
        "{state}"
    );
    outreach.advance(Duration::from_secs(60));
    outreach.mutate(json!([{ "op": "create", "type": "account" }]));
    let mut old = outreach
        .capture_v1()
        .bind_with(eager("accounts"))
        .with_state(state);
    old.run_until(|seen| ids(seen.documents("accounts")).contains(&31))
        .unwrap();
}
