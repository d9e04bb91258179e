//! `migrate new`: what is written into a connector's crate, and what is not.

use serde_json::json;

use crate::project::{CAPTURES, Shop, Typed, assert_shown};

const MANIFEST: &str = "[package]\nname = \"source-shop\"\n\n[dependencies]\nstaunch = \"0.1\"\n";

/// The crate of a connector that has no migration yet.
fn fresh() -> Shop {
    let shop = Shop::empty();
    shop.write("Cargo.toml", MANIFEST);
    for folder in ["src", "tests"] {
        std::fs::create_dir(shop.dir().join(folder)).unwrap();
    }
    shop.write("src/main.rs", "mod connector;\n");
    shop.write("src/connector.rs", "impl Connector for Shop {\n}\n");
    shop
}

/// The same with a chain.
fn with_chain() -> Shop {
    let shop = fresh();
    shop.write(
        "src/migrations.rs",
        "Chain::new()\n    .with(transform::flat_to_keyed(\"a\"))\n    .with(transform::flat_to_subtasks([]).named(\"lookback\"))\n",
    );
    shop
}

/// Every file of the crate, sorted.
fn files(shop: &Shop) -> Vec<String> {
    fn collect(dir: &std::path::Path, root: &std::path::Path, files: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => collect(&path, root, files),
                false => files.push(
                    path.strip_prefix(root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                ),
            }
        }
    }
    let mut all = Vec::new();
    collect(shop.dir(), shop.dir(), &mut all);
    all.sort();
    all
}

fn refused(typed: &Typed, code: &str, problem: &str) {
    assert_eq!(
        (typed.code, typed.stdout.as_str()),
        (Some(2), ""),
        "{typed:?}"
    );
    assert!(
        typed.stderr.contains(code) && typed.stderr.contains(problem),
        "{typed:?}"
    );
}

#[test]
fn the_first_migration_of_a_connector_brings_its_chain() {
    use std::os::unix::fs::PermissionsExt as _;
    let shop = fresh();
    assert_shown!(shop.staunch("migrate new split-cursor"));
    assert_eq!(
        files(&shop),
        [
            "Cargo.toml",
            "src/connector.rs",
            "src/main.rs",
            "src/migrations.rs",
            "src/migrations/split_cursor.rs",
            "tests/states/split-cursor.json",
        ]
    );
    // As any file that is made here: readable for those that the umask does not exclude.
    let mode = |name: &str| {
        shop.dir()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode("src/migrations/split_cursor.rs"), mode("src/main.rs"));
}

#[test]
fn a_further_migration_says_where_it_goes_in_the_chain() {
    let shop = with_chain();
    let chain = shop.read("src/migrations.rs");
    assert_shown!(shop.staunch("migrate new split-cursor"));
    assert_eq!(shop.read("src/migrations.rs"), chain);
    assert_eq!(
        shop.staunch("migrate new later").code,
        Some(0),
        "and another one"
    );
}

#[test]
fn from_a_folder_below_paths_lead_up() {
    let shop = with_chain();
    assert_shown!(shop.staunch("-C src migrate new split-cursor"));
    assert_eq!(
        shop.staunch("-C src migrate new split-cursor").code,
        Some(2)
    );
}

#[test]
fn a_machine_reads_what_was_begun() {
    let shop = with_chain();
    let typed = shop.staunch("migrate new split-cursor --json");
    assert_eq!((typed.code, typed.stderr.as_str()), (Some(0), ""));
    let envelope = typed.json();
    assert_eq!(envelope["command"], json!("migrate new"));
    let result = &envelope["result"];
    assert_eq!(
        (
            &result["name"],
            &result["fixture"],
            &result["created"][0]["path"]
        ),
        (
            &json!("split-cursor"),
            &json!("example"),
            &json!("src/migrations/split_cursor.rs")
        )
    );
    assert_eq!(
        result["add"][1]["code"],
        json!(".with(split_cursor::SplitCursor)")
    );
    let again = shop.staunch("migrate new split-cursor --json");
    assert_eq!(
        (again.code, &again.json()["command"]),
        (Some(2), &json!("migrate new"))
    );
}

#[test]
fn a_fixture_is_taken_from_a_file_without_the_token_in_it() {
    let shop = with_chain();
    shop.write("old.json", r#"{"refresh_token":"hunter2","bindingStateV1":{"orders":{"inc":{"cursor":12345678901234567890123,"more":1.50}}}}"#);
    let typed = shop.staunch("migrate new split-cursor --state old.json");
    assert_eq!(typed.code, Some(0), "{typed:?}");
    assert!(typed.stderr.contains("a copy of a real state"), "{typed:?}");
    insta::assert_snapshot!(shop.read("tests/states/split-cursor.json"));
    let envelope = shop
        .staunch("migrate new other --state old.json --json")
        .json();
    assert_eq!(envelope["result"]["fixture"], json!("given"));
}

#[test]
fn a_fixture_is_taken_from_what_a_capture_has_stored() {
    let project = Shop::that(CAPTURES);
    let shop = with_chain();
    let flow = project.dir().join("flow.yaml");
    let new = |name: &str| {
        shop.staunch(&format!(
            "-f {} migrate new {name} --capture shop",
            flow.display()
        ))
    };
    let typed = new("split-cursor");
    refused(&typed, "state.none", "it never committed");
    assert_eq!(project.staunch("run --once").code, Some(0));
    let typed = new("split-cursor");
    assert_eq!(typed.code, Some(0), "{typed:?}");
    let fixture: serde_json::Value =
        serde_json::from_str(&shop.read("tests/states/split-cursor.json")).unwrap();
    assert_eq!(
        fixture,
        json!({"bindingStateV1": {"orders": {"inc": {"cursor": 2}}}})
    );
    refused(
        &shop.staunch(&format!(
            "-f {} migrate new other --capture shp",
            flow.display()
        )),
        "catalog.unknown_capture",
        "no capture is named `shp`",
    );
}

#[test]
fn nothing_is_written_where_anything_is_wrong() {
    let shop = with_chain();
    shop.write("old.json", "[]");
    std::fs::create_dir(shop.dir().join("tests/states")).unwrap();
    shop.write("tests/states/occupied.json", "{}");
    let before = files(&shop);
    for (line, code, problem) in [
        ("Split", "migration.name", "small letters, digits and `-`"),
        ("../../etc", "migration.name", "small letters"),
        ("mod", "migration.name", "a module cannot be named so"),
        (
            "lookback",
            "migration.name",
            "is in use, at src/migrations.rs:3",
        ),
        (
            "flat-to-keyed",
            "migration.name",
            "is in use, at src/migrations.rs:2",
        ),
        (
            "occupied",
            "crate.occupied",
            "`tests/states/occupied.json` is there already",
        ),
        (
            "new --state missing.json",
            "input.not_found",
            "`missing.json` (`--state`)",
        ),
        ("new --state old.json", "input.not_a_state", "holds a list"),
        (
            "new --capture shop",
            "catalog.not_found",
            "`flow.yaml` is not there",
        ),
        (
            "new --capture shop --state old.json",
            "cannot be used with",
            "--state",
        ),
        ("", "required", "<NAME>"),
    ] {
        refused(&shop.staunch(&format!("migrate new {line}")), code, problem);
    }
    assert_eq!(files(&shop), before);
    assert_shown!(shop.staunch("migrate new lookback"));
}

#[test]
fn a_folder_that_is_no_connectors_crate_is_left_alone() {
    let shop = Shop::empty();
    assert_shown!(shop.staunch("migrate new split-cursor"));
    for (manifest, problem) in [
        ("[workspace]\nmembers = [\"a\"]\n", "is that of a workspace"),
        ("[package]\nname = \"a\"\n", "does not depend on `staunch`"),
    ] {
        shop.write("Cargo.toml", manifest);
        refused(
            &shop.staunch("migrate new split-cursor"),
            "crate.not_a_connector",
            problem,
        );
    }
    assert_eq!(files(&shop), ["Cargo.toml"]);
}
