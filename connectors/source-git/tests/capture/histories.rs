//! Histories of every form, captured by both releases one after the other.

use serde_json::Value;
use source_git::fixture::{Commit, EPOCH, File, GitFixture, Import};

use crate::{
    bare, dangling,
    driver::{Capture, Release},
    line,
};

/// The first release until it has all of `HEAD`, then the present one until it has all.
fn both_releases(fixture: &GitFixture, page_size: u32) -> Capture {
    let mut capture = Capture::of(fixture.path()).page_size(page_size);
    capture.settle(Release::V1, fixture);
    capture.assert_captured(&fixture.rev_list(&["HEAD"]), "the first release");
    capture.settle(Release::V2, fixture);
    capture.assert_exact(fixture, "the present release");
    capture
}

/// Commits given by the numbers of their parents, each on a branch and at a time.
fn graph(commits: &[(&str, &[usize], i64)]) -> Import {
    let mut import = Import::default();
    for (number, (branch, parents, seconds)) in commits.iter().enumerate() {
        import.commit(Commit {
            branch,
            parents,
            clock: &format!("{} +0000", EPOCH + seconds),
            message: format!("commit {number}\n").as_bytes(),
            ..Commit::default()
        });
    }
    import
}

const MAIN: &str = "refs/heads/main";
const SIDE: &str = "refs/heads/side";

#[test]
fn merges_of_every_form_are_captured_each_commit_once() {
    let octopus: &[(&str, &[usize], i64)] = &[
        (MAIN, &[], 0),
        ("refs/heads/a", &[0], 1),
        ("refs/heads/b", &[0], 2),
        ("refs/heads/c", &[], 3),
        (MAIN, &[0, 1, 2, 3], 4),
        ("refs/heads/a", &[1, 4], 5),
    ];
    let criss_cross: &[(&str, &[usize], i64)] = &[
        (MAIN, &[], 0),
        (MAIN, &[0], 1),
        (SIDE, &[0], 1),
        (MAIN, &[1, 2], 2),
        (SIDE, &[2, 1], 2),
        (MAIN, &[3, 4], 3),
        (SIDE, &[4, 3], 3),
        (MAIN, &[5, 6], 4),
    ];
    for (what, commits) in [("octopus", octopus), ("criss-cross", criss_cross)] {
        for page_size in [1, 2, 1000] {
            let (_dir, fixture) = bare();
            fixture.import(&graph(commits));
            let capture = both_releases(&fixture, page_size);
            assert_eq!(capture.commits.len(), commits.len(), "{what}");
        }
    }
}

#[test]
fn dates_that_are_equal_or_run_backwards_change_nothing() {
    for step in [0, -1000, 1000] {
        let (_dir, fixture) = bare();
        let commits: [(&str, &[usize], i64); 7] = [
            (MAIN, &[], 0),
            (MAIN, &[0], step),
            (SIDE, &[1], 5 * step),
            (MAIN, &[1], 3 * step),
            (MAIN, &[3, 2], -7 * step),
            (SIDE, &[2, 3], 9 * step),
            (MAIN, &[4], 0),
        ];
        let ids = fixture.import(&graph(&commits));
        let mut capture = both_releases(&fixture, 2);

        // What is added later has dates before everything.
        let old = dangling(&fixture, &[&ids[6], &ids[5]], "before all", 1);
        let older = dangling(&fixture, &[&old, &ids[0]], "before that", 0);
        fixture.git(&["update-ref", MAIN, &older]);
        fixture.git(&["update-ref", SIDE, &old]);
        capture.settle(Release::V2, &fixture);
        capture.assert_exact(&fixture, "added later");
        // Incrementally, parents come before their children.
        assert_eq!(capture.ids()[7..], [old, older]);
    }
}

#[test]
fn tags_lead_to_commits_that_no_branch_has() {
    let (_dir, fixture) = bare();
    let ids = line(&fixture, MAIN, 4);
    let light = dangling(&fixture, &[&ids[1]], "under a light tag", EPOCH);
    let annotated = dangling(&fixture, &[], "under an annotated tag", EPOCH);
    let nested = dangling(&fixture, &[&annotated], "under a tag of a tag", EPOCH);
    fixture.git(&["tag", "light", &light]);
    fixture.git(&["tag", "--annotate", "--message=it", "annotated", &annotated]);
    fixture.git(&["tag", "--annotate", "--message=it", "inner", &nested]);
    fixture.git(&["tag", "--annotate", "--message=it", "outer", "inner"]);
    fixture.git(&["tag", "of-main", &ids[2]]);
    let tree = fixture.object("tree", b"");
    fixture.git(&["tag", "of-no-commit", &tree]);
    let mut capture = both_releases(&fixture, 1000);
    assert_eq!(capture.commits.len(), 7);
    // A tag that is of a commit which is captured already begins without a backfill, and is followed from there.
    let later = dangling(&fixture, &[&nested], "tagged later", EPOCH);
    fixture.git(&["tag", "--force", "of-main", &later]);
    capture.settle(Release::V2, &fixture);
    capture.assert_exact(&fixture, "a tag that was moved");
}

#[test]
fn what_a_branch_gains_at_once_is_exact_whichever_message_was_the_last() {
    let (_dir, fixture) = bare();
    let ids = line(&fixture, MAIN, 2);
    let mut settled = Vec::new();
    for release in [Release::V1, Release::V2] {
        // A checkpoint wherever there may be one: nowhere between commits that none of them reaches all of.
        let mut capture = Capture::of(fixture.path()).page_size(1);
        capture.settle(release, &fixture);
        settled.push((release, capture));
    }
    let add = |parents: &[&str], name: &str| dangling(&fixture, parents, name, EPOCH);
    let left = add(&[&ids[1]], "left");
    let left = add(&[&left], "left again");
    let root = add(&[], "another root");
    let right = add(&[&root, &ids[0]], "right");
    let merge = add(&[&left, &right], "merge");
    let tip = add(&[&merge, &root], "tip");
    fixture.git(&["update-ref", MAIN, &tip]);
    for (release, settled) in settled {
        for messages in 1.. {
            let what = format!("{release:?} was killed after {messages} messages");
            let mut capture = settled.clone();
            let was_killed = capture.kill_after(release, messages, &fixture);
            capture.settle(release, &fixture);
            capture.assert_exact(&fixture, &what);
            if !was_killed {
                assert!(messages > 9, "{messages} messages");
                break;
            }
        }
    }
}

#[test]
fn bytes_that_are_not_text_are_captured_with_their_files() {
    let (_dir, fixture) = bare();
    let mut import = Import::default();
    let mut commit = |message: &[u8], parents: &[usize], encoding, files: &[File<'_>]| {
        import.commit(Commit {
            person: b"J\xf6rg <j\xff@example.com>",
            parents,
            encoding,
            message,
            files,
            ..Commit::default()
        })
    };
    let first = commit(
        b"caf\xe9 \xff\xfe\x01 \"quoted\" \\ \x7f\n",
        &[],
        None,
        &[
            File::Put(b"na\xefve/\xff.txt", b"one\ntwo\n"),
            File::Put(b"tab\there", b"\x00binary"),
        ],
    );
    let latin = commit(
        b"caf\xe9\n",
        &[first],
        Some("ISO-8859-1"),
        &[File::Remove(b"tab\there")],
    );
    commit(b"", &[latin, first], None, &[]);
    fixture.import(&import);

    let mut capture = Capture::of(fixture.path()).with_stats().page_size(1);
    capture.settle(Release::V1, &fixture);
    capture.settle(Release::V2, &fixture);
    capture.assert_exact(&fixture, "bytes");
    let documents: Vec<Value> = capture
        .commits
        .iter()
        .map(|document| serde_json::from_str(document).unwrap())
        .collect();
    let messages: Vec<_> = documents
        .iter()
        .map(|document| document["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        messages,
        [
            "",
            "café\n",
            "caf\u{fffd} \u{fffd}\u{fffd}\u{1} \"quoted\" \\ \u{7f}\n"
        ]
    );
    let files = "\"files\":[{\"path\":\"na\u{fffd}ve/\u{fffd}.txt\",\"added\":2,\"removed\":0},\
         {\"path\":\"tab\\there\",\"added\":null,\"removed\":null}]";
    assert!(capture.commits[2].contains(files), "{}", capture.commits[2]);
}

#[test]
fn ten_thousand_commits_survive_a_kill_and_an_upgrade_half_way() {
    let (_dir, fixture) = bare();
    let mut import = Import::default();
    for number in 0..10_000_usize {
        let parents: Vec<usize> = match number {
            0 => vec![],
            _ if number % 9 == 8 => vec![number - 1, number - 5],
            _ if number % 9 == 4 => vec![number - 3],
            _ => vec![number - 1],
        };
        let branch = match number % 9 {
            4..8 => SIDE,
            _ => MAIN,
        };
        import.commit(Commit {
            branch,
            parents: &parents,
            clock: &format!("{} +0000", EPOCH - number as i64),
            message: format!("commit {number}\n").as_bytes(),
            ..Commit::default()
        });
    }
    fixture.import(&import);
    assert!(fixture.rev_list(&["--all"]).len() > 9_000);

    let mut capture = Capture::of(fixture.path()).page_size(700);
    assert!(capture.kill_after(Release::V1, 4_000, &fixture));
    let before = capture.commits.len();
    assert!((2_000..4_000).contains(&before), "{before}");
    assert!(capture.kill_after(Release::V2, 2_000, &fixture));
    assert!(capture.commits.len() > before);
    capture.settle(Release::V2, &fixture);
    capture.assert_exact(&fixture, "ten thousand");
}
