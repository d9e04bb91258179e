//! The main job as the README tells people to start it, on a repository made for it.

use std::path::Path;
use std::process::{Command, Output};

fn git(repository: &Path, arguments: &[&str]) {
    let outcome = Command::new("git")
        .args([
            "-c",
            "user.name=A Person",
            "-c",
            "user.email=person@example.com",
        ])
        .args(["-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(repository)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git runs");
    assert!(outcome.status.success(), "git {arguments:?}: {outcome:?}");
}

fn demo(repository: &Path, folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_staunch-git-history"))
        .arg(repository)
        .arg("--in")
        .arg(folder)
        .output()
        .expect("the demo runs")
}

#[test]
fn the_main_job_captures_each_commit_once_through_kill_resume_and_upgrade() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let repository = dir.path().join("repository");
    std::fs::create_dir(&repository).expect("a folder for the repository");
    git(&repository, &["init", "--quiet"]);
    let commit = |message: &str| {
        git(
            &repository,
            &["commit", "--quiet", "--allow-empty", "-m", message],
        )
    };
    for n in 0..12 {
        commit(&format!("commit {n}"));
    }
    git(&repository, &["switch", "--quiet", "-c", "topic", "HEAD~5"]);
    commit("on the branch");
    git(&repository, &["tag", "--annotate", "v1", "-m", "a tag"]);
    commit("after the tag");
    git(&repository, &["switch", "--quiet", "main"]);
    git(
        &repository,
        &["merge", "--quiet", "--no-ff", "-m", "a merge", "v1"],
    );

    let outcome = demo(&repository, &dir.path().join("demo"));
    let said = String::from_utf8_lossy(&outcome.stdout);
    assert!(
        outcome.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&outcome.stderr)
    );
    assert!(
        said.contains("15 commits, none missing, none twice"),
        "{said}"
    );
    assert!(said.contains("REWRITE"), "the plan is shown: {said}");
}

#[test]
fn a_folder_that_is_no_repository_is_an_error_that_says_so() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let outcome = demo(dir.path(), &dir.path().join("demo"));
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.status.code(), Some(1), "{said}");
    assert!(said.contains("not a git repository"), "{said}");
}
