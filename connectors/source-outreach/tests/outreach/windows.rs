//! The recorded calls of the two functions, each request and each document.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use source_outreach::{Place, SourceOutreach};
use staunch_testkit::Capture;
use tokio::runtime::Runtime;

use crate::support::{config, ids, recorded};

/// A server that answers what is recorded, in order, and refuses what is beyond that.
struct Stub {
    url: String,
    asked: Asked,
    _runtime: Runtime,
}

/// Path and query of each request.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

#[derive(Clone)]
struct Recorded {
    requests: Arc<Vec<Value>>,
    rows: Arc<Vec<Value>>,
    asked: Asked,
}

impl Stub {
    fn of(case: &Value) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let asked = Asked::default();
        let recorded = Recorded {
            requests: Arc::new(case["requests"].as_array().unwrap().clone()),
            rows: Arc::new(case["apiRows"].as_array().unwrap().clone()),
            asked: Arc::clone(&asked),
        };
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(recorded);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            asked,
            _runtime: runtime,
        }
    }

    fn asked(&self, path: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        let of_path = asked.iter().filter(|(known, _)| known == path);
        of_path.map(|(_, query)| query.clone()).collect()
    }
}

async fn answer(
    State(recorded): State<Recorded>,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let path = uri.path().trim_start_matches("/api/v2/").to_owned();
    let mut asked = recorded.asked.lock().unwrap();
    let nth = asked.iter().filter(|(known, _)| *known == path).count();
    asked.push((path.clone(), json!(query)));
    if path != "accounts" {
        return json!({ "data": [] }).to_string().into_response();
    }
    let Some(request) = recorded.requests.get(nth) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    if request["response"].is_string() {
        return (StatusCode::BAD_GATEWAY, "<h1>502 Bad Gateway</h1>").into_response();
    }
    let ids = request["response"]["ids"].as_array().unwrap();
    let row = |id: &Value| {
        let row = recorded.rows.iter().find(|row| row["id"] == *id).unwrap();
        json!({ "type": "account", "id": id, "attributes": { "updatedAt": row["updatedAt"] } })
    };
    let mut body = json!({ "data": ids.iter().map(row).collect::<Vec<_>>() });
    if !ids.is_empty() {
        body["links"] = json!({});
        if request["response"]["next"] == json!(true) {
            let next = recorded
                .requests
                .get(nth + 1)
                .map(|next| &next["query"]["page[after]"]);
            let next = next.unwrap_or(ids.last().unwrap()).to_string();
            body["links"]["next"] = format!(
                "http://a.example/accounts?page[after]={}",
                next.trim_matches('"')
            )
            .into();
        }
    }
    body.to_string().into_response()
}

/// What came of a case: documents, and then the cursor or the page.
fn run(case: &Value, cursor: &Value) -> (Stub, Vec<Value>) {
    let stub = Stub::of(case);
    let is_backfill = case["function"] == "backfill";
    let now = if is_backfill {
        "2025-06-15T12:00:00Z"
    } else {
        case["now"].as_str().unwrap()
    };
    let at: jiff::Timestamp = now.parse().unwrap();
    let place = Place::default().at(&stub.url).with_clock(move || at);
    let mut state = json!({
        "inc": { "realtime": { "cursor": now }, "lookback": { "cursor": now } },
        "last_initialized": "2025-01-01T00:00:00Z",
    });
    let mut config = config();
    if is_backfill {
        state["backfill"] = json!({ "cutoff": case["cutoff"], "next_page": case["page"] });
        config["start_date"] = case["startDate"].clone();
    } else {
        state["inc"][case["subtask"].as_str().unwrap()]["cursor"] = cursor.clone();
        config["advanced"] = json!({ "window_size": case["windowSize"] });
    }
    let mut capture = Capture::new(SourceOutreach::new(place))
        .config(config)
        .bind_with(json!({ "name": "accounts", "interval": "PT0.01S" }))
        .with_state(json!({ "bindingStateV1": { "accounts": state } }));
    let expects_nothing = case["requests"].as_array().unwrap().is_empty();
    if expects_nothing {
        // One that shows that functions were run, and more than once.
        capture = capture.bind_with(json!({ "name": "teams", "interval": "PT0.01S" }));
    }
    let mut documents = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    let ended = capture.run_until(|seen| {
        documents = seen.documents("accounts").to_vec();
        while expects_nothing && stub.asked("teams").len() < 9 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        expects_nothing || seen.checkpoints() > 0
    });
    if let Err(error) = ended {
        // A request beyond those that are recorded.
        assert!(
            error.to_string().contains("access token"),
            "{}: {error}",
            case["name"]
        );
    }
    let mut yielded: Vec<Value> = ids(&documents)
        .into_iter()
        .map(|id| json!({ "document": id }))
        .collect();
    let state = capture.state()["bindingStateV1"]["accounts"].clone();
    if is_backfill {
        if state["backfill"].is_object() {
            yielded.push(json!({ "nextPage": state["backfill"]["next_page"] }));
        }
    } else {
        let now = &state["inc"][case["subtask"].as_str().unwrap()]["cursor"];
        if now != cursor {
            yielded.push(json!({ "cursor": now }));
        }
    }
    (stub, yielded)
}

/// Of these the cache is the subject, which outlives no process: the tests of `emitted` hold them, and `hazards` with a capture.
const OF_THE_CACHE: [&str; 2] = [
    "record already emitted by the sibling subtask is suppressed but still advances the cursor",
    "newer version of an already emitted record is emitted",
];

/// What is recorded here is the loss of a record: see `no_record_falls_between_a_fractional_cursor_and_the_second_that_was_asked_for`.
const SLIVERS: [&str; 2] = [
    "fractional cursor, empty full window (first call)",
    "fractional cursor, follow-up call: record in the truncated sliver is filtered out",
];

#[test]
fn each_recorded_call_makes_the_same_requests_and_yields_the_same() {
    let Some(recorded) = recorded("outreach-window-cases.json") else {
        return;
    };
    let cases = recorded["cases"].as_array().unwrap();
    let mut held = 0;
    for case in cases {
        let name = case["name"].as_str().unwrap();
        if OF_THE_CACHE.contains(&name) || SLIVERS.contains(&name) {
            continue;
        }
        let (stub, yielded) = run(case, &case["cursor"]);
        let expected: Vec<Value> = case["requests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|request| request["query"].clone())
            .collect();
        let asked = stub.asked("accounts");
        assert!(asked.len() >= expected.len(), "{name}: {asked:#?}");
        assert_eq!(asked[..expected.len()], expected[..], "{name}");
        assert!(
            !expected.is_empty() || asked.is_empty(),
            "{name}: {asked:#?}"
        );
        assert_eq!(json!(yielded), case["yielded"], "{name}");
        held += 1;
    }
    assert_eq!(held + OF_THE_CACHE.len() + SLIVERS.len(), cases.len());
}

#[test]
fn no_record_falls_between_a_fractional_cursor_and_the_second_that_was_asked_for() {
    let Some(recorded) = recorded("outreach-window-cases.json") else {
        return;
    };
    let case = |name: &str| {
        recorded["cases"]
            .as_array()
            .unwrap()
            .iter()
            .find(|case| case["name"] == name)
            .unwrap()
            .clone()
    };
    let (first, follow_up) = (case(SLIVERS[0]), case(SLIVERS[1]));
    let (_, yielded) = run(&first, &first["cursor"]);
    assert_eq!(
        yielded,
        [json!({ "cursor": "2025-06-11T00:00:00Z" })],
        "the second that was asked for"
    );
    let (_, yielded) = run(&follow_up, &yielded[0]["cursor"]);
    let found = [
        json!({ "document": 1 }),
        json!({ "cursor": "2025-06-11T00:00:00.100000Z" }),
    ];
    assert_eq!(yielded, found);
}
