//! An entry of an archive, as it is handed out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::body::Body;
use super::directory::Listed;
use super::headers::LocalHeader;
use super::input::Input;
use super::{Archive, State, ZipError};
use crate::stream::lookahead::{Lookahead, poll_read_buffered};

/// How much is decompressed at once.
const BUFFER_BYTES: usize = 64 << 10;

/// An entry of a ZIP archive, lent by the archive until the next one.
///
/// It is read as what it holds, decompressed. That is right only once its end has been read: what is missing, or does not have the
/// checksum that it should, is an error in the place of the end.
#[derive(Debug)]
pub struct Entry<'a, R> {
    pub(super) archive: &'a mut Archive<R>,
}

/// The entry that is handed out.
#[derive(Debug)]
pub(super) struct Current<R> {
    header: LocalHeader,
    body: Body<R>,
    buffer: Box<[u8]>,
    /// What of `buffer` is decompressed and not yet read.
    at: usize,
    filled: usize,
}

impl<R: AsyncBufRead + Unpin> Current<R> {
    pub(super) fn new(header: LocalHeader, body: Body<R>) -> Self {
        Self {
            header,
            body,
            buffer: Box::default(),
            at: 0,
            filled: 0,
        }
    }

    /// Passes over what was not read.
    pub(super) async fn finish(self) -> Result<(Lookahead<Input<R>>, Listed), ZipError> {
        self.body.finish().await
    }
}

impl<R: AsyncBufRead + Unpin> Entry<'_, R> {
    fn current(&self) -> &Current<R> {
        let current = self.archive.current.as_ref();
        current.expect("an entry is lent as long as it is handed out")
    }

    /// Its name, with `/` between folders, and without whatever would lead out of one: no root, no drive, no `..`. It is a name to
    /// tell entries apart, of whoever made the archive; nothing should be written where it says.
    pub fn name(&self) -> &str {
        &self.current().header.name
    }

    /// Whether it is a folder, which holds nothing itself.
    pub fn is_directory(&self) -> bool {
        self.current().header.is_directory
    }

    /// How many bytes it says to hold, if it does so before them.
    pub fn size(&self) -> Option<u64> {
        self.current().body.size()
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Entry<'_, R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let Archive {
            current,
            state,
            bytes_left,
            limits,
            ..
        } = &mut *self.get_mut().archive;
        let current = current
            .as_mut()
            .expect("an entry is lent as long as it is handed out");
        if let State::Over = state {
            return Poll::Ready(Err(ZipError::Over.into()));
        }
        if current.at == current.filled {
            if current.buffer.is_empty() {
                current.buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
            }
            let mut out = ReadBuf::new(&mut current.buffer);
            if let Err(error) = ready!(current.body.poll_read(
                cx,
                &mut out,
                bytes_left,
                limits.bytes
            )) {
                *state = State::Over;
                return Poll::Ready(Err(error.into()));
            }
            (current.at, current.filled) = (0, out.filled().len());
        }
        Poll::Ready(Ok(&current.buffer[current.at..current.filled]))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let current = self.get_mut().archive.current.as_mut();
        current
            .expect("an entry is lent as long as it is handed out")
            .at += count;
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Entry<'_, R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_read_buffered(self, cx, out)
    }
}
