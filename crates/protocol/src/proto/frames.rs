//! Frames out of a stream, lent one at a time; and into a buffer.

use std::io::Read;

use super::error::{EncodeError, FrameError};
use super::fault::Fault;
use crate::buffer::Buffer;

/// Bytes of the length before each frame: little-endian, unsigned.
const LENGTH_BYTES: usize = 4;

/// Cuts a stream into frames, none longer than the bound.
///
/// Reads in large chunks. The buffer grows with what has come of a frame, not with what the frame says that will come, and never
/// beyond the bound and a chunk. Frames are lent without the length before them. An error is final: what follows cannot be
/// trusted, and the next call reports the same.
#[derive(Debug)]
pub struct Frames<R> {
    buffer: Buffer<R>,
    max_frame_bytes: usize,
}

impl<R: Read> Frames<R> {
    /// Frames of `reader` of at most `max_frame_bytes` bytes, not counting the length before them.
    pub fn new(reader: R, max_frame_bytes: usize) -> Self {
        Self {
            buffer: Buffer::new(reader),
            max_frame_bytes,
        }
    }

    /// The next frame, or `None` at the end of the stream. Blocks until there is one.
    ///
    /// # Errors
    /// [`FrameError`], and again at every later call.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        loop {
            let pending = self.buffer.pending();
            if let Some((length, rest)) = pending.split_first_chunk() {
                let length = self.length(*length)?;
                if rest.len() >= length {
                    let frame = self.buffer.take(LENGTH_BYTES + length);
                    return Ok(Some(&frame[LENGTH_BYTES..]));
                }
            }
            if self.buffer.has_ended() {
                return match pending.len() {
                    0 => Ok(None),
                    bytes => Err(FrameError::Partial { bytes }),
                };
            }
            self.buffer
                .fill(self.max_frame_bytes.saturating_add(LENGTH_BYTES))?;
        }
    }

    fn length(&self, bytes: [u8; LENGTH_BYTES]) -> Result<usize, FrameError> {
        let length = u32::from_le_bytes(bytes);
        match usize::try_from(length) {
            Ok(length) if length <= self.max_frame_bytes => Ok(length),
            _ => Err(FrameError::TooLong {
                bytes: length,
                limit: self.max_frame_bytes,
                is_text: bytes
                    .iter()
                    .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()),
            }),
        }
    }
}

/// Appends a frame, whose message `fields` writes. Leaves nothing behind if that fails, or if it is longer than `limit`.
pub(super) fn frame(
    kind: &'static str,
    limit: usize,
    out: &mut Vec<u8>,
    fields: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    let written = fields(out).map_err(|fault| fault.within(kind).unwritable());
    let bytes = out.len() - start - LENGTH_BYTES;
    let length = match u32::try_from(bytes) {
        Ok(length) if bytes <= limit => Ok(length),
        _ => Err(EncodeError::TooLong { kind, bytes, limit }),
    };
    match written.and(length) {
        Ok(length) => {
            out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests;
