//! Where an archive is read from: the stream, or the file that the rest of it went to.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};

use crate::stream::lookahead::poll_read_buffered;

#[derive(Debug)]
pub(super) enum Input<R> {
    Stream(R),
    File(BufReader<tokio::fs::File>),
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Input<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        match self.get_mut() {
            Self::Stream(reader) => Pin::new(reader).poll_fill_buf(cx),
            Self::File(reader) => Pin::new(reader).poll_fill_buf(cx),
        }
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        match self.get_mut() {
            Self::Stream(reader) => Pin::new(reader).consume(count),
            Self::File(reader) => Pin::new(reader).consume(count),
        }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Input<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_read_buffered(self, cx, out)
    }
}
