//! Kills a capture with a migration in it at every message and every store step, and looks at what is left.
//!
//! Nothing is sampled but where a test says so: a run that is not killed tells which points there are, and each is one run
//! of the scenario. The tests take turns, since each keeps the machine busy by itself.
#![forbid(unsafe_code)]

mod by_hand;
mod exercise;
mod found;
mod point;
mod project;
mod reference;
mod sinks;
mod spoil;
mod upgrade;

use exercise::all;
use point::{Point, Victim};
use project::Pace;
use reference::Reference;
use staunch_crash_tests::script::Release;

/// Points that all of these tests must come to, at the least.
const LEAST_POINTS: usize = 200;

#[test]
fn there_are_at_least_two_hundred_points_and_each_is_another() {
    let reference = Reference::of(Pace::Paced);
    let mut points = reference.steps();
    for victim in Victim::ALL {
        points.extend(reference.messages(victim));
    }
    let count = points.len();
    let distinct: std::collections::BTreeSet<_> = points.iter().map(Point::to_string).collect();
    assert_eq!(distinct.len(), count);
    assert!(count >= LEAST_POINTS, "there are but {count} points");
    println!("{count} points of the paced scenario");
}

#[test]
fn killing_the_connector_at_every_message_boundary_loses_and_repeats_nothing() {
    let points = Reference::of(Pace::Paced).messages(Victim::Connector);
    all("connector, messages", Pace::Paced, &points);
}

#[test]
fn killing_the_runtime_at_every_message_boundary_loses_and_repeats_nothing() {
    let points = Reference::of(Pace::Paced).messages(Victim::Runtime);
    all("runtime, messages", Pace::Paced, &points);
}

#[test]
fn killing_both_at_every_message_boundary_loses_and_repeats_nothing() {
    let points = Reference::of(Pace::Paced).messages(Victim::Both);
    all("both, messages", Pace::Paced, &points);
}

#[test]
fn killing_the_runtime_at_every_store_step_loses_and_repeats_nothing() {
    let points = Reference::of(Pace::Paced).steps();
    all("runtime, store steps", Pace::Paced, &points);
}

/// Checkpoints come faster than they are committed here, so that commits hold several, and documents of the next are in
/// the files while one is under way. No two runs are alike: the last few points may lie behind the end of a run.
#[test]
fn killing_both_while_checkpoints_outrun_commits_loses_and_repeats_nothing() {
    let points = Reference::of(Pace::Free).messages(Victim::Both);
    all("both, messages, unpaced", Pace::Free, &points);
}

/// A sample of first kills: in the middle of a transaction, around the commit of the migration, and after it; and behind
/// each of them every early step of the run that recovers.
#[test]
fn killing_the_recovery_too_loses_and_repeats_nothing() {
    const EARLY_STEPS: usize = 16;
    const STEPS_TO_COMMITTED: usize = 2;
    let reference = Reference::of(Pace::Paced);
    let journaled = reference.step_of("store.commit.after_journal");
    let firsts = [
        reference.step_of("files.after_write"),
        journaled.clone(),
        reference.step_after(&journaled, STEPS_TO_COMMITTED), // And not acknowledged yet.
        reference.step_of("files.after_sync"),
    ];
    let points = firsts
        .iter()
        .flat_map(|first| (1..=EARLY_STEPS).map(|step| first.clone().then(step)));
    let points: Vec<Point> = points.collect();
    all("runtime, then its recovery", Pace::Paced, &points);
}

#[test]
fn whatever_goes_wrong_with_a_capture_is_seen() {
    let reference = Reference::of(Pace::Paced);
    let verdict = |project: &project::Project| {
        found::look(project).and_then(|found| reference.compare(Release::Second, &found))
    };
    let good = reference.begin_after(Release::Second);
    assert_eq!(verdict(&good), Ok(()), "nothing is wrong with a copy");
    for (what, spoil) in spoil::ALL {
        let project = reference.begin_after(Release::Second);
        spoil(&project);
        assert!(verdict(&project).is_err(), "{what} is not seen");
    }
}
