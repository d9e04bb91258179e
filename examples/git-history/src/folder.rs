//! The folder that the job works in: the programs, `flow.yaml`, and what comes of them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The catalog beside this program's source; the job fills in what differs.
const TEMPLATE: &str = include_str!("../flow.yaml");

/// What says that a folder is ours to empty.
const MARK: &str = ".git-history-demo";

/// A folder that was emptied, with the programs in `bin`.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    /// Empties the folder, if it is ours, and puts the programs into it.
    pub(crate) fn fresh(path: &Path, programs: &HashMap<String, PathBuf>) -> Result<Self> {
        let is_empty = !path.exists() || fs::read_dir(path)?.next().is_none();
        if !is_empty {
            ensure!(
                path.join(MARK).exists(),
                "`{}` is not empty, and not of an earlier run; name another folder",
                path.display()
            );
            fs::remove_dir_all(path).with_context(|| format!("emptying `{}`", path.display()))?;
        }
        let bin = path.join("bin");
        fs::create_dir_all(&bin).with_context(|| format!("making `{}`", path.display()))?;
        fs::write(path.join(MARK), "")?;
        for (name, program) in programs {
            std::os::unix::fs::symlink(program, bin.join(name))
                .with_context(|| format!("linking `{name}`"))?;
        }
        let path = path.canonicalize()?;
        Ok(Self { path })
    }

    /// Writes `flow.yaml` for this connector.
    pub(crate) fn write_catalog(&self, catalog: &Catalog<'_>) -> Result<String> {
        let text = catalog.text()?;
        fs::write(self.path.join("flow.yaml"), &text).context("writing flow.yaml")?;
        Ok(text)
    }

    /// Runs `staunch` as a person would, and lets it talk.
    pub(crate) fn staunch(&self, arguments: &[&str]) -> Result<ExitStatus> {
        println!("$ bin/staunch {}", arguments.join(" "));
        let status = self.command(arguments).status();
        status.context("starting staunch")
    }

    /// As [`Folder::staunch`], where nothing but success will do.
    pub(crate) fn staunch_succeeds(&self, arguments: &[&str]) -> Result<()> {
        let status = self.staunch(arguments)?;
        ensure!(
            status.success(),
            "`bin/staunch {}` failed ({status}); it says why above",
            arguments.join(" ")
        );
        Ok(())
    }

    /// The state as text, and how many documents are committed.
    pub(crate) fn state(&self) -> Result<(String, u64)> {
        let quiet = |arguments: &[&str]| -> Result<String> {
            let output = self.command(arguments).stderr(Stdio::null()).output()?;
            Ok(String::from_utf8(output.stdout)?)
        };
        let text = quiet(&["state", "show", "-q"])?;
        let committed = committed_documents(&quiet(&["state", "show", "--json"])?);
        Ok((text, committed.unwrap_or(0)))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path.join("bin/staunch"));
        command.args(arguments).current_dir(&self.path);
        command.stdin(Stdio::null());
        command
    }

    /// The file that commits are captured into.
    pub(crate) fn commits(&self) -> PathBuf {
        self.path.join("out/demo/commits.jsonl")
    }
}

/// How many documents are committed, by what `staunch state show --json` prints.
pub(crate) fn committed_documents(answer: &str) -> Option<u64> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    answer.pointer("/result/commit/documents")?.as_u64()
}

/// What differs from one `flow.yaml` of the job to the next.
#[derive(Debug)]
pub(crate) struct Catalog<'a> {
    pub(crate) command: &'a [&'a str],
    pub(crate) repository: &'a Path,
    pub(crate) page_size: usize,
}

impl Catalog<'_> {
    fn text(&self) -> Result<String> {
        let Some(path) = self.repository.to_str() else {
            bail!(
                "`{}` is not UTF-8, which flow.yaml has to be",
                self.repository.display()
            );
        };
        // Every JSON string and array is YAML too.
        let path = Value::from(path).to_string();
        let command: Vec<String> = self
            .command
            .iter()
            .map(|word| Value::from(*word).to_string())
            .collect();
        let command = format!("[{}]", command.join(", "));
        let mut text: String = TEMPLATE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| format!("{line}\n"))
            .collect();
        for (what, value) in [
            ("[../../target/debug/source-git]", command),
            ("../..\n", format!("{path}\n")),
            ("page_size: 1000", format!("page_size: {}", self.page_size)),
        ] {
            ensure!(
                text.matches(what).count() == 1,
                "flow.yaml has to have {what:?} once"
            );
            text = text.replace(what, &value);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_is_the_example_with_its_command_path_and_page_size_filled_in() {
        let catalog = Catalog {
            command: &["bin/relay", "--", "bin/connector"],
            repository: Path::new("/a \"b\" #c"),
            page_size: 7,
        };
        let text = catalog.text().unwrap();
        for expected in [
            "        command: [\"bin/relay\", \"--\", \"bin/connector\"]\n",
            "          path: \"/a \\\"b\\\" #c\"\n",
            "page_size: 7 ",
            "key: [/id]",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(!text.contains("../"), "{text}");
    }

    #[test]
    fn only_a_folder_of_an_earlier_run_is_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("demo");
        let folder = Folder::fresh(&path, &HashMap::new()).unwrap();
        fs::write(folder.path.join("old"), "").unwrap();
        Folder::fresh(&path, &HashMap::new()).unwrap();
        assert!(!path.join("old").exists());

        fs::remove_file(path.join(MARK)).unwrap();
        fs::write(path.join("precious"), "").unwrap();
        let refused = Folder::fresh(&path, &HashMap::new()).unwrap_err();
        assert!(
            refused.to_string().contains("name another folder"),
            "{refused}"
        );
        assert!(path.join("precious").exists());
    }
}
