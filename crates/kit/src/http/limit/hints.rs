//! What an answer says of a server's limits.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderMap;

use super::headers;

/// What an answer says of a server's limits. What is left out is found out.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Hints {
    /// How long to wait before the next request: `Retry-After`.
    pub retry_after: Option<Duration>,
    /// What is left of a number of requests per window.
    pub quota: Option<Quota>,
    /// What is left of a budget that is restored as time passes.
    pub budget: Option<Budget>,
}

/// A number of requests per window, and what is left of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quota {
    /// Requests per window.
    pub limit: Option<u64>,
    /// Requests that are left in this window.
    pub remaining: u64,
    /// How long this window lasts from now on.
    pub reset_after: Duration,
}

/// A budget of cost that is restored at a steady rate, as GraphQL servers tell it in their throttle status.
///
/// ```
/// use staunch::http::{Budget, Hints, Outcome};
///
/// // What the answer's `extensions.cost.throttleStatus` says, however the connector has read it.
/// let mut hints = Hints::default();
/// hints.budget = Some(Budget { available: 1_850.0, maximum: 2_000.0, restored_per_second: 100.0 });
/// let outcome = Outcome::Served(hints);
/// # let _ = outcome;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// What is left at this moment: `currentlyAvailable`.
    pub available: f64,
    /// The most that there can be: `maximumAvailable`.
    pub maximum: f64,
    /// How much comes back per second: `restoreRate`.
    pub restored_per_second: f64,
}

impl Hints {
    /// Reads the headers of an answer that came at `now`.
    ///
    /// Known are `Retry-After` (seconds or a date) and `Retry-After-Ms`; `RateLimit` and `RateLimit-Policy` in the forms that the drafts
    /// of the IETF gave them; `RateLimit-Limit`, `-Remaining` and `-Reset`, also with the prefixes `X-RateLimit-` and `X-Rate-Limit-`,
    /// where the reset is a number of seconds, a time of day as seconds or milliseconds since 1970, or a date. A time of day is held
    /// against the answer's `Date`, so that a clock that is wrong here does no harm. Of several windows the tightest counts. What
    /// cannot be read, or is past, is left out.
    ///
    /// ```
    /// use std::time::Duration;
    /// use staunch::http::Hints;
    ///
    /// # let mut headers = reqwest::header::HeaderMap::new();
    /// # headers.insert("x-ratelimit-limit", "100".parse().unwrap());
    /// # headers.insert("x-ratelimit-remaining", "12".parse().unwrap());
    /// # headers.insert("x-ratelimit-reset", "30".parse().unwrap());
    /// let hints = Hints::of(&headers, jiff::Timestamp::now());
    /// let quota = hints.quota.unwrap();
    /// assert_eq!((quota.limit, quota.remaining), (Some(100), 12));
    /// assert_eq!(quota.reset_after, Duration::from_secs(30));
    /// ```
    #[must_use]
    pub fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        Self {
            retry_after: headers::retry_after(headers, now),
            quota: headers::quota(headers, now),
            budget: None,
        }
    }

    /// These, and where they say nothing the others.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            retry_after: self.retry_after.or(other.retry_after),
            quota: self.quota.or(other.quota),
            budget: self.budget.or(other.budget),
        }
    }
}
