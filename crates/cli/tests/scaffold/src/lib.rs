//! A connector's crate after `staunch migrate new split-cursor`: what was written is beside this file, and the lines that it asks
//! for are here.
//!
//! So the compiler checks what authors are given, with every other test and without a cargo inside of cargo, which would build
//! the kit once more. One test sees that what is here is what would be written today.
#![forbid(unsafe_code)]

mod migrations;

use std::process::Command;

use staunch::state::{Binding, Node, Outcome, Terms, survey};
use staunch::{BoxError, Connector, Resource};

/// What the connector needs to know: nothing.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {}

struct Shop;

impl Connector for Shop {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/shop";

    async fn resources(&self, _: &Config) -> Result<Vec<Resource>, BoxError> {
        Ok(Vec::new())
    }

    fn migrations(&self, _: &Self::Config) -> staunch::state::Chain {
        crate::migrations::chain()
    }
}

#[test]
fn every_released_state_is_carried_over() {
    // The crate of this test is another, so this line is not the one that is asked for.
    let states = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scaffold/tests/states");
    staunch_testkit::check_migrations(crate::migrations::chain(), states);
}

#[test]
fn what_is_compiled_here_is_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir(path("src")).unwrap();
    std::fs::write(path("src/lib.rs"), "").unwrap();
    let manifest = "[package]\nname = \"shop\"\n[dependencies]\nstaunch = \"0.1\"\n";
    std::fs::write(path("Cargo.toml"), manifest).unwrap();
    let outcome = Command::new(env!("CARGO_BIN_EXE_staunch"))
        .args(["migrate", "new", "split-cursor"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(outcome.status.success(), "{said}");
    let shown = String::from_utf8(outcome.stdout).unwrap();
    let (_, additions) = shown.split_once("\nadd\n").unwrap();
    let code: Vec<&str> = additions
        .lines()
        .filter(|line| line.starts_with("      "))
        .map(str::trim)
        .collect();
    assert_eq!(code.len(), 11, "{shown}");
    let (of_the_manifest, code): (Vec<&str>, Vec<&str>) = code
        .into_iter()
        .partition(|line| line.starts_with("[dev-") || line.starts_with("staunch-testkit"));
    assert_eq!(of_the_manifest.len(), 2, "{shown}");
    for line in code
        .into_iter()
        .filter(|line| !line.contains("CARGO_MANIFEST_DIR"))
    {
        let is_here = include_str!("lib.rs")
            .lines()
            .any(|here| here.trim() == line);
        assert!(is_here, "{line}");
    }
    for (name, text) in [
        ("src/migrations.rs", include_str!("migrations.rs")),
        (
            "src/migrations/split_cursor.rs",
            include_str!("migrations/split_cursor.rs"),
        ),
        (
            "tests/states/split-cursor.json",
            include_str!("../tests/states/split-cursor.json"),
        ),
    ] {
        let written = std::fs::read_to_string(path(name)).unwrap();
        assert_eq!(written, text, "{name}");
    }
}

#[test]
fn the_step_is_one_that_the_safety_checks_let_pass() {
    let before = Node::parse(include_str!("../tests/states/split-cursor.json")).unwrap();
    let bindings = [Binding {
        state_key: "orders".to_owned(),
        resource: None,
        is_active: true,
    }];
    let chain = Shop.migrations(&Config {});
    let migrated = chain.run(&before, &bindings).unwrap();
    let terms = Terms {
        declared: chain.declared(),
        ..Terms::default()
    };
    let plan = survey(
        &before,
        &migrated.after,
        &bindings,
        &migrated.applied,
        &terms,
    )
    .unwrap();
    let (group, _) = plan.binding("orders").unwrap();
    assert_eq!(group.outcome, Outcome::Rewrite);
    assert!(plan.needed().is_empty());
}
