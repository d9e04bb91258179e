//! Each error of the API, as the owner of the account sees it.

use outreach_simulator::Scenario;
use serde_json::{Value, json};

use crate::support::{Outreach, eager, records};

/// What a capture fails with if the API answers so.
fn failure(status: u16, id: &str, headers: Value) -> String {
    let outreach = Outreach::start(Scenario::default());
    let body =
        json!({ "errors": [{ "id": id, "title": "Title", "detail": "Words of Outreach." }] });
    outreach.faults(json!([{ "path": "/api/v2/*", "action": { "status": { "status": status, "body": body, "headers": headers } } }]));
    outreach.failure("accounts")
}

#[test]
fn each_error_says_what_the_owner_of_the_account_can_do() {
    for (status, id, remedy) in [
        (401, "unauthorized", "authorise it anew"),
        (
            403,
            "unauthorizedOauthScope",
            "without the scope `accounts.read`",
        ),
        (
            403,
            "unauthorizedRequest",
            "let an administrator of Outreach permit it",
        ),
        (404, "resourceNotFound", "disable the binding"),
        (404, "routeNotFound", "disable the binding"),
        (
            415,
            "unsupportedMediaType",
            "whoever maintains this connector",
        ),
        (422, "validationError", "backfill the binding anew"),
        (
            422,
            "filterParameter.invalidDatetimeFormat",
            "backfill the binding anew",
        ),
    ] {
        let error = failure(status, id, json!({}));
        assert!(
            error.contains("`accounts` cannot be captured") && error.contains(remedy),
            "{id}: {error}"
        );
        assert!(
            error.contains(&format!("status {status}")) && error.contains("Words of Outreach."),
            "{id}: {error}"
        );
        assert!(!error.contains("access-0"), "{error}");
    }
}

#[test]
fn a_limit_or_an_outage_that_lasts_says_when_to_come_back() {
    // Beyond the time for which a request is repeated, so that the error comes at once.
    let much_later = json!({ "retry-after": "90000" });
    for (status, id, remedy) in [
        (429, "rateLimitExceeded", "requests of this hour"),
        (503, "scheduledServerMaintenance", "maintained"),
        (500, "internalServerError", "status.outreach.io"),
    ] {
        let error = failure(status, id, much_later.clone());
        assert!(
            error.contains(remedy) && error.contains(&format!("status {status}")),
            "{id}: {error}"
        );
    }
}

#[test]
fn the_errors_that_the_simulator_has_by_itself_are_those() {
    let scope = Scenario {
        scope: "teams.read".to_owned(),
        ..Scenario::default()
    };
    let outreach = Outreach::start(scope);
    let error = outreach.failure("accounts");
    assert!(
        error.contains("without the scope `accounts.read`"),
        "{error}"
    );
    let outreach = Outreach::start(Scenario::default());
    outreach.advance(std::time::Duration::from_secs(2 * 3600));
    let error = outreach.failure("accounts");
    assert!(
        error.contains("the access token, which has expired"),
        "{error}"
    );
}

#[test]
fn too_many_requests_and_outages_are_waited_for() {
    for action in [
        json!({ "status": { "status": 429, "headers": { "retry-after": "0" } } }),
        json!({ "status": { "status": 503, "headers": { "retry-after": "0" } } }),
        json!("disconnect"),
        json!("truncate"),
    ] {
        let outreach = Outreach::start(Scenario::default());
        outreach.faults(json!([{ "path": "/api/v2/teams", "times": 2, "action": action }]));
        let mut capture = outreach.capture().bind_with(eager("teams"));
        let seen = capture.run_until(|seen| seen.documents("teams").len() >= 40);
        seen.unwrap_or_else(|error| panic!("{action}: {error}"));
    }
}

#[test]
fn a_page_that_is_too_much_is_asked_for_in_smaller_ones_whatever_the_words() {
    for without_words in [false, true] {
        let outreach = Outreach::start(Scenario::default().with("account", 60));
        let action = json!({ "bad_gateway": { "without_words": without_words } });
        outreach.faults(json!([{ "query": ["page[size]>20"], "action": action }]));
        let mut capture = outreach.capture().bind_with(eager("accounts"));
        let seen = capture.run_until(|seen| records(seen.documents("accounts")) == 60);
        seen.unwrap();
        let sizes = outreach.queries("accounts");
        let sizes: Vec<&str> = sizes
            .iter()
            .filter_map(|query| crate::support::value(query, "page[size]"))
            .collect();
        for size in ["1000", "500", "250", "125", "62", "31", "15"] {
            assert!(sizes.contains(&size), "{sizes:?}");
        }
        assert!(!sizes.contains(&"7"), "{sizes:?}");
    }
    let outreach = Outreach::start(Scenario::default());
    outreach.faults(json!([{ "action": { "bad_gateway": {} } }]));
    let error = outreach.failure("accounts");
    assert!(
        error.contains("a page of one record") && error.contains("support"),
        "{error}"
    );
}

#[test]
fn shapes_at_the_edge_of_what_is_documented_are_read() {
    for action in [
        "no_first_link",
        "null_next",
        "empty_links",
        "duplicate_row",
        "string_id",
    ] {
        let outreach = Outreach::start(Scenario::default().with("team", 30));
        outreach.faults(json!([{ "path": "/api/v2/teams", "action": action }]));
        let mut capture = outreach.capture().bind_with(eager("teams"));
        let seen = capture.run_until(|seen| records(seen.documents("teams")) == 30);
        let seen = seen.unwrap_or_else(|error| panic!("{action}: {error}"));
        let team = &seen.documents("teams")[0];
        assert!(
            team["id"].is_u64() && team["attributes"]["name"].is_string(),
            "{action}: {team}"
        );
    }
}

#[test]
fn an_answer_that_is_no_list_is_refused_with_where_it_does_not_fit() {
    let outreach = Outreach::start(Scenario::default());
    outreach.faults(json!([{ "action": { "status": { "status": 200, "body": { "data": 5 } } } }]));
    let error = outreach.failure("accounts");
    assert!(error.contains("does not fit"), "{error}");
}
