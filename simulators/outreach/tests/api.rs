//! The API as a client sees it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

use std::collections::BTreeSet;
use std::time::Duration;

use outreach_simulator::{
    Action, Boundary, CursorMode, Delay, Rotation, Rule, Scenario, Simulator, TYPES,
};
use serde_json::{Value, json};

struct Client {
    simulator: Simulator,
    client: reqwest::Client,
}

type Answer = (u16, Value);

impl Client {
    async fn of(scenario: Scenario) -> Self {
        let simulator = Simulator::start(scenario).await.unwrap();
        let client = reqwest::Client::new();
        Self { simulator, client }
    }

    async fn ask(&self, path: &str) -> Answer {
        let url = match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}/api/v2/{path}", self.simulator.url()),
        };
        let answer = self
            .client
            .get(url)
            .bearer_auth("access-0")
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    /// All pages from here on.
    async fn pages(&self, path: &str) -> Vec<Value> {
        let (mut pages, mut next) = (Vec::new(), Some(path.to_owned()));
        while let Some(path) = next {
            let (status, page) = self.ask(&path).await;
            assert_eq!(status, 200, "{page}");
            next = page["links"]["next"].as_str().map(str::to_owned);
            pages.push(page);
        }
        pages
    }

    async fn ids(&self, path: &str) -> Vec<u64> {
        let pages = self.pages(path).await;
        let rows = pages
            .iter()
            .flat_map(|page| page["data"].as_array().unwrap());
        rows.map(|row| row["id"].as_u64().unwrap()).collect()
    }

    async fn error(&self, path: &str) -> (u16, String) {
        let (status, body) = self.ask(path).await;
        (
            status,
            body["errors"][0]["id"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    }
}

const SORTED: &str = "accounts?sort=updatedAt&newFilterSyntax=true&page[size]=7";

#[tokio::test]
async fn a_list_is_gone_through_page_by_page_in_its_order() {
    let client = Client::of(Scenario::default()).await;
    for (path, count) in [
        (SORTED, 40),
        ("accounts?page[size]=7", 40),
        ("accounts?sort=-createdAt&page[size]=9", 40),
    ] {
        let ids = client.ids(path).await;
        assert_eq!(ids.len(), count, "{path}");
        assert_eq!(BTreeSet::from_iter(&ids).len(), count, "{path}");
    }
    let pages = client.pages(SORTED).await;
    let rows = pages
        .iter()
        .flat_map(|page| page["data"].as_array().unwrap());
    let times: Vec<&str> = rows
        .map(|row| row["attributes"]["updatedAt"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let [first, .., last] = &pages[..] else {
        panic!()
    };
    assert!(first["links"].get("prev").is_none() && last["links"].get("next").is_none());
    // Back again.
    let (_, before) = client.ask(last["links"]["prev"].as_str().unwrap()).await;
    assert_eq!(before["data"], pages[pages.len() - 2]["data"]);
    let (_, empty) = client
        .ask("accounts?newFilterSyntax=true&filter[updatedAt][gte]=2030-01-01")
        .await;
    assert_eq!(empty, json!({ "data": [] }), "and no links");
}

#[tokio::test]
async fn each_type_is_there_and_a_record_is_what_its_list_shows() {
    let client = Client::of(Scenario::default()).await;
    for kind in &TYPES {
        let (status, page) = client
            .ask(&format!("{}?page[size]=1&count=true", kind.path))
            .await;
        assert_eq!(
            (status, &page["meta"]["count"]),
            (200, &json!(40)),
            "{}",
            kind.path
        );
        let row = &page["data"][0];
        assert_eq!(row["type"], kind.name);
        assert_eq!(
            row["attributes"].get("updatedAt").is_some(),
            kind.has_updated_at
        );
        let (_, one) = client.ask(row["links"]["self"].as_str().unwrap()).await;
        assert_eq!(&one["data"], row);
    }
}

#[tokio::test]
async fn ranges_include_their_ends_to_the_millisecond() {
    let times = [
        "2025-06-01T00:00:00Z",
        "2025-06-01T00:00:00.001Z",
        "2025-06-01T00:00:01Z",
    ];
    let boundaries = times.map(|at| Boundary {
        kind: "team".into(),
        at: at.into(),
    });
    let scenario = Scenario {
        boundaries: boundaries.to_vec(),
        ..Scenario::default()
    };
    let client = Client::of(scenario.with("team", 0)).await;
    for (filter, expected) in [
        (
            "[gte]=2025-06-01T00:00:00Z&filter[updatedAt][lte]=2025-06-01T00:00:00Z",
            vec![1],
        ),
        (
            "[gt]=2025-06-01T00:00:00Z&filter[updatedAt][lt]=2025-06-01T00:00:01Z",
            vec![2],
        ),
        (
            "[gte]=2025-06-01&filter[updatedAt][lte]=2025-06-02",
            vec![1, 2, 3],
        ),
        ("[gte]=2025-06-02&filter[updatedAt][lte]=2025-06-01", vec![]),
    ] {
        let path = format!("teams?sort=updatedAt&newFilterSyntax=true&filter[updatedAt]{filter}");
        assert_eq!(client.ids(&path).await, expected, "{filter}");
    }
    let legacy = "teams?sort=updatedAt&filter[updatedAt]=neginf..2025-06-01T00:00:00.001Z";
    assert_eq!(client.ids(legacy).await, [1, 2]);
    assert_eq!(client.ids("teams?filter[id]=1,3").await, [1, 3]);
    assert_eq!(
        client
            .ids("teams?newFilterSyntax=true&filter[id][]=2&filter[id][]=3")
            .await,
        [2, 3]
    );
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_with_the_apis_own_errors() {
    let client = Client::of(Scenario::default()).await;
    let validation = (422, "validationError".to_owned());
    let datetime = (422, "filterParameter.invalidDatetimeFormat".to_owned());
    for path in [
        "accounts?sort=name",
        "emailAddresses?sort=createdAt",
        "events?sort=updatedAt",
        "accounts?page[size]=0",
        "accounts?page[size]=1001",
        "accounts?filter[updatedAt][gte]=2025-06-01",
        "accounts?page[after]=nonsense",
        "accounts?newFilterSyntax=true&filter[noSuch]=1",
        "accounts?page[offset]=10001",
    ] {
        assert_eq!(client.error(path).await, validation, "{path}");
    }
    for path in ["[gte]=yesterday", "=neginf..inf"] {
        let path = format!("accounts?newFilterSyntax=true&filter[updatedAt]{path}");
        assert_eq!(client.error(&path).await, datetime, "{path}");
    }
    assert_eq!(
        client.error("accounts/999").await,
        (404, "resourceNotFound".into())
    );
    assert_eq!(client.error("nothing").await, (404, "routeNotFound".into()));
    // A cursor is good for its own list alone.
    let (_, page) = client.ask(SORTED).await;
    let next = page["links"]["next"]
        .as_str()
        .unwrap()
        .replace("accounts", "prospects");
    assert_eq!(client.error(&next).await, validation);
}

#[tokio::test]
async fn tokens_are_needed_expire_and_are_given_anew() {
    let scenario = Scenario {
        rotation: Rotation::InvalidateOld,
        scope: "accounts.read".into(),
        ..Scenario::default()
    };
    let client = Client::of(scenario).await;
    assert_eq!(client.ask("accounts").await.0, 200);
    assert_eq!(
        client.error("calls").await,
        (403, "unauthorizedOauthScope".into())
    );
    client.simulator.advance(Duration::from_secs(7200)).unwrap();
    assert_eq!(client.error("accounts").await, (401, "unauthorized".into()));
    let url = format!("{}/oauth/token", client.simulator.url());
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "client"),
        ("client_secret", "client-secret"),
        ("refresh_token", "refresh-0"),
    ];
    let form = fields
        .map(|(name, value)| format!("{name}={value}"))
        .join("&");
    let give = || client.client.post(&url).body(form.clone()).send();
    let given: Value =
        serde_json::from_slice(&give().await.unwrap().bytes().await.unwrap()).unwrap();
    assert_eq!(given["expires_in"], 7200);
    let accounts = format!("{}/api/v2/accounts", client.simulator.url());
    let token = given["access_token"].as_str().unwrap();
    assert_eq!(
        client
            .client
            .get(accounts)
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(give().await.unwrap().status(), 401, "the old one is spent");
}

#[tokio::test]
async fn the_hourly_limit_is_told_and_kept() {
    let client = Client::of(Scenario {
        hourly_limit: 2,
        ..Scenario::default()
    })
    .await;
    let url = format!("{}/api/v2/teams", client.simulator.url());
    let ask = || client.client.get(&url).bearer_auth("access-0").send();
    let left = |answer: &reqwest::Response| {
        answer.headers()["x-ratelimit-remaining"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(left(&ask().await.unwrap()), "1");
    assert_eq!(left(&ask().await.unwrap()), "0");
    let refused = ask().await.unwrap();
    assert_eq!(
        (
            refused.status().as_u16(),
            refused.headers()["retry-after"].to_str().unwrap()
        ),
        (429, "3600")
    );
    client.simulator.advance(Duration::from_secs(3600)).unwrap();
    assert_eq!(ask().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes() {
    let mut answers = Vec::new();
    for _ in 0..2 {
        let client = Client::of(Scenario::default()).await;
        client
            .simulator
            .mutate(&[
                serde_json::from_value(json!({"op": "touch", "type": "account", "id": 3})).unwrap(),
            ])
            .unwrap();
        let pages = client.pages(SORTED).await;
        answers.push(json!(pages).to_string().replace(client.simulator.url(), ""));
    }
    assert!(answers[0] == answers[1]);
    let other = Client::of(Scenario {
        seed: 2,
        ..Scenario::default()
    })
    .await;
    assert!(
        answers[0]
            != json!(other.pages(SORTED).await)
                .to_string()
                .replace(other.simulator.url(), "")
    );
}

#[tokio::test]
async fn changes_are_seen_when_their_time_has_come() {
    let client = Client::of(Scenario {
        delay: Delay::None,
        ..Scenario::default()
    })
    .await;
    let name = async || client.ask("accounts/1").await.1["data"]["attributes"]["name"].clone();
    let change = |op: Value| serde_json::from_value(op).unwrap();
    let mutate = |op: Value| client.simulator.mutate(&[change(op)]);
    mutate(json!({"op": "update", "type": "account", "id": 1, "attributes": {"name": "now"}}))
        .unwrap();
    assert_eq!(name().await, "now");
    mutate(json!({"op": "update", "type": "account", "id": 1, "attributes": {"name": "late"}, "visibleAfter": 60})).unwrap();
    assert_eq!(name().await, "now");
    client.simulator.advance(Duration::from_secs(60)).unwrap();
    assert_eq!(name().await, "late");
    mutate(json!({"op": "delete", "type": "account", "id": 1})).unwrap();
    assert_eq!(client.error("accounts/1").await.0, 404);
    assert!(mutate(json!({"op": "touch", "type": "account", "id": 1})).is_err());
    let all_or_none = [
        json!({"op": "delete", "type": "account", "id": 2}),
        json!({"op": "touch", "type": "account", "id": 1}),
    ];
    client
        .simulator
        .mutate(&all_or_none.map(change))
        .unwrap_err();
    assert_eq!(client.ask("accounts/2").await.0, 200);
    let versions = client.simulator.versions("account");
    assert_eq!(versions[0].1.len(), 4, "all versions are known");
}

#[tokio::test]
async fn cursors_go_on_as_the_scenario_says_when_rows_move() {
    for (mode, expected) in [
        (CursorMode::Keyset, true),
        (CursorMode::Snapshot, false),
        (CursorMode::Offset, true),
    ] {
        let client = Client::of(Scenario {
            cursor_mode: mode,
            ..Scenario::default()
        })
        .await;
        let (_, first) = client.ask(SORTED).await;
        let moved = first["data"][0]["id"].as_u64().unwrap();
        client
            .simulator
            .mutate(&[serde_json::from_value(
                json!({"op": "touch", "type": "account", "id": moved}),
            )
            .unwrap()])
            .unwrap();
        let rest = client.ids(first["links"]["next"].as_str().unwrap()).await;
        assert_eq!(rest.contains(&moved), expected, "{mode:?}");
        // By offsets one is missed, as all moved to the front.
        let missed = 40 - 7 - rest.iter().filter(|id| **id != moved).count();
        assert_eq!(missed, usize::from(mode == CursorMode::Offset), "{mode:?}");
    }
}

#[tokio::test]
async fn rules_spoil_answers_and_a_script_changes_data_between_two_pages() {
    let client = Client::of(Scenario::default()).await;
    let sorted = client.ids(SORTED).await;
    let faults = |rule: Rule| {
        client
            .simulator
            .control("POST", "faults", &json!([rule]))
            .unwrap()
    };
    let clear = || {
        client
            .simulator
            .control("DELETE", "faults", &json!(null))
            .unwrap()
    };
    faults(Rule::new("/api/v2/accounts", Action::Shuffle));
    let mut shuffled = client.ids(SORTED).await;
    assert_ne!(shuffled, sorted);
    shuffled.sort_unstable();
    assert_eq!(shuffled, (1..=40).collect::<Vec<_>>());
    clear();
    for (action, check) in [
        (
            Action::BadGateway {
                without_words: false,
            },
            502,
        ),
        (
            Action::Status {
                status: 503,
                body: json!({}),
                headers: [("retry-after".into(), "2025-06-15T12:05:00Z".into())].into(),
            },
            503,
        ),
        (Action::ExpireToken, 401),
    ] {
        faults(Rule {
            times: Some(1),
            ..Rule::new("*", action)
        });
        assert_eq!(client.ask(SORTED).await.0, check);
        clear();
    }
    client
        .simulator
        .control("POST", "reset", &json!({}))
        .unwrap();
    for action in [Action::Disconnect, Action::Truncate] {
        faults(Rule {
            times: Some(1),
            ..Rule::new("*", action)
        });
        let answer = client
            .client
            .get(format!("{}/api/v2/{SORTED}", client.simulator.url()))
            .bearer_auth("access-0")
            .send()
            .await;
        let is_broken = match answer {
            Ok(answer) => answer.bytes().await.is_err(),
            Err(_) => true,
        };
        assert!(is_broken);
        clear();
    }
    let script = json!([{"afterRequest": 1, "path": "/api/v2/accounts", "mutate": [{"op": "delete", "type": "account", "id": sorted[10]}]}]);
    client.simulator.control("POST", "script", &script).unwrap();
    let ids = client.ids(SORTED).await;
    assert_eq!(ids.len(), 39, "it went away after the first page");
    assert!(client.simulator.requests().len() > 5);
    let wrong = client
        .simulator
        .control("POST", "faults", &json!([{"action": "no_such"}]))
        .unwrap_err();
    assert!(wrong.contains("no_such"), "{wrong}");
}
