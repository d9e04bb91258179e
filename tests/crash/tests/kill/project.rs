//! A project of its own folder, and runs of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use staunch_crash_tests::log::Log;
use staunch_crash_tests::script::{ARCHIVE, EVENTS, LABELS, Release};
use staunch_postgres_cluster::Cluster;

/// The capture of every project.
pub(crate) const CAPTURE: &str = "crash/script";

/// When a run is at its end. Nothing that the script does takes as long, but on a machine with much else to do: a run
/// that ended early is run again.
const IDLE: &str = "250ms";

/// No run takes as long on the slowest machine; one that hangs should fail, not hang the tests.
const PATIENCE: Duration = Duration::from_secs(90);

const LOOK_INTERVAL: Duration = Duration::from_millis(3);

/// How fast checkpoints come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Each waits for the one before it to be durable, and tasks take turns: every run is the same.
    Paced,
    /// As fast as they can.
    Free,
}

/// Where documents go.
#[derive(Clone)]
pub(crate) enum Into {
    Files,
    Sqlite,
    /// The name of the database.
    Postgres(Arc<Cluster>, String),
}

impl Into {
    /// Another database, with what is in this one.
    fn copy(&self) -> Self {
        static COPIES: AtomicU32 = AtomicU32::new(0);
        let Into::Postgres(cluster, name) = self else {
            return self.clone(); // It lies in the folder.
        };
        let copy = format!("copy_{}", COPIES.fetch_add(1, Ordering::Relaxed));
        // What a killed run has left behind there is still about to notice.
        let _ = cluster.psql(&format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'"
        ));
        let _ = cluster.psql(&format!("CREATE DATABASE {copy} TEMPLATE {name}"));
        Into::Postgres(Arc::clone(cluster), copy)
    }

    fn settings(&self) -> Option<String> {
        let sink = match self {
            Into::Files => return None,
            Into::Sqlite => "type: sqlite, path: lake.db".to_owned(),
            Into::Postgres(cluster, name) => {
                format!("type: postgres, dsn: '{}'", cluster.dsn_of(name))
            }
        };
        Some(format!(
            "version: 1\nsinks: {{ lake: {{ {sink}, updates: append }} }}\ncaptures: {{ {CAPTURE}: {{ sink: lake }} }}\n"
        ))
    }
}

/// A folder with a catalog, and what runs of it leave.
pub(crate) struct Project {
    dir: tempfile::TempDir,
    pub(crate) into: Into,
    pace: Pace,
    runs: AtomicU32,
}

/// A run that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What passed between runtime and connector.
    pub(crate) log: Log,
    /// The store steps that it took, in order.
    pub(crate) steps: Vec<String>,
    /// What it said, for people.
    pub(crate) said: String,
}

impl Project {
    pub(crate) fn new(pace: Pace) -> Self {
        Self::of(pace, Into::Files)
    }

    pub(crate) fn of(pace: Pace, into: Into) -> Self {
        let dir = tempfile::tempdir().expect("a folder can be made");
        if let Some(settings) = into.settings() {
            fs::write(dir.path().join("staunch.yaml"), settings).expect("the folder is ours");
        }
        Self {
            dir,
            into,
            pace,
            runs: AtomicU32::new(0),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Another project, with the same state and the same documents.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::of(self.pace, self.into.copy());
        for name in ["lake.db", "lake.db-wal"] {
            if self.path(name).exists() {
                fs::copy(self.path(name), copy.path(name)).expect("the file can be copied");
            }
        }
        for folder in [".staunch", "out"] {
            if self.path(folder).exists() {
                copy_folder(&self.path(folder), &copy.path(folder));
            }
        }
        copy
    }

    /// Runs a release until nothing more comes, or until `orders`, variables of the environment, end it.
    pub(crate) fn run(&self, release: Release, orders: &[(&str, String)]) -> Ended {
        self.staunch(&["run", "--until-idle", IDLE], release, orders)
    }

    /// Does what is typed, with this release in the catalog.
    pub(crate) fn staunch(
        &self,
        words: &[&str],
        release: Release,
        orders: &[(&str, String)],
    ) -> Ended {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        fs::write(self.path("flow.yaml"), catalog(release, self.pace))
            .expect("the catalog can be written");
        // A file of its own for each run: what a killed run has left behind may still write into that of its own.
        let file = |name: &str| self.path(&format!("{number}-{name}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_crash-staunch"));
        for (name, _) in std::env::vars_os() {
            let is_ours = ["STAUNCH_", "RELAY_", "LOG_"]
                .iter()
                .any(|prefix| name.to_string_lossy().starts_with(prefix));
            if is_ours {
                command.env_remove(name);
            }
        }
        command
            .args(words)
            .current_dir(self.dir.path())
            .env("NO_COLOR", "1")
            .env("RELAY_LOG", file("messages"))
            .env("STAUNCH_CRASH_LOG", file("steps"))
            .envs(orders.iter().map(|(name, value)| (name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(file("said")).expect("a file can be made"));
        if self.pace == Pace::Paced {
            command.env("RELAY_PACE", "1");
        }
        let status = wait(command);
        let text = |name: &str| fs::read_to_string(file(name)).unwrap_or_default();
        let log = Log::read(&file("messages")).expect("the relay keeps its log");
        let steps = text("steps");
        let name = |line: &str| {
            line.split_once(' ')
                .map_or_else(String::new, |(_, name)| name.to_owned())
        };
        Ended {
            status,
            log,
            steps: steps.lines().map(name).collect(),
            said: text("said"),
        }
    }
}

fn wait(mut command: Command) -> ExitStatus {
    let mut child = command.spawn().expect("the command can be started");
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the command can be waited for") {
            return status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill(); // The test fails below, whether or not it can be.
            let _ = child.wait();
            panic!("a run does not end within {PATIENCE:?}");
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("the file can be copied");
        }
    }
}

fn catalog(release: Release, pace: Pace) -> String {
    let connector = match release {
        Release::First => env!("CARGO_BIN_EXE_scripted-v1"),
        Release::Second => env!("CARGO_BIN_EXE_scripted-v2"),
    };
    // By way of `env`, which becomes the relay: the runtime digests the program that it is told, and takes longer for one with
    // all its debug information than for the rest of a run.
    let command = serde_json::json!(["env", env!("CARGO_BIN_EXE_relay"), connector]);
    let is_paced = pace == Pace::Paced;
    let id = "key: [/id], schema: { type: object, required: [id], properties: { id: { type: integer } } }";
    let row = "key: [/_meta/row_id], schema: { type: object, required: [_meta], properties: { _meta: \
               { type: object, required: [row_id], properties: { row_id: { type: integer } } } } }";
    let binding =
        |name: &str| format!("      - {{ resource: {{ name: {name} }}, target: crash/{name} }}\n");
    let bindings: String = [EVENTS, ARCHIVE, LABELS].map(binding).concat();
    format!(
        "captures:\n  \
           {CAPTURE}:\n    \
             interval: 1s\n    \
             endpoint:\n      \
               local: {{ command: {command}, config: {{ paced: {is_paced} }} }}\n    \
             bindings:\n{bindings}\
         collections:\n  \
           crash/{EVENTS}: {{ {id} }}\n  \
           crash/{ARCHIVE}: {{ {id} }}\n  \
           crash/{LABELS}: {{ {row} }}\n"
    )
}
