//! What the workspace builds on, as far as a build alone would not tell that it is wrong.
#![forbid(unsafe_code)]

use std::process::Command;

/// Crates of which two versions in one program would not know of each other's types, clocks or connections.
const LOAD_BEARING: [&str; 11] = [
    "axum",
    "hyper",
    "libsqlite3-sys",
    "prost",
    "reqwest",
    "rusqlite",
    "rustls",
    "serde",
    "serde_json",
    "tokio",
    "tower-http",
];

fn cargo_tree(arguments: &[&str]) -> String {
    let outcome = Command::new(env!("CARGO"))
        .args(["tree", "--all-features", "--locked", "--prefix", "none"])
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "cargo tree {arguments:?}: {said}");
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

#[test]
fn no_load_bearing_crate_is_there_in_two_versions() {
    let duplicates = cargo_tree(&["--workspace", "--duplicates", "--depth", "0"]);
    let versions = |name: &&str| {
        let lines = duplicates
            .lines()
            .filter(|line| line.split(' ').next() == Some(name));
        let versions: std::collections::BTreeSet<_> =
            lines.filter_map(|line| line.split(' ').nth(1)).collect();
        versions.len() > 1
    };
    let twice: Vec<_> = LOAD_BEARING.iter().filter(|name| versions(name)).collect();
    assert!(twice.is_empty(), "{twice:?} in\n{duplicates}");
}

#[test]
fn json_keeps_its_meaning_whatever_a_dependency_asks_for() {
    let features = cargo_tree(&[
        "--workspace",
        "--edges",
        "features",
        "--invert",
        "serde_json",
    ]);
    assert!(
        features.contains("serde_json feature \"raw_value\""),
        "{features}"
    );
    // The first breaks flattened and untagged types, the second changes the order of maps for everybody.
    for forbidden in ["arbitrary_precision", "preserve_order"] {
        let is_on = features.contains(&format!("serde_json feature \"{forbidden}\""));
        assert!(!is_on, "`{forbidden}` is on:\n{features}");
    }
}

#[test]
fn the_state_engine_is_built_on_nothing_asynchronous_and_on_no_input_or_output() {
    let tree = cargo_tree(&["--package", "staunch-state", "--edges", "normal"]);
    let crates: std::collections::BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(crates.contains("staunch-state"), "{tree}");
    let engines = [
        "tokio",
        "futures",
        "futures-core",
        "async-",
        "mio",
        "smol",
        "reqwest",
        "hyper",
        "rustix",
        "tempfile",
    ];
    let found: Vec<_> = crates
        .iter()
        .filter(|name| {
            engines
                .iter()
                .any(|engine| *name == engine || engine.ends_with('-') && name.starts_with(engine))
        })
        .collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(crates.len() < 25, "small: {crates:?}");
}
