use std::io::Read;

use proptest::prelude::*;

use super::{FrameError, Frames};
use crate::MAX_RESPONSE_BYTES;
use crate::buffer::{CHUNK_BYTES, KEEP_BYTES};

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = Vec::new();
    for message in messages {
        stream.extend_from_slice(&(message.len() as u32).to_le_bytes());
        stream.extend_from_slice(message);
    }
    stream
}

/// All frames, and the error that ended them, which is final.
fn all<R: Read>(mut frames: Frames<R>) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut found = Vec::new();
    loop {
        match frames.next_frame() {
            Ok(Some(frame)) => found.push(frame.to_vec()),
            Ok(None) => return (found, None),
            Err(error) => {
                assert_eq!(frames.next_frame().unwrap_err().code(), error.code());
                return (found, Some(error));
            }
        }
    }
}

/// Gives one byte at a time.
struct Drops<'a>(&'a [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.0.len().min(1);
        buffer[..size].copy_from_slice(&self.0[..size]);
        self.0 = &self.0[size..];
        Ok(size)
    }
}

#[test]
fn an_empty_frame_is_a_frame() {
    let (frames, error) = all(Frames::new(&[0; 8][..], 10));
    assert!(frames == [b"", b""] && error.is_none());
}

#[test]
fn a_stream_that_ends_inside_a_frame_says_how_far_it_came() {
    let stream = framed(&[b"abc".to_vec(), b"defg".to_vec()]);
    for end in 8..stream.len() {
        let (frames, error) = all(Frames::new(&stream[..end], 10));
        assert_eq!(frames, [b"abc"]);
        assert!(
            matches!(error, Some(FrameError::Partial { bytes }) if bytes == end - 7),
            "{error:?}"
        );
    }
}

#[test]
fn a_frame_has_at_most_the_bound() {
    let stream = framed(&[vec![1; 10], vec![2; 11]]);
    let (frames, error) = all(Frames::new(&stream[..], 10));
    assert_eq!(frames, [[1; 10]]);
    assert!(matches!(
        error,
        Some(FrameError::TooLong {
            bytes: 11,
            limit: 10,
            is_text: false
        })
    ));
}

#[test]
fn text_in_the_place_of_a_length_is_told_as_such() {
    for text in ["{\"spec\":{}}\n", "Starting up...\n"] {
        let (_, error) = all(Frames::new(text.as_bytes(), MAX_RESPONSE_BYTES));
        let error = error.unwrap();
        assert_eq!(error.code(), "protocol.frame_too_long");
        assert!(error.to_string().contains("it begins with text"), "{error}");
    }
}

#[test]
fn what_a_frame_announces_is_not_allocated_before_it_comes() {
    let mut stream = u32::to_le_bytes(60 << 20).to_vec();
    stream.extend_from_slice(&[7; 100]);
    let mut frames = Frames::new(&stream[..], MAX_RESPONSE_BYTES);
    assert!(frames.next_frame().is_err());
    assert!(frames.buffer.capacity() <= 2 * CHUNK_BYTES);
}

#[test]
fn the_memory_of_a_long_frame_is_given_back() {
    let messages = [
        vec![1; 5_000_000],
        vec![2; CHUNK_BYTES],
        vec![3; 10],
        vec![4; CHUNK_BYTES],
    ];
    let stream = framed(&messages);
    let mut frames = Frames::new(&stream[..], 5_000_000);
    for message in &messages {
        assert!(frames.next_frame().unwrap() == Some(&message[..]));
    }
    assert!(frames.buffer.capacity() <= KEEP_BYTES);
}

proptest! {
    #[test]
    fn frames_are_the_same_wherever_the_stream_is_cut(messages: Vec<Vec<u8>>) {
        let stream = framed(&messages);
        for found in [all(Frames::new(&stream[..], 1 << 20)), all(Frames::new(Drops(&stream), 1 << 20))] {
            prop_assert_eq!(&found.0, &messages);
            prop_assert!(found.1.is_none());
        }
    }

    #[test]
    fn arbitrary_streams_never_panic(bytes: Vec<u8>) {
        let _ = all(Frames::new(&bytes[..], 100));
    }
}
