//! The demo as the guide tells people to start it.

use std::process::Command;

#[test]
fn what_the_first_release_missed_is_captured_after_the_upgrade_and_nothing_is_lost() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let outcome = Command::new(env!("CARGO_BIN_EXE_staunch-outreach"))
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
        "accounts  3 changes missing",
        "REWIND",
        "accounts  0 changes missing",
        "prospects 0 changes missing",
        "later than",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn a_flag_that_it_does_not_know_is_an_error_with_the_usage() {
    let outcome = Command::new(env!("CARGO_BIN_EXE_staunch-outreach"))
        .arg("--out")
        .output()
        .expect("the demo runs");
    assert_eq!(outcome.status.code(), Some(2));
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(said.contains("Usage: cargo run"), "{said}");
}
