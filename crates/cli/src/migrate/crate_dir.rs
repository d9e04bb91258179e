//! The crate of a connector: where it is, what its sources say, and new files in it.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::failure::Failure;

/// Bytes of a manifest or a source file that are looked at.
const LOOKED_AT_BYTES: u64 = 4 << 20;

/// Files and folders that are looked at, all together.
const LOOKED_AT_ENTRIES: usize = 20_000;

/// A crate that depends on the kit.
#[derive(Debug)]
pub(super) struct CrateDir {
    root: PathBuf,
    /// From the current folder: empty, or `../` as often as it takes.
    way: String,
}

/// A file to be, relative to the crate.
#[derive(Debug)]
pub(super) struct NewFile {
    pub(super) path: String,
    pub(super) text: String,
}

impl CrateDir {
    /// The crate around the current folder.
    ///
    /// # Errors
    /// When there is none, or it is no connector's.
    pub(super) fn find() -> Result<Self, Failure> {
        let here = std::env::current_dir().map_err(|error| Failure {
            causes: vec![error.to_string()],
            ..Failure::new(
                "crate.not_found",
                "the current folder is gone; go to another",
            )
        })?;
        let found = here
            .ancestors()
            .enumerate()
            .find(|(_, dir)| dir.join("Cargo.toml").is_file());
        let Some((levels, root)) = found else {
            let message = "there is no Cargo.toml in this folder or above; go to the crate of a connector, or name it with `-C`";
            return Err(Failure::new("crate.not_found", message));
        };
        let this = Self {
            root: root.to_owned(),
            way: "../".repeat(levels),
        };
        let manifest = this.shown("Cargo.toml");
        let text = read(&root.join("Cargo.toml")).map_err(|error| Failure {
            causes: vec![error.to_string()],
            ..Failure::new("crate.not_found", format!("cannot read `{manifest}`"))
        })?;
        let problem = match Manifest::read(&String::from_utf8_lossy(&text)) {
            Manifest {
                has_package: false, ..
            } => "is that of a workspace, and not of a crate",
            Manifest {
                depends_on_kit: false,
                ..
            } => "does not depend on `staunch`, the kit",
            _ => return Ok(this),
        };
        let message =
            format!("`{manifest}` {problem}; go to the crate of a connector, or name it with `-C`");
        Err(Failure::new("crate.not_a_connector", message))
    }

    /// A path of the crate, as it is reached from the current folder.
    pub(super) fn shown(&self, path: &str) -> String {
        format!("{}{path}", self.way)
    }

    /// Whether the crate has this file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.root.join(path).is_file()
    }

    /// The first line of the sources for which `is_it` holds: its file, from the current folder, and its number from 1.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn find_line(
        &self,
        is_it: impl Fn(&str) -> bool,
    ) -> Result<Option<(String, usize)>, Failure> {
        let mut waiting = vec![PathBuf::from("src")];
        let mut looked_at = 0;
        while let Some(dir) = waiting.pop() {
            let unreadable = |error: io::Error| Failure {
                causes: vec![error.to_string()],
                ..Failure::new(
                    "io.read",
                    format!("cannot read `{}`", self.shown(&dir.to_string_lossy())),
                )
            };
            let entries = match fs::read_dir(self.root.join(&dir)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(unreadable)?,
            };
            for entry in entries {
                let entry = entry.map_err(unreadable)?;
                looked_at += 1;
                if looked_at > LOOKED_AT_ENTRIES {
                    let message = format!(
                        "`{}` holds more than {LOOKED_AT_ENTRIES} files; is it the crate of a connector?",
                        self.shown("src")
                    );
                    return Err(Failure::new("crate.not_a_connector", message));
                }
                let path = dir.join(entry.file_name());
                let kind = entry.file_type().map_err(unreadable)?;
                if kind.is_dir() {
                    waiting.push(path);
                } else if kind.is_file() && path.extension().is_some_and(|is| is == "rs") {
                    let text = read(&self.root.join(&path)).map_err(unreadable)?;
                    let text = String::from_utf8_lossy(&text);
                    if let Some(line) = text.lines().position(&is_it) {
                        return Ok(Some((self.shown(&path.to_string_lossy()), line + 1)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Writes files that are not there: all of them whole, or none. One that is there is never touched.
    ///
    /// # Errors
    /// When one is there, or cannot be written.
    pub(super) fn create(&self, files: &[NewFile]) -> Result<(), Failure> {
        if let Some(file) = files
            .iter()
            .find(|file| fs::symlink_metadata(self.root.join(&file.path)).is_ok())
        {
            return Err(self.occupied(file));
        }
        let staged = files
            .iter()
            .map(|file| {
                self.stage(file)
                    .map_err(|error| self.unwritten(file, &error))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut created: Vec<PathBuf> = Vec::with_capacity(files.len());
        for (file, staged) in files.iter().zip(staged) {
            let path = self.root.join(&file.path);
            match staged.persist_noclobber(&path) {
                Ok(_) => created.push(path),
                Err(refused) => {
                    for path in created {
                        let _ = fs::remove_file(path); // The failure that is told is the first.
                    }
                    return Err(match refused.error.kind() {
                        io::ErrorKind::AlreadyExists => self.occupied(file),
                        _ => self.unwritten(file, &refused.error),
                    });
                }
            }
        }
        Ok(())
    }

    /// Writes a file beside its place.
    fn stage(&self, file: &NewFile) -> io::Result<NamedTempFile> {
        let path = self.root.join(&file.path);
        let dir = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(dir)?;
        let mut staged = Builder::new()
            .prefix(".staunch-")
            .permissions(Permissions::from_mode(0o666)) // What the umask leaves of it.
            .tempfile_in(dir)?;
        staged.write_all(file.text.as_bytes())?;
        staged.as_file().sync_all()?;
        Ok(staged)
    }

    fn occupied(&self, file: &NewFile) -> Failure {
        let path = self.shown(&file.path);
        let message = format!(
            "`{path}` is there already, and nothing is overwritten; choose another name, or move it away"
        );
        Failure::new("crate.occupied", message)
    }

    fn unwritten(&self, file: &NewFile, error: &io::Error) -> Failure {
        Failure::write(&format!("`{}`", self.shown(&file.path)), error)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LOOKED_AT_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As much of a `Cargo.toml` as tells a connector's crate from others; cargo itself reads the rest.
#[derive(Debug, Default, PartialEq)]
struct Manifest {
    has_package: bool,
    depends_on_kit: bool,
}

impl Manifest {
    fn read(text: &str) -> Self {
        let mut this = Self::default();
        let mut table = String::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some(header) = line.strip_prefix('[') {
                let header = header.trim_end_matches(']');
                table = header
                    .chars()
                    .filter(|c| !c.is_whitespace() && *c != '"')
                    .collect();
                this.has_package |= table == "package";
                let of_kit = table.strip_suffix(".staunch").is_some_and(is_dependencies);
                this.depends_on_kit |= of_kit;
            } else if is_dependencies(&table) {
                let key = line.split(['=', '.']).next().unwrap_or_default();
                this.depends_on_kit |= key.trim().trim_matches('"') == "staunch";
            }
        }
        this
    }
}

/// Whether a table holds what a crate's own code depends on: not its tests, not its workspace.
fn is_dependencies(table: &str) -> bool {
    table == "dependencies" || table.starts_with("target.") && table.ends_with(".dependencies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crate_of_a_connector_is_known_by_its_manifest() {
        for (text, has_package, depends_on_kit) in [
            ("", false, false),
            (
                "[workspace]\nmembers = []\n[workspace.dependencies]\nstaunch = \"1\"",
                false,
                false,
            ),
            (
                "[package]\nname = \"a\"\n[dependencies]\nserde = \"1\"",
                true,
                false,
            ),
            (
                "[package]\n[dev-dependencies]\nstaunch = \"1\"",
                true,
                false,
            ),
            (
                "[package]\n[dependencies]\n# staunch = \"1\"\nstaunch-state = \"1\"",
                true,
                false,
            ),
            ("[package]\n[dependencies]\nstaunch = \"1\"", true, true),
            (
                "[package]\n[dependencies]\nstaunch.workspace = true",
                true,
                true,
            ),
            (
                "[ package ] # ours\n[dependencies]\n\"staunch\" = { path = \"..\" }",
                true,
                true,
            ),
            (
                "[package]\n[dependencies.staunch]\npath = \"..\"",
                true,
                true,
            ),
            (
                "[package]\n[target.'cfg(unix)'.dependencies]\nstaunch = \"1\"",
                true,
                true,
            ),
        ] {
            let expected = Manifest {
                has_package,
                depends_on_kit,
            };
            assert_eq!(Manifest::read(text), expected, "{text}");
        }
    }

    #[test]
    fn files_are_created_all_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let this = CrateDir {
            root: dir.path().to_owned(),
            way: String::new(),
        };
        let file = |path: &str| NewFile {
            path: path.to_owned(),
            text: format!("of {path}"),
        };
        this.create(&[file("a/b/one"), file("two")]).unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("a/b/one")).unwrap(),
            "of a/b/one"
        );
        let refused = this.create(&[file("three"), file("two")]).unwrap_err();
        assert_eq!(refused.code, "crate.occupied");
        // The second cannot be staged: where its folder should be there is a file.
        let refused = this.create(&[file("three"), file("two/four")]).unwrap_err();
        assert_eq!(refused.code, "io.write");
        // The second is there, though it leads nowhere.
        std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
        let refused = this.create(&[file("three"), file("link")]).unwrap_err();
        assert_eq!(refused.code, "crate.occupied");
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["a", "link", "two"]);
    }
}
