//! What git says about the repository. Nothing is written to it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A repository on this machine.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) path: PathBuf,
}

impl Repository {
    /// The one at `path`: in a work tree, bare, or a `.git` folder.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        let repository = Self {
            path: path.to_owned(),
        };
        let path = match repository.git(&["rev-parse", "--show-toplevel"]) {
            Ok(work_tree) => work_tree,
            Err(_) => repository
                .git(&["rev-parse", "--absolute-git-dir"])
                .with_context(|| format!("`{}` cannot be captured", path.display()))?,
        };
        Ok(Self { path: path.into() })
    }

    /// The project's own, which its folder may lack: an archive has none.
    pub(crate) fn of_project(workspace: &Path) -> Result<Self> {
        let found = Self::at(workspace).ok();
        let is_own = |found: &Self| {
            found
                .path
                .canonicalize()
                .is_ok_and(|path| path == workspace)
        };
        found.filter(is_own).with_context(|| {
            format!(
                "the project's folder `{}` is no git repository; clone the project with git, or name another repository: \
                 cargo run --package staunch-git-history -- /path/to/a/repository",
                workspace.display()
            )
        })
    }

    /// How many commits `HEAD` reaches; none before the first.
    pub(crate) fn commits_of_head(&self) -> Result<usize> {
        if self.git(&["rev-parse", "--revs-only", "HEAD"])?.is_empty() {
            return Ok(0);
        }
        let count = self.git(&["rev-list", "--count", "HEAD"])?;
        count.parse().context("reading what git counted")
    }

    /// All commits that refs and `HEAD` reach.
    pub(crate) fn commits(&self) -> Result<Vec<String>> {
        // The heads of other work trees are not followed. Git reads its options in order: this one comes first.
        let listed = self.git(&["rev-list", "--single-worktree", "--all"])?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// Whether the history ends where it was not fetched.
    pub(crate) fn is_shallow(&self) -> Result<bool> {
        Ok(self.git(&["rev-parse", "--is-shallow-repository"])? == "true")
    }

    fn git(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("git");
        // Only reads, so whose repository it is does not matter; and replaced commits are not what is stored.
        command.args(["--no-replace-objects", "-c", "safe.directory=*", "-C"]);
        command.arg(&self.path).args(arguments);
        // A hook that this is run from must not choose the repository.
        for variable in [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_COMMON_DIR",
            "GIT_NAMESPACE",
        ] {
            command.env_remove(variable);
        }
        let output = command
            .stdin(Stdio::null())
            .output()
            .context("starting git; install it")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("git {}: {}", arguments.join(" "), said.trim());
        }
        let text = String::from_utf8(output.stdout).context("reading what git said")?;
        Ok(text.trim_end_matches('\n').to_owned())
    }
}
