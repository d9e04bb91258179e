//! A reader that decodes text.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use encoding_rs::{Decoder, DecoderResult};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::detect::MARK_BYTES;
use super::{Encoding, Mark, mark};
use crate::stream::lookahead::{Lookahead, SAMPLE_BYTES, poll_read_buffered};

/// How much is decoded at once.
const BUFFER_BYTES: usize = 32 << 10;

/// Why text could not be decoded. Readers give it as the inside of their [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodingError {
    /// Some bytes are no character.
    #[error("the text is not {encoding} before its byte {offset}; say which encoding it is in")]
    Malformed {
        /// The name of the encoding.
        encoding: &'static str,
        /// How many bytes precede the end of those that are no character.
        offset: u64,
    },
    /// It is in UTF-32, going by its first bytes.
    #[error("the text has the mark of UTF-32, which cannot be read; have it in UTF-8")]
    Utf32,
}

impl From<EncodingError> for io::Error {
    fn from(error: EncodingError) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

/// Decodes text as it arrives, into UTF-8 without a byte order mark.
///
/// The given encoding wins over what a mark says, but for UTF-16, whose mark says which byte is first.
///
/// ```
/// use staunch::stream::{Encoding, decode};
/// use tokio::io::AsyncReadExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let mut text = String::new();
/// decode(&b"gr\xf6\xdfer"[..], Encoding::WINDOWS_1252).read_to_string(&mut text).await?;
/// assert_eq!(text, "größer");
/// # Ok(()) }
/// ```
pub fn decode<R: AsyncBufRead + Unpin>(reader: R, encoding: Encoding) -> Decoded<R> {
    Decoded::new(Lookahead::new(reader), Choice::Given(encoding), true)
}

/// Decodes text as it arrives; its first 64 KiB say from which encoding, as in [`Encoding::detect`].
///
/// ```
/// use staunch::stream::decode_detected;
/// use tokio::io::AsyncReadExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let mut text = String::new();
/// decode_detected(&b"\xff\xfei\0d\0"[..]).read_to_string(&mut text).await?;
/// assert_eq!(text, "id");
/// # Ok(()) }
/// ```
pub fn decode_detected<R: AsyncBufRead + Unpin>(reader: R) -> Decoded<R> {
    Decoded::new(Lookahead::new(reader), Choice::Detect, true)
}

/// How it is known which encoding a text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Given(Encoding),
    /// By its mark, or UTF-8 without one: nothing else must be waited for.
    Marked,
    Detect,
}

/// What [`decode`] gives: the text in UTF-8.
#[derive(Debug)]
pub struct Decoded<R> {
    reader: Lookahead<R>,
    choice: Choice,
    /// Whether UTF-8 is checked here; otherwise it is handed on as it is.
    checked: bool,
    state: State,
    encoding: Encoding,
    buffer: Vec<u8>,
    /// What of `buffer` is decoded and not yet taken.
    at: usize,
    filled: usize,
}

#[derive(Debug)]
enum State {
    Undecided,
    AsItIs,
    // It holds tables of what was read so far.
    Decoding(Box<Decoder>),
    Ended,
    /// After what is decoded there is an error, the first time that of its own.
    Malformed(Option<EncodingError>),
}

impl<R: AsyncBufRead + Unpin> Decoded<R> {
    pub(crate) fn new(reader: Lookahead<R>, choice: Choice, checked: bool) -> Self {
        Self {
            reader,
            choice,
            checked,
            state: State::Undecided,
            encoding: Encoding::UTF_8,
            buffer: Vec::new(),
            at: 0,
            filled: 0,
        }
    }

    /// The encoding that is decoded: the given one, or once some text was read the detected one.
    pub fn encoding(&self) -> Option<Encoding> {
        match (self.choice, &self.state) {
            (Choice::Given(encoding), State::Undecided) => Some(encoding),
            (_, State::Undecided) => None,
            _ => Some(self.encoding),
        }
    }

    fn poll_decide(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let found = mark(ready!(self.reader.poll_peek(cx, MARK_BYTES))?);
        let (encoding, mark_bytes) = match (self.choice, found) {
            (Choice::Given(encoding), Mark::Of(marked, bytes)) => {
                let is_utf16 = |one| [Encoding::UTF_16LE, Encoding::UTF_16BE].contains(&one);
                if encoding == marked || is_utf16(encoding) && is_utf16(marked) {
                    (marked, bytes)
                } else {
                    (encoding, 0)
                }
            }
            (Choice::Given(encoding), _) => (encoding, 0),
            (_, Mark::Of(marked, bytes)) => (marked, bytes),
            (_, Mark::Utf32) => {
                self.state = State::Malformed(Some(EncodingError::Utf32));
                return Poll::Ready(Ok(()));
            }
            (Choice::Marked, Mark::None) => (Encoding::UTF_8, 0),
            (Choice::Detect, Mark::None) => {
                let sample = ready!(self.reader.poll_peek(cx, SAMPLE_BYTES))?;
                let whole = sample.len() < SAMPLE_BYTES;
                (Encoding::detect(sample, whole), 0)
            }
        };
        Pin::new(&mut self.reader).consume(mark_bytes);
        self.encoding = encoding;
        self.state = if encoding == Encoding::UTF_8 && !self.checked {
            State::AsItIs
        } else {
            self.buffer = vec![0; BUFFER_BYTES];
            State::Decoding(Box::new(encoding.0.new_decoder_without_bom_handling()))
        };
        Poll::Ready(Ok(()))
    }

    /// Decodes until there is something, or the end.
    fn poll_decode(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let State::Decoding(decoder) = &mut self.state else {
            return Poll::Ready(Ok(()));
        };
        while self.at == self.filled {
            let input = ready!(Pin::new(&mut self.reader).poll_fill_buf(cx))?;
            let last = input.is_empty();
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(input, &mut self.buffer, last);
            Pin::new(&mut self.reader).consume(read);
            (self.at, self.filled) = (0, written);
            if let DecoderResult::Malformed(..) = result {
                // What precedes it comes first, so that it does not depend on the chunks what a caller sees.
                self.state = State::Malformed(Some(EncodingError::Malformed {
                    encoding: self.encoding.name(),
                    offset: self.reader.taken(),
                }));
                break;
            }
            if last && result == DecoderResult::InputEmpty {
                self.state = State::Ended;
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let State::Undecided = self.state {
            ready!(self.poll_decide(cx))?;
        }
        self.poll_decode(cx)
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Decoded<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_ready(cx))?;
        match &mut this.state {
            State::AsItIs => Pin::new(&mut this.reader).poll_fill_buf(cx),
            State::Malformed(error) if this.at == this.filled => {
                let again =
                    || io::Error::other("the text cannot be decoded, as an earlier error said");
                Poll::Ready(Err(error.take().map_or_else(again, io::Error::from)))
            }
            _ => Poll::Ready(Ok(&this.buffer[this.at..this.filled])),
        }
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let this = self.get_mut();
        match this.state {
            State::AsItIs => Pin::new(&mut this.reader).consume(count),
            _ => this.at += count,
        }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Decoded<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_read_buffered(self, cx, out)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, BufReader};

    use super::*;

    async fn read(bytes: &[u8], chunk: usize, encoding: Option<Encoding>) -> io::Result<String> {
        let reader = BufReader::with_capacity(chunk, bytes);
        let mut reader = match encoding {
            Some(encoding) => decode(reader, encoding),
            None => decode_detected(reader),
        };
        let mut text = String::new();
        reader.read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn text_is_the_same_whatever_the_chunks() {
        let text = "id;größer;日本;𝄞\n".repeat(5);
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        for chunk in 1..20 {
            for (bytes, encoding) in [
                (text.as_bytes().to_vec(), None),
                (marked(b"\xef\xbb\xbf", text.as_bytes()), None),
                (
                    marked(b"\xef\xbb\xbf", text.as_bytes()),
                    Some(Encoding::UTF_8),
                ),
                (marked(b"\xff\xfe", &little), None),
                (marked(b"\xfe\xff", &big), None),
                (little.clone(), Some(Encoding::UTF_16LE)),
                (marked(b"\xfe\xff", &big), Some(Encoding::UTF_16BE)),
                (marked(b"\xfe\xff", &big), Encoding::named("utf-16")),
            ] {
                assert_eq!(
                    read(&bytes, chunk, encoding).await.unwrap(),
                    text,
                    "{chunk} {encoding:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn the_given_encoding_wins() {
        let marked = b"\xef\xbb\xbfid";
        let text = read(marked, 9, Some(Encoding::WINDOWS_1252)).await;
        assert_eq!(text.unwrap(), "ï»¿id");
    }

    #[tokio::test]
    async fn what_is_no_character_is_an_error_that_says_where() {
        let late = [&b"id,name\n".repeat(9000)[..], b"gr\xf6\xdfer"].concat();
        for (bytes, encoding) in [
            (&late[..], None),
            (b"a\xff", Some(Encoding::UTF_8)),
            (b"a\0b", Some(Encoding::UTF_16LE)),
            (b"\x00\xd8a\0", Some(Encoding::UTF_16LE)),
            (b"\xff\xfe\0\0a\0\0\0", None),
        ] {
            for chunk in [1, 100_000] {
                let error = read(bytes, chunk, encoding).await.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
            }
        }
        let error = read(&late, 512, None).await.unwrap_err().to_string();
        assert!(error.contains("UTF-8 before its byte 7200"), "{error}");
    }
}
