//! Runs: what is shown, what a machine reads, and how they are stopped.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::project::{CAPTURES, Shop, assert_shown, interrupt};

/// A session that checkpoints several times a second until its input ends.
const GOES_ON: &str = r#"
      echo '{"opened":{}}'; n=0
      { cat > /dev/null; : > input-ended; } <&0 &
      while [ ! -e input-ended ] && [ $n -lt 300 ]; do n=$((n+1))
        echo "{\"captured\":{\"binding\":0,\"doc\":{\"id\":$n}}}"
        echo "{\"checkpoint\":{\"state\":{\"updated\":{\"bindingStateV1\":{\"orders\":{\"inc\":{\"cursor\":$n}}}},\"mergePatch\":true}}}"
        sleep 0.1
      done
      exit 0"#;

/// A session that never comes to its checkpoint.
const NEVER_CHECKPOINTS: &str = r#"
      echo '{"opened":{}}'; echo '{"captured":{"binding":0,"doc":{"id":1}}}'
      echo '{"level":"info","msg":"captured one"}' >&2; sleep 60; exit 0"#;

#[test]
fn a_run_ends_with_a_summary_and_the_next_command() {
    // Logs come through another pipe than messages, so they may be shown before or after `opened`.
    let silent: Vec<&str> = CAPTURES
        .lines()
        .filter(|line| !line.contains(">&2"))
        .collect();
    let shop = Shop::that(&silent.join("\n"));
    assert_shown!(shop.staunch("run --once"));
    assert_eq!(
        shop.read("out/acme/orders.jsonl"),
        "{\"id\":1}\n{\"id\":2}\n"
    );
    assert_eq!(shop.staunch("run -q --once").stderr, "", "quiet is quiet");
}

#[test]
fn a_run_ends_when_nothing_came_for_long_enough() {
    let typed = Shop::that(CAPTURES).staunch("run --until-idle 1s --json");
    let last = typed.lines().pop().unwrap();
    assert_eq!(
        (typed.code, &last["type"], &last["result"]["end"]),
        (Some(0), &json!("summary"), &json!("idle"))
    );
}

#[test]
fn a_machine_reads_events_that_end_with_the_summary() {
    let shop = Shop::that(CAPTURES);
    let typed = shop.staunch("run --once --json");
    assert_eq!((typed.code, typed.stderr.as_str()), (Some(0), ""));
    let lines = typed.lines();
    let of = |kind: &str| {
        lines
            .iter()
            .find(|line| line["type"] == kind)
            .unwrap_or_else(|| panic!("no {kind}: {lines:?}"))
    };
    assert_eq!(of("opened")["bindings"], json!(1));
    assert_eq!(
        (&of("log")["binding"], &of("log")["message"]),
        (&json!("orders"), &json!("read a page"))
    );
    assert_eq!(
        (&of("committed")["revision"], &of("committed")["documents"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        (&of("ended")["reason"], &of("ended")["commits"]),
        (&json!("exited"), &json!(1))
    );
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["type"], &last["command"], &last["ok"]),
        (&json!("summary"), &json!("run"), &json!(true))
    );
    let binding = &last["result"]["bindings"][0];
    assert_eq!(
        *binding,
        json!({ "binding": "orders", "collection": "acme/orders", "file": "out/acme/orders.jsonl", "documents": 2, "bytes": 16 })
    );
}

#[test]
fn a_failure_says_what_is_safe_and_how_to_go_on() {
    let after = CAPTURES.replace("exit 0", "echo 'the shop has closed' >&2; exit 3");
    let shop = Shop::that(&after);
    assert_shown!(shop.staunch("run -q"));
    let state = shop.staunch("state --json").json();
    assert_eq!(
        state["result"]["commit"]["documents"],
        json!(2),
        "what was committed stays"
    );
}

#[test]
fn logs_are_json_if_asked_for() {
    let typed = Shop::that(CAPTURES).staunch("run --once --log-format json");
    let logs: Vec<Value> = typed
        .stderr
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        logs.iter()
            .any(|log| log["message"] == "read a page" && log["binding"] == "orders"),
        "{typed:?}"
    );
    assert!(typed.stdout.contains("acme/shop: 2 documents"), "{typed:?}");
}

/// Reads events until one of that type.
fn wait_for(events: &mut impl Iterator<Item = Value>, kind: &str) -> Value {
    events
        .find(|event| event["type"] == kind)
        .unwrap_or_else(|| panic!("there was no `{kind}`"))
}

fn events(child: &mut Child) -> impl Iterator<Item = Value> + use<> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    stdout
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

#[test]
fn an_interrupt_stops_at_a_checkpoint() {
    let shop = Shop::that(GOES_ON);
    let mut child = shop.command("run --json").spawn().unwrap();
    let mut events = events(&mut child);
    wait_for(&mut events, "committed");
    interrupt(&child);
    assert_eq!(wait_for(&mut events, "stopping")["now"], json!(false));
    let last = wait_for(&mut events, "summary");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(
        (&last["ok"], &last["result"]["end"]),
        (&json!(true), &json!("stopped"))
    );
    let documents = last["result"]["documents"].as_u64().unwrap();
    assert!(documents > 0);
    assert_eq!(
        shop.read("out/acme/orders.jsonl").lines().count() as u64,
        documents,
        "all that is there is committed"
    );
}

#[test]
fn a_second_interrupt_stops_now_and_commits_nothing_half() {
    let shop = Shop::that(NEVER_CHECKPOINTS);
    let mut child = shop.command("run --json").spawn().unwrap();
    let mut events = events(&mut child);
    wait_for(&mut events, "log");
    interrupt(&child);
    wait_for(&mut events, "stopping");
    let began = Instant::now();
    interrupt(&child);
    assert_eq!(wait_for(&mut events, "stopping")["now"], json!(true));
    let last = wait_for(&mut events, "summary");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "it did not wait for the connector"
    );
    assert_eq!(last["result"]["documents"], json!(0));
    assert_eq!(shop.read("out/acme/orders.jsonl"), "");
}

#[test]
fn a_person_is_told_what_an_interrupt_does() {
    let shop = Shop::that(GOES_ON);
    let mut child = shop.command("run").spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("opened with") {
        line.clear();
        assert_ne!(
            stderr.read_line(&mut line).unwrap(),
            0,
            "it ended before it opened"
        );
    }
    interrupt(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(
        rest.contains("stopping at the next checkpoint; interrupt again to stop now"),
        "{rest}"
    );
    assert!(
        rest.ends_with("→ go on from here: staunch run acme/shop\n"),
        "{rest}"
    );
}

#[test]
fn a_closed_pipe_is_silent() {
    let shop = Shop::that(CAPTURES);
    for line in [
        "run --once --json",
        "run --once -q",
        "check --json",
        "spec",
        "state -q",
        "--help",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = shop
            .command(line)
            .stdout(Stdio::from(writer))
            .spawn()
            .unwrap();
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert_eq!(
            (child.wait().unwrap().code(), stderr.as_str()),
            (Some(0), ""),
            "{line}"
        );
    }
}
