//! What is typed or written wrongly, and connectors that do not do what they should.

use std::fs::File;

use serde_json::json;

use crate::project::{CAPTURES, CATALOG, Shop, assert_shown};

#[test]
fn a_flag_that_is_not_there_is_a_usage_error() {
    let shop = Shop::that(CAPTURES);
    for line in [
        "serve",
        "run --snik stdout",
        "run --until-idle 5",
        "run --until-idle 0s",
        "migrate apply plan.json",
        "migrate plan --to",
        "-q -v check",
        "--color mauve check",
        "-C nowhere check",
        "check other",
        "state show set",
    ] {
        let typed = shop.staunch(line);
        assert_eq!(
            (typed.code, typed.stdout.as_str()),
            (Some(2), ""),
            "{line}: {typed:?}"
        );
        assert!(!typed.stderr.is_empty(), "{line}");
    }
    assert!(
        !shop.dir().join(".staunch").exists(),
        "a mistake makes nothing"
    );
}

#[test]
fn a_duration_without_a_unit_is_explained() {
    assert_shown!(Shop::empty().staunch("run --until-idle 5"));
}

#[test]
fn a_usage_error_is_an_envelope_for_a_machine() {
    let typed = Shop::empty().staunch("serve --json");
    assert_eq!((typed.code, typed.stderr.as_str()), (Some(2), ""));
    let envelope = typed.json();
    assert_eq!(
        (&envelope["ok"], &envelope["error"]["code"]),
        (&json!(false), &json!("usage"))
    );
}

#[test]
fn a_missing_catalog_is_named() {
    assert_shown!(Shop::empty().staunch("run"));
    assert_eq!(Shop::empty().staunch("check").code, Some(2));
}

#[test]
fn a_malformed_catalog_is_shown_with_its_line() {
    let shop = Shop::empty();
    shop.write("flow.yaml", "captures:\n  acme/shop: [\n");
    assert_shown!(shop.staunch("run"));
    assert_eq!(shop.staunch("check").code, Some(4));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let shop = Shop::that(CAPTURES);
    shop.write(
        "flow.yaml",
        &CATALOG
            .replace("bindings:", "bindngs: []\n    bindings:")
            .replace("key: [/id]", "key: [id]"),
    );
    shop.write(
        "staunch.yaml",
        "version: 1\nsinks: { default: { type: duckdb, dir: out } }\n",
    );
    assert_shown!(shop.staunch("check"));
    let envelope = shop.staunch("check --json").json();
    assert_eq!(
        (&envelope["ok"], &envelope["summary"]),
        (&json!(false), &json!("3 findings"))
    );
    assert_eq!(envelope["result"]["findings"][1]["line"], json!(8));
}

#[test]
fn an_unknown_capture_is_met_with_those_that_there_are() {
    let shop = Shop::that(CAPTURES);
    assert_shown!(shop.staunch("run shp"));
    assert_eq!(
        shop.staunch("check shp").code,
        Some(2),
        "the name was typed, so it is no finding"
    );
}

#[test]
fn a_connector_that_is_not_there_is_unreachable() {
    let shop = Shop::that(CAPTURES);
    shop.write("flow.yaml", &CATALOG.replace("./connector", "./missing"));
    assert_shown!(shop.staunch("run"));
    for verb in ["spec", "discover", "check", "migrate"] {
        assert_eq!(shop.staunch(verb).code, Some(3), "{verb}");
    }
}

#[test]
fn garbage_from_a_connector_is_quoted() {
    let shop = Shop::that(CAPTURES);
    shop.script("echo 'Hello! I am a connector.'; cat > /dev/null");
    assert_shown!(shop.staunch("run"));
}

#[test]
fn a_connector_that_exits_early_is_told_with_its_last_words() {
    let shop = Shop::that(CAPTURES);
    shop.script(
        "read -r line; echo '{\"level\":\"error\",\"msg\":\"the token has expired\"}' >&2; exit 1",
    );
    assert_shown!(shop.staunch("run"));
    assert_shown!(shop.staunch("check"));
}

#[test]
fn a_connector_that_ends_without_a_word_is_told_so() {
    let shop = Shop::that(CAPTURES);
    shop.script("read -r line");
    let typed = shop.staunch("spec");
    assert_eq!(typed.code, Some(1));
    assert!(
        typed.stderr.contains("connector.silent"),
        "{}",
        typed.stderr
    );
}

#[test]
fn an_answer_of_the_wrong_kind_breaks_the_protocol() {
    let shop = Shop::that(CAPTURES);
    shop.script("read -r line; echo '{\"opened\":{}}'; cat > /dev/null");
    assert_shown!(shop.staunch("spec"));
}

#[test]
fn a_document_that_does_not_fit_ends_the_run_and_commits_nothing() {
    let shop = Shop::that(
        r#"echo '{"opened":{}}'; echo '{"captured":{"binding":0,"doc":{"id":"one"}}}'; echo '{"checkpoint":{}}'; exit 0"#,
    );
    assert_shown!(shop.staunch("run --once"));
}

#[test]
fn a_store_that_another_process_holds_is_locked() {
    let shop = Shop::that(CAPTURES);
    std::fs::create_dir_all(shop.dir().join(".staunch/leases")).unwrap();
    let lock = File::create(shop.dir().join(".staunch/leases/acme%2Fshop.lease")).unwrap();
    lock.lock().unwrap();
    assert_shown!(shop.staunch("run"));
    assert_eq!(
        shop.staunch("state show").code,
        Some(0),
        "looking needs no lease"
    );
    let lines = shop.staunch("run --json").lines();
    assert_eq!(
        (&lines[0]["type"], &lines[0]["error"]["code"]),
        (&json!("summary"), &json!("store.locked"))
    );
}

#[test]
fn a_store_that_is_none_cannot_be_used() {
    let shop = Shop::that(CAPTURES);
    std::fs::create_dir(shop.dir().join(".staunch")).unwrap();
    shop.write(".staunch/state.db", "this is no database at all, and it is longer than a header of one would be: .................");
    for verb in ["run", "state"] {
        let typed = shop.staunch(verb);
        assert_eq!(typed.code, Some(3), "{verb}: {typed:?}");
        assert!(typed.stderr.contains("store.corrupt"), "{}", typed.stderr);
    }
}

#[test]
fn where_there_is_no_unicode_signs_are_ascii() {
    let shop = Shop::empty();
    let output = shop.command("check").env("LANG", "C").output().unwrap();
    assert!(
        output.stderr.is_ascii() && output.stderr.starts_with(b"x catalog.not_found"),
        "{output:?}"
    );
}

#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let shop = Shop::empty();
    let escapes = |line: &str, variable: Option<&str>| {
        let mut command = shop.command(line);
        if let Some(variable) = variable {
            command.env(variable, "1");
        }
        command.output().unwrap().stderr.contains(&0x1b)
    };
    assert!(!escapes("check", None));
    assert!(escapes("--color always check", None) && escapes("check", Some("CLICOLOR_FORCE")));
    assert!(!escapes("--color never check", Some("CLICOLOR_FORCE")));
}
