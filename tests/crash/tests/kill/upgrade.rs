//! Kills an upgrade: the runtime at every step of it, the candidate at every message, and what takes it back.

use std::os::unix::process::ExitStatusExt as _;

use staunch_crash_tests::script::Release;

use crate::exercise::recover;
use crate::found::{self, Found};
use crate::point::{Point, Victim, step_orders};
use crate::project::{Ended, Pace, Project};
use crate::reference::Reference;

const SIGKILL: i32 = 9;

/// The second release takes the capture over, and is watched for three checkpoints.
fn apply(project: &Project, orders: &[(&str, String)]) -> Ended {
    let words = ["migrate", "apply", "--probation", "3,20s"];
    project.staunch(&words, Release::Second, orders)
}

/// Whether the state and the documents are those of before: not where they are committed, for an upgrade leaves its history.
fn is_as_before(found: &Found, before: &Found) -> bool {
    found.state == before.state && found.documents == before.documents
}

/// All that is to hold right after a kill, and the runs that go on from there.
fn goes_on(reference: &Reference, project: &Project, what: &str) -> Found {
    let found = found::look(project).unwrap_or_else(|fault| panic!("right after {what}, {fault}"));
    let goes_on = recover(reference, Release::Second, project);
    goes_on.unwrap_or_else(|fault| panic!("{what}: {fault}"));
    found
}

#[test]
fn killing_an_upgrade_at_every_step_loses_and_repeats_nothing() {
    let reference = Reference::of(Pace::Free);
    let begin = reference.begin(Release::Second);
    let before = found::look(&begin).expect("the first release leaves all in order");
    let whole = begin.copy();
    let ended = apply(&whole, &[]);
    assert!(ended.status.success(), "{}", ended.said);
    assert!(!is_as_before(
        &goes_on(reference, &whole, "an upgrade"),
        &before
    ));
    let steps = ended.steps;
    let commits = steps.iter().filter(|step| *step == "store.before_commit");
    assert!(commits.count() > 3, "{steps:?}");
    let (mut killed, mut taken_back) = (0, 0);
    for (nth, step) in steps.iter().enumerate() {
        let project = begin.copy();
        let ended = apply(&project, &step_orders(nth + 1));
        if ended.status.signal() != Some(SIGKILL) {
            continue; // No two runs are alike where tasks race, and this one came to its end before.
        }
        killed += 1;
        let found = goes_on(reference, &project, &format!("a kill at {step}"));
        taken_back += usize::from(!is_as_before(&found, &before));
    }
    assert!(
        killed > steps.len() * 4 / 5,
        "{killed} of {} steps",
        steps.len()
    );
    assert!(
        taken_back > 0,
        "no kill came between the migration and the end"
    );
}

#[test]
fn killing_a_candidate_at_every_message_brings_back_the_state_of_before() {
    let reference = Reference::of(Pace::Free);
    let begin = reference.begin(Release::Second);
    let before = found::look(&begin).expect("the first release leaves all in order");
    let whole = begin.copy();
    let ended = apply(&whole, &[]);
    assert!(ended.status.success(), "{}", ended.said);
    let messages = ended.log.messages.len();
    let mut counts = [0, 0];
    for number in 1..=messages {
        let project = begin.copy();
        let point = Point::message(Release::Second, number, Victim::Connector);
        let ended = apply(&project, &point.orders());
        let found = goes_on(reference, &project, &point.to_string());
        match ended.status.code() {
            Some(0) => counts[1] += 1, // It had passed, or ended, before.
            code => {
                // A connector that dies while it is asked for its plan has refused.
                assert!(matches!(code, Some(1 | 6)), "{point}: {}", ended.said);
                assert!(is_as_before(&found, &before), "{point}: {}", ended.said);
                counts[0] += 1;
            }
        }
    }
    assert!(counts[0] > messages / 3, "{counts:?} of {messages}");
}

/// The candidate is killed on probation, and then the runtime, at each step of taking the upgrade back.
#[test]
fn killing_what_takes_an_upgrade_back_loses_and_repeats_nothing() {
    let reference = Reference::of(Pace::Free);
    let begin = reference.begin(Release::Second);
    let ended = apply(&begin.copy(), &[]);
    let is_migration = |message: &&staunch_crash_tests::log::Message| message.kind == "checkpoint";
    let migration = ended
        .log
        .messages
        .iter()
        .position(|message| is_migration(&message));
    let number = migration.expect("the candidate migrates") + 2; // Its checkpoint was passed on.
    let point = Point::message(Release::Second, number, Victim::Connector);
    let fails = begin.copy();
    let ended = apply(&fails, &point.orders());
    assert_eq!(ended.status.code(), Some(1), "{}", ended.said);
    let committed = ended
        .steps
        .iter()
        .position(|step| step == "store.commit.after_journal");
    let first = committed.expect("the migration is journaled") + 1;
    let mut killed = 0;
    for nth in first..=ended.steps.len() {
        let project = begin.copy();
        let mut orders = point.orders();
        orders.extend(step_orders(nth));
        let ended = apply(&project, &orders);
        killed += usize::from(ended.status.signal() == Some(SIGKILL));
        let _ = goes_on(reference, &project, &format!("a kill at step {nth}"));
    }
    assert!(killed > 4, "{killed}");
}
