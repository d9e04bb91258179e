//! The steps, in order, each announced, with the commands as they could be typed.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use staunch_stage::{Folder, step};

use crate::Arguments;
use crate::catalog::Catalog;
use crate::outcome::{self, Difference};
use crate::repository::Repository;

/// Lines of a state that are shown. One with hundreds of refs is longer.
const SHOWN_LINES: usize = 40;

/// The programs, by name.
const PROGRAMS: [&str; 3] = ["staunch", "source-git-v1", "source-git"];

const RUN: [&str; 3] = ["run", "--until-idle", "2s"];

/// Does the job. An error if anything is missing, or there twice.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = staunch_stage::workspace()?;
    let repository = match &arguments.repository {
        Some(path) => Repository::at(path)?,
        None => Repository::of_project(&workspace)?,
    };
    let of_head = repository.commits_of_head()?;

    step("Build the command and the connector");
    let packages = ["staunch-cli", "source-git"];
    let mut programs = staunch_stage::build(&workspace, &packages, &PROGRAMS)?;
    let this = std::env::current_exe().context("finding this program")?;
    let path = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => Folder::beside(&this, "git-history-demo")?,
    };
    programs.insert("git-history".to_owned(), this);
    let folder = Folder::fresh(&path, &programs)?;
    println!("Repository: {}", repository.path.display());
    if repository.is_shallow()? {
        println!("It is a shallow clone: its history ends where it was not fetched.");
    }
    println!("All that follows happens in: {}", folder.path.display());

    let page_size = (of_head / 8).max(1);
    let catalog = |command: &[&str]| {
        let catalog = Catalog {
            command,
            repository: &repository.path,
            page_size,
        };
        let text = catalog.text()?;
        folder.write("flow.yaml", &text)?;
        anyhow::Ok(text)
    };
    kill_half_way(&folder, catalog, of_head)?;

    step("Run it again: it goes on from what was committed, with `source-git-v1`");
    catalog(&["bin/source-git-v1"])?;
    folder.staunch_succeeds(&RUN)?;
    let captured = outcome::ids(&commits(&folder))?.len();
    println!("{captured} commits captured; `HEAD` reaches {of_head}.");
    let (before, _) = folder.state()?;

    step("Put the present release in its place, and ask what that would do");
    println!(
        "`source-git-v1` followed `HEAD` alone, with one cursor. `source-git` follows every ref, with a cursor each."
    );
    catalog(&["bin/source-git"])?;
    println!("flow.yaml now has: command: [\"bin/source-git\"]");
    folder.staunch_succeeds(&["migrate", "plan", "--ask-source"])?;

    step("Run it: the state is migrated in one commit, and then the rest is captured");
    let expected = repository.commits()?;
    folder.staunch_succeeds(&RUN)?;

    step("Compare what was captured with `git rev-list --all`");
    compare(&folder, &expected)?;

    step("What came of it");
    let (after, documents) = folder.state()?;
    println!("The state of the first release:\n{}", excerpt(&before));
    println!("The state now:\n{}", excerpt(&after));
    println!("{documents} documents are committed. They lie in:");
    for (what, path) in [
        ("commits", "out/demo/commits.jsonl"),
        ("refs", "out/demo/refs.jsonl"),
        ("state", ".staunch"),
        ("catalog", "flow.yaml"),
    ] {
        println!("  {what:<8} {}", folder.path.join(path).display());
    }
    println!(
        "Go on from here: cd {} && bin/staunch run",
        folder.path.display()
    );
    Ok(())
}

/// The file that commits are captured into.
fn commits(folder: &Folder) -> PathBuf {
    folder.path.join("out/demo/commits.jsonl")
}

/// Runs the first release until it is killed in the middle of a page, and shows what is left.
fn kill_half_way(
    folder: &Folder,
    catalog: impl Fn(&[&str]) -> Result<String>,
    of_head: usize,
) -> Result<()> {
    let limit = of_head / 2 + 1;
    step(&format!(
        "Capture with `source-git-v1`, and kill it with SIGKILL after {limit} of {of_head} commits"
    ));
    if of_head < 2 {
        println!("Skipped: half-way through a history of {of_head} there is nothing. flow.yaml:\n");
        print!("{}", catalog(&["bin/source-git-v1"])?);
        return Ok(());
    }
    println!(
        "A relay between the two passes on that many, and then kills the runtime and the connector. flow.yaml:\n"
    );
    let limit = limit.to_string();
    let command = [
        "bin/git-history",
        "relay",
        "--kill-after",
        &limit,
        "--",
        "bin/source-git-v1",
    ];
    print!("{}", catalog(&command)?);
    println!();
    let status = folder.staunch(&RUN)?;
    if status.success() {
        bail!("the run came to its end; it was to be killed after {limit} commits");
    }
    ensure!(
        status.signal() == Some(9),
        "the run ended otherwise than by SIGKILL ({status}); it says why above"
    );
    println!("Killed by SIGKILL.");

    step("What was committed until then: whole pages, and the place to go on from");
    let lines = std::fs::read(commits(folder)).unwrap_or_default();
    let lines = lines.iter().filter(|&&byte| byte == b'\n').count();
    println!(
        "{lines} lines are in the file of commits. What is behind the last commit of the state is cut off by the next run."
    );
    folder.staunch_succeeds(&["state", "show"])
}

/// Says that every commit was captured once, or which were not.
fn compare(folder: &Folder, expected: &[String]) -> Result<()> {
    let captured = outcome::ids(&commits(folder))?;
    let difference = Difference::of(&captured, expected);
    if difference == Difference::default() {
        println!("{} commits, none missing, none twice", expected.len());
        let others = captured.len() - expected.len();
        if others > 0 {
            println!(
                "({others} more were captured that git did not list: the repository has changed meanwhile)"
            );
        }
        return Ok(());
    }
    for (what, ids) in [
        ("missing", &difference.missing),
        ("twice", &difference.repeated),
    ] {
        for id in ids {
            println!("{what:<8} {id}");
        }
    }
    bail!(
        "of {} commits {} are missing and {} were captured twice",
        expected.len(),
        difference.missing.len(),
        difference.repeated.len()
    )
}

/// The beginning of a state.
fn excerpt(state: &str) -> String {
    let mut lines: Vec<String> = state
        .lines()
        .take(SHOWN_LINES)
        .map(|line| format!("  {line}"))
        .collect();
    let left = state.lines().count().saturating_sub(SHOWN_LINES);
    if left > 0 {
        lines.push(format!("  … and {left} lines more: bin/staunch state show"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_state_is_cut_and_says_so() {
        assert_eq!(excerpt("{\n}\n"), "  {\n  }");
        let long = "x\n".repeat(SHOWN_LINES + 3);
        assert!(excerpt(&long).ends_with("x\n  … and 3 lines more: bin/staunch state show"));
    }
}
