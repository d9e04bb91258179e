//! Compressed streams, decoded as they arrive.
//!
//! The decoders are those of `async-compression`. What is added is what they leave open: a stream that ends early is an error for
//! each of them, also an empty one; all members of a gzip file, frames of a zstd file and streams of a bzip2 file are read, and
//! whatever else follows is an error; raw deflate and deflate in a zlib wrapper are told apart, as both are called "deflate".

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{
    BzDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};

use super::lookahead::Lookahead;

/// How much is decoded at once.
const BUFFER_BYTES: usize = 64 << 10;

/// How a stream is compressed.
///
/// ```
/// use staunch::stream::Compression;
///
/// assert_eq!(Compression::of_name("orders-2024.csv.GZ"), Some(Compression::Gzip));
/// assert_eq!(Compression::detect(&[0x28, 0xb5, 0x2f, 0xfd]), Some(Compression::Zstd));
/// assert_eq!(Compression::detect(b"id,name\n"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// gzip (RFC 1952), of one member or several.
    Gzip,
    /// Zstandard (RFC 8878), of one frame or several. A decoder needs the window that its stream names, up to 128 MiB; what the
    /// command `zstd` writes up to level 19 names 8 MiB at most.
    Zstd,
    /// Deflate, raw (RFC 1951) or in a zlib wrapper (RFC 1950): both go by this name, and the first two bytes tell which it is.
    Deflate,
    /// bzip2, of one stream or several.
    Bzip2,
}

impl Compression {
    /// What compressed the stream that begins like this. Six bytes are enough.
    ///
    /// Deflate has no mark of its own: `None`, as for what is not compressed.
    pub fn detect(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // A frame to be skipped may come before the first that holds something.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            // The third is the block size. Then comes a block, or the end of a stream without any.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, ..] => Some(Self::Bzip2),
            _ => None,
        }
    }

    /// What the extension of a file's name says, in whatever case.
    pub fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" | "tgz" => Some(Self::Gzip),
            "zst" | "zstd" => Some(Self::Zstd),
            "deflate" | "zz" | "zlib" => Some(Self::Deflate),
            "bz2" | "bzip2" => Some(Self::Bzip2),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::Bzip2 => "bzip2",
        }
    }
}

/// Why a compressed stream could not be decoded to its end. Readers give it as the inside of their [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// It ends before its own mark of an end: the rest is missing.
    #[error(
        "the {compression} stream ends early, after {read} bytes; read it again from its source"
    )]
    Truncated {
        /// How it is compressed.
        compression: &'static str,
        /// How many bytes of it there were.
        read: u64,
    },
    /// It is not what it should be, or was changed on its way.
    #[error("the stream is not {compression}, or damaged before its byte {read}")]
    Damaged {
        /// How it should be compressed.
        compression: &'static str,
        /// How many bytes of it were read.
        read: u64,
        /// What the decoder says.
        source: io::Error,
    },
    /// Something follows after its end.
    #[error("bytes follow after the end of the {compression} stream, from byte {read} on")]
    Trailing {
        /// How it is compressed.
        compression: &'static str,
        /// How long the compressed stream is.
        read: u64,
    },
    /// It is larger than allowed.
    #[error(
        "the {compression} stream holds more than {limit} bytes; if that is meant, allow more of them"
    )]
    TooLarge {
        /// How it is compressed.
        compression: &'static str,
        /// How many bytes are allowed.
        limit: u64,
    },
}

impl From<DecompressError> for io::Error {
    fn from(error: DecompressError) -> Self {
        let kind = match &error {
            DecompressError::Truncated { .. } => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

/// Decodes a compressed stream as it arrives.
///
/// Memory is fixed: some 64 KiB, and the window of the format (32 KiB for gzip and deflate). What was read is right only once the
/// end has been read: what is missing, or does not have the checksum that it should, is an error in the place of the end.
///
/// ```
/// use staunch::stream::{Compression, decompress};
/// use tokio::io::AsyncReadExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// // As a body of HTTP, or an open file, would be.
/// let body: &[u8] = &[
///     31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 203, 72, 205, 201, 201, 231, 2, 0, 32, 48, 58, 54, 6, 0, 0, 0,
/// ];
/// let mut text = String::new();
/// decompress(body, Compression::Gzip).read_to_string(&mut text).await?;
/// assert_eq!(text, "hello\n");
///
/// let half = decompress(&body[..20], Compression::Gzip).read_to_string(&mut text).await;
/// assert_eq!(half.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
/// # Ok(()) }
/// ```
pub fn decompress<R: AsyncBufRead + Unpin>(reader: R, compression: Compression) -> Decompressed<R> {
    Decompressed::new(Begin::With(compression), reader)
}

/// Decodes a stream that may be compressed: its first bytes say how, as in [`Compression::detect`]. Others are handed on as they are.
///
/// ```
/// use staunch::stream::decompress_detected;
/// use tokio::io::AsyncReadExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let mut text = String::new();
/// decompress_detected(&b"not compressed"[..]).read_to_string(&mut text).await?;
/// assert_eq!(text, "not compressed");
/// # Ok(()) }
/// ```
pub fn decompress_detected<R: AsyncBufRead + Unpin>(reader: R) -> Decompressed<R> {
    Decompressed::new(Begin::Detect, reader)
}

/// What [`decompress`] gives: the bytes that were compressed.
#[derive(Debug)]
pub struct Decompressed<R> {
    // So that small reads do not each wake the decoder.
    buffered: BufReader<Unbuffered<R>>,
}

impl<R: AsyncBufRead + Unpin> Decompressed<R> {
    fn new(begin: Begin, reader: R) -> Self {
        let unbuffered = Unbuffered {
            decoder: Decoder::Undecided(begin, Some(Lookahead::new(reader))),
            left: u64::MAX,
            limit: u64::MAX,
            failed: false,
        };
        Self {
            buffered: BufReader::with_capacity(BUFFER_BYTES, unbuffered),
        }
    }

    /// Refuses what holds more than so many bytes. By default there is no limit, as memory does not depend on it: a thousandth of a
    /// gzip stream's size may be what it was compressed to, and a millionth of a zstd stream's.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        let unbuffered = self.buffered.get_mut();
        (unbuffered.left, unbuffered.limit) = (bytes, bytes);
        self
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Decompressed<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().buffered).poll_read(cx, out)
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Decompressed<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().buffered).poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        Pin::new(&mut self.get_mut().buffered).consume(count);
    }
}

#[derive(Clone, Copy, Debug)]
enum Begin {
    With(Compression),
    Detect,
}

#[derive(Debug)]
struct Unbuffered<R> {
    decoder: Decoder<R>,
    /// How many bytes may still come out.
    left: u64,
    limit: u64,
    /// After an error there is nothing to go on with.
    failed: bool,
}

#[derive(Debug)]
enum Decoder<R> {
    /// Until the first bytes are here. The reader is there until they are.
    Undecided(Begin, Option<Lookahead<R>>),
    Plain(Lookahead<R>),
    Gzip(Box<GzipDecoder<Lookahead<R>>>),
    Zstd(Box<ZstdDecoder<Lookahead<R>>>),
    Zlib(Box<ZlibDecoder<Lookahead<R>>>),
    Deflate(Box<DeflateDecoder<Lookahead<R>>>),
    Bzip2(Box<BzDecoder<Lookahead<R>>>),
}

/// All members, frames or streams: a decoder stops after the first without a word unless it is told this.
macro_rules! all_members {
    ($decoder:ident, $reader:expr) => {{
        let mut decoder = $decoder::new($reader);
        decoder.multiple_members(true);
        Box::new(decoder)
    }};
}

impl<R: AsyncBufRead + Unpin> Decoder<R> {
    /// For a stream whose first bytes are these.
    fn begin(begin: Begin, start: [u8; 6], reader: Lookahead<R>) -> Self {
        let compression = match begin {
            Begin::With(compression) => Some(compression),
            Begin::Detect => Compression::detect(&start),
        };
        match compression {
            None => Self::Plain(reader),
            Some(Compression::Gzip) => Self::Gzip(all_members!(GzipDecoder, reader)),
            Some(Compression::Zstd) => Self::Zstd(all_members!(ZstdDecoder, reader)),
            Some(Compression::Bzip2) => Self::Bzip2(all_members!(BzDecoder, reader)),
            Some(Compression::Deflate) if is_zlib(start[0], start[1]) => {
                Self::Zlib(all_members!(ZlibDecoder, reader))
            }
            // Any bytes may begin another raw stream, so that a second one is never looked for.
            Some(Compression::Deflate) => Self::Deflate(Box::new(DeflateDecoder::new(reader))),
        }
    }

    fn compression(&self) -> Option<Compression> {
        match self {
            Self::Undecided(..) | Self::Plain(_) => None,
            Self::Gzip(_) => Some(Compression::Gzip),
            Self::Zstd(_) => Some(Compression::Zstd),
            Self::Zlib(_) | Self::Deflate(_) => Some(Compression::Deflate),
            Self::Bzip2(_) => Some(Compression::Bzip2),
        }
    }

    fn reader(&mut self) -> Option<&mut Lookahead<R>> {
        match self {
            Self::Undecided(_, reader) => reader.as_mut(),
            Self::Plain(reader) => Some(reader),
            Self::Gzip(decoder) => Some(decoder.get_mut()),
            Self::Zstd(decoder) => Some(decoder.get_mut()),
            Self::Zlib(decoder) => Some(decoder.get_mut()),
            Self::Deflate(decoder) => Some(decoder.get_mut()),
            Self::Bzip2(decoder) => Some(decoder.get_mut()),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Undecided(..) => unreachable!("a decoder is chosen before it is read"),
            Self::Plain(reader) => Pin::new(reader).poll_read(cx, out),
            Self::Gzip(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Zstd(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Zlib(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Deflate(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Bzip2(decoder) => Pin::new(decoder).poll_read(cx, out),
        }
    }
}

/// Whether these are the first bytes of a zlib stream (RFC 1950, 2.2).
///
/// Raw deflate cannot begin so: it would be a stored block whose padding is not zero, which no encoder writes.
pub(crate) fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

impl<R: AsyncBufRead + Unpin> Unbuffered<R> {
    fn poll_decide(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Decoder::Undecided(begin, reader) = &mut self.decoder else {
            return Poll::Ready(Ok(()));
        };
        let mut start = [0; 6];
        let known = reader.as_mut().expect("undecided, it has its reader");
        let peeked = ready!(known.poll_peek(cx, start.len()))?;
        start[..peeked.len()].copy_from_slice(peeked);
        let empty = peeked.is_empty();
        let reader = reader.take().expect("undecided, it has its reader");
        self.decoder = Decoder::begin(*begin, start, reader);
        match self.decoder.compression() {
            // Some decoders take nothing for a stream of nothing.
            Some(compression) if empty => Poll::Ready(Err(DecompressError::Truncated {
                compression: compression.name(),
                read: 0,
            }
            .into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// What the decoder's error means. Errors of the reader itself are handed on as they are.
    fn explain(&mut self, error: io::Error, compression: Compression) -> io::Error {
        let compression = compression.name();
        let Some(reader) = self.decoder.reader() else {
            return error;
        };
        let read = reader.taken();
        if reader.failed() {
            error
        } else if reader.has_met_end() {
            DecompressError::Truncated { compression, read }.into()
        } else {
            let source = error;
            DecompressError::Damaged {
                compression,
                read,
                source,
            }
            .into()
        }
    }

    /// At the end of the decoded bytes: that nothing follows.
    fn poll_end(&mut self, cx: &mut Context<'_>, compression: Compression) -> Poll<io::Result<()>> {
        let reader = self.decoder.reader().expect("decided, it has its reader");
        if ready!(reader.poll_peek(cx, 1))?.is_empty() {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(DecompressError::Trailing {
            compression: compression.name(),
            read: reader.taken(),
        }
        .into()))
    }
}

impl<R: AsyncBufRead + Unpin> Unbuffered<R> {
    fn poll_decoded(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_decide(cx))?;
        let before = out.filled().len();
        let result = ready!(self.decoder.poll_read(cx, out));
        let Some(compression) = self.decoder.compression() else {
            return Poll::Ready(result);
        };
        result.map_err(|error| self.explain(error, compression))?;
        let count = (out.filled().len() - before) as u64;
        if count == 0 {
            return self.poll_end(cx, compression);
        }
        self.left = self
            .left
            .checked_sub(count)
            .ok_or(DecompressError::TooLarge {
                compression: compression.name(),
                limit: self.limit,
            })?;
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Unbuffered<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.failed {
            let error = "the stream could not be decoded, as an earlier error said";
            return Poll::Ready(Err(io::Error::other(error)));
        }
        let before = out.filled().len();
        let result = ready!(this.poll_decoded(cx, out));
        if result.is_err() {
            this.failed = true;
            out.set_filled(before); // Of what is refused nothing is read.
        }
        Poll::Ready(result)
    }
}

#[cfg(test)]
mod tests;
