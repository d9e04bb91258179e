//! A fresh project with the connector `misbehave`, the command itself, and what is looked at after each run.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

/// In the endpoint config of every project; must be in nothing that a run prints or leaves behind.
pub(crate) const SECRET: &str = "hunter2-do-not-tell";

/// The connector.
pub(crate) const MISBEHAVE: &str = env!("CARGO_BIN_EXE_misbehave");

/// The collection's file, relative to the project.
pub(crate) const OUTPUT: &str = "out/acme/numbers.jsonl";

/// No run of these tests takes as long on the slowest machine; one that hangs should fail, not hang the tests.
const PATIENCE: Duration = Duration::from_secs(180);

/// The `staunch` command, built once: it belongs to another package, which alone is told where it lies.
pub(crate) fn staunch() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let profile_dir = Path::new(MISBEHAVE)
            .parent()
            .expect("a binary is in a folder");
        let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
            None | Some("debug") => "dev",
            Some(name) => name,
        };
        let target_dir = profile_dir
            .ancestors()
            .find(|dir| dir.join("CACHEDIR.TAG").exists());
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args([
            "build",
            "--quiet",
            "--package",
            "staunch-cli",
            "--bin",
            "staunch",
        ]);
        build.args([
            "--profile",
            profile,
            "--message-format",
            "json-render-diagnostics",
        ]);
        if let Some(dir) = target_dir {
            build.arg("--target-dir").arg(dir);
        }
        build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit());
        let built = build.output().expect("cargo can be started");
        assert!(built.status.success(), "building `staunch` failed");
        let messages = String::from_utf8(built.stdout).expect("cargo writes UTF-8");
        let messages = messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let executable = |message: Value| message["executable"].as_str().map(PathBuf::from);
        let mut executables = messages.filter_map(executable);
        executables.next().expect("cargo names the executable")
    })
}

/// A project of one capture, `acme/numbers`, in a folder of its own.
pub(crate) struct Project {
    dir: tempfile::TempDir,
}

/// What a person sees of a command that has ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// What the store says of the capture.
#[derive(Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) revision: u64,
    pub(crate) state: Value,
    pub(crate) documents: u64,
    pub(crate) checkpoints: u64,
    /// Committed bytes of all its files.
    pub(crate) bytes: u64,
}

/// A command that is running. It is killed if it is dropped before it ended.
pub(crate) struct Running {
    child: Child,
    began: Instant,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Project {
    /// With the connector in a mode.
    pub(crate) fn new(mode: &[&str]) -> Self {
        Self::within(tempfile::tempdir().expect("a folder can be made"), mode)
    }

    pub(crate) fn within(dir: tempfile::TempDir, mode: &[&str]) -> Self {
        let this = Self { dir };
        this.connector(mode);
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is within the project"))
            .expect("the folder can be made");
        fs::write(path, text).expect("the file can be written");
    }

    /// Has the capture run the connector in another mode from now on.
    pub(crate) fn connector(&self, mode: &[&str]) {
        let mut command = vec![MISBEHAVE];
        command.extend_from_slice(mode);
        self.command(&command);
    }

    /// Has the capture run another command from now on.
    pub(crate) fn command(&self, command: &[&str]) {
        self.write("flow.yaml", catalog(command, "interval: 1s"));
    }

    /// Runs the command to its end.
    pub(crate) fn staunch(&self, arguments: &[&str]) -> Outcome {
        self.start(arguments).wait()
    }

    /// One session.
    pub(crate) fn run(&self) -> Outcome {
        self.staunch(&["run", "--once"])
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(staunch());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("STAUNCH_") || name.starts_with("LOG_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().expect("`staunch` can be started");
        let stdout = child
            .stdout
            .take()
            .map(|pipe| std::thread::spawn(|| collect(pipe)));
        let stderr = child
            .stderr
            .take()
            .map(|pipe| std::thread::spawn(|| collect(pipe)));
        Running {
            child,
            began: Instant::now(),
            stdout,
            stderr,
        }
    }

    /// The ids in the collection's file, each line of which must be a document.
    pub(crate) fn ids(&self) -> Vec<u64> {
        let Ok(file) = fs::File::open(self.path(OUTPUT)) else {
            return Vec::new();
        };
        let id = |line: Result<String, _>| {
            let line: String = line.expect("the file can be read");
            let document: Value = serde_json::from_str(&line).expect("each line is a document");
            document["id"].as_u64().expect("each document has its id")
        };
        BufReader::new(file).lines().map(id).collect()
    }

    /// The process id that the connector left behind.
    pub(crate) fn pid(&self) -> u32 {
        let read = || fs::read_to_string(self.path("pid")).ok()?.parse().ok();
        until("the process id", || read().is_some());
        read().expect("it was just there")
    }

    pub(crate) fn bytes(&self) -> u64 {
        fs::metadata(self.path(OUTPUT)).map_or(0, |found| found.len())
    }

    /// What the store says of the capture, none if there is nothing yet.
    pub(crate) fn stored(&self) -> Option<Stored> {
        let path = self.path(".staunch/state.db");
        let database =
            rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
                .ok()?;
        let query = "SELECT revision, state, documents, checkpoints, \
                     (SELECT sum(committed_bytes) FROM files WHERE capture = captures.capture) FROM captures";
        let stored = database.query_row(query, [], |row| {
            let number = |index| row.get::<_, i64>(index).map(|number| number.unsigned_abs());
            let state: String = row.get(1)?;
            let state = serde_json::from_str(&state).unwrap_or(Value::String(state));
            let bytes = row
                .get::<_, Option<i64>>(4)?
                .unwrap_or_default()
                .unsigned_abs();
            Ok(Stored {
                revision: number(0)?,
                state,
                documents: number(2)?,
                checkpoints: number(3)?,
                bytes,
            })
        });
        stored.ok()
    }

    /// Writes to the store behind the command's back.
    pub(crate) fn tamper(&self, sql: &str) {
        let database = rusqlite::Connection::open(self.path(".staunch/state.db"))
            .expect("the store can be opened");
        database
            .execute_batch(sql)
            .expect("the store can be changed");
    }

    /// Asserts that files and state are together at document `n`: no more, no less, each once, in order.
    #[track_caller]
    pub(crate) fn assert_committed(&self, n: u64, what: &str) {
        assert_eq!(
            self.ids(),
            (1..=n).collect::<Vec<_>>(),
            "{what}: the documents"
        );
        let stored = self.stored();
        assert_eq!(cursor(stored.as_ref()), n, "{what}: the cursor");
        let stored = stored
            .map(|stored| (stored.documents, stored.bytes))
            .unwrap_or_default();
        assert_eq!(
            stored,
            (n, self.bytes()),
            "{what}: documents and bytes committed"
        );
        self.assert_no_secret(what);
    }

    /// Asserts that a good run completes the capture from where it is.
    #[track_caller]
    pub(crate) fn assert_completes(&self, n: u64, what: &str) {
        self.connector(&["good", &n.to_string()]);
        self.run().succeeded(what);
        self.assert_committed(n, what);
    }

    /// Asserts that no file of the project but its catalog has the secret. The store is looked at by a test of its own.
    #[track_caller]
    pub(crate) fn assert_no_secret(&self, what: &str) {
        let may_have = |name: &str| name == "flow.yaml" || name.starts_with("state.db");
        let found = self.files_with_the_secret();
        let found: Vec<_> = found
            .iter()
            .filter(|path| {
                !path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(may_have)
            })
            .collect();
        assert!(found.is_empty(), "{what}: the secret is in {found:?}");
    }

    /// All files of the project that have the secret in them.
    pub(crate) fn files_with_the_secret(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("the folder can be read") {
                let path = entry.expect("the folder can be read").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).expect("the file can be read");
                    if memchr::memmem::find(&bytes, SECRET.as_bytes()).is_some() {
                        found.push(path);
                    }
                }
            }
        }
        found
    }
}

/// The catalog: a capture with this command, its config with a secret, and its collection.
pub(crate) fn catalog(command: &[&str], extra: &str) -> String {
    let command = serde_json::to_string(command).expect("a list of strings is JSON");
    format!(
        "captures:\n  \
           acme/numbers:\n    \
             {extra}\n    \
             endpoint:\n      \
               local:\n        \
                 command: {command}\n        \
                 config: {{ token: {SECRET} }}\n    \
             bindings:\n      \
               - resource: {{ name: numbers }}\n        \
                 target: acme/numbers\n\
         collections:\n  \
           acme/numbers:\n    \
             key: [/id]\n    \
             schema:\n      \
               type: object\n      \
               required: [id]\n      \
               properties:\n        \
                 id: {{ type: integer, minimum: 1 }}\n        \
                 text: {{ type: string }}\n"
    )
}

/// Where a state says that the capture is.
pub(crate) fn cursor(stored: Option<&Stored>) -> u64 {
    stored
        .and_then(|stored| stored.state["bindingStateV1"]["numbers"]["inc"]["cursor"].as_u64())
        .unwrap_or_default()
}

fn collect(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = pipe.read_to_end(&mut bytes); // What was read until then is what there is to look at.
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal); // It may have ended.
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of the command, and looks for what must be in no output whatever happens.
    pub(crate) fn wait(self) -> Outcome {
        self.wait_for(PATIENCE)
    }

    pub(crate) fn wait_for(mut self, patience: Duration) -> Outcome {
        let status = loop {
            if let Some(status) = self
                .child
                .try_wait()
                .expect("the command can be waited for")
            {
                break status;
            }
            assert!(
                self.began.elapsed() < patience,
                "the command does not end within {patience:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = self.began.elapsed();
        let text = |pipe: Option<JoinHandle<String>>| {
            pipe.and_then(|pipe| pipe.join().ok()).unwrap_or_default()
        };
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        let outcome = Outcome {
            code: status.code(),
            signal: status.signal(),
            stdout,
            stderr,
            took,
        };
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(!text.contains(SECRET), "the secret is told: {outcome:?}");
            assert!(!text.contains("panicked"), "it panicked: {outcome:?}");
        }
        outcome
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL); // A test has failed already.
            let _ = self.child.wait();
        }
    }
}

impl Outcome {
    #[track_caller]
    pub(crate) fn succeeded(&self, what: &str) -> &Self {
        assert_eq!(self.code, Some(0), "{what}: {self:#?}");
        self
    }

    /// Asserts a failure: its exit code, what it says, and that standard output is left to data.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, said: &[&str], what: &str) -> &Self {
        assert_eq!(self.code, Some(code), "{what}: {self:#?}");
        for said in said {
            assert!(
                self.stderr.contains(said),
                "{what}: `{said}` is not said: {self:#?}"
            );
        }
        assert_eq!(self.stdout, "", "{what}: standard output is for data");
        self
    }
}

/// Waits for a condition; what it is, for the message.
#[track_caller]
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends a process that a test found where none should be.
pub(crate) fn kill(pid: u32) {
    let pid = i32::try_from(pid).expect("a process id is an i32");
    let pid = Pid::from_raw(pid).expect("a process id is not 0");
    let _ = kill_process(pid, Signal::KILL); // It may have ended.
}

/// Whether a process is there.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // One that ended and was not waited for is a zombie, and gone.
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
