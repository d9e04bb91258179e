//! An endpoint config that changes while a capture is opened: what is announced, when, and what is never lost or told.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::process::{Ended, Process};
use support::{PATIENCE, binding, open_with};

const STATE: &str = r#"{"bindingStateV1":{"a":{"inc":{"main":{"cursor":7}},"last_initialized":"2026-01-01T00:00:00Z"}}}"#;

/// What is asked of a server: the path, and the body.
type Asked = (String, String);

/// Answers with a status and a body.
type Answer = dyn Fn(usize, &Asked) -> (u16, String) + Send + Sync;

/// An encryption service and a provider of tokens in one.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Whether questions are answered.
    is_open: Arc<(Mutex<bool>, Condvar)>,
}

impl Server {
    /// The first argument of the closure is how many were asked before.
    fn start(answer: impl Fn(usize, &Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, is_open) = (Arc::new(Mutex::new(Vec::new())), Arc::default());
        let this = Self {
            url,
            asked,
            is_open,
        };
        let (heard, gate) = (Arc::clone(&this.asked), Arc::clone(&this.is_open));
        this.open(true);
        std::thread::spawn(move || {
            let answer: &Answer = &answer;
            for stream in listener.incoming() {
                serve(stream.unwrap(), &heard, &gate, answer);
            }
        });
        this
    }

    /// Encrypts, and hands out tokens.
    fn usual() -> Self {
        Self::start(|_, (path, _)| {
            match path.as_str() {
            "/token" => (200, json!({ "access_token": "new-token", "refresh_token": "new-refresh", "expires_in": 7200 }).to_string()),
            _ => (200, json!({ "sealed": true }).to_string()),
        }
        })
    }

    fn open(&self, is_open: bool) {
        *self.is_open.0.lock().unwrap() = is_open;
        self.is_open.1.notify_all();
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn paths(&self) -> Vec<String> {
        self.asked().into_iter().map(|(path, _)| path).collect()
    }

    /// Waits until this was asked.
    fn until_asked(&self, path: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.paths().iter().any(|asked| asked == path) {
            assert!(Instant::now() < deadline, "{path} is never asked");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn start_connector(&self, arguments: &[&str]) -> Process {
        let url = format!("{}/encrypt", self.url);
        Process::start_in(arguments, &[("ENCRYPTION_URL", &url)])
    }

    /// Opens a capture, sees that much of its output, and ends it.
    fn capture(&self, config: &Value, lines: usize) -> Ended {
        let mut process = self.start_connector(&[]);
        process.send(open_with(config.clone(), &[binding("a")], STATE));
        process.until(lines);
        process.stop()
    }

    /// Opens a capture that fails.
    fn failing(&self, config: &Value) -> (Ended, String) {
        let mut process = self.start_connector(&[]);
        process.send(open_with(config.clone(), &[binding("a")], STATE));
        let ended = process.wait();
        assert_eq!((ended.code, ended.lines.len()), (Some(1), 0), "{ended:?}");
        let [error] = ended.logged("error")[..] else {
            panic!("{ended:?}");
        };
        let error = error.to_owned();
        (ended, error)
    }

    /// A config with tokens that expire so many seconds from now.
    fn with_tokens(&self, expires_in: i64) -> Value {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(expires_in);
        json!({
            "token_url": format!("{}/token", self.url),
            "credentials": {
                "credentials_title": "OAuth Credentials",
                "client_id": "hunter2-client", "client_secret": "hunter2 & secret",
                "refresh_token": "hunter2-refresh", "access_token": "hunter2-access",
                "access_token_expires_at": at,
            },
        })
    }
}

fn serve(
    mut stream: TcpStream,
    heard: &Mutex<Vec<Asked>>,
    gate: &(Mutex<bool>, Condvar),
    answer: &Answer,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut path, mut length) = (String::new(), 0);
    for (at, line) in reader.by_ref().lines().map_while(Result::ok).enumerate() {
        if at == 0 {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let asked = (path, String::from_utf8(body).unwrap());
    let before = {
        let mut heard = heard.lock().unwrap();
        heard.push(asked.clone());
        heard.len() - 1
    };
    let (status, body) = answer(before, &asked);
    if asked.0 == "/encrypt" {
        drop(
            gate.1
                .wait_while(gate.0.lock().unwrap(), |is_open| !*is_open),
        );
    }
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(answer.as_bytes()); // It may have hung up.
}

fn updates(ended: &Ended) -> Vec<&Value> {
    let is_update = |record: &&Value| record["fields"]["eventType"] == "configUpdate";
    ended.logs.iter().filter(is_update).collect()
}

/// Where in the logs this is said.
fn place(ended: &Ended, is_it: impl Fn(&Value) -> bool) -> usize {
    ended
        .logs
        .iter()
        .position(is_it)
        .unwrap_or_else(|| panic!("{ended:?}"))
}

#[test]
fn an_update_is_encrypted_and_announced_before_anything_uses_it() {
    let server = Server::usual();
    let config =
        json!({ "region": "eu", "chain": "keyed", "advanced": { "z": [{ "d": 1, "c": 2 }] } });
    let ended = server.capture(&config, 1);

    let [(path, body)] = &server.asked()[..] else {
        panic!("{:?}", server.asked());
    };
    assert_eq!(path, "/encrypt");
    let sorted =
        r#"{"config":{"advanced":{"region":"eu","z":[{"c":2,"d":1}]},"chain":"keyed"},"schema":{"#;
    assert!(body.starts_with(sorted), "{body}");

    let [update] = updates(&ended)[..] else {
        panic!("{ended:?}");
    };
    assert_eq!(update["msg"], "The region moves.");
    assert_eq!(update["level"], "info");
    assert_eq!(
        update["fields"],
        json!({ "eventType": "configUpdate", "config": { "sealed": true } })
    );
    let announced = place(&ended, |record| record == update);
    let used = place(&ended, |record| record["msg"] == "the config is used");
    assert!(announced < used, "{ended:?}");
    assert_eq!(
        ended.logs[used]["fields"]["region"], "eu",
        "the new config is used"
    );
    assert_eq!(ended.lines[0], r#"{"opened":{}}"#);
}

#[test]
fn a_config_that_is_as_it_is_wanted_is_not_announced() {
    let server = Server::usual();
    let ended = server.capture(&json!({ "advanced": { "region": "eu" } }), 1);
    assert_eq!((updates(&ended).len(), server.asked()), (0, vec![]));
}

#[test]
fn a_plan_posts_nothing_and_spends_no_token() {
    let server = Server::usual();
    let mut config = server.with_tokens(-1);
    config["region"] = "eu".into();
    for arguments in [&["plan"][..], &["plan", "--ask-source"]] {
        let mut process = server.start_connector(arguments);
        process.send(open_with(config.clone(), &[binding("a")], STATE));
        let ended = process.stop();
        assert_eq!(
            (ended.code, updates(&ended).len()),
            (Some(0), 0),
            "{ended:?}"
        );
        let said = "opening the capture would update its endpoint config: The region moves.";
        assert_eq!(ended.count(said), 1, "{ended:?}");
        assert_eq!(server.asked(), []);
    }
}

#[test]
fn an_update_that_cannot_be_encrypted_ends_the_opening_and_nothing_of_the_config_is_told() {
    // A service that repeats what it refuses.
    let server = Server::start(|_, (_, body)| (400, body.clone()));
    let (ended, error) = server.failing(&json!({ "region": "hunter2-hunter2" }));
    for expected in ["/encrypt` was answered with status 400", "`ENCRYPTION_URL`"] {
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(server.asked().len(), 1, "a refusal is not tried again");
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
    assert_eq!(ended.count("the config is used"), 0);
}

#[test]
fn an_answer_that_is_no_config_is_not_announced() {
    let server = Server::start(|_, _| (200, "\"hunter2-hunter2\"".into()));
    let (ended, error) = server.failing(&json!({ "region": "eu" }));
    assert!(error.contains("could not be encrypted"), "{error}");
    assert_eq!(updates(&ended).len(), 0);
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_service_that_is_away_for_a_moment_is_asked_again() {
    let server = Server::start(|before, _| match before {
        0 => (503, String::new()),
        _ => (200, json!({ "sealed": true }).to_string()),
    });
    let ended = server.capture(&json!({ "region": "eu" }), 1);
    assert_eq!((updates(&ended).len(), server.asked().len()), (1, 2));
}

#[test]
fn tokens_that_are_about_to_expire_are_rotated_and_announced_before_they_are_used() {
    let server = Server::usual();
    let mut config = server.with_tokens(200);
    config["region"] = "eu".into();
    let ended = server.capture(&config, 1);

    let asked = server.asked();
    assert_eq!(server.paths(), ["/token", "/encrypt"]);
    let form = "grant_type=refresh_token&client_id=hunter2-client&client_secret=hunter2+%26+secret&refresh_token=hunter2-refresh";
    assert_eq!(asked[0].1, form);

    let mut sent: Value = serde_json::from_str(&asked[1].1).unwrap();
    let expires_at: jiff::Timestamp = sent["config"]["credentials"]["access_token_expires_at"]
        .take()
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let lives = expires_at.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((7000..=7200).contains(&lives), "{lives}");
    let mut expected = config.clone();
    expected.as_object_mut().unwrap().remove("region");
    expected["advanced"] = json!({ "region": "eu" });
    expected["credentials"]["access_token"] = "new-token".into();
    expected["credentials"]["refresh_token"] = "new-refresh".into();
    expected["credentials"]["access_token_expires_at"] = Value::Null;
    assert_eq!(sent["config"], expected, "and all else is as it was");

    let [update] = updates(&ended)[..] else {
        panic!("a control plane may take but the first: {ended:?}");
    };
    let message = "The region moves. Rotating OAuth2 tokens in endpoint config.";
    assert_eq!(update["msg"], message);
    let announced = place(&ended, |record| record == update);
    let used = place(&ended, |record| record["msg"] == "the config is used");
    assert!(announced < used, "{ended:?}");
    assert_eq!(ended.logs[used]["fields"]["token"], "new-token");
    let out = ended.lines.join("\n");
    assert!(
        !out.contains("token"),
        "no token is written to the state: {out}"
    );
}

#[test]
fn tokens_that_are_good_for_a_while_are_left_alone() {
    let server = Server::usual();
    let ended = server.capture(&server.with_tokens(600), 1);
    assert_eq!((updates(&ended).len(), server.asked()), (0, vec![]));
}

#[test]
fn a_refresh_token_that_is_not_replaced_stays() {
    let server = Server::start(|_, (path, _)| match path.as_str() {
        "/token" => (
            200,
            json!({ "access_token": "new-token", "expires_in": "60" }).to_string(),
        ),
        _ => (200, json!({}).to_string()),
    });
    let ended = server.capture(&server.with_tokens(-60), 1);
    let sent: Value = serde_json::from_str(&server.asked()[1].1).unwrap();
    let credentials = &sent["config"]["credentials"];
    assert_eq!(credentials["access_token"], "new-token");
    assert_eq!(credentials["refresh_token"], "hunter2-refresh");
    assert_eq!(updates(&ended).len(), 1);
}

#[test]
fn a_process_that_is_killed_before_the_announcement_has_used_nothing() {
    let server = Server::usual();
    server.open(false);
    let mut process = server.start_connector(&[]);
    process.send(open_with(server.with_tokens(0), &[binding("a")], STATE));
    server.until_asked("/encrypt"); // The old token is spent now, and the new one is in that process alone.
    let ended = process.kill();
    server.open(true);
    assert_eq!(
        ended.lines, [""; 0],
        "nothing was captured with a token that nobody else has"
    );
    assert_eq!(
        (updates(&ended).len(), ended.count("the config is used")),
        (0, 0)
    );
}

#[test]
fn tokens_that_cannot_be_kept_are_said_to_be_lost() {
    let server = Server::start(|_, (path, _)| match path.as_str() {
        "/token" => (200, json!({ "access_token": "hunter2-new" }).to_string()),
        _ => (403, String::new()),
    });
    let (ended, error) = server.failing(&server.with_tokens(0));
    assert!(error.contains("authorised anew"), "{error}");
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
}

#[test]
fn a_provider_that_refuses_ends_the_opening_with_what_it_says_and_no_secret() {
    let server = Server::start(|_, (_, _)| {
        (
            400,
            json!({ "error": "invalid_grant", "error_description": "no hunter2-refresh" })
                .to_string(),
        )
    });
    let (ended, error) = server.failing(&server.with_tokens(0));
    assert!(
        error.contains("`invalid_grant` (no [hidden]); ") && error.contains("authorise"),
        "{error}"
    );
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
    assert_eq!(server.paths(), ["/token"]);
}

#[test]
fn to_discover_and_to_validate_changes_no_config() {
    let server = Server::usual();
    let mut config = server.with_tokens(-1);
    config["region"] = "eu".into();
    for request in [
        json!({ "discover": { "connectorType": "LOCAL", "config": config } }),
        json!({ "validate": { "name": "a/b", "connectorType": "LOCAL", "config": config, "bindings": [] } }),
    ] {
        let mut process = server.start_connector(&[]);
        process.send(&request);
        let ended = process.stop();
        assert_eq!(
            (ended.code, updates(&ended).len()),
            (Some(0), 0),
            "{ended:?}"
        );
    }
    assert_eq!(server.asked(), []);
}
