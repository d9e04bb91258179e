//! Where the documents of a transaction wait that a database takes as a whole: in memory, and beyond a few MiB in a file without a name.
//!
//! They are sorted by table on their way in, so that each table is read once. Sequences are put together by moving what they point to.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SinkError;

/// Bytes that one transaction keeps in memory.
const MEMORY_BYTES: usize = 4 << 20;

/// Bytes that are read from a file at once.
const READ_BYTES: usize = 256 << 10;

/// Documents on their way to a commit, by table.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: Arc<Path>,
    tables: BTreeMap<usize, Vec<Extent>>,
    bytes: u64,
    in_memory: usize,
    file: Option<(Arc<File>, u64)>,
}

/// Documents of one table that lie behind each other: each its length, in four bytes, and its bytes.
#[derive(Debug)]
enum Extent {
    Memory(Vec<u8>),
    File {
        file: Arc<File>,
        offset: u64,
        bytes: u64,
    },
}

impl Spool {
    /// An empty one, which would make its file in `dir`.
    pub(crate) fn new(dir: Arc<Path>) -> Self {
        Self {
            dir,
            tables: BTreeMap::new(),
            bytes: 0,
            in_memory: 0,
            file: None,
        }
    }

    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The tables that have documents, in order.
    pub(crate) fn tables(&self) -> impl Iterator<Item = usize> {
        self.tables.keys().copied()
    }

    /// Adds a document.
    pub(crate) fn add(&mut self, table: usize, document: &[u8]) -> Result<(), SinkError> {
        let length = u32::try_from(document.len()).expect("a message is far smaller");
        let extents = self.tables.entry(table).or_default();
        if !matches!(extents.last(), Some(Extent::Memory(_))) {
            extents.push(Extent::Memory(Vec::new()));
        }
        let Some(Extent::Memory(memory)) = extents.last_mut() else {
            unreachable!("it was pushed where there was none");
        };
        memory.extend_from_slice(&length.to_le_bytes());
        memory.extend_from_slice(document);
        let added = document.len() + 4;
        self.bytes += added as u64;
        self.in_memory += added;
        self.spill()
    }

    /// This one, and then `next`.
    pub(crate) fn then(mut self, next: Spool) -> Result<Spool, SinkError> {
        for (table, extents) in next.tables {
            let all = self.tables.entry(table).or_default();
            for extent in extents {
                match (all.last_mut(), extent) {
                    (Some(Extent::Memory(memory)), Extent::Memory(more)) => memory.extend(more),
                    (_, extent) => all.push(extent),
                }
            }
        }
        self.bytes += next.bytes;
        self.in_memory += next.in_memory;
        if self.file.is_none() {
            self.file = next.file;
        }
        self.spill()?;
        Ok(self)
    }

    /// Gives the documents of a table to `take`, in order.
    pub(crate) fn each(
        &self,
        table: usize,
        mut take: impl FnMut(&[u8]) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        let mut document = Vec::new();
        for extent in self.tables.get(&table).into_iter().flatten() {
            match extent {
                Extent::Memory(memory) => {
                    let mut rest = memory.as_slice();
                    while let Some((length, after)) = rest.split_first_chunk::<4>() {
                        let length = u32::from_le_bytes(*length) as usize;
                        take(&after[..length])?;
                        rest = &after[length..];
                    }
                }
                Extent::File {
                    file,
                    offset,
                    bytes,
                } => {
                    let part = Part {
                        file,
                        at: *offset,
                        end: offset + bytes,
                    };
                    let mut reader = BufReader::with_capacity(READ_BYTES, part);
                    let mut left = *bytes;
                    while left > 0 {
                        let mut length = [0; 4];
                        let read = reader.read_exact(&mut length).and_then(|()| {
                            document.resize(u32::from_le_bytes(length) as usize, 0);
                            reader.read_exact(&mut document)
                        });
                        read.map_err(|source| self.failed("reading a temporary file in", source))?;
                        left -= document.len() as u64 + 4;
                        take(&document)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Moves what is in memory into the file, if that is more than may be.
    fn spill(&mut self) -> Result<(), SinkError> {
        if self.in_memory <= MEMORY_BYTES {
            return Ok(());
        }
        let dir = Arc::clone(&self.dir);
        let failed = |action: &'static str, source| SinkError::Io {
            action,
            path: PathBuf::from(&*dir),
            source,
        };
        if self.file.is_none() {
            let file = std::fs::create_dir_all(&self.dir)
                .and_then(|()| tempfile::tempfile_in(&self.dir))
                .map_err(|source| failed("creating a temporary file in", source))?;
            self.file = Some((Arc::new(file), 0));
        }
        let (file, end) = self
            .file
            .as_mut()
            .expect("it was made where there was none");
        for extent in self.tables.values_mut().flatten() {
            let Extent::Memory(memory) = extent else {
                continue;
            };
            file.write_all_at(memory, *end)
                .map_err(|source| failed("writing a temporary file in", source))?;
            let bytes = memory.len() as u64;
            *extent = Extent::File {
                file: Arc::clone(file),
                offset: *end,
                bytes,
            };
            *end += bytes;
        }
        file.flush()
            .map_err(|source| failed("writing a temporary file in", source))?;
        self.in_memory = 0;
        Ok(())
    }

    fn failed(&self, action: &'static str, source: std::io::Error) -> SinkError {
        SinkError::Io {
            action,
            path: self.dir.to_path_buf(),
            source,
        }
    }
}

/// A part of a file, which others may read and write elsewhere at the same time.
struct Part<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(dir: &Path) -> Spool {
        Spool::new(dir.into())
    }

    fn read(spool: &Spool, table: usize) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mut keep = |document: &[u8]| {
            all.push(document.to_vec());
            Ok(())
        };
        spool.each(table, &mut keep).unwrap();
        all
    }

    #[test]
    fn documents_come_out_by_table_in_the_order_in_which_they_went_in() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = spool(dir.path());
        first.add(1, b"a").unwrap();
        first.add(0, b"b").unwrap();
        first.add(1, b"").unwrap();
        let mut second = spool(dir.path());
        second.add(1, b"c").unwrap();
        let both = first.then(second).unwrap();
        assert_eq!(both.tables().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(read(&both, 0), [b"b"]);
        assert_eq!(read(&both, 1), [&b"a"[..], b"", b"c"]);
        assert_eq!(both.bytes(), 3 + 4 * 4);
    }

    #[test]
    fn what_is_too_much_for_memory_lies_in_a_file_and_comes_out_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let document = |n: usize| vec![b'a' + (n % 26) as u8; 100_000 + n];
        let mut all = spool(dir.path());
        let mut next = spool(dir.path());
        for n in 0..200 {
            next.add(n % 3, &document(n)).unwrap();
            assert!(next.in_memory <= MEMORY_BYTES);
            if n % 7 == 0 {
                all = all
                    .then(std::mem::replace(&mut next, spool(dir.path())))
                    .unwrap();
                assert!(all.in_memory <= MEMORY_BYTES);
            }
        }
        let all = all.then(next).unwrap();
        for table in 0..3 {
            let expected: Vec<_> = (0..200).filter(|n| n % 3 == table).map(document).collect();
            assert!(read(&all, table) == expected, "table {table}");
        }
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            0,
            "the file has no name"
        );
    }

    #[test]
    fn a_document_larger_than_the_memory_passes() {
        let dir = tempfile::tempdir().unwrap();
        let large = vec![b'x'; MEMORY_BYTES * 2];
        let mut spool = spool(dir.path());
        spool.add(0, b"before").unwrap();
        spool.add(0, &large).unwrap();
        spool.add(0, b"after").unwrap();
        assert!(read(&spool, 0) == [b"before".to_vec(), large, b"after".to_vec()]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mut spool = spool(&file);
        let error = spool.add(0, &vec![b'x'; MEMORY_BYTES]).unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
    }
}
