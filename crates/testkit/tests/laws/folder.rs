//! What a folder says is held against what comes out.

use std::path::Path;

use staunch_state::Chain;
use staunch_state::transform::flat_to_keyed;
use staunch_testkit::{Failure, Harness, Law, Report, check_migrations};

fn run(files: &[(&str, &str)]) -> Result<Report, Failure> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), files);
    harness().states(folder.path()).run()
}

fn harness() -> Harness {
    Harness::new(chain()).cases(20).kills(0)
}

fn chain() -> Chain {
    Chain::new().with(flat_to_keyed("main"))
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file can be written");
    }
}

const V1: &str = r#"{
  "state": {"bindingStateV1": {"a": {"inc": {"cursor": 7}}}},
  "update": {"bindingStateV1": {"a": {"inc": {"cursor": null, "main": {"cursor": 7}}}}},
  "after": {"bindingStateV1": {"a": {"inc": {"main": {"cursor": 7}}}}}
}"#;

#[test]
fn one_line_checks_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("v1.json", V1),
            (
                "v2.json",
                r#"{"bindingStateV1":{"a":{"inc":{"main":{"cursor":8}}}}}"#,
            ),
        ],
    );
    check_migrations(chain(), folder.path());
}

#[test]
fn what_a_file_says_of_the_update_is_held_against_it_to_the_byte() {
    assert_eq!(run(&[("v1.json", V1)]).unwrap().states, 1);
    for (from, to, words) in [
        (r#""cursor": null, "#, "", "is sent"),
        (
            r#"{"cursor": null, "main": {"cursor": 7}}"#,
            r#"{"main": {"cursor": 7}, "cursor": null}"#,
            "the file says",
        ),
        (
            r#""after": {"bindingStateV1": {"a": {"inc""#,
            r#""after": {"bindingStateV1": {"b": {"inc""#,
            "the state after",
        ),
    ] {
        let wrong = V1.replace(from, to);
        assert_ne!(wrong, V1);
        let failure = run(&[("v1.json", &wrong)]).unwrap_err();
        assert_eq!(failure.law(), Law::Expected);
        assert_eq!(failure.origin(), "v1.json");
        assert!(failure.to_string().contains(words), "{failure}");
    }
    let nothing = V1.replace(
        r#""update": {"bindingStateV1": {"a": {"inc": {"cursor": null, "main": {"cursor": 7}}}}}"#,
        r#""update": null"#,
    );
    let failure = run(&[("v1.json", &nothing)]).unwrap_err();
    assert!(
        failure.to_string().contains("the file says: nothing"),
        "{failure}"
    );
}

#[test]
fn an_empty_folder_a_broken_file_and_a_state_of_no_shape_are_failures_that_say_so() {
    for (files, words) in [
        (&[][..], "has no released state"),
        (
            &[("a.json", "{")][..],
            "`a.json` cannot be used: it is no JSON",
        ),
        (
            &[(
                "a.json",
                r#"{"bindingStateV1":{"a":{"inc":{"cursor":true}}}}"#,
            )][..],
            "cannot be read",
        ),
        (
            &[("a.json", r#"{"bindingStateV1":{"a":{"inc":7}}}"#)][..],
            "neither an old shape that a step carries over nor the new one",
        ),
        (
            &[(
                "a.json",
                r#"{"bindingStateV1":{"a":{"inc":{"main":{"cursor":7}}}}}"#,
            )][..],
            "no fixture has the old shape of `flat-to-keyed`",
        ),
    ] {
        let failure = run(files).unwrap_err();
        assert!(failure.to_string().contains(words), "{words} in {failure}");
    }
    let failure = harness().run().unwrap_err();
    assert!(
        failure.to_string().contains("there is no released state"),
        "{failure}"
    );
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let run = || run(&[("v1.json", V1)]).unwrap();
    assert_eq!(run(), run());
    insta::assert_snapshot!("a_report_for_people", run());
}
