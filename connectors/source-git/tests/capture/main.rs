//! The whole connector, both releases, as a runtime sees it, compared with what git says.

#![allow(clippy::unwrap_used)] // Helpers outside a test function are test code too.

mod driver;
mod goal;
mod histories;
mod random;
mod refs;
mod rewrites;
mod upgrade;

use source_git::fixture::{Commit, EPOCH, GitFixture, Import};

/// A new bare repository in a folder that goes with the value.
fn bare() -> (tempfile::TempDir, GitFixture) {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path().join("repository.git"));
    (dir, fixture)
}

/// A new repository with a work tree, in a folder that goes with the value.
fn with_work_tree() -> (tempfile::TempDir, GitFixture) {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path().join("repository"));
    (dir, fixture)
}

/// Makes a commit without a branch, of any parents and at any time; answers its id.
fn dangling(fixture: &GitFixture, parents: &[&str], message: &str, seconds: i64) -> String {
    let tree = fixture.object("tree", b"");
    let mut commit = format!("tree {tree}\n");
    for parent in parents {
        commit.push_str(&format!("parent {parent}\n"));
    }
    let person = source_git::fixture::PERSON;
    commit.push_str(&format!(
        "author {person} {seconds} +0000\ncommitter {person} {seconds} +0000\n\n{message}\n"
    ));
    fixture.object("commit", commit.as_bytes())
}

/// Commits to a branch that the work tree need not be on, on top of what it has; answers the id.
fn grow(fixture: &GitFixture, branch: &str, message: &str) -> String {
    let has = fixture.git(&["for-each-ref", "--format=%(objectname)", branch]);
    let parents: Vec<&str> = has.lines().collect();
    let id = dangling(fixture, &parents, message, EPOCH);
    fixture.git(&["update-ref", branch, &id]);
    id
}

/// Commits in a row on one branch.
fn line(fixture: &GitFixture, branch: &str, commits: usize) -> Vec<String> {
    let mut import = Import::default();
    let mut parents = Vec::new();
    for number in 0..commits {
        let message = format!("{branch} {number}\n");
        let id = import.commit(Commit {
            branch,
            parents: &parents,
            message: message.as_bytes(),
            ..Commit::default()
        });
        parents = vec![id];
    }
    fixture.import(&import)
}
