//! One output file: what is committed, what is written after that, and what is still in memory.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::FilesError;
use crate::crash::point;
use crate::store::FileLength;

/// Bytes of documents a file keeps in memory before it hands them to the system.
pub const BUFFER_BYTES: usize = 256 << 10;

/// A file that only ever grows, but for being cut back to what is committed.
#[derive(Debug)]
pub(super) struct Output {
    /// Relative to the output folder.
    pub(super) name: Arc<str>,
    pub(super) path: Arc<Path>,
    handle: Option<Arc<File>>,
    buffer: Vec<u8>,
    /// Bytes handed to the system: where the buffer will go.
    written: u64,
    /// Documents in the file and the buffer.
    documents: u64,
    /// Whether it changed since the last mark.
    pub(super) touched: bool,
}

impl Output {
    pub(super) fn new(path: PathBuf, length: FileLength) -> Output {
        Output {
            name: length.path,
            path: path.into(),
            handle: None,
            buffer: Vec::new(),
            written: length.committed_bytes,
            documents: length.committed_documents,
            touched: false,
        }
    }

    /// Bytes in memory.
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn is_open(&self) -> bool {
        self.handle.is_some()
    }

    /// Adds `document` and a line feed. On an error nothing is added.
    pub(super) fn append(&mut self, document: &[u8]) -> Result<(), FilesError> {
        // Before anything is written: a write that fails half-way leaves bytes to be cut.
        self.touched = true;
        let line_bytes = document.len() + 1;
        if self.buffer.len() + line_bytes > BUFFER_BYTES {
            self.flush()?;
        }
        if line_bytes > BUFFER_BYTES {
            // Larger than the buffer: straight to the file. Its line feed follows with the next flush; both are past the
            // committed length until the mark after them.
            self.write_at(document)?;
            self.written += document.len() as u64;
            self.buffer.push(b'\n');
        } else {
            self.buffer.extend_from_slice(document);
            self.buffer.push(b'\n');
        }
        self.documents += 1;
        Ok(())
    }

    /// Hands the buffer to the system. On an error the buffer is kept, and may be flushed again: it is written at a
    /// fixed place, so what a failed write left there is overwritten.
    pub(super) fn flush(&mut self) -> Result<(), FilesError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        point("files.before_write");
        let buffer = std::mem::take(&mut self.buffer);
        let outcome = self.write_at(&buffer);
        self.buffer = buffer;
        outcome?;
        point("files.after_write");
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn write_at(&mut self, bytes: &[u8]) -> Result<(), FilesError> {
        let handle = self.handle()?;
        handle
            .write_all_at(bytes, self.written)
            .map_err(|source| FilesError::io("writing", &self.path, source))
    }

    /// The open file. It is opened when it is first needed: a capture of thousands of collections has few busy ones.
    pub(super) fn handle(&mut self) -> Result<Arc<File>, FilesError> {
        if let Some(handle) = &self.handle {
            return Ok(Arc::clone(handle));
        }
        // Never created here: a file that went away while we ran must not come back empty.
        let file = File::options()
            .read(true)
            .write(true)
            .open(&self.path)
            .map_err(|source| FilesError::io("opening", &self.path, source))?;
        let handle = Arc::new(file);
        self.handle = Some(Arc::clone(&handle));
        Ok(handle)
    }

    /// Gives back the file handle and the buffer's memory. The buffer must be flushed.
    pub(super) fn rest(&mut self) {
        debug_assert!(
            self.buffer.is_empty(),
            "a file rests only when it is flushed"
        );
        self.handle = None;
        self.buffer = Vec::new();
    }

    /// How far the file is written. The buffer must be flushed.
    pub(super) fn length(&self) -> FileLength {
        FileLength {
            path: Arc::clone(&self.name),
            committed_bytes: self.written,
            committed_documents: self.documents,
        }
    }

    /// Whether nothing was written to it past `length`, not even in vain.
    pub(super) fn is_at(&self, length: &FileLength) -> bool {
        !self.touched && self.written == length.committed_bytes
    }

    /// Forgets what is in memory and cuts the file to `length`. Returns how many bytes of the file went.
    pub(super) fn cut_to(&mut self, length: &FileLength) -> Result<u64, FilesError> {
        self.buffer.clear();
        let handle = self.handle()?;
        let dropped = cut(&handle, &self.path, length.committed_bytes)?;
        self.written = length.committed_bytes;
        self.documents = length.committed_documents;
        self.touched = false;
        Ok(dropped)
    }
}

/// Cuts `file` to `committed` bytes, after making sure that these look like what was committed.
pub(super) fn cut(file: &File, path: &Path, committed: u64) -> Result<u64, FilesError> {
    let found = file
        .metadata()
        .map_err(|source| FilesError::io("looking at", path, source))?
        .len();
    if found < committed {
        return Err(FilesError::Shorter {
            path: path.to_owned(),
            committed,
            found,
        });
    }
    if let Some(last) = committed.checked_sub(1) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, last)
            .map_err(|source| FilesError::io("reading", path, source))?;
        if byte != *b"\n" {
            return Err(FilesError::Altered {
                path: path.to_owned(),
                committed,
            });
        }
    }
    if found > committed {
        point("files.before_cut");
        file.set_len(committed)
            .map_err(|source| FilesError::io("cutting", path, source))?;
        point("files.after_cut");
    }
    Ok(found - committed)
}

#[cfg(test)]
impl Output {
    /// Forgets the handle but keeps the buffer, as if the disk had been exchanged underneath.
    pub(super) fn rest_for_test(&mut self) {
        self.handle = None;
    }
}
