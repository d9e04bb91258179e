//! Output files: one of newline-delimited JSON per collection, `out/<collection>.jsonl`.
//!
//! Documents go straight to their file. What makes them count is the length that the store commits: every byte past it
//! is not there, and opening cuts it off. That is the whole of recovery, and why a transaction needs no copy of its own.
//!
//! ```text
//! append … append   mark ──► sync (any thread) ──► Store::commit(mark.lengths())
//!                   append …                       of the next transaction, at the same time
//! ```
//!
//! The order for a new file: [`OutputFiles::open_collection`], then `Store::claim_file`, then the first
//! [`OutputFiles::append`]. Opening refuses bytes that are not ours; a claim allows them to be cut.

#[cfg(test)]
#[cfg(feature = "crash-points")]
mod crash_tests;
mod error;
mod name;
mod output;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::FilesError;
pub use name::file_path;
pub use output::BUFFER_BYTES;

use crate::crash::point;
use crate::store::{FileLength, FileRow};
use output::Output;

/// Bytes of documents held in memory over all files.
pub const ALL_BUFFERS_BYTES: usize = 8 << 20;
/// Files kept open between transactions; more may be open within one that touches more.
const OPEN_FILES: usize = 256;

/// An open file of [`OutputFiles`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(usize);

/// A file that was longer than what is committed, and was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Relative to the output folder.
    pub path: Arc<str>,
    /// Bytes that were never committed, and are gone. They will be captured again.
    pub dropped_bytes: u64,
}

/// The output files of a run. One thread appends; marks of it may be synced by another.
#[derive(Debug)]
pub struct OutputFiles {
    root: PathBuf,
    files: Vec<Output>,
    by_name: HashMap<Arc<str>, FileId>,
    buffered_bytes: usize,
    open_files: usize,
    touched: Vec<FileId>,
    recovered: Vec<Recovered>,
}

/// How far the files touched since the last mark are written, and their handles, to sync from any thread.
///
/// The members stand side by side, sorted by file.
#[derive(Debug, Default)]
pub struct Mark {
    files: Vec<FileId>,
    lengths: Vec<FileLength>,
    handles: Vec<(Arc<Path>, Arc<File>)>,
}

impl OutputFiles {
    /// Opens the folder `root`, creating it if it is missing, and brings each recorded file back to its committed length.
    ///
    /// # Errors
    /// [`FilesError::Shorter`] and [`FilesError::Altered`] when committed documents are not there any more. Every
    /// file is looked at before the first is cut, so a refusal leaves all of them as they were.
    pub fn open(root: &Path, recorded: &[FileRow]) -> Result<OutputFiles, FilesError> {
        create_dirs(root)?;
        let mut all = OutputFiles {
            root: root.to_owned(),
            files: Vec::new(),
            by_name: HashMap::new(),
            buffered_bytes: 0,
            open_files: 0,
            touched: Vec::new(),
            recovered: Vec::new(),
        };
        let mut tails = Vec::new();
        for row in recorded {
            tails.push(all.admit(row)?);
        }
        for (index, found) in tails.into_iter().enumerate() {
            all.recover(index, found)?;
        }
        Ok(all)
    }

    /// What opening cut off.
    pub fn recovered(&self) -> &[Recovered] {
        &self.recovered
    }

    /// Opens the file of `collection`, creating it durably if it is new. It is not claimed by this.
    ///
    /// # Errors
    /// [`FilesError::Unknown`] for a file with bytes in it that is not recorded.
    pub fn open_collection(&mut self, collection: &str) -> Result<FileId, FilesError> {
        let name = file_path(collection)?;
        if let Some(id) = self.by_name.get(name.as_str()) {
            return Ok(*id);
        }
        let path = self.root.join(&name);
        match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() || found.len() > 0 => {
                return Err(FilesError::Unknown { path });
            }
            Ok(_) => {}
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                create_file(&self.root, &path)?
            }
            Err(source) => return Err(FilesError::io("looking at", &path, source)),
        }
        let length = FileLength {
            path: name.into(),
            committed_bytes: 0,
            committed_documents: 0,
        };
        Ok(self.add(Output::new(path, length)))
    }

    /// The path to claim the file by, relative to the output folder.
    pub fn path(&self, id: FileId) -> &str {
        &self.files[id.0].name
    }

    /// Adds `document`, one JSON text without line feeds, to the file. It is not parsed.
    ///
    /// # Errors
    /// [`FilesError::Full`] and [`FilesError::Io`]. The document is then not added; what was added before is
    /// still to be marked, or to be rolled back.
    pub fn append(&mut self, id: FileId, document: &[u8]) -> Result<(), FilesError> {
        debug_assert!(!document.contains(&b'\n'), "a document is one line");
        let file = &mut self.files[id.0];
        let (before, was_open, was_touched) = (file.buffered(), file.is_open(), file.touched);
        let outcome = file.append(document);
        self.buffered_bytes = self.buffered_bytes + file.buffered() - before;
        self.open_files += usize::from(!was_open && file.is_open());
        if !was_touched && file.touched {
            self.touched.push(id);
        }
        outcome?;
        if self.buffered_bytes > ALL_BUFFERS_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends a transaction: hands all buffers to the system and says how far each touched file now goes.
    ///
    /// # Errors
    /// [`FilesError::Full`] and [`FilesError::Io`]; marking again tries again.
    pub fn mark(&mut self) -> Result<Mark, FilesError> {
        self.flush()?;
        self.touched.sort_unstable();
        let mut mark = Mark::default();
        for id in &self.touched {
            let file = &mut self.files[id.0];
            mark.handles.push((Arc::clone(&file.path), file.handle()?));
            mark.lengths.push(file.length());
            mark.files.push(*id);
        }
        for id in self.touched.drain(..) {
            let file = &mut self.files[id.0];
            file.touched = false;
            if self.open_files > OPEN_FILES {
                // The mark keeps the handle for as long as its sync needs it.
                file.rest();
                self.open_files -= 1;
            }
        }
        Ok(mark)
    }

    /// Cuts files back to `lengths`, and forgets what is in memory for them. Files not named are left alone.
    ///
    /// No sync of a mark of these files may be under way.
    ///
    /// # Errors
    /// As [`OutputFiles::open`]; [`FilesError::NotOpen`] for a path that was never opened here.
    pub fn rollback_to(&mut self, lengths: &[FileLength]) -> Result<(), FilesError> {
        for length in lengths {
            let Some(id) = self.by_name.get(&length.path) else {
                return Err(FilesError::NotOpen {
                    path: length.path.to_string(),
                });
            };
            let file = &mut self.files[id.0];
            if file.is_at(length) {
                continue;
            }
            let (before, was_open) = (file.buffered(), file.is_open());
            let outcome = file.cut_to(length);
            self.buffered_bytes = self.buffered_bytes + file.buffered() - before;
            self.open_files += usize::from(!was_open && file.is_open());
            outcome?;
        }
        let files = &self.files;
        self.touched.retain(|id| files[id.0].touched);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FilesError> {
        for id in &self.touched {
            let file = &mut self.files[id.0];
            let (before, was_open) = (file.buffered(), file.is_open());
            let outcome = file.flush();
            self.buffered_bytes = self.buffered_bytes + file.buffered() - before;
            self.open_files += usize::from(!was_open && file.is_open());
            outcome?;
        }
        Ok(())
    }

    fn add(&mut self, file: Output) -> FileId {
        let id = FileId(self.files.len());
        self.by_name.insert(Arc::clone(&file.name), id);
        self.files.push(file);
        id
    }

    /// Looks at a recorded file, and takes it in as it should be. Returns its length as it is, `None` if it is missing.
    fn admit(&mut self, row: &FileRow) -> Result<Option<u64>, FilesError> {
        if let Some(why) = name::fault(&row.path) {
            return Err(FilesError::BadName {
                collection: row.path.clone(),
                why,
            });
        }
        let path = self.root.join(&row.path);
        let found = match std::fs::metadata(&path) {
            Ok(found) => Some(found.len()),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(FilesError::io("looking at", &path, source)),
        };
        if found.unwrap_or(0) < row.committed_bytes {
            let (committed, found) = (row.committed_bytes, found.unwrap_or(0));
            return Err(FilesError::Shorter {
                path,
                committed,
                found,
            });
        }
        self.add(Output::new(path, committed_length(row)));
        Ok(found)
    }

    fn recover(&mut self, index: usize, found: Option<u64>) -> Result<(), FilesError> {
        let file = &mut self.files[index];
        if found.is_none() {
            // Claimed, and nothing was ever committed to it.
            return create_file(&self.root, &file.path);
        }
        let length = file.length();
        let dropped_bytes = file.cut_to(&length)?;
        file.rest();
        if dropped_bytes > 0 {
            self.recovered.push(Recovered {
                path: length.path,
                dropped_bytes,
            });
        }
        Ok(())
    }
}

impl Mark {
    /// What to commit once this mark is synced.
    pub fn lengths(&self) -> &[FileLength] {
        &self.lengths
    }

    /// This mark and a later one of the same files, as one mark: of a file in both, the later length counts.
    #[must_use]
    pub fn then(mut self, next: Mark) -> Mark {
        for ((id, length), handle) in next.files.into_iter().zip(next.lengths).zip(next.handles) {
            match self.files.binary_search(&id) {
                Ok(at) => {
                    self.lengths[at] = length;
                    self.handles[at] = handle;
                }
                Err(at) => {
                    self.files.insert(at, id);
                    self.lengths.insert(at, length);
                    self.handles.insert(at, handle);
                }
            }
        }
        self
    }

    /// Makes everything up to the mark durable. Later appends may or may not be; they are past the mark.
    ///
    /// # Errors
    /// After an error it is unknown what is durable. Do not sync again and commit: end the run, and let opening
    /// recover. A system may report a failed write once only.
    pub fn sync(&self) -> Result<(), FilesError> {
        for (path, handle) in &self.handles {
            point("files.before_sync");
            handle
                .sync_data()
                .map_err(|source| FilesError::io("syncing", path, source))?;
            point("files.after_sync");
        }
        Ok(())
    }
}

/// What the store has recorded of a file, as a length to roll back to.
pub fn committed_length(row: &FileRow) -> FileLength {
    FileLength {
        path: row.path.as_str().into(),
        committed_bytes: row.committed_bytes,
        committed_documents: row.committed_documents,
    }
}

/// Creates an empty file and the folders down to it, all durably.
fn create_file(root: &Path, path: &Path) -> Result<(), FilesError> {
    let parent = path.parent().unwrap_or(root);
    create_dirs(parent)?;
    point("files.before_create");
    File::create_new(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| FilesError::io("creating", path, source))?;
    point("files.after_create");
    sync_dir(parent)
}

/// Creates `dir` and what is missing above it; each new name is synced in the folder that holds it.
fn create_dirs(dir: &Path) -> Result<(), FilesError> {
    let missing: Vec<&Path> = dir
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.is_dir())
        .collect();
    for new in missing.into_iter().rev() {
        match std::fs::create_dir(new) {
            Ok(()) => {}
            Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists && new.is_dir() => {}
            Err(source) => return Err(FilesError::io("creating the folder", new, source)),
        }
        match new.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent)?,
            _ => sync_dir(Path::new("."))?,
        }
    }
    Ok(())
}

fn sync_dir(dir: &Path) -> Result<(), FilesError> {
    File::open(dir)
        .and_then(|handle| handle.sync_all())
        .map_err(|source| FilesError::io("syncing the folder", dir, source))
}
