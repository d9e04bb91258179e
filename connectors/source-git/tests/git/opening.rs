//! What can be opened, and what is said of the rest.

use source_git::{
    Repository,
    fixture::{EPOCH, GitFixture},
};

use crate::{id, open};

#[test]
fn a_repository_opens_by_its_folder_its_git_folder_and_its_work_trees() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path().join("plain"));
    let tip = fixture.commit("first", EPOCH, &[]);
    fixture.git(&["clone", "--quiet", "--bare", ".", "../bare.git"]);
    fixture.git(&["worktree", "add", "--quiet", "-b", "other", "../linked"]);
    for path in ["plain", "plain/.git", "bare.git", "linked"] {
        let repository = Repository::open(dir.path().join(path)).unwrap();
        assert_eq!(repository.head().unwrap().tip, Some(id(&tip)), "{path}");
    }
}

#[test]
fn what_is_no_repository_is_told_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    for path in ["", "nowhere", "file"] {
        let path = dir.path().join(path);
        let error = Repository::open(&path).unwrap_err();
        assert_eq!(error.code(), "not-a-repository", "{error:?}");
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` is not a git repository; give the path of a repository or of its `.git` folder",
                path.display()
            )
        );
    }
}

#[test]
fn formats_that_would_look_empty_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (setting, code) in [
        (["extensions.refStorage", "reftable"], "unsupported"),
        (["extensions.objectFormat", "sha256"], "unsupported"),
    ] {
        let fixture = GitFixture::init(dir.path().join(setting[1]));
        fixture.git(&["config", "core.repositoryFormatVersion", "1"]);
        fixture.git(&["config", setting[0], setting[1]]);
        let error = Repository::open(fixture.path()).unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
    }
}

#[test]
fn a_repository_whose_configuration_is_hostile_is_read_and_runs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path().join("hostile"));
    let first = fixture.commit(
        "first",
        EPOCH,
        &[
            ("a.txt", "1\n"),
            (".gitattributes", "*.txt diff=evil filter=evil\n"),
        ],
    );
    let trace = dir.path().join("it-ran");
    let command = format!("touch {}", trace.display());
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "uploadpack.packObjectsHook",
    ] {
        fixture.git(&["config", key, &command]);
    }
    fixture.git(&["config", "core.worktree", "/nowhere/at/all"]);
    let repository = open(&fixture);
    let commit = repository
        .commit_reader(true)
        .unwrap()
        .read(id(&first))
        .unwrap();
    assert_eq!(commit.files.unwrap().len(), 2);
    assert_eq!(repository.refs().unwrap().len(), 2);
    assert!(!trace.exists());
}

#[test]
fn a_repository_may_be_used_from_many_threads() {
    fn is_shareable<T: Clone + Send + Sync>() {}
    is_shareable::<Repository>();
    fn is_movable<T: Send>() {}
    is_movable::<source_git::CommitReader>();
}

#[test]
fn a_text_that_is_no_id_is_told() {
    for text in [
        "",
        "abc",
        "HEAD",
        &"g".repeat(40),
        &"a".repeat(41),
        &"é".repeat(1000),
    ] {
        let error = source_git::parse_id(text).unwrap_err();
        assert_eq!(error.code(), "id");
        assert!(error.to_string().len() < 300, "{error}");
    }
    assert_eq!(
        source_git::parse_id(&"A".repeat(40)).unwrap().to_string(),
        "a".repeat(40)
    );
}
