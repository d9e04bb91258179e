//! A reader whose next bytes can be looked at before they are taken, and that knows how many were.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// How much is looked at to find out what a stream is: some hundred rows of an ordinary table.
pub(crate) const SAMPLE_BYTES: usize = 64 << 10;

/// A reader whose next bytes can be looked at before they are taken.
///
/// What was looked at is held here, so that it is bounded by what the callers ask for.
#[derive(Debug)]
pub(crate) struct Lookahead<R> {
    inner: R,
    ahead: Vec<u8>,
    /// How much of `ahead` is taken already.
    at: usize,
    taken: u64,
    ended: bool,
    failed: bool,
}

impl<R> Lookahead<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            ahead: Vec::new(),
            at: 0,
            taken: 0,
            ended: false,
            failed: false,
        }
    }

    /// How many bytes were taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether the end of the stream was met, though bytes before it may still be here.
    pub(crate) fn has_met_end(&self) -> bool {
        self.ended
    }

    /// Whether the reader itself failed: an error that comes through a decoder is not the decoder's then.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn get_ref(&self) -> &R {
        &self.inner
    }
}

impl<R: AsyncBufRead + Unpin> Lookahead<R> {
    /// The next `count` bytes without taking them; fewer only where the stream ends before.
    pub(crate) fn poll_peek(
        &mut self,
        cx: &mut Context<'_>,
        count: usize,
    ) -> Poll<io::Result<&[u8]>> {
        while self.ahead.len() - self.at < count && !self.ended {
            if self.at == self.ahead.len() {
                self.ahead.clear();
                self.at = 0;
            }
            let missing = count - (self.ahead.len() - self.at);
            let filled = ready!(Pin::new(&mut self.inner).poll_fill_buf(cx));
            self.failed |= filled.is_err();
            let input = filled?;
            let copied = input.len().min(missing);
            self.ended = input.is_empty();
            self.ahead.extend_from_slice(&input[..copied]);
            Pin::new(&mut self.inner).consume(copied);
        }
        let end = self.ahead.len().min(self.at + count);
        Poll::Ready(Ok(&self.ahead[self.at..end]))
    }

    /// As [`poll_peek`](Self::poll_peek). Cancelling it loses nothing.
    pub(crate) async fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        std::future::poll_fn(|cx| self.poll_peek(cx, count).map_ok(|_| ())).await?;
        let end = self.ahead.len().min(self.at + count);
        Ok(&self.ahead[self.at..end])
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Lookahead<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.at < this.ahead.len() {
            return Poll::Ready(Ok(&this.ahead[this.at..]));
        }
        if this.ended {
            return Poll::Ready(Ok(&[]));
        }
        let filled = ready!(Pin::new(&mut this.inner).poll_fill_buf(cx));
        this.failed |= filled.is_err();
        let input = filled?;
        this.ended = input.is_empty();
        Poll::Ready(Ok(input))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let this = self.get_mut();
        this.taken += count as u64;
        if this.at < this.ahead.len() {
            this.at += count;
            if this.at == this.ahead.len() && this.ahead.capacity() > SAMPLE_BYTES / 8 {
                this.ahead = Vec::new(); // A sample is looked at once.
                this.at = 0;
            }
        } else {
            Pin::new(&mut this.inner).consume(count);
        }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Lookahead<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_read_buffered(self, cx, out)
    }
}

/// Reads from a reader's buffer, for one that is [`AsyncBufRead`] foremost.
pub(crate) fn poll_read_buffered<R: AsyncBufRead>(
    mut reader: Pin<&mut R>,
    cx: &mut Context<'_>,
    out: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if out.remaining() == 0 {
        return Poll::Ready(Ok(()));
    }
    let input = ready!(reader.as_mut().poll_fill_buf(cx))?;
    let count = input.len().min(out.remaining());
    out.put_slice(&input[..count]);
    reader.consume(count);
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, BufReader};

    use super::*;

    #[tokio::test]
    async fn what_was_looked_at_is_still_read() {
        for capacity in [1, 2, 3, 100] {
            let mut reader = Lookahead::new(BufReader::with_capacity(capacity, &b"0123456789"[..]));
            assert_eq!(reader.peek(3).await.unwrap(), b"012");
            assert_eq!(reader.peek(2).await.unwrap(), b"01");
            assert_eq!(reader.taken(), 0);
            let mut two = [0; 2];
            reader.read_exact(&mut two).await.unwrap();
            assert_eq!(reader.peek(4).await.unwrap(), b"2345");
            assert_eq!((&two, reader.taken()), (b"01", 2));
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"23456789");
            assert_eq!(reader.peek(4).await.unwrap(), b"");
            assert_eq!(reader.taken(), 10);
        }
    }
}
