//! `doctor`: what is looked at, and what is found.

use serde_json::json;

use crate::project::{CAPTURES, Shop, assert_shown};

fn shop() -> Shop {
    let shop = Shop::that(CAPTURES);
    assert_eq!(shop.staunch("run --once").code, Some(0));
    shop
}

fn sql(shop: &Shop, statement: &str) {
    let path = shop.dir().join(".staunch/state.db");
    let database = rusqlite::Connection::open(path).unwrap();
    database.execute_batch(statement).unwrap();
}

/// What is wrong, and the exit code.
fn wrong(shop: &Shop, flags: &str) -> (Option<i32>, Vec<String>) {
    let typed = shop.staunch(&format!("doctor --json {flags}"));
    let examined = typed.json()["result"]["examined"].clone();
    let bad = examined.as_array().unwrap().iter();
    let bad = bad.filter(|examined| examined["health"] == json!("bad"));
    let told = bad.map(|examined| {
        let (what, detail) = (&examined["what"], &examined["detail"]);
        format!("{}: {}", what.as_str().unwrap(), detail.as_str().unwrap())
    });
    (typed.code, told.collect())
}

#[test]
fn a_project_that_is_well_is_told_to_be() {
    let shop = shop();
    let typed = shop.staunch("doctor --deep");
    assert_eq!(typed.code, Some(0));
    let text = typed
        .stdout
        .lines()
        .filter(|line| !line.contains("temporary folder"));
    let text: String = text.map(|line| format!("{line}\n")).collect();
    assert_shown!(crate::project::Typed {
        stdout: text,
        stderr: String::new(),
        ..typed
    });
    assert_eq!(Shop::that(CAPTURES).staunch("doctor").code, Some(0));
}

#[test]
fn what_is_wrong_is_found_and_nothing_is_touched() {
    for (what, spoil, expected) in [
        (
            "a file that is shorter",
            (|shop: &Shop| shop.write("out/acme/orders.jsonl", "{}\n")) as fn(&Shop),
            "files: `acme/orders.jsonl` has 3 bytes",
        ),
        (
            "a state that somebody changed",
            |shop| sql(shop, "UPDATE states SET state = '{}'"),
            "history: the history of `acme/shop` is damaged at revision 1",
        ),
        (
            "a state that is none",
            |shop| sql(shop, "UPDATE states SET state = 'x'"),
            "state: it cannot be read",
        ),
        (
            "a connector that is gone",
            |shop| std::fs::remove_file(shop.dir().join("connector")).unwrap(),
            "connector: `DIR/connector` was not found",
        ),
        (
            "a store of another",
            |shop| sql(shop, "PRAGMA application_id = 7"),
            "store: ",
        ),
    ] {
        let shop = shop();
        spoil(&shop);
        let before = std::fs::read(shop.dir().join(".staunch/state.db")).unwrap();
        let (code, wrong) = wrong(&shop, "");
        assert_eq!(code, Some(4), "{what}: {wrong:?}");
        assert!(
            wrong.iter().any(|told| told.starts_with(expected)),
            "{what}: {wrong:?}"
        );
        assert_eq!(
            std::fs::read(shop.dir().join(".staunch/state.db")).unwrap(),
            before
        );
    }
}

#[test]
fn a_deep_look_finds_a_change_that_was_changed() {
    let shop = shop();
    sql(
        &shop,
        "DROP TRIGGER changes_stay_as_they_are; UPDATE changes SET at = 'then'",
    );
    assert_eq!(wrong(&shop, ""), (Some(0), Vec::new()));
    let (code, wrong) = wrong(&shop, "--deep");
    assert_eq!(code, Some(4));
    assert!(
        wrong[0].contains("it is not as it was written"),
        "{wrong:?}"
    );
}

#[test]
fn what_is_not_committed_yet_is_odd_and_not_wrong() {
    let shop = shop();
    let text = shop.read("out/acme/orders.jsonl") + "{";
    shop.write("out/acme/orders.jsonl", &text);
    let typed = shop.staunch("doctor");
    assert_eq!(typed.code, Some(0));
    assert!(
        typed.stdout.contains("1 bytes that are not committed"),
        "{}",
        typed.stdout
    );
}
