//! The lease: at most one process writes a state folder at a time.
//!
//! An advisory lock on a file beside the database, released by the kernel when the process ends however it ends. The
//! file itself stays: removing it would let two processes hold locks on two files of the same name.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::StoreError;

/// Held for as long as a [`super::Store`] is open.
#[derive(Debug)]
pub(super) struct Lease {
    file: File,
}

impl Lease {
    /// Takes the lock without waiting, and writes our process id into the file for whoever comes second.
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
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        // Closing would do, but for a child process that another thread is just starting: until it is on its own
        // program it holds a copy of every handle, and with it the lock.
        let _ = self.file.unlock();
    }
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
