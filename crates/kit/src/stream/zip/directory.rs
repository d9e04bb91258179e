//! The list of all entries at the end of an archive, and its end (APPNOTE 4.3.12 to 4.3.16).

use std::collections::HashMap;
use std::pin::Pin;

use tokio::io::AsyncBufRead;

use super::ZipError;
use super::headers::{
    END, END_64, END_64_LOCATOR, EXTRA_DATA, LISTED, SIGNED, peek, signature, u16_at, u32_at,
    u64_at, widen,
};
use super::name;
use crate::stream::lookahead::Lookahead;

/// What is known of an entry, other than its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Where its header begins.
    pub(super) offset: u64,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) compressed: u64,
    pub(super) size: u64,
    pub(super) name_digest: u64,
}

/// Reads the list and the end of the archive, after which nothing follows. The list begins at `start`; all offsets in it are too
/// low by `shift`, if the archive follows something that is none of it.
pub(super) async fn read<R: AsyncBufRead + Unpin>(
    reader: &mut Lookahead<R>,
    start: u64,
    shift: u64,
    most: usize,
) -> Result<Vec<Listed>, ZipError> {
    let before = reader.taken();
    let mut entries = Vec::new();
    let mut bytes = 0;
    loop {
        match next_signature(reader).await? {
            LISTED => {
                let (listed, len) = read_listed(reader, shift).await?;
                if entries.len() == most {
                    return Err(ZipError::TooLarge {
                        what: "entries",
                        limit: most as u64,
                    });
                }
                entries.push(listed);
                Pin::new(&mut *reader).consume(len);
                bytes = reader.taken() - before;
            }
            SIGNED => {
                let len = 6 + usize::from(u16_at(peek(reader, 6).await?, 4));
                peek(reader, len).await?;
                Pin::new(&mut *reader).consume(len);
            }
            END | END_64 => break,
            EXTRA_DATA => return Err(ZipError::Encrypted { entry: 1 }),
            _ => {
                return Err(ZipError::List {
                    what: "something else is in the list",
                });
            }
        }
    }
    let end = read_end(reader).await?;
    let count = entries.len() as u64;
    // Old writers have no larger numbers, and begin anew.
    let is_count = if end.wide {
        end.count == count
    } else {
        end.count == count & 0xffff
    };
    if !is_count {
        return Err(ZipError::List {
            what: "it has another number of entries",
        });
    }
    if end.bytes != bytes || end.offset.checked_add(shift) != Some(start) {
        return Err(ZipError::List {
            what: "it is not where the end says",
        });
    }
    Ok(entries)
}

async fn next_signature<R: AsyncBufRead + Unpin>(
    reader: &mut Lookahead<R>,
) -> Result<u32, ZipError> {
    Ok(signature(peek(reader, 4).await?).expect("four bytes are a signature"))
}

async fn read_listed<R: AsyncBufRead + Unpin>(
    reader: &mut Lookahead<R>,
    shift: u64,
) -> Result<(Listed, usize), ZipError> {
    let fixed = peek(reader, 46).await?;
    let [name_len, extra_len, comment_len] = [28, 30, 32].map(|at| usize::from(u16_at(fixed, at)));
    let len = 46 + name_len + extra_len + comment_len;
    let record = peek(reader, len).await?;
    let mut numbers = [24, 20, 42].map(|at| u64::from(u32_at(record, at)));
    let extra = &record[46 + name_len..46 + name_len + extra_len];
    widen(extra, &mut numbers).ok_or(ZipError::List {
        what: "a size or a position is missing",
    })?;
    let [size, compressed, offset] = numbers;
    if u16_at(record, 34) != 0 && u16_at(record, 34) != u16::MAX {
        return Err(ZipError::Parts);
    }
    let listed = Listed {
        offset: offset.checked_add(shift).ok_or(ZipError::List {
            what: "a position is impossible",
        })?,
        method: u16_at(record, 10),
        crc: u32_at(record, 16),
        compressed,
        size,
        name_digest: name::digest(&record[46..46 + name_len]),
    };
    Ok((listed, len))
}

/// What the end of an archive says of its list.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) offset: u64,
    /// Whether its numbers may be larger than 16 and 32 bits.
    pub(super) wide: bool,
}

impl End {
    /// From the record of 22 bytes.
    pub(super) fn narrow(record: &[u8]) -> Result<Self, ZipError> {
        let disks = [4, 6].map(|at| u16_at(record, at));
        if disks.iter().any(|disk| *disk != 0 && *disk != u16::MAX) {
            return Err(ZipError::Parts);
        }
        Ok(Self {
            count: u64::from(u16_at(record, 10)),
            bytes: u64::from(u32_at(record, 12)),
            offset: u64::from(u32_at(record, 16)),
            wide: false,
        })
    }

    /// From the record of 56 bytes.
    pub(super) fn wide(record: &[u8]) -> Result<Self, ZipError> {
        if u32_at(record, 16) != 0 || u32_at(record, 20) != 0 {
            return Err(ZipError::Parts);
        }
        Ok(Self {
            count: u64_at(record, 32),
            bytes: u64_at(record, 40),
            offset: u64_at(record, 48),
            wide: true,
        })
    }
}

/// Reads the records that end the archive.
async fn read_end<R: AsyncBufRead + Unpin>(reader: &mut Lookahead<R>) -> Result<End, ZipError> {
    let mut wide = None;
    if next_signature(reader).await? == END_64 {
        let record = peek(reader, 56).await?;
        wide = Some(End::wide(record)?);
        let len = u64_at(record, 4).saturating_add(12);
        if !(56..=1 << 16).contains(&len) {
            return Err(ZipError::List {
                what: "its end has an impossible length",
            });
        }
        peek(reader, len as usize).await?;
        Pin::new(&mut *reader).consume(len as usize);
        if next_signature(reader).await? != END_64_LOCATOR {
            return Err(ZipError::List {
                what: "its end is not followed by its position",
            });
        }
        peek(reader, 20).await?;
        Pin::new(&mut *reader).consume(20);
    }
    if next_signature(reader).await? != END {
        return Err(ZipError::List {
            what: "its end is missing",
        });
    }
    let record = peek(reader, 22).await?;
    let narrow = End::narrow(record)?;
    let len = 22 + usize::from(u16_at(record, 20));
    peek(reader, len).await?;
    Pin::new(&mut *reader).consume(len);
    if !reader.peek(1).await?.is_empty() {
        return Err(ZipError::List {
            what: "something follows after its end",
        });
    }
    Ok(wide.unwrap_or(narrow))
}

/// Whether what came from the stream is what is listed, all of it and nothing else.
pub(super) fn compare(
    mut passed: HashMap<u64, Listed>,
    listed: Vec<Listed>,
) -> Result<(), ZipError> {
    for entry in listed {
        match passed.remove(&entry.offset) {
            Some(found) if found == entry => {}
            Some(_) => {
                return Err(ZipError::List {
                    what: "an entry is listed as another",
                });
            }
            None => {
                return Err(ZipError::List {
                    what: "an entry is listed that is not there",
                });
            }
        }
    }
    if passed.is_empty() {
        return Ok(());
    }
    Err(ZipError::List {
        what: "an entry is not listed",
    })
}
