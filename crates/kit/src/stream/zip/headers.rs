//! The header of an entry, and the fields that it shares with the list at the end (APPNOTE 4.3 to 4.5).

use tokio::io::AsyncBufRead;

use super::ZipError;
use super::body::Expected;
use super::directory::Listed;
use super::name;
use crate::stream::lookahead::Lookahead;

pub(super) const LOCAL_HEADER: u32 = 0x0403_4b50;
pub(super) const LISTED: u32 = 0x0201_4b50;
pub(super) const SIGNED: u32 = 0x0505_4b50;
pub(super) const END: u32 = 0x0605_4b50;
pub(super) const END_64: u32 = 0x0606_4b50;
pub(super) const END_64_LOCATOR: u32 = 0x0706_4b50;
pub(super) const DESCRIPTOR: u32 = 0x0807_4b50;
/// Data about the archive as a whole, which only encryption of the list needs.
pub(super) const EXTRA_DATA: u32 = 0x0806_4b50;

pub(super) const STORED: u16 = 0;
pub(super) const DEFLATE: u16 = 8;
pub(super) const DEFLATE_64: u16 = 9;
pub(super) const BZIP2: u16 = 12;
pub(super) const ZSTD: u16 = 93;
/// The name that zstd had for half a year.
pub(super) const ZSTD_FORMERLY: u16 = 20;
const AES: u16 = 99;

/// The extra field with the sizes and the offset that do not fit 32 bits.
const EXTRA_64: u16 = 1;

const FLAG_ENCRYPTED: u16 = 1;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF_8: u16 = 1 << 11;
const FLAG_LIST_ENCRYPTED: u16 = 1 << 13;

/// Reads numbers from a record whose length was seen to before.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes are two"))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes are four"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes are eight"))
}

pub(super) fn signature(start: &[u8]) -> Option<u32> {
    (start.len() >= 4).then(|| u32_at(start, 0))
}

/// As many bytes as these, without taking them.
pub(super) async fn peek<R: AsyncBufRead + Unpin>(
    reader: &mut Lookahead<R>,
    count: usize,
) -> Result<&[u8], ZipError> {
    let read = reader.taken();
    let bytes = reader.peek(count).await?;
    if bytes.len() < count {
        let read = read + bytes.len() as u64;
        return Err(ZipError::Truncated { read });
    }
    Ok(bytes)
}

/// The header in front of an entry.
#[derive(Clone, Debug)]
pub(super) struct LocalHeader {
    /// Where it begins in the archive.
    pub(super) offset: u64,
    /// How long it is.
    pub(super) bytes: usize,
    pub(super) flags: u16,
    pub(super) method: u16,
    crc: u32,
    compressed: u64,
    size: u64,
    pub(super) name: String,
    pub(super) is_directory: bool,
    pub(super) name_digest: u64,
}

/// Looks at the header that is next, without taking it.
pub(super) async fn read_local<R: AsyncBufRead + Unpin>(
    reader: &mut Lookahead<R>,
    entry: usize,
) -> Result<LocalHeader, ZipError> {
    let offset = reader.taken();
    let fixed = peek(reader, 30).await?;
    let (name_len, extra_len) = (
        usize::from(u16_at(fixed, 26)),
        usize::from(u16_at(fixed, 28)),
    );
    let bytes = 30 + name_len + extra_len;
    let header = peek(reader, bytes).await?;
    let (name, extra) = header[30..].split_at(name_len);
    let flags = u16_at(header, 6);
    let mut sizes = [u64::from(u32_at(header, 22)), u64::from(u32_at(header, 18))];
    if flags & FLAG_DESCRIPTOR == 0 {
        widen(extra, &mut sizes)
            .ok_or_else(|| ZipError::damaged(entry, "its sizes are missing"))?;
    }
    let [size, compressed] = sizes;
    Ok(LocalHeader {
        offset,
        bytes,
        flags,
        method: u16_at(header, 8),
        crc: u32_at(header, 14),
        compressed,
        size,
        is_directory: matches!(name.last(), Some(b'/' | b'\\')),
        name: name::sanitised(name, flags & FLAG_UTF_8 != 0),
        name_digest: name::digest(name),
    })
}

/// Replaces each of these numbers that says "too large for 32 bits" by the one in the extra field. `None` if it is not there.
pub(super) fn widen(extra: &[u8], numbers: &mut [u64]) -> Option<()> {
    let mut wide = extra_field(extra, EXTRA_64).unwrap_or_default();
    for number in numbers {
        if *number == u64::from(u32::MAX) {
            let (first, rest) = wide.split_at_checked(8)?;
            *number = u64_at(first, 0);
            wide = rest;
        }
    }
    Some(())
}

fn extra_field(mut extra: &[u8], id: u16) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let (found, len) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let field = extra.get(4..4 + len)?;
        if found == id {
            return Some(field);
        }
        extra = &extra[4 + len..];
    }
    None
}

pub(super) fn is_encrypted(flags: u16, method: u16) -> bool {
    flags & (FLAG_ENCRYPTED | FLAG_LIST_ENCRYPTED) != 0 || method == AES
}

impl LocalHeader {
    fn has_descriptor(&self) -> bool {
        self.flags & FLAG_DESCRIPTOR != 0
    }

    /// Whether it can be told from the stream where the entry ends. A frame of zstd ends itself as well, but others may follow it.
    pub(super) fn is_sure(&self) -> bool {
        !self.has_descriptor() || self.method == DEFLATE || is_encrypted(self.flags, self.method)
    }

    /// Whether the entry can be read at all.
    pub(super) fn check(&self, entry: usize) -> Result<(), ZipError> {
        if is_encrypted(self.flags, self.method) {
            return Err(ZipError::Encrypted { entry });
        }
        match self.method {
            STORED | DEFLATE | DEFLATE_64 | BZIP2 | ZSTD | ZSTD_FORMERLY => Ok(()),
            method => Err(ZipError::Method { entry, method }),
        }
    }

    /// What the entry must turn out to be.
    pub(super) fn expected(&self) -> Expected {
        if self.has_descriptor() {
            return Expected::Described;
        }
        Expected::Known(self.listed(self.crc, self.compressed, self.size))
    }

    /// The entry as the list at the end must have it.
    pub(super) fn listed(&self, crc: u32, compressed: u64, size: u64) -> Listed {
        Listed {
            offset: self.offset,
            method: self.method,
            crc,
            compressed,
            size,
            name_digest: self.name_digest,
        }
    }
}
