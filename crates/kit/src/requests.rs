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
#[derive(Debug)]
pub(crate) struct Requests(Source);

#[derive(Debug)]
enum Source {
    Read(Codec, mpsc::Receiver<Result<Vec<u8>, FrameError>>),
    Told(mpsc::Receiver<Vec<u8>>),
}

impl Requests {
    /// The next. Nothing is lost if it is no longer waited for.
    ///
    /// Read here, and not where it is received: `Open` may have megabytes, and an allocator gives what one thread used and freed to
    /// the same thread only. This one goes on to open the capture, in the memory that the request had.
    pub(crate) async fn recv(&mut self) -> Option<Result<Request, RequestError>> {
        let (codec, message) = match &mut self.0 {
            Source::Read(codec, messages) => (*codec, messages.recv().await?),
            Source::Told(messages) => (Codec::Json, Ok(messages.recv().await?)),
        };
        let request = match message {
            Ok(message) => codec.decode_request(&message).map_err(RequestError::from),
            Err(error) => Err(error.into()),
        };
        if request.is_err() {
            self.close(); // There is no telling what comes after.
        }
        Some(request)
    }

    fn close(&mut self) {
        match &mut self.0 {
            Source::Read(_, messages) => close(messages),
            Source::Told(messages) => close(messages),
        }
    }

    /// Requests in JSON that nobody has to read.
    pub(crate) fn told(requests: mpsc::Receiver<Vec<u8>>) -> Self {
        Self(Source::Told(requests))
    }
}

fn close<T>(messages: &mut mpsc::Receiver<T>) {
    messages.close();
    while messages.try_recv().is_ok() {}
}

/// Starts to read.
pub(crate) fn start(codec: Codec, input: impl Read + Send + 'static) -> Requests {
    let (sender, received) = mpsc::channel(QUEUED_REQUESTS);
    let reader = move || {
        let mut messages = Messages::requests(codec, input);
        loop {
            let message = match messages.next_message() {
                Ok(None) => return,
                Ok(Some(message)) => Ok(message.to_vec()),
                Err(error) => Err(error),
            };
            let is_last = message.is_err();
            if sender.blocking_send(message).is_err() || is_last {
                return; // Nobody wants them any more.
            }
        }
    };
    let thread = std::thread::Builder::new()
        .name("stdin".into())
        .spawn(reader);
    thread.expect("a process can start its reader thread");
    Requests(Source::Read(codec, received))
}
