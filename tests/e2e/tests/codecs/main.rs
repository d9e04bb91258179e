//! A capture does the same whether its connector speaks newline JSON or protobuf, and what is no frame is told as plainly as what
//! is no line.
#![forbid(unsafe_code)]

#[path = "../bad_input/support.rs"]
#[allow(dead_code)] // Shared with the tests of bad input, which use all of it.
mod support;

use std::fs;

use serde_json::Value;
use support::Project;

const LEDGER: &str = env!("CARGO_BIN_EXE_ledger");

/// The catalog of a capture by `ledger`.
fn catalog(protobuf: bool, limit: u64, keyed: bool) -> String {
    let command = serde_json::to_string(&[LEDGER]).expect("a list of strings is JSON");
    format!(
        "captures:
  acme/ledger:
    endpoint:
      local:
        command: {command}
        config: {{ limit: {limit}, keyed: {keyed} }}
        protobuf: {protobuf}
    bindings:
      - {{ resource: {{ name: numbers }}, target: acme/numbers }}
      - {{ resource: {{ name: labels }}, target: acme/labels }}
collections:
  acme/numbers:
    key: [/id]
    schema: {{ type: object, required: [id], properties: {{ id: {{ type: integer }} }} }}
  acme/labels:
    key: [/_meta/row_id]
    schema: {{ type: object }}
"
    )
}

/// Everything that a capture leaves behind, but for the times at which it did.
fn capture(protobuf: bool) -> Vec<String> {
    let project = Project::new(&[]);
    let mut seen = Vec::new();
    for (limit, keyed) in [(6, false), (8, true)] {
        project.write("flow.yaml", catalog(protobuf, limit, keyed));
        let what = format!("protobuf: {protobuf}, limit: {limit}");
        for asked in [&["spec", "--json"][..], &["discover", "--json"], &["check"]] {
            let answer = project.staunch(asked);
            seen.push(answer.succeeded(&what).stdout.clone());
        }
        if keyed {
            let plan = project.staunch(&["migrate", "plan"]);
            let plan = &plan.succeeded(&what).stdout;
            // The header counts commits, and the last line the bytes of times: both differ from run to run.
            let of_bindings = plan
                .lines()
                .skip(1)
                .filter(|line| !line.starts_with("checkpoint of"));
            seen.push(of_bindings.collect::<Vec<_>>().join("\n"));
        }
        project
            .staunch(&["run", "--until-idle", "1s"])
            .succeeded(&what);
        for file in ["out/acme/numbers.jsonl", "out/acme/labels.jsonl"] {
            seen.push(fs::read_to_string(project.path(file)).expect("the documents can be read"));
        }
        let stored = project.stored().expect("the capture is stored");
        let mut state = stored.state["bindingStateV1"].clone();
        for binding in ["numbers", "labels"] {
            state[binding]["last_initialized"] = Value::Null;
        }
        state["labels"]["snapshot"]["updated_at"] = Value::Null;
        seen.push(format!("{} documents, {state}", stored.documents));
    }
    seen
}

#[test]
fn a_capture_does_the_same_in_either_codec() {
    let in_json = capture(false);
    assert_eq!(capture(true), in_json);
    let state = in_json.last().expect("the state is looked at last");
    for word in [
        "18 documents",
        r#""cursor":8"#,
        r#""main""#,
        r#""last_count":2"#,
    ] {
        assert!(state.contains(word), "{word}: {state}");
    }
    let numbers = &in_json[in_json.len() - 3];
    assert_eq!(numbers.lines().count(), 16);
    assert!(numbers.starts_with("{   \"id\": 1,    \"text\": \"a\\nb\" }\n"));
}

#[test]
fn what_is_no_frame_is_a_failure_that_says_what_it_was() {
    for (output, words) in [
        (
            r"Starting up...",
            &["frame_too_long", "it begins with text"][..],
        ),
        (
            r"\377\377\377\177",
            &["frame_too_long", "67108864 are the most"],
        ),
        (
            r"\012\000\000\000\012\010",
            &["partial_frame", "6 bytes into a frame"],
        ),
        (
            r"\001\000\000\000\012",
            &["connector.garbage", "not protobuf"],
        ),
        (
            r"\000\000\000\000",
            &["connector.garbage", "no member that is known"],
        ),
        (
            r"\002\000\000\000\052\000",
            &["unexpected_response", "`opened`"],
        ),
    ] {
        let project = Project::new(&[]);
        let script = format!("printf '{output}'");
        let catalog = support::catalog(&["/bin/sh", "-c", &script], "interval: 1s");
        let config = "        config: {";
        let in_frames = catalog.replace(config, &format!("        protobuf: true\n{config}"));
        project.write("flow.yaml", in_frames);
        project.run().failed(1, words, output);
    }
}
