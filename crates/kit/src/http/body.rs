//! A body that is read as it arrives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::Stream;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, ReadBuf};
use tokio::time::Sleep;

use super::{Asked, HttpError};
use crate::clock::Held;
use crate::decode::{self, Coding, Reader};

/// Bytes that a line may have.
const MAX_LINE_BYTES: usize = 64 << 20;

/// A body that is read as it arrives, decoded. It is whole, or ends in an error.
///
/// It is an [`AsyncBufRead`] for whatever reads from one. An error of such a reader holds the [`HttpError`], which
/// [`HttpError::of_read`] finds in it.
pub struct Body {
    reader: Reader,
    asked: Asked,
}

impl Body {
    pub(super) fn new(
        answer: reqwest::Response,
        asked: &Asked,
        codings: &[Coding],
        idle: Duration,
        max_bytes: u64,
    ) -> Self {
        let arriving = Arriving {
            chunks: Some(Box::pin(answer.bytes_stream())),
            chunk: Bytes::new(),
            is_broken: false,
            idle,
            silence: None,
            asked: asked.clone(),
        };
        Self {
            reader: decode::decoded(arriving, codings, max_bytes),
            asked: asked.clone(),
        }
    }

    /// One that has arrived already.
    pub(super) fn of(bytes: Vec<u8>, asked: &Asked) -> Self {
        Self {
            reader: Box::new(io::Cursor::new(bytes)),
            asked: asked.clone(),
        }
    }

    /// The next bytes, as many as there are; `None` at the end.
    ///
    /// # Errors
    /// [`HttpError::Broken`] if the body does not come whole, or cannot be decoded; [`HttpError::Late`] if nothing comes for too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        let bytes = self.reader.fill_buf().await;
        let bytes = bytes.map_err(|error| HttpError::reading(&self.asked, error))?;
        let chunk = Bytes::copy_from_slice(bytes);
        self.reader.consume(chunk.len());
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    /// Its lines, of at most 64 MiB.
    #[must_use]
    pub fn lines(self) -> Lines {
        Lines {
            body: self,
            line: Vec::new(),
            number: 0,
            bytes: 0,
        }
    }

    /// All of it that is left.
    pub(super) async fn read_whole(mut self, expected: u64) -> Result<Vec<u8>, HttpError> {
        // An announced length is worth only as much memory as one can do without.
        let mut whole = Vec::with_capacity(expected.min(4 << 20) as usize);
        loop {
            let bytes = self.reader.fill_buf().await;
            let bytes = bytes.map_err(|error| HttpError::reading(&self.asked, error))?;
            if bytes.is_empty() {
                return Ok(whole);
            }
            whole.extend_from_slice(bytes);
            let length = bytes.len();
            self.reader.consume(length);
        }
    }

    /// How it begins, of at most so many bytes; what came until then is there also if it ends in an error.
    pub(super) async fn read_beginning(
        mut self,
        max_bytes: u64,
        beginning: &mut Vec<u8>,
    ) -> Result<(), HttpError> {
        loop {
            let bytes = self.reader.fill_buf().await;
            let bytes = bytes.map_err(|error| HttpError::reading(&self.asked, error))?;
            if bytes.is_empty() {
                return Ok(());
            }
            let left = max_bytes - beginning.len() as u64;
            if bytes.len() as u64 > left {
                beginning.extend_from_slice(&bytes[..left as usize]);
                let asked = self.asked.clone();
                return Err(HttpError::TooLarge { asked, max_bytes });
            }
            beginning.extend_from_slice(bytes);
            let length = bytes.len();
            self.reader.consume(length);
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

impl AsyncBufRead for Body {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        let read = ready!(Pin::new(&mut this.reader).poll_fill_buf(cx));
        Poll::Ready(read.map_err(|error| HttpError::reading(&this.asked, error).into_read()))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        Pin::new(&mut self.reader).consume(amount);
    }
}

impl AsyncRead for Body {
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

/// The lines of a body. They end with `\n` or `\r\n`, the last one also with the body.
#[derive(Debug)]
pub struct Lines {
    body: Body,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
}

impl Lines {
    /// The next line, without its end; `None` after the last one.
    ///
    /// # Errors
    /// As [`Body::chunk`], and [`HttpError::TooLarge`] for a line of more than 64 MiB.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, HttpError> {
        self.line.clear();
        loop {
            let bytes = self.body.reader.fill_buf().await;
            let bytes = bytes.map_err(|error| HttpError::reading(&self.body.asked, error))?;
            let end = memchr::memchr(b'\n', bytes);
            let length = end.unwrap_or(bytes.len());
            if self.line.len() + length > MAX_LINE_BYTES {
                return Err(HttpError::TooLarge {
                    asked: self.body.asked.clone(),
                    max_bytes: MAX_LINE_BYTES as u64,
                });
            }
            self.line.extend_from_slice(&bytes[..length]);
            let is_over = bytes.is_empty();
            let consumed = length + usize::from(end.is_some());
            self.body.reader.consume(consumed);
            self.bytes += consumed as u64;
            if is_over && self.line.is_empty() {
                return Ok(None);
            }
            if is_over || end.is_some() {
                self.number += 1;
                let line = self.line.strip_suffix(b"\r");
                return Ok(Some(line.unwrap_or(&self.line)));
            }
        }
    }

    /// The number of the line that was last given, from 1 on.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The bytes of the body so far, with the ends of lines: what a server that tells the size of a file can be held to.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

type Chunks = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// Bytes as they come from the server.
struct Arriving {
    /// `None` from its end on.
    chunks: Option<Chunks>,
    chunk: Bytes,
    /// Once it is, it stays so: a reader that goes on must not take it for the end.
    is_broken: bool,
    idle: Duration,
    /// Since when nothing has come: set when one begins to wait.
    silence: Option<(Pin<Box<Sleep>>, Held)>,
    asked: Asked,
}

impl AsyncBufRead for Arriving {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.chunk.is_empty() {
            if this.is_broken {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let Some(chunks) = &mut this.chunks else {
                return Poll::Ready(Ok(&[]));
            };
            match chunks.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => this.chunk = chunk,
                Poll::Ready(Some(Err(error))) => {
                    this.is_broken = true;
                    let asked = this.asked.clone();
                    return Poll::Ready(Err(HttpError::failed(asked, error).into_read()));
                }
                Poll::Ready(None) => this.chunks = None,
                Poll::Pending => {
                    let idle = this.idle;
                    let begin = || (Box::pin(tokio::time::sleep(idle)), Held::now());
                    let (silence, _) = this.silence.get_or_insert_with(begin);
                    ready!(silence.as_mut().poll(cx));
                    let asked = this.asked.clone();
                    return Poll::Ready(Err(HttpError::Late { asked }.into_read()));
                }
            }
            this.silence = None;
        }
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.chunk.advance(amount);
    }
}

impl AsyncRead for Arriving {
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
