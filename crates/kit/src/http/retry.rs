//! When something is asked again, and after how long.

use std::time::Duration;

/// When something that may pass is asked again.
///
/// The pause begins at half a second and doubles each time, up to half a minute; each is drawn between half of that and all of it, so
/// that clients which failed together do not come back together. A server that says when to come back (`Retry-After`) is not asked
/// before that.
///
/// ```
/// use std::time::Duration;
/// use staunch::http::{Client, Retry};
///
/// let client = Client::builder()
///     .retry(Retry::default().tries(3).within(Duration::from_secs(60)))
///     .build();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    tries: u32,
    within: Duration,
    first_pause: Duration,
    longest_pause: Duration,
}

impl Default for Retry {
    /// Eight tries within ten minutes.
    fn default() -> Self {
        Self {
            tries: 8,
            within: Duration::from_secs(600),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// Everything is asked once.
    #[must_use]
    pub fn never() -> Self {
        Self::default().tries(1)
    }

    /// How often something is asked at most, the first time included. An answer that says there are too many requests does not
    /// count, as it is a matter of time alone.
    #[must_use]
    pub fn tries(self, tries: u32) -> Self {
        Self { tries, ..self }
    }

    /// For how long: nothing is asked again later than so long after the first time.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// The pause after the first failure, and the longest one.
    #[must_use]
    pub fn pauses(self, first: Duration, longest: Duration) -> Self {
        Self {
            first_pause: first,
            longest_pause: longest,
            ..self
        }
    }
}

/// What has been tried of one request.
#[derive(Debug, Default)]
pub(super) struct Tries {
    /// All of them.
    pub(super) asked: u32,
    /// Those that count.
    failed: u32,
    /// Those that were too many, in a row.
    throttled: u32,
}

/// Whether something may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It will not.
    Lasting,
    /// It may.
    Passing,
    /// It is a matter of time.
    Throttled,
}

impl Tries {
    /// How long to wait before it is asked again, or `None` if it is not. `jitter` is between 0 and 1, `elapsed` since the first
    /// time.
    pub(super) fn pause(
        &mut self,
        retry: &Retry,
        failure: Failure,
        retry_after: Option<Duration>,
        elapsed: Duration,
        jitter: f64,
    ) -> Option<Duration> {
        let nth = match failure {
            Failure::Lasting => return None,
            Failure::Passing => &mut self.failed,
            Failure::Throttled if retry.tries <= 1 => return None,
            Failure::Throttled => &mut self.throttled,
        };
        *nth += 1;
        if failure == Failure::Passing && *nth >= retry.tries {
            return None;
        }
        let doubled = 2_u32.saturating_pow(*nth - 1);
        let longest = retry.first_pause.saturating_mul(doubled);
        let longest = longest.min(retry.longest_pause);
        let pause = longest.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        let pause = pause.max(retry_after.unwrap_or_default());
        (elapsed.saturating_add(pause) <= retry.within).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const NONE: [Duration; 0] = [];

    fn pauses(retry: Retry, failure: Failure, jitter: f64) -> Vec<Duration> {
        let mut tries = Tries::default();
        let mut elapsed = Duration::ZERO;
        std::iter::from_fn(|| {
            let pause = tries.pause(&retry, failure, None, elapsed, jitter)?;
            elapsed += pause;
            Some(pause)
        })
        .collect()
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_end_with_the_tries() {
        let retry = Retry::default().pauses(SECOND, 5 * SECOND).tries(6);
        let expected = [1, 2, 4, 5, 5].map(|n| n * SECOND);
        assert_eq!(pauses(retry, Failure::Passing, 1.0), expected);
        let halves = expected.map(|pause| pause / 2);
        assert_eq!(pauses(retry, Failure::Passing, 0.0), halves);
        assert_eq!(pauses(Retry::never(), Failure::Passing, 1.0), NONE);
        assert_eq!(pauses(Retry::never(), Failure::Throttled, 1.0), NONE);
        assert_eq!(pauses(retry, Failure::Lasting, 1.0), NONE);
    }

    #[test]
    fn too_many_requests_are_a_matter_of_time_and_not_of_tries() {
        let retry = Retry::default().tries(2).within(100 * SECOND);
        let pauses = pauses(retry, Failure::Throttled, 1.0);
        assert!(pauses.len() > 5, "{pauses:?}");
        let total: Duration = pauses.iter().sum();
        assert!(total <= 100 * SECOND && total > 60 * SECOND, "{total:?}");
    }

    #[test]
    fn a_server_is_not_asked_before_it_says_and_not_at_all_if_that_is_too_late() {
        let retry = Retry::default();
        let mut tries = Tries::default();
        let mut pause = |after| tries.pause(&retry, Failure::Passing, after, SECOND, 1.0);
        assert_eq!(pause(Some(60 * SECOND)), Some(60 * SECOND));
        assert_eq!(pause(Some(Duration::ZERO)), Some(SECOND));
        assert_eq!(pause(Some(600 * SECOND)), None);
        assert_eq!(pause(Some(Duration::MAX)), None);
    }
}
