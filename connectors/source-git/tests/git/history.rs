//! Walks, compared with `git rev-list`.

use source_git::{
    GitError, Order, Repository, Walk,
    fixture::{Commit, EPOCH, GitFixture, Import},
};

use crate::{id, ids, open, sorted};

/// What a capture does: every tip in turn, hiding what the ones before it had.
fn captured(repository: &Repository) -> Vec<String> {
    let mut done = Vec::new();
    let mut all = Vec::new();
    for tip in repository.tips(&[""]).unwrap().tips {
        all.extend(
            repository
                .walk(tip.id, &done, Order::NewestFirst)
                .unwrap()
                .ids,
        );
        done.push(tip.id);
    }
    sorted(&all)
}

fn assert_captures_what_git_lists(fixture: &GitFixture) -> Vec<String> {
    let captured = captured(&open(fixture));
    assert_eq!(captured, fixture.rev_list(&["--all"]));
    captured
}

/// A linear congruential generator: the same histories each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Criss-cross and octopus merges, several roots, and dates that mean nothing.
fn tangle(seed: u64, commits: usize) -> Import {
    let mut dice = Dice(seed);
    let mut import = Import::default();
    for number in 0..commits {
        let parents = if number == 0 || dice.roll(20) == 0 {
            vec![]
        } else {
            let mut parents: Vec<usize> = (0..=dice.roll(4))
                .map(|_| number - 1 - dice.roll(number.min(12)))
                .collect();
            parents.dedup();
            parents
        };
        let clock = match dice.roll(4) {
            0 => format!("{EPOCH} +0000"),
            1 => format!("{} +0000", EPOCH - 1000 * number as i64),
            _ => format!("{} +0000", EPOCH + dice.roll(1_000_000) as i64 - 500_000),
        };
        let branch = format!("refs/heads/b{}", dice.roll(5));
        let message = format!("commit {number}\n");
        import.commit(Commit {
            branch: &branch,
            parents: &parents,
            clock: &clock,
            message: message.as_bytes(),
            ..Commit::default()
        });
    }
    import
}

#[test]
fn a_capture_of_a_tangled_history_has_what_git_lists_none_missing_none_twice() {
    for seed in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let fixture = GitFixture::init_bare(dir.path());
        fixture.import(&tangle(seed, 120));
        assert!(
            assert_captures_what_git_lists(&fixture).len() > 60,
            "seed {seed}"
        );
    }
}

#[test]
fn a_walk_lists_what_git_lists_for_any_tip_and_anything_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let commits = fixture.import(&tangle(7, 150));
    let repository = open(&fixture);
    let mut dice = Dice(11);
    for _ in 0..40 {
        let tip = &commits[dice.roll(commits.len())];
        let hidden: Vec<String> = (0..dice.roll(4))
            .map(|_| commits[dice.roll(commits.len())].clone())
            .collect();
        // Not `rev-list --not`: git prunes that walk by date, and with dates like these it lists commits
        // that are hidden.
        let mut expected = fixture.rev_list(&[tip]);
        let reached: Vec<Vec<String>> = hidden.iter().map(|id| fixture.rev_list(&[id])).collect();
        expected.retain(|id| !reached.iter().any(|reached| reached.contains(id)));
        let walk = repository
            .walk(id(tip), &ids(&hidden), Order::OldestFirst)
            .unwrap();
        assert_eq!(sorted(&walk.ids), expected, "{tip} without {hidden:?}");

        for ancestor in hidden.iter().chain([tip]) {
            let is_ancestor = fixture.rev_list(&[tip]).contains(ancestor);
            assert_eq!(
                repository.is_reachable(id(ancestor), id(tip)).unwrap(),
                is_ancestor
            );
        }
    }
}

#[test]
fn a_child_older_than_what_is_hidden_is_listed_and_a_parent_newer_is_not() {
    // The shape on which a walk by date stops too early: the hidden side is old as far as its merge
    // base, and the way there leads over a commit from the future.
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let mut import = Import::default();
    let mut commit = |parents: &[usize], seconds: i64, message: &str| {
        let clock = format!("{seconds} +0000");
        import.commit(Commit {
            parents,
            clock: &clock,
            message: message.as_bytes(),
            ..Commit::default()
        })
    };
    let root = commit(&[], 2_000_000_000, "root, in the future");
    let base = commit(&[root], 1_900_000_000, "base, before its parent");
    let mut hidden = base;
    for _ in 0..20 {
        hidden = commit(&[hidden], 1, "hidden, in 1970");
    }
    let new = commit(&[base], 0, "new, older than all");
    let tip = commit(&[new, root], 1_800_000_000, "tip");
    let commits = fixture.import(&import);

    let walk = open(&fixture)
        .walk(
            id(&commits[tip]),
            &[id(&commits[hidden])],
            Order::NewestFirst,
        )
        .unwrap();
    assert_eq!(walk.ids, [id(&commits[tip]), id(&commits[new])]);
}

#[test]
fn an_octopus_merge_and_a_criss_cross_are_captured_once() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let mut import = Import::default();
    let mut commit = |branch: &str, parents: &[usize], message: &str| {
        import.commit(Commit {
            branch,
            parents,
            message: message.as_bytes(),
            ..Commit::default()
        })
    };
    let root = commit("refs/heads/main", &[], "root");
    let arms: Vec<usize> = (0..12)
        .map(|arm| {
            commit(
                &format!("refs/heads/arm{arm}"),
                &[root],
                &format!("arm {arm}"),
            )
        })
        .collect();
    let octopus = commit("refs/heads/main", &arms, "octopus");
    let left = commit("refs/heads/left", &[octopus], "left");
    let right = commit("refs/heads/right", &[octopus], "right");
    let cross = commit("refs/heads/left", &[left, right], "left crosses");
    let criss = commit("refs/heads/right", &[right, left], "right crosses");
    commit("refs/heads/main", &[criss, cross], "together");
    let commits = fixture.import(&import);
    assert_eq!(
        assert_captures_what_git_lists(&fixture).len(),
        commits.len()
    );
}

#[test]
fn tags_keep_commits_that_no_branch_has() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path());
    let first = fixture.commit("first", EPOCH, &[]);
    for (tag, annotate) in [("light", false), ("annotated", true)] {
        fixture.git(&["checkout", "--quiet", "--detach", &first]);
        fixture.commit(tag, EPOCH + 1, &[]);
        let message = ["-m", "a tag"];
        fixture.git(&[&["tag", tag][..], if annotate { &message[..] } else { &[] }].concat());
    }
    fixture.git(&["tag", "-m", "a tag of a tag", "nested", "annotated"]);
    fixture.git(&["checkout", "--quiet", "main"]);
    assert_eq!(assert_captures_what_git_lists(&fixture).len(), 3);

    let branches = open(&fixture).tips(&["refs/heads/"]).unwrap().tips;
    assert_eq!(branches.len(), 1, "branches alone would miss two commits");
}

#[test]
fn a_rewritten_branch_is_seen_while_its_old_tip_dangles_and_when_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path());
    let kept = fixture.commit("kept", EPOCH, &[("a", "1\n")]);
    let old = fixture.commit("old", EPOCH + 1, &[("a", "2\n")]);
    fixture.git(&["reset", "--quiet", "--hard", &kept]);
    let new = fixture.commit("new", EPOCH + 1, &[("a", "3\n")]);

    let repository = open(&fixture);
    assert!(repository.contains(id(&old)));
    assert!(!repository.is_reachable(id(&old), id(&new)).unwrap());
    assert!(repository.is_reachable(id(&kept), id(&new)).unwrap());
    let walk = repository
        .walk(id(&new), &[id(&old)], Order::OldestFirst)
        .unwrap();
    assert_eq!(
        walk,
        Walk {
            ids: vec![id(&new)],
            missing_hidden: vec![],
            boundary: vec![id(&kept)],
        }
    );

    fixture.git(&["reflog", "expire", "--expire=now", "--all"]);
    fixture.git(&["gc", "--quiet", "--prune=now"]);
    let repository = open(&fixture);
    assert!(!repository.contains(id(&old)));
    assert!(!repository.is_reachable(id(&old), id(&new)).unwrap());
    let walk = repository
        .walk(id(&new), &[id(&old)], Order::OldestFirst)
        .unwrap();
    assert_eq!(
        walk,
        Walk {
            ids: vec![id(&kept), id(&new)],
            missing_hidden: vec![id(&old)],
            boundary: vec![],
        }
    );
    let gone = repository.walk(id(&old), &[], Order::OldestFirst);
    assert!(matches!(gone, Err(GitError::Missing { id: missing }) if missing == id(&old)));
}

#[test]
fn an_id_that_is_no_commit_is_refused_as_a_tip_and_ignored_as_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path());
    let commit = fixture.commit("one", EPOCH, &[("a", "1\n")]);
    let tree = id(&fixture.git(&["rev-parse", "HEAD^{tree}"]));
    let repository = open(&fixture);
    let refused = repository.walk(tree, &[], Order::OldestFirst).unwrap_err();
    assert_eq!(refused.code(), "not-a-commit");
    let walk = repository
        .walk(id(&commit), &[tree], Order::OldestFirst)
        .unwrap();
    assert_eq!(
        walk,
        Walk {
            ids: vec![id(&commit)],
            missing_hidden: vec![tree],
            boundary: vec![],
        }
    );
}

#[test]
fn commits_that_arrive_after_opening_are_walked_loose_or_packed() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path());
    fixture.commit("first", EPOCH, &[]);
    let repository = open(&fixture);
    let before = repository.head().unwrap().tip.unwrap();
    for number in 0..5 {
        let tip = fixture.commit(&format!("later {number}"), EPOCH, &[]);
        if number % 2 == 1 {
            fixture.git(&["repack", "-a", "-d", "--quiet"]);
            fixture.git(&["pack-refs", "--all"]);
        }
        assert_eq!(repository.head().unwrap().tip, Some(id(&tip)));
        let walk = repository
            .walk(id(&tip), &[before], Order::OldestFirst)
            .unwrap();
        assert_eq!(
            sorted(&walk.ids),
            fixture.rev_list(&[&tip, "--not", &before.to_string()])
        );
        assert_eq!(walk.ids.len(), number + 1);
    }
}

#[test]
fn a_shallow_clone_ends_at_its_boundary_and_goes_on_when_it_is_deepened() {
    let dir = tempfile::tempdir().unwrap();
    let origin = GitFixture::init(dir.path().join("origin"));
    for number in 0..6 {
        origin.commit(
            &format!("commit {number}"),
            EPOCH + number,
            &[("a", &format!("{number}\n"))],
        );
    }
    let url = format!("file://{}", origin.path().display());
    origin.git(&["clone", "--quiet", "--depth=3", &url, "../clone"]);
    let clone = GitFixture::at(dir.path().join("clone"));

    let repository = open(&clone);
    let tip = repository.head().unwrap().tip.unwrap();
    let walk = repository.walk(tip, &[], Order::NewestFirst).unwrap();
    assert_eq!(sorted(&walk.ids), clone.rev_list(&["--all"]));
    assert_eq!(walk.ids.len(), 3);
    let reader = repository.commit_reader(true).unwrap();
    let boundary = reader.read(walk.ids[2]).unwrap();
    assert_eq!(
        boundary.parents.len(),
        1,
        "the commit has a parent, even if it was not fetched"
    );
    assert_eq!(boundary.files, None);
    assert_eq!(reader.read(walk.ids[1]).unwrap().files.unwrap().len(), 1);

    clone.git(&["fetch", "--quiet", "--unshallow"]);
    assert_eq!(
        repository
            .walk(tip, &[], Order::NewestFirst)
            .unwrap()
            .ids
            .len(),
        6
    );
}

#[test]
fn replaced_commits_keep_the_parents_that_they_were_made_with() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path());
    let first = fixture.commit("first", EPOCH, &[]);
    let second = fixture.commit("second", EPOCH, &[]);
    fixture.git(&["replace", "--graft", &second]);
    assert_eq!(
        fixture.git(&["rev-list", "main"]),
        second,
        "git itself sees the replacement"
    );
    let walk = open(&fixture)
        .walk(id(&second), &[], Order::OldestFirst)
        .unwrap();
    assert_eq!(walk.ids, [id(&first), id(&second)]);
    assert_captures_what_git_lists(&fixture);
}

#[test]
fn a_damaged_history_is_an_error_that_names_the_missing_commit() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path());
    let first = fixture.commit("first", EPOCH, &[]);
    let second = fixture.commit("second", EPOCH, &[]);
    let file = fixture
        .path()
        .join(".git/objects")
        .join(&first[..2])
        .join(&first[2..]);
    std::fs::remove_file(file).unwrap();
    let error = open(&fixture)
        .walk(id(&second), &[], Order::OldestFirst)
        .unwrap_err();
    assert_eq!(error.code(), "missing");
    assert!(error.to_string().contains(&first), "{error}");
}
