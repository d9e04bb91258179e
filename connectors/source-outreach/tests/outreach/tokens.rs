//! Tokens: how the connector gets new ones, and what becomes of the old.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use axum::{Json, Router};
use outreach_simulator::{Rotation, Scenario};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{Outreach, config};

/// A new access token, as a control plane would have obtained it.
pub(crate) fn mint(outreach: &Outreach) -> String {
    let address = outreach.simulator.url().trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let body = "grant_type=refresh_token&client_id=client&client_secret=client-secret&refresh_token=refresh-0";
    write!(
        stream,
        "POST /oauth/token HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body = &answer[answer.find("\r\n\r\n").unwrap()..];
    let body: serde_json::Value = serde_json::from_str(body.trim()).unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}

/// A service that encrypts nothing.
struct Service {
    url: String,
    _runtime: Runtime,
}

impl Service {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let encrypt = |Json(mut body): Json<Value>| async move { Json(body["config"].take()) };
        let router = Router::new().fallback(encrypt);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            _runtime: runtime,
        }
    }
}

/// What a session of the program logged, and whether it ended well.
struct Session {
    logs: Vec<Value>,
    is_well: bool,
}

/// Opens a capture of teams with this config, and ends it after the first documents.
fn session(outreach: &Outreach, config: &Value) -> Session {
    let service = Service::start();
    let clock = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(clock.path(), outreach.simulator.now()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_source-outreach"))
        .env("SOURCE_OUTREACH_URL", outreach.simulator.url())
        .env("SOURCE_OUTREACH_CLOCK", clock.path())
        .env("ENCRYPTION_URL", &service.url)
        .env("LOG_LEVEL", "info")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let open = json!({ "open": {
        "capture": {
            "name": "a/capture", "connectorType": "LOCAL", "config": config, "intervalSeconds": 1,
            "bindings": [{
                "resourceConfig": { "name": "teams" }, "resourcePath": ["teams"], "stateKey": "teams",
                "collection": { "name": "a/teams", "key": ["/id"], "writeSchema": { "type": "object" } },
            }],
        },
        "version": "1", "range": { "keyEnd": u32::MAX, "rClockEnd": u32::MAX }, "state": {},
    }});
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{open}").unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut input = Some(input);
    for line in lines {
        if line.contains(r#""captured""#) {
            input = None; // It ends when it has nothing to do any more.
        }
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    let logs = String::from_utf8(output.stderr).unwrap();
    Session {
        logs: logs
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect(),
        is_well: output.status.success(),
    }
}

impl Session {
    /// The config that was announced.
    fn announced(&self) -> Option<&Value> {
        let events = self.logs.iter().map(|record| &record["fields"]);
        let mut updates = events.filter(|fields| fields["eventType"] == "configUpdate");
        updates.next().map(|fields| &fields["config"])
    }

    fn error(&self) -> String {
        assert!(!self.is_well);
        self.logs.last().unwrap().to_string()
    }
}

fn expired() -> Value {
    let mut config = config();
    config["credentials"]["access_token_expires_at"] = "2020-01-01T00:00:00Z".into();
    config["credentials"]["access_token"] = "spent".into();
    config
}

#[test]
fn an_access_token_that_has_expired_is_replaced_and_the_new_pair_is_announced() {
    let outreach = Outreach::start(Scenario::default());
    let session = session(&outreach, &expired());
    assert!(session.is_well, "{:#?}", session.logs);
    let credentials = &session.announced().unwrap()["credentials"];
    for (member, old) in [("access_token", "spent"), ("refresh_token", "refresh-0")] {
        assert!(
            credentials[member].is_string() && credentials[member] != old,
            "{member}"
        );
    }
    assert!(credentials["access_token_expires_at"].as_str() > Some("2026"));
    assert_eq!(credentials["client_id"], "client");
}

#[test]
fn a_refresh_token_that_no_new_one_comes_for_is_kept() {
    let scenario = Scenario {
        rotation: Rotation::OmitRefreshToken,
        ..Scenario::default()
    };
    let outreach = Outreach::start(scenario);
    let session = session(&outreach, &expired());
    assert!(session.is_well, "{:#?}", session.logs);
    assert_eq!(
        session.announced().unwrap()["credentials"]["refresh_token"],
        "refresh-0"
    );
}

#[test]
fn a_token_that_is_still_good_is_left_alone() {
    let outreach = Outreach::start(Scenario::default());
    let session = session(&outreach, &config());
    assert!(
        session.is_well && session.announced().is_none(),
        "{:#?}",
        session.logs
    );
}

#[test]
fn credentials_that_are_refused_are_told_with_what_to_do_and_without_a_secret() {
    let outreach = Outreach::start(Scenario::default());
    for (member, remedy) in [("refresh_token", "authorise"), ("client_secret", "client")] {
        let mut config = expired();
        config["credentials"][member] = "hunter2".into();
        let error = session(&outreach, &config).error();
        assert!(
            error.contains("invalid_") && error.contains(remedy),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}
