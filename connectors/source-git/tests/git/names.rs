//! Refs, compared with `git for-each-ref`.

use std::sync::atomic::{AtomicUsize, Ordering};

use source_git::{
    Head, RefDocument,
    fixture::{Commit, EPOCH, GitFixture, Import},
};

use crate::{id, open};

/// What git says of all refs. Fields that git leaves empty are none.
fn listed_by_git(fixture: &GitFixture) -> Vec<RefDocument> {
    let format = "--format=%(refname)|%(objectname)";
    let listed = fixture.git(&["for-each-ref", format]);
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut documents: Vec<RefDocument> = listed
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('|').collect();
            let peeled = fixture.git(&["rev-parse", &format!("{}^{{}}", fields[0])]);
            RefDocument {
                name: fields[0].to_owned(),
                target: some(fields[1]),
                symbolic_target: stored_name(fixture, fields[0]),
                peeled: some(&peeled).filter(|peeled| peeled != fields[1]),
            }
        })
        .collect();
    documents.sort_by(|one, other| one.name.cmp(&other.name));
    documents
}

/// The name that a symbolic ref's file holds. Git itself only tells where it leads in the end.
fn stored_name(fixture: &GitFixture, name: &str) -> Option<String> {
    let file = std::fs::read_to_string(fixture.path().join(".git").join(name)).ok()?;
    file.strip_prefix("ref: ")
        .map(|name| name.trim().to_owned())
}

fn branch(name: &str, target: &str) -> RefDocument {
    RefDocument {
        name: name.into(),
        target: Some(target.into()),
        symbolic_target: None,
        peeled: None,
    }
}

#[test]
fn refs_are_those_that_git_lists_and_head() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path());
    fixture.commit("first", EPOCH, &[("a", "1\n")]);
    for name in ["topic/a", "topic/a-b", "topic/a.b", "topic/b/c", "z", "été"] {
        fixture.git(&["branch", name]);
    }
    fixture.git(&["tag", "light"]);
    fixture.git(&["tag", "-m", "annotated", "annotated"]);
    fixture.git(&["tag", "-m", "nested", "nested", "annotated"]);
    fixture.git(&["tag", "-m", "of a tree", "tree", "HEAD^{tree}"]);
    fixture.git(&["update-ref", "refs/odd/blob", "HEAD:a"]);
    fixture.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/heads/z"]);
    fixture.git(&[
        "symbolic-ref",
        "refs/remotes/origin/nested",
        "refs/remotes/origin/HEAD",
    ]);
    let repository = open(&fixture);

    let expect = |what: &str| {
        let refs = repository.refs().unwrap();
        assert_eq!(refs[0].name, "HEAD", "{what}");
        assert_eq!(refs[0].target, Some(fixture.head()), "{what}");
        assert_eq!(
            refs[0].symbolic_target.as_deref(),
            Some("refs/heads/main"),
            "{what}"
        );
        assert_eq!(refs[1..], listed_by_git(&fixture), "{what}");
        assert_eq!(refs.len(), 15, "{what}");
    };
    expect("loose");
    fixture.git(&["pack-refs", "--all"]);
    expect("packed");
    fixture.commit("second", EPOCH, &[]);
    fixture.git(&["branch", "--force", "topic/a-b"]);
    expect("loose over packed");
    fixture.git(&["branch", "-D", "--quiet", "z"]);
    fixture.git(&["branch", "z"]);
    expect("deleted and made again");

    let tips = repository.tips(&["refs/"]).unwrap();
    let reasons: Vec<&str> = tips
        .skipped
        .iter()
        .map(|skipped| skipped.name.as_str())
        .collect();
    assert_eq!(reasons, ["refs/odd/blob", "refs/tags/tree"]);
    assert!(
        tips.skipped[0].reason.starts_with("points at the blob"),
        "{:?}",
        tips.skipped
    );
    assert_eq!(tips.tips.len() + tips.skipped.len() + 1, 15);
    for tip in &tips.tips {
        let commit = fixture.git(&["rev-parse", &format!("{}^{{commit}}", tip.name)]);
        assert_eq!(tip.id.to_string(), commit, "{}", tip.name);
    }
    let some = repository
        .tips(&["refs/heads/topic/", "refs/tags/light"])
        .unwrap()
        .tips;
    let names: Vec<&str> = some.iter().map(|tip| tip.name.as_str()).collect();
    let topics = [
        "refs/heads/topic/a",
        "refs/heads/topic/a-b",
        "refs/heads/topic/a.b",
        "refs/heads/topic/b/c",
    ];
    assert_eq!(names[..4], topics);
    assert_eq!(names[4..], ["refs/tags/light"]);
}

#[test]
fn a_repository_without_commits_has_an_unborn_head_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    for (bare, fixture) in [
        (false, GitFixture::init(dir.path().join("with a work tree"))),
        (true, GitFixture::init_bare(dir.path().join("bare"))),
    ] {
        let repository = open(&fixture);
        assert_eq!(
            repository.head().unwrap(),
            Head {
                branch: Some("refs/heads/main".into()),
                tip: None
            }
        );
        let head = RefDocument {
            name: "HEAD".into(),
            target: None,
            symbolic_target: Some("refs/heads/main".into()),
            peeled: None,
        };
        assert_eq!(repository.refs().unwrap(), [head], "bare: {bare}");
        assert_eq!(
            repository.tips(&[""]).unwrap(),
            Default::default(),
            "bare: {bare}"
        );
    }
}

#[test]
fn a_detached_head_is_a_tip_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path());
    let first = fixture.commit("first", EPOCH, &[]);
    fixture.git(&["checkout", "--quiet", "--detach"]);
    let second = fixture.commit("second", EPOCH, &[]);
    let repository = open(&fixture);
    assert_eq!(
        repository.head().unwrap(),
        Head {
            branch: None,
            tip: Some(id(&second))
        }
    );
    assert_eq!(
        repository.refs().unwrap(),
        [branch("HEAD", &second), branch("refs/heads/main", &first)]
    );
    let head = repository.tips(&["HEAD"]).unwrap().tips;
    assert_eq!((head.len(), head[0].id), (1, id(&second)));
}

#[test]
fn each_work_tree_has_its_own_head_and_sees_those_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let main = GitFixture::init(dir.path().join("main"));
    main.commit("first", EPOCH, &[]);
    main.git(&["worktree", "add", "--quiet", "--detach", "../linked"]);
    let linked = GitFixture::at(dir.path().join("linked"));
    let detached = linked.commit("only in the linked work tree", EPOCH, &[]);
    main.git(&["checkout", "--quiet", "--detach"]);
    let other = main.commit("only in the main work tree", EPOCH, &[]);

    assert_eq!(
        open(&linked).head().unwrap(),
        Head {
            branch: None,
            tip: Some(id(&detached))
        }
    );
    for (fixture, name, tip) in [
        (&main, "worktrees/linked/HEAD", &detached),
        (&linked, "main-worktree/HEAD", &other),
    ] {
        let tips = open(fixture).tips(&[""]).unwrap().tips;
        let names: Vec<&str> = tips.iter().map(|tip| tip.name.as_str()).collect();
        let mut expected = ["HEAD", name, "refs/heads/main"];
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert!(tips.iter().any(|found| found.id == id(tip)), "{name}");
    }
    let refs = open(&linked).refs().unwrap();
    assert_eq!(
        refs.len(),
        2,
        "a snapshot has the refs that `git for-each-ref` lists, and its own HEAD"
    );
}

#[test]
fn a_broken_ref_is_told_and_hides_neither_the_others_nor_an_older_packed_value() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path());
    let tip = fixture.commit("first", EPOCH, &[]);
    for name in ["empty", "garbage", "good"] {
        fixture.git(&["branch", name]);
    }
    fixture.git(&["pack-refs", "--all"]);
    let heads = fixture.path().join(".git/refs/heads");
    std::fs::create_dir_all(&heads).unwrap();
    std::fs::write(heads.join("empty"), "").unwrap();
    std::fs::write(heads.join("garbage"), "not an id\n").unwrap();
    std::fs::write(heads.join("missing"), format!("{}\n", "1".repeat(40))).unwrap();
    fixture.git(&["symbolic-ref", "refs/heads/dangling", "refs/heads/nowhere"]);
    fixture.git(&["symbolic-ref", "refs/heads/loop", "refs/heads/loop2"]);
    std::fs::write(heads.join("loop2"), "ref: refs/heads/loop\n").unwrap();

    let repository = open(&fixture);
    let tips = repository.tips(&["refs/heads/"]).unwrap();
    let names: Vec<&str> = tips.tips.iter().map(|tip| tip.name.as_str()).collect();
    assert_eq!(names, ["refs/heads/good", "refs/heads/main"]);
    let skipped: Vec<&str> = tips
        .skipped
        .iter()
        .map(|skipped| &skipped.name["refs/heads/".len()..])
        .collect();
    assert_eq!(
        skipped,
        ["dangling", "empty", "garbage", "loop", "loop2", "missing"]
    );

    let refs = repository.refs().unwrap();
    let find = |name: &str| refs.iter().find(|found| found.name == name);
    assert_eq!(
        find("refs/heads/good"),
        Some(&branch("refs/heads/good", &tip))
    );
    assert_eq!(find("refs/heads/empty"), None);
    assert_eq!(find("refs/heads/dangling").unwrap().target, None);
}

#[test]
fn ref_names_that_are_not_text_stay_apart() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let commits = fixture.import(&{
        let mut import = Import::default();
        import.commit(Commit::default());
        import
    });
    let mut packed = b"# pack-refs with: peeled fully-peeled sorted \n".to_vec();
    for name in [b"refs/heads/\xfe", b"refs/heads/\xff"] {
        packed.extend_from_slice(format!("{} ", commits[0]).as_bytes());
        packed.extend_from_slice(name);
        packed.push(b'\n');
    }
    std::fs::write(fixture.path().join("packed-refs"), packed).unwrap();
    let tips = open(&fixture).tips(&["refs/heads/"]).unwrap().tips;
    let names: Vec<&str> = tips.iter().map(|tip| tip.name.as_str()).collect();
    assert_eq!(
        names,
        ["refs/heads/\\xfe", "refs/heads/\\xff", "refs/heads/main"]
    );
}

#[test]
fn no_ref_is_missed_while_git_packs_it() {
    const ROUNDS: usize = 40;
    const BRANCHES: usize = 30;
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path());
    let tip = fixture.commit("first", EPOCH, &[]);
    let repository = open(&fixture);
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let packer = scope.spawn(|| {
            for round in 1..=ROUNDS {
                // New refs are loose; packing moves them.
                let create = |branch| format!("create refs/heads/r{round}/{branch} {tip}\n");
                let creates: String = (0..BRANCHES).map(create).collect();
                fixture.git_bytes(&["update-ref", "--stdin"], creates.as_bytes());
                made.store(round * BRANCHES, Ordering::SeqCst);
                fixture.git(&["pack-refs", "--all"]);
            }
        });
        while !packer.is_finished() {
            let before = made.load(Ordering::SeqCst);
            let listed = repository.refs().unwrap().len();
            assert!(
                listed >= before + 2,
                "{listed} refs, where {before} branches were made"
            );
        }
        packer.join().unwrap();
    });
    assert_eq!(repository.refs().unwrap().len(), ROUNDS * BRANCHES + 2);
}
