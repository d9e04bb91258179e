//! Sizes: the largest message, and memory that does not grow with a sequence.

use std::fs;

use rustix::process::Signal;

use crate::support::{MISBEHAVE, Project, until};

/// The bound on a line of the protocol, without its line feed.
const LINE_BYTES: u64 = 64 << 20;

#[test]
fn a_message_of_exactly_64_mib_is_taken_and_a_byte_more_is_refused() {
    let project = Project::new(&["line-of", &(LINE_BYTES + 1).to_string()]);
    project.run().failed(
        1,
        &[
            "line_too_long",
            "67108864 bytes",
            "send less in one message",
        ],
        "a byte more",
    );
    project.assert_committed(0, "a byte more");
    project.connector(&["line-of", &LINE_BYTES.to_string()]);
    project.run().succeeded("exactly");
    project.assert_committed(1, "exactly");
    let envelope = "{\"captured\":{\"binding\":0,\"doc\":}}".len() as u64;
    assert_eq!(project.bytes(), LINE_BYTES - envelope + 1);
    project.assert_completes(10, "exactly");
}

#[test]
fn a_sequence_of_300_mb_is_committed_in_little_memory() {
    const MEGABYTES: u64 = 300;
    // Measured in the dev profile: 22 MiB. It is the program, its buffers, and the database's cache.
    const BOUND_KIB: u64 = 48 << 10;
    let project = Project::new(&["huge-sequence", &MEGABYTES.to_string()]);
    project.run().succeeded("300 MB");
    let stored = project.stored().unwrap();
    assert_eq!((stored.documents, stored.checkpoints), (MEGABYTES * 100, 1));
    assert!(
        project.bytes() > MEGABYTES * 990_000,
        "{} bytes",
        project.bytes()
    );
    assert_eq!(stored.bytes, project.bytes());

    // As the connector saw it once its sequence was durable.
    let peak = peak_kib(&project, "runtime-status");
    println!("peak resident memory of the runtime: {peak} KiB");
    assert!(peak < BOUND_KIB, "{peak} KiB");
}

/// The peak of a process's resident memory, from a copy of its status.
fn peak_kib(project: &Project, status: &str) -> u64 {
    let status = fs::read_to_string(project.path(status)).expect("the connector has left it");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.map(|peak| peak.trim().trim_end_matches(" kB").parse());
    peak.expect("the status has it").expect("it is a number")
}

#[test]
fn a_connector_of_the_kit_captures_100_mb_in_one_sequence_in_little_memory() {
    const DOCUMENTS: u64 = 10_000;
    // Measured in the dev profile: 12 MiB.
    const BOUND_KIB: u64 = 32 << 10;
    let project = Project::new(&[]);
    let catalog = fs::read_to_string(project.path("flow.yaml")).unwrap();
    let catalog = catalog.replace(MISBEHAVE, env!("CARGO_BIN_EXE_wholesale"));
    let config = format!("config: {{ documents: {DOCUMENTS},");
    project.write("flow.yaml", catalog.replace("config: {", &config));
    let running = project.start(&["run"]);
    let status = project.path("connector-status");
    until("the checkpoint", || {
        fs::read_to_string(&status).is_ok_and(|status| status.contains("VmHWM:"))
    });
    running.signal(Signal::INT);
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(130), "{outcome:#?}");
    let stored = project.stored().unwrap();
    assert_eq!(stored.documents, DOCUMENTS);
    assert_eq!(stored.bytes, project.bytes());
    let peak = peak_kib(&project, "connector-status");
    println!("peak resident memory of the connector: {peak} KiB");
    assert!(peak < BOUND_KIB, "{peak} KiB");
}

#[test]
fn a_state_that_could_not_be_read_again_is_not_committed() {
    let project = Project::new(&["hoards", "3"]);
    project.run().failed(1, &["128 MiB"], "135 MiB");
    let stored = project.stored().unwrap();
    assert_eq!(
        (stored.documents, stored.state.as_object().unwrap().len()),
        (2, 2)
    );
    assert_eq!(project.ids(), [1, 2]);
    project.connector(&["good", "0"]);
    project.run().succeeded("the state can be read");
}
