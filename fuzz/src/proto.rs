//! What the fuzz target `proto` does with its bytes. The tests of `staunch-protocol` run the same on every file of the corpus.

// The tests are elsewhere, and a failure is what is looked for.
#![allow(clippy::unwrap_used)]

use staunch_protocol::proto::{
    Frames, decode_request, decode_response, encode_request, encode_response, split_captured,
};
use staunch_protocol::{RawValue, Response};

/// A stream of frames, and the same bytes as one message: what is read can be written, and read again as the same.
pub(crate) fn proto(data: &[u8]) {
    let mut frames = Frames::new(data, 1 << 16);
    while let Ok(Some(frame)) = frames.next_frame() {
        message(frame);
    }
    message(data);
}

fn message(frame: &[u8]) {
    match decode_request(frame) {
        Ok(request) => {
            let written = written(|out| encode_request(&request, out).unwrap());
            let again = decode_request(&written).unwrap();
            assert_eq!(
                self::written(|out| encode_request(&again, out).unwrap()),
                written
            );
        }
        Err(error) => assert!(error.to_string().starts_with("malformed request")),
    }
    let response = decode_response(frame);
    match &response {
        Ok(response) => {
            let written = written(|out| encode_response(response, out).unwrap());
            let again = decode_response(&written).unwrap();
            assert_eq!(
                self::written(|out| encode_response(&again, out).unwrap()),
                written
            );
        }
        Err(error) => assert!(error.to_string().starts_with("malformed response")),
    }
    if let Some((binding, document)) = split_captured(frame)
        && serde_json::from_slice::<&RawValue>(document).is_ok()
    {
        let Ok(Response::Captured(captured)) = response else {
            panic!("the fast way sees a document where there is none");
        };
        assert_eq!(captured.binding, binding);
        assert_eq!(captured.doc.get().as_bytes(), document.trim_ascii());
    }
}

/// The message of the one frame that is written.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = Vec::new();
    write(&mut frame);
    frame.split_off(4)
}
