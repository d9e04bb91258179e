//! A connector speaks the codec that its environment names: the same conversation in either, and plain words for a mismatch.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use staunch_protocol::{Codec, Messages, json};

/// What a process left behind.
struct Ended {
    code: Option<i32>,
    /// Responses, as lines whatever codec they came in.
    lines: Vec<Value>,
    logs: String,
}

/// Runs the connector with a value of `FLOW_RUNTIME_CODEC`: gives it `input`, ends that after `until` responses, and reads in `codec`.
fn run(
    variable: Option<&str>,
    arguments: &[&str],
    codec: Codec,
    input: &[u8],
    until: usize,
) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kit-test-connector"));
    command.env_remove(Codec::VARIABLE);
    if let Some(value) = variable {
        command.env(Codec::VARIABLE, value);
    }
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let logs = std::thread::spawn(move || {
        let mut logs = String::new();
        stderr.read_to_string(&mut logs).unwrap();
        logs
    });
    let mut stdin = child.stdin.take();
    let _ = stdin.as_mut().unwrap().write_all(input); // It may have ended already.
    let mut messages = Messages::responses(codec, child.stdout.take().unwrap());
    let mut lines = Vec::new();
    loop {
        if lines.len() >= until {
            stdin = None;
        }
        let Some(message) = messages.next_message().unwrap() else {
            break;
        };
        let response = codec.decode_response(message).unwrap();
        let mut line = Vec::new();
        json::encode_response(&response, &mut line);
        let line: Value = serde_json::from_slice(&line).unwrap();
        if let (Some(stdin), true) = (&mut stdin, line.get("checkpoint").is_some()) {
            // The functions wait for the migration to be durable.
            let acknowledge = requests(codec, &[json!({"acknowledge": {"checkpoints": 1}})]);
            let _ = stdin.write_all(&acknowledge);
        }
        lines.push(line);
    }
    drop(stdin);
    Ended {
        code: child.wait().unwrap().code(),
        lines,
        logs: logs.join().unwrap(),
    }
}

/// Requests in a codec.
fn requests(codec: Codec, requests: &[Value]) -> Vec<u8> {
    let mut input = Vec::new();
    for request in requests {
        let request = json::decode_request(request.to_string().as_bytes()).unwrap();
        codec.encode_request(&request, &mut input).unwrap();
    }
    input
}

fn spec() -> Value {
    json!({"spec": {"connectorType": "LOCAL", "config": {}}})
}

/// Opens the resource `a` with a state of an older shape, which is migrated.
fn open() -> Value {
    json!({"open": {
        "capture": {
            "name": "acme/codec", "connectorType": "LOCAL", "config": {"chain": "keyed"}, "intervalSeconds": 300,
            "bindings": [{
                "resourceConfig": {"name": "a"}, "resourcePath": ["a"], "stateKey": "a",
                "collection": {"name": "acme/a", "key": ["/id"], "writeSchema": {"type": "object"}},
            }],
        },
        "version": "v1",
        "state": {"bindingStateV1": {"a": {"inc": {"cursor": 5}, "last_initialized": "2026-01-01T00:00:00Z"}}},
    }})
}

fn conversation(variable: Option<&str>, codec: Codec) -> Vec<Value> {
    let discover = json!({"discover": {"connectorType": "LOCAL", "config": {}}});
    let validate = json!({"validate": {
        "name": "acme/codec", "connectorType": "LOCAL", "config": {},
        "bindings": [{
            "resourceConfig": {"name": "a"},
            "collection": {"name": "acme/a", "key": ["/id"], "writeSchema": {"type": "object"}},
        }],
    }});
    let apply = json!({"apply": {"capture": open()["open"]["capture"], "version": "v1"}});
    let input = requests(codec, &[spec(), discover, validate, apply, open()]);
    // Four answers, `Opened`, the migration, and four documents with their checkpoints.
    let ended = run(variable, &[], codec, &input, 4 + 2 + 8);
    assert_eq!(ended.code, Some(0), "{}", ended.logs);
    ended.lines
}

#[test]
fn the_conversation_is_the_same_in_either_codec() {
    let in_json = conversation(Some("json"), Codec::Json);
    assert!(in_json.len() >= 14, "{in_json:#?}");
    assert_eq!(
        in_json[12],
        json!({"captured": {"binding": 0, "doc": {"id": "a-main-9"}}})
    );
    assert_eq!(conversation(Some("proto"), Codec::Proto), in_json);
    assert_eq!(conversation(None, Codec::Json), in_json);
}

#[test]
fn another_codec_is_refused_with_the_names_of_both() {
    for name in ["protobuf", "JSON", ""] {
        let ended = run(Some(name), &[], Codec::Json, b"", 0);
        assert_eq!((ended.code, ended.lines.len()), (Some(1), 0), "{name}");
        for word in ["FLOW_RUNTIME_CODEC", "`json` or `proto`"] {
            assert!(ended.logs.contains(word), "{name}: {}", ended.logs);
        }
    }
}

#[test]
fn what_is_no_request_in_the_codec_is_an_error_that_says_so() {
    let in_proto = requests(Codec::Proto, &[spec()]);
    let in_json = requests(Codec::Json, &[spec()]);
    let mut cut = in_proto.clone();
    cut.pop();
    for (what, codec, input, words) in [
        (
            "JSON for protobuf",
            Codec::Proto,
            in_json,
            "it begins with text",
        ),
        (
            "protobuf for JSON",
            Codec::Json,
            in_proto,
            "malformed request",
        ),
        ("a cut frame", Codec::Proto, cut, "11 bytes into a frame"),
        (
            "a huge length",
            Codec::Proto,
            vec![0xff; 8],
            "a frame of 4294967295 bytes is announced, and 134217728 are the most",
        ),
        (
            "an empty message",
            Codec::Proto,
            vec![0; 4],
            "malformed request: it has no member that is known",
        ),
    ] {
        let ended = run(Some(codec.as_str()), &[], codec, &input, 0);
        assert_eq!((ended.code, ended.lines.len()), (Some(1), 0), "{what}");
        assert!(ended.logs.contains(words), "{what}: {}", ended.logs);
    }
}

#[test]
fn a_plan_is_asked_for_in_json_whatever_the_codec() {
    let input = requests(Codec::Json, &[open()]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_kit-test-connector"))
        .arg("plan")
        .env(Codec::VARIABLE, "proto")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&input).unwrap();
    let output = child.wait_with_output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success() && plan.is_object(), "{plan}");
}
