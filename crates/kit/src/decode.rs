//! Content codings, undone as the bytes arrive and within a bound.
//!
//! A body that is cut short, or that goes on after its end, is an error: both would otherwise pass for a shorter body. gzip may
//! have several members and zstd several frames, as servers that compress as they go send them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use async_compression::zstd::DParameter;
use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};

/// Codings that a body may have one around the other. More are a mistake, or an attack.
const MAX_CODINGS: usize = 4;

/// Bytes that are decoded at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Of what zstd decodes, 8 MiB at most are looked back upon: as much as RFC 9659 lets a body ask for. The library would give 128.
const ZSTD_WINDOW_LOG: u32 = 23;

/// A body that is read as it arrives.
pub(crate) type Reader = Box<dyn AsyncBufRead + Send + Unpin>;

/// What can be undone of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// As it should be, in a zlib wrapper, or raw, as many servers send it.
    Deflate,
    Brotli,
    Zstd,
}

/// A body in a coding that nobody here can undo.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodingError {
    /// Its name, as far as one may show it.
    #[error("the content coding `{0}` is not known; ask for `gzip`, `deflate`, `br` or `zstd`")]
    Unknown(String),
    #[error("there are more than {MAX_CODINGS} content codings one around the other")]
    TooMany,
}

/// A body of more bytes than it may have.
#[derive(Debug, thiserror::Error)]
#[error("the body has more than {0} bytes")]
pub(crate) struct TooLarge(pub(crate) u64);

/// The codings that the values of `content-encoding` name, in the order in which they were applied.
pub(crate) fn codings<'a>(
    values: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Coding>, CodingError> {
    let names = values.into_iter().flat_map(|value| value.split(','));
    let names = names.map(|name| name.trim().to_ascii_lowercase());
    let mut codings = Vec::new();
    for name in names {
        codings.push(match name.as_str() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => Coding::Gzip,
            "deflate" => Coding::Deflate,
            "br" => Coding::Brotli,
            "zstd" => Coding::Zstd,
            unknown => {
                let shown = unknown.chars().filter(char::is_ascii_graphic).take(40);
                return Err(CodingError::Unknown(shown.collect()));
            }
        });
    }
    if codings.len() > MAX_CODINGS {
        return Err(CodingError::TooMany);
    }
    Ok(codings)
}

/// The body without its codings. Of more than `max_bytes`, before or after decoding, it becomes an error that holds [`TooLarge`].
pub(crate) fn decoded(
    body: impl AsyncBufRead + Send + Unpin + 'static,
    codings: &[Coding],
    max_bytes: u64,
) -> Reader {
    let mut reader: Reader = Box::new(Capped::new(body, max_bytes));
    for coding in codings.iter().rev() {
        let decoder = Decoder::Fresh(*coding, Some(reader));
        let buffered = BufReader::with_capacity(BUFFER_BYTES, decoder);
        reader = Box::new(Capped::new(buffered, max_bytes));
    }
    reader
}

/// Lets so many bytes through.
struct Capped<R> {
    reader: R,
    left: u64,
    max: u64,
}

impl<R> Capped<R> {
    fn new(reader: R, max: u64) -> Self {
        Self {
            reader,
            left: max,
            max,
        }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Capped<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        let bytes = ready!(Pin::new(&mut this.reader).poll_fill_buf(cx))?;
        if bytes.len() as u64 > this.left {
            return Poll::Ready(Err(io::Error::other(TooLarge(this.max))));
        }
        Poll::Ready(Ok(bytes))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.left -= amount as u64;
        Pin::new(&mut this.reader).consume(amount);
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Capped<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = bytes.len().min(into.remaining());
        into.put_slice(&bytes[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

/// Undoes one coding.
enum Decoder {
    /// Nothing has arrived. A body of nothing is nothing, in any coding: servers send that with an answer that has no body.
    Fresh(Coding, Option<Reader>),
    Gzip(GzipDecoder<Reader>),
    Zlib(ZlibDecoder<Reader>),
    Deflate(DeflateDecoder<Reader>),
    Brotli(BrotliDecoder<Reader>),
    Zstd(ZstdDecoder<Reader>),
    Ended,
}

impl Decoder {
    fn begin(coding: Coding, reader: Reader, first: u8) -> Self {
        match coding {
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(reader);
                decoder.multiple_members(true);
                Decoder::Gzip(decoder)
            }
            Coding::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(reader, &window);
                decoder.multiple_members(true);
                Decoder::Zstd(decoder)
            }
            Coding::Brotli => Decoder::Brotli(BrotliDecoder::new(reader)),
            // A zlib header names the method 8 and a window of at most 32 KiB. A raw stream that begins so would be a stored
            // block whose padding is not zero, which no compressor writes.
            Coding::Deflate if first & 0x0f == 8 && first >> 4 <= 7 => {
                Decoder::Zlib(ZlibDecoder::new(reader))
            }
            Coding::Deflate => Decoder::Deflate(DeflateDecoder::new(reader)),
        }
    }

    fn poll_decode(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Decoder::Gzip(decoder) => Pin::new(decoder).poll_read(cx, into),
            Decoder::Zlib(decoder) => Pin::new(decoder).poll_read(cx, into),
            Decoder::Deflate(decoder) => Pin::new(decoder).poll_read(cx, into),
            Decoder::Brotli(decoder) => Pin::new(decoder).poll_read(cx, into),
            Decoder::Zstd(decoder) => Pin::new(decoder).poll_read(cx, into),
            Decoder::Fresh(..) | Decoder::Ended => Poll::Ready(Ok(())),
        }
    }

    /// What was read from, for what may stand after the end.
    fn rest(&mut self) -> Option<&mut Reader> {
        match self {
            Decoder::Gzip(decoder) => Some(decoder.get_mut()),
            Decoder::Zlib(decoder) => Some(decoder.get_mut()),
            Decoder::Deflate(decoder) => Some(decoder.get_mut()),
            Decoder::Brotli(decoder) => Some(decoder.get_mut()),
            Decoder::Zstd(decoder) => Some(decoder.get_mut()),
            Decoder::Fresh(..) | Decoder::Ended => None,
        }
    }
}

impl AsyncRead for Decoder {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Decoder::Fresh(coding, reader) = this {
            let of_fresh = reader.as_mut().expect("a fresh decoder has its reader");
            let first = ready!(Pin::new(of_fresh).poll_fill_buf(cx))?
                .first()
                .copied();
            *this = match first.zip(reader.take()) {
                Some((first, reader)) => Decoder::begin(*coding, reader, first),
                None => Decoder::Ended,
            };
        }
        let before = into.filled().len();
        ready!(this.poll_decode(cx, into))?;
        if into.filled().len() > before || into.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if let Some(rest) = this.rest() {
            let rest = ready!(Pin::new(rest).poll_fill_buf(cx))?;
            if !rest.is_empty() {
                let problem = "the encoded body goes on after its end";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, problem)));
            }
            *this = Decoder::Ended;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(all(test, feature = "http"))]
mod tests;
