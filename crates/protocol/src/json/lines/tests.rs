use std::io::{self, Read};

use proptest::prelude::*;

use super::{FrameError, Lines};
use crate::buffer::{CHUNK_BYTES, KEEP_BYTES};

/// Gives its bytes in pieces of the sizes that it is told, then one at a time, and is interrupted a lot.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: Vec<usize>,
    interrupted: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let size = self
            .sizes
            .pop()
            .unwrap_or(1)
            .max(1)
            .min(self.bytes.len())
            .min(buffer.len());
        buffer[..size].copy_from_slice(&self.bytes[..size]);
        self.bytes = &self.bytes[size..];
        Ok(size)
    }
}

fn pieces(bytes: &[u8], sizes: Vec<usize>) -> Pieces<'_> {
    Pieces {
        bytes,
        sizes,
        interrupted: false,
    }
}

/// All lines, and the error that ended them.
fn all<R: Read>(mut lines: Lines<R>) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut found = Vec::new();
    loop {
        match lines.next_line() {
            Ok(Some(line)) => found.push(line.to_vec()),
            Ok(None) => return (found, None),
            Err(error) => {
                // An error is final.
                let again = lines.next_line().unwrap_err();
                assert!(matches!(error, FrameError::Io(_)) || again.code() == error.code());
                return (found, Some(error));
            }
        }
    }
}

#[test]
fn lines_are_the_same_wherever_the_stream_is_cut() {
    let text = b"{\"a\":1}\r\n{}\nlast \r one\n";
    let expected: [&[u8]; 3] = [b"{\"a\":1}", b"{}", b"last \r one"];
    for at in 0..=text.len() {
        for limit in [12, 9, 64] {
            let (lines, error) = all(Lines::new(pieces(text, vec![text.len(), at]), limit));
            if limit == 9 {
                assert!(
                    matches!(error, Some(FrameError::TooLong { limit: 9 })),
                    "{at}"
                );
                assert_eq!(lines, expected[..2]);
            } else {
                assert!(error.is_none(), "{at}");
                assert_eq!(lines, expected);
            }
        }
    }
}

#[test]
fn a_line_of_exactly_the_bound_is_taken_and_one_byte_more_is_not() {
    for limit in [
        1,
        7,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        3 * CHUNK_BYTES,
    ] {
        for end in ["\n", "\r\n"] {
            for (bytes, fits) in [
                (limit - 1, true),
                (limit, true),
                (limit + 1, false),
                (limit + 2, false),
            ] {
                let mut text = vec![b'x'; bytes];
                text.extend_from_slice(end.as_bytes());
                text.extend_from_slice(b"y\n");
                let (lines, error) = all(Lines::new(&text[..], limit).accept_blank());
                if fits {
                    assert!(error.is_none());
                    assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [bytes, 1]);
                } else {
                    assert!(lines.is_empty());
                    assert!(matches!(error, Some(FrameError::TooLong { limit: l }) if l == limit));
                }
            }
        }
    }
}

#[test]
fn the_bound_of_responses_holds_to_the_byte() {
    for (bytes, fits) in [
        (crate::MAX_RESPONSE_BYTES, true),
        (crate::MAX_RESPONSE_BYTES + 1, false),
    ] {
        let text = io::repeat(b'x').take(bytes as u64).chain(&b"\n"[..]);
        let mut lines = Lines::new(text, crate::MAX_RESPONSE_BYTES);
        match lines.next_line() {
            Ok(Some(line)) => assert!(fits && line.len() == bytes),
            Err(FrameError::TooLong { .. }) => assert!(!fits),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_endless_line_is_refused_with_memory_bounded() {
    let mut lines = Lines::new(io::repeat(b'x'), 10_000_000);
    assert!(matches!(
        lines.next_line(),
        Err(FrameError::TooLong { limit: 10_000_000 })
    ));
    assert!(lines.buffer.capacity() <= 10_000_000 + CHUNK_BYTES);
}

#[test]
fn the_memory_of_a_long_line_is_given_back() {
    let mut text = vec![b'x'; 4 * KEEP_BYTES];
    text.push(b'\n');
    for _ in 0..CHUNK_BYTES {
        text.extend_from_slice(b"short\n");
    }
    let mut lines = Lines::new(&text[..], text.len());
    assert_eq!(lines.next_line().unwrap().unwrap().len(), 4 * KEEP_BYTES);
    let mut short = 0;
    while let Some(line) = lines.next_line().unwrap() {
        assert_eq!(line, b"short");
        short += 1;
    }
    assert_eq!(short, CHUNK_BYTES);
    assert!(lines.buffer.capacity() <= KEEP_BYTES);
}

#[test]
fn an_unterminated_last_line_is_an_error_unless_it_is_accepted() {
    let (lines, error) = all(Lines::new(&b"{}\n{\"a"[..], 64));
    assert_eq!(lines, [b"{}"]);
    assert!(matches!(error, Some(FrameError::Partial { bytes: 3 })));

    let (lines, error) = all(Lines::new(&b"{}\n{\"a\r"[..], 64).accept_unterminated());
    assert_eq!(lines, [&b"{}"[..], b"{\"a"]);
    assert!(error.is_none());

    let (lines, error) = all(Lines::new(&b"12345"[..], 4).accept_unterminated());
    assert!(lines.is_empty());
    assert!(matches!(error, Some(FrameError::TooLong { limit: 4 })));

    let (lines, error) = all(Lines::new(&b""[..], 4));
    assert!(lines.is_empty() && error.is_none());
}

#[test]
fn a_blank_line_is_an_error_unless_it_is_accepted() {
    for text in [&b"{}\n\n{}\n"[..], b"{}\n\r\n{}\n"] {
        let (lines, error) = all(Lines::new(text, 64));
        assert_eq!(lines, [b"{}"]);
        assert!(matches!(error, Some(FrameError::Blank)));

        let (lines, error) = all(Lines::new(text, 64).accept_blank());
        assert_eq!(lines, [&b"{}"[..], b"", b"{}"]);
        assert!(error.is_none());
    }
}

#[test]
fn a_failing_reader_is_told_of_with_its_cause() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    let mut lines = Lines::new((&b"{}\n{"[..]).chain(Broken), 64);
    assert_eq!(lines.next_line().unwrap(), Some(&b"{}"[..]));
    let error = lines.next_line().unwrap_err();
    assert_eq!(error.code(), "protocol.read_failed");
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "gone"
    );
}

proptest! {
    #[test]
    fn any_chunking_gives_the_lines_of_the_text(
        lines in proptest::collection::vec("[^\r\n]{1,40}", 0..20), sizes: Vec<u8>, carriage: bool,
    ) {
        let end = if carriage { "\r\n" } else { "\n" };
        let text: String = lines.iter().map(|line| format!("{line}{end}")).collect();
        let sizes = sizes.into_iter().map(usize::from).collect();
        let (found, error) = all(Lines::new(pieces(text.as_bytes(), sizes), 160));
        prop_assert!(error.is_none());
        prop_assert_eq!(found, lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>());
    }
}
