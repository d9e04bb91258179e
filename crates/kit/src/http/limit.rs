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

impl Hints {
    /// What the headers of an answer say.
    pub fn of(headers: &reqwest::header::HeaderMap, _now: jiff::Timestamp) -> Self {
        let after = headers.get(reqwest::header::RETRY_AFTER);
        let seconds = after.and_then(|after| after.to_str().ok()?.parse().ok());
        Self {
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    /// These, and where they say nothing the others.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            retry_after: self.retry_after.or(other.retry_after),
        }
    }
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
