//! Exercising a point: a run that is killed there, a look, and the runs that recover.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use staunch_crash_tests::script::Release;

use crate::found::{self, Found};
use crate::point::{Point, Victim, step_orders};
use crate::project::{Ended, Pace, Project};
use crate::reference::{Reference, is_at_end};

/// Points that are exercised at the same time. A run mostly waits: for the disk, and to be idle.
const WORKERS: usize = 4;

/// Runs that a recovery may take: one, on a machine that is not so slow that a run seems idle before its time.
const RUNS: usize = 8;

/// How often a run may end before its point, for the same reason.
const ATTEMPTS: usize = 4;

/// Of the points of a scenario whose runs differ, one in so many may lie behind the end of its run.
const MISSED_OF_FREE: usize = 5;

const SIGKILL: i32 = 9;

/// Whether a run came to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    There,
    Short,
}

/// Exercises all points, and fails with everything that is wrong.
pub(crate) fn all(title: &str, pace: Pace, points: &[Point]) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let reference = Reference::of(pace);
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let began = Instant::now();
    let (next, exercised) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let faults = Mutex::new(Vec::new());
    let work = || {
        while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
            match exercise(reference, point) {
                Ok(Came::There) => _ = exercised.fetch_add(1, Ordering::Relaxed),
                Ok(Came::Short) => {}
                Err(fault) => faults
                    .lock()
                    .expect("no worker panics with it")
                    .push(format!("{point}: {fault}")),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let faults = faults.into_inner().expect("no worker panics with it");
    assert!(
        faults.is_empty(),
        "{title}: {} of {} points\n{}",
        faults.len(),
        points.len(),
        faults.join("\n")
    );
    let exercised = exercised.into_inner();
    println!(
        "{title}: {exercised} points exercised in {:.0?}",
        began.elapsed()
    );
    let least = match pace {
        Pace::Paced => points.len(),
        Pace::Free => points.len() - points.len() / MISSED_OF_FREE,
    };
    assert!(
        exercised >= least,
        "{title}: only {exercised} of {} points were come to",
        points.len()
    );
}

fn exercise(reference: &Reference, point: &Point) -> Result<Came, String> {
    for _ in 0..ATTEMPTS {
        let project = reference.begin(point.release);
        let before = found::look(&project)?;
        let ended = project.run(point.release, &point.orders());
        let found = after_kill(reference, point.release, &project, &before, &ended)?;
        let is_killed = match point.victim() {
            Victim::Connector => ended.log.killed.is_some(),
            Victim::Runtime | Victim::Both => ended.status.signal() == Some(SIGKILL),
        };
        if !is_killed {
            if !ended.status.success() {
                return Err(format!("the run failed before its point: {}", ended.said));
            }
            match reference.pace {
                Pace::Paced => continue,
                Pace::Free => return Ok(Came::Short),
            }
        }
        if !reference.is_reached(point, &ended) {
            continue; // Killed, and elsewhere: the run had begun to end before its time.
        }
        if point.victim() == Victim::Connector {
            expect_failure(point.release, &found, &ended)?;
        }
        if let Some(step) = point.then {
            let again = project.run(point.release, &step_orders(step));
            after_kill(reference, point.release, &project, &found, &again)?;
            if again.status.signal() != Some(SIGKILL) {
                return Err(format!(
                    "the recovery did not come to step {step}: {}",
                    again.said
                ));
            }
        }
        recover(reference, point.release, &project)?;
        if point.release == Release::First {
            recover(reference, Release::Second, &project)?;
        }
        return Ok(Came::There);
    }
    Err(format!(
        "the run did not come to its point as the run that was not killed, {ATTEMPTS} times"
    ))
}

/// What is committed after a run that was killed: some state of the run that was not, with what was acknowledged, and
/// nothing that was not sent.
fn after_kill(
    reference: &Reference,
    release: Release,
    project: &Project,
    before: &Found,
    ended: &Ended,
) -> Result<Found, String> {
    let found = found::look(project).map_err(|fault| format!("right after the kill, {fault}"))?;
    if !reference.was_at(release, &found.state) {
        return Err(format!(
            "right after the kill, the state is one that never was: {}",
            found.state
        ));
    }
    // Files are claimed once they are opened, and opening cuts what was left over.
    let has_passed = |name: &str| ended.steps.iter().any(|step| step == name);
    let is_untouched = has_passed("store.before_begin") && !has_passed("files.before_write");
    if is_untouched && found.uncommitted_bytes > 0 {
        return Err(format!(
            "opening left {} bytes that were never committed",
            found.uncommitted_bytes
        ));
    }
    let committed = found
        .checkpoints
        .checked_sub(before.checkpoints)
        .ok_or("committed checkpoints are gone")?;
    let (acknowledged, sent) = (ended.log.acknowledged(), ended.log.checkpointed());
    if !(acknowledged..=sent).contains(&committed) {
        return Err(format!(
            "right after the kill, {committed} checkpoints are committed of {sent} sent and {acknowledged} acknowledged"
        ));
    }
    Ok(found)
}

/// A connector that was killed is a failure; but for one that had nothing more to do, and was about to be told to end.
fn expect_failure(release: Release, found: &Found, ended: &Ended) -> Result<(), String> {
    match ended.status.code() {
        Some(1) => Ok(()),
        Some(0) if is_at_end(release, found) => Ok(()),
        _ => Err(format!(
            "the runtime ended with {} though its connector was killed: {}",
            ended.status, ended.said
        )),
    }
}

/// Runs a release to its end, and compares with the run that was not killed.
pub(crate) fn recover(
    reference: &Reference,
    release: Release,
    project: &Project,
) -> Result<(), String> {
    for _ in 0..RUNS {
        let ended = project.run(release, &[]);
        if !ended.status.success() {
            return Err(format!(
                "the {release:?} release does not recover, {}: {}",
                ended.status, ended.said
            ));
        }
        let found = found::look(project).map_err(|fault| format!("after the recovery, {fault}"))?;
        if is_at_end(release, &found) {
            return reference
                .compare(release, &found)
                .map_err(|fault| format!("after the recovery, {fault}"));
        }
    }
    Err(format!(
        "the {release:?} release did not come to its end in {RUNS} runs"
    ))
}
