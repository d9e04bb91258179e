//! Lines out of a stream, lent one at a time.

use std::io::Read;

use memchr::memchr;

use crate::buffer::Buffer;

/// Cuts a stream into lines, none longer than the bound.
///
/// Reads in large chunks; the buffer grows for a long line, never beyond the bound and a chunk. Lines
/// are lent without their line feed and without a carriage return before it. An error is final: what
/// follows cannot be trusted, and the next call reports the same.
#[derive(Debug)]
pub struct Lines<R> {
    buffer: Buffer<R>,
    max_line_bytes: usize,
    accept_unterminated: bool,
    accept_blank: bool,
    /// Of the pending bytes, how many have no line feed.
    scanned: usize,
}

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The line is longer than the bound.
    #[error("a line is longer than {limit} bytes; send less in one message")]
    TooLong {
        /// The bound, in bytes without the line feed.
        limit: usize,
    },
    /// The stream ended inside a line.
    #[error(
        "the stream ended {bytes} bytes into a line; its writer stopped inside a message, or left out the last line feed"
    )]
    Partial {
        /// Bytes of the unfinished line.
        bytes: usize,
    },
    /// An empty line, which is no message.
    #[error("a blank line is no message; write one JSON object per line, and nothing between")]
    Blank,
    /// The stream could not be read.
    #[error("a line could not be read")]
    Io(#[from] std::io::Error),
}

impl FrameError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "protocol.line_too_long",
            Self::Partial { .. } => "protocol.partial_line",
            Self::Blank => "protocol.blank_line",
            Self::Io(_) => "protocol.read_failed",
        }
    }
}

impl<R: Read> Lines<R> {
    /// Lines of `reader` of at most `max_line_bytes` bytes, not counting what ends them.
    pub fn new(reader: R, max_line_bytes: usize) -> Self {
        Self {
            buffer: Buffer::new(reader),
            max_line_bytes,
            accept_unterminated: false,
            accept_blank: false,
            scanned: 0,
        }
    }

    /// Takes a last line that has no line feed for a whole one, as connectors do of their input.
    #[must_use]
    pub fn accept_unterminated(mut self) -> Self {
        self.accept_unterminated = true;
        self
    }

    /// Lends blank lines, too, instead of failing with [`FrameError::Blank`].
    #[must_use]
    pub fn accept_blank(mut self) -> Self {
        self.accept_blank = true;
        self
    }

    /// The next line, or `None` at the end of the stream. Blocks until there is one.
    ///
    /// # Errors
    /// [`FrameError`], and again at every later call.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, FrameError> {
        loop {
            let pending = self.buffer.pending();
            if let Some(at) = memchr(b'\n', &pending[self.scanned..]) {
                let feed = self.scanned + at;
                return self.lend(feed, feed + 1).map(Some);
            }
            let pending = pending.len();
            self.scanned = pending;
            if self.buffer.has_ended() {
                return match pending {
                    0 => Ok(None),
                    bytes if !self.accept_unterminated => Err(FrameError::Partial { bytes }),
                    _ => self.lend(pending, pending).map(Some),
                };
            }
            // One byte more than the bound may still turn out to be a carriage return.
            if pending > self.max_line_bytes.saturating_add(1) {
                return Err(FrameError::TooLong {
                    limit: self.max_line_bytes,
                });
            }
            self.buffer.fill(self.max_line_bytes.saturating_add(2))?;
        }
    }

    /// Lends the first `length` pending bytes, and goes on behind `taken`. On an error it stays where it is.
    fn lend(&mut self, length: usize, taken: usize) -> Result<&[u8], FrameError> {
        let line = &self.buffer.pending()[..length];
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        if length > self.max_line_bytes {
            return Err(FrameError::TooLong {
                limit: self.max_line_bytes,
            });
        }
        if length == 0 && !self.accept_blank {
            return Err(FrameError::Blank);
        }
        self.scanned = 0;
        Ok(&self.buffer.take(taken)[..length])
    }
}

#[cfg(test)]
mod tests;
