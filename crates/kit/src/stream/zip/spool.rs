//! The rest of an archive in a file, where its list can be read first.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, SeekFrom};
use std::pin::Pin;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader,
};

use super::directory::{End, Listed};
use super::headers::{
    END, END_64, END_64_LOCATOR, LOCAL_HEADER, LocalHeader, read_local, signature, u16_at, u32_at,
    u64_at,
};
use super::input::Input;
use super::{Waiting, ZipError, directory};
use crate::stream::lookahead::Lookahead;

/// How much is read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// The end of an archive, with the longest comment, and what may precede it.
const TAIL_BYTES: u64 = 22 + 65_535 + 20 + 56;

/// The rest of an archive in a file without a name. What was read before is a hole in it, so that positions are those in the archive.
#[derive(Debug)]
pub(super) struct Spooled {
    file: File,
    waiting: Waiting,
    /// Where the list begins, which no entry reaches into.
    list: u64,
}

impl Spooled {
    /// Writes what is left of the stream, at most so much, and reads the list. The entries before were `passed` already.
    pub(super) async fn new<R: AsyncBufRead + Unpin>(
        mut reader: Lookahead<R>,
        most: u64,
        entries: usize,
        mut passed: HashMap<u64, Listed>,
    ) -> Result<Self, ZipError> {
        let base = reader.taken();
        let file = tempfile::tempfile().map_err(ZipError::Spool)?;
        let mut writer = tokio::fs::File::from_std(file.try_clone().map_err(ZipError::Spool)?);
        writer
            .seek(SeekFrom::Start(base))
            .await
            .map_err(ZipError::Spool)?;
        loop {
            let input = reader.fill_buf().await?;
            let count = input.len();
            if count == 0 {
                break;
            }
            writer.write_all(input).await.map_err(ZipError::Spool)?;
            Pin::new(&mut reader).consume(count);
            if reader.taken() - base > most {
                return Err(ZipError::TooLarge {
                    what: "bytes to be kept in a file",
                    limit: most,
                });
            }
        }
        writer.flush().await.map_err(ZipError::Spool)?;
        let len = reader.taken();
        drop(writer);

        let (list, shift) = find_list(&file, base, len).await?;
        let mut reader = read_at::<R>(&file, list).await?;
        let mut listed = directory::read(&mut reader, list, shift, entries).await?;
        listed.sort_unstable_by_key(|entry| entry.offset);
        let from_stream = listed.partition_point(|entry| entry.offset < base);
        let waiting: Waiting = listed.split_off(from_stream).into();
        directory::compare(std::mem::take(&mut passed), listed)?;
        Ok(Self {
            file,
            waiting,
            list,
        })
    }

    /// The next entry, whose number this is: its reader after its header, and what is listed of it.
    pub(super) async fn next<R: AsyncBufRead + Unpin>(
        &mut self,
        entry: usize,
    ) -> Result<Option<(Lookahead<Input<R>>, LocalHeader, Listed)>, ZipError> {
        let Some(listed) = self.waiting.pop_front() else {
            return Ok(None);
        };
        let mut reader = read_at(&self.file, listed.offset).await?;
        if signature(reader.peek(4).await?) != Some(LOCAL_HEADER) {
            return Err(ZipError::List {
                what: "an entry is listed that is not there",
            });
        }
        let header = read_local(&mut reader, entry).await?;
        header.check(entry)?;
        if (header.method, header.name_digest) != (listed.method, listed.name_digest) {
            return Err(ZipError::List {
                what: "an entry is listed as another",
            });
        }
        let end = listed.offset.checked_add(header.bytes as u64);
        let end = end.and_then(|start| start.checked_add(listed.compressed));
        let next = self.waiting.front().map_or(self.list, |next| next.offset);
        if end.is_none_or(|end| end > next) {
            return Err(ZipError::List {
                what: "an entry reaches into the next",
            });
        }
        Pin::new(&mut reader).consume(header.bytes);
        Ok(Some((reader, header, listed)))
    }
}

async fn read_at<R>(file: &File, offset: u64) -> Result<Lookahead<Input<R>>, ZipError> {
    let mut file = tokio::fs::File::from_std(file.try_clone().map_err(ZipError::Spool)?);
    file.seek(SeekFrom::Start(offset))
        .await
        .map_err(ZipError::Spool)?;
    let reader = BufReader::with_capacity(BUFFER_BYTES, file);
    Ok(Lookahead::new(Input::File(reader)))
}

async fn bytes_at(file: &File, offset: u64, count: u64) -> Result<Vec<u8>, ZipError> {
    let mut bytes = Vec::new();
    let read = async {
        let mut file = tokio::fs::File::from_std(file.try_clone()?);
        file.seek(SeekFrom::Start(offset)).await?;
        file.take(count).read_to_end(&mut bytes).await
    };
    read.await
        .map_err(|error: io::Error| ZipError::Spool(error))?;
    Ok(bytes)
}

/// Where the list of the archive begins, and by how much the positions in it are too low.
async fn find_list(file: &File, base: u64, len: u64) -> Result<(u64, u64), ZipError> {
    let from = len.saturating_sub(TAIL_BYTES).max(base);
    let tail = bytes_at(file, from, len - from).await?;
    // A comment may hold what looks like the end: the last that is followed by as much as it says is the one.
    let is_end = |at: &usize| {
        let record = &tail[*at..];
        signature(record) == Some(END) && u16_at(record, 20) as usize == record.len() - 22
    };
    let last = tail.len().checked_sub(22).ok_or(ZipError::NoArchive)?;
    let at = (0..=last).rev().find(is_end).ok_or(ZipError::NoArchive)?;
    let (mut end, mut end_at) = (End::narrow(&tail[at..])?, from + at as u64);
    if let Some(locator) = at.checked_sub(20).map(|at| &tail[at..])
        && u32_at(locator, 0) == END_64_LOCATOR
    {
        // Where it says, or right before if that does not count what precedes the archive.
        let before = end_at.saturating_sub(20 + 56);
        for wide_at in [u64_at(locator, 8), before] {
            let record = bytes_at(file, wide_at, 56).await?;
            if record.len() == 56 && u32_at(&record, 0) == END_64 {
                (end, end_at) = (End::wide(&record)?, wide_at);
                break;
            }
        }
    }
    let list = end_at.checked_sub(end.bytes).filter(|list| *list >= base);
    let list = list.ok_or(ZipError::List {
        what: "it is longer than the archive",
    })?;
    let shift = list.checked_sub(end.offset).ok_or(ZipError::List {
        what: "it is not where the end says",
    })?;
    Ok((list, shift))
}
