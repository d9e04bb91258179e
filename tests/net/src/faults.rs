//! A server that answers as a test says, and spoils its answers as a test says.
//!
//! It speaks just enough of HTTP/1.1, over plain TCP, to break it at any byte. Each request is given to the test's function, which
//! says what the answer would be and what is done to it: one after the other ([`in_turn`]), at random ([`Spoiler`]), or as it
//! likes. What was done is kept in a log.

mod coding;
mod deaf;
mod script;
mod server;
mod write;

use std::collections::BTreeMap;
use std::time::Duration;

pub use coding::{Coding, encoded};
pub use deaf::Deaf;
pub use script::{Spoiler, in_turn};
pub use server::FaultServer;

/// What a server was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How many requests came before it.
    pub nth: u64,
    /// The method.
    pub method: String,
    /// The path, with the query.
    pub target: String,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, as it stands.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        let query = self.target.split_once('?')?.1;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers, but for the length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the body is not what it should be.
    pub is_spoilt: bool,
    /// What is done to it.
    pub fault: Fault,
}

impl Answer {
    /// This status and body, as they should be.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            is_spoilt: false,
            fault: Fault::None,
        }
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// With this done to it.
    #[must_use]
    pub fn fault(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    /// These bytes, in place of a head and a body.
    pub fn verbatim(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(0, bytes).fault(Fault::Verbatim)
    }
}

/// What can be done to an answer. Whatever is done, the connection is closed after it, but for [`Fault::None`] and those that say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection is reset before anything is answered.
    ResetAtOnce,
    /// It is reset in the middle of the head.
    ResetInHead,
    /// It is reset in the middle of the body.
    ResetInBody,
    /// It is closed in the middle of the body, whose whole length was announced.
    HalfBody,
    /// The announced length is one byte too short, and the connection goes on.
    ShortLength,
    /// The announced length is one byte too long, and the connection is closed.
    LongLength,
    /// Two lengths are announced, of which one is wrong.
    TwoLengths,
    /// Chunks as they should be, beside a length that is wrong; the connection goes on. Chunks are what counts (RFC 9112, 6.3).
    ChunksAndLength,
    /// Chunks without the last one.
    ChunksWithoutEnd,
    /// A chunk whose size is none.
    BrokenChunk,
    /// Chunks as they should be; the connection goes on.
    Chunks,
    /// Neither a length nor chunks: the body ends with the connection.
    UntilClosed,
    /// What is no HTTP.
    Garbage,
    /// The body stands for all there is, and so for the head too.
    Verbatim,
    /// A head of more than so many bytes.
    LargeHead(usize),
    /// Nothing for so long, and then the answer.
    Silence(Duration),
    /// The head, then nothing for so long, and then the body.
    SilenceInBody(Duration),
    /// The body in pieces of so many bytes, with a pause after each; the connection goes on.
    Drip(usize, Duration),
    /// The head likewise, and then the body at once.
    DripHead(usize, Duration),
    /// A good answer, after which the connection is closed without a word.
    CloseAfter,
    /// A good answer; so long after it the connection is closed without a word, whatever was asked on it meanwhile.
    CloseLater(Duration),
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Served {
    /// What was asked.
    pub asked: Asked,
    /// With which status it was answered.
    pub status: u16,
    /// And with which headers.
    pub headers: Vec<(String, String)>,
    /// What was done to the answer.
    pub fault: Fault,
    /// Whether all of it was handed to the network as it should be. The client may have gone away.
    pub is_whole: bool,
}
