//! Connectors that go wrong while the capture is open, after two documents that are committed and within a sequence.

use std::fs;

use serde_json::Value;

use crate::support::{Project, cursor};

#[test]
fn whatever_a_connector_does_in_a_session_the_last_commit_stands() {
    for (mode, said) in [
        (
            "garbage",
            &[
                "connector.garbage",
                "Traceback (most recent call last):",
                "standard error",
            ][..],
        ),
        (
            "exits-1",
            &[
                "connector.failed",
                "exited with code 1",
                "page 2 could not be read; look at the source",
            ],
        ),
        (
            "exits-0",
            &[
                "incomplete_sequence",
                "within a capture checkpoint sequence",
            ],
        ),
        ("aborts", &["connector.failed", "ended by signal 6"]),
        ("wrong-message", &["unexpected_response", "`validated`"]),
        ("opened-twice", &["unexpected_response", "`opened`"]),
        (
            "unknown-binding",
            &[
                "invalid_binding",
                "`captured` binding 7",
                "the capture has 1",
            ],
        ),
        (
            "negative-binding",
            &["connector.garbage", "captured.binding"],
        ),
        ("line-too-long", &["line_too_long", "67108864 bytes"]),
        ("line-not-utf8", &["connector.garbage", "not UTF-8"]),
        ("document-not-utf8", &["connector.garbage", "not UTF-8"]),
        ("document-not-json", &["connector.garbage", "not JSON"]),
        ("document-twice-json", &["connector.garbage", "not JSON"]),
        ("line-blank", &["blank_line", "blank line"]),
        (
            "two-messages",
            &["connector.garbage", "2 messages in one line"],
        ),
        ("state-array", &["connector.state", "not an object"]),
        ("state-string", &["connector.state", "not an object"]),
        ("state-missing", &["updated"]),
        (
            "state-too-deep",
            &["connector.state", "nested deeper than 128"],
        ),
        ("state-not-json", &["connector.garbage", "not JSON"]),
        (
            "marker-in-sequence",
            &["marker_not_alone", "`backfillBegin`"],
        ),
    ] {
        let project = Project::new(&[mode]);
        project
            .run()
            .failed(1, said, mode)
            .failed(1, &["misbehave", "acme/numbers"], mode);
        project.assert_committed(2, mode);
        assert!(
            !project.path(".staunch/rejected").exists(),
            "{mode}: no document was at fault"
        );
        project.assert_completes(10, mode);
    }
}

#[test]
fn a_document_that_does_not_fit_is_saved_and_nothing_of_its_sequence_is_committed() {
    for (mode, said, document) in [
        (
            "document-array",
            &["an array, not an object"][..],
            &b"[4]"[..],
        ),
        ("document-string", &["a string, not an object"], b"\"four\""),
        ("document-null", &["null, not an object"], b"null"),
        ("document-number", &["a number, not an object"], b"4"),
        ("document-spaced", &["an array, not an object"], b"[4]"),
        (
            "document-wrong-type",
            &["at `/id`", "`type`", "/properties/id/type"],
            br#"{"id":"ada@example.com"}"#,
        ),
        (
            "document-missing-key",
            &["`required`", "/required"],
            br#"{"text":"ada@example.com"}"#,
        ),
        ("document-too-deep", &["128 levels"], b""),
    ] {
        let project = Project::new(&[mode]);
        let outcome = project.run();
        let place = [
            "document.rejected",
            "document 2 of binding `numbers`",
            "`acme/numbers`",
            "nothing since the last checkpoint",
        ];
        outcome.failed(1, said, mode).failed(1, &place, mode);
        assert!(
            !outcome.stderr.contains("ada@example.com"),
            "{mode}: no data of a customer is told: {outcome:#?}"
        );
        project.assert_committed(2, mode);

        let saved: Vec<_> = fs::read_dir(project.path(".staunch/rejected/acme/numbers"))
            .unwrap()
            .collect();
        assert_eq!(saved.len(), 1, "{mode}");
        let path = saved[0].as_ref().unwrap().path();
        assert!(
            outcome
                .stderr
                .contains(path.file_name().unwrap().to_str().unwrap()),
            "{mode}: where it is: {outcome:#?}"
        );
        let bytes = fs::read(path).unwrap();
        assert!(
            document.is_empty() || bytes == document,
            "{mode}: {:?}",
            String::from_utf8_lossy(&bytes)
        );
        project.assert_completes(10, mode);
    }
}

#[test]
fn a_connector_that_dies_within_a_line_is_told_by_its_last_words() {
    for (mode, said) in [
        (
            "exits-in-line",
            "page 2 could not be read; look at the source",
        ),
        ("spec-partial-fails", "the licence has run out"),
    ] {
        let project = Project::new(&[mode]);
        project.run().failed(1, &["exited with code 1", said], mode);
        project.assert_completes(10, mode);
    }
}

#[test]
fn a_malformed_message_is_not_told_with_its_document() {
    for mode in [
        "document-not-json",
        "document-not-utf8",
        "two-messages",
        "negative-binding",
    ] {
        let project = Project::new(&[mode]);
        let outcome = project.run();
        assert!(
            !outcome.stderr.contains("ada@example.com"),
            "{mode}: {outcome:#?}"
        );
        assert!(!outcome.stderr.contains("{\\\"id"), "{mode}: {outcome:#?}");
    }
}

#[test]
fn thousands_of_tiny_checkpoints_come_to_the_state_that_they_would_one_by_one() {
    const COUNT: u64 = 5000;
    for mode in ["burst", "burst-acknowledged"] {
        let project = Project::new(&[mode, &COUNT.to_string()]);
        project.run().succeeded(mode);
        let stored = project.stored().unwrap();
        assert_eq!(
            (stored.documents, stored.checkpoints),
            (COUNT, COUNT),
            "{mode}"
        );
        assert_eq!(cursor(Some(&stored)), COUNT, "{mode}");
        assert_eq!(stored.state["scratch"], expected_scratch(COUNT), "{mode}");
        assert_eq!(project.ids(), (1..=COUNT).collect::<Vec<_>>(), "{mode}");
        println!("{mode}: {COUNT} checkpoints in {} commits", stored.revision);
    }
}

/// What the updates of a burst leave of its member `scratch`, one by one: as the connector documents them.
fn expected_scratch(count: u64) -> Value {
    let mut tree = std::collections::BTreeMap::new();
    let mut last = None;
    for n in 1..=count {
        match n % 7 {
            0 => (tree.clear(), last = None).0,
            3 => tree.clear(),
            _ => {
                tree.insert(format!("leaf{}", n % 5), n);
                last = Some(n);
            }
        }
    }
    assert!(!tree.is_empty(), "the last checkpoints build something");
    serde_json::json!({"tree": tree, "last": last})
}

#[test]
fn a_session_that_captures_nothing_new_changes_nothing() {
    let project = Project::new(&["good", "10"]);
    project.run().succeeded("first");
    let stored = project.stored();
    project.run().succeeded("second");
    assert_eq!(project.stored(), stored);
    project.assert_committed(10, "second");
}
