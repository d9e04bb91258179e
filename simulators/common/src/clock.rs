//! What tells the time.

use jiff::Timestamp;
use tokio::time::Instant;

/// What tells the time.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// It stands until it is set.
    Virtual(Timestamp),
    /// It goes on with Tokio's, which a test can pause.
    Moving(Timestamp, Instant),
    /// The machine's.
    Real,
}

impl Clock {
    /// One that begins then, and goes on with Tokio's or stands; without a beginning, the machine's.
    #[must_use]
    pub fn new(anchor: Option<Timestamp>, is_moving: bool) -> Self {
        match anchor {
            None => Clock::Real,
            Some(anchor) if is_moving => Clock::Moving(anchor, Instant::now()),
            Some(anchor) => Clock::Virtual(anchor),
        }
    }

    /// The same, at another time. The machine's stands from then on.
    #[must_use]
    pub fn set(self, now: Timestamp) -> Self {
        match self {
            Clock::Moving(..) => Clock::Moving(now, Instant::now()),
            Clock::Virtual(_) | Clock::Real => Clock::Virtual(now),
        }
    }

    /// What time it is.
    #[must_use]
    pub fn now(self) -> Timestamp {
        match self {
            Clock::Virtual(now) => now,
            Clock::Moving(from, since) => {
                from.checked_add(since.elapsed()).unwrap_or(Timestamp::MAX)
            }
            Clock::Real => Timestamp::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_clock_stands_and_the_other_goes_with_tokios() {
        let at = Timestamp::UNIX_EPOCH;
        let (standing, moving) = (Clock::new(Some(at), false), Clock::new(Some(at), true));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(standing.now(), at);
        assert_eq!(moving.now().as_second(), 5);
        let later = Timestamp::constant(100, 0);
        assert_eq!(standing.set(later).now(), later);
        let moving = moving.set(later);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(moving.now().as_second(), 101);
    }
}
