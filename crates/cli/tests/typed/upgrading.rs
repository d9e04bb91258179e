//! `migrate apply`: a candidate that is watched, and taken back by itself; `--observe`, for one that cannot tell what it would do.

use serde_json::{Value, json};

use crate::applying::{migrates, plan, shop};
use crate::project::{CAPTURES, Shop, Typed, interrupt};

/// A checkpoint of orders at a cursor of the new shape, after a document with this id.
fn captured(id: u64, cursor: u64) -> String {
    format!(
        "echo '{{\"captured\":{{\"binding\":0,\"doc\":{{\"id\":{id}}}}}}}'
         echo '{{\"checkpoint\":{{\"state\":{{\"updated\":{{\"bindingStateV1\":{{\"orders\":{{\"inc\":{{\"realtime\":{{\"cursor\":{cursor}}}}}}}}}}},\"mergePatch\":true}}}}}}'"
    )
}

/// A candidate that migrates, and then does this.
fn then(script: &str) -> Shop {
    let after = migrates().replace("cat > /dev/null; exit 0", script);
    shop(&plan(&Value::Null, &[]), &after)
}

fn documents(shop: &Shop) -> usize {
    shop.read("out/acme/orders.jsonl").lines().count()
}

fn kinds(shop: &Shop) -> Vec<String> {
    let history = shop.staunch("state history --json").json();
    let changes = history["result"]["changes"].as_array().unwrap().clone();
    let kinds = changes
        .iter()
        .map(|change| change["kind"].as_str().unwrap().to_owned());
    kinds.collect()
}

fn state(shop: &Shop) -> Value {
    shop.staunch("state show -q").json()
}

fn code(typed: &Typed) -> (Option<i32>, Value) {
    (typed.code, typed.json()["error"]["code"].clone())
}

const BEFORE: &str = r#"{"bindingStateV1":{"orders":{"inc":{"cursor":2}}}}"#;

#[test]
fn a_candidate_that_fails_on_probation_leaves_nothing_behind() {
    for end in [
        "echo 'boom' >&2; exit 101",
        "kill -9 $$",
        "echo garbage; sleep 5",
    ] {
        let shop = then(&format!("{}; {end}", captured(3, 3)));
        let typed = shop.staunch("migrate apply --json --probation 5,30s");
        assert_eq!(
            code(&typed),
            (Some(1), json!("upgrade.taken_back")),
            "{end}"
        );
        assert_eq!(state(&shop).to_string(), BEFORE, "{end}");
        assert_eq!(documents(&shop), 2, "{end}: what it captured is not there");
        assert_eq!(kinds(&shop), ["rollback", "migration", "checkpoint"]);
        let rollback = shop.staunch("migrate rollback --yes --json");
        assert_eq!(code(&rollback), (Some(2), json!("state.not_kept")));
        assert_eq!(shop.staunch("state history --check").code, Some(0));
    }
}

#[test]
fn a_candidate_that_falls_behind_is_taken_back_unless_that_is_consented_to() {
    let script = format!(
        "{}; {}; cat > /dev/null; exit 0",
        captured(3, 3),
        captured(1, 0)
    );
    let shop = then(&script);
    let typed = shop.staunch("migrate apply");
    assert_eq!(typed.code, Some(1), "{}", typed.stderr);
    let expected = "binding `orders` fell behind where it was to resume";
    assert!(typed.stderr.contains(expected), "{}", typed.stderr);
    assert_eq!(
        (state(&shop).to_string().as_str(), documents(&shop)),
        (BEFORE, 2)
    );
}

#[test]
fn a_candidate_that_captures_before_it_has_migrated_is_taken_back() {
    let after = format!(
        "echo '{{\"opened\":{{\"explicitAcknowledgements\":true}}}}'; {}; cat > /dev/null; exit 0",
        captured(3, 3)
    );
    let shop = shop(&plan(&Value::Null, &[]), &after);
    let typed = shop.staunch("migrate apply");
    assert!(
        typed
            .stderr
            .contains("did not migrate the state as it had planned to"),
        "{}",
        typed.stderr
    );
    assert_eq!(
        (state(&shop).to_string().as_str(), documents(&shop)),
        (BEFORE, 2)
    );
}

#[test]
fn a_candidate_that_passed_is_not_taken_back_when_it_fails_later() {
    let script = format!(
        "{}; {}; {}; sleep 1; exit 7",
        captured(3, 3),
        captured(4, 4),
        captured(5, 5)
    );
    let shop = then(&script);
    let typed = shop.staunch("migrate apply --probation 3,30s");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    assert_eq!(documents(&shop), 5);
    assert_eq!(kinds(&shop)[1], "migration");
}

#[test]
fn without_a_probation_the_migration_is_all_that_is_waited_for() {
    let shop = then("cat > /dev/null; exit 0");
    let typed = shop.staunch("migrate apply --probation none");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    assert_ne!(state(&shop).to_string(), BEFORE);
}

#[test]
fn a_probation_that_is_interrupted_is_taken_back() {
    let shop = then(&format!(
        "{}; : > captured; cat > /dev/null; exit 0",
        captured(3, 3)
    ));
    let child = shop
        .command("migrate apply --probation 5,60s")
        .spawn()
        .unwrap();
    while !shop.dir().join("captured").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        shop.stable(&output.stderr)
    );
    assert_eq!(
        (state(&shop).to_string().as_str(), documents(&shop)),
        (BEFORE, 2)
    );
}

#[test]
fn an_upgrade_that_was_killed_is_taken_back_by_the_next_opening() {
    let shop = then(&format!(
        "{}; : > captured; cat > /dev/null; exit 0",
        captured(3, 3)
    ));
    let mut child = shop
        .command("migrate apply --probation 5,60s")
        .spawn()
        .unwrap();
    while !shop.dir().join("captured").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    shop.script("exit 1");
    assert_eq!(shop.staunch("run --once").code, Some(1));
    assert_eq!(state(&shop).to_string(), BEFORE);
    assert_eq!(kinds(&shop), ["rollback", "migration", "checkpoint"]);
}

#[test]
fn a_consent_on_the_command_line_is_enough_and_is_recorded() {
    let shop = shop(
        &plan(&json!("rewind"), &[]),
        "echo '{\"opened\":{}}'; cat > /dev/null; exit 0",
    );
    let typed = shop.staunch("migrate apply --allow backfill:orders --json");
    assert_eq!(code(&typed), (Some(2), json!("consent.not_needed")));
    let typed = shop.staunch("migrate apply --allow rewind:orders --author ann --reason tested");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    assert_eq!(
        state(&shop),
        json!({ "bindingStateV1": { "orders": { "inc": { "realtime": { "cursor": 1 } } } } })
    );
    let history = shop.staunch("migrate history --json").json();
    let change = &history["result"]["changes"][0];
    assert_eq!(
        (&change["consents"], &change["author"], &change["reason"]),
        (&json!(["rewind:orders"]), &json!("ann"), &json!("tested"))
    );
    assert_eq!(change["migrations"][0]["name"], json!("realtime"));
}

/// A connector that cannot tell what it would do: its state has another shape than the one of before.
fn foreign(script: &str) -> Shop {
    let shop = Shop::that(&CAPTURES.replace(
        "\"bindingStateV1\":{\"orders\":{\"inc\":{\"cursor\":2}}}",
        "\"seen\":2",
    ));
    assert_eq!(shop.staunch("run --once").code, Some(0));
    let answers = shop.read("connector.new");
    let at = answers.find("'{\"open\"'*)").unwrap();
    let answers = format!("{} '{{\"open\"'*) {script} ;; esac; done", &answers[..at]);
    shop.write("next.new", &answers);
    shop.script(answers.trim_start_matches("#!/bin/sh"));
    std::fs::rename(shop.dir().join("connector"), shop.dir().join("next")).unwrap();
    shop
}

const CONVERTS: &str = r#"echo '{"opened":{}}'
    echo '{"captured":{"binding":0,"doc":{"id":3}}}'
    echo '{"checkpoint":{"state":{"updated":{"seen":null,"position":{"n":3}},"mergePatch":true}}}'
    cat > /dev/null; exit 0"#;

#[test]
fn a_connector_that_cannot_tell_is_watched_on_a_copy_and_nothing_changes() {
    let shop = foreign(CONVERTS);
    let before = (shop.staunch("state --json").stdout, documents(&shop));
    let typed = shop.staunch("migrate plan --to ./next --observe=1s --out next.plan --json");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    let observed = &typed.json()["result"]["observed"];
    assert_eq!(
        (
            &observed["checkpoints"],
            &observed["documents"],
            &observed["bindings"][0]
        ),
        (
            &json!(1),
            &json!(1),
            &json!({ "stateKey": "orders", "documents": 1 })
        )
    );
    assert_eq!(
        observed["first"]["update"],
        json!({ "seen": null, "position": { "n": 3 } })
    );
    assert_eq!(
        (shop.staunch("state --json").stdout, documents(&shop)),
        before
    );
    let shown = shop.staunch("migrate plan --to ./next --observe=500ms");
    assert!(
        shown.stderr.contains("reads from the real source"),
        "{}",
        shown.stderr
    );

    // What was watched is what is applied, or nothing.
    let typed = shop.staunch("migrate apply next.plan");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    assert_eq!(state(&shop), json!({ "position": { "n": 3 } }));
    assert_eq!(documents(&shop), 3);
    let again = shop.staunch("migrate apply next.plan --json");
    assert_eq!(code(&again), (Some(6), json!("plan.stale")));
}

#[test]
fn a_connector_that_cannot_tell_needs_to_be_watched_or_consented_to() {
    let shop = foreign(CONVERTS);
    let typed = shop.staunch("migrate apply --to ./next --json");
    assert_eq!(code(&typed), (Some(6), json!("consent.missing")));
    let typed = shop.staunch("migrate apply --to ./next --allow unknown:*");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    assert_eq!(
        (state(&shop), documents(&shop)),
        (json!({ "position": { "n": 3 } }), 3)
    );

    // It is taken back by the state of before, and what came with it is captured again.
    let typed = shop.staunch("migrate rollback --mode snapshot --yes");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    assert_eq!(state(&shop), json!({ "seen": 2 }));
    assert!(
        typed.stderr.contains("1 document so far"),
        "{}",
        typed.stderr
    );
}

#[test]
fn a_foreign_candidate_that_fails_leaves_everything_as_it_was() {
    let shop = foreign(&CONVERTS.replace("cat > /dev/null; exit 0", "exit 9"));
    for flags in ["--observe=1s", "--allow unknown:*"] {
        let typed = shop.staunch(&format!("migrate apply --to ./next {flags}"));
        assert_eq!(typed.code, Some(1), "{flags}: {}", typed.stderr);
        assert!(
            typed.stderr.contains("exited with code 9"),
            "{}",
            typed.stderr
        );
        assert_eq!((state(&shop), documents(&shop)), (json!({ "seen": 2 }), 2));
        assert_eq!(kinds(&shop), ["checkpoint"]);
    }
}

#[test]
fn staunch_yaml_says_how_long_a_candidate_is_watched() {
    let shop = then(&format!("{}; sleep 60", captured(3, 3)));
    shop.write(
        "staunch.yaml",
        "version: 1\ncaptures: { acme/shop: { upgrade: { probation: { checkpoints: 1 }, on_failure: rollback } } }\n",
    );
    let mut command = shop.command("migrate apply");
    command.env_remove("STAUNCH_PROBATION");
    let output = command.output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        shop.stable(&output.stderr)
    );
    assert_eq!(documents(&shop), 3);
    shop.write(
        "staunch.yaml",
        "version: 1\ncaptures: { acme/shop: { upgrade: { on_failure: carry on } } }\n",
    );
    assert_eq!(shop.staunch("status").code, Some(2));
}

/// A connector that captures a document each 20 ms from where its state says, in a state of its own shape: `{"seen":N}`, or
/// `{"position":{"n":N}}`, which it makes of the other at its first checkpoint.
fn counting(is_second: bool, script: &str) -> String {
    let update = match is_second {
        false => r#"{\"seen\":$n}"#,
        true => r#"{\"seen\":null,\"position\":{\"n\":$n}}"#,
    };
    format!(
        r#"n=$(printf '%s' "$line" | sed -n 's/.*"state":{{[^}}]*"\(seen\|n\)":\([0-9]*\).*/\2/p'); n=${{n:-0}}
      echo '{{"opened":{{}}}}'; i=0
      while :; do
        n=$((n+1)); i=$((i+1))
        {script}
        echo "{{\"captured\":{{\"binding\":0,\"doc\":{{\"id\":$n}}}}}}"
        echo "{{\"checkpoint\":{{\"state\":{{\"updated\":{update},\"mergePatch\":true}}}}}}" || exit 0
        sleep 0.02
      done"#
    )
}

/// A shop that is running the first connector, and has a second one.
fn running(second: &str) -> (Shop, std::process::Child) {
    let shop = Shop::that(&counting(true, second));
    std::fs::rename(shop.dir().join("connector"), shop.dir().join("next")).unwrap();
    let answers = shop.read("connector.new");
    let at = answers.find("'{\"open\"'*)").unwrap();
    let first = format!(
        "{} '{{\"open\"'*) {} ;; esac; done",
        &answers[..at],
        counting(false, "")
    );
    shop.script(first.trim_start_matches("#!/bin/sh"));
    let child = shop.command("run").spawn().unwrap();
    while shop
        .dir()
        .join("out/acme/orders.jsonl")
        .metadata()
        .map_or(0, |found| found.len())
        < 100
    {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    (shop, child)
}

/// Ends a run, and sees that each number was captured once, in order.
fn ends_whole(shop: &Shop, child: std::process::Child) -> usize {
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let said = shop.stable(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    let text = shop.read("out/acme/orders.jsonl");
    let ids = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_u64());
    let ids: Vec<u64> = ids.map(Option::unwrap).collect();
    let count = ids.len() as u64;
    assert_eq!(
        ids,
        (1..=count).collect::<Vec<u64>>(),
        "nothing lost, nothing twice: {said}"
    );
    ids.len()
}

#[test]
fn a_capture_that_runs_is_handed_over_without_a_gap() {
    let (shop, child) = running("");
    let typed = shop.staunch("migrate apply --to ./next --observe=200ms --probation 3,30s --json");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    let result = &typed.json()["result"];
    assert!(result["pauseSeconds"].as_f64().unwrap() > 0.0);
    assert_eq!(result["documents"], json!(3));
    let then = documents(&shop);
    while documents(&shop) < then + 5 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(state(&shop)["position"]["n"].as_u64().unwrap() >= then as u64);
    ends_whole(&shop, child);
    let migrations = shop.staunch("migrate history --json").json();
    assert_eq!(migrations["result"]["changes"].as_array().unwrap().len(), 1);

    // The connector of before does not take the state of the other.
    let typed = shop.staunch("run --once --json");
    assert_eq!(typed.code, Some(6), "{}", typed.stderr);
}

#[test]
fn a_running_capture_goes_on_as_before_when_the_candidate_fails() {
    let (shop, child) = running("[ $i = 3 ] && { echo boom >&2; exit 101; }");
    let typed =
        shop.staunch("migrate apply --to ./next --allow unknown:* --probation 5,30s --json");
    assert_eq!(code(&typed), (Some(1), json!("upgrade.taken_back")));
    let then = documents(&shop);
    while documents(&shop) < then + 5 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    ends_whole(&shop, child);
    assert!(state(&shop)["seen"].as_u64().unwrap() >= then as u64);
    assert!(kinds(&shop).iter().all(|kind| kind == "checkpoint"));
}

#[test]
fn a_plan_of_another_revision_is_refused_by_the_runner() {
    let (shop, child) = running("");
    let typed = shop.staunch("migrate plan --to ./next --observe=200ms --out next.plan");
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    let typed = shop.staunch("migrate apply next.plan --json");
    assert_eq!(code(&typed), (Some(6), json!("plan.stale")));
    ends_whole(&shop, child);
}

#[test]
fn a_run_that_is_stopped_on_probation_takes_the_upgrade_back() {
    let (shop, child) = running(": > begun");
    let apply = shop
        .command("migrate apply --to ./next --allow unknown:* --probation 1000,60s --json")
        .spawn()
        .unwrap();
    while !shop.dir().join("begun").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    ends_whole(&shop, child);
    let output = apply.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        shop.stable(&output.stdout)
    );
    assert!(kinds(&shop).iter().all(|kind| kind == "checkpoint"));
}
