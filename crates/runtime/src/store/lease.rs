//! Leases: at most one process writes a capture at a time, and one at a time makes or changes the tables of the store.
//!
//! ```text
//! <dir>/lock               held while the database is opened
//! <dir>/leases/<capture>   held for as long as the capture is written; has the process id of who does
//! ```
//!
//! Both are advisory locks on files beside the database, released by the kernel when the process ends however it ends. The
//! files themselves stay: removing one would let two processes hold locks on two files of the same name.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use staunch_protocol::state_key;
use twox_hash::XxHash3_64;

use super::StoreError;

/// How long an opening waits for another, which may have to check a large database or to add tables.
const OPENING_PATIENCE: Duration = Duration::from_secs(30);

/// How often it looks.
const POLL: Duration = Duration::from_millis(5);

/// Bytes of a file's name that every file system takes.
const NAME_BYTES: usize = 200;

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    file: File,
}

impl Lease {
    /// Takes a lock without waiting, and writes our process id into the file for whoever comes second.
    pub(super) fn take(path: &Path) -> Result<Lease, StoreError> {
        let io = |action, source| StoreError::io(action, path, source);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|source| io("opening the lock", source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    path: path.to_owned(),
                    pid: read_pid(&file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io("locking", source)),
        }
        file.set_len(0)
            .map_err(|source| io("writing the lock", source))?;
        file.rewind()
            .map_err(|source| io("writing the lock", source))?;
        writeln!(file, "{}", std::process::id())
            .map_err(|source| io("writing the lock", source))?;
        Ok(Lease { file })
    }

    /// Takes the lock of all who open the database of a folder. They do not hold it for long, so it is waited for.
    pub(super) fn of_opening(dir: &Path) -> Result<Lease, StoreError> {
        let began = Instant::now();
        loop {
            match Self::take(&dir.join("lock")) {
                Err(StoreError::Locked { .. }) if began.elapsed() < OPENING_PATIENCE => {
                    std::thread::sleep(POLL);
                }
                outcome => return outcome,
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        // Closing would do, but for a child process that another thread is just starting: until it is on its own
        // program it holds a copy of every handle, and with it the lock.
        let _ = self.file.unlock();
    }
}

/// The lease file of a capture.
pub(super) fn lease_path(dir: &Path, capture: &str) -> PathBuf {
    let mut name = state_key(&[capture.to_owned()], 0);
    if name.len() > NAME_BYTES {
        let digest = XxHash3_64::oneshot(name.as_bytes());
        let end = name.floor_char_boundary(NAME_BYTES - 17);
        name.truncate(end);
        name.push_str(&format!("-{digest:016x}"));
    }
    // What begins with a dot could be a folder, and is hidden at best.
    dir.join("leases").join(format!("{name}.lease"))
}

/// The process that writes a capture, if one seems to: a look, without taking the lease.
pub(super) fn holder(dir: &Path, capture: &str) -> Option<u32> {
    let file = File::open(lease_path(dir, capture)).ok()?;
    let pid = read_pid(&file)?;
    let is_there = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok());
    is_there.then_some(pid)
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
