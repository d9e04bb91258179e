//! A PostgreSQL cluster of a test's own: in a temporary folder, reached through a socket in it, gone with the test.
//!
//! The programs are those of the system (`initdb` on `PATH`, or where Debian puts them). PostgreSQL refuses to run as root, so as root it is
//! run as the user `postgres`, or `nobody`. Where it cannot be had, [`Cluster::start`] says so on standard error and answers with none; with
//! `STAUNCH_REQUIRE_POSTGRES` set, that is a panic, so that a machine which is to have it cannot pass without.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a cluster may take until it can be used.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// The name of the only user, who needs no password.
const USER: &str = "staunch";

/// A cluster that runs.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    owner: Option<Owner>,
    server: Option<Child>,
    /// `name=value`, for the server.
    options: Vec<String>,
}

#[derive(Clone, Debug)]
struct Owner {
    name: String,
    uid: u32,
    gid: u32,
}

impl Cluster {
    /// Makes and starts one, or says that there is none to be had.
    ///
    /// # Panics
    /// When the programs are there and fail, or are not and `STAUNCH_REQUIRE_POSTGRES` is set.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// As [`Cluster::start`], with these settings of the server (`fsync=on`).
    ///
    /// # Panics
    /// As [`Cluster::start`].
    #[must_use]
    pub fn with(options: &[&str]) -> Option<Self> {
        match Self::make(options) {
            Ok(cluster) => Some(cluster),
            Err(why) if std::env::var_os("STAUNCH_REQUIRE_POSTGRES").is_none() => {
                eprintln!(
                    "NOT TESTED: no PostgreSQL ({why}); install it: apt-get install postgresql"
                );
                None
            }
            Err(why) => {
                panic!("STAUNCH_REQUIRE_POSTGRES is set, and there is no PostgreSQL: {why}")
            }
        }
    }

    fn make(options: &[&str]) -> Result<Self, String> {
        let programs =
            programs().ok_or("`initdb` is neither on PATH nor in /usr/lib/postgresql")?;
        let owner = match rustix::process::getuid().is_root() {
            true => Some(
                owner().ok_or("there is neither a user `postgres` nor `nobody` to run it as")?,
            ),
            false => None,
        };
        let folder = TempDir::new().expect("a temporary folder can be made");
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), everybody).expect("it is ours");
        if let Some(owner) = &owner {
            chown(folder.path(), Some(owner.uid), Some(owner.gid)).expect("root may do so");
        }
        let mut cluster = Self {
            folder,
            programs,
            owner,
            server: None,
            options: options.iter().map(|&option| option.to_owned()).collect(),
        };
        let made = cluster
            .program("initdb")
            .args([
                "--no-sync",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .args(["-U", USER, "-D"])
            .arg(cluster.data())
            .output()
            .expect("`initdb` can be started");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "initdb failed: {said}");
        cluster.go_on();
        Ok(cluster)
    }

    /// Where the database is, for a `dsn`.
    #[must_use]
    pub fn dsn(&self) -> String {
        self.dsn_of("postgres")
    }

    /// Where one of its databases is.
    #[must_use]
    pub fn dsn_of(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("host={folder} user={USER} dbname={database}")
    }

    /// `psql`, with this to run.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn psql(&self, sql: &str) -> String {
        self.psql_in("postgres", sql)
    }

    /// `psql` in one of the databases, with this to run.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn psql_in(&self, database: &str, sql: &str) -> String {
        let output = self
            .psql_command()
            .args(["-d", database, "-Atc", sql])
            .output();
        let output = output.expect("`psql` can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {said}");
        String::from_utf8(output.stdout)
            .expect("psql writes UTF-8")
            .trim_end()
            .to_owned()
    }

    /// `psql`, connected, to be given more.
    #[must_use]
    pub fn psql_command(&self) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        command.args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            USER,
            "-d",
            "postgres",
            "-h",
        ]);
        command.arg(self.folder.path());
        command
    }

    /// Ends the server at once, as a loss of power would.
    ///
    /// # Panics
    /// When the server is not there.
    pub fn fail(&mut self) {
        self.end(Signal::QUIT);
    }

    /// Starts the server again.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn go_on(&mut self) {
        let log = File::create(self.folder.path().join("log")).expect("the folder can be written");
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data());
        command.args(["-c", "listen_addresses="]);
        command.arg("-c");
        command.arg(format!(
            "unix_socket_directories={}",
            self.folder.path().display()
        ));
        for option in &self.options {
            command.args(["-c", option]);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.server = Some(command.spawn().expect("`postgres` can be started"));
        let began = Instant::now();
        loop {
            let asked = self.psql_command().args(["-Atc", "SELECT 1"]).output();
            if asked.expect("`psql` can be started").status.success() {
                return;
            }
            let log =
                || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(
                began.elapsed() < START_PATIENCE,
                "it does not come up: {}",
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        let pid = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
        let _ = server.wait();
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of PostgreSQL's, as whom it may run.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = match &self.owner {
            None => Command::new(program),
            Some(owner) => {
                let mut command = Command::new("setpriv");
                let (uid, gid) = (&owner.name, owner.gid.to_string());
                command.args(["--reuid", uid, "--regid", &gid, "--clear-groups", "--"]);
                command.arg(program);
                command
            }
        };
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end(Signal::QUIT); // Nothing of it is needed any more.
    }
}

/// The folder with the programs of the newest PostgreSQL.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut of_debian: Vec<PathBuf> = of_debian
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    of_debian.sort_by_key(|path| version(path));
    let folders = of_debian
        .into_iter()
        .rev()
        .chain(std::env::split_paths(&path));
    let mut whole = folders.filter(|folder| {
        let names = ["initdb", "postgres", "psql"];
        names.iter().all(|name| folder.join(name).is_file())
    });
    whole.next()
}

fn version(programs: &Path) -> u32 {
    let name = programs.parent().and_then(Path::file_name);
    let name = name.and_then(|name| name.to_str()?.parse().ok());
    name.unwrap_or_default()
}

/// Whom root may run a server as.
fn owner() -> Option<Owner> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].iter().find_map(|wanted| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(wanted))?;
        let mut parts = line.split(':').skip(2);
        Some(Owner {
            name: (*wanted).to_owned(),
            uid: parts.next()?.parse().ok()?,
            gid: parts.next()?.parse().ok()?,
        })
    })
}
