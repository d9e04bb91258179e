//! A limit that the author of a connector knows.

use std::time::Duration;

use tokio::time::Instant;

/// The generic cell rate algorithm: each request moves the moment at which its turn would have been if all were evenly spaced, and may be
/// ahead of it by as much as a burst.
#[derive(Debug)]
pub(super) struct Fixed {
    per_second: f64,
    burst: f64,
    /// When the next one's turn is if none may be ahead.
    due: Option<Instant>,
}

impl Fixed {
    pub(super) fn new(requests: f64, window: Duration) -> Self {
        let seconds = window.as_secs_f64().max(1e-9);
        Self {
            per_second: requests / seconds,
            burst: 1.0,
            due: None,
        }
    }

    pub(super) fn set_burst(&mut self, burst: f64) {
        self.burst = burst;
    }

    pub(super) fn per_second(&self) -> f64 {
        self.per_second
    }

    pub(super) fn next_turn(&self, now: Instant) -> Instant {
        let ahead = self.time_of(self.burst - 1.0);
        self.due
            .and_then(|due| due.checked_sub(ahead))
            .map_or(now, |turn| turn.max(now))
    }

    pub(super) fn begin(&mut self, now: Instant, cost: f64) {
        let due = self.due.map_or(now, |due| due.max(now));
        self.due = Some(due + self.time_of(cost));
    }

    /// Bounded by a year: a cost is the caller's to give.
    fn time_of(&self, cost: f64) -> Duration {
        const YEAR_SECONDS: f64 = 31_536_000.0;
        Duration::from_secs_f64((cost / self.per_second).clamp(0.0, YEAR_SECONDS))
    }
}
