//! Lines out of a stream, lent one at a time.

use std::io::{ErrorKind, Read};

use memchr::memchr;

/// Bytes asked for at a time; a pipe holds less, a file fills it.
const CHUNK_BYTES: usize = 256 << 10;

/// A buffer that grew beyond this for a long line is given back after it.
const KEEP_BYTES: usize = 4 * CHUNK_BYTES;

/// Cuts a stream into lines, none longer than the bound.
///
/// Reads in large chunks; the buffer grows for a long line, never beyond the bound and a chunk. Lines
/// are lent without their line feed and without a carriage return before it. An error is final: what
/// follows cannot be trusted, and the next call reports the same.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    max_line_bytes: usize,
    accept_unterminated: bool,
    accept_blank: bool,
    buffer: Vec<u8>,
    /// The bytes that are read and not yet lent.
    start: usize,
    end: usize,
    /// Up to here there is no line feed.
    scanned: usize,
    ended: bool,
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
            reader,
            max_line_bytes,
            accept_unterminated: false,
            accept_blank: false,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            scanned: 0,
            ended: false,
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
            if let Some(at) = memchr(b'\n', &self.buffer[self.scanned..self.end]) {
                let feed = self.scanned + at;
                return self.lend(feed, feed + 1).map(Some);
            }
            self.scanned = self.end;
            let pending = self.end - self.start;
            if self.ended {
                return match pending {
                    0 => Ok(None),
                    bytes if !self.accept_unterminated => Err(FrameError::Partial { bytes }),
                    _ => self.lend(self.end, self.end).map(Some),
                };
            }
            // One byte more than the bound may still turn out to be a carriage return.
            if pending > self.max_line_bytes.saturating_add(1) {
                return Err(FrameError::TooLong {
                    limit: self.max_line_bytes,
                });
            }
            self.fill()?;
        }
    }

    /// Lends the line up to `to`, and goes on at `next`. On an error it stays where it is.
    fn lend(&mut self, to: usize, next: usize) -> Result<&[u8], FrameError> {
        let line = &self.buffer[self.start..to];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > self.max_line_bytes {
            return Err(FrameError::TooLong {
                limit: self.max_line_bytes,
            });
        }
        if line.is_empty() && !self.accept_blank {
            return Err(FrameError::Blank);
        }
        self.start = next;
        self.scanned = next;
        Ok(line)
    }

    /// Reads more, once, behind what is pending.
    fn fill(&mut self) -> Result<(), FrameError> {
        self.make_room();
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            return Ok(());
        }
    }

    /// Moves what is pending to the front, and sees that there is room behind it.
    fn make_room(&mut self) {
        let pending = self.end - self.start;
        if self.buffer.len() > KEEP_BYTES && pending < CHUNK_BYTES {
            // A long line has gone: its memory goes, too.
            let mut buffer = vec![0; 2 * CHUNK_BYTES];
            buffer[..pending].copy_from_slice(&self.buffer[self.start..self.end]);
            self.buffer = buffer;
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
        }
        self.scanned -= self.start;
        (self.start, self.end) = (0, pending);
        if self.end == self.buffer.len() {
            // Doubling keeps the copying linear; the bound keeps a line of garbage from taking all.
            let most = self.max_line_bytes.saturating_add(2).max(CHUNK_BYTES);
            let doubled = self.buffer.len().saturating_mul(2).clamp(CHUNK_BYTES, most);
            self.buffer.resize(doubled.max(self.end + 1), 0);
        }
    }
}

#[cfg(test)]
mod tests;
