//! Branches that are rewritten: what they had stays captured, what they have now is captured too.

use std::collections::{BTreeMap, BTreeSet};

use source_git::fixture::{EPOCH, GitFixture};

use crate::{
    bare, dangling,
    driver::{Capture, Release},
    goal, grow, line,
};

const MAIN: &str = "refs/heads/main";
const REWRITTEN: &str = "the branch was rewritten";
const REMOVED: &str = "the commit that the backfill began at was removed";

/// Moves `main`, which has these commits, to where none of its last four are reachable from.
fn rewrite(fixture: &GitFixture, how: &str, ids: &[String]) {
    let last = ids.len() - 1;
    let to = match how {
        "amended" => dangling(fixture, &[&ids[last - 1]], "amended", EPOCH),
        "reset" => ids[last - 4].clone(),
        "forced to an unrelated history" => {
            let root = dangling(fixture, &[], "another root", EPOCH);
            dangling(fixture, &[&root], "on another root", EPOCH - 1)
        }
        other => panic!("{other}"),
    };
    fixture.git(&["update-ref", MAIN, &to]);
}

const WAYS: [&str; 3] = ["amended", "reset", "forced to an unrelated history"];

/// All that was reachable before or is now.
fn union(before: &[String], fixture: &GitFixture) -> Vec<String> {
    let now = fixture.rev_list(&["--all"]);
    before.iter().chain(&now).cloned().collect()
}

/// The releases of the sessions before and after a rewrite.
const SESSIONS: [(Release, Release); 3] = [
    (Release::V1, Release::V1),
    (Release::V1, Release::V2),
    (Release::V2, Release::V2),
];

#[test]
fn a_rewritten_branch_brings_what_is_new_and_nothing_twice() {
    for how in WAYS {
        for (before, after) in SESSIONS {
            let what = format!("{how}, {before:?} then {after:?}");
            let (_dir, fixture) = bare();
            let ids = line(&fixture, MAIN, 12);
            let old = fixture.rev_list(&["--all"]);
            let mut capture = Capture::of(fixture.path()).page_size(5);
            let mut running = capture.start(before);
            running.settle(&fixture);
            if before == after {
                rewrite(&fixture, how, &ids); // While it runs.
                running.settle(&fixture);
            }
            running.stop();
            if before != after {
                rewrite(&fixture, how, &ids);
            }
            capture.settle(after, &fixture);
            capture.assert_captured(&union(&old, &fixture), &what);
            assert_eq!(
                capture.warnings(REWRITTEN),
                1,
                "{what}: {:#?}",
                capture.logs
            );

            // And then it goes on as any branch does.
            grow(&fixture, MAIN, "later");
            capture.settle(after, &fixture);
            capture.assert_captured(&union(&old, &fixture), &what);
            assert_eq!(capture.warnings(REWRITTEN), 1, "{what}");
        }
    }
}

#[test]
fn a_branch_that_is_rewritten_during_its_backfill_gets_both_histories() {
    for how in WAYS {
        for (before, after) in SESSIONS {
            let what = format!("{how}, {before:?} then {after:?}");
            let (_dir, fixture) = bare();
            let ids = line(&fixture, MAIN, 12);
            let old = fixture.rev_list(&["--all"]);
            let mut capture = Capture::of(fixture.path()).page_size(2);
            assert!(capture.kill_after(before, 13, &fixture), "{what}");
            assert!(goal::is_backfilling(&capture), "{what}");
            rewrite(&fixture, how, &ids);
            capture.settle(after, &fixture);
            capture.assert_captured(&union(&old, &fixture), &what);
        }
    }
}

#[test]
fn what_another_branch_has_is_not_captured_again_for_a_rewritten_one() {
    let (_dir, fixture) = bare();
    let ids = line(&fixture, MAIN, 6);
    let side = dangling(&fixture, &[&ids[2]], "side", EPOCH);
    fixture.git(&["update-ref", "refs/heads/side", &side]);
    let old = fixture.rev_list(&["--all"]);
    let mut capture = Capture::of(fixture.path());
    capture.settle(Release::V2, &fixture);
    // `main` continues what `side` has; what it had itself is kept by a tag that is new.
    fixture.git(&["update-ref", MAIN, &side]);
    grow(&fixture, MAIN, "on top of side");
    fixture.git(&["tag", "kept", &ids[5]]);
    capture.settle(Release::V2, &fixture);
    capture.assert_captured(&union(&old, &fixture), "rewritten onto another");
}

/// How often each id was captured, where it was more than once.
fn repeated(capture: &Capture) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for id in capture.ids() {
        *counts.entry(id).or_insert(0) += 1;
    }
    counts.retain(|_, count| *count > 1);
    counts
}

/// Removes what no ref reaches.
fn collect_garbage(fixture: &GitFixture, gone: &str) {
    fixture.git(&["gc", "--quiet", "--prune=now"]);
    let is_gone = fixture.git_bytes(
        &["cat-file", "--batch-check"],
        format!("{gone}\n").as_bytes(),
    );
    assert!(String::from_utf8(is_gone).unwrap().contains("missing"));
}

#[test]
fn a_tip_that_is_gone_is_warned_of_and_what_is_there_is_captured() {
    for how in WAYS {
        for (before, after) in SESSIONS {
            lose_a_tip(how, before, after, false);
        }
    }
}

#[test]
fn a_tip_that_is_gone_before_its_backfill_is_done_takes_nothing_along_that_is_there() {
    for how in WAYS {
        for (before, after) in SESSIONS {
            lose_a_tip(how, before, after, true);
        }
    }
}

/// Rewrites a branch whose history another branch has in part, and removes what the rewritten one had alone.
fn lose_a_tip(how: &str, before: Release, after: Release, is_half_way: bool) {
    let what = format!("{how}, {before:?} then {after:?}, half way: {is_half_way}");
    let (_dir, fixture) = bare();
    let ids = line(&fixture, MAIN, 12);
    fixture.git(&["update-ref", "refs/heads/side", &ids[3]]);
    let mut capture = Capture::of(fixture.path()).page_size(2);
    if is_half_way {
        assert!(capture.kill_after(before, 13, &fixture), "{what}");
        assert!(goal::is_backfilling(&capture), "{what}");
    } else {
        capture.settle(before, &fixture);
    }
    let old = capture.ids();
    rewrite(&fixture, how, &ids);
    collect_garbage(&fixture, &ids[11]);
    capture.settle(after, &fixture);

    let captured: BTreeSet<_> = capture.ids().into_iter().collect();
    let expected = match after {
        Release::V1 => fixture.rev_list(&["HEAD"]),
        Release::V2 => fixture.rev_list(&["--all"]),
    };
    let expected: BTreeSet<_> = expected.into_iter().chain(old).collect();
    assert_eq!(captured, expected, "{what}");
    assert_eq!(
        capture.warnings(REWRITTEN),
        1,
        "{what}: {:#?}",
        capture.logs
    );
    assert_eq!(
        capture.warnings(REMOVED),
        usize::from(is_half_way),
        "{what}"
    );
    // Again comes only what some branch has now, once more and with the same bytes.
    let repeated = repeated(&capture);
    let may_repeat = fixture.rev_list(&["--all"]);
    assert!(repeated.keys().all(|id| may_repeat.contains(id)), "{what}");
    assert!(repeated.values().all(|&count| count == 2), "{what}");
    let documents: BTreeSet<_> = capture.commits.iter().collect();
    assert_eq!(documents.len(), captured.len(), "{what}: other bytes");
    if before == Release::V2 && !is_half_way {
        // The other branch vouches for what it has.
        let side = fixture.rev_list(&["refs/heads/side"]);
        assert!(!repeated.keys().any(|id| side.contains(id)), "{what}");
    }
}

#[test]
fn what_went_to_another_branch_before_a_rewrite_is_not_captured_again() {
    for how in ["a new branch", "a branch that follows", "the two swapped"] {
        let (_dir, fixture) = bare();
        let ids = line(&fixture, MAIN, 6);
        let side = "refs/heads/side";
        let at = match how {
            "the two swapped" => dangling(&fixture, &[&ids[2]], "side", EPOCH),
            _ => ids[2].clone(),
        };
        if how != "a new branch" {
            fixture.git(&["update-ref", side, &at]);
        }
        let all = union(&ids, &fixture);
        let mut capture = Capture::of(fixture.path());
        // Which branch is looked at first is chance: often enough, and it is the wrong one.
        let mut running = capture.start(Release::V2);
        running.settle(&fixture);
        for _ in 0..4 {
            fixture.git(&["update-ref", side, &ids[5]]);
            fixture.git(&["update-ref", MAIN, &at]);
            running.settle(&fixture);
            fixture.git(&["update-ref", MAIN, &ids[5]]);
            fixture.git(&["update-ref", side, &at]);
            running.settle(&fixture);
        }
        running.stop();
        capture.assert_captured(&all, how);
    }
}

#[test]
fn commits_that_a_branch_gave_up_and_takes_back_are_the_same_bytes_again_at_most() {
    let (_dir, fixture) = bare();
    let ids = line(&fixture, MAIN, 6);
    let mut capture = Capture::of(fixture.path());
    for tip in [&ids[5], &ids[2], &ids[5]] {
        fixture.git(&["update-ref", MAIN, tip]);
        capture.settle(Release::V2, &fixture);
    }
    let captured: BTreeSet<_> = capture.ids().into_iter().collect();
    assert_eq!(captured, ids.iter().cloned().collect());
    // The state has nothing but where branches are: that the last three were captured once is forgotten.
    let repeated = repeated(&capture);
    assert!(
        repeated.keys().all(|id| ids[3..].contains(id)),
        "{repeated:?}"
    );
    let documents: BTreeSet<_> = capture.commits.iter().collect();
    assert_eq!(documents.len(), ids.len());
}
