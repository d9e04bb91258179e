//! Refs that come, move and go while a capture runs, and their snapshot.

use crate::{
    bare,
    driver::{Capture, Release},
    grow, line,
};

#[test]
fn a_repository_without_commits_is_captured_from_its_first_one() {
    for release in [Release::V1, Release::V2] {
        let (_dir, fixture) = bare();
        let mut capture = Capture::of(fixture.path());
        capture.settle(release, &fixture);
        capture.assert_exact(&fixture, "no commits");
        let mut running = capture.start(release);
        running.settle(&fixture);
        grow(&fixture, "refs/heads/main", "the first");
        grow(&fixture, "refs/heads/main", "the second");
        running.settle(&fixture);
        running.stop();
        capture.assert_exact(&fixture, "the first commits");
        assert_eq!(capture.commits.len(), 2);
        capture.settle(Release::V2, &fixture);
        capture.assert_exact(&fixture, "after an upgrade, if it was one");
    }
}

#[test]
fn a_branch_that_appears_while_the_capture_runs_brings_only_what_is_its_own() {
    let (_dir, fixture) = bare();
    let ids = line(&fixture, "refs/heads/main", 5);
    let mut capture = Capture::of(fixture.path()).page_size(2);
    let mut running = capture.start(Release::V2);
    running.settle(&fixture);

    fixture.git(&["update-ref", "refs/heads/topic/one", &ids[2]]);
    grow(&fixture, "refs/heads/topic/one", "one");
    grow(&fixture, "refs/heads/topic/one", "another");
    grow(&fixture, "refs/heads/root", "a root of its own");
    running.settle(&fixture);
    // All branches gain something, and share it, before anybody looks.
    let shared = grow(&fixture, "refs/heads/topic/one", "shared");
    fixture.git(&["update-ref", "refs/heads/topic/two", &shared]);
    grow(&fixture, "refs/heads/topic/two", "of two");
    grow(&fixture, "refs/heads/main", "of main");
    running.settle(&fixture);
    running.stop();
    capture.assert_exact(&fixture, "branches that appeared");
    assert_eq!(capture.commits.len(), 11);
}

#[test]
fn a_branch_that_is_deleted_keeps_its_place_and_goes_on_when_it_comes_back() {
    let (_dir, fixture) = bare();
    let ids = line(&fixture, "refs/heads/main", 3);
    fixture.git(&["update-ref", "refs/heads/topic", &ids[1]]);
    let tip = grow(&fixture, "refs/heads/topic", "unmerged");
    let all = fixture.rev_list(&["--all"]);
    let mut capture = Capture::of(fixture.path());
    let mut running = capture.start(Release::V2);
    running.settle(&fixture);
    fixture.git(&["update-ref", "-d", "refs/heads/topic"]);
    running.settle(&fixture);
    running.stop();
    capture.assert_captured(&all, "what was captured stays so");
    let cursor = capture
        .of_commits("/inc/refs~1heads~1topic/cursor")
        .unwrap();
    assert_eq!(cursor.to_json(), format!(r#"["{tip}"]"#));

    // Under its own name, under another, and further on.
    fixture.git(&["update-ref", "refs/heads/renamed", &tip]);
    capture.settle(Release::V2, &fixture);
    fixture.git(&["update-ref", "refs/heads/topic", &tip]);
    grow(&fixture, "refs/heads/topic", "further");
    capture.settle(Release::V2, &fixture);
    capture.assert_exact(&fixture, "it came back");
}

#[test]
fn the_snapshot_of_refs_follows_creations_moves_and_deletions() {
    let (_dir, fixture) = bare();
    let ids = line(&fixture, "refs/heads/main", 3);
    let mut capture = Capture::of(fixture.path());
    for name in ["a", "b", "c"] {
        fixture.git(&["update-ref", &format!("refs/heads/{name}"), &ids[0]]);
    }
    fixture.git(&["tag", "--annotate", "--message=it", "t", &ids[1]]);
    capture.settle(Release::V1, &fixture); // Which compares the whole snapshot with git's.
    assert_eq!(capture.rows.len(), 6);
    let row = |capture: &Capture, name: &str| {
        let row = capture.rows.values().find(|row| row["name"] == name);
        row.unwrap().clone()
    };
    assert_eq!(row(&capture, "HEAD")["symbolic_target"], "refs/heads/main");
    assert_eq!(row(&capture, "refs/tags/t")["peeled"], *ids[1]);

    let mut running = capture.start(Release::V2);
    running.settle(&fixture);
    fixture.git(&["update-ref", "-d", "refs/heads/a"]);
    fixture.git(&["update-ref", "-d", "refs/heads/c"]);
    fixture.git(&["update-ref", "refs/heads/b", &ids[2]]);
    running.settle(&fixture);
    fixture.git(&["update-ref", "refs/heads/z", &ids[0]]);
    fixture.git(&["symbolic-ref", "HEAD", "refs/heads/nowhere"]);
    running.settle(&fixture);
    running.stop();
    assert_eq!(capture.rows.len(), 5);
    assert!(row(&capture, "HEAD")["target"].is_null());
    capture.assert_exact(&fixture, "the commits are no others");
}
