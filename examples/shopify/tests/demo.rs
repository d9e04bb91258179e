//! The demo as the guide tells people to start it.

use std::process::Command;

#[test]
fn one_store_becomes_many_in_the_middle_of_a_backfill_and_nothing_is_missed_or_begun_twice() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let outcome = Command::new(env!("CARGO_BIN_EXE_staunch-shopify"))
        .arg("--in")
        .arg(dir.path().join("demo"))
        .output()
        .expect("the demo runs");
    let said = String::from_utf8_lossy(&outcome.stdout);
    assert!(
        outcome.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&outcome.stderr)
    );
    for expected in [
        "store-of-flat-state",
        "ensure-stores",
        "locations of alpha 60 records, 0 missing",
        "locations of beta  60 records, 0 missing",
        "products  of gamma 20 records, 0 missing",
        "was begun once",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn a_flag_that_it_does_not_know_is_an_error_with_the_usage() {
    let outcome = Command::new(env!("CARGO_BIN_EXE_staunch-shopify"))
        .arg("--out")
        .output()
        .expect("the demo runs");
    assert_eq!(outcome.status.code(), Some(2));
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(said.contains("Usage: cargo run"), "{said}");
}
