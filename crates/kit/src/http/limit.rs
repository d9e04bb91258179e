//! How fast a server may be asked.

use std::time::Duration;

/// How fast a server may be asked, found out while it is asked. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Limiter {}

/// What an answer says of a server's limits.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Hints {
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// How a request went.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was answered, whatever the answer.
    Served(Hints),
    /// The server had too many of them.
    Throttled(Hints),
    /// Nothing was heard.
    Failed,
}

/// A request's turn.
#[derive(Debug)]
#[must_use = "it says how a request went"]
pub struct Permit {}

impl Limiter {
    /// Waits until a request may be sent.
    pub async fn acquire(&self) -> Permit {
        Permit {}
    }
}

impl Permit {
    /// Says how it went. A permit that is dropped says that nothing was heard.
    pub fn report(self, outcome: Outcome) {
        let _ = outcome;
    }
}
