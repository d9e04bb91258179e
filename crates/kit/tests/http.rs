//! A migration that asks its source over HTTP, and what becomes of it where that is not wanted.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::process::Process;
use support::{binding, open_with, update_of};

const STATE: &str = r#"{"bindingStateV1":{"a":{"inc":{"cursor":7}}}}"#;
const UPDATE: &str = r#"{"bindingStateV1":{"a":{"inc":{"cursor":null,"eu":{"cursor":7}}}}}"#;

/// A source that knows how its data is split. Answers each request alike, and remembers its first line.
struct Source {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Source {
    fn answering(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = BufReader::new(&stream)
                    .lines()
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty());
                heard.lock().unwrap().push(head.next().unwrap_or_default());
                head.for_each(drop);
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                let _ = stream.write_all(answer.as_bytes()); // It may have hung up.
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn open(&self) -> String {
        let ask = format!("{}/regions?token=hunter2-hunter2", self.url);
        open_with(json!({ "ask": ask }), &[binding("a")], STATE)
    }
}

const ASKED: &str = "GET /regions?token=hunter2-hunter2 HTTP/1.1";

#[test]
fn a_migration_asks_its_source_when_the_capture_is_opened() {
    let source = Source::answering("200 OK", r#""eu""#);
    let mut process = Process::start(&[]);
    process.send(source.open());
    assert_eq!(update_of(&process.until(2)[1]), (UPDATE.to_owned(), true));
    assert_eq!(source.asked(), [ASKED]);
    process.kill();
}

#[test]
fn a_plan_asks_the_source_only_if_that_is_said() {
    let source = Source::answering("200 OK", r#""eu""#);
    let ended = Process::run(&["plan"], &source.open());
    assert_eq!((ended.code, ended.lines.len()), (Some(1), 0), "{ended:?}");
    let [error] = ended.logged("error")[..] else {
        panic!("{ended:?}");
    };
    assert!(error.contains("`--ask-source`"), "{error}");
    assert_eq!(source.asked(), [""; 0], "the source was not asked");

    let ended = Process::run(&["plan", "--ask-source"], &source.open());
    let plan: Value = serde_json::from_str(&ended.lines[0]).unwrap();
    assert_eq!(plan["update"].to_string(), UPDATE);
    assert_eq!(source.asked(), [ASKED]);
}

#[test]
fn a_source_that_refuses_ends_the_opening_with_what_it_says_and_no_secret() {
    let source = Source::answering("403 Forbidden", "no regions for hunter2-hunter2");
    let ended = Process::run(&[], &source.open());
    assert_eq!((ended.code, ended.lines.len()), (Some(1), 0), "{ended:?}");
    let [error] = ended.logged("error")[..] else {
        panic!("{ended:?}");
    };
    let asked = format!("`GET {}/regions` was answered with status 403", source.url);
    assert!(
        error.contains(&asked) && error.contains("no regions for [hidden]"),
        "{error}"
    );
    let logs = format!("{:?}", ended.logs);
    assert!(!logs.contains("hunter2"), "{logs}");
}
