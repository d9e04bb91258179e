//! `state`: what was, what was done, and what a person does to it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::project::{CAPTURES, CATALOG, Shop, Typed, assert_shown, interrupt};

/// A capture that has gone on by hand to this cursor, so that there is a history.
fn shop() -> Shop {
    let shop = Shop::that(CAPTURES);
    assert_eq!(shop.staunch("run --once").code, Some(0));
    for cursor in [5, 7] {
        let typed = set(
            &shop,
            cursor,
            "--allow skip:orders --yes --author ada --reason moved",
        );
        assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    }
    shop
}

/// Sets the cursor of orders.
fn set(shop: &Shop, cursor: u64, flags: &str) -> Typed {
    let value = json!({ "inc": { "cursor": cursor } });
    shop.staunch(&format!(
        "state set --binding orders --merge --value {value} {flags}"
    ))
}

fn cursor(shop: &Shop) -> Value {
    let state = shop.staunch("state show -q").json();
    state["bindingStateV1"]["orders"]["inc"]["cursor"].clone()
}

fn code(typed: &Typed) -> (Option<i32>, String) {
    let code = typed.json()["error"]["code"].as_str().map(str::to_owned);
    (typed.code, code.unwrap_or_default())
}

#[test]
fn a_history_tells_what_was_done_by_whom_and_why() {
    assert_shown!(shop().staunch("state history --check"));
}

#[test]
fn a_state_of_before_is_shown_by_its_revision_or_its_time() {
    let shop = shop();
    for (revision, expected) in [(1, json!(2)), (2, json!(5)), (3, json!(7))] {
        let shown = shop.staunch(&format!("state show --rev {revision} -q --binding orders"));
        assert_eq!(shown.json()["inc"]["cursor"], expected);
    }
    assert_eq!(shop.staunch("state show --rev 0 -q").json(), json!({}));
    let history = shop.staunch("state history --json").json();
    let first = history["result"]["changes"][2]["at"].as_str().unwrap();
    let shown = shop
        .staunch(&format!("state show --json --at {first}"))
        .json();
    assert_eq!(
        (&shown["result"]["wasAt"], &shown["result"]["state"]),
        (
            &json!(1),
            &json!({ "bindingStateV1": { "orders": { "inc": { "cursor": 2 } } } })
        )
    );
    for (flags, exit, expected) in [
        ("--rev 9", 2, "there is no revision 9 yet"),
        ("--at 2020-01-01T00:00:00Z", 2, "is kept from"),
        ("--at yesterday", 2, "it is no time with a zone"),
        (
            "--rev 1 --at 2020-01-01T00:00:00Z",
            2,
            "cannot be used with",
        ),
    ] {
        let typed = shop.staunch(&format!("state show {flags}"));
        assert_eq!(typed.code, Some(exit), "{flags}");
        assert!(typed.stderr.contains(expected), "{flags}: {}", typed.stderr);
    }
}

#[test]
fn a_status_tells_where_every_capture_is() {
    let shop = shop();
    let (captures, collections) = CATALOG.split_once("collections:").unwrap();
    let second = captures.split_once("captures:\n").unwrap().1;
    let second = second.replace("acme/shop:", "acme/second:");
    shop.write(
        "flow.yaml",
        &format!("{captures}{second}collections:{collections}"),
    );
    assert_shown!(shop.staunch("status"));
    let status = shop.staunch("status shop --json").json();
    let captures = status["result"]["captures"].as_array().unwrap();
    assert_eq!(
        (
            captures.len(),
            &captures[0]["committed"]["revision"],
            &captures[0]["bindings"]
        ),
        (
            1,
            &json!(3),
            &json!([{ "stateKey": "orders", "resumesAt": "7" }])
        )
    );
    assert_eq!(shop.staunch("status nobody").code, Some(2));
}

#[test]
fn what_has_changed_since_a_revision_is_shown() {
    assert_shown!(shop().staunch("state show --diff 1"));
}

#[test]
fn a_change_is_shown_with_what_it_means_and_refused_without_consent() {
    let shop = shop();
    assert_shown!(set(&shop, 3, "--yes"));
    assert_eq!(cursor(&shop), json!(7));
}

#[test]
fn a_change_that_is_consented_to_is_committed_and_can_be_taken_back() {
    let shop = shop();
    assert_shown!(set(&shop, 3, "--allow rewind:orders --yes --reason again"));
    assert_eq!(cursor(&shop), json!(3));
    let back = shop.staunch("state undo --allow skip:orders --yes");
    assert_eq!((back.code, cursor(&shop)), (Some(0), json!(7)));
    let to = shop.staunch("state undo --to 1 --allow rewind:orders --yes");
    assert_eq!((to.code, cursor(&shop)), (Some(0), json!(2)));
    // The files are as they were: a change of the state touches no document.
    assert_eq!(shop.read("out/acme/orders.jsonl").lines().count(), 2);
    assert_eq!(shop.staunch("state history --check -q").code, Some(0));
    assert_eq!(shop.staunch("run --once").code, Some(0));
}

#[test]
fn nothing_is_changed_where_nobody_can_be_asked() {
    let shop = shop();
    let typed = set(&shop, 3, "--allow rewind:orders --json");
    assert_eq!(code(&typed), (Some(6), "change.not_confirmed".to_owned()));
    assert_eq!(cursor(&shop), json!(7));
}

#[test]
fn a_consent_that_is_not_needed_or_of_a_binding_that_is_not_there_is_refused() {
    let shop = shop();
    for allow in ["backfill:orders", "rewind:refunds"] {
        let typed = set(
            &shop,
            3,
            &format!("--allow rewind:orders --allow {allow} --yes --json"),
        );
        assert_eq!(code(&typed), (Some(2), "consent.not_needed".to_owned()));
    }
    let typed = shop.staunch("state reset --binding refunds --allow backfill:refunds --yes --json");
    assert_eq!(code(&typed), (Some(2), "state.unknown_binding".to_owned()));
    assert_eq!(cursor(&shop), json!(7));
}

#[test]
fn a_binding_that_is_reset_starts_over() {
    let shop = shop();
    let typed = shop.staunch("state reset --binding orders --yes --json");
    assert_eq!(code(&typed), (Some(6), "consent.missing".to_owned()));
    let typed = shop.staunch("state reset --binding orders --allow backfill:orders --yes --json");
    let result = &typed.json()["result"];
    assert_eq!(
        (
            typed.code,
            &result["update"],
            &result["changed"][0]["outcome"]
        ),
        (
            Some(0),
            &json!({ "bindingStateV1": { "orders": null } }),
            &json!("BACKFILL")
        )
    );
    assert_eq!(
        shop.staunch("state show -q").json(),
        json!({ "bindingStateV1": {} })
    );
}

#[test]
fn a_value_that_is_no_state_is_refused() {
    let shop = shop();
    for (value, expected) in [
        ("[1]", "is no object"),
        ("{", "is no JSON"),
        ("7", "is no object"),
    ] {
        let typed = shop.staunch(&format!("state set --binding orders --value {value} --yes"));
        assert_eq!(typed.code, Some(2));
        assert!(typed.stderr.contains(expected), "{}", typed.stderr);
    }
    let unreadable = r#"state set --binding orders --value {"inc":7} --yes"#;
    let typed = shop.staunch(unreadable);
    assert_eq!(typed.code, Some(6));
    assert!(
        typed.stderr.contains("--allow unknown:orders"),
        "{}",
        typed.stderr
    );
    assert_eq!(cursor(&shop), json!(7));
}

#[test]
fn a_state_that_the_connector_does_not_read_is_refused() {
    let shop = shop();
    let answers = shop.read("connector.new");
    let answers = answers.trim_start_matches("#!/bin/sh");
    shop.script(&format!(
        "case \"$1 $2\" in 'plan --probe') echo '{{\"staunch\":{{\"plan\":1}}}}'; exit 0;;
         plan*) cat > /dev/null; echo 'the cursor of orders is no even number' >&2; exit 1;; esac\n{answers}"
    ));
    let typed = set(&shop, 3, "--allow rewind:orders --yes");
    assert_eq!(typed.code, Some(6));
    assert!(typed.stderr.contains("no even number"), "{}", typed.stderr);
    assert_eq!(cursor(&shop), json!(7));
    let typed = set(&shop, 3, "--allow rewind:orders --yes --unread");
    assert_eq!((typed.code, cursor(&shop)), (Some(0), json!(3)));
}

#[test]
fn a_state_is_exported_and_imported_to_the_letter() {
    let shop = shop();
    let export = shop.staunch("state export");
    assert_eq!(export.code, Some(0));
    shop.write("states.json", &export.stdout);
    let before = shop.staunch("state show -q").stdout;
    set(&shop, 3, "--allow rewind:orders --yes");
    let import = "state import states.json --allow skip:orders --yes";
    let typed = shop.staunch(import);
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    assert_eq!(shop.staunch("state show -q").stdout, before);

    shop.write(
        "changed.json",
        &export.stdout.replace("\"cursor\":7", "\"cursor\":8"),
    );
    let typed = shop.staunch("state import changed.json --yes --json");
    assert_eq!(code(&typed), (Some(2), "input.not_a_state".to_owned()));
    assert!(
        typed.stdout.contains("its checksum is not"),
        "{}",
        typed.stdout
    );
    let typed = shop.staunch("state import states.json --as acme/other --yes");
    assert!(
        typed.stderr.contains("it has `acme/shop`"),
        "{}",
        typed.stderr
    );
    assert_eq!(shop.staunch("state show -q").stdout, before);
}

#[test]
fn what_belongs_to_no_binding_is_not_printed_with_a_change() {
    let shop = shop();
    let secret = CAPTURES.replace(
        r#""updated":{"bindingStateV1""#,
        r#""updated":{"refresh_token":"hunter2","bindingStateV1""#,
    );
    let answers = shop.read("connector.new").replace(CAPTURES, &secret);
    shop.script(answers.trim_start_matches("#!/bin/sh"));
    assert_eq!(shop.staunch("run --once").code, Some(0));
    let undo = "state undo --to 2 --allow skip:orders --allow unknown:* --yes";
    let typed = shop.staunch(undo);
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    assert!(!typed.stdout.contains("hunter2"), "{}", typed.stdout);
    let typed = shop.staunch("state show --diff 4");
    assert!(
        typed.stdout.contains(r#""refresh_token": null"#),
        "{}",
        typed.stdout
    );
    let typed = shop.staunch("state undo --to 4 --allow rewind:orders --yes");
    assert_eq!(typed.code, Some(6));
    assert!(
        typed.stderr.contains(r#""refresh_token": "…""#),
        "{}",
        typed.stderr
    );
    assert!(!typed.stderr.contains("hunter2"), "{}", typed.stderr);
}

#[test]
fn a_state_is_copied_to_another_capture() {
    let shop = shop();
    let second = CATALOG
        .replace("acme/shop:", "acme/second:")
        .replace("acme/orders", "acme/others");
    let (captures, collections) = second.split_once("collections:").unwrap();
    let captures = captures.split_once("captures:\n").unwrap().1;
    let (first, own) = CATALOG.split_once("collections:").unwrap();
    shop.write(
        "flow.yaml",
        &format!("{first}{captures}collections:{own}{collections}"),
    );
    let copy = "state copy acme/shop acme/second --binding orders --allow unknown:orders --yes";
    let typed = shop.staunch(copy);
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    let copied = shop.staunch("state show second -q").json();
    assert_eq!(
        copied["bindingStateV1"]["orders"]["inc"]["cursor"],
        json!(7)
    );
    let typed = shop.staunch("state copy acme/shop acme/shop --yes");
    assert_eq!(typed.code, Some(2));
}

#[test]
fn a_state_is_not_changed_under_a_running_capture() {
    let shop = Shop::that(&CAPTURES.replace("exit 0", "cat > /dev/null; exit 0"));
    let mut run = shop.command("run").spawn().unwrap();
    let began = Instant::now();
    while shop.staunch("state show -q").stdout.is_empty() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "it never committed"
        );
    }
    let typed = set(&shop, 3, "--allow skip:orders --yes --json");
    assert_eq!(code(&typed), (Some(7), "store.locked".to_owned()));
    interrupt(&run);
    run.wait().unwrap();
    assert_eq!(cursor(&shop), json!(2));
}

#[test]
fn a_damaged_history_is_told_and_the_state_can_still_be_exported() {
    let shop = shop();
    let database = rusqlite::Connection::open(shop.dir().join(".staunch/state.db")).unwrap();
    database
        .execute_batch(
            "DROP TRIGGER changes_stay_as_they_are; UPDATE changes SET reason = 'none' WHERE revision = 2",
        )
        .unwrap();
    drop(database);
    let typed = shop.staunch("state history --check --json");
    assert_eq!(code(&typed), (Some(3), "store.history_broken".to_owned()));
    assert!(typed.stdout.contains("revision 2"), "{}", typed.stdout);
    assert_eq!(shop.staunch("state export").code, Some(0));
}
