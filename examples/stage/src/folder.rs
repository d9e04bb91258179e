//! The folder that an example works in: the programs, `flow.yaml`, and what comes of them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What says that a folder is ours to empty.
const MARK: &str = ".staunch-example";

/// A folder that was emptied, with the programs in `bin`.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
}

impl Folder {
    /// Empties the folder, if it is ours, and puts the programs into it.
    ///
    /// # Errors
    /// When it holds what is not ours, or cannot be written.
    pub fn fresh(path: &Path, programs: &HashMap<String, PathBuf>) -> Result<Self> {
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

    /// The folder of this name in Cargo's target folder that `program` was built into, whatever the profile.
    ///
    /// # Errors
    /// When it lies in none.
    pub fn beside(program: &Path, name: &str) -> Result<PathBuf> {
        let target = program.parent().and_then(Path::parent);
        let target =
            target.context("this program lies in no target folder; name a folder with `--in`")?;
        Ok(target.join(name))
    }

    /// Writes a file into it.
    ///
    /// # Errors
    /// When that fails.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.path.join(name), text).with_context(|| format!("writing {name}"))
    }

    /// Runs `staunch` as a person would, and lets it talk.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn staunch(&self, arguments: &[&str]) -> Result<ExitStatus> {
        println!("$ bin/staunch {}", arguments.join(" "));
        let status = self.command(arguments).status();
        status.context("starting staunch")
    }

    /// As [`Folder::staunch`], where nothing but success will do.
    ///
    /// # Errors
    /// When it fails.
    pub fn staunch_succeeds(&self, arguments: &[&str]) -> Result<()> {
        let status = self.staunch(arguments)?;
        ensure!(
            status.success(),
            "`bin/staunch {}` failed ({status}); it says why above",
            arguments.join(" ")
        );
        Ok(())
    }

    /// The state as text, and how many documents are committed.
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub fn state(&self) -> Result<(String, u64)> {
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
}

/// A catalog without its comments, with what differs put in: each text that stands there once, and what stands there instead.
///
/// # Errors
/// When one of them does not stand there once.
pub fn filled(template: &str, differences: &[(&str, String)]) -> Result<String> {
    let lines = template.lines().filter(|line| !line.starts_with('#'));
    let mut text: String = lines.map(|line| format!("{line}\n")).collect();
    for (what, value) in differences {
        ensure!(
            text.matches(what).count() == 1,
            "flow.yaml has to have {what:?} once"
        );
        text = text.replace(what, value);
    }
    Ok(text)
}

/// How many documents are committed, by what `staunch state show --json` prints.
#[must_use]
pub fn committed_documents(answer: &str) -> Option<u64> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    answer.pointer("/result/commit/documents")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_is_filled_in_where_it_has_a_place_for_it() {
        let template = "# how it runs\na: [x]\nb: y\n";
        let filled = |what| filled(template, &[(what, "z".to_owned())]);
        assert_eq!(filled("[x]").unwrap(), "a: z\nb: y\n");
        for absent in ["[w]", "how", "\n"] {
            assert!(filled(absent).is_err(), "{absent}");
        }
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
