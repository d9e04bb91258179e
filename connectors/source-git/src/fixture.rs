//! Builds git repositories for tests, with the `git` command, the same to the byte each time.
//!
//! Neither the machine's nor the user's configuration is seen, and no clock: every commit has the time it is
//! given. All functions panic when git refuses, with what git said.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A repository that a test owns, in a folder that the test gives and removes.
#[derive(Clone, Debug)]
pub struct GitFixture {
    dir: PathBuf,
}

/// The author and committer of commits that name none.
pub const PERSON: &str = "Ada Lovelace <ada@example.com>";

/// The time of the first commit of a fixture, by convention: 2026-01-01T00:00:00Z.
pub const EPOCH: i64 = 1_767_225_600;

impl GitFixture {
    /// A new repository with a work tree, on branch `main`, without commits.
    pub fn init(dir: impl Into<PathBuf>) -> Self {
        Self::init_with(dir.into(), &[])
    }

    /// A new bare repository, on branch `main`, without commits.
    pub fn init_bare(dir: impl Into<PathBuf>) -> Self {
        Self::init_with(dir.into(), &["--bare"])
    }

    /// A repository, or a work tree, that is there already.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        GitFixture { dir: dir.into() }
    }

    fn init_with(dir: PathBuf, arguments: &[&str]) -> Self {
        std::fs::create_dir_all(&dir).expect("a test may write to its folder");
        let fixture = GitFixture { dir };
        fixture.git(&[&["init", "--quiet", "--initial-branch=main"], arguments].concat());
        fixture
    }

    /// Where it is: the work tree, or the bare repository.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Runs git in the repository; answers its standard output without the last newline.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.git_bytes(arguments, b"");
        let text = String::from_utf8(output).expect("git's answer is UTF-8");
        text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
    }

    /// As [`GitFixture::git`], for bytes in and out.
    pub fn git_bytes(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the `git` command is installed");
        let mut stdin = child.stdin.take().expect("it is piped");
        let output = std::thread::scope(|scope| {
            // A command that does not read its input closes it early.
            scope.spawn(move || stdin.write_all(input).ok());
            child.wait_with_output().expect("git can be waited for")
        });
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "`git {}` failed: {complaint}",
            arguments.join(" ")
        );
        output.stdout
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.dir).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_AUTHOR_NAME", "Ada Lovelace"),
            ("GIT_AUTHOR_EMAIL", "ada@example.com"),
            ("GIT_COMMITTER_NAME", "Ada Lovelace"),
            ("GIT_COMMITTER_EMAIL", "ada@example.com"),
            ("GIT_AUTHOR_DATE", "1767225600 +0000"),
            ("GIT_COMMITTER_DATE", "1767225600 +0000"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
        ]);
        command.env("HOME", &self.dir);
        // Nothing runs behind a test's back.
        command.args([
            "-c",
            "gc.auto=0",
            "-c",
            "maintenance.auto=false",
            "-c",
            "protocol.file.allow=always",
        ]);
        command.args(arguments);
        command
    }

    /// Commits `files` (path and contents), on top of what the work tree has, to the branch it is on.
    pub fn commit(&self, message: &str, seconds: i64, files: &[(&str, &str)]) -> String {
        for (path, contents) in files {
            let file = self.dir.join(path);
            std::fs::create_dir_all(file.parent().expect("a file has a folder"))
                .expect("a test may write");
            std::fs::write(file, contents).expect("a test may write to its folder");
        }
        self.git(&["add", "--all"]);
        let date = format!("{seconds} +0000");
        let output = self
            .command(&[
                "commit",
                "--quiet",
                "--allow-empty",
                "--allow-empty-message",
                "--message",
                message,
            ])
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .output()
            .expect("the `git` command is installed");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        self.head()
    }

    /// The commit that `HEAD` is at.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes an object as it is, however wrong; answers its id.
    pub fn object(&self, kind: &str, bytes: &[u8]) -> String {
        let id = self.git_bytes(
            &["hash-object", "-t", kind, "-w", "--stdin", "--literally"],
            bytes,
        );
        String::from_utf8(id)
            .expect("an id is ASCII")
            .trim()
            .to_owned()
    }

    /// Runs an import; answers the ids of its commits, in order.
    pub fn import(&self, import: &Import) -> Vec<String> {
        let marks = self
            .dir
            .join(format!("import-{}.marks", std::process::id()));
        let option = format!("--export-marks={}", marks.display());
        self.git_bytes(
            &[
                "fast-import",
                "--quiet",
                "--force",
                "--date-format=raw-permissive",
                &option,
            ],
            &import.stream,
        );
        let text = std::fs::read_to_string(&marks).expect("git wrote the marks");
        std::fs::remove_file(&marks).expect("it is ours");
        let mut ids: Vec<(usize, &str)> = text
            .lines()
            .filter_map(|line| line.strip_prefix(':')?.split_once(' '))
            .map(|(mark, id)| (mark.parse().expect("a mark is a number"), id))
            .collect();
        ids.sort_unstable();
        ids.into_iter().map(|(_, id)| id.to_owned()).collect()
    }

    /// The lines of `git rev-list` with these arguments, sorted.
    pub fn rev_list(&self, arguments: &[&str]) -> Vec<String> {
        // Replacements would make git walk another history than the one that is stored.
        let listed = self.git(&[&["--no-replace-objects", "rev-list"], arguments].concat());
        let mut ids: Vec<String> = listed.lines().map(str::to_owned).collect();
        ids.sort_unstable();
        ids
    }
}

/// A history for `git fast-import`: any graph, any dates, any bytes, ten thousand commits a second.
#[derive(Clone, Debug, Default)]
pub struct Import {
    stream: Vec<u8>,
    commits: usize,
}

/// One commit of an [`Import`]. Start from `Commit::default()`.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The ref that is moved to it.
    pub branch: &'a str,
    /// Numbers that [`Import::commit`] answered. Without any it is a root.
    pub parents: &'a [usize],
    /// `Name <email>`, for author and committer.
    pub person: &'a [u8],
    /// `seconds offset`.
    pub clock: &'a str,
    /// Its `encoding` header, if any.
    pub encoding: Option<&'a str>,
    /// Any bytes.
    pub message: &'a [u8],
    /// The files that it changes.
    pub files: &'a [File<'a>],
}

/// What an imported commit does to one path.
#[derive(Clone, Copy, Debug)]
pub enum File<'a> {
    /// A file, `100644`.
    Put(&'a [u8], &'a [u8]),
    /// Something of another mode: `100755`, or `120000` for a link.
    PutAs(&'a str, &'a [u8], &'a [u8]),
    /// A submodule at a commit.
    Submodule(&'a [u8], &'a str),
    /// Nothing any more.
    Remove(&'a [u8]),
}

impl Default for Commit<'_> {
    fn default() -> Self {
        Commit {
            branch: "refs/heads/main",
            parents: &[],
            person: PERSON.as_bytes(),
            clock: "1767225600 +0000",
            encoding: None,
            message: b"change\n",
            files: &[],
        }
    }
}

impl Import {
    /// Adds a commit; answers its number, counted from 0.
    pub fn commit(&mut self, commit: Commit<'_>) -> usize {
        let number = self.commits;
        self.commits += 1;
        if commit.parents.is_empty() {
            // Otherwise git would take the branch's last commit as the parent.
            self.line(&format!("reset {}", commit.branch));
        }
        self.line(&format!("commit {}\nmark :{}", commit.branch, number + 1));
        for role in ["author", "committer"] {
            self.stream.extend_from_slice(role.as_bytes());
            self.stream.push(b' ');
            self.stream.extend_from_slice(commit.person);
            self.line(&format!(" {}", commit.clock));
        }
        if let Some(encoding) = commit.encoding {
            self.line(&format!("encoding {encoding}"));
        }
        self.data(commit.message);
        for (position, parent) in commit.parents.iter().enumerate() {
            self.line(&format!(
                "{} :{}",
                if position == 0 { "from" } else { "merge" },
                parent + 1
            ));
        }
        for file in commit.files {
            match file {
                File::Put(path, contents) => {
                    self.file("M 100644 inline ", path);
                    self.data(contents);
                }
                File::PutAs(mode, path, contents) => {
                    self.file(&format!("M {mode} inline "), path);
                    self.data(contents);
                }
                File::Submodule(path, id) => self.file(&format!("M 160000 {id} "), path),
                File::Remove(path) => self.file("D ", path),
            }
        }
        number
    }

    /// Points a ref at a commit.
    pub fn reset(&mut self, name: &str, commit: usize) {
        self.line(&format!("reset {name}\nfrom :{}\n", commit + 1));
    }

    fn line(&mut self, text: &str) {
        self.stream.extend_from_slice(text.as_bytes());
        self.stream.push(b'\n');
    }

    fn data(&mut self, bytes: &[u8]) {
        self.line(&format!("data {}", bytes.len()));
        self.stream.extend_from_slice(bytes);
        self.stream.push(b'\n');
    }

    /// The path is quoted: it may hold anything.
    fn file(&mut self, command: &str, path: &[u8]) {
        self.stream.extend_from_slice(command.as_bytes());
        self.stream.push(b'"');
        for &byte in path {
            match byte {
                b'"' | b'\\' | b'\n' | 0x7f.. => self
                    .stream
                    .extend_from_slice(format!("\\{byte:03o}").as_bytes()),
                _ => self.stream.push(byte),
            }
        }
        self.line("\"");
    }
}
