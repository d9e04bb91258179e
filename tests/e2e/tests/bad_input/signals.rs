//! Ends: of the command by a signal, of a connector that does not want to, and what a connector leaves behind.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{MISBEHAVE, Project, Running, cursor, is_alive, kill, until};

/// Starts a run, and waits until some of it is committed.
fn begun(project: &Project, arguments: &[&str], documents: u64) -> Running {
    let running = project.start(arguments);
    until("the first commits", || {
        cursor(project.stored().as_ref()) >= documents
    });
    running
}

/// Asserts that documents and state end at the same document, wherever that is, and that a good run goes on from there.
#[track_caller]
fn assert_goes_on(project: &Project, what: &str) {
    let n = cursor(project.stored().as_ref());
    project.assert_completes(n + 5, what);
}

#[test]
fn an_interrupted_run_ends_at_a_checkpoint_and_keeps_what_it_has() {
    for signal in [Signal::INT, Signal::TERM] {
        let project = Project::new(&["steady"]);
        let running = begun(&project, &["run"], 5);
        running.signal(signal);
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(130), "{signal:?}: {outcome:#?}");
        let n = cursor(project.stored().as_ref());
        assert!(n >= 5, "{signal:?}: {n}");
        project.assert_committed(n, "interrupted");
        assert_goes_on(&project, "interrupted");
    }
}

#[test]
fn a_second_interrupt_ends_a_run_that_does_not_come_to_a_checkpoint() {
    let project = Project::new(&["endless-sequence"]);
    let running = begun(&project, &["run"], 2);
    running.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(500)); // Two signals at once may be one to the system.
    running.signal(Signal::INT);
    let outcome = running.wait_for(Duration::from_secs(20));
    assert_eq!(outcome.code, Some(130), "{outcome:#?}");
    project.assert_committed(2, "interrupted twice");
    assert_goes_on(&project, "interrupted twice");
}

#[test]
fn a_run_that_is_killed_is_completed_by_the_next() {
    for mode in ["steady", "endless-sequence"] {
        let project = Project::new(&[mode]);
        let running = begun(&project, &["run"], 2);
        running.signal(Signal::KILL);
        let outcome = running.wait();
        assert_eq!(outcome.signal, Some(9), "{mode}: {outcome:#?}");
        assert_goes_on(&project, mode);
    }
}

#[test]
fn an_idle_connector_that_ignores_the_end_of_its_input_is_ended() {
    let told = format!("trap '' TERM; exec '{MISBEHAVE}' stubborn");
    for (what, command, at_least, at_most) in [
        ("by SIGTERM", &[MISBEHAVE, "stubborn"][..], 2, 15),
        ("by SIGKILL", &["sh", "-c", &told], 4, 20),
    ] {
        let project = Project::new(&["good"]);
        project.command(command);
        let outcome = project.staunch(&["run", "--until-idle", "300ms"]);
        outcome.succeeded(what);
        assert!(
            (at_least..at_most).contains(&outcome.took.as_secs()),
            "{what}: {outcome:#?}"
        );
        assert!(!is_alive(project.pid()), "{what}: it has ended");
        project.assert_committed(2, what);
        assert_goes_on(&project, what);
    }
}

#[test]
fn a_grandchild_that_keeps_standard_error_does_not_keep_the_run() {
    let project = Project::new(&["grandchild"]);
    let outcome = project.run();
    let pid = project.pid();
    let was_alive = is_alive(pid);
    kill(pid);
    outcome.succeeded("grandchild");
    assert!(was_alive, "the grandchild was there all the time");
    assert!(outcome.took < Duration::from_secs(30), "{outcome:#?}");
    project.assert_committed(10, "grandchild");
}

#[test]
fn a_connector_that_logs_without_end_blocks_nothing() {
    const MEGABYTES: usize = 100;
    let project = Project::new(&["talkative", &MEGABYTES.to_string()]);
    let outcome = project.staunch(&["run", "--once", "--quiet", "--quiet"]);
    outcome.succeeded("talkative");
    assert!(
        outcome.stderr.len() < 1 << 20,
        "only errors were asked for: {} bytes",
        outcome.stderr.len()
    );
    project.assert_committed(10, "talkative");
}
