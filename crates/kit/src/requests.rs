//! Requests, read from standard input on a thread of their own.
//!
//! A read of standard input cannot be cancelled, so Tokio's would keep the process from ending. A plain thread may be left behind.

use std::io::Read;

use staunch_protocol::{Codec, DecodeError, FrameError, Messages, Request};
use tokio::sync::mpsc;

/// How many requests may wait. After `Open` there are but acknowledgements, which are handled as they come.
const QUEUED_REQUESTS: usize = 64;

/// Why no further request can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The line, or the frame, is not a request.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It is no line, or no frame.
    #[error("reading requests")]
    Frame(#[from] FrameError),
}

/// Requests in the order in which they came. The last may be an error; then, as at the end of the input, there are no more.
pub(crate) type Requests = mpsc::Receiver<Result<Request, RequestError>>;

/// Starts to read.
pub(crate) fn start(codec: Codec, input: impl Read + Send + 'static) -> Requests {
    let (sender, requests) = mpsc::channel(QUEUED_REQUESTS);
    let reader = move || {
        let mut messages = Messages::requests(codec, input);
        loop {
            let request = match messages.next_message() {
                Ok(None) => return,
                Ok(Some(message)) => codec.decode_request(message).map_err(RequestError::from),
                Err(error) => Err(error.into()),
            };
            let is_last = request.is_err();
            if sender.blocking_send(request).is_err() || is_last {
                return; // Nobody wants them any more, or there is no telling what comes after.
            }
        }
    };
    let thread = std::thread::Builder::new()
        .name("stdin".into())
        .spawn(reader);
    thread.expect("a process can start its reader thread");
    requests
}
