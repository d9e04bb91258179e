//! The time of day, told by one clock so that tests can tell it too.
//!
//! Waits are Tokio's, which a test can pause. The wall clock is an argument everywhere; a simulated one moves with Tokio's, so
//! that a paused test sees both move together.

use jiff::{Timestamp, Unit};
use tokio::time::Instant;

/// Where a session reads the time of day.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    /// The machine's.
    System,
    /// Begins at a given time, and advances with Tokio's clock.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests tell the time"))]
    Simulated(Timestamp, Instant),
}

impl Clock {
    /// The present, to the microsecond: connector states carry no more.
    pub(crate) fn now(&self) -> Timestamp {
        let now = match self {
            Clock::System => Timestamp::now(),
            Clock::Simulated(start, since) => {
                start.checked_add(since.elapsed()).unwrap_or(Timestamp::MAX)
            }
        };
        now.round(Unit::Microsecond).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_moves_with_the_waits() {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = Clock::Simulated(start, Instant::now());
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.now().to_string(), "2026-03-01T12:01:30Z");
    }
}
