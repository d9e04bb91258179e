//! The bytes of an entry, decompressed and checked.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{BzDecoder, Deflate64Decoder, DeflateDecoder, ZstdDecoder};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, ReadBuf, Take};

use super::ZipError;
use super::directory::Listed;
use super::headers::{
    BZIP2, DEFLATE, DEFLATE_64, DESCRIPTOR, END, END_64, EXTRA_DATA, LISTED, LOCAL_HEADER,
    LocalHeader, STORED, signature,
};
use super::input::Input;
use crate::stream::lookahead::Lookahead;

/// From how many bytes on it is looked at by how much an entry grows: a small one may grow by any ratio.
const RATIO_FROM_BYTES: u64 = 1 << 20;

/// The longest descriptor, and the signature that follows it.
const DESCRIBED_BYTES: usize = 24 + 4;

/// What an entry must turn out to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    Known(Listed),
    /// A descriptor after it says.
    Described,
}

#[derive(Debug)]
pub(super) struct Body<R> {
    decoder: Decoder<Take<Lookahead<Input<R>>>>,
    entry: usize,
    header: LocalHeader,
    expected: Expected,
    /// How many bytes were taken before the entry's first.
    start: u64,
    crc: crc32fast::Hasher,
    size: u64,
    ratio: u64,
    /// What it turned out to be, once all of it was read.
    found: Option<Listed>,
}

#[derive(Debug)]
enum Decoder<R> {
    Stored(R),
    Deflate(Box<DeflateDecoder<R>>),
    Deflate64(Box<Deflate64Decoder<R>>),
    Bzip2(Box<BzDecoder<R>>),
    Zstd(Box<ZstdDecoder<R>>),
}

impl<R: AsyncBufRead + Unpin> Decoder<R> {
    fn new(reader: R, method: u16) -> Self {
        match method {
            STORED => Self::Stored(reader),
            DEFLATE => Self::Deflate(Box::new(DeflateDecoder::new(reader))),
            DEFLATE_64 => Self::Deflate64(Box::new(Deflate64Decoder::new(reader))),
            BZIP2 => {
                let mut decoder = BzDecoder::new(reader);
                decoder.multiple_members(true);
                Self::Bzip2(Box::new(decoder))
            }
            _ => {
                let mut decoder = ZstdDecoder::new(reader);
                decoder.multiple_members(true);
                Self::Zstd(Box::new(decoder))
            }
        }
    }

    fn reader(&mut self) -> &mut R {
        match self {
            Self::Stored(reader) => reader,
            Self::Deflate(decoder) => decoder.get_mut(),
            Self::Deflate64(decoder) => decoder.get_mut(),
            Self::Bzip2(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }

    fn into_reader(self) -> R {
        match self {
            Self::Stored(reader) => reader,
            Self::Deflate(decoder) => decoder.into_inner(),
            Self::Deflate64(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.into_inner(),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Stored(reader) => Pin::new(reader).poll_read(cx, out),
            Self::Deflate(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Deflate64(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Bzip2(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Zstd(decoder) => Pin::new(decoder).poll_read(cx, out),
        }
    }
}

impl<R: AsyncBufRead + Unpin> Body<R> {
    /// The body after a header that was taken already.
    pub(super) fn new(
        reader: Lookahead<Input<R>>,
        entry: usize,
        header: &LocalHeader,
        expected: Expected,
        ratio: u64,
    ) -> Self {
        let (compressed, method) = match expected {
            // Nothing needs no decoder; some writers of folders leave it out.
            Expected::Known(Listed {
                compressed: 0,
                size: 0,
                ..
            }) => (0, STORED),
            Expected::Known(listed) => (listed.compressed, header.method),
            Expected::Described => (u64::MAX, header.method),
        };
        Self {
            start: reader.taken(),
            decoder: Decoder::new(reader.take(compressed), method),
            entry,
            header: header.clone(),
            expected,
            crc: crc32fast::Hasher::new(),
            size: 0,
            ratio,
            found: None,
        }
    }

    /// How large it is, if that is known before it is read.
    pub(super) fn size(&self) -> Option<u64> {
        match self.expected {
            Expected::Known(listed) => Some(listed.size),
            Expected::Described => None,
        }
    }

    fn reader(&mut self) -> &mut Lookahead<Input<R>> {
        self.decoder.reader().get_mut()
    }

    /// What comes next of it; nothing at its end, which was checked then. How much all entries may still hold is counted down.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
        bytes_left: &mut u64,
        bytes_limit: u64,
    ) -> Poll<Result<(), ZipError>> {
        if self.found.is_some() {
            return Poll::Ready(Ok(()));
        }
        let before = out.filled().len();
        if let Err(error) = ready!(self.decoder.poll_read(cx, out)) {
            return Poll::Ready(Err(self.explain(error)));
        }
        let bytes = &out.filled()[before..];
        if bytes.is_empty() {
            return self.poll_end(cx);
        }
        self.crc.update(bytes);
        let count = bytes.len() as u64;
        self.size += count;
        *bytes_left = bytes_left.checked_sub(count).ok_or(ZipError::TooLarge {
            what: "bytes",
            limit: bytes_limit,
        })?;
        let entry = self.entry;
        if self.size > self.size().unwrap_or(u64::MAX) {
            return Poll::Ready(Err(ZipError::damaged(entry, "it is larger than it says")));
        }
        let compressed = self.reader().taken() - self.start;
        if self.size > RATIO_FROM_BYTES && self.size > compressed.saturating_mul(self.ratio) {
            return Poll::Ready(Err(ZipError::Ratio {
                entry,
                limit: self.ratio,
            }));
        }
        Poll::Ready(Ok(()))
    }

    /// What the decoder's error means. Errors of the reader itself are handed on as they are.
    fn explain(&mut self, error: io::Error) -> ZipError {
        let entry = self.entry;
        let reader = self.reader();
        if reader.failed() {
            return error.into();
        }
        if reader.has_met_end() {
            return ZipError::Truncated {
                read: reader.taken(),
            };
        }
        let (what, source) = ("it cannot be decompressed", Some(error));
        ZipError::Damaged {
            entry,
            what,
            source,
        }
    }

    /// At the end of what the decoder gives: whether it is all that it should be.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ZipError>> {
        let (entry, size, crc) = (self.entry, self.size, self.crc.clone().finalize());
        let left = self.decoder.reader().limit();
        let compressed = self.reader().taken() - self.start;
        let found = self.header.listed(crc, compressed, size);
        match self.expected {
            Expected::Known(_) if left > 0 => {
                let reader = self.reader();
                return Poll::Ready(Err(if reader.has_met_end() {
                    ZipError::Truncated {
                        read: reader.taken(),
                    }
                } else {
                    ZipError::damaged(entry, "something follows what is compressed")
                }));
            }
            Expected::Known(listed) if (listed.crc, listed.size) != (crc, size) => {
                let what = "it has not the size or the checksum that it should";
                return Poll::Ready(Err(ZipError::damaged(entry, what)));
            }
            Expected::Known(listed) => self.found = Some(listed),
            Expected::Described => {
                let after = ready!(self.reader().poll_peek(cx, DESCRIBED_BYTES))?;
                if after.len() < DESCRIBED_BYTES {
                    let read = self.reader().taken();
                    return Poll::Ready(Err(ZipError::Truncated { read }));
                }
                let Some(len) = descriptor(after, &found) else {
                    let what = "what follows does not have its size and checksum";
                    return Poll::Ready(Err(ZipError::damaged(entry, what)));
                };
                Pin::new(self.reader()).consume(len);
                self.found = Some(found);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Goes to its end. What is known to be so many bytes is passed over as it is, and the rest is read.
    async fn pass_over(&mut self) -> Result<Listed, ZipError> {
        if let (Expected::Known(listed), None) = (self.expected, self.found) {
            let reader = self.decoder.reader();
            let sink = &mut tokio::io::sink();
            tokio::io::copy_buf(reader, sink).await?;
            if reader.limit() > 0 {
                let read = reader.get_ref().taken();
                return Err(ZipError::Truncated { read });
            }
            return Ok(listed);
        }
        let mut buffer = vec![0; 16 << 10];
        loop {
            if let Some(found) = self.found {
                return Ok(found);
            }
            // What nobody reads counts towards no limit but that of its ratio.
            let mut bytes_left = u64::MAX;
            std::future::poll_fn(|cx| {
                self.poll_read(
                    cx,
                    &mut ReadBuf::new(&mut buffer),
                    &mut bytes_left,
                    u64::MAX,
                )
            })
            .await?;
        }
    }

    /// Goes to its end, and gives back the reader, and what it turned out to be.
    pub(super) async fn finish(mut self) -> Result<(Lookahead<Input<R>>, Listed), ZipError> {
        let listed = self.pass_over().await?;
        Ok((self.decoder.into_reader().into_inner(), listed))
    }
}

/// How long the descriptor is that these bytes begin with, if they are the one of this entry.
///
/// It has four forms, with a signature or without, with sizes of 32 or 64 bits, and nothing says which. The right one has the right
/// numbers, and is followed by the signature of what may come next.
fn descriptor(bytes: &[u8], found: &Listed) -> Option<usize> {
    let crc = found.crc.to_le_bytes();
    let wide = [found.compressed.to_le_bytes(), found.size.to_le_bytes()].concat();
    let is_narrow = found.compressed.max(found.size) <= u64::from(u32::MAX);
    let narrow = [&wide[..4], &wide[8..12]].concat();
    let signed = DESCRIPTOR.to_le_bytes();
    let forms = [
        is_narrow.then(|| [&signed[..], &crc, &narrow].concat()),
        Some([&signed[..], &crc, &wide].concat()),
        is_narrow.then(|| [&crc[..], &narrow].concat()),
        Some([&crc[..], &wide].concat()),
    ];
    let fits = |form: &Vec<u8>| {
        let next = bytes.strip_prefix(form.as_slice()).and_then(signature);
        matches!(
            next,
            Some(LOCAL_HEADER | LISTED | END | END_64 | EXTRA_DATA)
        )
    };
    forms
        .into_iter()
        .flatten()
        .find(fits)
        .map(|form| form.len())
}
