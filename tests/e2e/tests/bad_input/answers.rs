//! Connectors that go wrong before the capture is open: in the answer to `spec`, `validate`, `apply` or `open`.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Project, is_alive, kill};

#[test]
fn a_connector_that_answers_wrongly_is_a_failure_that_says_what_it_did() {
    for (mode, said) in [
        (
            "spec-garbage",
            &[
                "connector.garbage",
                "Starting up...",
                "logs belong on standard error",
            ][..],
        ),
        (
            "spec-silent",
            &["connector.silent", "ended before it answered `spec`"],
        ),
        (
            "spec-fails",
            &[
                "connector.failed",
                "exited with code 1",
                "the licence has run out",
            ],
        ),
        (
            "spec-fails-wordless",
            &["connector.failed", "exited with code 3", "said nothing"],
        ),
        ("spec-aborts", &["connector.failed", "ended by signal 6"]),
        ("spec-old", &["connector.version", "3032022", "3032023"]),
        (
            "spec-wrong-kind",
            &["unexpected_response", "`opened`", "`spec`"],
        ),
        ("spec-not-utf8", &["connector.garbage", "not UTF-8"]),
        ("spec-blank", &["blank_line", "blank line"]),
        ("spec-partial", &["partial_line", "8 bytes into a line"]),
        (
            "spec-several",
            &["connector.garbage", "2 messages in one line"],
        ),
        ("spec-endless-line", &["line_too_long", "67108864 bytes"]),
        (
            "validated-short",
            &["binding_count", "0 bindings, expected 1"],
        ),
        (
            "validated-long",
            &["binding_count", "2 bindings, expected 1"],
        ),
        (
            "validated-nameless",
            &[
                "connector.answer",
                "`validate`",
                "empty resource path for binding 0",
            ],
        ),
        ("validated-twice", &["connector.answer", "second message"]),
        (
            "validated-then-fails",
            &["connector.failed", "the answer was wrong"],
        ),
        (
            "validate-fails",
            &[
                "connector.failed",
                "the table `numbers` is not there; create it",
            ],
        ),
        (
            "apply-fails",
            &["connector.failed", "the endpoint is read-only"],
        ),
        (
            "apply-restless",
            &["connector.answer", "`apply`", "did not converge"],
        ),
        (
            "apply-bad-state",
            &[
                "connector.state",
                "not an object",
                "nothing of it was committed",
            ],
        ),
        (
            "open-fails",
            &[
                "connector.failed",
                "the state is of another source; reset it",
            ],
        ),
        (
            "open-checkpoint-first",
            &["unexpected_response", "`checkpoint`", "`opened`"],
        ),
        ("open-captured-first", &["`captured`", "`opened`"]),
        ("open-garbage", &["connector.garbage", "hello"]),
    ] {
        let project = Project::new(&[mode]);
        let outcome = project.run();
        outcome
            .failed(1, said, mode)
            .failed(1, &["misbehave", "acme/numbers"], mode);
        project.assert_committed(0, mode);
        project.assert_completes(4, mode);
        project.connector(&[mode]);
        project.run().failed(1, said, mode);
        project.assert_committed(4, mode);
        project.assert_completes(6, mode);
    }
}

#[test]
fn a_check_tells_the_same_and_begins_nothing() {
    for (mode, code, said) in [
        ("spec-garbage", 1, "Starting up..."),
        (
            "validate-fails",
            4,
            "the table `numbers` is not there; create it",
        ),
        ("validated-nameless", 4, "empty resource path"),
    ] {
        let project = Project::new(&[mode]);
        let outcome = project.staunch(&["check"]);
        assert_eq!(outcome.code, Some(code), "{mode}: {outcome:#?}");
        assert!(
            outcome.stderr.contains(said) || outcome.stdout.contains(said),
            "{mode}: {outcome:#?}"
        );
        assert!(
            !project.path(".staunch").exists(),
            "{mode}: nothing is begun"
        );
    }
}

#[test]
fn two_bindings_of_one_resource_path_are_refused() {
    let project = Project::new(&["validated-same"]);
    let catalog = std::fs::read_to_string(project.path("flow.yaml")).unwrap();
    let binding = "      - resource: { name: numbers }\n        target: acme/numbers\n";
    let two = format!(
        "{binding}{}",
        binding.replace("name: numbers", "name: others")
    );
    project.write("flow.yaml", catalog.replace(binding, &two));
    project.run().failed(
        1,
        &["connector.answer", "resource path `same` for two bindings"],
        "same",
    );
    project.assert_committed(0, "same");
}

/// Interrupts a run whose connector does not answer, twice. Whether the connector was there afterwards.
fn interrupt_without_an_answer() -> bool {
    let project = Project::new(&["validate-hangs"]);
    let running = project.start(&["run", "--once"]);
    let pid = project.pid();
    running.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(500)); // Two signals at once may be one to the system.
    running.signal(Signal::INT);
    let outcome = running.wait_for(Duration::from_secs(20));
    let was_left = is_alive(pid);
    kill(pid);
    assert_eq!(outcome.code, Some(130), "{outcome:#?}");
    project.assert_completes(10, "interrupted");
    was_left
}

#[test]
fn a_connector_that_does_not_answer_can_be_interrupted() {
    interrupt_without_an_answer();
}

#[test]
fn an_interrupted_run_takes_its_connector_along() {
    assert!(!interrupt_without_an_answer());
}

#[test]
fn a_connector_that_does_not_end_after_its_answer_is_told_as_such() {
    let project = Project::new(&["validated-then-lingers"]);
    project.run().failed(
        1,
        &["connector.lingers", "did not exit within 30 s"],
        "lingers",
    );
    project.assert_completes(10, "lingers");
}

#[test]
fn a_failure_is_told_to_machines_by_the_last_event() {
    let project = Project::new(&["open-garbage"]);
    let outcome = project.staunch(&["run", "--once", "--json"]);
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    let events = outcome.stdout.lines().map(serde_json::from_str::<Value>);
    let events: Vec<_> = events
        .collect::<Result<_, _>>()
        .expect("each line is an event");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["ok"]),
        (&"summary".into(), &false.into()),
        "{last}"
    );
    assert_eq!(last["error"]["code"], "connector.garbage", "{last}");
}
