//! What is read of a stream and not yet lent: the memory that lines and frames are lent from.

use std::io::{ErrorKind, Read};

/// Bytes asked for at a time; a pipe holds less, a file fills it.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// A buffer that grew beyond this for a long message is given back after it.
pub(crate) const KEEP_BYTES: usize = 4 * CHUNK_BYTES;

/// Reads in large chunks; grows for a long message, and shrinks after it.
#[derive(Debug)]
pub(crate) struct Buffer<R> {
    reader: R,
    bytes: Vec<u8>,
    /// The bytes that are read and not yet lent.
    start: usize,
    end: usize,
    ended: bool,
}

impl<R: Read> Buffer<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            bytes: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
        }
    }

    /// What is read and not yet lent.
    #[inline]
    pub(crate) fn pending(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether there is no more to read.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Lends the first `count` of the pending bytes, and goes on behind them.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> &[u8] {
        let from = self.start;
        self.start += count;
        &self.bytes[from..self.start]
    }

    /// Reads more, once, behind what is pending. A message, with what is around it, has `most` bytes.
    pub(crate) fn fill(&mut self, most: usize) -> std::io::Result<()> {
        self.make_room(most);
        loop {
            match self.reader.read(&mut self.bytes[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }

    /// Moves what is pending to the front, and sees that there is room behind it.
    fn make_room(&mut self, most: usize) {
        let pending = self.end - self.start;
        if self.bytes.len() > KEEP_BYTES && pending < CHUNK_BYTES {
            // A long message has gone: its memory goes, too.
            let mut bytes = vec![0; 2 * CHUNK_BYTES];
            bytes[..pending].copy_from_slice(&self.bytes[self.start..self.end]);
            self.bytes = bytes;
        } else if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
        }
        (self.start, self.end) = (0, pending);
        if self.end == self.bytes.len() {
            // Doubling keeps the copying linear; the bound keeps garbage from taking all.
            let most = most.max(CHUNK_BYTES);
            let doubled = self.bytes.len().saturating_mul(2).clamp(CHUNK_BYTES, most);
            self.bytes.resize(doubled.max(self.end + 1), 0);
        }
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }
}
