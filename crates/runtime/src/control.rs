//! Asking the process that runs a capture for something, from another one on the same machine.
//!
//! The runner listens on a socket of its user's alone. A question is one line of JSON, and so is each thing that it answers, the last of which
//! says how it ended:
//!
//! ```text
//! ─► {"to":["./source-shop-2"],"dir":"/srv/shop","consents":["rewind:payouts"],"probation":{"checkpoints":3,"withinMs":60000},…}
//! ◄─ {"said":"opened"}   {"said":"migrated","revision":8814}   {"said":"probation","checkpoints":1,"of":3}
//! ◄─ {"said":"done","revision":8817,"documents":120,"pauseMs":180,…}     or     {"said":"failed","code":"…","message":"…","causes":[]}
//! ```

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// Bytes of one line.
const LINE_BYTES: u64 = 4 << 20;

/// How long somebody who has connected may take to ask.
const QUESTION_PATIENCE: Duration = Duration::from_secs(10);

/// The longest path that a socket can have everywhere.
const PATH_BYTES: usize = 100;

/// What is asked of a runner: to hand its capture over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handover {
    /// The candidate's program and arguments; none for the capture's own connector, started anew.
    pub to: Option<Vec<String>>,
    /// The folder that it is started in.
    pub dir: PathBuf,
    /// The only revision for which this is meant, if it is meant for one.
    pub revision: Option<u64>,
    /// Whether the candidate is one that cannot tell what it does to the state.
    pub is_untold: bool,
    /// Whether it may ask its source when it plans.
    pub ask_source: bool,
    /// What a person consented to: `rewind:payouts`.
    pub consents: Vec<String>,
    /// Checkpoints that it is watched for.
    pub checkpoints: u64,
    /// Milliseconds that it is watched for.
    pub within_ms: u64,
    /// Who asks.
    pub author: String,
    /// Why, in their words.
    pub reason: String,
}

/// What a runner answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "said",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Said {
    /// Nothing would change, and the connector is the one that runs.
    Nothing {
        /// The connector.
        connector: String,
        /// The capture's revision.
        revision: u64,
    },
    /// The connector of before has stopped at a checkpoint.
    Stopped {
        /// The capture's revision.
        revision: u64,
    },
    /// The candidate has opened the capture.
    Opened,
    /// Its migration is committed.
    Migrated {
        /// The revision that it made.
        revision: u64,
    },
    /// It has made checkpoints, which wait.
    Probation {
        /// So many.
        checkpoints: u64,
        /// Of so many.
        of: u64,
    },
    /// The capture is the candidate's.
    Done {
        /// The candidate.
        connector: String,
        /// The revision of before.
        revision_before: u64,
        /// The capture's revision by now.
        revision: u64,
        /// Documents that were committed when it had passed.
        documents: u64,
        /// The steps of the migration.
        migrations: Vec<String>,
        /// For how long nothing was captured.
        pause_ms: u64,
    },
    /// It was not handed over.
    Failed {
        /// A name for scripts, which stays the same.
        code: String,
        /// What happened, and what to do.
        message: String,
        /// Why.
        causes: Vec<String>,
    },
}

/// Where a runner listens.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
    is_over: AtomicBool,
}

impl Control {
    /// Listens for what is asked of the runner of a capture, which holds its lease: whatever is left of another is in nobody's use.
    pub(crate) fn listen(state_dir: &Path, capture: &str) -> std::io::Result<Self> {
        let path = socket(state_dir, capture)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            listener: UnixListener::bind(&path)?,
            path,
            is_over: AtomicBool::new(false),
        })
    }

    /// Answers one after the other, until it is told to end.
    pub(crate) fn serve(&self, answer: impl Fn(Handover, &mut dyn FnMut(Said))) {
        for stream in self.listener.incoming() {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let Some(question) = read_question(&stream) else {
                continue;
            };
            let mut say = |said: Said| {
                let line = serde_json::to_string(&said).expect("what is said is JSON");
                let _ = writeln!(&stream, "{line}"); // Who does not listen any more does not stop it.
            };
            answer(question, &mut say);
        }
    }

    /// Ends the listening.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = UnixStream::connect(&self.path); // Wakes who waits for somebody.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn read_question(stream: &UnixStream) -> Option<Handover> {
    stream.set_read_timeout(Some(QUESTION_PATIENCE)).ok()?;
    stream.set_write_timeout(Some(QUESTION_PATIENCE)).ok()?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_BYTES))
        .read_line(&mut line)
        .ok()?;
    serde_json::from_str(&line).ok()
}

/// Asks whoever runs a capture to hand it over; none if nobody does. `heard` is told of everything that is said, the last included.
///
/// # Errors
/// When the runner goes away before it has said how it ended.
pub fn hand_over(
    state_dir: &Path,
    capture: &str,
    question: &Handover,
    mut heard: impl FnMut(&Said),
) -> std::io::Result<Option<Said>> {
    let Ok(stream) = socket(state_dir, capture).and_then(UnixStream::connect) else {
        return Ok(None);
    };
    let line = serde_json::to_string(question).expect("a question is JSON");
    writeln!(&stream, "{line}")?;
    let mut lines = BufReader::new(&stream).take(LINE_BYTES * 16);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let said: Said = serde_json::from_str(&line)?;
        heard(&said);
        if matches!(
            said,
            Said::Done { .. } | Said::Failed { .. } | Said::Nothing { .. }
        ) {
            return Ok(Some(said));
        }
    }
}

/// The socket of a capture's runner: beside its state, or where paths are short.
fn socket(state_dir: &Path, capture: &str) -> std::io::Result<PathBuf> {
    let name = format!("{:016x}.sock", XxHash3_64::oneshot(capture.as_bytes()));
    let beside = state_dir.join(&name);
    if beside.as_os_str().len() <= PATH_BYTES {
        return Ok(beside);
    }
    let dir = std::fs::canonicalize(state_dir)?;
    let dir = XxHash3_64::oneshot(dir.as_os_str().as_encoded_bytes());
    Ok(private_dir()?.join(format!("{dir:016x}-{name}")))
}

/// A folder that nobody else can write to.
fn private_dir() -> std::io::Result<PathBuf> {
    let me = rustix::process::getuid().as_raw();
    let dir = std::env::temp_dir().join(format!("staunch-{me}"));
    match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = std::fs::symlink_metadata(&dir)?;
    match found.is_dir() && found.uid() == me && found.mode() & 0o077 == 0 {
        true => Ok(dir),
        false => Err(std::io::ErrorKind::PermissionDenied.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(dir: &Path, question: &Handover) -> (Vec<Said>, Option<Said>) {
        let mut heard = Vec::new();
        let last = hand_over(dir, "a/b", question, |said| heard.push(said.clone())).unwrap();
        (heard, last)
    }

    #[test]
    fn a_runner_hears_what_is_asked_and_is_heard_until_it_has_said_how_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        for dir in [folder.path(), &deep] {
            assert_eq!(ask(dir, &Handover::default()), (vec![], None), "nobody");
            let control = Control::listen(dir, "a/b").unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    control.serve(|question, say| {
                        say(Said::Opened);
                        say(Said::Failed {
                            code: "x".into(),
                            message: question.reason,
                            causes: vec![],
                        });
                    });
                });
                let question = Handover {
                    reason: "because".into(),
                    ..Handover::default()
                };
                // Who asks nothing, or something else, is not answered, and does no harm.
                drop(UnixStream::connect(socket(dir, "a/b").unwrap()));
                let stream = UnixStream::connect(socket(dir, "a/b").unwrap()).unwrap();
                writeln!(&stream, "hello").unwrap();
                for _ in 0..2 {
                    let (heard, last) = ask(dir, &question);
                    assert_eq!((heard.len(), &heard[0]), (2, &Said::Opened));
                    assert!(
                        matches!(last, Some(Said::Failed { message, .. }) if message == "because")
                    );
                }
                control.end();
            });
            assert_eq!(ask(dir, &Handover::default()), (vec![], None));
        }
    }
}
